"""Classes by machines that each tell two groups of them apart: one against the rest, one against one, output codes."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any

import numpy as np
import torch
from scipy.special import expit
from sklearn.base import is_regressor

from neon.converters.compose.names import column_names
from neon.converters.core import answers
from neon.converters.core.answers import Answers
from neon.converters.core.arrays import contrast
from neon.converters.core.ask import Ask
from neon.converters.core.conversion import Conversion
from neon.converters.core.encoding import Encoding
from neon.converters.core.members import NEVER, binary_score, certain, predicted, probability
from neon.converters.core.registry import check_several, converter
from neon.converters.meta.averages import Members
from neon.converters.meta.side_by_side import beside, on_arrays
from neon.errors import UnsupportedModelError
from neon.nn import (
    Evidence,
    Linear,
    SquaredDistance,
    TwoClass,
)

__all__ = ["convert_one_vs_one", "convert_one_vs_rest", "convert_output_code"]


@converter("sklearn.multiclass.OneVsRestClassifier")
def convert_one_vs_rest(model: Any, ask: Ask) -> Conversion:
    """The score of each class's own machine against the rest: its decision function, or its log-odds.

    Of machines that may be certain (trees) the probability. Of two classes ``±f``. As ``output="log_odds"`` those of
    ``predict_proba``: for more than two classes, the machines' probabilities divided by their sum.
    """
    output = ask.choose("decision_function", "log_odds", "probability")
    binary = len(model.estimators_) == 1 and not model.multilabel_
    if not model.multilabel_:
        check_several(model)
    if output != "decision_function":
        return _of_probabilities(model, output, binary, ask)
    parts, kind = _scores(model, ask)
    together = beside(parts, given=column_names(model))
    shift = 0.5 if kind == "predict" else 0.0  # of two classes, a regressor predicts the second from there on
    pair: torch.nn.Module = TwoClass()
    if kind == "predict_proba":
        pair = Linear([[-1.0], [1.0]], [1.0, 0.0])
    elif kind == "predict":
        pair = Linear([[-1.0], [1.0]], [shift, -shift])

    def own(X: Any) -> np.ndarray:
        f = np.stack([_binary(member, X) for member in model.estimators_], axis=1)
        if not binary:
            return f
        return np.hstack([1 - f, f] if kind in _PROBABLE else [shift - f, f - shift])

    what = "a label" if model.multilabel_ else "a class" if binary else "a class against the rest, one machine a class"
    return dataclasses.replace(
        together,
        explains=f"{_PROBABLE.get(kind, 'decision function')} of {what}",
        pair=pair if binary else None,
        answers={} if model.multilabel_ else _each(kind, len(model.classes_)),
        output_names=tuple(map(str, model.classes_)),
        own=own,
        link=expit if kind == "log_odds" else None,
        classes=None if model.multilabel_ else model.classes_,
    )


def _each(kind: str, n_classes: int) -> Answers:
    """What follows from such a score of each class's own machine."""
    if kind == "log_odds":
        return answers.log_odds_each(n_classes)
    if kind == "predict_proba":
        return answers.probability_each(n_classes)
    return answers.decision() if kind == "decision_function" else {}


def _of_probabilities(model: Any, output: str, binary: bool, ask: Ask) -> Conversion:
    """``predict_proba`` or its log-odds."""
    if model.multilabel_ or any(map(_constant, model.estimators_)):
        raise UnsupportedModelError(
            f"OneVsRestClassifier: output={output!r} takes classes that exclude each other, with a machine for each"
        )
    odds = output == "log_odds"
    members = Members.numbered(model, ask)
    found = members.parts(probability, odds=odds)
    if odds and not all(is_odds for _, is_odds in found):
        raise certain(model)
    together = members.side_by_side([part.second() for part, _ in found])
    name = "log_odds" if odds else "predict_proba"
    given = _each(name, len(model.classes_))
    both = TwoClass() if odds else Linear([[-1.0], [1.0]], [1.0, 0.0])
    return dataclasses.replace(
        together,
        explains="log-odds of a class" if odds else "probability of a class",
        pair=both if binary else None,
        head=given[name],
        answers={name: given[name]},
        output_names=tuple(map(str, model.classes_)),
        own=lambda X: np.asarray(model.predict_proba(X), dtype=np.float64),
        link=expit if odds else None,
        classes=model.classes_,
    )


