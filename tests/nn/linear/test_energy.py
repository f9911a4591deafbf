"""Linear scores as energies, against their formula pair by pair."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neon import nn
from neon.lrp import LRP
from tests.nn.textbook import close, draw

N, K, D = 7, 4, 5
WEIGHTS = [(1.0, -1.0, 0.0, 0.0), (0.5, 0.2, -1.0, 0.3), (1.0, -2.0, 3.0, -2.0), (1.0, 2.0, -0.5, 0.0)]


def sloped(energy: torch.nn.Module, weights: tuple[float, ...]) -> torch.nn.Module:
    return torch.nn.Sequential(energy, nn.Linear(torch.tensor([weights], dtype=torch.float64)))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 2e-5)])
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("weights", WEIGHTS)
def test_scores(weights: tuple[float, ...], shared: bool, dtype: torch.dtype, tolerance: float) -> None:
    x, w, b = draw(N, D, dtype=dtype), draw(K, D, seed=1, dtype=dtype), draw(K, seed=2, dtype=dtype)
    a = draw(K, D, seed=3, dtype=dtype) if shared else None
    module = sloped(nn.LinearEnergy(w, b, shares=a), weights).to(dtype)
    walk = (recording := LRP(module, "neon").record(x)).propagate(account=True)
    relevance, output, prior = np.zeros((N, D)), np.zeros((N, 1)), np.zeros(N)
    for n in range(N):
        for k, s in enumerate(weights):
            prior[n] -= s * float(b[k])
            for i in range(D):
                relevance[n, i] -= s * (float(x[n, i]) * float(w[k, i]) + (float(a[k, i]) if a is not None else 0.0))
        output[n] = relevance[n].sum() + prior[n]
    close(recording.output, torch.as_tensor(output), tolerance)
    close(walk.relevance[0], torch.as_tensor(relevance), tolerance)
    close(walk.ledger.absorbed["log_prior"], torch.as_tensor(prior), tolerance)


@pytest.mark.parametrize("far", [0.0, 1e4])
@pytest.mark.parametrize("weights", WEIGHTS)
def test_midpoints(weights: tuple[float, ...], far: float) -> None:
    """``-(w_k - w_c)_i (x - (μ_k + μ_c) / 2)_i``; of slopes without partners ``-w_ki (x - μ_k / 2)_i``, all from the
    mean of the means."""
    x, means, prior = far + draw(N, D), far + draw(K, D, seed=1), draw(K, seed=2)
    root = draw(D, D, seed=3)
    w = (means - far) @ (root @ root.T)
    b = -(w * (means + far)).sum(1) / 2 + prior
    walk = LRP(sloped(nn.LinearEnergy(w, b, means=means), weights), "neon").record(x).propagate(account=True)
    s, origin = np.array(weights), means.mean(0).numpy()
    plus, minus = np.maximum(s, 0), np.maximum(-s, 0)
    most = max(plus.sum(), minus.sum())
    relevance = np.zeros((N, D))
    for n in range(N):
        alone = s.copy()
        for k in range(K):
            for c in range(K):
                pair = plus[k] * minus[c] / most
                middle = (means[k] + means[c]) / 2
                relevance[n] -= pair * ((w[k] - w[c]) * (x[n] - middle)).numpy()
                alone[k] -= pair
                alone[c] += pair
        for k in range(K):
            relevance[n] -= alone[k] * (w[k].numpy() * (x[n].numpy() - origin - (means[k].numpy() - origin) / 2))
    close(walk.relevance[0], torch.as_tensor(relevance), 1e-9 if far else 1e-12)
    if s.sum() == 0:
        expected = torch.full((N,), float(-(s @ prior.numpy())), dtype=torch.float64)
        assert (walk.ledger.absorbed["log_prior"] - expected).abs().max() <= 1e-9 * max(1.0, far)


def test_classes_of_one_covariance_keep_their_log_prior_alone() -> None:
    x, means = draw(N, D), draw(K, D, seed=1)
    w = means @ draw(D, D, seed=3).square().diag().diag().add(torch.eye(D))
    b = -(w * means).sum(1) / 2
    walk = LRP(torch.nn.Sequential(nn.LinearEnergy(w, b, means=means), nn.Evidence(soft=True)), "neon").record(x)
    found = walk.propagate(torch.full((N,), 2), account=True).ledger.absorbed
    assert found["log_prior"].abs().max() < 1e-12 * float(walk.output.abs().max())


@pytest.mark.parametrize("n_inputs", [2, 5, 8])
@pytest.mark.parametrize("has_means", [False, True])
def test_after_a_linear_map(has_means: bool, n_inputs: int) -> None:
    x, weight, bias = draw(N, n_inputs, seed=9), draw(D, n_inputs, seed=4), draw(D, seed=5)
    means = draw(K, D, seed=1) if has_means else None
    module = nn.LinearEnergy(draw(K, D, seed=2), draw(K, seed=3), shares=None if has_means else draw(K, D), means=means)
    merged = module.after(weight, bias)
    close(merged(x), module(x @ weight.T + bias))
    assert merged.residual == ("log_prior" if has_means and n_inputs >= D else "bias")
    walk = LRP(merged, "neon").record(x).propagate(torch.ones(N, K).double(), account=True)
    close(walk.relevance[0].sum(1) + sum(walk.ledger.absorbed.values()), torch.full((N,), float(K)).double())
    if means is not None and n_inputs >= D:
        assert merged.means is not None
        close(merged.means @ weight.T + bias, means)
    assert repr(merged) == f"LinearEnergy({n_inputs} → 4{', midpoints' if has_means else ''})"
