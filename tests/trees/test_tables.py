"""Look-up tables: what is built, when, and that they give what the kernel gives."""

import numpy as np
import pytest
import torch

from neon.nn.trees import Forest, Interventional, Shapley, engine, tables
from neon.nn.trees.paths import Paths
from tests.trees import textbook
from tests.trees.test_engine import without_numba


def ready(seed, **options):
    trees = textbook.random_trees(seed, **options)
    return trees, Forest(trees), torch.as_tensor(textbook.random_rows(trees, 700, seed + 1))


def test_groups_cover_every_leaf_once():
    _, forest, _ = ready(1, n_trees=20, max_depth=8, grow=0.95)
    groups = forest.groups
    assert sorted(groups.leaf.tolist()) == np.flatnonzero(forest.paths.leaf).tolist()
    assert groups.n_bits.max() <= tables.BITS
    assert (np.diff(groups.tree) >= 0).all()
    assert groups.n_groups < len(groups.leaf) / 2


def test_a_leaf_holds_at_the_patterns_of_its_rows():
    """A leaf's literals all hold in the pattern of exactly the rows that reach it."""
    trees, forest, X = ready(2, n_trees=5, max_depth=6)
    paths, groups = Paths.of(trees), forest.groups
    index = tables._patterns(paths, groups, engine.encode(forest, X), 0, groups.n_groups).numpy()
    pattern = index - groups.row[:-1, None]
    rows = X.numpy()
    for i, edge in enumerate(groups.leaf):
        at = pattern[groups.group[i]][:, None]
        inside = ((at & groups.mask[i]) == groups.wanted[i]).all(1)
        tree = int(paths.tree(np.array([edge]))[0])
        reached = [textbook.leaf_of(trees, tree, row) == paths.node[edge] for row in rows[:60]]
        assert inside[:60].tolist() == reached


@pytest.mark.parametrize("options", [{}, {"n_outputs": 3, "n_trees": 9}, {"n_outputs": 2, "vector": True}])
@pytest.mark.parametrize("rule", [Shapley, Interventional])
def test_tables_are_the_kernel(options, rule, monkeypatch):
    trees, forest, X = ready(3, max_depth=7, n_features=8, **options)
    codes, reference = engine.encode(forest, X), engine.encode(forest, X[:40])
    slope = torch.randn(len(X), trees.n_outputs, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    slope[::3] = 0
    expected = engine.relevance(forest, rule(engine="kernel"), codes, slope, reference)
    compiled = engine.relevance(forest, rule(engine="tables"), codes, slope, reference)
    without_numba(monkeypatch)
    plain = engine.relevance(forest, rule(engine="tables"), codes, slope, reference)
    for found in (compiled, plain):
        assert (found - expected).abs().max() <= 1e-13 * expected.abs().max()


def test_tables_are_built_where_they_pay_off(monkeypatch: pytest.MonkeyPatch) -> None:
    _, forest, X = ready(4, n_trees=10)
    codes = engine.encode(forest, X)
    slope = torch.ones(len(X), 1, dtype=torch.float64)
    few = engine.relevance(forest, Shapley(), codes[:, :1], slope[:1])
    assert not forest.tables
    monkeypatch.setattr(engine, "_BUILD", 1e-12)  # as for many rows
    many = engine.relevance(forest, Shapley(), codes, slope)
    assert forest.tables
    assert (many[:, :1] - few).abs().max() <= 1e-13
    monkeypatch.undo()
    again = engine.relevance(forest, Shapley(), codes[:, :1], slope[:1])
    assert torch.equal(again, few)  # whatever was explained in between


def test_other_reference_rows_other_tables():
    _, forest, X = ready(5)
    slope = torch.ones(len(X), 1, dtype=torch.float64)
    rule = Interventional(engine="tables")
    for reference in (X[:5], X[5:9], X[:5], X[9:30]):
        rows = engine.encode(forest, reference)
        found = engine.relevance(forest, rule, engine.encode(forest, X), slope, rows)
        expected = engine.relevance(forest, Interventional(engine="kernel"), engine.encode(forest, X), slope, rows)
        assert (found - expected).abs().max() <= 1e-13 * expected.abs().max()
    assert len(forest.tables) <= 2