@converter("sklearn.multiclass.OneVsOneClassifier")
def convert_one_vs_one(model: Any, ask: Ask) -> Conversion:
    """The margin of a class over its closest rival, ``min_{k≠c} f_ck`` over the pairwise machines.

    Above 0 exactly where one class wins all its pairs; it is then predicted. Elsewhere votes decide.
    """
    ask.choose("margin")
    if model.pairwise_indices_ is not None:
        raise UnsupportedModelError("OneVsOneClassifier of a precomputed kernel; fit the kernel machine itself")
    n, given = len(model.classes_), column_names(model)
    parts, kind = _scores(model, ask)
    if kind == "predict":
        raise UnsupportedModelError(
            "OneVsOneClassifier of regressors: it counts predictions that equal 0 or 1, which regressors do not make; "
            "use a classifier, or OneVsRestClassifier"
        )
    if any(part.predicts == "always_ask" for part in parts):
        raise UnsupportedModelError(
            f"OneVsOneClassifier of {type(model.estimators_[0]).__name__}: it counts what its machines predict, which "
            "is not the sign of their scores (thresholds of their own, mean scores of bags); use OneVsRestClassifier"
        )
    together = beside([on_arrays(part, given) for part in parts], given=given)
    shift = 0.5 if kind == "predict_proba" else 0.0
    against, smallest = answers.closest_rival(n, shift)
    tied = answers.votes_and_scores(n, kind)

    def own(X: Any) -> np.ndarray:
        X = X.to_numpy() if hasattr(X, "to_numpy") else X
        f = np.stack([_binary(member, X) for member in model.estimators_], axis=1)
        if kind == "log_odds":
            first, then = 1 - f, f
        else:
            first, then = shift - f, f - shift
        wins = {}  # of the first of a pair over the second
        for number, (c, k) in enumerate(itertools.combinations(range(n), 2)):
            wins[c, k], wins[k, c] = first[:, number], then[:, number]
        return np.stack([np.min([wins[c, k] for k in range(n) if k != c], axis=0) for c in range(n)], axis=1)

    words = "margin of a class over its closest rival, of pairwise machines"
    if n == 2:
        words = "margin of a class, of its pairwise machine"
    return together.then(
        *against,
        explains=words + (f", in {_PROBABLE[kind]}" if kind in _PROBABLE else ""),
        head=smallest,
        answers={"decision_function": tied} | ({"votes": tied} if n > 2 else {}),
        output_names=tuple(map(str, model.classes_)),
        own=own,
        link=expit if kind == "log_odds" else None,
        classes=model.classes_,
        predicts="ask_on_tie",
    )


@converter("sklearn.multiclass.OutputCodeClassifier")
def convert_output_code(model: Any, ask: Ask) -> Conversion:
    """How much closer the machines' scores are to the code of a class than to any other, in squared distance."""
    ask.choose("evidence")
    check_several(model)
    given, codes = column_names(model), np.asarray(model.code_book_, dtype=np.float64)
    parts, _ = _scores(model, ask, odds=False)
    together = beside(parts, given=given)
    n = len(codes)
    apart = ((codes[:, None] - codes) ** 2).sum(2)
    nearest = apart[~np.eye(n, dtype=bool)].reshape(n, -1).min(1).mean()  # the evidence at a class's own code
    stiffness = 1 / nearest if nearest > 0 else 1.0

    def own(X: Any) -> np.ndarray:
        f = np.stack([_binary(member, X) for member in model.estimators_], axis=1)
        d = ((f[:, None] - codes) ** 2).sum(2)
        return contrast(d)

    return together.then(
        SquaredDistance(codes),
        Evidence(stiffness),
        explains="evidence for a class: how much closer the scores are to its code than to any other, squared distance",
        output_names=tuple(map(str, model.classes_)),
        own=own,
        classes=model.classes_,
    )


_PROBABLE = {"log_odds": "log-odds", "predict_proba": "probability"}


def _scores(model: Any, ask: Ask, *, odds: bool = True) -> tuple[list[Conversion], str]:
    """Each machine's score, one column, and which: decision function, log-odds, probability or a prediction."""
    found = {
        i: _score(member, ask.inside(f"estimators_[{i}]"), odds)
        for i, member in enumerate(model.estimators_)
        if not _constant(member)
    }
    kinds = {kind for _, kind in found.values()}
    if len(kinds) > 1:
        raise UnsupportedModelError(f"{type(model).__name__} of machines with different scores: {sorted(kinds)}")
    kind = kinds.pop() if kinds else "decision_function"
    numeric = all(part.encoding is None and not part.missing for part, _ in found.values())
    n_columns = len(column_names(model)) if numeric else 1
    parts = []
    for i, member in enumerate(model.estimators_):
        if i not in found:  # there was one class to learn
            value = float(np.ravel(member.y_)[0])
            value = math.copysign(NEVER, value - 0.5) if kind == "log_odds" else value
            layer = Linear(np.zeros((1, n_columns)), [value])
            nothing = None if numeric else Encoding(_nothing, np.array([-1]), ("nothing",))
            parts.append(
                Conversion(torch.nn.Sequential(layer), "", ("",), np.asarray, takes_reference=True, encoding=nothing)
            )
        else:
            parts.append(found[i][0])
    return parts, kind


def _nothing(rows: Any) -> np.ndarray:
    """A column of zeros."""
    return np.zeros((rows.shape[0], 1))


def _score(member: Any, ask: Ask, odds: bool) -> tuple[Conversion, str]:
    if is_regressor(member):
        return predicted(member, ask), "predict"
    return binary_score(member, ask, odds=odds)


def _constant(member: Any) -> bool:
    return type(member).__name__ == "_ConstantPredictor"


def _binary(member: Any, X: Any) -> np.ndarray:
    """A machine's own score."""
    if _constant(member):
        return np.full(X.shape[0], float(np.ravel(member.y_)[0]))
    if is_regressor(member):
        return np.asarray(member.predict(X), dtype=np.float64).ravel()
    if hasattr(member, "decision_function"):
        return np.asarray(member.decision_function(X), dtype=np.float64).ravel()
    return np.asarray(member.predict_proba(X), dtype=np.float64)[:, 1]
