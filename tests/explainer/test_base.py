"""What is said of base values is true of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.ensemble import GradientBoostingClassifier, RandomForestRegressor, VotingRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR, OneClassSVM

import neon

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 3)) + 1.0
Y = X @ [1.0, -2.0, 0.5] + X[:, 0] ** 2
LABELS = np.digitize(Y, [-1.0, 1.0])

MODELS: dict[str, Any] = {
    "linear": LinearRegression().fit(X, Y),
    "logistic": LogisticRegression().fit(X, LABELS),
    "SVR": SVR().fit(X, Y),
    "SVC": SVC().fit(X, LABELS),
    "kernel ridge": KernelRidge(kernel="polynomial").fit(X, Y),
    "process": GaussianProcessRegressor().fit(X, Y),
    "forest": RandomForestRegressor(5, max_depth=3, random_state=0).fit(X, Y),
    "boosting": GradientBoostingClassifier(n_estimators=2, random_state=0).fit(X, LABELS),
    "perceptron": MLPRegressor(hidden_layer_sizes=4, solver="lbfgs", tol=0.1, random_state=0).fit(X, Y),
    "mixture": GaussianMixture(2, random_state=0).fit(X),
    "centers": KMeans(3, n_init=1, random_state=0).fit(X),
    "density": KernelDensity().fit(X),
    "machine": OneClassSVM(gamma=0.5).fit(X),
}


ROWS = X[:7]


def value_at(explainer: neon.Explainer, rows: np.ndarray) -> np.ndarray:
    """What is explained of rows, every output."""
    network: Any = explainer.network
    with torch.no_grad():
        return network(network.encode(rows)).numpy()


@pytest.mark.parametrize("composite", [None, "shapley"])
@pytest.mark.parametrize("name", MODELS)
def test_rows_of_the_caller(name: str, composite: str | None) -> None:
    options = {} if composite is None else {"composite": composite}
    one = neon.Explainer(MODELS[name], reference=X[5], **options)
    found = one(X[:1], "all")
    if (name, composite) == ("SVC", "shapley"):  # whose base value is no prediction
        assert found.base_in_words.endswith(
            "the reference row, of the alternative that is closest at the explained row"
        )
        return
    assert found.base_in_words == "prediction at the reference row"
    np.testing.assert_allclose(found.base_values, value_at(one, X[[5]]), atol=1e-9)
    several = neon.Explainer(MODELS[name], reference=ROWS, **options)
    found = several(X[:1], "all")
    mean = value_at(several, ROWS).mean(0)
    at_mean = value_at(several, ROWS.mean(0, keepdims=True))[0]
    size = np.abs(mean).max()
    is_mean, is_at_mean = (np.abs(found.base_values - value).max() < 1e-6 * size for value in (mean, at_mean))
    expected = {
        "mean prediction of 7 reference rows": is_mean,
        "prediction at the mean of 7 reference rows": is_at_mean and not is_mean,
        "prediction with the model's inner numbers at their mean over 7 reference rows": not (is_mean or is_at_mean),
    }
    assert expected[found.base_in_words]


@pytest.mark.parametrize(
    ("name", "composite", "words"),
    [
        ("linear", None, "prediction at the origin"),
        ("SVC", None, "mean prediction of 20 rows of the support vectors"),
        ("process", "neon", "prediction with the model's inner numbers at their mean over the 60 training rows"),
        ("forest", None, "mean prediction over the training rows that its trees counted"),
        ("mixture", "shapley", "mean prediction of the components (points of their means and covariances)"),
        ("centers", "neon", "zero: relevance and residuals make up the whole prediction"),
    ],
)
def test_what_models_hold(name: str, composite: str | None, words: str) -> None:
    options = {} if composite is None else {"composite": composite}
    found = neon.explain(MODELS[name], X[:3], "all", **options)
    assert found.base_in_words == words
    assert found.base_values.any() == ("zero" not in words)


def test_trees_start_from_the_rows_that_they_counted() -> None:
    forest = RandomForestRegressor(3, bootstrap=False, max_depth=3, random_state=0).fit(X, Y)
    found = neon.explain(forest, X)
    np.testing.assert_allclose(found.base_values, forest.predict(X).mean())
    beside = VotingRegressor([("trees", forest), ("linear", LinearRegression())]).fit(X, Y)
    assert neon.explain(beside, X[:2]).base_in_words.endswith("counted, other estimators at the origin")


def test_targets_of_several_outputs() -> None:
    explainer = neon.Explainer(MODELS["logistic"], reference=X[5])
    contrast = explainer(X[:2], neon.targets.Contrast(0, 2))
    assert contrast.base_in_words == "difference of both outputs: prediction at the reference row"
    at = value_at(explainer, X[[5]])[0]
    np.testing.assert_allclose(contrast.base_values, at[0] - at[2])
    called = explainer(X[:2], lambda output: output[:, 0])
    assert called.base_in_words.startswith("zero")
    assert not called.base_values.any()


def test_torch_modules() -> None:
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1)).double()
    assert neon.explain(module, X[:2]).base_in_words.startswith("zero")
    one = neon.explain(module, X[:2], reference=X[5], composite="neon")
    assert one.base_in_words == "prediction at the reference row"
    with torch.no_grad():
        np.testing.assert_allclose(one.base_values, module(torch.as_tensor(X[[5, 5]]))[:, 0].numpy())
    weighted = neon.explain(module, X[:2], reference=(X[:3], [1.0, 2.0, 3.0]), composite="expected")
    assert weighted.base_in_words == "mean prediction of 3 weighted reference rows"


def test_steps_before_a_linear_map() -> None:
    model = make_pipeline(StandardScaler(), LinearRegression()).fit(X, Y)
    found = neon.explain(model, X[:2])
    assert found.base_in_words == "prediction at the origin of the linear map"
    np.testing.assert_allclose(found.base_values, model.predict(X.mean(0, keepdims=True))[0])
