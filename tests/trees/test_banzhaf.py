"""Banzhaf values of trees and weights of reference rows, against all subsets of features."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from sklearn.datasets import load_wine
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, OneClassSVM

import neon
from neon.nn.trees import Forest, Interventional, Shapley, TreeEnsemble, engine, tree_layers
from tests.trees import textbook
from tests.trees.test_engine import KINDS, by, close, way  # noqa: F401  # fixtures


def values(trees, rule, X, reference=None, weights=None, index="banzhaf"):
    """(n_samples, n_features, n_outputs)."""
    forest = Forest(trees)
    codes = engine.encode(forest, torch.as_tensor(X))
    rows = None if reference is None else engine.encode(forest, torch.as_tensor(reference))
    weights = None if weights is None else torch.as_tensor(weights)
    out = np.zeros((len(X), trees.n_features, trees.n_outputs))
    for k in range(trees.n_outputs):
        slope = torch.zeros(len(X), trees.n_outputs, dtype=torch.float64)
        slope[:, k] = 1
        out[:, forest.paths.codes.used, k] = engine.relevance(forest, rule, codes, slope, rows, weights, index).t()
    return out


@pytest.mark.parametrize("kind", KINDS)
def test_banzhaf_is_brute_force(kind, way, by):  # noqa: F811
    trees = textbook.random_trees(41, **KINDS[kind])
    X, reference = textbook.random_rows(trees, 3, 42), textbook.random_rows(trees, 4, 43)
    n = trees.n_features
    expected = [textbook.banzhaf(lambda s, x=x: textbook.mean_given(trees, x, s), n) for x in X]
    close(values(trees, Shapley(engine=by), X), np.array(expected), 1e-12)
    expected = [textbook.banzhaf(lambda s, x=x: textbook.mixed(trees, x, s, reference), n) for x in X]
    close(values(trees, Interventional(engine=by), X, reference), np.array(expected), 1e-12)


@pytest.mark.parametrize("index", ["shapley", "banzhaf"])
def test_whole_weights_are_repeated_rows(way, by, index):  # noqa: F811
    trees = textbook.random_trees(44, n_outputs=2, n_features=6, max_depth=6)
    X, reference = textbook.random_rows(trees, 5, 45), textbook.random_rows(trees, 4, 46)
    times = np.array([3, 1, 0, 2])
    repeated = values(trees, Interventional(engine=by), X, reference.repeat(times, axis=0), index=index)
    close(values(trees, Interventional(engine=by), X, reference, times / 6, index), repeated, 1e-12)


D = 4
ALL, LABELS = load_wine(return_X_y=True)
GRID = np.round(ALL[:, [0, 6, 9, 12]] / [1.0, 1.0, 2.0, 300.0], 1)  # values on a grid, as thresholds are
TARGET = GRID[:, 0] + GRID[:, 1] * GRID[:, 2]
ROWS, REFERENCE = GRID[[2, 70, 150]], GRID[[5, 25, 90, 140]]


def by_definition(f, row, weights=None, *, joint):
    """Banzhaf values of one row, features drawn together from the reference rows, or each by itself."""

    def game(present):
        if joint:
            rows = REFERENCE.copy()
            rows[:, list(present)] = row[list(present)]
            return np.average(f(rows), axis=0, weights=weights)
        columns = [row[[i]] if i in present else REFERENCE[:, i] for i in range(D)]
        return f(np.stack(np.meshgrid(*columns, indexing="ij"), -1).reshape(-1, D)).mean(0)

    return textbook.banzhaf(game, D), game(())


def check(explanation, expected, base):
    close(explanation.values, expected, 1e-12)
    close(explanation.base_values, base, 1e-12)
    assert "Banzhaf values (exact)" in explanation.explains
    assert set(explanation.residuals) <= {"banzhaf", "bias"}
    assert explanation.conservation_error() < 1e-12 * np.abs(explanation.prediction).max()


def test_forest_with_weighted_reference():
    model = RandomForestRegressor(7, max_depth=6, random_state=0).fit(GRID, TARGET)
    weights = np.array([1.0, 2.0, 0.0, 3.0])
    found = neon.explain(model, ROWS, composite="banzhaf", reference=(REFERENCE, weights))
    expected, base = zip(*(by_definition(model.predict, x, weights, joint=True) for x in ROWS), strict=True)
    check(found, np.array(expected), np.array(base))
    assert np.abs(found.residuals["banzhaf"]).max() > 1e-3


@pytest.mark.parametrize("model", [GradientBoostingClassifier(n_estimators=5), RandomForestClassifier(5)])
def test_all_classes_in_a_pipeline(model):
    model = make_pipeline(StandardScaler(), model.set_params(random_state=0)).fit(GRID, LABELS)
    f = model.decision_function if hasattr(model, "decision_function") else model.predict_proba
    found = neon.explain(model, ROWS, "all", composite="banzhaf", reference=REFERENCE)
    expected, base = zip(*(by_definition(f, x, joint=True) for x in ROWS), strict=True)
    check(found, np.array(expected), np.array(base))


def test_covers_are_the_reference_of_trees():
    model = RandomForestRegressor(4, max_depth=4, random_state=0).fit(GRID, TARGET)
    trees = neon.neuralize(model).layers[0].trees
    found = neon.explain(model, ROWS, composite="banzhaf")
    expected = [textbook.banzhaf(lambda s, x=x: textbook.mean_given(trees, x, s), D)[:, 0] for x in ROWS]
    check(found, np.array(expected), np.full(len(ROWS), trees.expectation[0]))
    assert "trees counted" in found.explains


@pytest.mark.parametrize("model", [KernelRidge(kernel="rbf", gamma=0.3), Ridge()], ids=["kernel", "linear"])
def test_other_models(model):
    model = make_pipeline(StandardScaler(), model).fit(GRID, TARGET)
    found = neon.explain(model, ROWS, composite="banzhaf", reference=REFERENCE)
    expected, base = zip(*(by_definition(model.predict, x, joint=False) for x in ROWS), strict=True)
    check(found, np.array(expected), np.array(base))


@pytest.mark.parametrize("reference", [None, REFERENCE])
def test_spelled_out_layers(reference):
    trees = textbook.random_trees(47)
    X = torch.as_tensor(textbook.random_rows(trees, 5, 48, missing=False))
    rows = None if reference is None else X[:3]
    of = [neon.LRP(net, "banzhaf").record(X, reference=rows) for net in (TreeEnsemble(trees), tree_layers(trees))]
    fused, spelled = (recording.propagate(0, account=True) for recording in of)
    close(spelled.relevance[0].numpy(), fused.relevance[0].numpy(), 1e-12)
    close(spelled.ledger.absorbed["banzhaf"].numpy(), fused.ledger.absorbed["banzhaf"].numpy(), 1e-12)


def test_what_has_no_banzhaf_values_is_refused():
    with pytest.raises(ValueError, match=r"Banzhaf values are of sums .* \(softmin"):
        neon.Explainer(OneClassSVM(gamma=0.1).fit(GRID), composite="banzhaf")
    model = SVC(gamma=0.3).fit(GRID, LABELS > 0)
    with pytest.raises(ValueError, match="interactions are Shapley interactions"):
        neon.explain(model, ROWS, composite="banzhaf", interactions=True)


def test_weights_for_shapley_values():
    model = RandomForestRegressor(3, max_depth=5, random_state=0).fit(GRID, TARGET)
    repeated = REFERENCE.repeat([2, 1, 3, 1], axis=0)
    for composite, pairs in itertools.product((None, "interventional", "shapley", "expected"), (False, True)):
        found, expected = (
            neon.explain(model, ROWS, composite=composite, reference=reference, interactions=pairs)
            for reference in ((REFERENCE, np.array([2, 1, 3, 1])), repeated)
        )
        close(found.values, expected.values, 1e-12)
        close(found.base_values, expected.base_values, 1e-12)
        if pairs:
            close(found.interactions, expected.interactions, 1e-12)
