"""Clusterings, with and without ``predict``."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from sklearn import cluster
from sklearn.datasets import load_digits, load_iris, load_wine, make_moons
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.contract.case import Case


def cases() -> dict[str, Case]:
    wine = StandardScaler().fit_transform(load_wine().data)[::2]
    iris, digits = load_iris().data[::2], load_digits().data[:120]
    moons = make_moons(120, noise=0.05, random_state=0)[0]
    found = {
        "AffinityPropagation": Case(cluster.AffinityPropagation(preference=-80.0), wine, relu=True),
        "BisectingKMeans": Case(cluster.BisectingKMeans(6, random_state=0), wine, relu=True),
        "BisectingKMeans-two": Case(cluster.BisectingKMeans(2, random_state=0), digits, relu=True),
        "distances-bisecting": Case(cluster.BisectingKMeans(4, random_state=0), wine, options={"output": "transform"}),
        "Birch": Case(cluster.Birch(threshold=2.0, n_clusters=3), wine, relu=True),
        "Birch-subclusters": Case(cluster.Birch(threshold=1.0, n_clusters=None), iris, relu=True),
        "distances-birch": Case(cluster.Birch(threshold=1.0, n_clusters=3), iris, options={"output": "transform"}),
        "distances-centers": Case(cluster.KMeans(4, n_init=1, random_state=0), iris, options={"output": "transform"}),
        "distances-Ridge": Case(
            make_pipeline(StandardScaler(), cluster.KMeans(4, n_init=1, random_state=0), Ridge()), iris, iris[:, 0]
        ),
        "MeanShift": Case(cluster.MeanShift(bandwidth=3.2), wine, relu=True),
        "MeanShift-scaled": Case(make_pipeline(StandardScaler(), cluster.MeanShift(bandwidth=1.5)), iris, relu=True),
    }
    without_predict = {
        "DBSCAN": Case(cluster.DBSCAN(eps=24.0, min_samples=3), digits, relu=True),
        "DBSCAN-manhattan": Case(cluster.DBSCAN(eps=0.3, min_samples=4, metric="manhattan"), moons, relu=True),
        "DBSCAN-scaled": Case(make_pipeline(StandardScaler(), cluster.DBSCAN(eps=0.5)), moons, relu=True),
        "DBSCAN-outlierness": Case(cluster.DBSCAN(eps=1.9), wine, options={"output": "outlierness"}),
        "HDBSCAN": Case(cluster.HDBSCAN(min_cluster_size=8, copy=True), wine),
        "OPTICS": Case(cluster.OPTICS(min_samples=4), moons),
        "AgglomerativeClustering": Case(cluster.AgglomerativeClustering(4), wine),
        "AgglomerativeClustering-scaled": Case(
            make_pipeline(StandardScaler(), cluster.AgglomerativeClustering(2, linkage="single")), moons
        ),
        "SpectralClustering": Case(cluster.SpectralClustering(3, gamma=0.05, random_state=0), wine),
        "SpectralBiclustering": Case(cluster.SpectralBiclustering(2, random_state=0), iris),
        "SpectralCoclustering": Case(cluster.SpectralCoclustering(2, random_state=0), np.abs(iris)),
    }
    return {**found, **{name: replace(case, labelled=True) for name, case in without_predict.items()}}
