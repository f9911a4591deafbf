"""XGBoost: gbtree, dart and gblinear, from the JSON that a booster writes itself.

Rows are compared in float32 (``x < threshold``) and XGBoost adds up in float32, we in float64: margins agree to
``n_trees 2⁻²⁴ Σ |leaf|``. What a sparse matrix does not hold is missing, not 0.
"""

from __future__ import annotations

import itertools
import json
import sys
from typing import Any

import numpy as np

from neon.converters.compose.names import numbered
from neon.converters.core import Ask, Conversion, answers, converter, targets
from neon.converters.trees.build import RawScores, Tree, convert_scores, convert_trees, join
from neon.converters.trees.columns import Columns
from neon.converters.trees.probabilities import OUTPUTS, answered
from neon.errors import UnsupportedModelError
from neon.nn import Linear

__all__ = ["convert_booster", "convert_model"]

_LOGIT = ("binary:logistic", "reg:logistic")
_NEVER = np.float32(1e-6)  # the least probability that it starts from
_WHOLE = {9: np.int8, 10: np.uint8, 11: np.int16, 13: np.int32, 15: np.int64}  # the kinds of whole numbers in its JSON
_LOG = ("count:poisson", "reg:gamma", "reg:tweedie", "survival:cox", "survival:aft")


@converter("xgboost.core.Booster")
def convert_booster(model: Any, ask: Ask) -> Conversion:
    """The margin of all rounds: log-odds, log of the prediction, ranking score or predicted value, by the objective."""
    output = ask.choose("margin", *OUTPUTS)
    return answered(_convert(model, (0, 0), np.nan, None), output, own="margin")


_MODELS = ("XGBClassifier", "XGBRegressor", "XGBRanker", "XGBRFClassifier", "XGBRFRegressor")


@converter(*(f"xgboost.sklearn.{name}" for name in _MODELS))
def convert_model(model: Any, ask: Ask) -> Conversion:
    """The margin of the scikit-learn interface, up to the best iteration where training stopped early."""
    output = ask.choose("margin", *OUTPUTS)
    rounds = (0, model.best_iteration + 1) if model.get_booster().attr("best_iteration") is not None else (0, 0)
    missing = np.nan if model.missing is None else float(model.missing)
    part = _convert(model.get_booster(), rounds, missing, getattr(model, "classes_", None))
    return answered(part, output, own="margin")


def _convert(booster: Any, rounds: tuple[int, int], missing: float, classes: np.ndarray | None) -> Conversion:
    learner = json.loads(booster.save_raw("json"))["learner"]
    objective = learner["objective"]["name"]
    n_features = booster.num_features()
    base = _base_margin(learner, rounds=booster.num_boosted_rounds())
    scores = _outputs(objective, len(base), classes)
    linear = learner["gradient_booster"]["name"] == "gblinear"
    columns = Columns(
        _labels(learner), low=missing, high=missing, single=True, sparse_missing=True, fill=0.0 if linear else np.nan
    )
    given = tuple(booster.feature_names) if booster.feature_names else None
    own = _Margin(booster, rounds, missing, columns)
    options: dict[str, Any] = {
        "missing": True,
        "n_features": n_features,
        "feature_names": given,
        "encoding": columns.encoding(given or numbered(n_features)),
    }
    if linear:
        layer = _linear(learner, base[:1].repeat(len(base)), n_features)
        return convert_scores(layer, scores, own, len(base), **options)
    trees, output = _read(learner["gradient_booster"], rounds)
    joined = join(trees, n_features=n_features, base=base, output=output, strict=True, precision="float32")
    return convert_trees(joined, scores, own, scores_only=classes is None, **options)


class _Margin:
    """The booster's own margin of rows."""

    def __init__(self, booster: Any, rounds: tuple[int, int], missing: float, columns: Columns) -> None:
        self.booster, self.rounds, self.missing, self.columns = booster, rounds, missing, columns

    def __call__(self, X: Any) -> np.ndarray:
        matrix = sys.modules["xgboost"].DMatrix  # the library is loaded: it made the model
        described = {}
        if hasattr(X, "columns"):
            X = self.columns.with_labels(X)
        else:
            described = {"feature_names": self.booster.feature_names, "feature_types": self.booster.feature_types}
        data = matrix(X, missing=self.missing, enable_categorical=True, **described)
        return self.booster.predict(data, output_margin=True, iteration_range=self.rounds)


def _read(booster: dict[str, Any], rounds: tuple[int, int]) -> tuple[list[Tree], np.ndarray | None]:
    """The trees of these rounds (0, 0: all), and which output each adds to."""
    weights = np.asarray(booster.get("weight_drop", []), dtype=np.float32)  # of dart
    model = booster.get("gbtree", booster)["model"]
    ends, n_trees = model.get("iteration_indptr"), len(model["trees"])
    if rounds[1]:
        if ends is None:  # before XGBoost 2.0
            per_round = int(model["gbtree_model_param"]["num_parallel_tree"]) * (max(model["tree_info"]) + 1)
            n_trees = rounds[1] * per_round
        else:
            n_trees = ends[rounds[1]]
    weights = weights if len(weights) else np.ones(n_trees, dtype=np.float32)
    trees = [_tree(tree, float(weight)) for tree, weight in zip(model["trees"][:n_trees], weights, strict=False)]
    vector = bool(trees) and trees[0].value.shape[1] > 1
    return trees, None if vector else np.asarray(model["tree_info"][:n_trees], dtype=np.int64)


