"""Mixtures, discriminant analysis, naive Bayes, covariances and factor models, against their formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from scipy.spatial.distance import mahalanobis
from scipy.special import expit, logsumexp
from scipy.stats import multivariate_normal, norm
from sklearn import covariance, naive_bayes
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.decomposition import PCA, FactorAnalysis, FastICA, IncrementalPCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import neon
from neon.errors import UnsupportedModelError

pytestmark = pytest.mark.usefixtures("one_pass")

WINE, WINE_LABELS = load_wine(return_X_y=True)
CANCER, CANCER_LABELS = (part[:200] for part in load_breast_cancer(return_X_y=True))
IRIS, IRIS_LABELS = load_iris(return_X_y=True)
DIGITS, DIGIT_LABELS = (part[:150] for part in load_digits(return_X_y=True))
KINDS = ["full", "tied", "diag", "spherical"]


def close(found: Any, expected: Any, tolerance: float = 1e-9) -> None:
    """``‖found - expected‖ ≤ tolerance ‖expected‖``."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape
    assert np.linalg.norm(found - expected) <= tolerance * np.linalg.norm(expected)


def covariances(model: Any) -> np.ndarray:
    """Of every component: (n_components, n_features, n_features)."""
    n, d = model.means_.shape
    spelled: dict[str, Any] = {
        "full": lambda c: c,
        "tied": lambda c: np.stack([c] * n),
        "diag": lambda c: np.stack([np.diag(row) for row in c]),
        "spherical": lambda c: np.stack([v * np.eye(d) for v in c]),
    }
    return spelled[model.covariance_type](model.covariances_)


