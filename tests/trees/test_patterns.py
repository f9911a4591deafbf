"""Values against reference rows from counts of patterns: brute force, the walk, and which of them is taken when."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier, RandomForestRegressor

import neon
from neon._compilation import has_numba
from neon.nn.trees import Forest, Interventional, Trees, costs, engine
from tests.trees import textbook
from tests.trees.test_engine import KINDS, close

if not has_numba():
    pytest.skip("patterns are counted by compiled loops", allow_module_level=True)
from neon.nn.trees import compiled

COUNT, MEET, WALK = (20, 20), (0, 64), (0, 0)


def values(trees, X, reference, limits, *, weights=None, index="shapley"):
    """(n_samples, n_features, n_outputs), leaves by the length of their path from counts, by meeting, by a walk."""
    forest = Forest(trees)
    codes, rows = (engine.encode(forest, torch.as_tensor(part)) for part in (X, reference))
    weights = np.full(len(reference), 1 / len(reference)) if weights is None else weights
    out = np.zeros((len(X), trees.n_features, trees.n_outputs))
    for k in range(trees.n_outputs):
        slope = torch.zeros(len(X), trees.n_outputs, dtype=torch.float64)
        slope[:, k] = 1
        found = compiled.interventional(forest, codes, slope, rows, torch.as_tensor(weights), index, limits)
        out[:, forest.paths.codes.used, k] = found.t()
    return out


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("index", ["shapley", "banzhaf"])
@pytest.mark.parametrize("limits", [COUNT, MEET], ids=["count", "meet"])
def test_patterns_are_brute_force(kind, index, limits):
    """Rows on thresholds and beside them, at infinity, and missing."""
    trees = textbook.random_trees(51, **KINDS[kind])
    X, reference = textbook.random_rows(trees, 3, 52), textbook.random_rows(trees, 5, 53)
    value_of = getattr(textbook, index)
    expected = [value_of(lambda s, x=x: textbook.mixed(trees, x, s, reference), trees.n_features) for x in X]
    close(values(trees, X, reference, limits, index=index), np.array(expected), 1e-12)


@pytest.mark.parametrize("options", [{}, {"n_outputs": 2}, {"n_outputs": 2, "vector": True}])
@pytest.mark.parametrize("index", ["shapley", "banzhaf"])
def test_patterns_are_the_walk(options, index):
    """On paths of more than eight features, with weights, whichever leaves are computed how, and how many at a time."""
    trees = textbook.random_trees(
        54, n_features=14, max_depth=13, grow=0.8, missing=True, categorical=True, **options
    )  # fmt: skip
    X, reference = textbook.random_rows(trees, 3, 55), textbook.random_rows(trees, 600, 56)
    weights = np.random.default_rng(0).dirichlet(np.ones(600))
    weights[3] = 0
    assert Forest(trees).paths.length.max() > 10
    expected = values(trees, X, reference, WALK, weights=weights, index=index)
    for limits in ((2, 2), (7, 9), (10, 20), COUNT, MEET):
        close(values(trees, X, reference, limits, weights=weights, index=index), expected, 1e-13)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "_TABLES", 1)
        close(values(trees, X, reference, COUNT, weights=weights, index=index), expected, 1e-13)


def chain(depth):
    """One tree that asks a feature after the other, and ends wherever one is not larger than -0.5."""
    n, inner = 2 * depth + 1, 2 * np.arange(depth)
    left, right, feature = (np.full(n, -1) for _ in range(3))
    left[inner], right[inner], feature[inner] = inner + 1, inner + 2, np.random.default_rng(0).permutation(depth)
    return Trees.make(
        n_features=depth, roots=[0], left=left, right=right, feature=feature,
        threshold=np.where(left >= 0, -0.5, np.nan), cover=np.ones(n), value=np.eye(n)[-1],
    )  # fmt: skip


def test_a_path_of_eighteen_features():
    """The quadrature is exact at any length."""
    depth, rng = 18, np.random.default_rng(0)
    trees = chain(depth)
    X, reference = rng.normal(size=(30, depth)), rng.normal(size=(50, depth))
    X[0], reference[0] = 1, -1
    X[1], reference[1] = -1, 1
    expected = values(trees, X, reference, WALK)
    close(values(trees, X, reference, COUNT), expected, 1e-13)
    close(values(trees, X, reference, MEET), expected, 1e-13)


MODELS = {
    "forest": RandomForestRegressor(4, random_state=0),
    "classes": RandomForestClassifier(4, random_state=0),
    "missing": HistGradientBoostingRegressor(max_iter=5, max_leaf_nodes=60, min_samples_leaf=2),
}


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("dear", ["_COUNTED", "_MET"])
def test_fitted_models_on_a_grid(kind, dear, monkeypatch):
    """Values equal to thresholds, by the model's own predictions of every mix of a row and the reference rows."""
    monkeypatch.setattr(engine, "BITS", 3)  # no look-up tables
    for constant in ("WALK", dear):
        monkeypatch.setattr(costs, constant, 1.0)  # as if it took for ever
    rng, d = np.random.default_rng(1), 7
    X = rng.integers(0, 20, (400, d)) / 10
    y = X[:, 0] * X[:, 1] + np.sin(3 * X[:, 2]) + X[:, 3:].sum(1) + rng.normal(size=400) / 10
    if kind == "missing":
        X[rng.random(X.shape) < 0.1] = np.nan
    if kind == "classes":
        y = np.digitize(y, np.quantile(y, [0.3, 0.7]))
    model = MODELS[kind].fit(X, y)
    f = getattr(model, "predict_proba", model.predict)
    rows, reference = X[:3], X[20:60]
    found = neon.explain(model, rows, "all" if kind == "classes" else None, reference=reference)

    def game(row, present):
        mixed = reference.copy()
        mixed[:, list(present)] = row[list(present)]
        return np.atleast_1d(f(mixed).mean(0))

    expected = np.array([textbook.shapley(lambda s, row=row: game(row, s), d) for row in rows])
    close(found.values, expected.reshape(found.values.shape), 1e-12)
    base = f(reference).mean(0)
    close(found.base_values, np.broadcast_to(base, found.base_values.shape), 1e-14)


