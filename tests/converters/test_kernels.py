"""Kernel machines at their edges: no support vectors, constant kernels, many classes, other kernels, ties."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, PairwiseKernel, WhiteKernel
from sklearn.kernel_ridge import KernelRidge
from sklearn.random_projection import GaussianRandomProjection
from sklearn.svm import SVC, SVR, NuSVC, OneClassSVM

import neon
from neon.converters import convert

pytestmark = pytest.mark.usefixtures("one_pass")

RANDOM = np.random.default_rng(0)
X = RANDOM.random((40, 3))
ROWS = RANDOM.random((9, 3))


@pytest.mark.parametrize("kernel", ["rbf", "linear", "poly", "sigmoid"])
def test_a_machine_without_support_vectors_is_its_intercept(kernel: str) -> None:
    model = SVR(kernel=kernel).fit(X, 0.02 * X[:, 0])
    assert not len(model.support_vectors_)
    for form in ("fused", "layers"):
        explanation = neon.Explainer(neon.neuralize(model, form=form))(ROWS)
        np.testing.assert_allclose(explanation.prediction, model.predict(ROWS), rtol=1e-12)
        assert not explanation.values.any()
        assert explanation.conservation_error() < 1e-15


@pytest.mark.parametrize("kernel", ["rbf", "linear", "poly"])
def test_sparse_support_vectors(kernel: str) -> None:
    found, expected = (neon.explain(SVC(kernel=kernel).fit(rows, X[:, 0] > 0.5), ROWS) for rows in (csr_matrix(X), X))
    np.testing.assert_allclose(found.values, expected.values, atol=1e-9)


@pytest.mark.parametrize("kernel", [WhiteKernel(), ConstantKernel(), ConstantKernel() + WhiteKernel()])
def test_kernels_that_read_no_features(kernel: Any) -> None:
    model = GaussianProcessRegressor(kernel, optimizer=None, alpha=0.1).fit(X, X[:, 0])
    explanation = neon.explain(model, ROWS)
    np.testing.assert_allclose(explanation.prediction, model.predict(ROWS), atol=1e-9)
    assert explanation.values.shape == ROWS.shape
    assert not explanation.values.any()


@pytest.mark.filterwarnings("ignore:Singular matrix in solving dual problem")
@pytest.mark.parametrize(("kernel", "gamma"), [("cosine", None), ("chi2", 0.5), ("additive_chi2", None)])
def test_kernels_of_other_distances(kernel: str, gamma: float | None) -> None:
    models: list[Any] = [KernelRidge(kernel=kernel, gamma=gamma)]
    if kernel != "additive_chi2":  # which is not positive definite
        options = {} if gamma is None else {"gamma": gamma}
        models.append(GaussianProcessRegressor(PairwiseKernel(metric=kernel, **options), optimizer=None, alpha=0.1))
    for model in models:
        model.fit(X, X[:, 0] - X[:, 1])
        network = neon.neuralize(model)
        assert network.verify(ROWS) < 1e-9
        explanation = neon.explain(model, ROWS)
        assert explanation.conservation_error() < 1e-9
        np.testing.assert_allclose(explanation.base_values + explanation.values.sum(1), explanation.prediction)


@pytest.mark.parametrize("make", [SVC, NuSVC])
def test_memory_grows_with_the_pairs_of_classes_and_not_with_their_square(make: Any) -> None:
    rows = np.random.default_rng(1).normal(size=(160, 2))
    model = make(**({"nu": 0.5} if make is NuSVC else {})).fit(rows, np.arange(160) % 80)
    network = neon.neuralize(model)
    n_pairs = 80 * 79 // 2
    largest = max(buffer.numel() for buffer in network.buffers())
    assert largest <= n_pairs * len(model.support_vectors_)
    assert network.verify(rows[:5]) < 1e-9


@pytest.mark.parametrize("kernel", ["rbf", "linear", "poly"])
def test_ties_of_machines(kernel: str) -> None:
    """Rows of 0 and 1 lie as far from many: classes tie, and neither relevance nor target may hang on the batch."""
    for seed in range(6):
        random = np.random.default_rng(seed)
        binary = (random.random((40, 2)) > 0.5) * 1.0
        model = SVC(kernel=kernel).fit(binary, np.arange(40) % 3)
        explanation = neon.explain(model, binary)
        np.testing.assert_array_equal(explanation.target, model.predict(binary))
        single = neon.explain(model, binary, batch_size=1, progress=False)
        np.testing.assert_array_equal(single.target, explanation.target)
        np.testing.assert_allclose(single.values, explanation.values, atol=1e-9)


def test_terms_that_cancel_leave_rounding() -> None:
    """Rows in pairs of opposite sign: the linear machine is 0 everywhere, which libsvm says to 1e-15."""
    rows = np.array([[-2, -1], [-1, -1], [-1, -2], [1, 1], [1, 2], [2, 1]])
    model = OneClassSVM(kernel="linear").fit(rows)
    assert model.decision_function(rows).any()
    np.testing.assert_allclose(neon.explain(model, rows).prediction, 0.0, atol=1e-14)


def test_a_random_projection_is_not_inverted_before_somebody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of wide ones a pseudo-inverse takes minutes."""
    model = GaussianRandomProjection(2, random_state=0).fit(X)
    with monkeypatch.context() as patched:
        patched.setattr(np.linalg, "pinv", lambda _: pytest.fail("inverted"))
        conversion = convert(model)
    Z = model.transform(ROWS)
    assert conversion.inverse is not None
    np.testing.assert_allclose(conversion.inverse(Z), model.inverse_transform(Z), rtol=1e-9)
