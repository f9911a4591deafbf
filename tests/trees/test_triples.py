"""Interactions of three features against all subsets, shapiq, and the values that they add up to."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVR

import neon
from neon.explainer.higher_order import checked_order
from neon.nn.trees import Forest, engine
from neon.nn.trees.triples import triples
from tests.trees import textbook
from tests.trees.test_engine import KINDS, close
from tests.trees.test_explanation_interactions import mixed_frame, rows_and_values

ORACLE = Path(__file__).parents[1] / "oracles" / "tree_games.npz"
BERNOULLI = (1.0, -1 / 2, 1 / 6)


def index_of(worth: dict[tuple[int, ...], Any], members: tuple[int, ...], d: int) -> Any:
    """The Shapley interaction index of some features (Grabisch and Roubens 1999)."""
    rest, m = [k for k in range(d) if k not in members], len(members)
    total = 0.0
    for s in textbook.subsets(rest):
        weight = math.factorial(len(s)) * math.factorial(d - len(s) - m) / math.factorial(d - m + 1)
        for some in textbook.subsets(members):
            total = total + weight * (-1) ** (m - len(some)) * worth[tuple(sorted((*s, *some)))]
    return total


def n_shapley(game: Any, d: int) -> np.ndarray:
    """N-Shapley values of order 3 (Bordt and von Luxburg 2023), shared by the places that name the same features.

    ``Φ_S = Σ_{K disjoint, |S| + |K| ≤ 3} B_|K| Δ_{S ∪ K}``.
    """
    worth = {s: game(s) for s in textbook.subsets(range(d))}
    index = {s: index_of(worth, s, d) for m in (1, 2, 3) for s in itertools.combinations(range(d), m)}
    found = np.zeros((d, d, d, *np.shape(worth[()])))
    for members in index:
        phi = sum(BERNOULLI[len(s) - len(members)] * part for s, part in index.items() if set(members) <= set(s))
        places = [place for place in itertools.product(range(d), repeat=3) if set(place) == set(members)]
        for place in places:
            found[place] = phi / len(places)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_three_features_by_definition(kind: str) -> None:
    trees = textbook.random_trees(51, **KINDS[kind])
    X, reference = textbook.random_rows(trees, 2, 52), textbook.random_rows(trees, 4, 53)
    forest, d, weights = Forest(trees), trees.n_features, np.array([0.1, 0.2, 0.3, 0.4])
    codes, rows = engine.encode(forest, torch.as_tensor(X)), engine.encode(forest, torch.as_tensor(reference))

    def against_rows(present: tuple[int, ...], x: np.ndarray) -> np.ndarray:
        mixed = reference.copy()
        mixed[:, list(present)] = x[list(present)]
        return weights @ textbook.predict(trees, mixed)

    def against_covers(present: tuple[int, ...], x: np.ndarray) -> np.ndarray:
        return textbook.mean_given(trees, x, present)

    for given, game in (((None, None), against_covers), ((rows, torch.as_tensor(weights)), against_rows)):
        expected = np.zeros((2, d, d, d, trees.n_outputs))
        for i, x in enumerate(X):
            worth = {s: game(s, x) for s in textbook.subsets(range(d))}
            for members in itertools.combinations(range(d), 3):
                for place in itertools.permutations(members):
                    expected[i][place] = index_of(worth, members, d) / 6
        for k in range(trees.n_outputs):
            slope = torch.zeros(2, trees.n_outputs, dtype=torch.float64)
            slope[:, k] = 1
            found = forest.placed(triples(forest, codes, slope, *given), d)
            assert np.abs(found.numpy() - expected[..., k]).max() <= 1e-12 * max(1.0, np.abs(expected).max())


def test_n_shapley_values_of_a_model() -> None:
    X, y = rows_and_values()
    X = X.round(1)
    reference, weights = X[:5], np.array([1, 2, 3, 1, 1]) / 8
    model = RandomForestRegressor(3, max_depth=5, random_state=0).fit(X, y)

    def game(present: tuple[int, ...], x: np.ndarray) -> float:
        mixed = reference.copy()
        mixed[:, list(present)] = x[list(present)]
        return float(weights @ model.predict(mixed))

    expected = np.array([n_shapley(lambda s, x=x: game(s, x), 6) for x in X[:2]])
    for composite in ("shapley", "interventional", "expected"):
        found = neon.explain(model, X[:2], composite=composite, reference=(reference, weights), interactions=3)
        close(found.interactions, expected, 1e-12)
        close(found.interactions.sum((2, 3)), found.values, 1e-12)
    plain = neon.explain(model, X[:9], composite="interventional", reference=reference, interactions=3)
    again = neon.explain(model, X[:9], reference=reference, composite="shapley", interactions=3)
    close(plain.interactions, again.interactions, 1e-12)


def test_as_shapiq_computes_them() -> None:
    """Shapiq 1.8.0, of a model whose leaves are float32."""
    xgboost = pytest.importorskip("xgboost")
    with np.load(ORACLE) as oracle:
        model = xgboost.Booster()
        model.load_model(bytearray(oracle["model"].tobytes()))
        found = neon.explain(model, oracle["X"], 1, interactions=3).interactions
        d = found.shape[1]
        for order in (1, 2, 3):
            theirs = oracle[f"covers_nSII{order}"]
            for members in itertools.combinations(range(d), order):
                place = (*members, members[-1], members[-1])[:3]
                times = 6 if order > 1 else 1
                mine = times * found[(slice(None), *place)]
                assert np.abs(mine - theirs[(slice(None), *members)]).max() <= 1e-6, members
        against = neon.explain(model, oracle["X"], 1, reference=oracle["reference"], interactions=3).interactions
        for members in itertools.combinations(range(d), 3):
            assert (
                np.abs(6 * against[(slice(None), *members)] - oracle["rows_SII3"][(slice(None), *members)]).max()
                <= 1e-6
            )


def test_columns_outputs_and_tables() -> None:
    frame, y = mixed_frame()
    encoder = make_column_transformer((OneHotEncoder(), ["colour", "shape"]), (StandardScaler(), ["size", "age"]))
    model = make_pipeline(encoder, GradientBoostingClassifier(n_estimators=3, random_state=0))
    model.fit(frame, np.digitize(y, [0.5, 3.0]))
    found = neon.explain(model, frame[:5], "all", interactions=3)
    assert found.interactions.shape == (5, 4, 4, 4, 3)
    close(found.interactions.sum((2, 3)), found.values)
    for order in itertools.permutations((1, 2, 3)):
        close(found.interactions.transpose(0, *order, 4), found.interactions, 1e-12)
    one = found.select("1")
    table = one.interactions_frame()
    assert list(table) == ["sample", "target", "feature", "other feature", "third feature", "value"]
    picked = table[(table["sample"] == 2) & (table["feature"] == "age") & (table["third feature"] == "colour")]
    names = list(one.feature_names)
    age, colour = names.index("age"), names.index("colour")
    assert picked["value"].tolist() == one.interactions[2, age, :, colour].tolist()
    grouped = one.group({"looks": ["colour", "shape"]})
    close(grouped.interactions.sum((2, 3)), grouped.values)
    close(one[:, ["age", "colour", "shape", "size"]].interactions[0, 0, 1, 2], one.interactions[0, 3, 0, 2])
    with pytest.raises(ValueError, match="of two features"):
        one.plot.interactions()


def test_errors() -> None:
    X, y = rows_and_values()
    with pytest.raises(ValueError, match="of three features are of tree ensembles"):
        neon.explain(SVR().fit(X, y), X[:2], composite="shapley", reference=X[:3], interactions=3)
    with pytest.raises(ValueError, match="must be False, True"):
        neon.explain(RandomForestRegressor(2).fit(X, y), X[:2], interactions=4)


@pytest.mark.parametrize("given", [1.5, 2.0, 4, -1, "3", [3], None], ids=str)
def test_other_orders_are_refused(given):
    with pytest.raises(ValueError, match="interactions must be False, True"):
        checked_order(given)
    assert [checked_order(each) for each in (False, True, np.int64(2), 3)] == [0, 2, 2, 3]
