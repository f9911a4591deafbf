"""`neon.tune`: what it chooses where the best is known, what it refuses, and that its figures are honest."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.svm import SVC

import neon
from neon import evaluate, rules
from neon.evaluate.candidates import candidates_of
from neon.evaluate.tune import _halves, _preferred, _rows_needed

pytestmark = pytest.mark.usefixtures("one_pass")

X, Y = load_iris(return_X_y=True)
BACKGROUND, ROWS = X[::3], np.concatenate([X[1::3], X[2::3]])[::4]


@pytest.fixture(scope="module")
def svc() -> neon.Network:
    """With a default that is known, and known to be beaten."""
    network = neon.neuralize(SVC(gamma=1.0).fit(BACKGROUND, Y[::3]))
    network.composite = "neon"
    return network


@pytest.fixture(scope="module")
def tuned(svc: neon.Network) -> evaluate.Tuning:
    return neon.tune(svc, ROWS, background=BACKGROUND, progress=False)


def saturated() -> tuple[torch.nn.Module, np.ndarray, np.ndarray]:
    """``f = s - 1.01 relu(s - 1)`` of ``s = x_0 + x_1``, with six features that it does not read, where s > 1.

    LRP-ε gives feature i ``-0.01 x_i``: what f falls by where both are gone comes last. LRP-γ favours s.
    """
    net = torch.nn.Sequential(torch.nn.Linear(8, 2), torch.nn.ReLU(), torch.nn.Linear(2, 1, bias=False)).double()
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[1.0, 1.0] + [0.0] * 6] * 2))
        net[0].bias.copy_(torch.tensor([0.0, -1.0]))
        net[2].weight.copy_(torch.tensor([[1.0, -1.01]]))
    return net, np.random.default_rng(0).uniform(0.6, 1.0, (20, 8)), np.zeros((4, 8))


def test_gamma_wins_where_the_slope_is_misleading() -> None:
    net, rows, zeros = saturated()
    by_hand = neon.Explainer(net)(rows).values
    np.testing.assert_allclose(by_hand[:, :2], -0.01 * rows[:, :2], atol=1e-5)
    tuning = neon.tune(
        net, rows, background=zeros, refill="mean", progress=False, candidates={"gamma": rules.Gamma(1.0)}
    )
    assert tuning.name == tuning.judged == "gamma"
    assert tuning.significant
    assert tuning.table.loc["default", "mean"] < 0 < tuning.table.loc["gamma", "mean"]
    assert "chosen: gamma" in repr(tuning)
    explanation = neon.Explainer(net, **tuning.chosen)(rows)
    np.testing.assert_array_equal(tuning.explainer()(rows).values, explanation.values)
    assert (explanation.values[:, :2] > 0).all()


def test_grid_of_a_network_has_the_winner() -> None:
    net, rows, zeros = saturated()
    tuning = neon.tune(net, rows, background=zeros, refill="mean", progress=False)
    assert tuning.significant
    assert tuning.gain[0] > 0.1
    assert {"epsilon", "gamma 0.25", "gamma 0.25 below 0.33", "shapley, 4 rows"} <= set(tuning.table.index)


def test_where_all_tie_the_default_is_kept() -> None:
    linear = torch.nn.Linear(4, 1).double()
    torch.nn.init.uniform_(linear.weight, 0.5, 1.0, generator=torch.Generator().manual_seed(0))
    same = {"gamma": rules.Gamma(), "zplus": rules.ZPlus(), "zero": "zero"}  # x_i w_i > 0: one and the same share
    tuning = neon.tune(linear, ROWS, background=BACKGROUND, candidates=same, progress=False)
    assert (tuning.name, tuning.judged, tuning.significant) == ("default", "default", False)
    assert tuning.chosen == {}
    assert tuning.gain == (0.0, 0.0, 0.0)
    assert tuning.rows_needed is None
    assert list(tuning.table["same_as"]) == ["", "default", "default", "default"]
    assert "default is kept" in repr(tuning)


def test_what_may_be_chance_is_not_chosen(svc: neon.Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gains of a candidate are the rows' first column: better by the mean of both halves, not by its interval."""

    def given(f: Any, X: np.ndarray, *, methods: dict[str, Any], **_: Any) -> evaluate.Scores:
        scores = {"default": np.zeros(len(X)), "lucky": X[:, 0]}
        return evaluate.Scores(
            {evaluate.Key(name, "srg", "rows"): scores[name] for name in methods}
            | {evaluate.Key(name, "seconds"): np.ones(1) for name in methods}
        )

    monkeypatch.setattr(importlib.import_module("neon.evaluate.tune"), "report", given)
    rows = np.zeros((40, 4))
    rows[:, 0] = np.random.default_rng(2).normal(0.2, 1.0, 40)
    tuning = neon.tune(svc, rows, background=BACKGROUND, candidates={"lucky": "shapley"}, progress=False)
    half = rows[tuning.halves[1], 0]
    assert tuning.judged == "lucky"
    assert tuning.gain == evaluate.mean_interval(half)
    assert tuning.gain[1] < 0 < tuning.gain[0]
    assert (tuning.name, tuning.significant, tuning.chosen) == ("default", False, {})
    assert tuning.rows_needed == _rows_needed(rows[tuning.halves[0], 0])
    assert "may be chance" in tuning.verdict


