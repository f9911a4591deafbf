"""Energies of Gaussians against their definition, and their relevance pair by pair."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from neon import nn
from neon.lrp import LRP
from tests.nn.textbook import close, draw

PRECISIONS = [(torch.float64, 1e-9), (torch.float32, 2e-5)]
N, K, D = 8, 3, 4


def shared_difference(
    x: np.ndarray, mean_k: np.ndarray, metric_k: np.ndarray, mean_c: np.ndarray, metric_c: np.ndarray
) -> np.ndarray:
    """``E_k - E_c`` by the trapezoid of its gradient from the midpoint, and its value there."""
    middle, half = (mean_k + mean_c) / 2, (mean_c - mean_k) / 2

    def gradient(at: np.ndarray) -> np.ndarray:
        return 2 * metric_k @ (at - mean_k) - 2 * metric_c @ (at - mean_c)

    at_middle = half * ((metric_k - metric_c) @ half)
    return (x - middle) * (gradient(x) + gradient(middle)) / 2 + at_middle


def textbook(x: Tensor, means: Tensor, metrics: list[np.ndarray], slopes: Tensor) -> Tensor:
    """Slopes of opposite sign in pairs, what has no partner as a distance; one sample and one pair at a time."""
    u, relevance = means.double().numpy(), np.zeros(x.shape)
    for n, row in enumerate(x.double().numpy()):
        s = slopes[n].double().numpy()
        plus, minus = np.maximum(s, 0), np.maximum(-s, 0)
        most = max(plus.sum(), minus.sum())
        alone = s.copy()
        for k in range(len(s)):
            for c in range(len(s)):
                weight = plus[k] * minus[c] / most
                relevance[n] += weight * shared_difference(row, u[k], metrics[k], u[c], metrics[c])
                alone[k] -= weight
                alone[c] += weight
        for k in range(len(s)):
            relevance[n] += alone[k] * (row - u[k]) * (metrics[k] @ (row - u[k]))
    return torch.as_tensor(relevance)


def metrics_of(factors: Tensor) -> list[np.ndarray]:
    """``VᵀV`` of every component."""
    spelled = [torch.diag(v) if v.ndim == 1 else v for v in factors]
    return [(v.double().T @ v.double()).numpy() for v in spelled]


def factors_of(kind: str, dtype: torch.dtype = torch.float64) -> Tensor:
    shape = {"diagonal": (K, D), "full": (K, D, D), "low rank": (K, 2, D)}[kind]
    return draw(*shape, seed=7, dtype=dtype)


class Sloped(torch.nn.Module):
    """Energies in a sum with these weights, one row's the same as the other's: hands slopes down."""

    def __init__(self, energy: Any, weights: Tensor) -> None:
        super().__init__()
        self.energy, self.sum = energy, nn.Linear(weights[None])

    def forward(self, x: Tensor) -> Tensor:
        return self.sum(self.energy(x))


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("kind", ["diagonal", "full", "low rank"])
@pytest.mark.parametrize("weights", [(1.0, -1.5, 0.5), (1.0, 2.0, 0.5), (1.0, -2.0, -0.5), (-1.0, 0.0, 3.0)])
def test_relevance(weights: tuple[float, ...], kind: str, dtype: torch.dtype, tolerance: float) -> None:
    x, means, factors = draw(N, D, dtype=dtype), draw(K, D, seed=1, dtype=dtype), factors_of(kind, dtype)
    shares, prior = draw(K, D, seed=2, dtype=dtype), draw(K, seed=3, dtype=dtype)
    s = torch.tensor(weights, dtype=dtype)
    energy = nn.GaussianEnergy(means, factors, shares, log_prior=prior)
    walk = (recording := LRP(Sloped(energy, s).to(dtype), "neon").record(x)).propagate(account=True)
    metrics = metrics_of(factors)
    expected = np.zeros((N, 1))
    for n, row in enumerate(x.double().numpy()):
        for k, metric in enumerate(metrics):
            delta = row - means[k].double().numpy()
            expected[n] += weights[k] * (delta @ metric @ delta + float(shares[k].sum()) + float(prior[k]))
    close(recording.output, torch.as_tensor(expected), tolerance)
    found = textbook(x, means, metrics, s.expand(N, -1)) + (s @ shares).double()
    close(walk.relevance[0], found, tolerance)
    close(walk.ledger.absorbed["log_prior"], (s @ prior).double().expand(N), 10 * tolerance)


@pytest.mark.parametrize("kind", ["diagonal", "full", "low rank"])
def test_relevance_of_energies(kind: str) -> None:
    """Where relevance, not slopes, arrives: of both signs, other ones in every row."""
    x, means, factors, start = draw(N, D), draw(K, D, seed=1), factors_of(kind), draw(N, K, seed=5)
    start = start.abs() if kind == "diagonal" else start
    module = nn.GaussianEnergy(means, factors)
    walk = LRP(module, "neon").record(x).propagate(start, account=True)
    close(walk.relevance[0], textbook(x, means, metrics_of(factors), start / module(x)))
    close(walk.relevance[0].sum(1), start.sum(1))


@pytest.mark.parametrize("kind", ["diagonal", "full"])
def test_an_exact_hit_and_its_neighbourhood(kind: str) -> None:
    means, factors = 1e3 + draw(K, D, seed=1), factors_of(kind)
    x = torch.stack([means[0], means[0] + 1e-9 * draw(D), means[1] + 1e-6 * draw(D)])
    module = nn.GaussianEnergy(means, factors)
    walk = LRP(module, "neon").record(x).propagate(torch.ones(3, K, dtype=x.dtype), account=True)
    assert walk.relevance[0].isfinite().all()
    close(walk.relevance[0].sum(1) + walk.ledger.absorbed["exact_hit"], torch.full((3,), float(K)).double())
    assert walk.ledger.absorbed["exact_hit"].tolist() == [1.0, 0.0, 0.0]


def test_a_hit_in_a_metric_without_full_rank() -> None:
    """All that a metric sees of the difference is rounding, which is not shared but told apart."""
    means, factors = draw(K, D, seed=1), factors_of("low rank")
    outside = torch.linalg.svd(factors[1])[2][2:]
    x = means[1] + draw(N, 2) @ outside
    walk = LRP(nn.GaussianEnergy(means, factors), "neon").record(x).propagate(torch.ones(N, K).double(), account=True)
    assert walk.ledger.absorbed["exact_hit"].tolist() == [1.0] * N
    close(walk.relevance[0].sum(1), torch.full((N,), K - 1.0).double())


def test_a_feature_that_the_difference_does_not_depend_on_gets_nothing() -> None:
    """Though the metrics mix it with the others, and shares of distances would not vanish."""
    random = np.random.default_rng(0)
    root = random.normal(size=(D, D))
    metric_k = root @ root.T + D * np.eye(D)
    change = np.zeros((D, D))
    change[1:, 1:] = np.eye(D - 1)
    metric_c = metric_k + change
    mean_k = random.normal(size=D)
    push = metric_k @ mean_k + np.concatenate([[0.0], random.normal(size=D - 1)])
    mean_c = np.linalg.solve(metric_c, push)
    x = draw(N, D)
    factors = np.stack([np.linalg.cholesky(metric).T for metric in (metric_k, metric_c)])
    means = np.stack([mean_k, mean_c])
    energy = nn.GaussianEnergy(means, factors)
    walk = LRP(Sloped(energy, torch.tensor([1.0, -1.0])), "neon").record(x).propagate(account=True)
    moved = x.clone()
    moved[:, 0] += 5.0
    weights = torch.tensor([1.0, -1.0], dtype=torch.float64)
    close(energy(moved) @ weights, energy(x) @ weights)
    assert walk.relevance[0][:, 0].abs().max() < 1e-12 * walk.relevance[0].abs().max()
    by_distance = sum(
        w * (x - u) * ((x - u) @ torch.as_tensor(m))
        for w, u, m in zip((1, -1), torch.as_tensor(means), (metric_k, metric_c), strict=True)
    )
    assert by_distance[:, 0].abs().max() > 0.1  # otherwise this test would test nothing


@pytest.mark.parametrize("soft", [False, True])
def test_equal_metrics_are_linear(soft: bool) -> None:
    """The evidence of Gaussians of one covariance is that of linear scores, whichever way it is written."""
    x, means, prior = draw(N, D), draw(K, D, seed=1), draw(K, seed=2)
    factor = draw(D, D, seed=3)
    energy = nn.GaussianEnergy(means, factor.expand(K, D, D), log_prior=prior)
    weight = 2 * means @ factor.T @ factor
    linear = nn.LinearEnergy(weight, -(weight * means).sum(1) / 2 - prior, means=means)
    found = [
        LRP(torch.nn.Sequential(layer, nn.Evidence(soft=soft)), "neon")
        .record(x)
        .propagate(torch.full((N,), 1), account=True)
        for layer in (energy, linear)
    ]
    close(found[0].relevance[0], found[1].relevance[0])
    close(found[0].ledger.absorbed["log_prior"], found[1].ledger.absorbed["log_prior"])


@pytest.mark.parametrize("kind", ["diagonal", "full", "low rank"])
@pytest.mark.parametrize("n_rows", [2, D, 6])
def test_after_a_linear_map(n_rows: int, kind: str) -> None:
    """The same energies, and the roots are preimages where there are any; what no input reaches is told apart."""
    x, weight, bias = draw(N, n_rows, seed=9), draw(D, n_rows, seed=4), draw(D, seed=5)
    shares = draw(K, D, seed=2)
    module = nn.GaussianEnergy(draw(K, D, seed=1), factors_of(kind), shares, log_det=draw(K, seed=6))
    merged = module.after(weight, bias)
    close(merged(x), module(x @ weight.T + bias))
    unreached = n_rows < 4 and kind != "low rank"
    assert ("off_subspace" in merged.constants) == unreached
    walk = LRP(merged, "neon").record(x).propagate(torch.ones(N, K).double(), account=True)
    total = walk.relevance[0].sum(1) + sum(walk.ledger.absorbed.values())
    close(total, torch.full((N,), float(K)).double())


def test_repr() -> None:
    assert repr(nn.GaussianEnergy(draw(K, D), draw(K, D))) == "GaussianEnergy(4 → 3, diagonal metrics)"
    assert repr(nn.GaussianEnergy(draw(K, D), draw(K, D, D))) == "GaussianEnergy(4 → 3, full metrics)"
