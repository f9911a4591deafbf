"""scikit-learn's gradient boosting on float32 rows: GradientBoostingClassifier, GradientBoostingRegressor."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neon.converters.compose.names import column_names
from neon.converters.core import Ask, Conversion, Encoding, answers, converter
from neon.converters.core.members import predicted, probability
from neon.converters.meta.side_by_side import beside
from neon.converters.trees.build import RawScores, convert_stages, convert_trees, join
from neon.converters.trees.decision_trees import read_tree
from neon.converters.trees.probabilities import OUTPUTS, answered
from neon.errors import UnsupportedModelError
from neon.nn import Affine, Elementwise, Linear

__all__ = ["convert_boosting"]

_LEAST = float(np.finfo(np.float64).eps)  # the least probability that scikit-learn starts from
_LARGEST = -math.log(_LEAST / (1 - _LEAST))


@converter("sklearn.ensemble.GradientBoostingClassifier", "sklearn.ensemble.GradientBoostingRegressor")
def convert_boosting(model: Any, ask: Ask) -> Conversion:
    """The raw decision function ``init + learning_rate Σ_t tree_t(x)``, one for each of more than two classes."""
    classifies = hasattr(model, "classes_")
    output = ask.choose(*(("decision_function", *OUTPUTS) if classifies else ("predict",)))
    stages, n_scores = model.estimators_.shape
    trees = join(
        [read_tree(m.tree_, model.learning_rate * m.tree_.value[:, 0]) for m in model.estimators_.reshape(-1)],
        n_features=model.n_features_in_,
        base=_start(model),
        output=np.tile(np.arange(n_scores), stages),
        precision="float32",
    )
    if not classifies:
        scores = RawScores("predicted value", answers.prediction(), ["prediction"])
        part = convert_trees(trees, scores, model.predict)
    elif model.loss == "log_loss":
        part = convert_stages(model, trees, "log-odds of a class", answers.log_odds())
    else:
        part = convert_stages(model, trees, "raw score of a class, half its log-odds", answers.half_log_odds())
    if not _is_constant(model.init_):
        part = _after(_first(model, ask), part, column_names(model), n_scores)
    return answered(part, output, own="decision_function") if classifies else part


def _is_constant(first: Any) -> bool:
    """Whether boosting starts from the same scores for all rows."""
    if isinstance(first, str):
        return True
    return type(first).__name__.startswith("Dummy") and first.strategy not in ("stratified", "uniform")


def _start(model: Any) -> np.ndarray:
    """What the trees add to, (n_scores,): 0 where an estimator gives the first scores."""
    if not _is_constant(model.init_):
        return np.zeros(model.estimators_.shape[1])
    return model._raw_predict_init(np.zeros((1, model.n_features_in_), dtype=np.float32))[0]


def _first(model: Any, ask: Ask) -> Conversion:
    """The scores that the estimator ``init=`` gives: its predictions, or the link of its clipped probabilities."""
    inside = ask.inside("init_")
    if not hasattr(model, "classes_"):
        return predicted(model.init_, inside)
    if len(model.classes_) == 2:
        row = np.zeros((1, model.n_features_in_), dtype=np.float32)
        if model.init_.predict_proba(row).dtype == np.float32:
            raise UnsupportedModelError(
                f"{type(model).__name__} that starts from {model.init_!r}, which hands on probabilities in single "
                "precision: near 1 their log-odds have few digits left, which no network repeats. Start from an "
                "estimator that computes in double precision, such as trees, boosting or neighbors"
            )
        part, is_odds = probability(model.init_, inside)
        part = part.second(*((Elementwise(_clipped_odds, "log-odds, clipped", anchor=0.0),) if is_odds else ()))
        if not is_odds:
            part = part.then(Elementwise(_odds, "log-odds of a clipped probability", anchor=0.5))
        return part if model.loss == "log_loss" else part.then(Affine(0.5))
    n = len(model.classes_)
    part, _ = probability(model.init_, inside, odds=False)
    return part.then(Elementwise(_log, "log of a clipped probability", anchor=1 / n), Linear(np.eye(n) - 1 / n))


def _clipped(p: Tensor) -> Tensor:
    return p.clamp(_LEAST, 1 - _LEAST)


def _odds(p: Tensor) -> Tensor:
    return torch.logit(_clipped(p))


def _log(p: Tensor) -> Tensor:
    return _clipped(p).log()


def _clipped_odds(z: Tensor) -> Tensor:
    return z.clamp(-_LARGEST, _LARGEST)


def _after(first: Conversion, trees: Conversion, given: Sequence[str], n_scores: int) -> Conversion:
    """The sum of the first scores and the trees': both read the rows in float32."""
    first = dataclasses.replace(first, n_features=None, feature_names=None)
    alone = dataclasses.replace(trees, pair=None, output_names=trees.output_names[:n_scores])
    both = beside([first, alone], given=given)
    single = Encoding(_in_single, np.arange(len(given)), tuple(given))
    encoding = single if both.encoding is None else single.then(both.encoding)
    both = dataclasses.replace(both, encoding=encoding).then(Linear(np.kron([[1.0, 1.0]], np.eye(n_scores))))
    kept = ("explains", "output_names", "own", "pair", "answers", "classes", "predicts")
    return dataclasses.replace(both, **{name: getattr(trees, name) for name in kept})


def _in_single(rows: Any) -> np.ndarray:
    """Rows as the estimator reads them, in float32, before its own double precision."""
    return np.asarray(rows, dtype=np.float32).astype(np.float64)