def test_what_is_cheapest():
    trees = textbook.random_trees(57, n_features=12, max_depth=11, grow=0.95)
    forest = Forest(trees)
    longest = int(forest.paths.length.max())
    assert longest > 8
    assert costs.cheapest(forest, 1, 1)[0] == (0, 0)
    assert costs.cheapest(forest, 10_000, 100_000)[0][0] == longest
    assert costs.cheapest(forest, 100_000, 100)[0][0] == longest
    ways, seconds = zip(*(costs.cheapest(forest, n, 100) for n in (1, 10, 100, 1000, 10_000)), strict=True)
    assert list(ways) == sorted(ways)
    assert list(seconds) == sorted(seconds)


def test_the_kernel_that_is_asked_for_walks(monkeypatch):
    trees = textbook.random_trees(57, n_features=12, max_depth=6)
    forest, X = Forest(trees), torch.as_tensor(textbook.random_rows(trees, 50, 61))
    codes, slope = engine.encode(forest, X), torch.ones(50, 1, dtype=torch.float64)
    found = []
    monkeypatch.setattr(
        compiled, "interventional", lambda *given: found.append(given[-1]) or torch.zeros(codes.shape)
    )  # fmt: skip
    engine.relevance(forest, Interventional(engine="kernel"), codes, slope, codes)
    engine.relevance(forest, Interventional(), codes, slope, codes)
    assert found[0] == (0, 0) != found[1]


@pytest.mark.parametrize("n", [3, 300])
def test_paths_longer_than_patterns(n):
    """A chain of 80 features: whatever is computed otherwise, its last leaves are walked to."""
    trees, rng = chain(80), np.random.default_rng(1)
    X, reference = rng.normal(size=(n, 80)) + 2, rng.normal(size=(100, 80)) + 2
    limits, _ = costs.cheapest(Forest(trees), n, 100)
    assert max(limits) <= 64
    close(values(trees, X, reference, limits), values(trees, X, reference, WALK), 1e-13)


def test_the_same_bits_again_and_in_other_chunks():
    trees = textbook.random_trees(58, n_features=12, max_depth=11, n_outputs=3, n_trees=6)
    X, reference = textbook.random_rows(trees, 3000, 59), textbook.random_rows(trees, 200, 60)
    forest = Forest(trees)
    codes, rows = (engine.encode(forest, torch.as_tensor(part)) for part in (X, reference))
    slope = torch.nn.functional.one_hot(torch.arange(3000) % 3, 3).double()
    once, again = (engine.relevance(forest, Interventional(), codes, slope, rows) for _ in range(2))
    assert torch.equal(once, again)
    parts = [
        engine.relevance(forest, Interventional(), codes[:, i : i + 700], slope[i : i + 700], rows)
        for i in range(0, 3000, 700)
    ]
    assert (torch.cat(parts, 1) - once).abs().max() <= 1e-14 * once.abs().max()
