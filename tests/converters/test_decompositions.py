"""Projections and codes against slow textbook forms, and what they refuse."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn import cross_decomposition, decomposition, manifold
from sklearn.cluster import FeatureAgglomeration, KMeans
from sklearn.datasets import load_digits, load_linnerud, load_wine, make_low_rank_matrix
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import neon
from tests.contract.case import SKLEARN
from tests.contract.decompositions import atoms

pytestmark = pytest.mark.usefixtures("one_pass")

WINE = StandardScaler().fit_transform(load_wine().data)
DIGITS = load_digits().data[:80] / 16


def error(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def coder(algorithm: str, **options: Any) -> Any:
    return decomposition.SparseCoder(atoms(20, 13), transform_algorithm=algorithm, **options).fit(WINE)


def on_active_set(x: np.ndarray, code: np.ndarray, rows: np.ndarray, penalty: float, ridge: float) -> np.ndarray:
    """Relevance of every code's features, (n_features, n_atoms): code_S = A x - λ B s with S the atoms in use."""
    values, used = np.zeros((len(x), len(rows))), np.flatnonzero(code)
    if len(used):
        inverse = np.linalg.inv(rows[used] @ rows[used].T + ridge * np.eye(len(used)))
        matrix = inverse @ rows[used]
        np.testing.assert_allclose(matrix @ x - penalty * inverse @ np.sign(code[used]), code[used], atol=1e-9)
        values[:, used] = (matrix * x).T
    return values


@pytest.mark.parametrize(
    ("model", "penalty"),
    [
        (coder("omp", transform_n_nonzero_coefs=4), 0.0),
        (coder("lasso_lars", transform_alpha=0.3), 0.3),
        (coder("lasso_lars", transform_alpha=0.3, positive_code=True), 0.3),
    ],
)
def test_sparse_codes_are_linear_on_the_atoms_in_use(model: Any, penalty: float) -> None:
    explanation = neon.Explainer(model)(WINE, "all")
    codes = model.transform(WINE)
    codes[np.abs(codes) < 1e-10] = 0
    expected = np.stack([on_active_set(x, c, model.dictionary, penalty, 0.0) for x, c in zip(WINE, codes, strict=True)])
    assert error(explanation.prediction, codes) < 1e-11
    assert error(explanation.values, expected) < 1e-10
    assert set(explanation.residuals) == ({"penalty"} if penalty else set())


@pytest.mark.skipif(SKLEARN < (1, 8), reason="coordinate descent stopped at 1e-4, before its atoms were settled")
def test_coordinate_descent_is_near_its_limit() -> None:
    """``transform`` stops at 1e-8 of the dual gap; the network solves for the minimum."""
    model = coder("lasso_cd", transform_alpha=0.3, transform_max_iter=10_000)
    found = neon.Explainer(model)(WINE, "all").prediction
    assert 1e-13 < error(found, model.transform(WINE)) < 1e-5
    assert error(found, coder("lasso_lars", transform_alpha=0.3).transform(WINE)) < 1e-11


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
def test_non_negative_codes_are_the_minimum(l1_ratio: float) -> None:
    model = decomposition.NMF(4, alpha_W=0.003, l1_ratio=l1_ratio, random_state=0, max_iter=2000).fit(DIGITS)
    H, penalty, ridge = model.components_, 64 * 0.003 * l1_ratio, 64 * 0.003 * (1 - l1_ratio)
    explanation = neon.Explainer(model)(DIGITS, "all")
    codes = explanation.prediction
    assert (codes >= -1e-12).all()
    gradient = (codes @ H - DIGITS) @ H.T + penalty + ridge * codes  # of ½ ‖x - wH‖² + λ Σ w + ½ ρ ‖w‖²
    assert np.abs(np.where(codes > 0, gradient, np.minimum(gradient, 0))).max() < 1e-11
    expected = np.stack([on_active_set(x, w, H, penalty, ridge) for x, w in zip(DIGITS, codes, strict=True)])
    assert error(explanation.values, expected) < 1e-10

    def objective(w: np.ndarray) -> float:
        return float(0.5 * ((DIGITS[0] - w @ H) ** 2).sum() + penalty * w.sum() + 0.5 * ridge * (w**2).sum())

    slow = minimize(objective, np.ones(4), bounds=[(0, None)] * 4, options={"ftol": 1e-15, "gtol": 1e-10})
    assert error(codes[0], slow.x) < 1e-4


