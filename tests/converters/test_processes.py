"""Gaussian processes, kernel ridge, label propagation and isotonic regression against their formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import logit
from sklearn.datasets import load_diabetes, load_wine
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import (
    RBF,
    CompoundKernel,
    ConstantKernel,
    DotProduct,
    ExpSineSquared,
    Kernel,
    Matern,
    PairwiseKernel,
    RationalQuadratic,
    WhiteKernel,
)
from sklearn.isotonic import IsotonicRegression
from sklearn.kernel_ridge import KernelRidge
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import LabelPropagation, LabelSpreading

import neon
from neon.converters.kernels.algebra import Atom, Combined, Constant, kernel_layers, parse
from neon.errors import UnsupportedModelError
from neon.nn import forms
from tests.contract.case import SKLEARN

pytestmark = pytest.mark.usefixtures("one_pass")

tells_latent_mean = pytest.mark.skipif(SKLEARN < (1, 7), reason="latent_mean_and_variance is new in scikit-learn 1.7")
A, B = np.linspace(2.0, 6.0, 10), np.linspace(5.0, 3.0, 10)


def regression(n: int = 90) -> tuple[np.ndarray, np.ndarray]:
    X, y = load_diabetes(return_X_y=True)
    return StandardScaler().fit_transform(X[:n]), y[:n]


def wine() -> tuple[np.ndarray, np.ndarray]:
    X, y = load_wine(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


EXPRESSIONS: list[tuple[Kernel, str]] = [
    (RBF(2.0), "one"),
    (ConstantKernel(3.0) * RBF(A) + WhiteKernel(2.0), "one"),
    (RBF(A) * RBF(B) * 2.0, "one"),
    (RBF(2.0) * Matern(3.0, nu=1.5) + RationalQuadratic(2.0) + 0.5, "one"),
    (Matern(A) * RationalQuadratic(2.0), "product"),
    (RBF(A) + RBF(B) + RBF(A) * Matern(A), "sum"),
    (DotProduct(1.0) ** 2 * 0.1 + DotProduct(2.0), "one"),
    (DotProduct(1.0) * RBF(3.0) + 2.0, "sum"),
    ((DotProduct(1.0) + RBF(3.0)) * (RBF(A) + 1.0), "product"),
    ((DotProduct(1.0) + RBF(3.0)) ** 2, "power"),
    ((2.0 * RBF(2.0)) ** 1.5, "one"),
    (ExpSineSquared(2.0, 3.0) * RBF(4.0), "one"),
    (PairwiseKernel(metric="laplacian", gamma=0.1) * PairwiseKernel(metric="laplacian", gamma=0.2), "one"),
    (PairwiseKernel(metric="sigmoid", gamma=0.05) + PairwiseKernel(metric="poly", gamma=0.1), "one"),
    (PairwiseKernel(metric="linear") + Matern(A, nu=np.inf), "sum"),
    (3.0 * (RBF(A) + DotProduct(1.0)) * (RBF(2.0) + 1.0), "product"),
    ((RBF(A) + DotProduct(1.0)) ** 2 * 2.0, "product"),
    (Matern(2.0, nu=0.5) ** 2, "one"),
]


@pytest.mark.parametrize("form", ["fused", "layers"])
@pytest.mark.parametrize(("kernel", "shape"), EXPRESSIONS, ids=lambda part: str(part)[:60])
def test_kernel_algebra(kernel: Kernel, shape: str, form: str) -> None:
    """The layers give scikit-learn's kernel values, from as few distances as there are."""
    X, _ = regression()
    expression = parse(kernel)
    assert (expression.how if isinstance(expression, Combined) else "one") == shape
    layers = torch.nn.Sequential(*kernel_layers(expression, X[:30]))
    if form == "layers":
        layers = forms.spelled_out(layers, X.shape[1])
    assert relative(layers(torch.tensor(X)).numpy(), kernel(X, X[:30])) < 1e-12


def test_constants_fold() -> None:
    assert parse(ConstantKernel(2.0) * ConstantKernel(3.0) + WhiteKernel(1.0)) == Constant(6.0)
    assert parse(WhiteKernel(1.0) * RBF(2.0)) == Constant(0.0)
    assert parse(ConstantKernel(2.0) ** 3) == Constant(8.0)
    assert parse(RBF(np.full(4, 2.0))) == parse(RBF(2.0))
    assert isinstance(parse(RBF(A) * RBF(B)), Atom)


