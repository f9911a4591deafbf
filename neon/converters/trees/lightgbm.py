"""LightGBM: gbdt, dart, rf and goss, from the text that a booster writes itself.

Rows are compared in float64; whole numbers and long doubles of an array, but not of a frame, are rounded to float32
before. What lies within 1e-35 of 0 counts as 0. A feature's missing values are NaN, zeros, or none at all: then NaN
counts as 0 too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neon.converters.core import Ask, Conversion, answers, check_several, converter
from neon.converters.trees.build import RawScores, Tree, convert_trees, join
from neon.converters.trees.columns import Columns
from neon.converters.trees.lightgbm_linear import linear_leaves, read_apart, with_leaves
from neon.converters.trees.probabilities import OUTPUTS, answered
from neon.errors import UnsupportedModelError
from neon.nn.trees import Trees

__all__ = ["convert_booster", "convert_model"]

_LONG = "" if np.dtype(np.longdouble) == np.float64 else "g"
_ZERO = float(np.float32(1e-35))  # up to here LightGBM calls a number zero
_NONE_MISSING, _ZERO_MISSING = 0, 1
_LOG = ("poisson", "gamma", "tweedie")


@converter("lightgbm.basic.Booster")
def convert_booster(model: Any, ask: Ask) -> Conversion:
    """The raw score: log-odds, log of the prediction, ranking score or predicted value, by the objective."""
    output = ask.choose("raw_score", *OUTPUTS)
    return answered(_convert(model, None, numbers_of_objects=False), output, own="raw_score")


_MODELS = ("LGBMClassifier", "LGBMRegressor", "LGBMRanker")


@converter(*(f"lightgbm.sklearn.{name}" for name in _MODELS))
def convert_model(model: Any, ask: Ask) -> Conversion:
    """The raw score of the scikit-learn interface, up to the best iteration where training stopped early."""
    output = ask.choose("raw_score", *OUTPUTS)
    classes = getattr(model, "classes_", None)
    if classes is not None:
        check_several(model)
    return answered(_convert(model.booster_, classes, numbers_of_objects=True), output, own="raw_score")


def _convert(booster: Any, classes: np.ndarray | None, *, numbers_of_objects: bool) -> Conversion:
    """numbers_of_objects : whether arrays of objects are read in float64, as by scikit-learn, or in float32."""
    header, *blocks = booster.model_to_string().split("end of trees")[0].split("\nTree=")
    about = _fields(header)
    n_outputs, n_features = int(about["num_tree_per_iteration"]), booster.num_feature()
    found = [_fields(block) for block in blocks]
    n_rounds = len(found) // n_outputs
    zero_missing = np.full(n_features, -1)
    scale = 1 / max(n_rounds, 1) if "average_output" in about else 1.0  # of a forest: its raw score is the sum
    trees, read = _joined(found, scale, zero_missing, n_outputs)
    names = tuple(booster.feature_name())
    labels = booster.pandas_categorical or []
    options: dict[str, Any] = {}
    zeros = zero_missing == 1
    columns = Columns(labels, closed=False, low=-_ZERO, high=_ZERO, missing=zeros)
    if labels or zeros.any():
        options["encoding"] = columns.encoding(names)

    def own(X: Any) -> np.ndarray:
        if numbers_of_objects and isinstance(X, np.ndarray) and X.dtype.kind == "O":
            X = X.astype(np.float64)
        if labels and hasattr(X, "columns"):
            X = columns.with_labels(X)
        return scale * booster.predict(X, raw_score=True)

    scores = _outputs(about.get("objective", "custom").split(" "), n_outputs, classes)
    if read:
        before = options.get("encoding") or columns.encoding(names)
        options["encoding"] = before.then(read_apart(names, read))
    return convert_trees(
        trees,
        scores,
        own,
        n_read=len(read),
        missing=True,
        takes_infinity=not read,
        single="iub" + _LONG if numbers_of_objects else "iubO" + _LONG,
        scores_only=classes is None,
        n_features=n_features,
        feature_names=() if names == tuple(f"Column_{i}" for i in range(n_features)) else names,
        **options,
    )


def _joined(
    found: list[dict[str, str]], scale: float, zero_missing: np.ndarray, n_outputs: int
) -> tuple[Trees, list[int]]:
    """The trees of all rounds, and the features that linear functions in their leaves read."""
    trees = [_tree(fields, scale, zero_missing) for fields in found]
    output = np.tile(np.arange(n_outputs), len(found) // n_outputs)
    leaves = [linear_leaves(block, tree, scale) for block, tree in zip(found, trees, strict=True)]
    read = sorted({column for held in leaves for some in held.columns for column in some.tolist()})
    base, places = np.zeros(n_outputs * (1 + len(read))), None if read else output
    if read:
        trees = [with_leaves(t, held, read, (k, n_outputs)) for t, held, k in zip(trees, leaves, output, strict=True)]
    return join(trees, n_features=len(zero_missing), base=base, output=places), read


def _fields(block: str) -> dict[str, str]:
    """``key=value`` lines."""
    return {key: value for key, _, value in (line.partition("=") for line in block.splitlines())}


def _tree(fields: dict[str, str], scale: float, zero_missing: np.ndarray) -> Tree:
    """One tree, its leaves numbered after its splits.

    Parameters
    ----------
    zero_missing : ndarray of int (n_features,)
        Whether a feature's zeros are missing: -1 where no split has said yet; written to.
    """
    value = scale * _array(fields, "leaf_value", np.float64)
    if len(value) == 1:
        return Tree.leaf(value)
    n_splits, leaves = len(value) - 1, np.full(len(value), -1)
    feature, threshold = _array(fields, "split_feature"), _array(fields, "threshold", np.float64)
    kind = _array(fields, "decision_type")
    categorical, default_left, missing = (kind & 1).astype(bool), (kind & 2).astype(bool), kind >> 2 & 3
    for f, zero in zip(feature[~categorical], missing[~categorical] == _ZERO_MISSING, strict=True):
        if zero_missing[f] == 1 - zero:
            raise UnsupportedModelError(f"zeros of feature {f} are missing in some trees only; train them all alike")
        zero_missing[f] = zero
    # Where no value is missing, NaN is 0.
    missing_left = np.where(missing == _NONE_MISSING, threshold >= 0, default_left) & ~categorical
    words, bounds = _array(fields, "cat_threshold"), _array(fields, "cat_boundaries")
    categories = {}
    for node in np.flatnonzero(categorical):
        run = words[bounds[int(threshold[node])] : bounds[int(threshold[node]) + 1]]
        categories[int(node)] = np.flatnonzero(run[:, None] >> np.arange(32) & 1)
    tiny = np.abs(threshold) <= _ZERO
    threshold[tiny] = np.where(threshold[tiny] < 0, np.nextafter(-_ZERO, -1), _ZERO)
    left, right = _array(fields, "left_child"), _array(fields, "right_child")
    return Tree(
        np.append(np.where(left < 0, n_splits + ~left, left), leaves),
        np.append(np.where(right < 0, n_splits + ~right, right), leaves),
        np.append(feature, leaves),
        np.append(threshold, np.full(len(value), np.nan)),
        np.append(missing_left, np.full(len(value), False)),
        np.append(_array(fields, "internal_count", np.float64), _array(fields, "leaf_count", np.float64)),
        np.append(np.zeros(n_splits), value)[:, None],
        categories,
    )


def _array(fields: dict[str, str], name: str, kind: type = np.int64) -> np.ndarray:
    return np.array(fields.get(name, "").split(), dtype=kind)


def _outputs(objective: list[str], n_outputs: int, classes: np.ndarray | None) -> RawScores:
    """What the raw score is."""
    name = objective[0]
    if n_outputs > 1:
        labels = np.arange(n_outputs) if classes is None else classes
        if len(labels) < n_outputs:  # num_class= says more than the labels that it was fitted on
            unseen = [f"class {i}, never seen" for i in range(len(labels), n_outputs)]
            labels = np.array([*labels, *unseen], dtype=object)
        elif name == "multiclass":
            return RawScores("raw score of a class, before the softmax", answers.logits(), labels, labels)
        elif name == "multiclassova" and "sigmoid:1" in objective:  # probabilities that do not add up to 1
            return RawScores("log-odds of a class against the rest", answers.log_odds(), labels, labels)
        return RawScores("raw score of a class", {}, labels, labels)
    if name == "binary" or classes is not None:
        labels = np.arange(2) if classes is None else classes
        if "sigmoid:1" in objective:
            return RawScores("log-odds of a class", answers.log_odds(), labels, labels)
        return RawScores("raw score of a class", {}, labels, labels)
    names = ["prediction"]
    if name in _LOG:
        return RawScores("log of the prediction", answers.exponential(), names)
    if name == "cross_entropy":
        return RawScores("log-odds of the prediction", answers.squashed(), names)
    if name.startswith("cross_entropy"):
        return RawScores("raw score", {}, names)
    if "sqrt" in objective:
        return RawScores("signed square root of the predicted value", {}, names)
    ranks = name in ("lambdarank", "rank_xendcg")
    return RawScores("ranking score" if ranks else "predicted value", answers.prediction(), names)
