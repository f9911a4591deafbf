"""The kernels against shap's C code, on the fitted forests that people explain with it."""

import numpy as np
import pytest
import torch
from sklearn.datasets import make_regression
from sklearn.ensemble import ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor

from neon.lrp.paths.mean_slopes import legendre
from neon.nn.trees import Forest, Interventional, Shapley, Trees, engine
from neon.nn.trees.quadrature import n_points

shap = pytest.importorskip("shap")


def read(model):
    """scikit-learn's arrays, tree after tree."""
    parts, roots, offset = [], [], 0
    for tree in (estimator.tree_ for estimator in model.estimators_):
        inner = tree.children_left >= 0
        value = tree.value[:, 0] / len(model.estimators_)
        left, right = (np.where(inner, c + offset, -1) for c in (tree.children_left, tree.children_right))
        parts.append((left, right, tree.feature, tree.threshold, tree.weighted_n_node_samples, value))
        roots.append(offset)
        offset += tree.node_count
    left, right, feature, threshold, cover, value = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Trees.make(
        n_features=model.n_features_in_, roots=roots, left=left, right=right, feature=feature, threshold=threshold,
        cover=cover, value=value, base=np.zeros(value.shape[1]), precision="float32",
    )  # fmt: skip


def values(trees, rule, X, reference=None):
    forest = Forest(trees)
    codes = engine.encode(forest, torch.as_tensor(X))
    rows = None if reference is None else engine.encode(forest, torch.as_tensor(reference))
    out = np.zeros((*X.shape, trees.n_outputs))
    for k in range(trees.n_outputs):
        slope = torch.zeros(len(X), trees.n_outputs, dtype=torch.float64)
        slope[:, k] = 1
        out[:, forest.paths.codes.used, k] = engine.relevance(forest, rule, codes, slope, rows).t().numpy()
    return out


MODELS = {
    "shallow": RandomForestRegressor(8, max_depth=6, random_state=0),
    "deep": RandomForestRegressor(3, random_state=1),
    "extra": ExtraTreesRegressor(5, max_depth=7, random_state=2),
    "classes": RandomForestClassifier(6, max_depth=5, random_state=3),
}


@pytest.fixture(scope="module", params=MODELS)
def fitted(request):
    X, y = make_regression(300, 12, noise=3.0, random_state=0)
    X = X.astype(np.float32).astype(np.float64)  # shap compares in float64
    model = MODELS[request.param]
    model.fit(X, np.digitize(y, [-50, 50]) if request.param == "classes" else y)
    return model, read(model), X


@pytest.mark.parametrize("by", ["kernel", "tables"])
def test_path_dependent(fitted, by):
    model, trees, X = fitted
    if by == "tables" and Forest(trees).paths.n_literals.max() > 8:
        with pytest.raises(ValueError, match="at most 8 features"):
            values(trees, Shapley(engine=by), X[:2])
        return
    expected = shap.TreeExplainer(model, feature_perturbation="tree_path_dependent").shap_values(X[:60])
    found = values(trees, Shapley(engine=by), X[:60])
    np.testing.assert_allclose(found, expected.reshape(found.shape), rtol=0, atol=1e-8 * np.abs(expected).max())
    np.testing.assert_allclose(found.sum(1) + trees.expectation, _predict(model, X[:60]), rtol=1e-9)


@pytest.mark.parametrize("by", ["kernel", "auto"])
def test_interventional(fitted, by):
    """To 1e-6: shap sums in float32."""
    model, trees, X = fitted
    reference = X[100:220]  # more rows than shap's own default keeps
    masker = shap.maskers.Independent(reference, max_samples=10**6)
    expected = shap.TreeExplainer(model, masker).shap_values(X[:25])
    found = values(trees, Interventional(engine=by), X[:25], reference)
    np.testing.assert_allclose(found, expected.reshape(found.shape), rtol=0, atol=1e-6 * np.abs(expected).max())
    base = _predict(model, reference).mean(0)
    np.testing.assert_allclose(found.sum(1) + base, _predict(model, X[:25]), rtol=1e-9)


def _predict(model, X):
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)[:, None]


@pytest.mark.parametrize("D", [12, 16, 20, 24, 25, 32, 40, 48, 64])
@pytest.mark.parametrize("satisfied", ["all", "half", "some"])
def test_quadrature_points(D: int, satisfied: str) -> None:
    """``ceil(D / 2)`` points are exact; fewer leave 1e-11, in float32 1e-6, with a millionth of the cover at a leaf."""
    rng = np.random.default_rng(D)
    z = {"all": np.full(D, 1e-6 ** (1 / D)), "half": np.full(D, 1e-3 ** (1 / D)), "some": rng.random(D) ** 0.1}[
        satisfied
    ]
    o = {"all": np.ones(D), "half": np.arange(D) % 2, "some": rng.random(D) < 0.8}[satisfied]

    def integral(q: int) -> float:
        t, weights = legendre(q)
        return float(weights @ np.prod((z + (o - z) * t[:, None])[:, 1:], axis=1))  # of the other literals

    exact = integral(-(-D // 2) + 1)
    for dtype, bound in ((torch.float64, 1e-11), (torch.float32, 1e-6)):
        assert abs(integral(int(n_points(np.array([D]), dtype)[0])) - exact) <= bound
