"""Clusters of explanations, against scikit-learn's spectral clustering, hand-computed scores and planted artifacts."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.cluster import SpectralClustering
from sklearn.datasets import make_blobs
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import normalize
from sklearn.svm import SVC

import neon
from neon.artifacts import scores, spectrum

RNG = np.random.default_rng(0)


def planted(seed: int, n: int = 80) -> tuple[np.ndarray, np.ndarray]:
    """Relevance of images 8 × 8 in several poses; a third of them rest on a mark in a corner. And which do."""
    rng = np.random.default_rng(seed)
    poses = rng.normal(size=(3, 8, 8)) * (rng.random((3, 8, 8)) < 0.4)
    maps = poses[rng.integers(3, size=n)] + 0.5 * rng.normal(size=(n, 8, 8))
    marked = rng.random(n) < 1 / 3
    maps[marked, :2, :2] += 8.0
    return maps * rng.uniform(0.1, 10, size=(n, 1, 1)), marked


@pytest.mark.parametrize("n_clusters", [2, 4])
def test_clusters_are_those_of_scikit_learn(n_clusters: int) -> None:
    rows, _ = make_blobs(90, 5, centers=n_clusters, cluster_std=2.5, random_state=1)
    found = neon.spray(rows, n_clusters=n_clusters, n_neighbors=12, normalize=None)
    expected = SpectralClustering(n_clusters, affinity="nearest_neighbors", n_neighbors=12, random_state=0).fit(rows)
    assert adjusted_rand_score(expected.labels_, found.labels) == 1
    assert found.n_clusters == n_clusters


def test_spectrum_of_many_rows_is_that_of_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of parts that nothing connects, as many eigenvalues are 0, in either way of computing them."""
    rows, parts = make_blobs(120, 4, centers=3, cluster_std=0.2, random_state=0)
    dense, _ = spectrum.spectrum(rows, 5, 8)
    monkeypatch.setattr(spectrum, "_DENSE", 10)
    values, coordinates = spectrum.spectrum(rows, 5, 8)
    np.testing.assert_allclose(values, dense, atol=1e-8)
    np.testing.assert_allclose(values[:3], 0, atol=1e-8)
    assert values[3] > 0.01
    for part in range(3):
        np.testing.assert_allclose(np.ptp(coordinates[parts == part, :3], axis=0), 0, atol=1e-8)
    assert spectrum.eigengap(np.array([0.0, 0.0, 0.01, 0.4, 0.5])) == 3
    assert spectrum.eigengap(np.array([0.0, 0.6, 0.7, 0.9])) == 3  # not 1


def test_planted_artifact_has_the_highest_score_in_20_of_20() -> None:
    hits = 0
    for seed in range(20):
        maps, marked = planted(seed)
        found = neon.spray(maps)
        hits += bool(marked[found.rows(0)].mean() >= 0.95 and marked[found.prototypes[0]].all())
    assert hits == 20


def test_scores_by_hand() -> None:
    inside = np.array([[3.0, 1.0, 3.0], [1.0, 1.0, 3.0]])  # mean (2, 1, 3)
    outside = np.array([[1.0, 2.0, 1.0], [1.0, 4.0, -1.0], [1.0, 3.0, 0.0]])  # mean (1, 3, 0)
    found = neon.spray(np.concatenate([inside, outside]), normalize=None, n_clusters=2, n_neighbors=2)
    three, pair = found.scores  # the first has the higher score: its excess (0, 2, 0) is on one feature
    assert (three.rows, pair.rows, pair.share) == (3, 2, 0.4)
    np.testing.assert_allclose((three.distinct, three.effective_features), (2 / 4, 1))
    # excess of the pair: (1, 0, 3) of (2, 1, 3)
    np.testing.assert_allclose((pair.distinct, pair.effective_features), (4 / 6, 16 / 10))
    cosines = [16 / np.sqrt(19 * 14), 12 / np.sqrt(11 * 14)]
    np.testing.assert_allclose(pair.coherence, np.mean(cosines))
    np.testing.assert_allclose(pair.score, np.mean(cosines) * 4 / 6 * 10 / 16)
    # along (1, -2, 3), squared length 14: inside 10 and 8, variance 1; outside 0, -10, -5, variance 50/3
    np.testing.assert_allclose(pair.separation, 14**2 / (0.4 * 1 + 0.6 * 50 / 3))
    np.testing.assert_allclose(three.separation, pair.separation)
    assert (three.top_feature, pair.top_feature) == ("feature 1", "feature 2")
    np.testing.assert_allclose(found.mean(0), [1, 3, 0])
    assert found.prototypes[1][0] == np.argmax(cosines)


def test_one_cluster_is_an_answer() -> None:
    found = neon.spray(RNG.normal(size=(30, 4)), n_clusters=1)
    assert np.isnan(found.scores[0].separation)
    assert len(found.rows(0)) == 30
    np.testing.assert_allclose(scores.cosines_to_mean(np.zeros((2, 3))), 0)


def test_a_leaking_column_is_named() -> None:
    X = pd.DataFrame(RNG.normal(size=(200, 6)), columns=list("abcdef"))
    y = np.where(X["a"] + X["b"] + RNG.normal(size=200) > 0, "yes", "no")
    leaks = (y == "yes") & (RNG.random(200) < 0.5)
    X["code"] = np.where(leaks, 4.0, 0.0)
    explanation = neon.explain(SVC(gamma=0.1).fit(X, y), X[y == "yes"], target="yes")
    found = neon.spray(explanation, n_clusters=2)
    assert found.scores[0].top_feature == "code"
    assert found.scores[0].output == "yes"
    assert leaks[y == "yes"][found.rows(0)].all()
    assert list(found.summary.columns) == list(scores.ClusterScores._fields)
    assert "code" in repr(found)
    assert "code" in found._repr_html_()


