"""The benchmark of rankings: its games, values and best ranking against other ways to compute them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.svm import SVR

import neon
from benchmarks import ranking
from neon import evaluate

X, _ = load_iris(return_X_y=True)
REFERENCE, ROW = X[::30], X[[7]]


@pytest.fixture(scope="module")
def machine() -> evaluate.Explained:
    return evaluate.Explained(SVR(gamma=0.5).fit(X, np.sin(X[:, 0]) + X[:, 1] * X[:, 3]))


@pytest.fixture(scope="module")
def v(machine: evaluate.Explained) -> np.ndarray:
    return ranking.game(machine, ROW[0], 0, REFERENCE)


def test_values_of_the_game(machine: evaluate.Explained, v: np.ndarray) -> None:
    exact = evaluate.exact_shapley(machine, ROW, background=REFERENCE)[0]
    np.testing.assert_allclose(ranking.shapley(v), exact, atol=1e-12)
    sets = v.reshape(-1)
    others = [s for s in range(16) if not s >> 3 & 1]  # axis 0 is the highest place
    first = np.mean([sets[s | 8] - sets[s] for s in others])
    np.testing.assert_allclose(ranking.banzhaf(v)[0], first, atol=1e-12)


def test_area_is_that_of_flipping(machine: evaluate.Explained, v: np.ndarray) -> None:
    class All(evaluate.Refill):
        def __call__(self, X: np.ndarray, kept: np.ndarray) -> np.ndarray:
            return np.where(kept[:, None], X[:, None], REFERENCE[None])

    relevance = np.random.default_rng(0).normal(size=(1, 4))
    scores = evaluate.flipping(machine, ROW, relevance, refill=All(), target=0)
    assert ranking.area(ranking.chain(v, relevance[0])) == pytest.approx(scores["srg"][0], abs=1e-12)


def test_best_area_is_that_of_all_rankings(v: np.ndarray) -> None:
    noise = np.random.default_rng(0).normal(size=(2,) * 5)
    for game in (v, noise):
        every = [ranking.area(ranking.chain(game, np.array(r))) for r in itertools.permutations(range(game.ndim))]
        assert ranking.best_area(game) == pytest.approx(max(every), abs=1e-12)
        assert ranking.area(ranking.chain(game, ranking.greedy(game))) <= max(every) + 1e-12


def test_a_game_that_shapley_values_say_nothing_of() -> None:
    """``s_1 s_2 s_3 - (s_1 + s_2 + s_3) / 3`` beside three features that do nothing, as the documentation has it."""
    s = 2 * np.indices((2,) * 6) - 1
    game = (s[0] * s[1] * s[2] - (s[0] + s[1] + s[2]) / 3).astype(float)
    np.testing.assert_allclose(ranking.shapley(game), 0, atol=1e-12)
    assert game[1, 0, 0].max() == pytest.approx(4 / 3)
    assert ranking.best_area(game) > 1
    rng = np.random.default_rng(0)
    random = [ranking.area(ranking.chain(game, rng.normal(size=6))) for _ in range(300)]
    assert abs(np.mean(random)) < 4 * np.std(random) / np.sqrt(300)


def test_page(capsys: pytest.CaptureFixture[str]) -> None:
    ranking.main(["--rows", "2", "--references", "3", "--jobs", "1", "--families", "SVR", "--data", "rentals"])
    page = capsys.readouterr().out
    assert "| SVR |" in page
    assert "What a Shapley value is not for" in page
    assert neon.__version__
