"""The composites "shapley" and "expected" of fitted models, against all subsets of features asked of the model."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.covariance import EllipticEnvelope
from sklearn.datasets import load_diabetes, load_wine
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    BaggingRegressor,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingRegressor,
)
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.kernel_approximation import Nystroem
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KernelDensity, NearestCentroid
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR, NuSVC, NuSVR, OneClassSVM

import neon

D = 4


def data() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    X, y = load_wine(return_X_y=True)
    X = X[::3, [0, 6, 9, 12]] / [1.0, 1.0, 2.0, 300.0]
    return X, y[::3], X[:, 0] + X[:, 1] * X[:, 2], np.arange(len(X)) % 10


X, CLASSES, VALUES, MANY = data()
ROWS, REFERENCE = X[[2, 30, 55]], X[[5, 25, 50]]
Game = Callable[[np.ndarray], np.ndarray]


def shapley(value: Callable[[tuple[int, ...]], float]) -> np.ndarray:
    """Shapley values of a game of D players, by definition."""
    v = {present: value(present) for present in itertools.product((0, 1), repeat=D)}
    phi = np.zeros(D)
    for i, present in itertools.product(range(D), v):
        if not present[i]:
            size = sum(present)
            joined = tuple(1 if k == i else p for k, p in enumerate(present))
            phi[i] += math.factorial(size) * math.factorial(D - size - 1) / math.factorial(D) * (v[joined] - v[present])
    return phi


def marginal(f: Game, row: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, float]:
    """Absent features each drawn by itself: all combinations of their values."""

    def value(present: tuple[int, ...]) -> float:
        columns = [row[[i]] if here else reference[:, i] for i, here in enumerate(present)]
        return float(f(np.stack(np.meshgrid(*columns, indexing="ij"), -1).reshape(-1, D)).mean())

    return shapley(value), value((0,) * D)


def joint(f: Game, row: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, float]:
    """Absent features drawn together."""

    def value(present: tuple[int, ...]) -> float:
        return float(f(np.where(np.array(present, dtype=bool), row, reference)).mean())

    return shapley(value), value((0,) * D)


def latent(model: GaussianProcessClassifier) -> Game:
    machine = model.base_estimator_
    return lambda rows: machine.kernel_(machine.X_train_, rows).T @ (machine.y_train_ - machine.pi_)


REGRESSORS = {
    "SVR": SVR(C=10, gamma=0.4),
    "NuSVR": NuSVR(C=5, gamma=0.2),
    "scaled SVR": make_pipeline(StandardScaler(), SVR(C=10)),
    "KernelRidge-rbf": KernelRidge(kernel="rbf", gamma=0.3, alpha=0.1),
    "KernelRidge-laplacian": make_pipeline(StandardScaler(), KernelRidge(kernel="laplacian", gamma=0.3)),
    "GP": GaussianProcessRegressor(ConstantKernel(2.0) * RBF(1.5), optimizer=None, normalize_y=True, alpha=0.1),
    "GP-ARD": GaussianProcessRegressor(RBF([1.0, 2.0, 0.7, 3.0]), optimizer=None, alpha=0.1),
    "Nystroem": make_pipeline(StandardScaler(), Nystroem(n_components=20, gamma=0.2, random_state=0), Ridge()),
    "linear": make_pipeline(StandardScaler(), Ridge()),
    "PCA-linear": make_pipeline(StandardScaler(), PCA(2), Ridge()),
    "average": VotingRegressor([("svr", SVR(gamma=0.3)), ("ridge", Ridge())]),
}


@pytest.mark.parametrize("name", REGRESSORS)
def test_regressors(name: str) -> None:
    model = REGRESSORS[name].fit(X, VALUES)
    check(model, [model.predict] * len(ROWS), target=None)


def check(model: Any, functions: list[Game], target: Any, **options: Any) -> None:
    """Both composites, against the brute force over one function for each row."""
    for composite, game in (("shapley", marginal), ("expected", joint)):
        explanation = neon.Explainer(model, composite=composite, reference=REFERENCE, **options)(ROWS, target)
        assert "Shapley values (exact)" in explanation.explains
        for i, f in enumerate(functions):
            phi, base = game(f, ROWS[i], REFERENCE)
            size = np.abs(phi).max()
            assert np.abs(explanation.values[i] - phi).max() <= 1e-12 * max(size, 1.0), composite
            assert abs(explanation.base_values[i] - base) <= 1e-12 * max(size, 1.0)


@pytest.mark.parametrize("model", [SVC(gamma=0.3), NuSVC(nu=0.3, gamma=0.1)])
def test_two_classes(model: Any) -> None:
    model.fit(X, CLASSES > 0)
    check(model, [model.decision_function] * len(ROWS), target=1)


def test_gaussian_process_classifier() -> None:
    model = GaussianProcessClassifier(RBF(1.0), optimizer=None).fit(X, CLASSES > 0)
    check(model, [latent(model)] * len(ROWS), target=1)


def test_one_class_decision_function() -> None:
    model = OneClassSVM(gamma=0.2, nu=0.2).fit(X)
    check(model, [model.decision_function] * len(ROWS), target=None, output="decision_function")


@pytest.mark.parametrize(("labels", "n_classes"), [(CLASSES, 3), (MANY, 10)])
def test_many_classes_against_the_closest_rival_at_the_row(labels: np.ndarray, n_classes: int) -> None:
    """The margin of a class is that over one rival: which one is held as it is at the row."""
    model = make_pipeline(StandardScaler(), SVC(gamma=0.3, decision_function_shape="ovo")).fit(X, labels)
    pairs = list(itertools.combinations(range(n_classes), 2))

    def margins(rows: np.ndarray, c: int) -> np.ndarray:
        scores = model.decision_function(rows)
        return np.stack([scores[:, p] * (1 if i == c else -1) for p, (i, j) in enumerate(pairs) if c in (i, j)], 1)

    explanation = neon.Explainer(model, composite="shapley", reference=REFERENCE)(ROWS)
    for i, c in enumerate(explanation.target):
        rival = margins(ROWS[[i]], c)[0].argmin()
        phi, base = marginal(lambda rows, c=c, rival=rival: margins(rows, c)[:, rival], ROWS[i], REFERENCE)
        assert np.abs(explanation.values[i] - phi).max() <= 1e-12
        assert abs(explanation.base_values[i] - base) <= 1e-12


def variance_of(model: GaussianProcessRegressor, target: int = 0) -> Game:
    return lambda rows: np.square(model.predict(rows, return_std=True)[1]).reshape(len(rows), -1)[:, target]


@pytest.mark.parametrize("kernel", [ConstantKernel(2.0) * RBF(1.5) + WhiteKernel(0.2), RBF([1.0, 2.0, 0.7, 3.0])])
def test_variance_of_a_gaussian_process(kernel: Any) -> None:
    """A constant minus a sum over pairs of product units: k(x, x) - k(x, X) (K + αI)⁻¹ k(X, x)."""
    model = GaussianProcessRegressor(kernel, optimizer=None, normalize_y=True, alpha=0.1).fit(X[:20], VALUES[:20])
    check(model, [variance_of(model)] * len(ROWS), target=None, output="variance")


def test_variance_of_several_targets() -> None:
    Y = np.stack([VALUES, 3 * X[:, 3]], axis=1)[:20]
    for normalize_y in (True, False):
        model = GaussianProcessRegressor(RBF(1.5), optimizer=None, normalize_y=normalize_y, alpha=0.1).fit(X[:20], Y)
        for target in (0, 1):
            check(model, [variance_of(model, target)] * len(ROWS), target, output="variance")
        std = neon.Explainer(model, output="std", composite="expected", reference=REFERENCE)(ROWS, "all")
        np.testing.assert_allclose(std.prediction, model.predict(ROWS, return_std=True)[1], rtol=0, atol=1e-12)
        mean = model.predict(REFERENCE, return_std=True)[1].mean(0)
        np.testing.assert_allclose(std.base_values, np.broadcast_to(mean, (len(ROWS), 2)), rtol=0, atol=1e-12)


def test_variance_whose_pairs_would_lose_digits_is_no_sum_of_them() -> None:
    model = GaussianProcessRegressor(RBF(4.0), optimizer=None, alpha=1e-8).fit(X[:20], VALUES[:20])
    explanation = neon.Explainer(model, output="variance", composite="expected", reference=REFERENCE)(ROWS)
    assert "Aumann-Shapley values" in explanation.explains
    f = variance_of(model)
    np.testing.assert_allclose(explanation.prediction, f(ROWS), rtol=0, atol=1e-10)
    np.testing.assert_allclose(explanation.base_values, f(REFERENCE).mean(), rtol=0, atol=1e-10)


@pytest.mark.parametrize(("kernel", "metric"), [("gaussian", "euclidean"), ("exponential", "manhattan")])
def test_density(kernel: str, metric: str) -> None:
    model = KernelDensity(bandwidth=0.9, kernel=kernel, metric=metric).fit(X, sample_weight=1.0 + np.arange(len(X)))
    f = lambda rows: np.exp(model.score_samples(rows))  # noqa: E731
    check(model, [f] * len(ROWS), target=None, output="density")


ENSEMBLES = {
    "forest": RandomForestRegressor(7, max_depth=4, random_state=0),
    "bag of trees": BaggingRegressor(n_estimators=5, max_features=3, random_state=0),
    "bag of SVRs": BaggingRegressor(SVR(gamma=0.3), n_estimators=4, random_state=0),
    "voting": VotingRegressor([("svr", SVR(gamma=0.3)), ("ridge", Ridge()), ("gb", GradientBoostingRegressor())]),
    "weighted": VotingRegressor([("svr", SVR(gamma=0.3)), ("ridge", Ridge())], weights=[1, 3]),
}


@pytest.mark.parametrize("name", ENSEMBLES)
def test_variance_over_members(name: str) -> None:
    """``R_i = Σ_j Cov_m(R_i^m, R_j^m) + 2 Cov_m(R_i^m, b^m)``, with the members' relevance explained one by one."""
    model = ENSEMBLES[name].fit(X, VALUES)
    columns = getattr(model, "estimators_features_", [np.arange(D)] * len(model.estimators_))
    weights = np.array(getattr(model, "weights", None) or [1.0] * len(columns))
    weights = weights / weights.sum()
    f = np.stack([m.predict(ROWS[:, c]) for m, c in zip(model.estimators_, columns, strict=True)], axis=1)
    variance = ((f - (f @ weights)[:, None]) ** 2) @ weights
    found = neon.Explainer(model, output="variance")(ROWS)
    np.testing.assert_allclose(found.prediction, variance, rtol=1e-9, atol=1e-12)
    assert found.conservation_error() <= 1e-12 * max(1.0, variance.max())
    if name in ("forest", "bag of trees"):
        members = np.zeros((len(columns), len(ROWS), D))
        for part, member, chosen in zip(members, model.estimators_, columns, strict=True):
            part[:, chosen] = neon.Explainer(member)(ROWS[:, chosen]).values
        centered = members - np.tensordot(weights, members, 1)
        bases = (f - members.sum(2).T) - ((f - members.sum(2).T) @ weights)[:, None]  # what the trees expect
        expected = np.einsum("m,mni,mnj->ni", weights, centered, centered)
        expected += 2 * np.einsum("m,nm,mni->ni", weights, bases, centered)
        np.testing.assert_allclose(found.base_values, (bases**2) @ weights, rtol=0, atol=1e-12)
        np.testing.assert_allclose(found.values, expected, rtol=0, atol=1e-12 * max(1.0, variance.max()))
    both = neon.Explainer(model, output="variance", composite="expected", reference=REFERENCE)(ROWS)
    at = neon.Explainer(model, output="variance")(REFERENCE).prediction
    np.testing.assert_allclose(both.base_values, at.mean(), rtol=1e-9)


