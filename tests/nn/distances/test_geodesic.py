"""Shortest ways and their lengths along features, by walking each of them step by step."""

from __future__ import annotations

import heapq
import pickle
import sys
import weakref
from typing import Any

import numpy as np
import pytest
import torch

import neon
from neon.nn import SquaredGeodesic
from neon.nn.distances import geodesic

RANDOM = np.random.default_rng(0)
POINTS, ROWS = RANDOM.normal(size=(25, 4)), RANDOM.normal(size=(8, 4))
ROWS[0] = POINTS[7]
REFERENCE = RANDOM.normal(size=(5, 4))
N = len(POINTS)


def distance(a: np.ndarray, b: np.ndarray, power: float) -> float:
    return float((np.abs(a - b) ** power).sum() ** (1 / power))


def graph(power: float, n_neighbors: int = 4) -> list[dict[int, float]]:
    """Each point's neighbours, either way, and how far they are."""
    found: list[dict[int, float]] = [{} for _ in POINTS]
    for a in range(N):
        for b in sorted(range(N), key=lambda b: distance(POINTS[a], POINTS[b], power))[1 : n_neighbors + 1]:
            found[a][b] = found[b][a] = distance(POINTS[a], POINTS[b], power)
    return found


def shortest(links: list[dict[int, float]], start: int) -> tuple[list[float], list[int]]:
    """Dijkstra's lengths from a point, and the point before each on its way; -1 before the start."""
    lengths, before, queue = [np.inf] * len(links), [-1] * len(links), [(0.0, start, -1)]
    while queue:
        length, point, previous = heapq.heappop(queue)
        if length < lengths[point]:
            lengths[point], before[point] = length, previous
            for other, step in links[point].items():
                heapq.heappush(queue, (length + step, other, point))
    return lengths, before


