"""Isomap and locally linear embeddings: against the formulas, and what they are relative to."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.csgraph import shortest_path
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import Isomap, LocallyLinearEmbedding, SpectralEmbedding
from sklearn.neighbors import kneighbors_graph
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import neon
from tests.contract import unseen

pytestmark = pytest.mark.usefixtures("one_pass")

WINE = StandardScaler().fit_transform(load_wine().data)[::2]
NEW = unseen(WINE)


def explained(model: Any, X: np.ndarray = NEW, **options: Any) -> neon.Explanation:
    return neon.Explainer(model, **options)(X, "all")


def test_straight_ways_are_principal_components() -> None:
    """All training rows within the radius: Isomap is PCA, and explained as its projection relative to the mean row."""
    model, pca = Isomap(n_neighbors=None, radius=1e3, n_components=3).fit(WINE), PCA(3).fit(WINE)
    signs = np.sign((model.transform(NEW) * pca.transform(NEW)).sum(0))
    explanation = explained(model)
    expected = (NEW - WINE.mean(0))[:, :, None] * pca.components_.T * signs
    np.testing.assert_allclose(explanation.values, expected, rtol=0, atol=1e-9)
    assert not explanation.residuals
    np.testing.assert_allclose(explanation.base_values, 0.0, atol=1e-12)


def test_isomap_by_walking_every_way() -> None:
    """``-½ Σ_j A_jc g_j ℓ_ij`` less its mean over the training rows, A centered; no residual."""
    n_neighbors = 6
    model = Isomap(n_neighbors=n_neighbors).fit(WINE)
    graph = kneighbors_graph(WINE, n_neighbors, mode="distance")
    graph = graph.maximum(graph.T).toarray()

    def along(x: np.ndarray) -> np.ndarray:
        """``g_j ℓ_ij`` of one row, (n_points, n_features)."""
        d = np.linalg.norm(WINE - x, axis=1)
        step = np.zeros(len(WINE))
        near = d.argsort()[:n_neighbors]
        step[near] = np.maximum(d[near], 1e-12)  # a zero would be no edge
        whole = sparse.csr_matrix(np.block([[graph, step[:, None]], [step, 0.0]]))
        lengths, before = shortest_path(whole, directed=False, return_predecessors=True, indices=len(WINE))
        rows, found = np.vstack([WINE, x]), np.zeros(WINE.shape)
        for j in range(len(WINE)):
            b = j
            while before[b] >= 0:
                squares = (rows[b] - rows[before[b]]) ** 2
                found[j] += lengths[j] * squares / max(np.sqrt(squares.sum()), 1e-300)
                b = before[b]
        return found

    pca = model.kernel_pca_
    alphas = pca.eigenvectors_ / np.sqrt(pca.eigenvalues_)
    alphas = alphas - alphas.mean(0)
    mean = np.mean([along(row) for row in WINE], axis=0)
    found = explained(model, NEW[:5])
    expected = [-0.5 * (along(row) - mean).T @ alphas for row in NEW[:5]]
    np.testing.assert_allclose(found.values, expected, rtol=0, atol=1e-9)
    assert not found.residuals


def test_relative_to_given_rows() -> None:
    model = Isomap(n_components=3).fit(WINE)
    found, plain = explained(model, reference=NEW[:4]), explained(model)
    np.testing.assert_allclose(found.base_values[0], model.transform(NEW[:4]).mean(0), rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.values, plain.values - plain.values[:4].mean(0), rtol=0, atol=1e-10)
    assert not found.residuals


def test_neighbours_hold_what_no_feature_owns() -> None:
    model = LocallyLinearEmbedding(n_neighbors=7, eigen_solver="dense").fit(WINE)
    near = model.nbrs_.kneighbors(NEW, 7, return_distance=False)
    found = explained(model)
    assert set(found.residuals) == {"neighbors_mean"}
    np.testing.assert_allclose(found.residuals["neighbors_mean"], model.embedding_[near].mean(1), rtol=0, atol=1e-13)
    rest = model.transform(NEW) - model.embedding_[near].mean(1)
    np.testing.assert_allclose(found.values.sum(1), rest, rtol=0, atol=1e-12)


def test_neighbours_are_the_models_own() -> None:
    """Of whole numbers some are equally near, of repeated rows many: the model's search decides."""
    X = load_digits().data[:150].round(-1)
    X = np.vstack([X, X[:20]])
    rows = np.vstack([X, X + 1.0])
    d = ((rows[:, None] - X) ** 2).sum(2)
    d.sort(axis=1)
    assert (d[:, 9] == d[:, 10]).any()  # otherwise this test would test nothing
    for algorithm in ("brute", "kd_tree"):
        for model in (
            Isomap(n_neighbors=10, neighbors_algorithm=algorithm),
            LocallyLinearEmbedding(n_neighbors=10, neighbors_algorithm=algorithm, eigen_solver="dense"),
        ):
            found, own = explained(model.fit(X), rows), model.transform(rows)
            np.testing.assert_allclose(found.prediction, own, rtol=0, atol=1e-10 * np.abs(own).max())
            assert found.conservation_error() <= 1e-9 * np.abs(own).max()


