"""Interactions against brute force, shap, and the relevance they add up to."""

import numpy as np
import pytest
import torch

from neon.nn.trees import Forest, Interventional, Path, Shapley, TreeEnsemble, interactions
from tests.trees import textbook
from tests.trees.test_engine import KINDS, close, phi, way  # noqa: F401  # a fixture


@pytest.mark.parametrize("kind", KINDS)
def test_brute_force(kind, way):  # noqa: F811
    trees = textbook.random_trees(31, **KINDS[kind])
    X, reference = textbook.random_rows(trees, 3, 32), textbook.random_rows(trees, 4, 33)
    n = trees.n_features
    against_covers = [textbook.interactions(lambda s, x=x: textbook.mean_given(trees, x, s), n) for x in X]
    against_rows = [textbook.interactions(lambda s, x=x: textbook.mixed(trees, x, s, reference), n) for x in X]
    ensemble = TreeEnsemble(trees)
    found = interactions(X, ensemble).reshape(3, n, n, -1)
    close(found.numpy(), np.array(against_covers))
    found = interactions(X, ensemble, Interventional(), reference=reference).reshape(3, n, n, -1)
    close(found.numpy(), np.array(against_rows))


def test_rows_add_up_and_are_symmetric():
    trees = textbook.random_trees(34, n_trees=12, max_depth=8, n_features=9, n_outputs=2)
    X = textbook.random_rows(trees, 150, 35)
    found = interactions(torch.as_tensor(X), Forest(trees), Shapley()).numpy()
    assert found.shape == (150, 9, 9, 2)
    close(found.sum(2), phi(trees, Shapley(), X))
    assert np.array_equal(found, found.transpose(0, 2, 1, 3))
    assert torch.equal(interactions(X, Forest(trees), output=1), torch.as_tensor(found[..., 1].copy()))


def test_shap():
    shap = pytest.importorskip("shap")
    from sklearn.datasets import make_regression
    from sklearn.ensemble import RandomForestRegressor

    from tests.trees.test_kernel import read

    X, y = make_regression(200, 7, random_state=0)
    X = X.astype(np.float32).astype(np.float64)
    model = RandomForestRegressor(5, max_depth=6, random_state=0).fit(X, y)
    expected = shap.TreeExplainer(model, feature_perturbation="tree_path_dependent").shap_interaction_values(X[:20])
    close(interactions(X[:20], Forest(read(model))).numpy(), expected, 1e-8)


def test_errors():
    trees = textbook.random_trees(36)
    X = textbook.random_rows(trees, 3, 37)
    with pytest.raises(ValueError, match="needs reference rows"):
        interactions(X, Forest(trees), Interventional())
    with pytest.raises(ValueError, match="relative to the covers"):
        interactions(X, Forest(trees), reference=X)
    with pytest.raises(ValueError, match="not from"):
        interactions(X, Forest(trees), Path())
    with pytest.raises(ValueError, match="must have shape"):
        interactions(X[:, :2], Forest(trees))
