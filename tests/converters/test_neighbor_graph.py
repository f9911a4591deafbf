"""KNeighborsTransformer and RadiusNeighborsTransformer against their own graphs, ties and hits included."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.cluster import DBSCAN
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.neighbors import (
    KNeighborsClassifier,
    KNeighborsRegressor,
    KNeighborsTransformer,
    RadiusNeighborsClassifier,
    RadiusNeighborsTransformer,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import neon
from neon.errors import UnsupportedModelError

pytestmark = pytest.mark.usefixtures("one_pass")

IRIS, WINE, CANCER = load_iris().data, load_wine().data, load_breast_cancer().data
TRANSFORMERS: list[Any] = [
    KNeighborsTransformer(),
    KNeighborsTransformer(n_neighbors=20, metric="manhattan"),
    KNeighborsTransformer(n_neighbors=6, metric="chebyshev"),
    KNeighborsTransformer(mode="connectivity"),
    RadiusNeighborsTransformer(radius=0.6),
    RadiusNeighborsTransformer(radius=0.6, mode="connectivity", p=1),
]


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def parts(model: Any, rows: np.ndarray, points: np.ndarray) -> np.ndarray:
    """What each feature brings to each distance, (n_samples, n_features, n_points)."""
    difference = np.abs(rows[:, None] - points).transpose(0, 2, 1)
    return difference**2 if model.effective_metric_ == "euclidean" else difference


@pytest.mark.parametrize("algorithm", ["brute", "kd_tree", "ball_tree"])
@pytest.mark.parametrize("model", TRANSFORMERS, ids=str)
def test_ties_and_hits(model: Any, algorithm: str) -> None:
    """Measured to a tenth, many irises are equally far: the neighbours are those that the model's search finds."""
    model = pickle.loads(pickle.dumps(model)).set_params(algorithm=algorithm)
    for pipeline in (model, make_pipeline(StandardScaler(), model)):
        pipeline.fit(IRIS)
        before = pickle.dumps(pipeline)
        rows = np.vstack([IRIS[::2], IRIS[::7] + 0.05])
        found = neon.Explainer(pipeline)(rows, "all")
        assert found.conservation_error() < 1e-11
        assert neon.neuralize(pipeline).verify(rows) < 1e-12
        assert pickle.dumps(pipeline) == before
        graph = pipeline.transform(rows).toarray()
        assert ((found.prediction > 1e-6) == (graph > 1e-6)).all()
        # Brute force squares out: of a distance of 0 it may leave the root of a rounding error.
        assert np.abs(found.prediction - graph).max() < 1e-6


@pytest.mark.parametrize("model", [TRANSFORMERS[0], TRANSFORMERS[1], TRANSFORMERS[4]], ids=str)
def test_a_distance_is_shared_by_its_features(model: Any) -> None:
    model = pickle.loads(pickle.dumps(model)).fit(IRIS)
    rows = IRIS[::5] + 0.05
    graph = model.transform(rows).toarray()
    found = neon.Explainer(model)(rows, "all")
    of = parts(model, rows, IRIS)
    expected = of / of.sum(1, keepdims=True) * graph[:, None]
    assert relative(found.values, expected) < 1e-9
    assert relative(found.prediction, graph) < 1e-12
    assert not found.residuals


@pytest.mark.parametrize("model", [TRANSFORMERS[3], TRANSFORMERS[5]], ids=str)
def test_a_neighbour_is_nearer_than_the_mean_of_the_others(model: Any) -> None:
    model = pickle.loads(pickle.dumps(model)).fit(IRIS)
    rows = IRIS[::15] + 0.05
    graph = model.transform(rows).toarray()
    found = neon.Explainer(model)(rows, "all")
    np.testing.assert_array_equal(found.prediction, graph)
    of, expected = parts(model, rows, IRIS), np.zeros(found.values.shape)
    for n, j in zip(*np.nonzero(graph), strict=True):
        nearer = of[n][:, graph[n] == 0].mean(1) - of[n, :, j]
        expected[n, :, j] = nearer / nearer.sum()
    assert graph.sum() > 20
    assert relative(found.values, expected) < 1e-9
    assert found.conservation_error() < 1e-12


def test_no_point_is_left_to_compare_with() -> None:
    model = RadiusNeighborsTransformer(radius=100.0, mode="connectivity").fit(IRIS)
    found = neon.Explainer(model)(IRIS[:5], "all")
    assert not found.values.any()
    np.testing.assert_array_equal(found.residuals["no_competitor"], np.ones((5, len(IRIS))))


