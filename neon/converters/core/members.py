"""What a model gives to the estimator around it: predictions, probabilities or log-odds, decision functions, votes."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from neon.converters.core import answers
from neon.converters.core.ask import Ask
from neon.converters.core.conversion import Conversion
from neon.converters.core.registry import convert
from neon.converters.core.standard_outputs import check_coupled
from neon.errors import UnknownOutputError, UnsupportedModelError
from neon.nn import Linear
from neon.nn.pooling.winner import Winner

__all__ = ["NEVER", "binary_score", "certain", "decision", "handed_on", "predicted", "probability", "vote"]

NEVER = 700.0  # log-odds against what never happens: a probability of 0, to rounding


def predicted(model: Any, ask: Ask) -> Conversion:
    """What a regressor's ``predict`` gives: (n_samples, n_targets)."""
    return _find(model, ("predict",), ("predict",), ask)[0]


def decision(model: Any, ask: Ask) -> Conversion:
    """What a classifier's ``decision_function`` gives: (n_samples, 1) for two classes, else (n_samples, n_classes)."""
    part, _ = _find(model, ("decision_function",), ("decision_function",), ask)
    return part.second() if len(part.output_names) == 2 else part


def probability(model: Any, ask: Ask, *, odds: bool = True) -> tuple[Conversion, bool]:
    """What a classifier's ``predict_proba`` gives: (n_samples, n_classes).

    Parameters
    ----------
    odds : bool
        Prefer log-odds, whose sigmoid are the probabilities.

    Returns
    -------
    tuple
        The conversion, and whether it gives log-odds.
    """
    check_coupled(model)
    if not hasattr(model, "predict_proba"):
        raise UnsupportedModelError(f"{type(model).__name__} has no predict_proba")
    if odds:
        part, found = _find(model, ("log_odds", "probability"), ("log_odds", "predict_proba"), ask)
        return part, found == "log_odds"
    part, found = _find(model, ("probability",), ("predict_proba", "log_odds"), ask)
    if found == "predict_proba":
        return part, False
    return dataclasses.replace(part, head=(*part.head, answers.sigmoid())), False


def handed_on(model: Any, method: str, ask: Ask) -> Conversion:
    """What a method of an estimator gives to those that read it as columns: of two classes one column."""
    if method == "predict" and not hasattr(model, "classes_"):
        return predicted(model, ask)
    labels = np.asarray(model.classes_)
    n = 1 if method == "predict" or len(labels) == 2 else len(labels)
    if method == "decision_function":
        part = decision(model, ask)
    elif method == "predict_proba":
        part, _ = probability(model, ask, odds=False)
        part = part.second() if n == 1 else part
    elif method != "predict":
        supported = "'predict', 'predict_proba' and 'decision_function'"
        raise UnsupportedModelError(f"{type(model).__name__} that hands on its {method!r}; supported are {supported}")
    elif labels.dtype.kind not in "iufb":
        raise UnsupportedModelError(
            f"{type(model).__name__} hands on labels that are no numbers; fit it on numbers, or let it hand on scores"
        )
    else:
        part = vote(model, ask).then(Linear(labels.astype(np.float64)[None]))
    return dataclasses.replace(part, output_names=tuple(f"column {i}" for i in range(n)))


def binary_score(model: Any, ask: Ask, *, odds: bool = True) -> tuple[Conversion, str]:
    """A classifier's score for the second of two classes, (n_samples, 1), and which: see `answers`.

    Its decision function; of one without, log-odds (or with ``odds=False`` the probability).
    """
    if hasattr(model, "decision_function"):
        return decision(model, ask), "decision_function"
    part, is_odds = probability(model, ask, odds=odds)
    return part.second(), "log_odds" if is_odds else "predict_proba"


def vote(model: Any, ask: Ask) -> Conversion:
    """A classifier's ``predict`` as one vote for the class: (n_samples, n_classes)."""
    part = convert(model, dataclasses.replace(ask, output=None))
    n = 0 if part.classes is None else len(part.classes)
    if n != len(part.output_names):
        raise _refusal(model, part, "predict", ask)
    if "votes" in part.answers:
        return _behind(part, "votes").then(Winner())
    if part.predicts != "largest":  # its largest output may not be the prediction; that of its probabilities is
        shares = _asked(model, "probability", ask)
        if shares is not None and "predict_proba" in shares.gives and shares.predicts != "always_ask":
            part = shares
        elif part.predicts == "always_ask" or n > 2:
            raise _refusal(model, part, "predict", ask)
    return part.then(Winner())


def certain(model: Any) -> UnknownOutputError:
    """What to raise where log-odds are asked for that may be infinite."""
    return UnknownOutputError(
        f"output='log_odds' is unknown for {type(model).__name__} of members that may be certain, such as trees; "
        "choose output='probability'"
    )


def _find(model: Any, outputs: tuple[str, ...], wanted: tuple[str, ...], ask: Ask) -> tuple[Conversion, str]:
    """The first of these answers that the converter has, by one of these outputs, or by its default; and which."""
    for output in (*outputs, None):
        part = _asked(model, output, ask)
        for method in wanted:
            if part is not None and method in part.answers:
                return _behind(part, method), method
    assert part is not None
    raise _refusal(model, part, wanted[-1] if len(wanted) == 1 else "predict_proba", ask)


def _behind(part: Conversion, method: str) -> Conversion:
    """From rows to what the method gives."""
    return dataclasses.replace(part, head=part.answers[method], answers={}, link=None)


def _asked(model: Any, output: str | None, ask: Ask) -> Conversion | None:
    """The converter's output of this name, if it has one."""
    try:
        return convert(model, dataclasses.replace(ask, output=output))
    except UnknownOutputError:
        if output is None:
            raise
        return None


def _refusal(model: Any, part: Conversion, method: str, ask: Ask) -> UnsupportedModelError:
    where = f" (at step {ask.path!r})" if ask.path else ""
    return UnsupportedModelError(
        f"{type(model).__name__}{where} is explained as {part.explains!r}, from which its {method}, which the "
        "estimator around it needs, does not follow exactly",
        path=ask.path,
    )