def test_what_is_worse_is_not_chosen() -> None:
    linear = torch.nn.Linear(4, 1).double()
    torch.nn.init.uniform_(linear.weight, 0.5, 1.0, generator=torch.Generator().manual_seed(0))
    blind = {"flat": rules.Flat(), "wsquare": rules.WSquare()}  # ask neither for x nor, the first, for w
    tuning = neon.tune(linear, ROWS, background=np.zeros((1, 4)), candidates=blind, progress=False)
    assert tuning.chosen == {}
    assert (tuning.table["gain"] <= 0).all()


def test_held_out_gain_is_that_of_the_other_half(svc: neon.Network, tuned: evaluate.Tuning) -> None:
    choosing, judging = tuned.halves
    assert sorted([*choosing, *judging]) == list(range(len(ROWS)))
    rows, scores = ROWS[judging], {}
    for name, options in {"default": {}, tuned.judged: tuned.chosen}.items():
        relevance = neon.Explainer(svc, **options)(rows)
        scores[name] = evaluate.flipping(svc, rows, relevance, background=BACKGROUND)["srg"]
    gain = scores[tuned.judged] - scores["default"]
    interval = stats.t.interval(0.95, len(gain) - 1, gain.mean(), stats.sem(gain))
    np.testing.assert_allclose(tuned.gain, (gain.mean(), *interval), rtol=1e-9)
    assert tuned.table.loc[tuned.judged, "held_out"] == tuned.gain[0]
    assert tuned.significant
    assert tuned.gain[1] > 0


def test_intervals_hold_for_all_candidates_together(svc: neon.Network, tuned: evaluate.Tuning) -> None:
    choosing, table = ROWS[tuned.halves[0]], tuned.table
    scores = [
        evaluate.flipping(svc, choosing, neon.Explainer(svc, composite=c)(choosing), background=BACKGROUND)["srg"]
        for c in (None, "shapley")
    ]
    gain, n_compared = scores[1] - scores[0], np.count_nonzero(table["same_as"] == "") - 1
    half = stats.t.ppf(1 - 0.025 / n_compared, len(gain) - 1) * stats.sem(gain)
    line = table.loc["shapley", ["gain", "low", "high"]].to_numpy(float)
    np.testing.assert_allclose(line, (gain.mean(), gain.mean() - half, gain.mean() + half), rtol=1e-9)


def test_it_is_the_same_again(svc: neon.Network) -> None:
    few = {"shapley": "shapley", "expected": {"composite": "expected", "reference": BACKGROUND[::10]}}
    first, again, other = (
        neon.tune(svc, ROWS, background=BACKGROUND, candidates=few, random_state=state, progress=False)
        for state in (0, 0, 1)
    )
    figures = ["mean", "gain", "low", "high", "held_out", "same_as"]
    assert again.table[figures].equals(first.table[figures])
    assert (again.name, again.gain) == (first.name, first.gain)
    assert set(other.halves[0]) != set(first.halves[0])


def test_default_is_what_the_explainer_does_unasked() -> None:
    network = neon.neuralize(SVC(gamma=1.0).fit(BACKGROUND, Y[::3]))
    network.composite = "shapley"
    tuning = neon.tune(network, ROWS, background=BACKGROUND, candidates={"asked": "shapley"}, progress=False)
    assert tuning.table.loc["asked", "same_as"] == "default"


def test_lower_is_better_of_some_metrics(svc: neon.Network) -> None:
    tuning = neon.tune(
        svc, ROWS, metric="infidelity", background=BACKGROUND, progress=False,
        candidates={"expected": {"composite": "expected", "reference": BACKGROUND[::5]}},
    )  # fmt: skip
    table = tuning.table
    assert table.loc["expected", "gain"] == pytest.approx(table.loc["default", "mean"] - table.loc["expected", "mean"])
    assert table.loc["expected", "gain"] > 0


