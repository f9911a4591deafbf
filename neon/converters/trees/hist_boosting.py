"""scikit-learn's histogram gradient boosting: missing values, categories by the model's own encoder, float64 rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from neon.converters.compose.names import column_names
from neon.converters.core import Ask, Conversion, Encoding, answers, check_several, converter
from neon.converters.trees.build import RawScores, Tree, convert_stages, convert_trees, join
from neon.converters.trees.probabilities import OUTPUTS, answered

__all__ = ["convert_hist_boosting"]


@converter("sklearn.ensemble.HistGradientBoostingClassifier", "sklearn.ensemble.HistGradientBoostingRegressor")
def convert_hist_boosting(model: Any, ask: Ask) -> Conversion:
    """The raw prediction ``baseline + Σ_t tree_t(x)``: of a regressor with a log link, log of the prediction."""
    classifies = hasattr(model, "classes_")
    if classifies:
        check_several(model)
    output = ask.choose(*(("decision_function", *OUTPUTS) if classifies else ("raw_prediction",)))
    n_scores = model.n_trees_per_iteration_
    trees = join(
        [_read(tree) for stage in model._predictors for tree in stage],
        n_features=model.n_features_in_,
        base=np.broadcast_to(np.asarray(model._baseline_prediction, dtype=np.float64).reshape(-1), (n_scores,)),
        output=np.tile(np.arange(n_scores), len(model._predictors)),
    )
    options: dict[str, Any] = {"missing": True, "takes_infinity": True, "encoding": _encoding(model)}
    if not classifies:
        link = model._loss.link
        scores = RawScores("predicted value", answers.prediction(), ["prediction"])
        if type(link).__name__ == "LogLink":
            scores = RawScores("log of the predicted mean", answers.exponential(), ["prediction"])
            options["link"] = link.inverse
        return convert_trees(trees, scores, model.predict, **options)
    part = convert_stages(model, trees, "log-odds of a class", answers.log_odds(), **options)
    return answered(part, output, own="decision_function")


def _read(tree: Any) -> Tree:
    """A ``TreePredictor``; categories are the encoder's codes."""
    nodes = tree.nodes
    leaf = nodes["is_leaf"].astype(bool)
    categories = {}
    for node in np.flatnonzero(nodes["is_categorical"] & ~leaf):
        words = tree.raw_left_cat_bitsets[nodes["bitset_idx"][node]]  # 256 bits
        categories[int(node)] = np.flatnonzero(words[:, None] >> np.arange(32, dtype=np.uint32) & 1)
    return Tree(
        np.where(leaf, -1, nodes["left"].astype(np.int64)),
        np.where(leaf, -1, nodes["right"].astype(np.int64)),
        nodes["feature_idx"],
        nodes["num_threshold"],
        nodes["missing_go_to_left"].astype(bool),
        nodes["count"],
        nodes["value"][:, None],
        categories,
    )


def _encoding(model: Any) -> Encoding | None:
    """The model's own encoder, which puts categorical columns first and makes unknown categories NaN."""
    if model.is_categorical_ is None:
        return None
    categorical = np.asarray(model.is_categorical_)
    source = np.concatenate([np.flatnonzero(categorical), np.flatnonzero(~categorical)])
    names = column_names(model)
    return Encoding(model._preprocessor.transform, source, tuple(names[i] for i in source))
