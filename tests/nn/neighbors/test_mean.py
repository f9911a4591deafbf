"""Means, votes and outlier factors of neighbours against loops over samples and points."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from neon import nn
from neon.lrp import LRP
from neon.nn.neighbors.search import Search
from tests.nn.textbook import close, draw

N_SAMPLES, N_POINTS = 9, 14


def distances(seed: int = 0) -> Tensor:
    return draw(N_SAMPLES, N_POINTS, seed=seed).square() + 0.1


def nearest(k: int, root: float | None = None) -> Search:
    """The k nearest of rows that are distances themselves; weights ``d ** -root``, hits alone, or 1."""

    def search(d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        index = np.argsort(d, axis=1, kind="stable")[:, :k]
        near = np.take_along_axis(d, index, 1)
        with np.errstate(divide="ignore"):
            weights = np.where((near == 0).any(1, keepdims=True), near == 0, near ** -(root or 0.0))
        return index, weights

    return search


def lengths(k: int, root: float) -> Search:
    """The k nearest, and how far they are."""
    return lambda d: (index := nearest(k)(d)[0], np.take_along_axis(d, index, 1) ** root)


def within(radius: float, root: float | None) -> Search:
    """Points up to a radius, the others blank."""

    def search(d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        index = np.where(d <= radius, np.arange(d.shape[1]), -1)
        return index, np.where(d <= radius, d ** -(root or 0.0), np.nan)

    return search


def walk(layer: torch.nn.Module, d: Tensor, start: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    found = LRP(layer, "neon").record(d).propagate(start, account=True)
    return found.relevance[0], found.ledger.absorbed


def mean_textbook(d: Tensor, y: Tensor, near: list[list[int]], root: float | None) -> tuple[Tensor, list[list[float]]]:
    means, weights = torch.zeros(len(d), y.shape[1], dtype=torch.float64), []
    for n, of in enumerate(near):
        w = [1.0 if root is None else float(d[n, j]) ** -root for j in of]
        weights.append([v / sum(w) for v in w])
        means[n] = sum(v * y[j] for v, j in zip(weights[-1], of, strict=True))
    return means, weights


@pytest.mark.parametrize("root", [None, 0.5, 1.0])
@pytest.mark.parametrize("who", [{"n_neighbors": 4}, {"radius": 1.2}])
def test_neighbor_mean(who: dict[str, float], root: float | None) -> None:
    d, y, start = distances(), draw(N_POINTS, 2, seed=1), draw(N_SAMPLES, 2, seed=2)
    if "radius" in who:
        near = [[j for j in range(N_POINTS) if d[n, j] <= who["radius"]] for n in range(N_SAMPLES)]
    else:
        near = [sorted(range(N_POINTS), key=lambda j: float(d[n, j]))[:4] for n in range(N_SAMPLES)]
    assert all(0 < len(of) < N_POINTS for of in near)
    means, weights = mean_textbook(d, y, near, root)
    search = within(who["radius"], root) if "radius" in who else nearest(4, root)
    layer = nn.NeighborMean([], search, y)
    close(layer(d), means)
    average = y.mean(0)
    expected, left = torch.zeros_like(d), torch.zeros(N_SAMPLES, dtype=torch.float64)
    for n, of in enumerate(near):
        slopes = start[n] / means[n]
        others = [j for j in range(N_POINTS) if j not in of]
        outside = sum(float(d[n, j]) for j in others) / len(others)
        left[n] = slopes @ average
        for w, j in zip(weights[n], of, strict=True):
            pull = w * float(slopes @ (y[j] - average))
            expected[n, j] -= pull / (outside - float(d[n, j])) * float(d[n, j])
            for o in others:
                expected[n, o] += pull / (outside - float(d[n, j])) * float(d[n, o]) / len(others)
    relevance, absorbed = walk(layer, d, start)
    close(relevance, expected)
    close(absorbed["training_mean"], left)
    close(relevance.sum(1) + absorbed["training_mean"], start.sum(1))


def test_hits_alone_count_where_neighbors_weigh_by_nearness() -> None:
    d, y = distances(), draw(N_POINTS, 1)
    d[0, 3] = d[0, 5] = 0.0
    found = nn.NeighborMean([], nearest(4, 0.5), y)(d)
    close(found[0], (y[3] + y[5]) / 2)


def test_pulls_stay_behind_where_all_points_are_neighbors() -> None:
    d, y, start = distances(), draw(N_POINTS, 1), draw(N_SAMPLES, 1, seed=2)
    relevance, absorbed = walk(nn.NeighborMean([], nearest(N_POINTS, 1.0), y), d, start)
    assert not relevance.any()
    assert absorbed["no_competitor"].abs().min() > 0
    close(absorbed["no_competitor"] + absorbed["training_mean"], start[:, 0])


def sides(labels: list[int], c: int) -> tuple[list[int], list[int]]:
    return [j for j, label in enumerate(labels) if label == c], [j for j, label in enumerate(labels) if label != c]


def needed_votes(near: list[int], labels: list[int], c: int, n_classes: int, k: int) -> int:
    if n_classes == 2:
        return math.ceil(k / 2) if c == 0 else k // 2 + 1
    votes = [sum(labels[j] == other for j in near) for other in range(n_classes)]
    return min(k, max(1, *(votes[o] + (o < c) for o in range(n_classes) if o != c)))


@pytest.mark.parametrize("k", [1, 2, 3, 5, 6])
@pytest.mark.parametrize("sizes", [(6, 8), (12, 2), (4, 6, 4), (1, 11, 2), (3, 4, 3, 4)])
def test_majority_evidence(sizes: tuple[int, ...], k: int) -> None:
    d, n_classes = distances(k), len(sizes)
    labels = [c for c, size in enumerate(sizes) for _ in range(size)]
    layer = nn.MajorityEvidence([], nearest(k), labels, n_classes)
    found, start = layer(d), draw(N_SAMPLES, n_classes, seed=3)
    relevance, absorbed = walk(layer, d, start)
    expected, lost = torch.zeros_like(d), torch.zeros(N_SAMPLES, dtype=torch.float64)
    for n, row in enumerate(d.tolist()):
        order = sorted(range(N_POINTS), key=row.__getitem__)
        votes = [sum(labels[j] == c for j in order[:k]) for c in range(n_classes)]
        for c in range(n_classes):
            r = needed_votes(order[:k], labels, c, n_classes, k)
            own, rest = sides(labels, c)
            value, pooled = [], []
            for side, rank, sign in ((rest, k - r + 1, 1.0), (own, r, -1.0)):
                near = sorted(row[j] for j in side)
                value.append(near[rank - 1] if rank <= len(near) else max(near[-1], row[order[k - 1]]))
                window = sorted(side, key=row.__getitem__)[: 2 * rank - 1]
                pooled.append(sum(row[j] for j in window) / len(window))
                slope = start[n, c] / found[n, c]
                for j in window:
                    expected[n, j] += sign * slope * row[j] / len(window)
            e = value[0] - value[1]
            assert abs(float(found[n, c]) - e) < 1e-12
            lost[n] += start[n, c] / found[n, c] * (e - (pooled[0] - pooled[1]))
            assert (e > 0) == (votes.index(max(votes)) == c) or e == 0
    close(relevance, expected)
    close(absorbed["pooling"], lost)
    close(relevance.sum(1) + absorbed["pooling"], start.sum(1))


@pytest.mark.parametrize("root", [0.5, 1.0])
@pytest.mark.parametrize("k", [1, 3, 6])
@pytest.mark.parametrize("sizes", [(6, 8), (12, 2), (4, 6, 4), (1, 11, 2)])
def test_vote_odds(sizes: tuple[int, ...], k: int, root: float) -> None:
    d, n_classes = distances(k + 10), len(sizes)
    labels = [c for c, size in enumerate(sizes) for _ in range(size)]
    layer = nn.VoteOdds([], lengths(k, root), labels, n_classes, root, 1e-9)
    found, start = layer(d), draw(N_SAMPLES, n_classes, seed=3)
    relevance, absorbed = walk(layer, d, start)
    expected, lost = torch.zeros_like(d), torch.zeros(N_SAMPLES, dtype=torch.float64)
    for n, row in enumerate(d.tolist()):
        nearest = sorted(range(N_POINTS), key=row.__getitem__)[:k]
        for c in range(n_classes):
            shares, sums = [], []
            for side in sides(labels, c):
                ranked = sorted(side, key=row.__getitem__)[:k]
                voters = [j for j in nearest if j in side] or ranked
                sums.append(math.log(sum(row[j] ** -root for j in voters)))
                whole = sum(row[j] ** -root for j in ranked)
                shares.append({j: row[j] ** -root / whole for j in ranked})
            e = sums[0] - sums[1]
            assert abs(float(found[n, c]) - e) < 1e-12
            slope, pooled = float(start[n, c] / found[n, c]), 0.0
            for i, p in shares[0].items():
                for j, q in shares[1].items():
                    pair = p * q * root * math.log(row[j] / row[i])
                    pooled += pair
                    expected[n, j] += slope * pair * row[j] / (row[j] - row[i])
                    expected[n, i] -= slope * pair * row[i] / (row[j] - row[i])
            lost[n] += slope * (e - pooled)
    close(relevance, expected)
    torch.testing.assert_close(absorbed["pooling"], lost, rtol=1e-9, atol=1e-11)  # one voter a side leaves nothing
    close(relevance.sum(1) + absorbed["pooling"], start.sum(1))


def test_vote_odds_of_hits_are_finite() -> None:
    d = distances()
    d[0, 0] = d[1, 0] = d[1, 9] = 0.0
    layer = nn.VoteOdds([], lengths(3, 0.5), [0] * 6 + [1] * 8, 2, 0.5, 1e-14)
    found = layer(d)
    assert found[0, 0] > 10
    assert abs(float(found[1, 0])) < 1e-5  # one hit on either side: even odds
    relevance, absorbed = walk(layer, d, found * torch.tensor([1.0, 0.0]))
    assert relevance.isfinite().all()
    close(relevance.sum(1) + absorbed["pooling"], found[:, 0])


@pytest.mark.parametrize("root", [0.5, 1.0])
def test_local_outlier_factor(root: float) -> None:
    d, start = distances(), draw(N_SAMPLES, 1, seed=4)
    radii, densities = draw(N_POINTS, seed=5).abs(), draw(N_POINTS, seed=6).abs()
    k, threshold = 5, 1.5
    layer = nn.LocalOutlierFactor([], lengths(k, root), radii, densities, threshold)
    relevance, absorbed = walk(layer, d, start)
    expected, kept = torch.zeros_like(d), torch.zeros(N_SAMPLES, dtype=torch.float64)
    for n, row in enumerate(d.tolist()):
        near = sorted(range(N_POINTS), key=row.__getitem__)[:k]
        density = float(np.mean([float(densities[j]) for j in near]))
        reach = [max(row[j] ** root, float(radii[j])) for j in near]
        o = density * (sum(reach) / k + 1e-10) - threshold
        assert abs(float(layer(d)[n, 0]) - o) < 1e-12
        slope = float(start[n, 0]) / o
        kept[n] = slope * density * 1e-10
        for j in near:
            if row[j] ** root > float(radii[j]):
                expected[n, j] = slope * density * row[j] ** root / k
            else:
                kept[n] += slope * density * float(radii[j]) / k
    close(relevance, expected)
    close(absorbed["reachability"], kept)
    close(relevance.sum(1) + absorbed["reachability"] + absorbed["threshold"], start[:, 0])


@pytest.mark.parametrize("alone", [None, [0.0, 3.0]])
def test_a_row_without_neighbors(alone: list[float] | None) -> None:
    d, y = distances(), draw(N_POINTS, 2, seed=1)
    d[2] += 50.0
    layer = nn.NeighborMean([], within(1.2, None), y, alone=alone)
    found = layer(d)
    assert found[torch.arange(N_SAMPLES) != 2].isfinite().all()
    if alone is None:
        assert found[2].isnan().all()
        return
    close(found[2], torch.tensor(alone, dtype=torch.float64))
    relevance, absorbed = walk(layer, d, found)
    assert not relevance[2].any()
    close(relevance.sum(1) + absorbed["training_mean"] + absorbed["no_neighbor"], found.sum(1))
    assert absorbed["no_neighbor"].nonzero().tolist() == [[2]]


def test_points_as_far_as_all_others_but_for_rounding() -> None:
    """No distance tells them apart: shares of a rounding error would be huge."""
    d = torch.full((1, N_POINTS), 0.1, dtype=torch.float64)
    d[0, ::2] += 1e-17 + 1.4e-17
    relevance, absorbed = walk(nn.NeighborMean([], nearest(4), draw(N_POINTS, 1)), d, draw(1, 1, seed=2))
    assert not relevance.any()
    assert absorbed["no_competitor"].abs().min() > 0


@pytest.mark.parametrize("sizes", [(6, 8), (4, 6, 4)])
def test_the_winner_of_ties_is_the_models(sizes: tuple[int, ...]) -> None:
    """Of points that are all as far the search picks some: their class is above 0, no other is."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    d = torch.ones(N_SAMPLES, N_POINTS, dtype=torch.float64) + 1e-16 * draw(N_SAMPLES, N_POINTS)
    random = np.random.default_rng(0)
    index = np.stack([random.permutation(N_POINTS)[:5] for _ in range(N_SAMPLES)])
    e = nn.MajorityEvidence([], lambda d: (index, np.ones(index.shape)), labels, len(sizes))(d)
    votes = np.stack([np.bincount(labels[row], minlength=len(sizes)) for row in index])
    np.testing.assert_array_equal((e > 0).numpy(), np.eye(len(sizes), dtype=bool)[votes.argmax(1)])
    assert e.abs().max() < 1e-15