def test_output_is_part_of_the_choice() -> None:
    model = SVC(gamma=1.0).fit(BACKGROUND, Y[::3])
    tuning = neon.tune(
        model, ROWS, output="log_ratio", background=BACKGROUND, candidates={"path": "shapley"}, progress=False
    )
    assert tuning.chosen["output"] == "log_ratio"
    assert "log-ratio" in tuning.explainer()(ROWS[:2]).explains


def test_images_in_patches() -> None:
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 3, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(3 * 36, 2))
    images = np.random.default_rng(0).normal(size=(12, 1, 8, 8))
    tuning = neon.tune(
        net, images, background=images, refill=evaluate.Blurred(2.0), groups=evaluate.patches(8, 8, 4), progress=False
    )
    assert {"epsilon_plus", "epsilon_gamma_box 0.25", "gamma 1"} <= set(tuning.table.index)
    assert not [name for name in tuning.table.index if name.startswith(("shapley", "expected"))]
    assert not tuning.skipped
    assert tuning.refill == "blur"


def test_candidates_of_families() -> None:
    forest = RandomForestClassifier(2, random_state=0).fit(BACKGROUND, Y[::3])
    found = candidates_of(evaluate.Explained(forest), ROWS[:1], BACKGROUND)
    assert list(found) == [
        "neon", "path", "equal", "interventional, 24 rows", "shapley", "expected, 8 rows", "expected, 24 rows",
        "shapley, 50 rows",
    ]  # fmt: skip
    hybrid = evaluate.Explained(SVC().fit(BACKGROUND, Y[::3]), "log_ratio")
    assert {"eta 0", "eta 0.5", "eta 1"} <= set(candidates_of(hybrid, ROWS[:1], None))


def test_ties_go_to_the_cheaper_one() -> None:
    rng = np.random.default_rng(0)
    best = rng.normal(1.0, 0.1, 50)
    gains = {"default": np.zeros(50), "poor": best - 0.5, "near": best - rng.normal(0.001, 0.1, 50), "best": best}
    assert _preferred(gains) == "near"
    unsure = rng.normal(0.1, 1.0, 50) - 0.1  # ties with the best of its like, but not better than the default
    assert _preferred({"default": np.zeros(50), "unsure": unsure, "sure": unsure + rng.normal(0.4, 1.0, 50)}) == "sure"
    assert _preferred({"default": np.zeros(50), "worse": -best}) == "default"
    assert _rows_needed(np.array([-1.0, 3.0] * 8)) == 68  # 2 (2.80 · 2.066)² = 67.0, pairs of rows


def test_a_useless_candidate_is_rarely_chosen_and_its_gain_is_unbiased() -> None:
    """Many candidates that differ from the default by chance alone, 24 rows, 500 times."""
    rng = np.random.default_rng(0)
    chosen, before, after = [], [], []
    for trial in range(500):
        gains = {"default": np.zeros(24), **{str(i): row for i, row in enumerate(rng.normal(size=(12, 24)))}}
        choosing, judging = _halves(24, trial)
        judged = _preferred({name: rows[choosing] for name, rows in gains.items()})
        mean, low, _ = evaluate.mean_interval(gains[judged][judging])
        chosen.append(low > 0)
        before.append(gains[judged][choosing].mean())
        after.append(mean)
    assert np.mean(chosen) < 0.025 + 3 * np.sqrt(0.025 * 0.975 / 500)
    assert np.mean(before) > 0.2  # what the choosing half alone would promise
    assert abs(np.mean(after)) < 3 * np.std(after) / np.sqrt(500)


def test_plot(tuned: evaluate.Tuning) -> None:
    ax = tuned.plot()
    assert [label.get_text() for label in ax.get_yticklabels()] == list(tuned.table.index)
    assert "<table" in tuned._repr_html_()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"X": ROWS[:11]}, "11 rows are too few"),
        ({"metric": "beauty"}, "unknown metric 'beauty'; choose from"),
        ({"background": None}, "give background="),
        ({"candidates": {}}, "candidates must map names"),
        ({"candidates": ["neon"]}, "candidates must map names"),
        ({"candidates": {"default": "neon"}}, "another name"),
        ({"candidates": {"mine": "divination"}}, "unknown composite"),
        ({"model": lambda rows: rows.sum(1)}, "no composite to choose"),
    ],
)
def test_errors(svc: neon.Network, options: dict[str, Any], words: str) -> None:
    given = {"model": svc, "X": ROWS, "background": BACKGROUND, "progress": False, **options}
    with pytest.raises(ValueError, match=words):
        neon.tune(given.pop("model"), given.pop("X"), **given)