def test_quadratic_forms() -> None:
    model = EllipticEnvelope(random_state=0).fit(X)
    f = neon.neuralize(model)
    own = lambda rows: f(f.encode(rows)).numpy()[:, 0]  # noqa: E731
    explanation = neon.Explainer(model, composite="shapley", reference=REFERENCE)(ROWS)
    for i, row in enumerate(ROWS):
        phi, base = joint(own, row, REFERENCE)
        assert np.abs(explanation.values[i] - phi).max() <= 1e-12 * np.abs(phi).max()
        assert abs(explanation.base_values[i] - base) <= 1e-12 * abs(base)


def test_trees_are_as_before() -> None:
    model = GradientBoostingRegressor(n_estimators=20, random_state=0).fit(X, VALUES)
    by_covers = neon.Explainer(model, composite="shapley")(X)
    interventional = neon.Explainer(model, composite="interventional", reference=REFERENCE)(X)
    for composite in ("shapley", "expected"):
        found = neon.Explainer(model, composite=composite, reference=REFERENCE)(X)
        np.testing.assert_allclose(found.values, interventional.values, rtol=0, atol=1e-12)
        np.testing.assert_allclose(found.base_values, interventional.base_values, rtol=0, atol=1e-12)
    assert np.abs(by_covers.values - interventional.values).max() > 1e-3


