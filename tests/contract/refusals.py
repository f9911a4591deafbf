"""What neon refuses of the models that the contract test knows, and of scikit-learn: another refusal is a failure."""

from __future__ import annotations

__all__ = ["ANSWERS", "ESTIMATORS"]

# Estimators of scikit-learn without a converter, and words of the reason.
ESTIMATORS = {
    "sklearn.feature_extraction.image.PatchExtractor": "it cuts images into patches, each a row of its own",
    "sklearn.manifold.ClassicalMDS": "no function of new rows",
    "sklearn.manifold.MDS": "no function of new rows",
    "sklearn.manifold.SpectralEmbedding": "no function of new rows",
    "sklearn.manifold.TSNE": "no function of new rows",
    "sklearn.preprocessing.LabelBinarizer": "targets, which are no features",
    "sklearn.preprocessing.LabelEncoder": "targets, which are no features",
    "sklearn.preprocessing.MultiLabelBinarizer": "targets, which are no features",
}

_PROBABILITIES = ("predict_proba", "log_odds")
_SCORES = ("decision_function", *_PROBABILITIES)
_ALL = ("predict", *_SCORES)

# Cases, and the answers that an estimator around them cannot have from their network; words of the reason. Most explain
# a number from which these answers do not follow.
_CASES: dict[str, tuple[tuple[str, ...], str]] = {
    "SVC-multi-rbf-pairs": (("decision_function",), "margin of a class over its closest rival"),
    "MLPClassifier-labels": (("predict", *_PROBABILITIES), "log-odds of a label"),
    "RidgeClassifier-labels": (("predict", "decision_function"), "decision function of a label"),
    "RidgeClassifierCV-label-pair": (("predict", "decision_function"), "decision function of a label"),
    "OneVsRestClassifier-labels": (_ALL, "decision function of a label|takes classes that exclude each other"),
    "NearestCentroid": (("decision_function",), "evidence for a class"),
    "NearestCentroid-shrunk": (("decision_function",), "evidence for a class"),
    "NearestCentroid-priors": (("decision_function",), "its log-prior counted in"),
    "GaussianProcessClassifier-binary": (("predict", *_PROBABILITIES), "latent function"),
    "GaussianProcessClassifier-one_vs_rest": (("predict", *_PROBABILITIES), "latent function"),
    "GaussianProcessClassifier-one_vs_one": (("predict", *_PROBABILITIES), "latent function"),
    "GaussianProcessClassifier-linear": (("predict", *_PROBABILITIES), "latent function"),
}
ANSWERS = {(case, answer): why for case, (answers, why) in _CASES.items() for answer in answers}
