"""What an estimator gives to the one around it: values, log-odds or probabilities, decision functions, votes."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from neon.converters.base import Conversion
from neon.converters.registry import convert
from neon.errors import UnsupportedModelError
from neon.nn import Affine, Evidence, Kernel, Linear, TwoClass, plain_linear
from neon.nn.anchored import Anchored
from neon.nn.in_parallel import Columns, InParallel
from neon.nn.normalized import Normalized
from neon.nn.step import Step
from neon.nn.winner import Winner

__all__ = [
    "NEVER",
    "certain",
    "decision",
    "extended",
    "log_odds",
    "predicted",
    "probability",
    "relu_refusal",
    "second",
    "shares_of_sigmoids",
    "shortened",
    "vote",
    "votes_and_scores",
]


NEVER = 700.0  # log-odds against what never happens: a probability of 0, to rounding


def extended(part: Conversion, *layers: torch.nn.Module, **changes: Any) -> Conversion:
    """A conversion with more layers behind it."""
    return dataclasses.replace(part, layers=torch.nn.Sequential(*part.layers, *layers), **changes)


def shortened(part: Conversion) -> Conversion:
    """A conversion without its last layer."""
    return dataclasses.replace(part, layers=torch.nn.Sequential(*list(part.layers)[:-1]))


def second(part: Conversion) -> Conversion:
    """The second of two columns, of ``[-f, f]`` the f."""
    last = part.layers[-1] if len(part.layers) else None
    mirrored = isinstance(last, torch.nn.Linear) and last.bias is None and last.weight.tolist() == [[-1.0], [1.0]]
    if isinstance(last, TwoClass) or mirrored:
        return shortened(part)
    if all(isinstance(layer, torch.nn.Linear | torch.nn.ReLU) for layer in part.layers):
        return extended(part, plain_linear([[0.0, 1.0]]))
    return extended(part, Columns([1]))


def predicted(model: Any, *, form: str, path: str) -> Conversion:
    """What a regressor's ``predict`` gives: (n_samples, n_targets)."""
    part = _asked(model, "predict", form, path) or convert(model, form=form, path=path)
    words = part.explains
    if words.startswith("predicted value") and part.link is None:
        return part
    if words.startswith("linear predictor"):
        final = model
        while hasattr(final, "steps"):
            final = final[-1]
        if not hasattr(final, "_base_loss"):
            raise _refusal(model, path, words, "predict")
        if type(final._base_loss.link).__name__ == "IdentityLink":
            return part
        words = "log of the predicted mean"
    if words.startswith("log of the predict") and form != "relu":
        return extended(part, Kernel(torch.exp, "exp"))
    if words.startswith("log-odds of the predict") and form != "relu":
        return extended(part, Kernel(torch.sigmoid, "sigmoid"))
    if form == "relu" and words.startswith("log"):
        raise relu_refusal(words)
    raise _refusal(model, path, words, "predict")


def probability(model: Any, *, form: str, path: str, odds: bool = True) -> tuple[Conversion, bool]:
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
    if np.size(getattr(model, "_probA", ())):
        raise UnsupportedModelError(
            f"predict_proba of {type(model).__name__}(probability=True): libsvm couples its pairs by an iteration that "
            "it stops early; use CalibratedClassifierCV(SVC(), ensemble=False), which is exact"
        )
    if not hasattr(model, "predict_proba"):
        raise UnsupportedModelError(f"{type(model).__name__} has no predict_proba")
    for output in ("log_odds", "probability") if odds else ("probability",):
        part = _asked(model, output, form, path)
        if part is not None and (output == "probability" or _is_log_odds(part.explains)):
            return part, output == "log_odds"
    part = log_odds(model, convert(model, form=form, path=path), path)
    if part.explains.startswith("probability of a class"):
        return part, False
    if odds:
        return part, True
    if form == "relu":
        raise relu_refusal("a probability")
    return extended(part, Anchored(torch.sigmoid, "σ(x)"), explains="probability of a class"), False


def log_odds(model: Any, part: Conversion, path: str) -> Conversion:
    """The log-odds whose sigmoid is ``predict_proba``, from what a converter explains; probabilities as they are."""
    words, n = part.explains, len(part.output_names)
    if words.startswith("probability of a class against the rest") and n > 2:
        return extended(part, Normalized(), explains="probability of a class")
    if words.startswith("probability of a class"):
        return part
    if words.startswith("log-odds of a class against the rest") and n > 2:  # p_c / Σ_k p_k
        return extended(part, *shares_of_sigmoids(), explains="log-odds of a class")
    if _is_log_odds(words):
        return part
    if words.startswith(("raw score of a class, before the softmax", "score of a class")):
        return extended(part, Affine(-1.0), Evidence(soft=True), explains="log-odds of a class")
    if words.startswith("raw score of a class, half"):
        return extended(part, Affine(2.0), explains="log-odds of a class")
    if words.startswith("decision function: weighted votes"):  # softmax of the decision function over K - 1
        if n == 2:
            return part
        return extended(part, Affine(-1 / (n - 1)), Evidence(soft=True), explains="log-odds of a class")
    raise _refusal(model, path, words, "predict_proba")