def test_log_mean_rule_of_an_ard_kernel() -> None:
    """``R_i = Σ_j α_j L_j (ρ_ij - δ_ij²) / 2 l_i²``, L the logarithmic mean of the kernel at x and at the reference."""
    X, y = regression(60)
    model = GaussianProcessRegressor(RBF(A), alpha=0.1, optimizer=None, normalize_y=True).fit(X, y)
    rows = X[:12] + 0.1
    explanation = neon.Explainer(model)(rows)
    alpha = model.alpha_ * y.std()
    parts = (rows[:, None] - X) ** 2 / (2 * A**2)
    mean = ((X[:, None] - X) ** 2 / (2 * A**2)).mean(0)
    u, v = -parts.sum(2), -mean.sum(1)
    log_mean = (np.exp(u) - np.exp(v)) / (u - v)
    expected = np.einsum("nj,nji->ni", alpha * log_mean, mean - parts)
    assert relative(explanation.values, expected) < 1e-9
    np.testing.assert_allclose(explanation.base_values, alpha @ np.exp(v) + y.mean())
    assert not explanation.residuals


def test_reference_of_ones_own() -> None:
    X, y = regression(60)
    model = GaussianProcessRegressor(Matern(4.0) + DotProduct(), alpha=0.1, optimizer=None).fit(X, y)
    explanation = neon.Explainer(model, reference=X[5])(X[:20])
    np.testing.assert_allclose(explanation.base_values, model.predict(X[5:6])[0])
    np.testing.assert_allclose(explanation.values[5], 0.0, atol=1e-8)
    assert explanation.conservation_error() < 1e-9 * np.abs(explanation.prediction).max()


def test_a_feature_without_influence_gets_nothing() -> None:
    X, y = regression(60)
    lengths = np.where(np.arange(10) == 3, 1e8, 3.0)
    kernel = RBF(lengths) * RationalQuadratic(1e9) + RBF(lengths)
    model = GaussianProcessRegressor(kernel, alpha=0.1, optimizer=None).fit(X, y)
    values = neon.Explainer(model)(X).values
    assert np.abs(values[:, 3]).max() < 1e-9 * np.abs(values).max()


def test_several_targets() -> None:
    X, y = regression(60)
    Y = np.stack([y, np.sqrt(y)], axis=1)
    for model in (
        GaussianProcessRegressor(RBF(3.0), alpha=0.1, optimizer=None, normalize_y=True),
        KernelRidge(kernel="rbf", gamma=0.05),
    ):
        explanation = neon.Explainer(model.fit(X, Y))(X + 0.1, "all")
        assert relative(explanation.prediction, model.predict(X + 0.1)) < 1e-12
        assert explanation.output_names == ("target 0", "target 1")


@tells_latent_mean
@pytest.mark.parametrize("how", ["one_vs_rest", "one_vs_one"])
def test_latent_functions(how: str) -> None:
    """Measured: the largest latent mean is at the predicted class in all of 178 rows."""
    X, y = wine()
    model = GaussianProcessClassifier(RBF(3.0), multi_class=how, optimizer=None).fit(X[::2], y[::2])
    explainer = neon.Explainer(model)
    latent = explainer(X, "all").prediction
    np.testing.assert_array_equal(explainer(X).target, model.predict(X))
    if how == "one_vs_rest":
        machines = model.base_estimator_.estimators_
        own = np.stack([machine.latent_mean_and_variance(X)[0] for machine in machines], axis=1)
        assert relative(latent, own) < 1e-12
    else:
        assert ((latent > 0).sum(1) <= 1).all()


@tells_latent_mean
def test_binary_latent_function_has_the_sign_of_the_prediction() -> None:
    X, y = wine()
    X, y = X[y < 2], np.where(y[y < 2] == 0, "no", "yes")
    model = GaussianProcessClassifier(ConstantKernel(2.0) * RBF(3.0), optimizer=None).fit(X[::2], y[::2])
    explanation = neon.Explainer(model)(X, "yes")
    np.testing.assert_array_equal(explanation.prediction > 0, model.predict(X) == "yes")
    assert relative(explanation.prediction, model.latent_mean_and_variance(X)[0]) < 1e-12


@pytest.mark.parametrize("kind", [LabelPropagation, LabelSpreading])
def test_label_propagation_is_its_own_log_odds(kind: Any) -> None:
    X, y = wine()
    model = kind(gamma=0.1, max_iter=3000).fit(X, np.where(np.arange(len(y)) % 4 == 0, y, -1))
    probability = model.predict_proba(X + 0.05)
    certain = (probability > 1e-6) & (probability < 1 - 1e-6)
    assert certain.mean() > 0.5
    explanation = neon.Explainer(model)(X + 0.05, "all")
    assert relative(explanation.prediction[certain], logit(probability[certain])) < 1e-9