def test_brute_force_next_to_points() -> None:
    """Far from the origin, the model's own brute force loses half of the digits; the network does not."""
    model = KNeighborsTransformer(algorithm="brute").fit(CANCER)
    network = neon.neuralize(model)
    rows = np.vstack([CANCER[:100], CANCER[:100] + 1e-3])
    tree = KNeighborsTransformer(algorithm="kd_tree").fit(CANCER).transform(rows).toarray()
    with torch.no_grad():
        found = network(network.encode(rows)).numpy()
    assert np.abs(found - tree).max() < 1e-8
    assert np.abs(model.transform(rows).toarray() - tree).max() > 1e-7
    assert network.verify(rows) < 1e-8


@pytest.mark.parametrize("mode", ["distance", "connectivity"])
@pytest.mark.parametrize("p", [1, 2])
def test_relative_to_reference_rows(mode: str, p: int) -> None:
    """Of a linear model of the graph: the neighbours of the row held fixed; what they miss is named."""
    steps = (StandardScaler(), KNeighborsTransformer(n_neighbors=10, mode=mode, p=p))
    y = WINE[:, 0]
    model = make_pipeline(*steps, Ridge()).fit(WINE, y)
    rows, reference = WINE[::10] + 0.01, WINE[3:4]
    found = neon.Explainer(model, reference=reference)(rows)
    assert relative(found.prediction, model.predict(rows)) < 1e-12
    assert relative(found.base_values, np.repeat(model.predict(reference), len(rows))) < 1e-12
    assert found.conservation_error() < 1e-10
    assert set(found.residuals) == {"neighbors"}
    c, graph, there = model[-1].coef_, model[:2].transform(rows).toarray(), model[:2].transform(reference).toarray()
    near = graph > 0
    assert near.sum(1).min() >= 10
    of, of_reference = (parts(model[1], model[0].transform(X), model[1]._fit_X) for X in (rows, reference))
    moved, expected = of - of_reference, np.zeros(rows.shape)
    root = 1 / p if mode == "distance" else 1
    d, d_reference = of.sum(1) ** root, of_reference.sum(1) ** root
    for n in range(len(rows)):
        for j in np.flatnonzero(near[n]):
            if mode == "distance":
                expected[n] += c[j] * (d[n, j] - d_reference[0, j]) * moved[n, :, j] / moved[n, :, j].sum()
            else:
                gap = of[n].sum(0)[~near[n]].mean() - of[n].sum(0)[j]
                expected[n] += c[j] * (moved[n][:, ~near[n]].mean(1) - moved[n, :, j]) / gap
    assert relative(found.values, expected) < 1e-9
    if mode == "distance":
        missed = (c * (near * d_reference - there)).sum(1)
        assert relative(found.residuals["neighbors"], missed) < 1e-9


def test_projected_rows() -> None:
    model = make_pipeline(StandardScaler(), PCA(3), KNeighborsTransformer()).fit(WINE)
    found = neon.Explainer(model)(WINE + 0.01, "all")
    assert relative(found.prediction, model.transform(WINE + 0.01).toarray()) < 1e-12
    assert found.conservation_error() < 1e-9


def test_what_it_says() -> None:
    model = KNeighborsTransformer().fit(IRIS)
    network = neon.neuralize(model)
    assert network.explains.endswith("the neighbours are taken as given")
    assert network.output_names[:2] == ("training row 0", "training row 1")
    assert "nearer" in neon.neuralize(KNeighborsTransformer(mode="connectivity").fit(IRIS)).explains
    with pytest.raises(ValueError, match="no exact ReLU form"):
        neon.neuralize(model, form="relu")


def test_metrics_that_are_no_sum_are_refused() -> None:
    with pytest.raises(UnsupportedModelError, match="KNeighborsTransformer with metric='correlation', which is no sum"):
        neon.neuralize(KNeighborsTransformer(metric="correlation").fit(IRIS))


def test_what_reads_the_graph_as_distances_is_refused() -> None:
    """Where a graph holds no distance, an estimator with metric="precomputed" reads that there is none, and not 0."""
    y = load_iris().target
    graph = KNeighborsTransformer(n_neighbors=12)
    within = RadiusNeighborsTransformer(radius=2.0)
    for steps in (
        (graph, KNeighborsClassifier(metric="precomputed")),
        (graph, KNeighborsRegressor(metric="precomputed")),
        (within, RadiusNeighborsClassifier(radius=1.0, metric="precomputed")),
    ):
        with pytest.raises(UnsupportedModelError, match=r"metric='precomputed'.*at step"):
            neon.neuralize(make_pipeline(*steps).fit(IRIS, y))
    with pytest.raises(UnsupportedModelError):
        neon.neuralize(make_pipeline(within, DBSCAN(metric="precomputed")).fit(IRIS), data=IRIS)
