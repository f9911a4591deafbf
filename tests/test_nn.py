"""The fused layers against their formulas, written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neon import nn
from neon.lrp import LRP


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


@pytest.mark.parametrize("far", [0.0, 1e4])
def test_squared_distance(far: float) -> None:
    x, u = draw(7, 3) + far, draw(4, 3) + far
    expected = ((x[:, None] - u) ** 2).sum(2)
    torch.testing.assert_close(nn.squared_distance(x, u), expected, rtol=1e-9, atol=1e-12)


def test_shares_of_the_metric_are_those_of_each_center() -> None:
    """``R_i = Σ_j R_j (x - u_j)_i (VᵀV (x - u_j))_i / D_j`` after a linear map, center by center."""
    x, v, b, u = draw(5, 6), draw(3, 6), draw(3), draw(4, 3)
    layer = nn.SquaredDistance(u).after(v, b)
    torch.testing.assert_close(layer(x), nn.squared_distance(x @ v.T + b, u), rtol=1e-10, atol=1e-10)
    start = draw(5, 4)
    expected = torch.zeros_like(x)
    for j in range(4):
        delta = x - layer.centers[j]
        expected += start[:, j, None] * delta * (delta @ v.T @ v) / layer(x)[:, j, None]
    torch.testing.assert_close(LRP(layer, "neon")(x, start), expected, rtol=1e-8, atol=1e-8)


def test_log_mean_rule() -> None:
    """``R_i = γ Σ_j α_j Lm_j (ρ_ij - δ_ij²)`` with the logarithmic mean of ``e^{u_j}`` and ``e^{v_j}``."""
    x, centers, background, alpha, gamma = draw(5, 3), draw(8, 3), draw(20, 3), draw(1, 8), 0.3
    model = torch.nn.Sequential(
        nn.SquaredDistance(centers), nn.Affine(-gamma), nn.Elementwise(torch.exp), nn.Linear(alpha)
    )
    recording = LRP(model, "neon").record(x, reference=background)
    delta = (x[:, None] - centers) ** 2
    rho = ((background[:, None] - centers) ** 2).mean(0)
    u, v = -gamma * delta.sum(2), -gamma * rho.sum(1)
    log_mean = (u.exp() - v.exp()) / (u - v)
    expected = gamma * ((alpha * log_mean)[:, :, None] * (rho - delta)).sum(1)
    torch.testing.assert_close(recording.propagate().relevance[0], expected, rtol=1e-9, atol=1e-11)
    assert recording.base is not None
    torch.testing.assert_close(recording.base[0], (alpha * v.exp()).sum(1))


@pytest.mark.parametrize("soft", [False, True])
def test_evidence(soft: bool) -> None:
    d = 30 * draw(50, 6)
    others = [np.delete(d.numpy(), c, axis=1) for c in range(6)]
    pooled = [-np.logaddexp.reduce(-o, axis=1) if soft else o.min(1) for o in others]
    expected = torch.as_tensor(np.stack(pooled, axis=1)) - d
    torch.testing.assert_close(nn.evidence(d, 1.0, soft), expected, rtol=1e-12, atol=1e-12)


def test_take_most_on_the_boundary_between_two_clusters() -> None:
    """At evidence 0 nothing is divided: the midpoint rule's contributions are there and cancel."""
    centers = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    model = torch.nn.Sequential(nn.SquaredDistance(centers), nn.Evidence(1.0))
    relevance = LRP(model, "neon")(torch.tensor([[2.0, 2.0]], dtype=torch.float64), 0)
    torch.testing.assert_close(relevance, torch.tensor([[3.0, -3.0]], dtype=torch.float64))


def test_evidence_adds_up_beside_an_alternative_so_far_that_its_rounding_is_no_small_number() -> None:
    """As a Gaussian of a single point is from everything else."""
    d = torch.tensor([[1.0, 3.3, 3.9, 1e15], [2.0, 1e14, 2.7, 2.5]], dtype=torch.float64)
    for soft in (False, True):
        recording = LRP(nn.Evidence(soft=soft), "neon").record(d)
        walk = recording.propagate(0, account=True)
        total = walk.relevance[0].sum(1) + sum(walk.ledger.absorbed.values())
        torch.testing.assert_close(total, recording.output[:, 0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_relu_minimum(size: int) -> None:
    h = draw(20, 3 * size)
    layers = torch.nn.Sequential(*nn.relu_minimum(3, size))
    torch.testing.assert_close(layers(h), h.unflatten(1, (3, size)).amin(2), rtol=1e-12, atol=1e-12)


def test_softmin_of_a_row_that_is_among_the_points() -> None:
    """Its own unit has no share; a quarter of the others count, by perplexity, or all that the stiffness leaves."""
    h, log_a = draw(12, 40).square() * 5 + 0.5, draw(40)
    h[torch.arange(12), torch.arange(12)] = 0.0
    recording = LRP(nn.SoftMin(log_a, 2.0), "neon").record(h)
    start = torch.ones(12, 1, dtype=torch.float64)
    walk = recording.propagate(start, account=True)
    taken = recording.output[:, 0] >= 0
    q = torch.where(taken[:, None], walk.relevance[0], walk.relevance[0] / h.clamp(min=1e-300))
    q /= q.sum(1, keepdim=True)
    assert not q[torch.arange(12), torch.arange(12)].any()
    for n in range(12):
        others = torch.arange(40) != n
        p = torch.softmax(log_a[others], 0)
        least = (-(p * p.log()).sum()).exp() / 4
        found = q[n, others]
        perplexity = (-(found * found.log()).sum()).exp()
        assert perplexity > (1 - 1e-3) * least
        beta = (log_a[others] - found.log()).diff() / h[n, others].diff()  # one stiffness for all
        torch.testing.assert_close(beta, beta.mean().expand_as(beta), rtol=1e-6, atol=1e-6)
        assert perplexity < (1 + 1e-3) * least or abs(beta.mean() - 2.0) < 1e-6
    torch.testing.assert_close(walk.relevance[0].sum(1) + sum(walk.ledger.absorbed.values()), start[:, 0])


def test_softmin_in_layers_and_its_two_rules() -> None:
    h, log_a = 2 * draw(30, 5) + 2, draw(5)
    layer = nn.SoftMin(log_a, 2.0)
    recording = LRP(layer, "neon").record(h)
    walk = recording.propagate(account=True)
    o = recording.output[:, 0]
    p = torch.softmax(log_a - 2 * h, 1)
    expected = torch.where(o[:, None] >= 0, p * o[:, None], p * h)
    torch.testing.assert_close(walk.relevance[0], expected)
    torch.testing.assert_close(walk.relevance[0].sum(1) + sum(walk.ledger.absorbed.values()), o)
    assert 0 < int((o >= 0).sum()) < len(o)
