"""Graphs of neighbours against loops over samples and points."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from neon import nn
from neon.lrp import LRP
from neon.nn.neighbors.search import Search
from tests.nn.textbook import close, distances, draw, relevance

N_SAMPLES, N_POINTS, N_FEATURES, K = 7, 10, 4, 3
POINTS = draw(N_POINTS, N_FEATURES, seed=1)
METRICS = {"euclidean": 0.5, "manhattan": 1.0}


def nearest(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The K nearest points."""
    d = ((x[:, None] - POINTS.numpy()) ** 2).sum(2)
    index = np.array([sorted(range(N_POINTS), key=row.__getitem__)[:K] for row in d])
    return index, np.ones(index.shape)


def neighbors(x: Tensor) -> Tensor:
    """1 for them, 0 for the others."""
    index = torch.as_tensor(nearest(x.numpy())[0])
    return torch.zeros(len(x), N_POINTS, dtype=torch.float64).scatter_(1, index, 1.0)


def everyone(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.tile(np.arange(N_POINTS), (len(x), 1)), np.ones((len(x), N_POINTS))


def graph(kind: str, *, connectivity: bool, search: Search = nearest) -> nn.NeighborGraph:
    distance = nn.SquaredDistance(POINTS) if kind == "euclidean" else nn.ManhattanDistance(POINTS)
    return nn.NeighborGraph([distance], search, root=None if connectivity else METRICS[kind])


def by_nearness(d: Tensor, near: Tensor, c: Tensor) -> Tensor:
    """Slopes on the distances: every 1 of a neighbour shared by how much nearer it is than the mean of the others."""
    slopes = torch.zeros_like(d)
    for n in range(len(d)):
        others = [j for j in range(N_POINTS) if not near[n, j]]
        mean = sum(float(d[n, j]) for j in others) / len(others)
        for j in range(N_POINTS):
            if near[n, j]:
                slopes[n, j] -= c[n, j] / (mean - d[n, j])
                for o in others:
                    slopes[n, o] += c[n, j] / (mean - d[n, j]) / len(others)
    return slopes


@pytest.mark.parametrize("kind", METRICS)
def test_distances_of_neighbours(kind: str) -> None:
    x, start = draw(N_SAMPLES, N_FEATURES), draw(N_SAMPLES, N_POINTS, seed=2)
    layer, d = graph(kind, connectivity=False), distances(kind, x, POINTS)
    near = neighbors(x)
    close(layer(x), near * d ** METRICS[kind], 1e-12)
    found = LRP(layer, "neon").record(x).propagate(start, account=True)
    close(found.relevance[0], relevance(kind, x, POINTS, near * start / d))
    close(found.ledger.absorbed["stabilizer"], ((1 - near) * start).sum(1))  # given to points that are none
    close(found.relevance[0].sum(1), (near * start).sum(1))


@pytest.mark.parametrize("kind", METRICS)
def test_who_is_a_neighbour(kind: str) -> None:
    x, start = draw(N_SAMPLES, N_FEATURES), draw(N_SAMPLES, N_POINTS, seed=2)
    layer, d = graph(kind, connectivity=True), distances(kind, x, POINTS)
    near = neighbors(x)
    close(layer(x), near, 1e-15)
    found = LRP(layer, "neon").record(x).propagate(near * start, account=True)
    slopes = by_nearness(d, near, start)
    close((slopes * d).sum(1), (near * start).sum(1))
    close(found.relevance[0], relevance(kind, x, POINTS, slopes))


def test_nothing_explains_neighbours_that_all_points_are() -> None:
    x, start = draw(N_SAMPLES, N_FEATURES), draw(N_SAMPLES, N_POINTS, seed=2)
    layer = graph("euclidean", connectivity=True, search=everyone)
    found = LRP(layer, "neon").record(x).propagate(start, account=True)
    assert not found.relevance[0].any()
    close(found.ledger.absorbed["no_competitor"], start.sum(1))


def test_on_a_point() -> None:
    x = torch.cat([POINTS[:3], POINTS[:3] + 1e-9])
    found = LRP(graph("euclidean", connectivity=False), "neon").record(x).propagate(lambda output: output, account=True)
    assert found.relevance[0].isfinite().all()
    f = graph("euclidean", connectivity=False)(x)
    assert (f[:3] == 0).sum() == N_POINTS * 3 - 3 * (K - 1)
    close(found.relevance[0].sum(1), f.sum(1))


@pytest.mark.parametrize("connectivity", [False, True])
@pytest.mark.parametrize("kind", METRICS)
def test_after_a_linear_map(kind: str, *, connectivity: bool) -> None:
    """One layer instead of two; squared distances then in the metric of the map."""
    weight, bias, x = draw(N_FEATURES, 6, seed=3), draw(N_FEATURES, seed=4), draw(N_SAMPLES, 6)
    plain = graph(kind, connectivity=connectivity)
    layer = plain.after(weight, bias)
    close(layer(x), plain(x @ weight.T + bias), 1e-12)
    close(layer.float()(x.float()), layer.double()(x), 1e-5)
    layer = plain.after(weight, bias)
    if kind == "manhattan" or connectivity:
        return
    z = x @ weight.T + bias
    c = plain(z) / distances(kind, z, POINTS)
    found = LRP(layer, "neon").record(x).propagate(lambda output: output, account=True)
    preimages = (POINTS - bias) @ torch.linalg.pinv(weight).T
    close(found.relevance[0], relevance(kind, x, preimages, c, weight))


def test_no_rows() -> None:
    assert graph("euclidean", connectivity=True)(torch.zeros(0, N_FEATURES, dtype=torch.float64)).shape == (0, N_POINTS)