def _tree(tree: dict[str, Any], weight: float) -> Tree:
    left, right = np.asarray(tree["left_children"]), np.asarray(tree["right_children"])
    leaf = left < 0
    threshold = np.asarray(tree["split_conditions"], dtype=np.float32).astype(np.float64)
    n_values = max(int(tree["tree_param"]["size_leaf_vector"]), 1)
    if n_values == 1:
        value = threshold[:, None]  # a leaf's value stands in the place of a threshold
    elif "leaf_weights" in tree:
        value = np.zeros((len(left), n_values))
        value[leaf] = np.asarray(tree["leaf_weights"], dtype=np.float32).reshape(-1, n_values)[right[leaf]]
    else:
        raise UnsupportedModelError(
            "vector leaves (multi_strategy='multi_output_tree') as XGBoost wrote them before 3.2, without covers; fit "
            "with a newer version, or with one_output_per_tree"
        )
    missing_left = np.asarray(tree["default_left"], dtype=bool)
    categories = {}
    runs = zip(tree["categories_nodes"], tree["categories_segments"], tree["categories_sizes"], strict=True)
    held = np.asarray(tree["categories"], dtype=np.int64)
    for node, start, size in runs:  # the listed categories go right, all others and unknown ones left: mirrored here
        categories[int(node)] = held[start : start + size]
        left[node], right[node] = right[node], left[node]
        missing_left[node] = not missing_left[node]
    return Tree(
        left,
        np.where(leaf, -1, right),
        np.asarray(tree["split_indices"]),
        threshold,
        missing_left,
        np.asarray(tree["sum_hessian"], dtype=np.float64),
        value * weight,
        categories,
    )


def _base_margin(learner: dict[str, Any], *, rounds: int) -> np.ndarray:
    """The intercept (n_outputs,) as a margin, in float32 as XGBoost takes it.

    One that nobody gave is fitted in the first round; before it, the default serves as a margin.
    """
    parameters = learner["learner_model_param"]
    n_outputs = max(int(parameters["num_class"]), int(parameters.get("num_target", 1)), 1)
    base = np.array([float(b) for b in parameters["base_score"].strip("[]").split(",")], dtype=np.float32)
    objective = learner["objective"]["name"]
    if not rounds and parameters.get("boost_from_average") == "1":
        pass
    elif objective in _LOGIT:
        base = base.clip(_NEVER, 1 - _NEVER)
        base = -np.log(1 / base - 1)
    elif objective in _LOG:
        base = np.log(base)
    return np.broadcast_to(base, (n_outputs,)).astype(np.float64)


def _outputs(objective: str, n_outputs: int, classes: np.ndarray | None) -> RawScores:
    """What the margin is."""
    if objective.startswith("multi:"):
        labels = np.arange(n_outputs) if classes is None else classes
        return RawScores("raw score of a class, before the softmax", answers.logits(), labels, labels)
    if objective.startswith("binary:") and n_outputs == 1:
        labels = np.arange(2) if classes is None or len(classes) == 1 else classes  # 0 alone: the other is never seen
        if objective == "binary:hinge":
            return RawScores("margin of a class", {}, labels, labels)
        return RawScores("log-odds of a class", answers.log_odds(), labels, labels)
    if objective.startswith("binary:"):
        return RawScores("log-odds of a label", {}, [f"label {i}" for i in range(n_outputs)])
    names = targets(n_outputs)
    if objective in _LOGIT:
        return RawScores("log-odds of the predicted value", answers.squashed(), names)
    if objective in _LOG:
        return RawScores("log of the prediction", answers.exponential(), names)
    return RawScores(
        "ranking score" if objective.startswith("rank:") else "predicted value", answers.prediction(), names
    )


def _labels(learner: dict[str, Any]) -> dict[int, list[Any] | None]:
    """The categories of each categorical column by their labels, where the model was fitted to a data frame.

    Without them - before XGBoost 3.1, or where it was fitted to codes - a data frame's own codes count.
    """
    booster = learner["gradient_booster"]
    held = booster.get("gbtree", booster)["model"].get("cats", {}).get("enc", [])
    types = learner.get("feature_types") or []
    labels: dict[int, list[Any] | None] = {column: None for column, kind in enumerate(types) if kind == "c"}
    for column, entry in enumerate(held):
        if "offsets" in entry and len(entry["offsets"]) > 1:
            text = bytes(value & 255 for value in entry["values"])
            pieces = (text[a:b] for a, b in itertools.pairwise(entry["offsets"]))
            labels[column] = [piece.decode("utf-8", "surrogateescape") for piece in pieces]
        elif "offsets" not in entry and entry["values"]:
            labels[column] = list(np.array(entry["values"], dtype=_WHOLE.get(entry.get("type"), np.int64)))
    return labels


def _linear(learner: dict[str, Any], base: np.ndarray, n_features: int) -> Linear:
    """``x W + b`` of gblinear, to which a missing value adds nothing; all classes start from the first intercept."""
    held = np.asarray(learner["gradient_booster"]["model"]["weights"], dtype=np.float32).reshape(-1, len(base))
    if not len(held):  # before the first round
        held = np.zeros((n_features + 1, len(base)), dtype=np.float32)
    return Linear(held[:-1].T.astype(np.float64), held[-1] + base)
