"""Manhattan distances against loops over samples, centers and features."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from neon import nn
from neon.lrp import LRP, composites, rules
from neon.nn.distances import additive
from tests.nn.textbook import close, distances, draw, relevance

PRECISIONS = [(torch.float64, 1e-9), (torch.float32, 1e-5)]


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
def test_distance_and_relevance(dtype: torch.dtype, tolerance: float) -> None:
    x, u, start = draw(7, 5, dtype=dtype), draw(4, 5, dtype=dtype), draw(7, 4, seed=1, dtype=dtype)
    layer = nn.ManhattanDistance(u).to(dtype)
    d = distances("manhattan", x, u)
    close(layer(x), d, tolerance)
    found = LRP(layer, "neon")(x, start)
    assert found.dtype == dtype
    close(found, relevance("manhattan", x, u, start / d), tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("n_rows", [1, 6])
def test_relative_to_reference_rows(n_rows: int, dtype: torch.dtype, tolerance: float) -> None:
    x, u, rows = draw(7, 5, dtype=dtype), draw(4, 5, dtype=dtype), draw(n_rows, 5, seed=2, dtype=dtype)
    slopes = draw(3, 4, seed=3, dtype=dtype)
    model = torch.nn.Sequential(nn.ManhattanDistance(u), nn.Linear(slopes)).to(dtype)
    recording = LRP(model, "neon").record(x, reference=rows)
    base = distances("manhattan", rows, u).mean(0, keepdim=True) @ slopes.double().T
    assert recording.base is not None
    close(recording.base, base, tolerance)
    for target in range(3):
        walk = recording.propagate(target, account=True)
        expected = relevance("manhattan", x, u, slopes[target].expand(7, 4), references=rows)
        close(walk.relevance[0], expected, tolerance)
        close(walk.relevance[0].sum(1), (recording.output - recording.base)[:, target], 10 * tolerance)


def test_relevance_of_a_distance_from_its_reference() -> None:
    """Relevance in place of a slope: ``s_j = R_j / (d_j - d_j^ref)``."""
    x, u, rows, start = draw(7, 5), draw(4, 5), draw(6, 5, seed=2), draw(7, 4, seed=1)
    recording = LRP(nn.ManhattanDistance(u), "neon").record(x, reference=rows)
    slopes = start / (distances("manhattan", x, u) - distances("manhattan", rows, u).mean(0))
    expected = relevance("manhattan", x, u, slopes, references=rows)
    close(recording.propagate(start).relevance[0], expected, 1e-9)


def test_exact_hits_stay_behind() -> None:
    u = draw(3, 4)
    x = torch.cat([u[:2], draw(2, 4, seed=1)])
    start = draw(4, 3, seed=2)
    walk = LRP(nn.ManhattanDistance(u), "neon").record(x).propagate(start, account=True)
    assert walk.relevance[0].isfinite().all()
    hits = torch.stack([start[0, 0], start[1, 1], start[2, 0] * 0, start[3, 0] * 0])
    close(walk.ledger.absorbed["exact_hit"], hits)
    close(walk.relevance[0].sum(1) + hits, start.sum(1))


class Largest(TorchDispatchMode):
    """The number of elements of the largest tensor that any operation gave."""

    found = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            self.found = max(self.found, result.numel())
        return result


@pytest.mark.parametrize("shape", [(900, 70, 11), (3, 5000, 40), (5000, 2, 300), (40, 30, 20_000)])
def test_memory(shape: tuple[int, int, int]) -> None:
    """No tensor holds a value for every sample, center and feature: blocks are bounded, inputs and outputs aside."""
    n, k, d = shape
    x, u, rows = draw(n, d), draw(k, d), draw(50, d, seed=1)
    lrp = LRP(nn.ManhattanDistance(u), "neon")
    recording = lrp.record(x, reference=rows)
    with Largest() as largest:
        recording.propagate(draw(n, k, seed=1))
    given = max(n * k, n * d, k * d, 50 * d, 50 * k)
    assert largest.found <= max(additive._BLOCK, given)
    assert n * k * d > 1.1 * max(additive._BLOCK, given)


@pytest.mark.parametrize("shape", [(1, 1, 1), (40, 3, 5), (3, 5000, 40), (2, 3, 200_000), (0, 3, 4)])
def test_blocks_cover_every_pair_once(shape: tuple[int, int, int]) -> None:
    n, k, d = shape
    count = torch.zeros(n, k)
    for rows, columns in additive.blocks(n, k, d):
        count[rows, columns] += 1
        assert count[rows, columns].numel() * d <= max(additive._BLOCK, d)
    assert (count == 1).all()


def test_hybrid_is_refused() -> None:
    composite = composites.neon().override(composites.kind("distance"), rules.Hybrid(0.5))
    with pytest.raises(TypeError, match="squared distances only"):
        LRP(nn.ManhattanDistance(draw(3, 4)), composite)(draw(2, 4), 0)
