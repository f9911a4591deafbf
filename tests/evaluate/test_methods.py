"""Every method on a model where its answer is known: a linear one, few features, trees."""

from __future__ import annotations

import importlib
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.ensemble import GradientBoostingClassifier, IsolationForest, RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import SVC, SVR

import neon
from neon import evaluate

RNG = np.random.default_rng(0)
BACKGROUND = RNG.normal(size=(40, 4)) + 1
X = RNG.normal(size=(6, 4))
Y = BACKGROUND @ [1.0, -2.0, 0.0, 3.0] + np.sin(BACKGROUND[:, 0])
LINEAR = LinearRegression().fit(BACKGROUND, Y)
SLOPES = LINEAR.coef_


def needs(package: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(importlib.util.find_spec(package) is None, reason=f"{package} is not installed")


TO_THE_MEAN = [
    "shapley",
    "expected",
    "integrated_gradients",
    "expected_gradients",
    "occlusion",
    "exact_shapley",
    pytest.param("kernel_shap", marks=needs("shap")),
    pytest.param("permutation_shap", marks=needs("shap")),
]
EVERY_ROW = {"expected": "n_rows", "expected_gradients": "n_rows", "kernel_shap": "n_background",
             "permutation_shap": "n_background"}  # fmt: skip


@pytest.mark.filterwarnings("ignore")  # of shap's own
@pytest.mark.parametrize("name", TO_THE_MEAN)
def test_linear_models_have_one_answer(name: str) -> None:
    """``w_i (x_i - mean x_i)``, over the same background rows."""
    method = evaluate.methods[name]
    if name in EVERY_ROW:
        method = partial(method, **{EVERY_ROW[name]: len(BACKGROUND)})
    found = method(LINEAR, X, None, BACKGROUND)
    np.testing.assert_allclose(getattr(found, "values", found), SLOPES * (X - BACKGROUND.mean(0)), rtol=1e-6, atol=1e-8)


def test_gradients() -> None:
    for model in (LINEAR, torch.nn.Linear(4, 1).double()):
        slopes = SLOPES if model is LINEAR else model.weight.detach().numpy()
        np.testing.assert_allclose(evaluate.methods["gradient_x_input"](model, X), X * slopes)
        np.testing.assert_allclose(evaluate.methods["sensitivity"](model, X), np.tile(slopes**2, (6, 1)))
        np.testing.assert_allclose(evaluate.methods["smoothgrad"](model, X), np.tile(slopes, (6, 1)))


def test_neon_is_the_explainer() -> None:
    model = SVR().fit(BACKGROUND, Y)
    np.testing.assert_array_equal(evaluate.methods["default"](model, X).values, neon.Explainer(model)(X).values)
    one_pass = neon.Explainer(model, composite="neon")(X)
    np.testing.assert_array_equal(evaluate.methods["neon"](model, X).values, one_pass.values)
    found = evaluate.methods["shapley"](model, X, None, BACKGROUND)
    ours = neon.Explainer(model, composite="shapley", reference=BACKGROUND)(X)
    np.testing.assert_array_equal(found.values, ours.values)
    classes = np.array([3, 1, 0])[np.digitize(Y, np.quantile(Y, [0.3, 0.6]))]
    classifier = SVC().fit(BACKGROUND, classes)
    for target in (None, 3, [0, 1, 3, 3, 1, 0]):  # labels that are indices of other classes as well
        found = evaluate.methods["default"](classifier, X, target)
        np.testing.assert_array_equal(found.values, neon.Explainer(classifier)(X, target).values)
        labels = evaluate.Explained(classifier).labels(X, target)
        np.testing.assert_array_equal(evaluate.methods["default"](classifier, X, labels).values, found.values)


def test_the_function_is_the_explained_one() -> None:
    model = SVC().fit(BACKGROUND, np.digitize(Y, np.quantile(Y, [0.3, 0.6])))
    f = evaluate.Explained(model)
    explanation = neon.Explainer(model)(X)
    np.testing.assert_array_equal(f.index(X), explanation.target)
    np.testing.assert_allclose(f(X, f.index(X)), explanation.prediction, rtol=1e-12)


def test_exact_shapley_by_hand() -> None:
    """``f = x0 x1 + 2 x2`` from one row of zeros: the product is shared evenly."""

    def f(rows: np.ndarray) -> np.ndarray:
        return rows[:, 0] * rows[:, 1] + 2 * rows[:, 2]

    rows = np.array([[1.0, 3.0, 5.0], [2.0, -1.0, 0.0]])
    found = evaluate.exact_shapley(f, rows, background=np.zeros((1, 3)))
    np.testing.assert_allclose(found, [[1.5, 1.5, 10], [-1, -1, 0]])
    agreement = evaluate.rank_agreement(f, rows, found * 7, background=np.zeros((1, 3)))
    np.testing.assert_allclose(agreement["rank_agreement"], 1)
    with pytest.raises(ValueError, match="at most 10 features"):
        evaluate.exact_shapley(f, np.zeros((1, 11)), background=np.zeros((1, 11)))


def test_exact_shapley_is_that_of_kernel_machines() -> None:
    model = SVR().fit(BACKGROUND, Y)
    rows = BACKGROUND[:5]
    exact = evaluate.exact_shapley(model, X, background=rows)
    ours = evaluate.methods["expected"](model, X, None, rows).values
    np.testing.assert_allclose(ours, exact, rtol=0, atol=1e-9)


@needs("shap")
@pytest.mark.filterwarnings("ignore")  # of shap's own
def test_trees() -> None:
    classes = (np.median(Y) < Y).astype(int)
    for model in (
        RandomForestClassifier(5, max_depth=3, random_state=0).fit(BACKGROUND, classes),
        GradientBoostingClassifier(n_estimators=5, max_depth=2, random_state=0).fit(BACKGROUND, classes),
    ):
        path = evaluate.methods["tree_shap_path"](model, X)
        np.testing.assert_allclose(path, neon.Explainer(model)(X).values, rtol=0, atol=1e-6)
        every = evaluate.methods["tree_shap_interventional"](model, X, None, BACKGROUND)
        exact = evaluate.exact_shapley(model, X, background=BACKGROUND)
        np.testing.assert_allclose(every, exact, rtol=0, atol=1e-6)
    isolation = IsolationForest(n_estimators=5, random_state=0).fit(BACKGROUND)
    with pytest.raises(ValueError, match="another function"):
        evaluate.methods["tree_shap_path"](isolation, X)


@needs("shap")
@pytest.mark.filterwarnings("ignore")  # of shap's own
def test_kernel_shap_leaves_the_global_generator_alone() -> None:
    model = SVR().fit(BACKGROUND, Y)
    np.random.seed(7)  # noqa: NPY002
    expected = np.random.random(3)  # noqa: NPY002
    np.random.seed(7)  # noqa: NPY002
    first = evaluate.methods["kernel_shap"](model, X, None, BACKGROUND)
    np.testing.assert_array_equal(np.random.random(3), expected)  # noqa: NPY002
    np.testing.assert_array_equal(first, evaluate.methods["kernel_shap"](model, X, None, BACKGROUND))


@needs("lime")
@pytest.mark.filterwarnings("ignore")  # of lime's own
def test_lime_ranks_a_linear_models_features() -> None:
    found = evaluate.methods["lime"](LINEAR, BACKGROUND[:8], None, BACKGROUND)
    exact = SLOPES * (BACKGROUND[:8] - BACKGROUND.mean(0))
    assert np.corrcoef(found.ravel(), exact.ravel())[0, 1] > 0.8


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ImportError, match=r"lime; install it: pip install \"neon-xai\[benchmark\]\""):
        evaluate.methods["lime"](LINEAR, X, None, BACKGROUND)


def test_columns_made_by_encoders_have_no_gradient_of_the_callers() -> None:
    codes = RNG.integers(3, size=(30, 2)).astype(float)
    model = make_pipeline(OneHotEncoder(), LinearRegression()).fit(codes, codes.sum(1))
    with pytest.raises(ValueError, match="encoders make"):
        evaluate.methods["gradient_x_input"](model, codes)
    assert evaluate.methods["occlusion"](LINEAR, X, None, BACKGROUND).shape == X.shape
    with pytest.raises(ValueError, match="give background="):
        evaluate.methods["occlusion"](LINEAR, X)
