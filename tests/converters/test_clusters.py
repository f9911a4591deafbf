"""Clusterings: their evidence by slow textbook forms, against what the models predict, and what they refuse."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn import cluster
from sklearn.base import clone
from sklearn.datasets import load_iris, load_wine, make_blobs, make_moons
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler

import neon
from neon.nn.pooling.groups import group_minimum
from neon.nn.pooling.minimum import relu_group_minimum

pytestmark = pytest.mark.usefixtures("one_pass")

WINE = StandardScaler().fit_transform(load_wine().data)
IRIS = load_iris().data
NEW = WINE + 0.4 * np.random.default_rng(0).normal(size=WINE.shape)
MOONS = make_moons(200, noise=0.05, random_state=0)[0]


def error(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def outputs(model: Any, X: np.ndarray, **options: Any) -> np.ndarray:
    return neon.Explainer(model, **options)(X, "all").prediction


WITH_PREDICT = {
    "MeanShift": cluster.MeanShift(bandwidth=3.2),
    "AffinityPropagation": cluster.AffinityPropagation(preference=-150.0),
    "BisectingKMeans": cluster.BisectingKMeans(7, random_state=0),
    "BisectingKMeans-largest": cluster.BisectingKMeans(5, bisecting_strategy="largest_cluster", random_state=1),
    "Birch": cluster.Birch(threshold=1.8, n_clusters=4),
    "Birch-subclusters": cluster.Birch(threshold=2.5, n_clusters=None),
}


@pytest.mark.parametrize("name", WITH_PREDICT)
def test_evidence_is_positive_exactly_for_the_predicted_cluster(name: str) -> None:
    model = WITH_PREDICT[name].fit(WINE)
    network = neon.neuralize(model)
    evidence, predicted = outputs(model, NEW), model.predict(NEW)
    np.testing.assert_array_equal(np.asarray(network.classes)[evidence.argmax(1)], predicted)
    np.testing.assert_array_equal((evidence > 0).sum(1), 1)


@pytest.mark.parametrize("container", [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array])
def test_centers_of_sparse_rows(container: Any) -> None:
    """A model may hold them as sparse as the rows that it was fitted on."""
    rows = np.where(np.abs(WINE) > 0.5, WINE, 0.0)
    model = cluster.AffinityPropagation(preference=-150.0).fit(container(rows))
    dense = clone(model).fit(rows)
    for X in (container(rows), rows):
        found = neon.explain(model, X)
        np.testing.assert_array_equal(found.target, model.predict(X))
        np.testing.assert_allclose(found.values, neon.explain(dense, rows).values, rtol=0, atol=1e-9)


def test_path_evidence_is_the_closest_decision_on_the_way_down() -> None:
    model = WITH_PREDICT["BisectingKMeans"].fit(WINE)

    def walk(x: np.ndarray, node: Any, margin: float) -> dict[int, float]:
        if node.left is None:
            return {node.label: margin}
        left = ((x - node.left.center - model._X_mean) ** 2).sum()
        right = ((x - node.right.center - model._X_mean) ** 2).sum()
        return {
            **walk(x, node.left, min(margin, right - left)),
            **walk(x, node.right, min(margin, left - right)),
        }

    expected = [walk(x, model._bisecting_tree, np.inf) for x in NEW]
    assert error(outputs(model, NEW), np.array([[row[c] for c in range(7)] for row in expected])) < 1e-12
    nearest = ((NEW[:, None] - model.cluster_centers_) ** 2).sum(2).argmin(1)
    assert (nearest != model.predict(NEW)).any()  # otherwise the tree would not matter


def test_two_centers_share_by_the_midpoint_rule() -> None:
    model = cluster.BisectingKMeans(2, random_state=0).fit(WINE)
    explanation = neon.Explainer(model)(NEW)
    own = model.cluster_centers_[explanation.target]
    other = model.cluster_centers_[1 - explanation.target]
    assert error(explanation.values, 2 * (own - other) * (NEW - (own + other) / 2)) < 1e-12


def test_birch_relevance_is_shared_by_subclusters_on_both_sides() -> None:
    """Gated minima over the own and the nearest cluster's subclusters, for two clusters: written out."""
    model = cluster.Birch(threshold=1.8, n_clusters=2).fit(WINE)
    network = neon.neuralize(model)
    stiffness = next(layer for layer in network.layers if hasattr(layer, "stiffness")).stiffness
    explanation = neon.Explainer(model)(NEW)
    for x, values, c in zip(NEW[:40], explanation.values, explanation.target, strict=False):
        sides = []
        for side in (c, 1 - c):
            points = model.subcluster_centers_[model.subcluster_labels_ == network.classes[side]]
            squares = (x - points) ** 2
            d = squares.sum(1)
            gates = np.exp(-stiffness * (d - d.min()))
            gates /= gates.sum()
            sides.append((gates[:, None] * squares).sum(0))
        assert error(values, sides[1] - sides[0]) < 1e-10


