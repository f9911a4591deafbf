"""Why two sets of rows differ, against the textbook forms, brute force and SciPy in one dimension."""

from __future__ import annotations

import itertools
import sys
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from scipy.sparse import csr_array

import neon
from neon.shift.plans import plan_of
from neon.shift.samples import Sample, reshuffled

RNG = np.random.default_rng(0)
A, B = RNG.normal(size=(40, 5)), RNG.normal(size=(40, 5)) + np.array([0.0, 1.0, 0.0, 0.0, -0.5])


def textbook(
    a: np.ndarray, b: np.ndarray, gamma: np.ndarray, p: float, q: float, beta: float
) -> tuple[float, np.ndarray]:
    """W and the relevance of each pair of rows and feature, (n, m, d), as the paper writes them."""
    delta = b[None] - a[:, None]
    z = np.abs(delta).max(2) if np.isinf(q) else (np.abs(delta) ** q).sum(2) ** (1 / q)
    w = (gamma * z**p).sum() ** (1 / p)
    pairs = gamma * z**p / (gamma * z**p).sum() * w
    return w, pairs[..., None] * np.abs(delta) ** beta / (np.abs(delta) ** beta).sum(2, keepdims=True)


@pytest.mark.parametrize(("p", "q", "beta"), [(2, 2, None), (1, 2, None), (1, 1, None), (3, np.inf, None), (2, 2, 3.0)])
@pytest.mark.parametrize("n", [40, 31], ids=["assignment", "linprog"])
def test_relevance_is_the_textbooks(p: float, q: float, beta: float | None, n: int) -> None:
    shift = neon.explain_shift(A, B[:n], p=p, q=q, beta=beta, scale=None)
    gamma = np.zeros((40, n))
    gamma[shift.plan.first, shift.plan.second] = shift.plan.mass
    np.testing.assert_allclose(gamma.sum(0), 1 / n, atol=1e-12)
    np.testing.assert_allclose(gamma.sum(1), 1 / 40, atol=1e-12)
    w, r = textbook(A, B[:n], gamma, p, q, min(p + 2, q) if beta is None else beta)
    np.testing.assert_allclose(shift.distance, w, rtol=1e-12)
    np.testing.assert_allclose(shift.relevance, r.sum((0, 1)), rtol=1e-10)
    np.testing.assert_allclose(shift.of_a.values, r.sum(1), atol=1e-12)
    np.testing.assert_allclose(shift.of_b.values, r.sum(0), atol=1e-12)
    np.testing.assert_allclose(shift.relevance.sum(), w, rtol=1e-12)
    up = (B[None, :n] > A[:, None]) * r
    np.testing.assert_allclose(shift.rising, up.sum((0, 1)), atol=1e-12)


