"""Curves and areas against hand-computed ones; chance, and what is known to be best."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from neon import evaluate
from neon.evaluate.flipping import flipping

X = np.array([[1.0, 2.0, 4.0]])
ZERO = np.zeros((1, 3))


def total(rows: np.ndarray) -> np.ndarray:
    return rows.sum(1)


def test_by_hand() -> None:
    scores = flipping(total, X, X, background=ZERO, refill="mean")
    curve = scores.curves[evaluate.Key("", "flipping", "mean")]
    np.testing.assert_allclose(curve.share, [0, 1 / 3, 2 / 3, 1])
    np.testing.assert_allclose(curve.most, [[7, 3, 1, 0]])
    np.testing.assert_allclose(curve.least, [[7, 6, 4, 0]])
    deletion, insertion = (3.5 + 3 + 1) / 3, (3.5 + 6 + 4) / 3  # trapezoids
    assert scores["deletion"] == pytest.approx(deletion)
    assert scores["insertion"] == pytest.approx(insertion)
    assert scores["srg"] == pytest.approx(2.0)
    assert scores["aufc"] == pytest.approx(deletion / 7)
    assert scores["aopc"] == pytest.approx((0 + 4 + 6 + 7) / 4)


def test_groups_are_taken_away_together() -> None:
    scores = flipping(total, X, X, background=ZERO, refill="mean", groups=np.array([0, 0, 1]))
    curve = scores.curves[evaluate.Key("", "flipping", "mean")]
    np.testing.assert_allclose(curve.most, [[7, 3, 0]])
    np.testing.assert_allclose(curve.least, [[7, 4, 0]])


def test_each_rows_output_is_held() -> None:
    def outputs(rows: np.ndarray) -> np.ndarray:
        return np.stack([rows.sum(1), -rows.sum(1) + 1], 1)

    rows = np.array([[1.0, 2.0], [-1.0, -2.0]])
    scores = flipping(outputs, rows, rows * [[1], [-1]], background=np.zeros((1, 2)), refill="mean")
    curve = scores.curves[evaluate.Key("", "flipping", "mean")]
    np.testing.assert_allclose(curve.most, [[3, 1, 0], [4, 2, 1]])  # the second row keeps its second output


def test_a_random_ranking_gains_nothing() -> None:
    wine, y = load_wine(return_X_y=True)
    wine = StandardScaler().fit_transform(wine)
    model = SVC().fit(wine[::2], y[::2])
    rows = wine[1::2]
    noise = np.random.default_rng(3).normal(size=rows.shape)
    for refill in ("rows", "mean", "conditional"):
        _, low, high = evaluate.mean_interval(flipping(model, rows, noise, background=wine[::2], refill=refill)["srg"])
        assert low < 0 < high
        assert high - low < 0.4, "the interval says nothing"


def test_equal_relevances_gain_nothing() -> None:
    rows = np.random.default_rng(0).normal(size=(200, 6)) + 1
    _, low, high = evaluate.mean_interval(
        flipping(total, rows, np.ones(rows.shape), background=np.zeros((1, 6)), refill="mean")["srg"]
    )
    assert low < 0 < high


def test_the_true_contributions_win_in_every_row() -> None:
    rng = np.random.default_rng(0)
    rows, weights = rng.normal(size=(40, 6)), rng.normal(size=6)

    def linear(z: np.ndarray) -> np.ndarray:
        return z @ weights

    zero = np.zeros((1, 6))
    best = flipping(linear, rows, rows * weights, background=zero, refill="mean")["srg"]
    for _ in range(5):
        other = rng.normal(size=rows.shape)
        assert (best >= flipping(linear, rows, other, background=zero, refill="mean")["srg"] - 1e-12).all()
    assert np.allclose(best, -flipping(linear, rows, -rows * weights, background=zero, refill="mean")["srg"])


def test_many_features_go_in_steps() -> None:
    rows = np.random.default_rng(0).normal(size=(2, 100))
    scores = flipping(total, rows, rows, background=np.zeros((1, 100)), refill="mean")
    assert len(scores.curves[evaluate.Key("", "flipping", "mean")].share) == 33
    exact = flipping(total, rows, rows, background=np.zeros((1, 100)), refill="mean", n_steps=100)
    np.testing.assert_allclose(scores["srg"], exact["srg"], rtol=0.05)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"relevance": np.ones((1, 2))}, "one relevance for each feature"),
        ({"relevance": np.full((1, 3), np.nan)}, "NaN"),
        ({"refill": "zeros"}, "unknown refill"),
        ({"background": None}, "give background="),
        ({"X": [["a", "b", "c"]]}, "rows of numbers"),
    ],
)
def test_bad_input(change: dict, message: str) -> None:
    given = {"model": total, "X": X, "relevance": X, "background": ZERO, **change}
    with pytest.raises(ValueError, match=message):
        flipping(**given)