@pytest.mark.filterwarnings("ignore:Changing the sparsity structure")
def test_a_graph_in_pieces() -> None:
    """scikit-learn joins them by their closest rows, and says so."""
    iris = load_iris().data
    for options in ({"n_neighbors": 5}, {"n_neighbors": None, "radius": 1.0}, {"n_neighbors": 5, "p": 1}):
        with pytest.warns(UserWarning, match="connected components"):
            model = Isomap(**options).fit(iris)
        found = explained(model, iris)
        np.testing.assert_allclose(found.prediction, model.transform(iris), rtol=0, atol=1e-10)
        assert found.conservation_error() <= 1e-9


def test_sparse_and_single_precision_rows() -> None:
    digits = load_digits().data[:100]
    model = Isomap(n_neighbors=10).fit(sparse.csr_matrix(digits))
    np.testing.assert_allclose(explained(model, digits).prediction, model.transform(digits), rtol=0, atol=1e-9)
    for kind in (Isomap(), LocallyLinearEmbedding(eigen_solver="dense")):
        single = kind.fit(WINE.astype(np.float32))
        found, own = explained(single), single.transform(NEW)
        np.testing.assert_allclose(found.prediction, own, rtol=0, atol=1e-6)
        assert found.conservation_error() <= 1e-9


def test_rows_with_names() -> None:
    frame = load_wine(as_frame=True).data[::2]
    for kind in (Isomap(n_neighbors=8), LocallyLinearEmbedding(eigen_solver="dense")):
        model = kind.fit(frame)
        found = explained(model, frame)
        assert found.feature_names == tuple(frame.columns)
        own = model.transform(frame)
        np.testing.assert_allclose(found.prediction, own, rtol=0, atol=1e-9 * np.abs(own).max())


def test_models_stay_as_they_are() -> None:
    for kind in (Isomap(neighbors_algorithm="kd_tree"), LocallyLinearEmbedding(neighbors_algorithm="ball_tree")):
        model = kind.set_params(eigen_solver="dense").fit(WINE)
        before = pickle.dumps(model)
        network = neon.neuralize(model)
        assert network.verify(NEW) <= 1e-10
        explained(model)
        assert pickle.dumps(model) == before


def test_the_row_nearest_to_the_middle_is_the_reference_of_what_follows() -> None:
    """An embedding has no inverse: a model on it is explained relative to the training row that lies nearest to 0."""
    y = load_wine().target[::2]
    for kind in (Isomap(), LocallyLinearEmbedding(eigen_solver="dense")):
        model = make_pipeline(kind, LogisticRegression()).fit(WINE, y)
        row = WINE[np.square(model[0].embedding_).sum(1).argmin()]
        np.testing.assert_array_equal(neon.neuralize(model).reference, row[None])


def test_refusals_name_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="no exact ReLU form"):
        neon.neuralize(Isomap().fit(WINE), form="relu")
    with pytest.raises(neon.UnsupportedModelError, match=r"Isomap with metric='cosine'.*'manhattan'"):
        neon.neuralize(Isomap(metric="cosine").fit(WINE))
    with pytest.raises(neon.UnsupportedModelError, match="Isomap with metric='chebyshev'"):
        neon.neuralize(Isomap(metric="chebyshev").fit(WINE))
    with pytest.raises(neon.UnsupportedModelError, match="no function of new rows"):
        neon.neuralize(SpectralEmbedding().fit(WINE))
    model = Isomap(n_neighbors=None, radius=5.0).fit(WINE)
    with pytest.raises(ValueError, match="NaN or infinity for 1 rows"):
        explained(model, np.vstack([WINE[:2], WINE[:1] + 100]))
    with pytest.raises(ValueError, match="NaN or infinity for 1 rows"):
        explained(model, WINE[:1] + 100)
