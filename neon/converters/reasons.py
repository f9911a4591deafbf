"""Estimators of scikit-learn without anything to explain, and why."""

from __future__ import annotations

__all__ = ["NOTHING_TO_EXPLAIN"]

_TRAINING_ROWS_ONLY = "it places the rows that it is fitted on, and has no function of new rows"
_TARGETS = "it encodes targets, which are no features"
_NEIGHBORS = "its columns are training points and which of them are near; explain the model that uses them"

NOTHING_TO_EXPLAIN = {
    "sklearn.decomposition.LatentDirichletAllocation": (
        "topics of a document are found by an iteration that stops at a tolerance, with digamma functions in it; NMF "
        "gives topics that are explained"
    ),
    "sklearn.ensemble.RandomTreesEmbedding": (
        "it transforms rows to indicators of leaves of random trees and predicts nothing; explain a forest that was "
        "fitted to the target (ExtraTreesRegressor, RandomForestClassifier, ...), or IsolationForest for anomalies"
    ),
    "sklearn.feature_extraction.image.PatchExtractor": (
        "it cuts images into patches, each a row of its own, and computes nothing from them"
    ),
    "sklearn.manifold.ClassicalMDS": _TRAINING_ROWS_ONLY,
    "sklearn.manifold.Isomap": (
        "a coordinate is a path along the training rows' graph, which belongs to these rows; KernelPCA places rows by a "
        "kernel, which is explained"
    ),
    "sklearn.manifold.LocallyLinearEmbedding": (
        "a coordinate is a mean of training rows' coordinates, which were placed without a function of features; "
        "KernelPCA places rows by a kernel, which is explained"
    ),
    "sklearn.manifold.MDS": _TRAINING_ROWS_ONLY,
    "sklearn.manifold.SpectralEmbedding": _TRAINING_ROWS_ONLY,
    "sklearn.manifold.TSNE": _TRAINING_ROWS_ONLY,
    "sklearn.neighbors.KNeighborsTransformer": _NEIGHBORS,
    "sklearn.neighbors.NearestNeighbors": "it finds rows and predicts nothing; explain the model that uses them",
    "sklearn.neighbors.RadiusNeighborsTransformer": _NEIGHBORS,
    "sklearn.neural_network.BernoulliRBM": "TODO",
    "sklearn.preprocessing.LabelBinarizer": _TARGETS,
    "sklearn.preprocessing.LabelEncoder": _TARGETS,
    "sklearn.preprocessing.MultiLabelBinarizer": _TARGETS,
}