def _is_log_odds(words: str) -> bool:
    """Whether the sigmoid of what is explained is the model's own probability of a class."""
    return words.startswith("log-odds of a class") and "nearest" not in words and "rest" not in words


def shares_of_sigmoids() -> list[torch.nn.Module]:
    """``σ(z_c) / Σ_k σ(z_k)`` as log-odds: a soft minimum of differences of ``-log σ``."""
    return [Anchored(F.logsigmoid, "log σ(x)"), Affine(-1.0), Evidence(soft=True)]


def decision(model: Any, *, form: str, path: str) -> Conversion:
    """What a classifier's ``decision_function`` gives: (n_samples, 1) for two classes, else (n_samples, n_classes)."""
    part = _asked(model, "decision_function", form, path) or convert(model, form=form, path=path)
    words, n = part.explains, len(part.output_names)
    if n > 2 and form == "layers" and words.startswith("log-odds of a class"):  # scores, then a soft minimum
        part = _asked(model, "decision_function", "fused", path) or convert(model, form="fused", path=path)
    known = ("decision function", "log-odds of a class", "score of a class", "raw score of a class")
    if n == 2 and words.startswith(known):
        return second(part)
    if form == "relu" and words.startswith(("margin of a class,", _MARGIN)):
        raise relu_refusal("a count of votes")
    if words == "margin of a class, of its pairwise machine":
        return extended(part, *votes_and_scores(2), Columns([1]))
    if words.startswith(_MARGIN) and ", in" not in words:
        return extended(shortened(part), *votes_and_scores(n))
    if _is_log_odds(words) and isinstance(part.layers[-1], Evidence):
        return extended(shortened(part), Affine(-1.0))
    if words.startswith(known) and not _is_log_odds(words):
        return part
    raise _refusal(model, path, words, "decision_function")


_MARGIN = "margin of a class over its closest rival"


def votes_and_scores(n_classes: int) -> list[torch.nn.Module]:
    """From each class's scores against its rivals to ``Σ 1[s > 0] + t / (3 (|t| + 1))`` with ``t = Σ s``."""
    total = np.kron(np.eye(n_classes), np.ones((1, n_classes - 1)))
    votes = torch.nn.Sequential(Affine(-1.0), Step(0.0, strict=True), Linear(total))
    scores = torch.nn.Sequential(Linear(total), Anchored(_squashed, "t / (3 (|t| + 1))"))
    return [InParallel([votes, scores]), Linear(np.hstack([np.eye(n_classes)] * 2))]


def _squashed(t: torch.Tensor) -> torch.Tensor:
    """``t / (3 (|t| + 1))``: less than a third of a vote."""
    return t / (3 * (t.abs() + 1))


def vote(model: Any, *, form: str, path: str) -> Conversion:
    """A classifier's ``predict`` as one vote for the class: (n_samples, n_classes)."""
    if form == "relu":
        raise relu_refusal("a vote")
    part = convert(model, form=form, path=path)
    if part.classes is None or len(part.output_names) != len(part.classes):
        raise _refusal(model, path, part.explains, "predict")
    n, layers = len(part.classes), list(part.layers)[:-1]
    if part.explains == f"{_MARGIN}, of pairwise machines":  # scores decide where votes tie
        return dataclasses.replace(part, layers=torch.nn.Sequential(*layers, *votes_and_scores(n), Winner()))
    if part.explains.startswith(_MARGIN):
        count = Linear(np.kron(np.eye(n), np.ones((1, n - 1))))
        return dataclasses.replace(
            part, layers=torch.nn.Sequential(*layers, Affine(-1.0), Step(0.0, strict=True), count, Winner())
        )
    return extended(part, Winner())


def certain(model: Any) -> ValueError:
    """What to raise where log-odds are asked for that may be infinite."""
    return ValueError(
        f"output='log_odds' is unknown for {type(model).__name__} of members that may be certain, such as trees; "
        "choose output='probability'"
    )


def relu_refusal(what: str) -> ValueError:
    """What to raise where there is no exact ReLU form."""
    return ValueError(f"{what} is not piecewise linear in Linear and ReLU alone: there is no exact ReLU form")


def _asked(model: Any, output: str, form: str, path: str) -> Conversion | None:
    """The converter's output of this name, if it has one."""
    try:
        return convert(model, output=output, form=form, path=path)
    except ValueError as error:
        if "is unknown" not in str(error):
            raise
    return None


def _refusal(model: Any, path: str, words: str, method: str) -> UnsupportedModelError:
    where = f" (at step {path!r})" if path else ""
    return UnsupportedModelError(
        f"{type(model).__name__}{where} is explained as {words!r}, from which its {method}, which the "
        "estimator around it needs, does not follow exactly"
    )