# Log-odds


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", [GaussianMixture, BayesianGaussianMixture])
def test_log_odds_of_components(family: Any, kind: str) -> None:
    model = family(n_components=3, covariance_type=kind, random_state=0, max_iter=500).fit(IRIS)
    odds = neon.explain(model, IRIS, "all").prediction
    np.testing.assert_allclose(expit(odds), model.predict_proba(IRIS), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(neon.explain(model, IRIS).target, model.predict(IRIS))
    if family is GaussianMixture:
        parts = zip(model.weights_, model.means_, covariances(model), strict=True)
        z = np.stack([np.log(w) + multivariate_normal(m, c).logpdf(IRIS) for w, m, c in parts], axis=1)
        others = [logsumexp(np.delete(z, c, axis=1), axis=1) for c in range(3)]
        close(odds, z - np.stack(others, axis=1))


def pair(x: np.ndarray, means: np.ndarray, precisions: np.ndarray, k: int, c: int) -> np.ndarray:
    """The parts of ``D_k - D_c``, half squared Mahalanobis distances: by the trapezoid of the gradient."""
    middle, half = (means[k] + means[c]) / 2, (means[c] - means[k]) / 2
    slopes = [precisions[k] @ (at - means[k]) - precisions[c] @ (at - means[c]) for at in (x, middle)]
    return (x - middle) * (slopes[0] + slopes[1]) / 2 + half * ((precisions[k] - precisions[c]) @ half) / 2


def odds_textbook(
    x: np.ndarray, z: np.ndarray, parts: Any, constants: dict[str, np.ndarray], c: int
) -> tuple[np.ndarray, dict[str, float]]:
    """Relevance and residuals of the log-odds of c: take-most where they are ≥ 0, else gated.

    parts : function of (k, c) that gives the features' parts of ``E_k - E_c``; constants : the energies' other terms.
    """
    rivals = [k for k in range(len(z)) if k != c]
    h = {k: z[c] - z[k] for k in rivals}
    odds = -logsumexp([-h[k] for k in rivals])
    relevance, residuals = np.zeros(len(x)), dict.fromkeys([*constants, "entropy"], 0.0)
    for k in rivals:
        p = np.exp(-h[k] + odds)
        weight = p * odds / h[k] if odds >= 0 else p
        relevance += weight * parts(k, c)
        for name, values in constants.items():
            residuals[name] += weight * (values[k] - values[c])
        if odds < 0:
            residuals["entropy"] += p * np.log(p)
    return relevance, residuals


@pytest.mark.parametrize("model", [QuadraticDiscriminantAnalysis(reg_param=0.01), "full", "diag", "tied"])
def test_relevance_of_gaussian_log_odds(model: Any) -> None:
    if isinstance(model, str):
        model = GaussianMixture(3, covariance_type=model, random_state=0).fit(IRIS)
        priors, spread = model.weights_, covariances(model)
    else:
        model.fit(IRIS, IRIS_LABELS)
        axes = zip(model.rotations_, model.scalings_, strict=True)
        priors, spread = model.priors_, np.stack([r @ np.diag(s) @ r.T for r, s in axes])
    kind = getattr(model, "covariance_type", "full")
    means, precisions = model.means_, np.stack([np.linalg.inv(c) for c in spread])
    log_det = np.array([0.5 * np.linalg.slogdet(c)[1] for c in spread])
    explanation = neon.explain(model, IRIS, "all")
    entropies = 0
    for n, x in enumerate(IRIS):
        parts = zip(priors, means, spread, strict=True)
        z = np.array([np.log(w) + multivariate_normal(m, s).logpdf(x) for w, m, s in parts])

        def share(k: int, c: int, x: np.ndarray = x) -> np.ndarray:
            own = pair(x, means, precisions, k, c)
            if kind != "diag":
                return own
            direct = [(x - means[j]) ** 2 * np.diag(precisions[j]) / 2 for j in (k, c)]
            np.testing.assert_allclose(own, direct[0] - direct[1], atol=1e-9 * np.abs(direct).max())
            return own + 0.5 * np.log(np.diag(spread[k]) / np.diag(spread[c]))

        for c in range(3):
            constants = {"log_prior": -np.log(priors), "log_det": log_det if kind == "full" else 0 * log_det}
            relevance, residuals = odds_textbook(x, z, share, constants, c)
            np.testing.assert_allclose(explanation.values[n, :, c], relevance, atol=1e-9 * np.abs(z).max())
            entropies += residuals["entropy"] != 0
            for name, amount in residuals.items():
                found = explanation.residuals[name][n, c] if name in explanation.residuals else 0.0
                assert abs(found - amount) <= 1e-9 * np.abs(z).max()
    assert entropies > 100  # of both kinds: the other two classes have log-odds below 0


@pytest.mark.parametrize("solver", ["svd", "lsqr", "eigen"])
def test_two_classes_of_one_covariance_are_linear(solver: str) -> None:
    """``w_i (x - m)_i`` with the midpoint m of the means; the log-prior is all that is left."""
    model = LinearDiscriminantAnalysis(solver=solver).fit(CANCER, CANCER_LABELS)
    explanation = neon.explain(model, CANCER, 1)
    close(explanation.values, model.coef_[0] * (CANCER - model.means_.mean(0)), 1e-8)
    assert set(explanation.residuals) <= {"log_prior", "entropy"}
    prior = np.full(len(CANCER), np.log(model.priors_[1] / model.priors_[0]))
    close(explanation.residuals["log_prior"], prior, 1e-7)  # means, far from 0, times coefficients
    close(explanation.prediction, model.decision_function(CANCER))


def test_classes_of_one_covariance_are_explained_as_a_tied_mixture() -> None:
    linear = LinearDiscriminantAnalysis(solver="lsqr").fit(WINE, WINE_LABELS)
    mixture = GaussianMixture(3, covariance_type="tied").fit(WINE)
    mixture.weights_, mixture.means_, mixture.covariances_ = linear.priors_, linear.means_, linear.covariance_
    mixture.precisions_cholesky_ = np.linalg.cholesky(np.linalg.inv(linear.covariance_))
    found, expected = neon.explain(mixture, WINE, "all"), neon.explain(linear, WINE, "all")
    close(found.values, expected.values, 1e-7)
    close(found.prediction, expected.prediction, 1e-7)


@pytest.mark.parametrize("family", [QuadraticDiscriminantAnalysis, LinearDiscriminantAnalysis])
def test_units_do_not_matter(family: Any) -> None:
    units = np.logspace(-3, 3, WINE.shape[1])
    found = neon.explain(family(tol=1e-12).fit(WINE * units, WINE_LABELS), WINE * units, "all").values
    close(found, neon.explain(family(tol=1e-12).fit(WINE, WINE_LABELS), WINE, "all").values, 1e-6)


# Naive Bayes: weights of evidence


def two(labels: np.ndarray) -> np.ndarray:
    return np.where(labels > 3, "high", "low")


def test_gaussian_evidence() -> None:
    model = naive_bayes.GaussianNB().fit(CANCER, CANCER_LABELS)
    explanation = neon.explain(model, CANCER, 1)
    densities = [norm(model.theta_[c], np.sqrt(model.var_[c])).logpdf(CANCER) for c in (0, 1)]
    close(explanation.values, densities[1] - densities[0])
    prior = np.log(model.class_prior_[1] / model.class_prior_[0])
    close(explanation.residuals["log_prior"], np.full(len(CANCER), prior))


def test_gaussian_evidence_of_a_fit_in_single_precision() -> None:
    """The model takes logarithms of its variances in single precision, and small log-odds show it."""
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=30) > 0, rng.normal(size=30)]).astype(np.float32)
    X = np.column_stack([X, 0.3 * X[:, 1]]) * np.float32([1, 1e-12, 1e-12])
    model = naive_bayes.GaussianNB().fit(X, np.arange(30) % 2)
    assert model.var_.dtype == np.float32
    rows = rng.normal(size=(20, 3)) * [1, 1e-6, 1e-6]
    assert neon.neuralize(model).verify(rows) < 1e-9
    assert neon.explain(model, rows[:1]).conservation_error() < 1e-12


