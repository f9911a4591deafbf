"""Embeddings of new rows: shortest paths and local ridge regressions."""

from __future__ import annotations

from sklearn.cluster import KMeans
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import Isomap, LocallyLinearEmbedding
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from tests.contract.case import Case


def cases() -> dict[str, Case]:
    iris, kinds = load_iris(return_X_y=True)
    wine, cultivars = (part[::2] for part in load_wine(return_X_y=True))
    scaled = StandardScaler().fit_transform(wine)
    digits = load_digits().data[:120]
    found = {
        "Isomap": Case(Isomap(n_neighbors=30), iris),
        "Isomap-unscaled": Case(Isomap(n_neighbors=8, n_components=3), wine),
        "Isomap-digits": Case(Isomap(n_neighbors=10), digits),
        "Isomap-radius": Case(Isomap(n_neighbors=None, radius=4.5), scaled),
        "Isomap-manhattan": Case(Isomap(p=1), scaled),
        "Isomap-minkowski": Case(Isomap(p=3), scaled),
        "Isomap-brute": Case(Isomap(neighbors_algorithm="brute", metric="euclidean"), wine),
        "Isomap-Logistic": Case(make_pipeline(StandardScaler(), Isomap(), LogisticRegression()), wine, cultivars),
        "Isomap-first": Case(make_pipeline(Isomap(n_neighbors=30), LogisticRegression()), iris, kinds),
        "Isomap-KMeans": Case(make_pipeline(StandardScaler(), Isomap(), KMeans(3, n_init=1, random_state=0)), wine),
        "PCA-Isomap": Case(make_pipeline(StandardScaler(), PCA(4), Isomap()), wine),
        "PCA-Isomap-SVC": Case(make_pipeline(PCA(4), Isomap(), SVC()), digits, load_digits().target[:120] % 3),
    }
    for method, options in {
        "standard": {"reg": 0.01},
        "modified": {"n_neighbors": 10},
        "ltsa": {"n_neighbors": 20},
        "hessian": {"n_neighbors": 10},
    }.items():
        model = LocallyLinearEmbedding(method=method, eigen_solver="dense", **options)
        found[f"LocallyLinearEmbedding-{method}"] = Case(model, scaled)
    model = LocallyLinearEmbedding(eigen_solver="dense")
    found |= {
        "LocallyLinearEmbedding": Case(model, iris),
        "LocallyLinearEmbedding-digits": Case(model, digits),
        "LocallyLinearEmbedding-Logistic": Case(
            make_pipeline(StandardScaler(), model, LogisticRegression(C=100.0)), wine, cultivars
        ),
        "LocallyLinearEmbedding-first": Case(make_pipeline(model, LogisticRegression(C=100.0)), iris, kinds),
        "LocallyLinearEmbedding-KMeans": Case(
            make_pipeline(StandardScaler(), model, KMeans(3, n_init=1, random_state=0)), wine
        ),
        "PCA-LocallyLinearEmbedding-SVC": Case(
            make_pipeline(StandardScaler(), PCA(4), model, SVC(gamma=10.0)), wine, cultivars
        ),
    }
    found["PCA-LocallyLinearEmbedding"] = Case(make_pipeline(PCA(4), model), wine)
    found["PCA-LocallyLinearEmbedding-Logistic"] = Case(
        make_pipeline(PCA(4, whiten=True), model, LogisticRegression()), wine, cultivars
    )
    found["PCA-Isomap-raw"] = Case(make_pipeline(PCA(4, whiten=True), Isomap()), wine)
    return found