@pytest.mark.parametrize(("p", "q"), [(2.0, 2.0), (1.0, 2.0), (1.5, 1.0), (3.0, 3.0)])
def test_network_is_that_of_plain_layers(p: float, q: float) -> None:
    """Where β = q, power, sum and root under LRP-0 share as the norm's own treatment does."""
    shift = neon.explain_shift(A, B, p=p, q=q, beta=q)

    class Plain(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            z = x.abs().pow(q).sum(-1).pow(1 / q)
            return (z.pow(p) * torch.from_numpy(shift.plan.mass)).sum(-1, keepdim=True).pow(1 / p)

    x = torch.from_numpy((B[shift.plan.second] - A[shift.plan.first]) / shift.scale)[None]
    torch.testing.assert_close(shift.network(x), Plain()(x), rtol=1e-12, atol=0.0)
    expected = neon.LRP(Plain(), "zero")(x)
    torch.testing.assert_close(neon.LRP(shift.network, "zero")(x), expected, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(shift.relevance, expected[0].sum(0).numpy(), rtol=1e-10)


def test_plan_is_the_best_of_all() -> None:
    a, b = RNG.normal(size=(5, 2)), RNG.normal(size=(5, 2))
    best = min(
        np.mean([((a[i] - b[j]) ** 2).sum() for i, j in enumerate(order)]) for order in itertools.permutations(range(5))
    )
    np.testing.assert_allclose(neon.explain_shift(a, b, scale=None).distance ** 2, best, rtol=1e-12)
    np.testing.assert_allclose(neon.explain_shift(a, b, scale=None, solver="linprog").distance ** 2, best, rtol=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_one_dimension_is_scipys(weighted: bool) -> None:
    a, b = RNG.normal(size=(30, 1)), RNG.normal(size=(17, 1)) + 1
    weights = (RNG.random(30), RNG.random(17)) if weighted else (None, None)
    expected = stats.wasserstein_distance(a[:, 0], b[:, 0], *weights)
    shift = neon.explain_shift(a, b, p=1, scale=None, weights_a=weights[0], weights_b=weights[1])
    np.testing.assert_allclose(shift.distance, expected, rtol=1e-9)
    np.testing.assert_allclose(shift.relevance, [expected], rtol=1e-9)


def test_planted_drift_comes_first_in_20_of_20() -> None:
    found = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        a, b = rng.normal(size=(2, 100, 10)) * np.geomspace(0.1, 100, 10)
        columns = rng.choice(10, 2, replace=False)
        b[:, columns] += a[:, columns].std(0)
        found.append(set(np.argsort(-neon.explain_shift(a, b).relevance)[:2]) == set(columns))
    assert sum(found) == 20


def test_frames_are_matched_by_name_and_keep_their_labels() -> None:
    labels = [f"r{i}" for i in range(40)]
    a = pd.DataFrame(A, columns=list("abcde"), index=labels)
    b = pd.DataFrame(B, columns=list("abcde"))[list("edcba")]
    shift = neon.explain_shift(a, b)
    np.testing.assert_allclose(shift.relevance, neon.explain_shift(A, B).relevance, rtol=1e-12)
    frame = shift.to_frame()
    assert frame.index[0] == "b"
    assert frame["direction"]["b"] > 0.5 > 0 > frame["direction"]["e"]
    np.testing.assert_allclose(frame["mean_shift"][list("abcde")], B.mean(0) - A.mean(0))
    np.testing.assert_allclose(frame["share"].sum(), 1)
    assert list(shift.of_a.index) == labels
    assert shift.of_b.feature_names == tuple("abcde")
    assert "Wasserstein distance" in repr(shift)
    with pytest.raises(ValueError, match=r"in one of them only: \['e', 'f'\]"):
        neon.explain_shift(a, b.rename(columns={"e": "f"}))


def test_units_do_not_matter_and_constants_count() -> None:
    units = np.array([1.0, 1000.0, 1e-3, 1.0, 7.0])
    np.testing.assert_allclose(
        neon.explain_shift(A * units, B * units).relevance, neon.explain_shift(A, B).relevance, rtol=1e-9
    )
    a, b = np.column_stack([A, np.full(40, 3.0), np.ones(40)]), np.column_stack([B, np.full(40, 4.0), np.ones(40)])
    shift = neon.explain_shift(a, b)
    assert shift.relevance[5] == shift.rising[5] > 0  # a constant that has another value in B
    assert shift.relevance[6] == 0
    scaled = neon.explain_shift(A, B, scale=np.full(5, 2.0))
    np.testing.assert_allclose(scaled.distance, neon.explain_shift(A, B, scale=None).distance / 2, rtol=1e-12)


def test_scale_is_the_deviation_within_the_sets() -> None:
    weights = RNG.random(40)
    mean = np.average(A, axis=0, weights=weights)
    variance = np.average((A - mean) ** 2, axis=0, weights=weights)
    shift = neon.explain_shift(A, B + 100, weights_a=weights)
    np.testing.assert_allclose(shift.scale, np.sqrt((variance + B.var(0)) / 2), rtol=1e-10)


def test_random_divisions_keep_sizes_and_weights() -> None:
    weights = np.arange(1.0, 11.0)
    a, b = Sample.read(A[:10], weights, "A"), Sample.read(B[:25], None, "B")
    first, second = reshuffled(a, b, np.random.default_rng(0))
    assert (len(first), len(second)) == (10, 25)
    rows = [tuple(row) for part in (a, b) for row in part.rows]
    mass = dict(zip(rows, [*(10 * a.weights), *(25 * b.weights)], strict=True))
    for part in (first, second):
        np.testing.assert_allclose(part.weights.sum(), 1)
        expected = np.array([mass[tuple(row)] for row in part.rows])
        np.testing.assert_allclose(part.weights, expected / expected.sum())


def test_equal_sets_differ_by_nothing() -> None:
    shift = neon.explain_shift(A, A[::-1])
    assert shift.distance == 0
    assert not shift.relevance.any()
    assert not shift.to_frame()[["share", "direction"]].to_numpy().any()


def test_rows_are_drawn_with_a_word() -> None:
    with pytest.warns(UserWarning, match=r"30 of 40 rows of A drawn at random \(seed=1\) and 30 of 40 rows of B"):
        shift = neon.explain_shift(A, B, max_rows=30, seed=1)
    assert "30 of 40 rows of A" in shift.explains
    np.testing.assert_array_equal(shift.of_a.data, A[shift.of_a.index])
    with pytest.warns(UserWarning, match="30 of 40"):
        again = neon.explain_shift(A, B, max_rows=30, seed=1)
    np.testing.assert_array_equal(shift.relevance, again.relevance)


def test_p_value_tells_a_shift_from_none() -> None:
    rows = np.random.default_rng(0).normal(size=(60, 3))
    assert neon.explain_shift(rows[:30], rows[30:], n_permutations=39).p_value > 0.1
    assert neon.explain_shift(rows[:30], rows[30:] + 1, n_permutations=39).p_value == 1 / 40
    assert neon.explain_shift(rows[:30], rows[30:]).p_value is None


@pytest.mark.parametrize(
    "kind",
    [np.ndarray.tolist, lambda x: x.astype(np.float32), lambda x: x.astype(int), torch.tensor, pd.DataFrame, csr_array],
    ids=["list", "float32", "int", "tensor", "frame", "sparse"],
)
def test_tables_of_all_kinds(kind: Any) -> None:
    a, b = np.round(A * 4), np.round(B * 4)
    expected = neon.explain_shift(a, b).relevance
    np.testing.assert_allclose(neon.explain_shift(kind(a), kind(b)).relevance, expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("b", "options", "message"),
    [
        (B[:, :4], {}, "5 in A and 4 in B"),
        (B[0], {}, r"got shape \(5,\)"),
        (np.where(B > 2, np.nan, B), {}, "B contains NaN or infinity"),
        ([["x"] * 5], {}, "B must be a table of numbers"),
        (B, {"p": 0.5}, "p must be a number, at least 1"),
        (B, {"q": 0.0}, "q must be a number, at least 1"),
        (B, {"beta": -1.0}, "beta must be a positive number"),
        (B, {"scale": "max"}, "scale must be"),
        (B, {"scale": np.zeros(5)}, "scale must be"),
        (B, {"weights_b": np.ones(3)}, "weights of B"),
        (B, {"weights_b": -np.ones(40)}, "weights of B"),
        (B, {"max_rows": 0}, "max_rows must be a whole number, at least 1; got 0"),
        (B, {"n_permutations": -1}, "n_permutations must be a whole number, at least 0; got -1"),
        (B, {"n_permutations": 9.5}, "n_permutations must be a whole number"),
        (B, {"solver": "magic"}, "solver must be one of"),
        (B, {"solver": "sinkhorn"}, "needs it"),
        (B, {"regularization": 0.1}, 'goes with solver="sinkhorn"'),
        (B[:30], {"solver": "assignment"}, "takes as many rows of B as of A"),
    ],
)
def test_what_does_not_fit_is_refused(b: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        neon.explain_shift(A, b, **options)


def test_without_pot_its_solvers_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ot", None)
    with pytest.raises(ImportError, match="transport"):
        neon.explain_shift(A, B, solver="emd")


def test_solvers_of_pot() -> None:
    pytest.importorskip("ot")
    for rows in (40, 31):
        exact = neon.explain_shift(A, B[:rows])
        np.testing.assert_allclose(neon.explain_shift(A, B[:rows], solver="emd").distance, exact.distance, rtol=1e-9)
        smooth = neon.explain_shift(A, B[:rows], solver="sinkhorn", regularization=0.1)
        assert exact.distance < smooth.distance < 1.2 * exact.distance
        np.testing.assert_allclose(smooth.relevance.sum(), smooth.distance, rtol=1e-12)


def test_weights_stand_for_repeated_rows() -> None:
    counts = RNG.integers(1, 4, size=20)
    cost = RNG.random((20, 5))
    weighted = plan_of(cost, counts / counts.sum(), np.full(5, 0.2))
    repeated = plan_of(np.repeat(cost, counts, 0), np.full(counts.sum(), 1 / counts.sum()), np.full(5, 0.2))
    np.testing.assert_allclose(
        (weighted.mass * cost[weighted.first, weighted.second]).sum(),
        (repeated.mass * np.repeat(cost, counts, 0)[repeated.first, repeated.second]).sum(),
        rtol=1e-9,
    )


def test_plot() -> None:
    shift = neon.explain_shift(A, B)
    ax = shift.plot(max_features=3)
    assert ax.get_yticklabels()[0].get_text() == "feature 1"
    ends = [bar.get_x() + bar.get_width() for bar in ax.patches[3:6]]
    np.testing.assert_allclose(ends, np.sort(shift.relevance)[::-1][:3])
    assert shift.of_b.plot.beeswarm() is not None
    plt.close("all")
