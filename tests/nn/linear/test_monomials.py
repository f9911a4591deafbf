"""Monomials and count sketches against slow textbook forms."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.kernel_approximation import PolynomialCountSketch
from sklearn.preprocessing import PolynomialFeatures

from neon.lrp import LRP
from neon.nn import CountSketch, Linear, Monomials

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(7, 4))
X[0, 1] = X[3] = 0.0  # monomials that vanish


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def relevance(network: torch.nn.Module, reference: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Relevance of the only output, and what it has to add up to."""
    x = torch.as_tensor(X)
    rows = None if reference is None else torch.as_tensor(reference)
    recording = LRP(network, "neon").record(x, reference=rows)
    walk = recording.propagate(torch.zeros(len(X), dtype=torch.int64), account=True)
    base = 0.0 if recording.base is None else recording.base.numpy()[:, 0]
    owed = recording.output.numpy()[:, 0] - base - sum(part.numpy() for part in walk.ledger.absorbed.values())
    return walk.relevance[0].numpy(), owed


@pytest.mark.parametrize("options", [{"degree": 3}, {"degree": (2, 4), "interaction_only": True}, {"degree": 1}])
def test_monomials_and_exponent_shares(options: dict) -> None:
    model = PolynomialFeatures(**options).fit(X)
    weight = RANDOM.normal(size=model.n_output_features_)
    network = torch.nn.Sequential(Monomials(model.powers_), Linear(weight[None]))
    features = model.transform(X)
    assert relative(network[0](torch.as_tensor(X)).numpy(), features) <= 1e-12
    found, owed = relevance(network)
    expected = np.zeros_like(X)
    for row, i in itertools.product(range(len(X)), range(X.shape[1])):
        for value, w, powers in zip(features[row], weight, model.powers_, strict=True):
            expected[row, i] += w * value * powers[i] / max(powers.sum(), 1)
    assert relative(found, expected) <= 1e-12
    assert relative(found.sum(1), owed) <= 1e-9


def test_monomials_relative_to_a_point_are_integrated_gradients() -> None:
    model, r = PolynomialFeatures(3).fit(X), np.array([[0.5, -1.0, 0.0, 2.0]])
    weight = RANDOM.normal(size=model.n_output_features_)
    found, owed = relevance(torch.nn.Sequential(Monomials(model.powers_), Linear(weight[None])), r)
    assert relative(found, integrated(lambda z: model.transform(z) @ weight, r)) <= 1e-6
    assert relative(found.sum(1), owed) <= 1e-9


@pytest.mark.parametrize("reference", [None, np.array([[0.5, -1.0, 0.0, 2.0]])], ids=["origin", "point"])
@pytest.mark.parametrize("degree", [1, 2, 3])
def test_count_sketch(degree: int, reference: np.ndarray | None) -> None:
    model = PolynomialCountSketch(gamma=0.5, coef0=0.7, degree=degree, n_components=9, random_state=0).fit(X)
    weight = RANDOM.normal(size=9)
    sketch = CountSketch(model.indexHash_, model.bitHash_, 9, 0.5, 0.7)
    assert relative(sketch(torch.as_tensor(X)).numpy(), model.transform(X)) <= 1e-12
    r = np.zeros((1, 4)) if reference is None else reference
    found, owed = relevance(torch.nn.Sequential(sketch, Linear(weight[None])), r)
    assert relative(found, integrated(lambda z: model.transform(z) @ weight, r)) <= 1e-6
    assert relative(found.sum(1), owed) <= 1e-9


def integrated(function: Callable[[np.ndarray], np.ndarray], r: np.ndarray) -> np.ndarray:
    """Integrated gradients by Simpson's rule and central differences: on cubic functions right to rounding and h²."""
    found, h = np.zeros_like(X), 1e-4
    for t, weight in ((0.0, 1 / 6), (0.5, 4 / 6), (1.0, 1 / 6)):
        point = r + t * (X - r)
        for i in range(X.shape[1]):
            ahead, behind = point.copy(), point.copy()
            ahead[:, i] += h
            behind[:, i] -= h
            found[:, i] += weight * (X - r)[:, i] * (function(ahead) - function(behind)) / (2 * h)
    return found
