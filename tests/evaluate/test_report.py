"""The report: what it measures, says and draws."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.svm import SVC

import neon
from neon import evaluate

X, Y = load_iris(return_X_y=True)
BACKGROUND, ROWS = X[::3], X[1::3]


@pytest.fixture(scope="module")
def scores() -> evaluate.Scores:
    return evaluate.report(SVC().fit(BACKGROUND, Y[::3]), ROWS, background=BACKGROUND, progress=False)


def test_table(scores: evaluate.Scores) -> None:
    frame = scores.to_frame()
    assert set(frame["method"]) == {
        "default", "neon", "shapley", "expected", "gradient_x_input", "integrated_gradients", "occlusion", "random",
    }  # fmt: skip
    assert set(frame["refill"]) == {"", "rows", "mean", "conditional"}
    by_row = frame[frame["metric"] != "seconds"]
    assert ((by_row["low"] <= by_row["mean"]) & (by_row["mean"] <= by_row["high"])).all()
    assert (by_row["rows"] == len(ROWS)).all()
    assert scores["shapley", "srg", "rows"].mean() > scores["random", "srg", "rows"].mean()
    assert "srg" in repr(scores)
    assert "<table" in scores._repr_html_()


def test_versus_is_paired(scores: evaluate.Scores) -> None:
    frame = scores.versus("random").set_index(["method", "metric", "refill"])
    line = frame.loc[("shapley", "srg", "rows")]
    difference = scores["shapley", "srg", "rows"] - scores["random", "srg", "rows"]
    assert line["difference"] == pytest.approx(difference.mean())
    assert line["verdict"] == "win"
    assert frame.loc[("shapley", "infidelity", "")]["verdict"] == "win"  # lower is better
    with pytest.raises(KeyError, match="no method"):
        scores.versus("divination")


@pytest.mark.parametrize("kind", [csr_array, np.ndarray.tolist, torch.tensor], ids=["sparse", "list", "tensor"])
def test_tables_of_all_kinds(kind: Any) -> None:
    model, some = SVC().fit(BACKGROUND, Y[::3]), ROWS[:3]
    relevance = neon.explain(model, some).values
    expected = evaluate.flipping(model, some, relevance, background=BACKGROUND)["srg"]
    found = evaluate.flipping(model, kind(some), relevance, background=kind(BACKGROUND))["srg"]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_columns_of_frames_are_the_models() -> None:
    names = list("abcd")
    frame, background = pd.DataFrame(ROWS, columns=names), pd.DataFrame(BACKGROUND, columns=names)
    model, turned = SVC().fit(background, Y[::3]), ["d", "c", "b", "a"]
    options: dict[str, Any] = {"methods": ["random"], "metrics": ["positivity"], "progress": False}
    for measured in (evaluate.report, neon.tune):
        given = options if measured is evaluate.report else {"progress": False}
        with pytest.raises(ValueError, match=r"^X's columns are in another order"):
            measured(model, frame[turned], background=background, **given)
        with pytest.raises(ValueError, match="background: X's columns are in another order"):
            measured(model, frame, background=background[turned], **given)
        with pytest.raises(ValueError, match='not "all"'):
            measured(model, frame, background=background, target="all", **given)
    relevance = neon.explain(model, frame).values
    with pytest.raises(ValueError, match="in another order"):
        evaluate.flipping(model, frame[turned], relevance, background=background)
    with pytest.raises(ValueError, match=r"background: expected rows like those of X, \(4,\), got \(3,\)"):
        evaluate.report(lambda rows: rows.sum(1), ROWS, background=BACKGROUND[:, :3], **options)


def test_scores_are_named(scores: evaluate.Scores) -> None:
    with pytest.raises(KeyError, match="names 24 scores"):
        scores["srg"]


def test_plots(scores: evaluate.Scores) -> None:
    figure = scores.plot(["srg", "seconds"])
    assert [ax.get_title() for ax in figure.axes[:2]] == ["srg: higher is better", "seconds: lower is better"]
    ax = scores.plot_curves("mean")
    assert len(ax.lines) == 2 * len(scores.methods)
    curve = scores.curves[evaluate.Key("default", "flipping", "mean")]
    np.testing.assert_allclose(ax.lines[0].get_ydata(), curve.most.mean(0))
    with pytest.raises(ValueError, match="nothing was measured"):
        scores.plot(["beauty"])


def test_it_is_the_same_again() -> None:
    model = SVC().fit(BACKGROUND, Y[::3])
    first, second = (
        evaluate.report(model, ROWS, background=BACKGROUND, methods=["neon", "random"], progress=False)
        for _ in range(2)
    )
    for key, rows in first.values.items():
        if key.metric != "seconds":
            np.testing.assert_array_equal(rows, second.values[key])


def test_what_does_not_apply_is_named_and_what_was_asked_for_is_an_error() -> None:
    forest = RandomForestClassifier(3, random_state=0).fit(BACKGROUND, Y[::3])
    scores = evaluate.report(forest, ROWS, background=BACKGROUND, metrics=["positivity"], progress=False)
    assert "no gradient" in scores.skipped["gradient_x_input"]
    assert "not measured: gradient_x_input" in repr(scores)
    with pytest.raises(ValueError, match="no gradient"):
        evaluate.report(forest, ROWS, methods=["gradient_x_input"], progress=False)
    with pytest.raises(ValueError, match="unknown method"):
        evaluate.report(forest, ROWS, methods=["tea leaves"], progress=False)
    with pytest.raises(ValueError, match="unknown metric"):
        evaluate.report(forest, ROWS, metrics=["beauty"], progress=False)


def test_plain_functions_have_the_methods_that_ask_for_no_more() -> None:
    scores = evaluate.report(lambda rows: rows.sum(1), ROWS, metrics=["conservation"], progress=False)
    assert scores.methods == ["occlusion", "random"]
    assert all("no network" in reason for reason in scores.skipped.values())
    assert scores["occlusion", "conservation"].max() < 1e-9
    with pytest.raises(ValueError, match="numbers for 50 rows"):
        evaluate.report(lambda rows: rows.sum(), ROWS, progress=False)


def test_methods_of_ones_own_and_every_metric() -> None:
    def mine(model: object, rows: np.ndarray, target: object, background: object) -> np.ndarray:
        return rows - np.asarray(background).mean(0)

    scores = evaluate.report(
        SVC().fit(BACKGROUND, Y[::3]),
        ROWS[:5],
        methods={"mine": mine},
        background=BACKGROUND,
        metrics=[
            "flipping",
            "conservation",
            "positivity",
            "infidelity",
            "continuity",
            "max_sensitivity",
            "rank_agreement",
        ],
        progress=False,
    )
    assert scores.methods == ["mine"]
    assert {"continuity", "max_sensitivity", "infidelity", "rank_agreement"} <= {key.metric for key in scores.values}


def test_images_by_superpixels() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 8 * 8, 2)).double()
    images = np.random.default_rng(0).normal(size=(6, 3, 8, 8))
    labels = evaluate.patches(8, 8, 4)
    scores = evaluate.report(
        model,
        images,
        methods=["neon", "integrated_gradients", "random"],
        refills=[evaluate.PatchMean(labels), evaluate.Blurred(2.0), "mean"],
        metrics=["flipping"],
        groups=labels,
        progress=False,
    )
    assert len(scores.curves[evaluate.Key("neon", "flipping", "blur")].share) == 5
    best, chance = (scores[method, "srg", "mean"] for method in ("integrated_gradients", "random"))
    assert (best >= chance - 1e-12).all()  # exact for a linear network, whose reference is the refill


def test_the_scores_of_rows_without_one_are_left_out() -> None:
    assert evaluate.mean_interval(np.array([1.0, np.nan, 3.0]))[0] == 2
    assert np.isnan(evaluate.mean_interval(np.array([1.0]))[1:]).all()


def test_intervals_hold_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    held = [low <= 1 <= high for _, low, high in (evaluate.mean_interval(rng.normal(1, 2, 20)) for _ in range(1000))]
    assert 0.93 < np.mean(held) < 0.97
    ratios = []
    for seed in range(300):
        b = rng.normal(2, 0.5, 40)
        _, low, high = evaluate.ratio_interval([(1.5 * b + rng.normal(0, 0.5, 40), b)], 400, seed)
        ratios.append(low <= 1.5 <= high)
    assert 0.89 < np.mean(ratios) < 0.98


def test_the_first_call_of_a_method_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    clock = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])

    def slow_at_first(model: Any, X: np.ndarray, target: Any, background: Any) -> np.ndarray:
        calls.append(len(X))
        clock[0] += 60.0 if len(calls) == 1 else 0.5
        return np.zeros(X.shape)

    options: dict[str, Any] = {"methods": {"slow": slow_at_first}, "metrics": ["positivity"], "progress": False}
    found = evaluate.report(lambda rows: rows.sum(1), ROWS, **options)
    assert calls == [1, len(ROWS)]
    assert found["seconds"][0] == 0.5 / len(ROWS) * 1000