@pytest.mark.parametrize("kind", [LabelPropagation, LabelSpreading])
def test_rows_whose_neighbours_no_label_has_reached_are_refused(kind: Any) -> None:
    """The model divides 0 by 0 there."""
    X = np.array([[100.0, 100.0], [100.0, 100.0], [0.0, 0.0], [0.0, 0.0]])
    model = kind(kernel="knn", n_neighbors=1).fit(X, [0, 1, -1, -1])
    with pytest.raises(ValueError, match="NaN or infinity for 2 rows, the first of them 2"):
        neon.explain(model, X, 0)
    np.testing.assert_allclose(neon.explain(model, X[:2], output="probability").prediction, 1.0)


def test_label_propagation_far_from_all_points() -> None:
    """Where all kernel values underflow, the model itself divides 0 by 0."""
    X, y = wine()
    model = LabelSpreading(gamma=5.0).fit(X, y)
    explanation = neon.Explainer(model)(X[:3] + 50.0, "all")
    assert np.isfinite(explanation.prediction).all()
    assert explanation.conservation_error() < 1e-9 * np.abs(explanation.prediction).max()


def test_isotonic_regression() -> None:
    X, y = regression()
    column = X[:, [2]]
    model = IsotonicRegression(out_of_bounds="clip").fit(column, y)
    rows = np.linspace(-4, 4, 50)[:, None]
    middle = (model.X_thresholds_[0] + model.X_thresholds_[-1]) / 2
    assert neon.neuralize(model, form="relu").verify(rows) < 1e-9
    explanation = neon.Explainer(model)(rows)
    np.testing.assert_allclose(explanation.base_values, model.predict([middle])[0])
    np.testing.assert_allclose(explanation.values[:, 0], model.predict(rows) - model.predict([middle])[0], atol=1e-9)


def test_isotonic_regression_out_of_bounds() -> None:
    X, y = regression()
    model = IsotonicRegression().fit(X[:, [2]], y)
    with pytest.warns(UserWarning, match="1 rows"):
        explanation = neon.Explainer(model)(np.array([[0.0], [100.0]]))
    assert np.isnan(explanation.prediction).tolist() == [False, True]
    with pytest.raises(ValueError, match="no exact ReLU form"):
        neon.neuralize(model, form="relu")


def test_isotonic_regression_of_one_value() -> None:
    model = IsotonicRegression(out_of_bounds="clip").fit(np.zeros((3, 1)), np.ones(3))
    for form in ("fused", "relu"):
        assert neon.neuralize(model, form=form).verify(np.array([[-1.0], [0.0], [2.0]])) == 0


def test_what_is_not_supported_says_so() -> None:
    X, y = regression()
    with pytest.raises(UnsupportedModelError, match=r"no function of one distance.*supported are 'linear', 'rbf'"):
        neon.neuralize(KernelRidge(kernel=lambda a, b: a @ b).fit(X, y))
    with pytest.raises(UnsupportedModelError, match="callable"):
        neon.neuralize(LabelPropagation(kernel=lambda a, b: np.exp(-((a @ b.T) ** 2))).fit(X, y > y.mean()))
    with pytest.raises(UnsupportedModelError, match="supported are sums, products and powers"):
        parse(CompoundKernel([RBF()]))
    with pytest.raises(UnsupportedModelError, match="no function of one distance"):
        parse(PairwiseKernel(metric=lambda a, b, gamma: a @ b))


def test_sums_that_cancel_are_exact_to_their_rounding() -> None:
    """A constant kernel fits rows by weights of 1e10 whose sum is 1: the model's own answer has five digits."""
    X = np.array([[1.0], [3.0], [5.0], [6.0], [7.0], [8.0]])
    model = GaussianProcessRegressor(ConstantKernel(1.0, "fixed")).fit(X, X[:, 0] * np.sin(X[:, 0]))
    assert np.abs(model.alpha_).max() > 1e9
    np.testing.assert_allclose(neon.explain(model, X).prediction, model.predict(X), atol=1e-3)


def test_kernels_of_records_are_refused_by_name() -> None:
    class Letters(Kernel):
        """Texts are alike by their length."""

        requires_vector_input = False

        def __init__(self) -> None: ...

        def __call__(self, X: Any, Y: Any = None, eval_gradient: bool = False) -> Any:
            return np.exp(-(np.subtract.outer([len(x) for x in X], [len(y) for y in (X if Y is None else Y)]) ** 2.0))

        def diag(self, X: Any) -> np.ndarray:
            return np.ones(len(X))

        def is_stationary(self) -> bool:
            return False

    rows = np.array(["a", "bb", "ccc", "d"])
    options: dict[str, Any] = {"kernel": Letters(), "optimizer": None}
    for model in (
        GaussianProcessRegressor(**options).fit(rows, [1.0, 2.0, 3.0, 1.0]),
        GaussianProcessClassifier(**options).fit(rows, [0, 1, 1, 0]),
    ):
        with pytest.raises(UnsupportedModelError, match="Letters"):
            neon.neuralize(model)