@pytest.mark.parametrize(
    ("model", "figure"),
    [
        (decomposition.NMF(5, random_state=0, max_iter=1000), 1e-3),
        (decomposition.NMF(5, solver="mu", random_state=0, max_iter=1000), 0.05),
        (decomposition.MiniBatchNMF(5, random_state=0, max_iter=2000), 0.05),
    ],
)
def test_how_far_transform_stays_from_its_limit(model: Any, figure: float) -> None:
    """The agreement with ``transform`` itself, which stops at its tolerance."""
    found = neon.Explainer(model.fit(DIGITS))(DIGITS, "all").prediction
    assert error(found, model.transform(DIGITS)) < figure


def test_a_reference_point_keeps_the_map_and_accounts_for_the_rest() -> None:
    network = neon.neuralize(coder("omp", transform_n_nonzero_coefs=3))
    lrp = neon.LRP(network, "neon")
    x, reference = network.encode(WINE[:30]), network.encode(WINE[[50]])
    recording = lrp.record(x, reference=reference)
    walk = recording.propagate(int(recording.output.abs().sum(0).argmax()), account=True)
    k = int(recording.output.abs().sum(0).argmax())
    total = walk.relevance[0].sum(1) + sum(walk.ledger.absorbed.values())
    assert error(total.numpy(), (recording.output - recording.base)[:, k].numpy()) < 1e-10
    codes, rows = recording.output.numpy(), network.model.dictionary
    for i in range(30):
        used = np.flatnonzero(codes[i])
        if k in used:
            matrix = np.linalg.pinv(rows[used].T)[list(used).index(k)]
            np.testing.assert_allclose(walk.relevance[0][i].numpy(), matrix * (WINE[i] - WINE[50]), atol=1e-10)


def test_kernel_pca_is_relative_to_the_training_points() -> None:
    model = decomposition.KernelPCA(2, kernel="rbf", gamma=0.05).fit(WINE)
    explanation = neon.Explainer(model)(WINE[:20], "all")
    alphas = model.eigenvectors_ / np.sqrt(model.eigenvalues_)
    rho = ((WINE[:, None] - WINE) ** 2).mean(0)  # of the training points from each of them, feature by feature
    v = -0.05 * rho.sum(1)
    for i in range(20):
        delta = (WINE[i] - WINE) ** 2
        u = -0.05 * delta.sum(1)
        mean = np.where(u == v, np.exp(u), (np.exp(u) - np.exp(v)) / (u - v))
        weight = (alphas - alphas.mean(0)) * mean[:, None]
        assert error(explanation.values[i], 0.05 * (rho - delta).T @ weight) < 1e-9


def test_components_of_cosines_are_the_models_own() -> None:
    model = decomposition.KernelPCA(3, kernel="cosine").fit(WINE)
    explanation = neon.Explainer(model)(WINE, "all")
    assert error(explanation.prediction, model.transform(WINE)) < 1e-12
    assert explanation.conservation_error() < 1e-12


def test_pooled_features_share_as_they_were_pooled() -> None:
    mean = FeatureAgglomeration(4).fit(WINE)
    explanation = neon.Explainer(mean)(WINE, "all")
    for c in range(4):
        inside = mean.labels_ == c
        assert error(explanation.values[:, :, c], WINE * inside / inside.sum()) < 1e-12
    largest = FeatureAgglomeration(4, pooling_func=np.max).fit(WINE)
    values = neon.Explainer(largest)(WINE, "all").values
    for c in range(4):
        inside = np.flatnonzero(largest.labels_ == c)
        expected = np.zeros_like(WINE)
        winner = inside[WINE[:, inside].argmax(1)]
        expected[np.arange(len(WINE)), winner] = WINE[np.arange(len(WINE)), winner]
        assert error(values[:, :, c], expected) < 1e-12


def test_partial_least_squares_takes_a_reference() -> None:
    X, Y = load_linnerud(return_X_y=True)
    model = cross_decomposition.PLSRegression(2).fit(X, Y)
    explanation = neon.Explainer(model, reference=X.mean(0))(X, "all")
    assert error(explanation.base_values, np.tile(Y.mean(0), (20, 1))) < 1e-12
    assert error(explanation.values, (X - X.mean(0))[:, :, None] * model.coef_.T) < 1e-12


def refuse(model: Any, X: np.ndarray, message: str, **options: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X)
    with pytest.raises((ValueError, neon.UnsupportedModelError), match=message):
        neon.neuralize(model, **options)