@pytest.mark.parametrize(
    "model", [cluster.Birch(n_clusters=3, threshold=0.8), cluster.DBSCAN(eps=1.2), cluster.BisectingKMeans(4)]
)
def test_a_column_without_effect_has_no_relevance(model: Any) -> None:
    """Constant at fit and moved afterwards: no cluster is nearer for it."""
    points, _ = make_blobs(200, 3, centers=4, random_state=1, cluster_std=0.7)
    points = np.hstack([points, np.full((200, 1), 3.0)])
    model = clone(model).fit(points)
    explainer = neon.Explainer(model, **({"data": points} if isinstance(model, cluster.DBSCAN) else {}))
    here = explainer(points[:30])
    moved = points[:30].copy()
    moved[:, 3] = 3 + np.arange(30)
    there = explainer(moved, here.target)
    np.testing.assert_allclose(there.prediction, here.prediction, rtol=0, atol=1e-9)
    np.testing.assert_allclose(there.values, here.values, rtol=0, atol=1e-9)
    np.testing.assert_allclose(there.values[:, 3], 0, rtol=0, atol=1e-9)


def test_transform_inside_a_union_gives_distances() -> None:
    model = FeatureUnion([("k", cluster.KMeans(3, n_init=1, random_state=0)), ("s", StandardScaler())]).fit(WINE)
    assert neon.neuralize(model).verify(NEW) < 1e-12


