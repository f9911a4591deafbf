"""Steps: the split units of trees."""

from __future__ import annotations

import math

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neon import nn
from neon.lrp import LRP
from tests.nn.textbook import close, draw

PRECISIONS = [(torch.float64, 1e-9), (torch.float32, 1e-5)]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("strict", [False, True])
def test_values_on_and_next_to_the_threshold(strict: bool, dtype: torch.dtype) -> None:
    for t in (0.0, 0.1, -3.5):
        threshold = torch.tensor(t, dtype=dtype)
        below, above = (torch.nextafter(threshold, torch.tensor(v, dtype=dtype)) for v in (-math.inf, math.inf))
        x = torch.stack([below, threshold, above, *torch.tensor([-math.inf, math.inf, math.nan], dtype=dtype)])
        found = nn.step(x[:, None], threshold, strict)
        assert found.dtype == dtype
        assert found[:, 0].tolist() == [1.0, 0.0 if strict else 1.0, 0.0, 1.0, 0.0, 0.0]


@given(st.data(), st.booleans())
def test_any_values_and_thresholds(data: st.DataObject, strict: bool) -> None:
    values = st.sampled_from([-math.inf, -1.0, -0.0, 0.0, 5e-324, 0.1, 1.0, math.inf, math.nan])
    x = data.draw(arrays.arrays(np.float64, (4, 3), elements=values))
    t = data.draw(arrays.arrays(np.float64, (3,), elements=values))
    module = nn.Step(t, strict=strict)
    expected = [[float(a < b if strict else a <= b) for a, b in zip(row, t, strict=True)] for row in x.tolist()]
    assert module(torch.as_tensor(x)).tolist() == expected
    start = draw(4, 3)
    torch.testing.assert_close(LRP(module, "neon")(torch.as_tensor(x), start), start, rtol=0, atol=0)


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("n_rows", [1, 7])
def test_relevance_relative_to_reference_rows(n_rows: int, dtype: torch.dtype, tolerance: float) -> None:
    """Feature i gets ``w_i (1[x_i ≤ t_i] - share of rows with r_i ≤ t_i)``, infinite values included."""
    x, rows, weight = draw(8, 4, dtype=dtype), draw(n_rows, 4, seed=1, dtype=dtype), draw(1, 4, seed=2, dtype=dtype)
    x[0, 0], x[1, 1] = math.inf, -math.inf
    x[2] = rows[0]
    t = draw(4, seed=3) / 2
    model = torch.nn.Sequential(nn.Step(t), nn.Linear(weight)).to(dtype)
    recording = LRP(model, "neon").record(x, reference=rows)
    expected = np.zeros((8, 4))
    for n in range(8):
        for i in range(4):
            threshold = float(t[i].to(dtype))
            share = sum(float(r) <= threshold for r in rows[:, i]) / n_rows
            expected[n, i] = float(weight[0, i]) * (float(float(x[n, i]) <= threshold) - share)
    found = recording.propagate().relevance[0]
    close(found, torch.as_tensor(expected), tolerance)
    close(found.sum(1, keepdim=True), recording.output - recording.base, tolerance)
    if n_rows == 1:
        assert (found[2] == 0).all()


def test_a_tree_of_steps() -> None:
    """Two splits, three leaves: relevance goes to the features that were asked, and adds up."""
    select = torch.tensor([[1.0, 0, 0], [0, 0, 1.0]])
    leaves = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 0.0]])  # left-left, left-right, right
    model = torch.nn.Sequential(
        nn.Linear(select), nn.Step([0.2, -0.1]), nn.Linear(leaves, [-1.0, 0.0, 1.0]), torch.nn.ReLU(),
        nn.Linear([[5.0, -2.0, 3.0]]),
    )  # fmt: skip
    x, rows = draw(50, 3), draw(1, 3, seed=1)

    def tree(row: torch.Tensor) -> float:
        return (5.0 if row[2] <= -0.1 else -2.0) if row[0] <= 0.2 else 3.0

    recording = LRP(model, "neon").record(x, reference=rows)
    assert recording.output[:, 0].tolist() == [tree(row) for row in x]
    relevance = recording.propagate().relevance[0]
    assert (relevance[:, 1] == 0).all()
    torch.testing.assert_close(relevance.sum(1), recording.output[:, 0] - tree(rows[0]))


def test_repr() -> None:
    assert repr(nn.Step([1.0, 2.0])) == "Step(x ≤ t, 2 thresholds)"
