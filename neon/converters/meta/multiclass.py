"""Classes by machines that each tell two groups of them apart: one against the rest, one against one, output codes."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch
from scipy.special import expit
from sklearn.multiclass import OneVsOneClassifier

from neon.converters.core import Answers, Ask, Conversion, answers, check_several, contrast, converter, of_classes
from neon.converters.core.members import certain, probability
from neon.converters.core.one_vs_one import closest_rival, margins, votes_and_scores
from neon.converters.meta.machines import Machines, is_constant
from neon.converters.meta.mean_of_members import Members
from neon.errors import UnknownOutputError, UnsupportedModelError
from neon.nn import Evidence, Linear, SquaredDistance, TwoClass

__all__ = ["convert_one_vs_one", "convert_one_vs_rest", "convert_output_code"]

_ROUNDING = 4 * float(np.finfo(np.float64).eps)  # of differences of probabilities, or of distances to codes


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
    machines = Machines.of(model, ask)
    kind = machines.kind
    pair: torch.nn.Module | None = None
    shift = 0.5 if kind == "predict" else 0.0  # of two classes, a regressor predicts the second from there on
    if binary and kind == "predict":
        pair = Linear([[-1.0], [1.0]], [shift, -shift])
    elif binary:
        pair = answers.with_complement() if kind == "predict_proba" else TwoClass()

    def own(X: Any) -> np.ndarray:
        f = machines.own(X)
        if not binary:
            return f
        return np.hstack([1 - f, f] if machines.probable else [shift - f, f - shift])

    what = "a label" if model.multilabel_ else "a class" if binary else "a class against the rest, one machine a class"
    return dataclasses.replace(
        machines.side_by_side(),
        explains=f"{machines.words} of {what}",
        pair=pair,
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
    if not hasattr(model, "predict_proba"):
        raise UnknownOutputError(
            f"OneVsRestClassifier of {type(model.estimators_[0]).__name__} has no predict_proba: output={output!r} is "
            "unknown for it; choose from ['decision_function']"
        )
    if any(map(is_constant, model.estimators_)):
        raise UnsupportedModelError(
            f"OneVsRestClassifier: output={output!r} takes a machine for each class; one here has constant labels"
        )
    odds = output == "log_odds"
    members = Members.numbered(model, ask)
    found = members.parts(probability, odds=odds)
    if odds and not all(is_odds for _, is_odds in found):
        raise certain(model)
    together = members.side_by_side([part.second() for part, _ in found])
    name, both = ("log_odds", TwoClass()) if odds else ("predict_proba", answers.with_complement())
    what = "label" if model.multilabel_ else "class"
    given = {} if model.multilabel_ else {name: _each(name, len(model.classes_))[name]}
    return dataclasses.replace(
        together,
        explains=f"log-odds of a {what}" if odds else f"probability of a {what}",
        pair=both if binary else None,
        head=given.get(name, ()),
        answers=given,
        own=lambda X: np.asarray(model.predict_proba(X), dtype=np.float64),
        link=expit if odds else None,
        predicts="always_ask" if hasattr(model.estimators_[0], "decision_function") else "largest",  # by which it is
        output_names=tuple(map(str, model.classes_)),
        classes=None if model.multilabel_ else model.classes_,
    )


@converter("sklearn.multiclass.OneVsOneClassifier")
def convert_one_vs_one(model: Any, ask: Ask) -> Conversion:
    """The margin of a class over its closest rival, ``min_{k≠c} f_ck`` over the pairwise machines.

    Above 0 exactly where one class wins all its pairs; it is then predicted. Elsewhere votes decide.
    """
    ask.choose("margin")
    if model.pairwise_indices_ is not None:
        raise UnsupportedModelError("OneVsOneClassifier of a precomputed kernel; fit the kernel machine itself")
    n, machines = len(model.classes_), Machines.of(model, ask)
    kind = machines.kind
    if kind == "predict":
        raise UnsupportedModelError(
            "OneVsOneClassifier of regressors: it counts predictions that equal 0 or 1, which regressors do not make; "
            "use a classifier, or OneVsRestClassifier"
        )
    if any(part.predicts == "always_ask" for part in machines.parts):
        raise UnsupportedModelError(
            f"OneVsOneClassifier of {type(model.estimators_[0]).__name__}: it counts what its machines predict, which "
            "is not the sign of their scores (thresholds of their own, mean scores of bags); use OneVsRestClassifier"
        )
    nested = _decides_at_half(model.estimators_[0])
    # Of two classes scikit-learn itself takes such a machine's score against 0, though it votes at a half.
    halved = kind == "predict_proba" or (nested and n > 2)
    against, smallest = closest_rival(n, 0.5 if halved else 0.0)
    tied = votes_and_scores(n, "predict_proba" if halved else kind)
    given = {} if nested and n == 2 else {"decision_function": tied}

    def own(X: Any) -> np.ndarray:
        f = machines.own(X.to_numpy() if hasattr(X, "to_numpy") else X)
        return margins(f - 0.5 * (halved or machines.probable), n) + 0.5 * (kind == "log_odds")

    words = "margin of a class over its closest rival, of pairwise machines"
    if n == 2:
        words = "margin of a class, of its pairwise machine"
    together = machines.side_by_side(on_all=True)
    return together.then(
        *against,
        explains=f"{words}, in {machines.words}" if machines.probable else words,
        head=smallest,
        answers=given | ({"votes": tied} if n > 2 else {}),
        own=own,
        link=expit if kind == "log_odds" else None,
        predicts="ask_on_tie",
        rounding=max(together.rounding, _ROUNDING) if machines.probable else together.rounding,
        **of_classes(model),
    )


def _decides_at_half(machine: Any) -> bool:
    """Whether a machine predicts the second of two classes where its decision function is above a half, not above 0.

    So does a OneVsOneClassifier of two classes whose machine gives probabilities, as such or at the end of a pipeline.
    """
    while hasattr(machine, "steps") or hasattr(machine, "best_estimator_"):
        machine = machine.steps[-1][1] if hasattr(machine, "steps") else machine.best_estimator_
    return isinstance(machine, OneVsOneClassifier) and not hasattr(machine.estimators_[0], "decision_function")


@converter("sklearn.multiclass.OutputCodeClassifier")
def convert_output_code(model: Any, ask: Ask) -> Conversion:
    """How much closer the machines' scores are to the code of a class than to any other, in squared distance."""
    ask.choose("evidence")
    check_several(model)
    codes = np.asarray(model.code_book_, dtype=np.float64)
    machines = Machines.of(model, ask, odds=False)
    n = len(codes)
    apart = ((codes[:, None] - codes) ** 2).sum(2)
    nearest = apart[~np.eye(n, dtype=bool)].reshape(n, -1).min(1).mean()  # the evidence at a class's own code
    stiffness = 1 / nearest if nearest > 0 else 1.0
    together = machines.side_by_side()
    return together.then(
        SquaredDistance(codes),
        Evidence(stiffness),
        explains="evidence for a class: how much closer the scores are to its code than to any other, squared distance",
        own=lambda X: contrast(((machines.own(X)[:, None] - codes) ** 2).sum(2)),
        rounding=max(together.rounding, _ROUNDING * codes.shape[1]),
        **of_classes(model),
    )