def test_images_of_all_kinds_are_the_same() -> None:
    maps, _ = planted(0)
    expected = neon.spray(maps)
    channels = np.stack([0.25 * maps, 0.75 * maps], axis=1)
    for given, options in (
        (maps.reshape(80, 64), {"shape": (8, 8)}),
        (channels, {}),
        (np.moveaxis(channels, 1, -1), {}),
        (torch.tensor(channels, requires_grad=True), {}),
        (maps.astype(np.float32), {}),
        (3 * maps, {}),
    ):
        found = neon.spray(given, **options)
        np.testing.assert_array_equal(found.labels, expected.labels)
        assert found.relevance.shape == (8, 8)
    np.testing.assert_allclose(expected.relevance.values, normalize(maps.reshape(80, 64), "l1"))


def test_columns_of_frames_are_named() -> None:
    frame = pd.DataFrame(RNG.normal(size=(30, 2)) * [1, 50], columns=["u", "v"])
    assert neon.spray(frame).relevance.feature_names == ("u", "v")
    assert neon.spray(frame.to_numpy()).relevance.feature_names == ("feature 0", "feature 1")


def test_pixels_are_pooled() -> None:
    maps = RNG.normal(size=(10, 5, 4))
    found = neon.spray(maps, pool=2, normalize=None, n_clusters=2)
    assert found.relevance.shape == (3, 2)
    sums = found.relevance.values.reshape(10, 3, 2)
    np.testing.assert_allclose(sums[:, 0, 1], maps[:, :2, 2:].sum((1, 2)))
    np.testing.assert_allclose(sums[:, 2, 0], maps[:, 4:, :2].sum((1, 2)))  # the edge is narrower


@pytest.mark.parametrize("embedding", ["tsne", "spectral", PCA(2)])
def test_embeddings(embedding: Any) -> None:
    maps, _ = planted(1, n=40)
    found = neon.spray(maps, embedding=embedding)
    assert found.embedding.shape == (40, 2)
    again = neon.spray(maps, embedding=embedding)
    np.testing.assert_array_equal(found.labels, again.labels)
    np.testing.assert_array_equal(found.embedding, again.embedding)
    if embedding == "spectral":
        np.testing.assert_array_equal(found.embedding, found.coordinates[:, 1:3])


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        (np.ones((2, 4)), {}, "at least three rows"),
        (np.ones(4), {}, "at least three rows"),
        (np.full((5, 4), np.nan), {}, "NaN or infinity"),
        (np.ones((5, 2, 2, 2, 2)), {}, "reshape them"),
        (np.ones((5, 4)), {"shape": (3, 3)}, "does not fit"),
        (np.ones((5, 4)), {"pool": 2}, "pool must be"),
        (np.ones((5, 4)), {"normalize": "l3"}, "normalize must be"),
        (np.ones((5, 4)), {"n_clusters": 5}, "n_clusters must be a whole number, at least 1 and at most 4"),
        (np.ones((5, 4)), {"n_neighbors": 0}, "n_neighbors must be"),
        (np.ones((5, 4)), {"max_clusters": 0}, "max_clusters must be"),
        (np.ones((5, 4)), {"embedding": "umap"}, "embedding must be"),
        (np.ones((5, 4)), {"embedding": 3}, "embedding must be"),
    ],
)
def test_what_does_not_fit_is_refused(given: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        neon.spray(given, **options)


def test_an_explanation_of_all_outputs_is_refused() -> None:
    X, y = make_blobs(20, centers=3, random_state=0)
    every = neon.explain(SVC().fit(X, y), X, target="all")
    with pytest.raises(ValueError, match=r"select\('0'\)"):
        neon.spray(every)
    assert neon.spray(every.select("1")).labels.shape == (20,)


def test_rows_without_relevance_stay_rows() -> None:
    maps, _ = planted(2, n=40)
    maps[:3] = 0
    found = neon.spray(maps)
    assert len(found.labels) == 40
    assert np.isfinite(found.summary["score"]).all()


@pytest.mark.parametrize("noise", [0.0, 1e-15], ids=["equal", "up to rounding"])
def test_rows_that_are_all_explained_alike_are_one_cluster_and_one_point(noise: float) -> None:
    """A model that asks one column alone. The t-SNE of scikit-learn divides by the spread, and crashes."""
    maps = np.tile([0.0, 2.0, 0.0], (20, 1)) + noise * RNG.normal(size=(20, 3))
    found = neon.spray(maps)
    assert (found.n_clusters, found.scores[0].top_feature) == (1, "feature 1")
    np.testing.assert_array_equal(found.embedding, 0)
    assert found.plot() is not None
    assert neon.spray(maps, n_clusters=2).n_clusters <= 2
    assert neon.spray(np.zeros((20, 3))).n_clusters == 1
    plt.close("all")


@pytest.mark.parametrize("shape", [None, (8, 8)])
def test_plot(shape: tuple[int, int] | None) -> None:
    maps, _ = planted(3, n=60)
    found = neon.spray(maps.reshape(60, 64), shape=shape, embedding="spectral")
    figure = found.plot(max_clusters=2)
    points, eigenvalues, *_ = figure.axes
    np.testing.assert_allclose(points.collections[0].get_offsets(), found.embedding[found.rows(0)])
    np.testing.assert_allclose(eigenvalues.lines[0].get_ydata(), found.eigenvalues)
    first = next(ax.images[0] for ax in figure.axes if ax.images).get_array()
    np.testing.assert_allclose(
        first if shape else np.sort(first[:, 0])[-1], found.mean(0) if shape else found.mean(0).max()
    )
    with pytest.raises(ValueError, match="max_clusters"):
        found.plot(max_clusters=0)
    plt.close("all")