@pytest.mark.parametrize("sizes", [(1, 1, 1), (2, 2), (3, 1, 2)])
def test_group_minima(sizes: tuple[int, ...]) -> None:
    import torch

    h = torch.randn(20, sum(sizes), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = torch.stack([part.min(1).values for part in h.split(sizes, 1)], 1)
    for layers in (group_minimum(sizes, 1.0), relu_group_minimum(sizes)):
        torch.testing.assert_close(torch.nn.Sequential(*layers)(h), expected, rtol=0, atol=1e-12)


# --- without predict ---


def soft_evidence(x: np.ndarray, X: np.ndarray, labels: np.ndarray, gamma: float) -> np.ndarray:
    """``min_{k≠c} m_k - m_c`` with ``m_k = -(1/γ) log mean exp(-γ ‖x - u‖²)``, one row."""
    m = [
        -np.log(np.mean([np.exp(-gamma * ((x - u) ** 2).sum()) for u in X[labels == c]])) / gamma
        for c in np.unique(labels[labels >= 0])
    ]
    return np.array([min(m[:c] + m[c + 1 :]) - m[c] for c in range(len(m))])


def labelled(labels: Any, X: Any, **options: Any) -> neon.Explainer:
    """What explains the rows of X as they are."""
    return neon.explain_clusters(labels, X, encoder="passthrough", **options).explainer


def test_kernel_evidence_and_its_agreement() -> None:
    model = cluster.HDBSCAN(min_cluster_size=8, copy=True).fit(WINE)
    labels = model.labels_
    assert (labels < 0).any()
    network = neon.neuralize(model, data=WINE)
    gamma = float(str(network.explains).split("gamma=")[1].split(")")[0])
    explanation = labelled(labels, WINE, gamma=0.3)(NEW, "all")
    assert error(explanation.prediction, np.stack([soft_evidence(x, WINE, labels, 0.3) for x in NEW])) < 1e-11
    kept = labels >= 0
    by_others = [
        soft_evidence(WINE[i], np.delete(WINE, i, axis=0), np.delete(labels, i), gamma).argmax()
        for i in np.flatnonzero(kept)
    ]
    assert network.agreement == np.mean(by_others == labels[kept])
    assert f"{network.agreement:.1%} of the training rows their cluster, by the other rows" in network.explains


def test_clusters_are_as_large_as_the_rows_that_are_left() -> None:
    random = np.random.default_rng(0)
    rows, labels = random.normal(size=(30, 2)), np.repeat(np.arange(5), [2, 2, 3, 8, 15])
    network = labelled(labels, rows, gamma=0.2).network
    by_others = [
        soft_evidence(rows[i], np.delete(rows, i, axis=0), np.delete(labels, i), 0.2).argmax() for i in range(30)
    ]
    assert network.agreement == np.mean(by_others == labels)


def test_gamma_is_the_smallest_that_is_as_good_as_the_best_but_for_one_standard_error() -> None:
    random, labels = np.random.default_rng(1), np.arange(40) % 2
    rows = random.normal(size=(40, 2)) + 1.5 * labels[:, None]
    d = ((rows[:, None] - rows) ** 2).sum(2)
    steps = 2.0 ** np.arange(13) / d.mean()

    def found(gamma: float, i: int) -> bool:
        groups = [(labels == c) & (np.arange(40) != i) for c in (0, 1)]
        m = [-(np.logaddexp.reduce(-gamma * d[i, group]) - np.log(group.sum())) / gamma for group in groups]
        return bool(np.argmin(m) == labels[i])

    shares = np.array([np.mean([found(gamma, i) for i in range(40)]) for gamma in steps])
    best = shares.max()
    enough = np.flatnonzero(shares >= best - np.sqrt(best * (1 - best) / 40))
    assert enough[0] < shares.argmax()  # or the rule would make no difference here
    assert f"(gamma={steps[enough[0]]:.3g})" in str(labelled(labels, rows).network.explains)


def test_kernel_evidence_never_needs_pairs() -> None:
    """Gates factorize: mean squared difference to the rival's rows minus that to the own, each under its gates."""
    labels = cluster.AgglomerativeClustering(2).fit(WINE).labels_
    explanation = labelled(labels, WINE, gamma=0.1)(NEW)
    expected = []
    for x, c in zip(NEW, explanation.target, strict=True):
        pairs, weights = [], []
        own, rival = WINE[labels == c], WINE[labels == 1 - c]
        p = np.exp(-0.1 * ((x - own) ** 2).sum(1))
        q = np.exp(-0.1 * ((x - rival) ** 2).sum(1))
        for i, u in enumerate(own):  # every detection unit h_ij = 2 (u_i - u_j) x + ‖u_j‖² - ‖u_i‖², by its midpoint
            pairs.append(2 * (u - rival) * (x - (u + rival) / 2))
            weights.append(p[i] / p.sum() * q / q.sum())
        unit = np.concatenate(pairs) * np.concatenate(weights)[:, None]
        expected.append(unit.sum(0))
    assert error(explanation.values, np.array(expected)) < 1e-10
    assert set(explanation.residuals) == {"entropy", "log_weight"}


@pytest.mark.parametrize(
    ("model", "share"),
    [
        (cluster.DBSCAN(eps=0.2), 1.0),
        (cluster.HDBSCAN(min_cluster_size=8, copy=True), 1.0),
        (cluster.AgglomerativeClustering(2, linkage="single"), 1.0),
        (cluster.SpectralClustering(2, gamma=40.0, random_state=0), 0.99),
        (cluster.OPTICS(min_samples=5), 0.95),
    ],
)
def test_labels_are_reproduced(model: Any, share: float) -> None:
    """The two moons are no job for straight boundaries: the choice of gamma has to find them."""
    network = neon.neuralize(model.fit(MOONS), data=MOONS)
    assert network.agreement is not None
    assert network.agreement >= share


def test_dbscan_evidence_is_between_nearest_core_samples() -> None:
    model = cluster.DBSCAN(eps=0.2).fit(MOONS)
    new = MOONS + 0.03
    core, labels = MOONS[model.core_sample_indices_], model.labels_[model.core_sample_indices_]
    d = np.stack([((new[:, None] - core[labels == c]) ** 2).sum(2).min(1) for c in (0, 1)], axis=1)
    assert error(outputs(model, new), np.stack([d[:, 1] - d[:, 0], d[:, 0] - d[:, 1]], axis=1)) < 1e-12
    assert neon.neuralize(model).agreement is None  # it holds its core samples, but no labels of other rows


def test_dbscan_outlierness_is_positive_exactly_for_noise() -> None:
    model = cluster.DBSCAN(eps=2.5).fit(WINE)
    assert len(set(model.labels_)) == 2  # noise and a single cluster: outlierness works where evidence does not
    outlierness = outputs(model, WINE, output="outlierness")[:, 0]
    np.testing.assert_array_equal(outlierness > 0, model.labels_ == -1)
    with pytest.raises(ValueError, match=r'1 cluster has no competitor.*output="outlierness"'):
        neon.Explainer(model)


def test_pipelines_hand_the_rows_on() -> None:
    raw = load_wine(as_frame=True).data
    model = make_pipeline(StandardScaler(), cluster.AgglomerativeClustering(3)).fit(raw)
    explanation = neon.Explainer(model, data=raw)(raw)
    scaled = neon.Explainer(model[-1], data=WINE)(WINE)
    assert error(explanation.values, scaled.values) < 1e-9
    assert list(explanation.feature_names) == list(raw.columns)


def test_explain_clusters_takes_labels_of_any_kind() -> None:
    frame = load_iris(as_frame=True).data
    species = np.array(["a", "b", "c"])[load_iris().target]
    explanation = neon.explain_clusters(species, frame, encoder="passthrough").explanation
    assert [explanation.output_names[c] for c in explanation.target] == [f"cluster {s}" for s in species]
    assert explanation.feature_names == tuple(frame.columns)
    assert explanation.conservation_error() < 1e-9
    numbers = np.where(np.arange(150) % 10 == 0, -1, load_iris().target)
    noisy = neon.explain_clusters(numbers, IRIS).explanation
    kept = numbers >= 0
    np.testing.assert_array_equal(noisy.target[kept], numbers[kept])
    assert (noisy.prediction[~kept] > 0).all()  # noise: the cluster with most evidence
    assert labelled(species, frame)(frame.iloc[:5], "a").values.shape == (5, 4)


def refuse(model: Any, X: np.ndarray, message: str, **options: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X)
    with pytest.raises((ValueError, neon.UnsupportedModelError), match=message):
        neon.Explainer(model, **options)


def test_refusals_name_what_is_wrong() -> None:
    refuse(cluster.MeanShift(bandwidth=50.0), WINE, "MeanShift with 1 cluster has no competitor")
    refuse(cluster.KMeans(1), WINE, "no competitor")
    refuse(cluster.BisectingKMeans(1), WINE, "no competitor")
    refuse(cluster.Birch(threshold=50.0, n_clusters=None), WINE, "no competitor")
    refuse(cluster.AffinityPropagation(max_iter=1), WINE, "did not converge")
    similarity = -((IRIS[:, None] - IRIS) ** 2).sum(2)
    refuse(cluster.AffinityPropagation(affinity="precomputed"), similarity, "affinity='precomputed'.*'euclidean'")
    refuse(cluster.DBSCAN(eps=1e-9), WINE, "no core sample")
    refuse(cluster.DBSCAN(eps=3.0, metric="chebyshev"), WINE, "metric='chebyshev'.*'manhattan'.*explain_clusters")
    refuse(cluster.AgglomerativeClustering(3), WINE, r"has no predict.*neon.Explainer\(model, data=X\)")
    refuse(cluster.AgglomerativeClustering(3), WINE, r"shape \(178, 13\), got \(10, 13\)", data=WINE[:10])
    distances = np.sqrt(-similarity)
    precomputed = cluster.AgglomerativeClustering(3, metric="precomputed", linkage="average")
    refuse(precomputed, distances, "no features to explain.*explain_clusters", data=distances)
    refuse(cluster.HDBSCAN(min_cluster_size=170, copy=True), WINE, "no competitor", data=WINE)
    refuse(cluster.AgglomerativeClustering(3), WINE, r"Explainer\(model, data=X\)", reference=WINE)
    refuse(cluster.DBSCAN(eps=2.4), WINE, r"the rows that DBSCAN was fitted on are data=", reference=WINE)
    with pytest.raises(ValueError, match="leave data=None"):
        neon.neuralize(cluster.KMeans(3).fit(WINE), data=WINE)
    search = GridSearchCV(cluster.KMeans(n_init=1), {"n_clusters": [3]}).fit(WINE)
    with pytest.raises(ValueError, match="KMeans is converted from what it holds; leave data=None"):
        neon.neuralize(search, data=WINE)
    with pytest.raises(ValueError, match="leave reference=None \\(evidence"):
        neon.Explainer(search, reference=WINE)
    frozen = FrozenEstimator(make_pipeline(StandardScaler(), cluster.DBSCAN(eps=2.4)).fit(WINE))
    assert neon.neuralize(frozen, data=WINE).agreement > 0.9
    with pytest.raises(ValueError, match="rows that DBSCAN was fitted on are data=, as the whole model reads them"):
        neon.Explainer(frozen, reference=WINE)
    with pytest.raises(ValueError, match="one per row"):
        neon.explain_clusters([0, 1], WINE)
    with pytest.raises(ValueError, match="labels name 0 clusters"):
        neon.explain_clusters(np.full(178, np.nan), WINE)
    for gamma in (-1.0, np.nan, "scale"):
        with pytest.raises(ValueError, match="gamma must be a number above 0"):
            neon.explain_clusters(np.arange(178) % 2, WINE, gamma=gamma)
    with pytest.raises(ValueError, match="no exact ReLU form"):
        neon.neuralize(cluster.OPTICS(min_samples=5).fit(MOONS), data=MOONS, form="relu")
    assert pd.notna(outputs(cluster.KMeans(2, n_init=1, random_state=0).fit(IRIS), IRIS)).all()


def test_rows_of_the_fit_and_reference_rows_are_two_things() -> None:
    model = cluster.AgglomerativeClustering(3).fit(WINE)
    few = neon.Explainer(model, data=WINE, reference=WINE[:5], composite="expected")(WINE[:4], "all")
    start = outputs(model, WINE[:5], data=WINE).mean(0)
    assert np.abs(few.base_values - start).max() <= 1e-12 * np.abs(start).max()
    assert few.conservation_error() <= 1e-9 * np.abs(few.prediction).max()


@pytest.mark.parametrize(
    "model",
    [
        cluster.DBSCAN(eps=0.8, min_samples=3),
        cluster.HDBSCAN(min_cluster_size=3, copy=True),
        cluster.AgglomerativeClustering(4),
        cluster.KMeans(4, n_init=1, random_state=0),
        cluster.MeanShift(bandwidth=0.8),
        cluster.AffinityPropagation(random_state=0),
        cluster.Birch(threshold=0.3, n_clusters=None),
    ],
    ids=lambda model: type(model).__name__,
)
def test_ties_of_clusters_do_not_hang_on_the_batch(model: Any) -> None:
    """Rows of 0 and 1 are as near to several clusters: evidence of 0 is shared as any other."""
    X = (np.random.default_rng(0).normal(size=(30, 3)) > 0) * 1.0
    options = {"data": X} if not hasattr(model.fit(X), "predict") else {}
    whole = neon.Explainer(model, **options)(X, "all")
    single = neon.Explainer(model, **options, batch_size=1, progress=False)(X, "all")
    np.testing.assert_allclose(single.values, whole.values, atol=1e-9)
    np.testing.assert_allclose(single.prediction, whole.prediction, atol=1e-9)