class Nearest:
    def __init__(self, power: float, n_neighbors: int = 3) -> None:
        self.power, self.n_neighbors = power, n_neighbors

    def __call__(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        d = np.array([[distance(x, p, self.power) for p in POINTS] for x in X]).reshape(len(X), N)
        order = d.argsort(axis=1)[:, : self.n_neighbors]
        return np.take_along_axis(d, order, axis=1), order


def network_of(power: float) -> SquaredGeodesic:
    links = graph(power)
    paths = [shortest(links, start) for start in range(N)]
    edges = sorted({(min(a, b), max(a, b)) for _, before in paths for b, a in enumerate(before) if a >= 0})
    last = [
        [edges.index((min(a, b), max(a, b))) if a >= 0 else len(edges) for b, a in enumerate(before)]
        for _, before in paths
    ]
    lengths = np.array([lengths for lengths, _ in paths])
    return SquaredGeodesic(POINTS, lengths, np.array(edges), np.array(last), Nearest(power), power=power)


def slow(x: np.ndarray, power: float) -> tuple[np.ndarray, np.ndarray]:
    """A row's shortest ways to all points: their lengths (n_points,), and along features (n_points, n_features)."""
    distances, near = (part[0] for part in Nearest(power)(x[None]))
    links = [*graph(power), {int(k): float(d) for k, d in zip(near, distances, strict=True)}]
    rows = np.vstack([POINTS, x])
    lengths, before = shortest(links, N)
    along = np.zeros((N, x.size))
    for j in range(N):
        b = j
        while before[b] >= 0:
            a = before[b]
            parts = np.abs(rows[a] - rows[b]) ** power
            if parts.any():
                along[j] += distance(rows[a], rows[b], power) * parts / parts.sum()
            b = a
    return np.array(lengths[:N]), along


@pytest.mark.parametrize("power", [2.0, 1.0, 3.0])
def test_against_the_slow_form(power: float) -> None:
    network, x = network_of(power), torch.as_tensor(ROWS)
    g, along = (np.stack(part) for part in zip(*(slow(row, power) for row in ROWS), strict=True))
    np.testing.assert_allclose(along.sum(2), g, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(network(x).numpy(), g**2, rtol=1e-12, atol=1e-14)
    weights = RANDOM.normal(size=N)
    head = torch.nn.Sequential(network, neon.nn.Linear(weights))
    relevance = neon.LRP(head, "neon")(x, 0).numpy()
    expected = np.einsum("j,nj,nji->ni", weights, g, along)
    np.testing.assert_allclose(relevance, expected, rtol=0, atol=1e-10)
    # Relative to reference rows: the mean of the same there is subtracted.
    at_reference = [slow(row, power) for row in REFERENCE]
    mean = np.mean([np.einsum("j,j,ji->i", weights, g, along) for g, along in at_reference], axis=0)
    recording = neon.LRP(head, "neon").record(x, reference=torch.as_tensor(REFERENCE))
    walk = recording.propagate(0, account=True)
    np.testing.assert_allclose(walk.relevance[0].numpy(), expected - mean, rtol=0, atol=1e-10)
    assert recording.base is not None
    moved = head(x)[:, 0] - recording.base[0, 0]
    np.testing.assert_allclose(walk.relevance[0].sum(1).numpy(), moved.numpy(), rtol=0, atol=1e-10)
    again = recording.propagate(0, account=True)  # from what is known of the reference rows
    np.testing.assert_array_equal(again.relevance[0].numpy(), walk.relevance[0].numpy())


def test_what_is_known_of_reference_rows_is_the_layers_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two chunks of rows compute it once; another layer and a pickle know nothing of it."""
    computed: list[int] = []

    def counting(rows: torch.Tensor, *rest: Any) -> torch.Tensor:
        computed.append(len(rows))
        return mean(rows, *rest)

    mean = geodesic._mean
    monkeypatch.setattr(geodesic, "_mean", counting)
    layer, reference = network_of(2.0), torch.as_tensor(REFERENCE)
    for network, times in ((layer, 1), (network_of(2.0), 2), (pickle.loads(pickle.dumps(layer)), 3)):
        lrp = neon.LRP(torch.nn.Sequential(network, neon.nn.Linear(np.ones(N))), "neon")
        references = lrp.record(torch.as_tensor(ROWS), reference=reference).references
        for rows in (ROWS[:2], ROWS[2:]):
            lrp.record(torch.as_tensor(rows), reference=reference, references=references).propagate(0)
        assert len(computed) == times


def test_a_row_on_a_point() -> None:
    """Relevance without a slope stays where the way has no length."""
    network = network_of(2.0)
    x = torch.as_tensor(ROWS[:2])
    start = torch.ones(2, N, dtype=torch.float64)
    walk = neon.LRP(network, "neon").record(x).propagate(lambda _: start, account=True)
    np.testing.assert_array_equal(walk.ledger.absorbed["exact_hit"].numpy(), [1.0, 0.0])
    expected = [sum(along / g for g, along in zip(*slow(row, 2.0), strict=True) if g > 0) for row in ROWS[:2]]
    np.testing.assert_allclose(walk.relevance[0].numpy(), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("power", [2.0, 1.0])
def test_behind_a_linear_map(power: float) -> None:
    """A step is shared by the shortest step of the inputs that makes it, times the slope of its length there."""
    weight, bias = RANDOM.normal(size=(4, 6)), RANDOM.normal(size=4)
    inner = network_of(power)
    network = inner.after(torch.as_tensor(weight), torch.as_tensor(bias))
    x = RANDOM.normal(size=(6, 6))
    z = torch.as_tensor(x @ weight.T + bias)
    weights = RANDOM.normal(size=N)
    head = torch.nn.Sequential(network, neon.nn.Linear(weights))
    np.testing.assert_allclose(network(torch.as_tensor(x)), inner(z), rtol=1e-13)
    relevance = neon.LRP(head, "neon")(torch.as_tensor(x), 0).numpy()
    np.testing.assert_allclose(relevance.sum(1), head(torch.as_tensor(x))[:, 0], rtol=1e-9)
    back = np.linalg.pinv(weight)
    links = graph(power)
    for row, found in zip(z.numpy(), relevance, strict=True):
        distances, near = (part[0] for part in Nearest(power)(row[None]))
        tree = shortest([*links, {int(k): float(d) for k, d in zip(near, distances, strict=True)}], N)
        rows, expected = np.vstack([POINTS, row]), np.zeros(6)
        for j in range(N):
            b = j
            while tree[1][b] >= 0:
                delta = rows[b] - rows[tree[1][b]]
                slope = np.sign(delta) * np.abs(delta) ** (power - 1) / distance(delta, 0 * delta, power) ** (power - 1)
                expected += weights[j] * tree[0][j] * (back @ delta) * (slope @ weight)
                b = tree[1][b]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_reference_rows_are_not_kept_alive_and_other_points_are_seen() -> None:
    network, known = network_of(2.0), geodesic._LastMean()
    rows, points = torch.as_tensor(REFERENCE).clone(), network.points
    assert known.of(rows, points.detach(), lambda: torch.zeros(1)) is known.of(rows, points.detach(), torch.ones)
    assert known.of(rows, points.clone(), lambda: torch.ones(1)) == 1
    known.of(rows, points.detach(), lambda: torch.zeros(1))
    points += 1
    assert known.of(rows, points.detach(), lambda: torch.ones(1)) == 1
    gone = weakref.ref(rows)
    del rows
    assert gone() is None


def test_no_rows_and_many_rows_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    network, x = network_of(2.0), torch.as_tensor(ROWS)
    assert network(x[:0]).shape == (0, N)
    reference = torch.as_tensor(REFERENCE)

    def explained() -> torch.Tensor:
        recording = neon.LRP(network, "neon").record(x, reference=reference.clone())
        return recording.propagate(lambda output: output).relevance[0]

    whole, relevance = network(x), explained()
    monkeypatch.setattr(sys.modules["neon.nn.neighbors.barycenter"], "SIZE", 60)
    torch.testing.assert_close(network(x), whole, rtol=0, atol=0)
    torch.testing.assert_close(explained(), relevance, rtol=0, atol=1e-11)


def test_reference_rows_without_neighbours() -> None:
    network = network_of(2.0)
    network.finder = lambda X: (np.full((len(X), 1), np.where(X[:, :1] > 50, np.inf, 1.0)), np.zeros((len(X), 1), int))
    recording = neon.LRP(network, "neon").record(torch.as_tensor(ROWS), reference=torch.full((1, 4), 99.0).double())
    with pytest.raises(ValueError, match="no neighbour within the radius"):
        recording.propagate(lambda output: torch.ones_like(output))