def test_weights_are_copies_of_rows() -> None:
    for model in (
        make_pipeline(StandardScaler(), SVC()).fit(X, CLASSES),
        KMeans(3, random_state=0, n_init=1).fit(X),
        EllipticEnvelope(random_state=0).fit(X),
        RandomForestClassifier(5, random_state=0).fit(X, CLASSES),
        make_pipeline(StandardScaler(), KernelRidge(kernel="laplacian")).fit(X, VALUES),
    ):
        for composite in ("shapley", "expected"):
            weighted = (REFERENCE, np.array([1.0, 0.0, 3.0]))
            copies = REFERENCE[[0, 2, 2, 2]]
            found = neon.Explainer(model, composite=composite, reference=weighted)(ROWS, 0 if composite else None)
            expected = neon.Explainer(model, composite=composite, reference=copies)(ROWS, 0)
            np.testing.assert_allclose(found.values, expected.values, rtol=0, atol=1e-9)
            np.testing.assert_allclose(found.base_values, expected.base_values, rtol=0, atol=1e-9)


CURVED = {
    "OneClassSVM": OneClassSVM(gamma=0.2, nu=0.3),
    "KernelDensity": KernelDensity(bandwidth=1.0),
    "KMeans": KMeans(4, random_state=0, n_init=1),
    "PCA-KMeans": make_pipeline(StandardScaler(), PCA(2), KMeans(4, random_state=0, n_init=1)),
    "NearestCentroid": NearestCentroid(),
    "LogisticRegression": make_pipeline(StandardScaler(), LogisticRegression()),
    "MLPRegressor": make_pipeline(
        StandardScaler(), MLPRegressor(hidden_layer_sizes=(8,), max_iter=2000, random_state=0)
    ),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("composite", ["shapley", "expected"])
@pytest.mark.parametrize("name", CURVED)
def test_base_and_conservation(name: str, composite: str) -> None:
    supervised = name.startswith("MLP")
    model = CURVED[name].fit(X, VALUES if supervised else CLASSES)
    explanation = neon.Explainer(model, composite=composite, reference=REFERENCE)(X, "all")
    assert explanation.conservation_error() <= 1e-9
    network = neon.neuralize(model)
    if composite == "expected":
        mean = network(network.encode(REFERENCE)).mean(0).numpy()
        np.testing.assert_allclose(explanation.base_values, np.broadcast_to(mean, explanation.base_values.shape))
    # Kinks of a ReLU or a minimum leave a residual of the order of one node in sixteen, from each reference row.
    missed = np.abs(explanation.residuals.get("quadrature", np.zeros(1))).max()
    assert missed <= (0 if "values (exact" in explanation.explains else 1 / 16) * np.abs(explanation.values).max()
    assert set(explanation.residuals) <= {"quadrature", "own_point"}  # rows of the fit


def test_lower_envelopes_are_the_limit_of_many_nodes() -> None:
    """k-means from one reference row: the mean slope along the straight line, by a fine sum."""
    model = KMeans(4, random_state=0, n_init=1).fit(X)
    explanation = neon.Explainer(model, composite="expected", reference=REFERENCE[:1])(ROWS)
    centers, r = model.cluster_centers_, REFERENCE[0]
    for row, c, phi in zip(ROWS, explanation.target, explanation.values, strict=True):
        terms = [(point - centers) ** 2 for point in (r, row)]  # (n_centers, D)
        t = (np.arange(20000) + 0.5)[:, None] / 20000
        distances = np.stack([(1 - t[:, 0]) * terms[0][k].sum() + t[:, 0] * terms[1][k].sum() for k in range(4)], 1)
        distances[:, c] = np.inf
        portion = np.bincount(distances.argmin(1), minlength=4) / len(t)
        moved = terms[1] - terms[0]
        np.testing.assert_allclose(phi, portion @ moved - moved[c], atol=2e-3 * np.abs(moved).max())


def test_what_relevance_is_is_said() -> None:
    svr = SVR().fit(X, VALUES)
    for reference, words in (
        (None, "from the support vectors"),
        (REFERENCE, "3 reference rows"),
        (X[0], "reference row"),
    ):
        assert words in neon.Explainer(svr, composite="shapley", reference=reference)(ROWS).explains
    said = neon.Explainer(SVC().fit(X, CLASSES), composite="shapley", reference=REFERENCE)(ROWS).explains
    assert "of the alternative that is closest at the row" in said


def test_bad_weights_are_refused() -> None:
    svr = SVR().fit(X, VALUES)
    for weights in ([1.0, 2.0], [-1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [np.nan, 1.0, 1.0]):
        with pytest.raises(ValueError, match="weights of 3 reference rows"):
            neon.Explainer(svr, composite="shapley", reference=(REFERENCE, weights))


def test_torch_modules_start_from_rows_that_the_caller_gives() -> None:
    import torch

    with pytest.raises(ValueError, match=r"reference rows.*give reference=.*neon\.LRP"):
        neon.Explainer(torch.nn.Linear(2, 1), composite="shapley")


def test_one_row_is_explained_as_in_a_batch() -> None:
    Z, y = load_diabetes(return_X_y=True)
    for model in (SVR(C=100).fit(Z, y), make_pipeline(StandardScaler(), OneClassSVM()).fit(Z)):
        explainer = neon.Explainer(model, composite="shapley", reference=Z[:20])
        together = explainer(Z[:50]).values
        alone = np.concatenate([explainer(Z[[i]]).values for i in range(10)])
        np.testing.assert_allclose(alone, together[:10], rtol=0, atol=1e-12 * np.abs(together).max())


@pytest.mark.parametrize("name", ["scaled SVR", "KernelRidge-laplacian", "PCA-linear"])
def test_interactions(name: str) -> None:
    """Pairs against all subsets; each row of them adds up to the values."""
    model = REGRESSORS[name].fit(X, VALUES)
    for composite, game in (("shapley", marginal), ("expected", joint)):
        explanation = neon.Explainer(model, composite=composite, reference=REFERENCE)(ROWS, interactions=True)
        pairs = explanation.interactions
        assert pairs is not None
        np.testing.assert_allclose(pairs.sum(2), explanation.values, rtol=0, atol=1e-9)
        phi = game(model.predict, ROWS[0], REFERENCE)[0]
        size = np.abs(phi).max()
        for i in range(D):
            # φ_ik of a game of D players: how much i is worth with k present, less without, over the others' orders
            with_k, without = (one_fixed(model.predict, ROWS[0], REFERENCE, i, here, game) for here in (True, False))
            expected = (with_k - without) / 2
            others = [k for k in range(D) if k != i]
            assert np.abs(pairs[0, others, i] - expected[others]).max() <= 1e-12 * max(size, 1.0)


def one_fixed(f: Game, row: np.ndarray, reference: np.ndarray, fixed: int, present: bool, game: Any) -> np.ndarray:
    """Shapley values of the other features where one is always there, or never."""
    others = [k for k in range(D) if k != fixed]
    n = len(others)
    phi = np.zeros(D)

    def value(chosen: tuple[int, ...]) -> float:
        here = [k in chosen or (k == fixed and present) for k in range(D)]
        if game is joint:
            return float(f(np.where(np.array(here), row, reference)).mean())
        columns = [row[[k]] if there else reference[:, k] for k, there in enumerate(here)]
        return float(f(np.stack(np.meshgrid(*columns, indexing="ij"), -1).reshape(-1, D)).mean())

    for k in others:
        rest = [m for m in others if m != k]
        for size in range(n):
            portion = math.factorial(size) * math.factorial(n - size - 1) / math.factorial(n)
            for chosen in itertools.combinations(rest, size):
                phi[k] += portion * (value((*chosen, k)) - value(chosen))
    return phi


def test_interactions_are_of_shapley_values() -> None:
    model = KMeans(3, random_state=0, n_init=1).fit(X)
    with pytest.raises(ValueError, match="no linear map of them"):
        neon.Explainer(model, composite="shapley")(ROWS, interactions=True)