def test_multinomial_evidence() -> None:
    model = naive_bayes.MultinomialNB().fit(DIGITS, two(DIGIT_LABELS))
    theta = np.exp(model.feature_log_prob_)
    explanation = neon.explain(model, DIGITS, "low")
    close(explanation.values, DIGITS * np.log(theta[1] / theta[0]))
    close(explanation.residuals["log_prior"], np.full(150, np.diff(model.class_log_prior_)[0]))


def test_bernoulli_evidence() -> None:
    model = naive_bayes.BernoulliNB(binarize=6.0).fit(DIGITS, two(DIGIT_LABELS))
    p = np.exp(model.feature_log_prob_)
    ratios = np.where(DIGITS > 6.0, np.log(p[1] / p[0]), np.log((1 - p[1]) / (1 - p[0])))
    explanation = neon.explain(model, DIGITS, "low")
    close(explanation.values, ratios)
    np.testing.assert_array_equal(explanation.data, DIGITS)
    never = DIGITS.max(0) == 0  # what is never there has the same, smoothed probability up to the classes' sizes
    assert np.abs(explanation.values[:, never]).max() < 0.2


def test_categorical_evidence_belongs_to_the_columns() -> None:
    codes = (DIGITS // 6).astype(int)
    model = naive_bayes.CategoricalNB(min_categories=3).fit(codes, two(DIGIT_LABELS))
    tables = model.feature_log_prob_
    expected = np.array([[tables[i][1, v] - tables[i][0, v] for i, v in enumerate(row)] for row in codes])
    explanation = neon.explain(model, codes, "low")
    close(explanation.values, expected)
    assert explanation.values.shape == codes.shape
    assert explanation.encoded is not None
    assert explanation.encoded.feature_names[4] == "feature 1 = 1"


def test_words() -> None:
    texts = ["good film, good cast", "bad film", "bad bad plot", "a good plot", "cast of a good film", "bad cast"]
    labels = ["pos", "neg", "neg", "pos", "pos", "neg"]
    model = make_pipeline(CountVectorizer(), naive_bayes.ComplementNB()).fit(texts, labels)
    explanation = neon.explain(model, texts, "pos")
    counts, weight = model[0].transform(texts).toarray(), model[1].feature_log_prob_
    close(explanation.values, counts * (weight[1] - weight[0]))
    assert max(np.abs(amount).max() for amount in explanation.residuals.values()) < 1e-12  # no prior, no entropy


def test_a_feature_of_the_same_distribution_in_all_classes_is_no_evidence() -> None:
    X, y = np.column_stack([WINE[:, :3], np.tile([1.0, 2.0], 89)]), WINE_LABELS
    for model in (naive_bayes.GaussianNB(), GaussianMixture(3, covariance_type="diag", random_state=0)):
        model.fit(X, y)
        means = getattr(model, "theta_", getattr(model, "means_", None))
        spread = model.var_ if hasattr(model, "var_") else model.precisions_cholesky_
        means[:, 3], spread[:, 3] = means[0, 3], spread[0, 3]
        values = neon.explain(model, X, "all").values
        assert np.abs(values[:, 3]).max() <= 1e-12 * np.abs(values).max()


# Anomalies


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", [GaussianMixture, BayesianGaussianMixture])
def test_outlierness_of_a_mixture(family: Any, kind: str) -> None:
    model = family(n_components=3, covariance_type=kind, random_state=0, max_iter=500).fit(IRIS)
    explanation = neon.explain(model, IRIS, output="outlierness")
    assert (explanation.prediction >= 0).all()
    assert not any(np.any(amount) for amount in explanation.residuals.values())
    score = model.score_samples(IRIS)
    np.testing.assert_allclose(np.ptp(explanation.prediction + score), 0, atol=1e-9)
    chol = model.precisions_cholesky_
    if kind in ("diag", "spherical"):
        precisions = np.stack([np.diag(np.broadcast_to(row, 4) ** 2) for row in chol])
    else:
        precisions = np.stack([c @ c.T for c in (chol if kind == "full" else [chol] * 3)])
    z = np.diagonal(model._estimate_weighted_log_prob(model.means_))
    log_a = z - logsumexp(z)
    expected = np.zeros(IRIS.shape)
    for n, x in enumerate(IRIS):
        shares = np.stack([(x - u) * (P @ (x - u)) / 2 for u, P in zip(model.means_, precisions, strict=True)])
        d = shares.sum(1)
        o = -logsumexp(log_a - d)
        expected[n] = (np.exp(log_a - d + o) * o / d) @ shares
    close(explanation.values, expected)


def test_outlierness_of_a_mixture_far_from_the_origin() -> None:
    moved = GaussianMixture(2, random_state=0).fit(IRIS)
    near = neon.explain(moved, IRIS, output="outlierness").values
    moved.means_ = moved.means_ + 1e6
    close(neon.explain(moved, IRIS + 1e6, output="outlierness").values, near, 1e-6)


@pytest.mark.parametrize("output", [None, "mahalanobis"])
def test_elliptic_envelope(output: str | None) -> None:
    model = covariance.EllipticEnvelope(random_state=0, contamination=0.2).fit(IRIS)
    explanation = neon.explain(model, IRIS, output=output)
    delta = IRIS - model.location_
    close(explanation.values, delta * (delta @ model.precision_))
    if output is None:
        np.testing.assert_array_equal(explanation.prediction > 0, model.predict(IRIS) < 0)
        close(explanation.residuals["threshold"], np.full(150, model.offset_))
    else:
        close(explanation.prediction, model.mahalanobis(IRIS))


def test_mahalanobis_distance() -> None:
    model = covariance.LedoitWolf().fit(WINE)
    explanation = neon.explain(model, WINE)
    inverse = np.linalg.inv(model.covariance_)
    close(explanation.prediction, [mahalanobis(x, model.location_, inverse) ** 2 for x in WINE], 1e-7)
    assert (explanation.values < 0).any()  # features that make the others more likely


def test_a_covariance_without_full_rank() -> None:
    X = np.column_stack([IRIS, IRIS[:, 0] + IRIS[:, 1]])
    model = covariance.EmpiricalCovariance(store_precision=False).fit(X)
    explanation = neon.explain(model, X)
    delta = X - model.location_
    close(explanation.values, delta * (delta @ model.get_precision()), 1e-8)
    assert (explanation.prediction >= 0).all()


@pytest.mark.parametrize(
    "model", [PCA(3), PCA(3, whiten=True), IncrementalPCA(3), TruncatedSVD(3), FactorAnalysis(3), PCA(0.9)]
)
def test_reconstruction_error(model: Any) -> None:
    model.fit(IRIS + 10.0)
    explanation = neon.explain(model, IRIS + 10.0, output="reconstruction_error")
    mean = getattr(model, "mean_", np.zeros(4))
    if isinstance(model, FactorAnalysis):
        fitted = model.transform(IRIS + 10.0) @ model.components_ + mean
        to_residual = IRIS + 10.0 - fitted  # the posterior mean shrinks: the residual map is no projection
        weights = np.linalg.solve(model.get_covariance(), model.components_.T).T
        expected = (IRIS + 10.0 - mean) * (to_residual - to_residual @ model.components_.T @ weights)
    else:
        fitted = model.inverse_transform(model.transform(IRIS + 10.0))
        expected = (IRIS + 10.0 - mean) * (IRIS + 10.0 - fitted)
    close(explanation.values, expected)
    close(explanation.prediction, ((IRIS + 10.0 - fitted) ** 2).sum(1))


@pytest.mark.parametrize("model", [PCA(2), PCA(4), FactorAnalysis(2)])
def test_outlierness_of_a_factor_model(model: Any) -> None:
    model.fit(IRIS)
    explanation = neon.explain(model, IRIS, output="outlierness")
    delta = IRIS - model.mean_
    close(explanation.values, delta * (delta @ model.get_precision()) / 2)
    np.testing.assert_allclose(np.ptp(explanation.prediction + model.score_samples(IRIS)), 0, atol=1e-9)


# In pipelines


def test_a_projection_becomes_part_of_the_metric() -> None:
    """A component's root is a point that projects to its mean, not the projection of a root in each coordinate."""
    model = make_pipeline(StandardScaler(), PCA(4), covariance.EmpiricalCovariance()).fit(WINE)
    Z = model[0].transform(WINE)
    V = model[1].components_
    metric = V.T @ model[2].precision_ @ V
    close(neon.explain(model, WINE).values, Z * (Z @ metric))


@pytest.mark.parametrize("unit", [1e-8, 1e8])
def test_units_of_whitened_data_do_not_matter(unit: float) -> None:
    """Close to a mean or a point is what is close in the metric, not in the units of the columns."""
    X, rows = IRIS - IRIS.mean(0), IRIS[::5] - IRIS.mean(0) + 0.1
    for model in (KernelDensity(), GaussianMixture(2, random_state=0)):
        found, expected = (
            neon.explain(make_pipeline(PCA(2, whiten=True), model).fit(X * u), rows * u, output="outlierness")
            for u in (unit, 1.0)
        )
        close(found.values, expected.values, 1e-6)


def test_discriminant_features_before_another_model() -> None:
    for solver in ("svd", "eigen"):
        first = LinearDiscriminantAnalysis(solver=solver)
        model = make_pipeline(first, LinearDiscriminantAnalysis()).fit(WINE, WINE_LABELS)
        explanation = neon.explain(model, WINE, "all")
        close(explanation.prediction, neon.converters.bayes.log_odds.log_odds(model.decision_function(WINE)), 1e-9)
        assert explanation.conservation_error() < 1e-9 * np.abs(explanation.prediction).max()


@pytest.mark.parametrize(
    ("model", "output"),
    [
        (GaussianMixture(3, random_state=0), None),
        (GaussianMixture(3, random_state=0), "outlierness"),
        (LinearDiscriminantAnalysis(), None),
        (QuadraticDiscriminantAnalysis(), None),
        (naive_bayes.GaussianNB(), None),
        (covariance.OAS(), None),
        (FactorAnalysis(2), "reconstruction_error"),
        (PCA(2), "outlierness"),
    ],
)
def test_frames(model: Any, output: str | None) -> None:
    """Models fitted with names are asked with names, and the names are kept."""
    table = pd.DataFrame(IRIS, columns=["a", "b", "c", "d"])
    model.fit(table, IRIS_LABELS)
    assert neon.neuralize(model, output=output).verify(table) < 1e-9
    explanation = neon.explain(model, table, output=output)
    assert explanation.feature_names == ("a", "b", "c", "d")
    np.testing.assert_array_equal(explanation.values, neon.explain(model, IRIS, output=output).values)


def test_sparse_counts() -> None:
    counts = sparse.csr_matrix(DIGITS)
    model = naive_bayes.MultinomialNB().fit(counts, DIGIT_LABELS)
    close(neon.explain(model, counts).values, neon.explain(model, DIGITS).values)


# What is refused


@pytest.mark.parametrize("alpha", [0, 1e-300])
def test_columns_that_are_never_or_always_there(alpha: float) -> None:
    """They have smoothed probabilities and are explained; without smoothing, in words, they have no log-odds."""
    X = (DIGITS > 6).astype(float)
    X[:, 0], X[:, 1] = 0, 1
    labels = two(DIGIT_LABELS)
    for smoothing in (1.0, 1e-10):
        model = naive_bayes.BernoulliNB(alpha=smoothing).fit(X, labels)
        close(neon.explain(model, X, "low").prediction, np.diff(model.predict_joint_log_proba(X))[:, 0])
    with np.errstate(divide="ignore"):
        unsmoothed = naive_bayes.BernoulliNB(alpha=alpha, force_alpha=True).fit(X, labels)
    with pytest.raises(ValueError, match="gives something a probability of 0, or one that rounds to it"):
        neon.Explainer(unsmoothed)


@pytest.mark.parametrize("family", ["GaussianNB", "MultinomialNB", "BernoulliNB", "CategoricalNB", "ComplementNB"])
def test_a_class_without_prior_probability(family: str) -> None:
    X = (DIGITS > 6).astype(int) + np.eye(150, 64, dtype=int)
    name = "priors" if family == "GaussianNB" else "class_prior"
    for prior in ([0.0, 1.0], [1.0, 0.0]):
        with np.errstate(divide="ignore"):
            model = getattr(naive_bayes, family)(**{name: prior}).fit(X, two(DIGIT_LABELS))
        if family == "ComplementNB":  # which reads no priors where there are two classes
            assert neon.neuralize(model).verify(X) <= 1e-9
            continue
        with pytest.raises(ValueError, match=f"{family} with a prior probability of 0: its log-odds are infinite"):
            neon.Explainer(model)


def test_errors() -> None:
    one = GaussianMixture(1).fit(IRIS)
    with pytest.raises(ValueError, match="one component alone has no odds"):
        neon.Explainer(one)
    lone = naive_bayes.MultinomialNB().fit(DIGITS, np.zeros(150))
    with pytest.raises(ValueError, match="one class alone has no odds"):
        neon.Explainer(lone)
    with pytest.raises(ValueError, match=r"output='density'.*log_odds.*outlierness"):
        neon.Explainer(GaussianMixture(2).fit(IRIS), output="density")
    sure = naive_bayes.GaussianNB(priors=[1.0, 0.0, 0.0]).fit(IRIS, IRIS_LABELS)
    with pytest.raises(ValueError, match="prior probability of 0"):
        neon.Explainer(sure)
    lsqr = LinearDiscriminantAnalysis(solver="lsqr").fit(IRIS, IRIS_LABELS)
    with pytest.raises(UnsupportedModelError, match='lsqr"\\) does not transform'):
        neon.neuralize(lsqr, output="transform")
    with pytest.raises(ValueError, match="IncrementalPCA has no density"):
        neon.Explainer(IncrementalPCA(2).fit(IRIS), output="outlierness")
    with np.errstate(divide="ignore"):
        unseen = naive_bayes.MultinomialNB(alpha=0, force_alpha=True).fit(DIGITS, DIGIT_LABELS)
    with pytest.raises(ValueError, match=r"MultinomialNB\(alpha=0\) gives something a probability of 0.*larger alpha"):
        neon.Explainer(unseen)
    codes = (DIGITS > 8).astype(int)
    categorical = naive_bayes.CategoricalNB().fit(codes, DIGIT_LABELS)
    strange = codes.copy()
    strange[2, 20] = 7
    with pytest.raises(ValueError, match="category 7 of feature 20 in row 2"):
        neon.explain(categorical, strange)


@pytest.mark.parametrize(
    "model",
    [FastICA(4, random_state=0, whiten="unit-variance"), FastICA(3, random_state=0, whiten="arbitrary-variance")],
)
def test_reconstruction_of_independent_components(model: Any) -> None:
    found = neon.converters.decomposition.factor.reconstruction_error(model.fit(IRIS))
    rest = IRIS - model.inverse_transform(model.transform(IRIS))
    expected = (rest**2).sum(1, keepdims=True)
    np.testing.assert_allclose(found.layers(torch.as_tensor(IRIS)).numpy(), expected, atol=1e-9)
    np.testing.assert_allclose(found.own(IRIS), expected, atol=1e-12)