def test_refusals_name_what_is_wrong() -> None:
    refuse(decomposition.NMF(3, beta_loss="kullback-leibler", solver="mu"), DIGITS, "beta_loss='kullback-leibler'")
    refuse(decomposition.NMF(3), DIGITS, "no exact ReLU form", form="relu")
    refuse(
        decomposition.NMF(20, max_iter=5, tol=1.0),
        abs(WINE[:, :6]),
        "20 components that depend on one another .rank 6.: a row has many codes",
    )
    refuse(coder("lars", transform_n_nonzero_coefs=3), WINE, "transform_algorithm='lars'.*'omp'")
    refuse(coder("omp", transform_n_nonzero_coefs=3), WINE, "no exact ReLU form", form="relu")
    refuse(decomposition.KernelPCA(2, kernel=np.dot), WINE, "callable kernel; give its name")
    refuse(FeatureAgglomeration(3, pooling_func=np.median), WINE, "pooling_func=median.*np.mean")
    refuse(manifold.SpectralEmbedding(), WINE, "no function of new rows")


@pytest.mark.parametrize("make", [partial(decomposition.PCA, svd_solver="full"), decomposition.IncrementalPCA])
@pytest.mark.parametrize("kind", ["repeated", "constant", "sums", "apart"])
def test_whitening_of_columns_that_repeat_each_other_is_warned_of(make: Any, kind: str) -> None:
    rows = np.random.default_rng(1).normal(size=(60, 3))
    more = {
        "repeated": rows[:, 0],
        "constant": np.ones(60),
        "sums": 2 * rows[:, 0] + rows[:, 1],
        "apart": rows[:, 0] ** 2,
    }
    model = make_pipeline(make(whiten=True), KMeans(3, n_init=1, random_state=0))
    model.fit(np.column_stack([rows, more[kind]]))
    if kind == "apart":
        neon.neuralize(model)
    else:
        with pytest.warns(RuntimeWarning, match="is noise. Fit it with n_components=3"):
            neon.neuralize(model)


@pytest.mark.parametrize("whiten", ["unit-variance", "arbitrary-variance"])
@pytest.mark.parametrize("solver", ["svd", "eigh"])
@pytest.mark.filterwarnings("ignore:(FastICA did not converge|There are some small singular values)")
def test_sources_that_are_noise_are_warned_of(whiten: Any, solver: Any) -> None:
    rows = np.random.default_rng(1).normal(size=(60, 3))
    model = decomposition.FastICA(whiten=whiten, whiten_solver=solver, random_state=0, max_iter=20)
    neon.neuralize(model.fit(np.column_stack([rows, rows[:, 0] ** 2])))
    model.fit(np.column_stack([rows, rows[:, 0]]))
    if (whiten, solver) == ("arbitrary-variance", "eigh"):  # which divides by sqrt(eps): nothing is blown up
        neon.neuralize(model)
    else:
        with pytest.warns(RuntimeWarning, match="is noise. Fit it with n_components=3"):
            neon.neuralize(model)


def test_components_without_deviation_take_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their sums cancel: what is left is rounding, not relevance that belongs to another sample."""
    X = make_low_rank_matrix(200, 50, effective_rank=5, tail_strength=0.0, random_state=0)
    monkeypatch.setattr("neon.lrp.accounting._only_sample", lambda *_: pytest.fail("samples sent one at a time"))
    neon.explain(decomposition.PCA().fit(X), X[:20], "all")


@pytest.mark.filterwarnings("ignore:Objective did not converge")
def test_codes_that_are_no_minimum_are_refused() -> None:
    """Where the search ended early, atoms repeat each other, or are more than the features that they are made of."""
    X, dictionary = WINE[:5], np.random.default_rng(0).normal(size=(6, WINE.shape[1]))
    lasso = partial(decomposition.SparseCoder, transform_algorithm="lasso_cd", transform_alpha=0.01)
    for model in (
        lasso(dictionary, transform_max_iter=1),
        lasso(np.vstack([dictionary, dictionary[:1]])),
        lasso(np.random.default_rng(0).normal(size=(60, WINE.shape[1]))),
    ):
        with pytest.raises(ValueError, match="not the minimum that 'lasso_cd' looks for"):
            neon.explain(model.fit(X), X, 0)
    neon.explain(lasso(dictionary, transform_max_iter=10_000).fit(X), X, 0)
