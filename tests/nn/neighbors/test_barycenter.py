"""Barycenters of neighbours against their definition, a row and a weight at a time."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

import neon
from neon.nn import Barycenter

RANDOM = np.random.default_rng(0)
POINTS, VALUES = RANDOM.normal(size=(30, 3)), RANDOM.normal(size=(30, 2))
ROWS = np.vstack([RANDOM.normal(size=(9, 3)), POINTS[:3]])


class Nearest:
    def __init__(self, n_neighbors: int) -> None:
        self.n_neighbors = n_neighbors

    def __call__(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        d = np.linalg.norm(X[:, None] - POINTS, axis=2)
        order = d.argsort(axis=1)[:, : self.n_neighbors]
        return np.take_along_axis(d, order, axis=1), order


def slow(x: np.ndarray, near: np.ndarray, ridge: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The barycenter by the normal equations of its weights, the slope of each value, the neighbours' mean; one row."""
    delta = POINTS[near] - x
    strength = ridge * np.square(delta).sum()

    def weights(row: np.ndarray) -> np.ndarray:
        """The minimum under a constraint, by its Lagrange multiplier."""
        k = len(near)
        delta = POINTS[near] - row
        system = np.zeros((k + 1, k + 1))
        system[:k, :k] = delta @ delta.T + strength * np.eye(k)
        system[k, :k] = system[:k, k] = 1.0
        return np.linalg.solve(system, np.append(np.zeros(k), 1.0))[:k]

    middle = POINTS[near].mean(0)
    slopes = np.stack([(weights(middle + unit) - weights(middle)) @ VALUES[near] for unit in np.eye(len(x))])
    return weights(x) @ VALUES[near], slopes, VALUES[near].mean(0)


@pytest.mark.parametrize(("n_neighbors", "ridge"), [(5, 1e-3), (2, 0.1), (3, 0.0), (12, 0.05)])
def test_against_the_slow_form(n_neighbors: int, ridge: float) -> None:
    """With the neighbours and the strength held fixed the barycenter is affine: differences of it are its slopes."""
    rows = ROWS[:9] if ridge == 0 else ROWS
    network, finder = Barycenter(POINTS, VALUES, Nearest(n_neighbors), ridge=ridge), Nearest(n_neighbors)
    found = [slow(x, near, ridge) for x, near in zip(rows, finder(rows)[1], strict=True)]
    values, slopes, means = (np.stack(part) for part in zip(*found, strict=True))
    np.testing.assert_allclose(network(torch.as_tensor(rows)).numpy(), values, rtol=1e-9, atol=1e-11)
    recording = neon.LRP(network, "neon").record(torch.as_tensor(rows))
    for c in range(2):
        walk = recording.propagate(torch.full((len(rows),), c), account=True)
        middles = np.stack([POINTS[near].mean(0) for near in finder(rows)[1]])
        np.testing.assert_allclose(walk.relevance[0].numpy(), (rows - middles) * slopes[:, :, c], rtol=0, atol=1e-9)
        np.testing.assert_allclose(walk.ledger.absorbed["neighbors_mean"].numpy(), means[:, c], atol=1e-12)
        total = walk.relevance[0].sum(1) + walk.ledger.absorbed["neighbors_mean"]
        np.testing.assert_allclose(total.numpy(), values[:, c], atol=1e-11)


def test_a_row_on_all_its_neighbours() -> None:
    """Without distances the ridge is what is given, and the barycenter is the mean."""
    values = np.arange(4.0)[:, None]
    network = Barycenter(
        np.ones((4, 3)), values, lambda X: (np.zeros((len(X), 4)), np.tile(np.arange(4), (len(X), 1))), ridge=0.1
    )
    np.testing.assert_array_equal(network(torch.ones(2, 3, dtype=torch.float64)).numpy(), [[1.5], [1.5]])


def test_behind_a_linear_map() -> None:
    """Explained relative to the point nearest to x, among those that the map takes to the neighbours' mean."""
    weight, bias = np.random.default_rng(1).normal(size=(3, 5)), np.array([1.0, -2.0, 0.5])
    inner = Barycenter(POINTS, VALUES, Nearest(5), ridge=1e-2)
    network = inner.after(torch.as_tensor(weight), torch.as_tensor(bias))
    x = np.random.default_rng(2).normal(size=(7, 5))
    z = x @ weight.T + bias
    np.testing.assert_allclose(network(torch.as_tensor(x)), inner(torch.as_tensor(z)), rtol=0, atol=1e-13)
    walk = neon.LRP(network, "neon").record(torch.as_tensor(x)).propagate(lambda output: output, account=True)
    kept = walk.ledger.absorbed["neighbors_mean"]
    np.testing.assert_allclose(walk.relevance[0].sum(1) + kept, network(torch.as_tensor(x)).sum(1), atol=1e-11)
    for row, near, found in zip(x, Nearest(5)(z)[1], walk.relevance[0].numpy(), strict=True):
        middle = POINTS[near].mean(0)
        root = row - np.linalg.lstsq(weight, weight @ row + bias - middle, rcond=None)[0]
        np.testing.assert_allclose(weight @ root + bias, middle, atol=1e-12)
        slopes = slow(weight @ row + bias, near, 1e-2)[1].sum(1) @ weight
        np.testing.assert_allclose(found, (row - root) * slopes, rtol=0, atol=1e-9)


def test_no_rows_and_many_rows_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    network, x = Barycenter(POINTS, VALUES, Nearest(5), ridge=1e-3), torch.as_tensor(ROWS)
    assert network(x[:0]).shape == (0, 2)
    whole, relevance = network(x), neon.LRP(network, "neon")(x, 1)
    monkeypatch.setattr(sys.modules["neon.nn.neighbors.barycenter"], "SIZE", 100)
    torch.testing.assert_close(network(x), whole, rtol=0, atol=1e-13)
    torch.testing.assert_close(neon.LRP(network, "neon")(x, 1), relevance, rtol=0, atol=1e-13)
