"""What an estimator gives to the one around it: values, log-odds or probabilities, decision functions, votes."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from neon.converters.core.ask import Ask
from neon.converters.core.conversion import Conversion, Response
from neon.converters.core.registry import convert, no_relu_form
from neon.errors import UnknownOutputError, UnsupportedModelError
from neon.nn import Affine, Evidence, Kernel, Linear, TwoClass, plain_linear
from neon.nn.codes.step import Step
from neon.nn.kernels.anchored import Anchored
from neon.nn.linear.in_parallel import Columns, InParallel
from neon.nn.pooling.normalized import Normalized
from neon.nn.pooling.winner import Winner

__all__ = [
    "NEVER",
    "binary_score",
    "certain",
    "decision",
    "extended",
    "log_odds",
    "predicted",
    "probability",
    "second",
    "shares_of_sigmoids",
    "shortened",
    "vote",
    "votes_and_scores",
]


NEVER = 700.0  # log-odds against what never happens: a probability of 0, to rounding


def extended(part: Conversion, *layers: torch.nn.Module, **changes: Any) -> Conversion:
    """A conversion with more layers behind it; one that explains something else has a response of its own, or none."""
    if "explains" in changes:
        changes.setdefault("response", None)
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


def predicted(model: Any, ask: Ask) -> Conversion:
    """What a regressor's ``predict`` gives: (n_samples, n_targets)."""
    part = _asked(model, "predict", ask) or convert(model, ask)
    if part.response is Response.PREDICTION:
        return part
    inverse = _INVERSE_LINKS.get(part.response)
    if inverse is None:
        raise _refusal(model, ask.path, part, "predict")
    if ask.form == "relu":
        raise no_relu_form(f"{part.explains} is not made of Linear and ReLU alone")
    return extended(part, inverse(), response=Response.PREDICTION, link=None)


_INVERSE_LINKS: dict[Response | None, Callable[[], torch.nn.Module]] = {
    Response.LOG_PREDICTION: lambda: Kernel(torch.exp, "exp"),
    Response.LOGIT_PREDICTION: lambda: Kernel(torch.sigmoid, "sigmoid"),
}


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
    if np.size(getattr(model, "_probA", ())):
        raise UnsupportedModelError(
            f"predict_proba of {type(model).__name__}(probability=True): libsvm couples its pairs by an iteration that "
            "it stops early; use CalibratedClassifierCV(SVC(), ensemble=False), which is exact"
        )
    if not hasattr(model, "predict_proba"):
        raise UnsupportedModelError(f"{type(model).__name__} has no predict_proba")
    wanted = {"log_odds": Response.LOG_ODDS, "probability": Response.PROBABILITY}
    for output in ("log_odds", "probability") if odds else ("probability",):
        part = _asked(model, output, ask)
        if part is not None and part.response is wanted[output]:
            return part, output == "log_odds"
    part = log_odds(model, convert(model, ask), ask.path)
    if part.response is Response.PROBABILITY:
        return part, False
    if odds:
        return part, True
    if ask.form == "relu":
        raise no_relu_form("a probability is not made of Linear and ReLU alone")
    sigmoid = Anchored(torch.sigmoid, "σ(x)")
    return extended(part, sigmoid, explains="probability of a class", response=Response.PROBABILITY), False


def log_odds(model: Any, part: Conversion, path: str) -> Conversion:
    """The log-odds whose sigmoid is ``predict_proba``, from what a converter explains; probabilities as they are."""
    n = len(part.output_names)
    binary = n == 2
    layers: list[torch.nn.Module]
    match part.response:
        case Response.LOG_ODDS | Response.PROBABILITY:
            return part
        case Response.PROBABILITY_EACH:
            layers = [] if binary else [Normalized(uniform=False)]
            return extended(part, *layers, explains="probability of a class", response=Response.PROBABILITY)
        case Response.CLIPPED_EACH:
            layers = [Anchored(_clipped, "(clip(x, -1, 1) + 1) / 2"), *([] if binary else [Normalized()])]
            return extended(part, *layers, explains="probability of a class", response=Response.PROBABILITY)
        case Response.LOG_ODDS_EACH:
            layers = [] if binary else shares_of_sigmoids()
        case Response.HALF_LOG_ODDS:
            layers = [Affine(2.0)]
        case Response.LOGITS:
            layers = [Affine(-1.0), Evidence(soft=True)]
        case Response.WEIGHTED_VOTES:
            layers = [] if binary else [Affine(-1 / (n - 1)), Evidence(soft=True)]
        case _:
            raise _refusal(model, path, part, "predict_proba")
    return extended(part, *layers, explains="log-odds of a class", response=Response.LOG_ODDS)


def _clipped(t: torch.Tensor) -> torch.Tensor:
    """``(clip(t, -1, 1) + 1) / 2``: the probability that a modified Huber loss estimates."""
    return (t.clamp(-1, 1) + 1) / 2


def shares_of_sigmoids() -> list[torch.nn.Module]:
    """``σ(z_c) / Σ_k σ(z_k)`` as log-odds: a soft minimum of differences of ``-log σ``."""
    return [Anchored(F.logsigmoid, "log σ(x)"), Affine(-1.0), Evidence(soft=True)]


def decision(model: Any, ask: Ask) -> Conversion:
    """What a classifier's ``decision_function`` gives: (n_samples, 1) for two classes, else (n_samples, n_classes)."""
    part = _asked(model, "decision_function", ask) or convert(model, ask)
    n = len(part.output_names)
    if part.response is Response.LOG_ODDS and n > 2:  # a soft minimum over the scores, which is taken off again
        if ask.form == "layers":
            fused = dataclasses.replace(ask, form="fused")
            part = _asked(model, "decision_function", fused) or convert(model, fused)
        if isinstance(part.layers[-1], Evidence):
            return extended(shortened(part), Affine(-1.0), response=Response.LOGITS)
    elif part.response in _DECISIONS:
        return second(part) if n == 2 else part
    elif part.response is Response.PAIRWISE_DECISION or part.response in _SCORED_PAIRS:
        if ask.form == "relu":
            raise no_relu_form("a count of votes is not made of Linear and ReLU alone")
        if n == 2:
            return extended(part, *votes_and_scores(2, part.response), Columns([1]))
        return extended(shortened(part), *votes_and_scores(n, part.response))
    raise _refusal(model, ask.path, part, "decision_function")


def binary_score(model: Any, ask: Ask, *, odds: bool = True) -> tuple[Conversion, Response]:
    """A classifier's score for the second of two classes, (n_samples, 1), and which.

    Its decision function; of one without, log-odds (or with ``odds=False`` the probability).
    """
    if hasattr(model, "decision_function"):
        return dataclasses.replace(decision(model, ask), link=None), Response.DECISION
    part, is_odds = probability(model, ask, odds=odds)
    return dataclasses.replace(second(part), link=None), Response.LOG_ODDS if is_odds else Response.PROBABILITY


_DECISIONS = (
    Response.DECISION, Response.LOG_ODDS, Response.LOG_ODDS_EACH, Response.CLIPPED_EACH, Response.HALF_LOG_ODDS,
    Response.LOGITS, Response.WEIGHTED_VOTES,
)  # fmt: skip


_SCORED_PAIRS = (Response.PAIRWISE_SCORES, Response.PAIRWISE_PROBABILITY, Response.PAIRWISE_LOG_ODDS)


def votes_and_scores(n_classes: int, response: Response | None = Response.PAIRWISE_SCORES) -> list[torch.nn.Module]:
    """From each class's scores against its rivals to ``Σ 1[s > 0] + t / (3 (|t| + 1))`` with ``t = Σ s``.

    A score of 0 is a vote for the first of two. Probabilities P scikit-learn takes as they are: ``t_c = Σ_{k<c} P_ck
    - Σ_{k>c} P_kc = Σ_k P_ck - (n - 1 - c)``.
    """
    total = np.kron(np.eye(n_classes), np.ones((1, n_classes - 1)))
    least = [np.finfo(np.float64).tiny if c < k else 0.0 for c, k in itertools.permutations(range(n_classes), 2)]
    votes = torch.nn.Sequential(Affine(-1.0), Step(least, strict=True), Linear(total))
    after = np.arange(n_classes)[::-1].astype(np.float64)  # rivals that come after a class
    summed: list[torch.nn.Module] = [Linear(total)]
    if response is Response.PAIRWISE_PROBABILITY:
        summed = [Linear(total, (n_classes - 1) / 2 - after)]
    elif response is Response.PAIRWISE_LOG_ODDS:
        summed = [Anchored(torch.sigmoid, "σ(x)"), Linear(total, -after)]
    scores = torch.nn.Sequential(*summed, Anchored(_squashed, "t / (3 (|t| + 1))"))
    return [InParallel([votes, scores]), Linear(np.hstack([np.eye(n_classes)] * 2))]


def _squashed(t: torch.Tensor) -> torch.Tensor:
    """``t / (3 (|t| + 1))``: less than a third of a vote."""
    return t / (3 * (t.abs() + 1))


def vote(model: Any, ask: Ask) -> Conversion:
    """A classifier's ``predict`` as one vote for the class: (n_samples, n_classes)."""
    if ask.form == "relu":
        raise no_relu_form("a vote is not made of Linear and ReLU alone")
    part = convert(model, ask)
    if part.classes is None or len(part.output_names) != len(part.classes):
        raise _refusal(model, ask.path, part, "predict")
    n = len(part.classes)
    if n == 2 or part.response not in (Response.PAIRWISE, Response.PAIRWISE_DECISION, *_SCORED_PAIRS):
        if part.asks or part.votes:  # its largest output may not be the prediction; that of its probabilities is
            shares = _asked(model, "probability", ask)
            if shares is not None and shares.response is Response.PROBABILITY and not shares.asks:
                part = shares
            elif part.asks or n > 2:
                raise _refusal(model, ask.path, part, "predict")
        return extended(part, Winner(), response=None)
    cast: list[torch.nn.Module] = [
        Affine(-1.0),
        Step(0.0, strict=True),
        Linear(np.kron(np.eye(n), np.ones((1, n - 1)))),
    ]
    if part.response in _SCORED_PAIRS:
        cast = votes_and_scores(n, part.response)
    return extended(shortened(part), *cast, Winner(), response=None)


def certain(model: Any) -> UnknownOutputError:
    """What to raise where log-odds are asked for that may be infinite."""
    return UnknownOutputError(
        f"output='log_odds' is unknown for {type(model).__name__} of members that may be certain, such as trees; "
        "choose output='probability'"
    )


def _asked(model: Any, output: str, ask: Ask) -> Conversion | None:
    """The converter's output of this name, if it has one."""
    try:
        return convert(model, dataclasses.replace(ask, output=output))
    except UnknownOutputError:
        return None


def _refusal(model: Any, path: str, part: Conversion, method: str) -> UnsupportedModelError:
    where = f" (at step {path!r})" if path else ""
    return UnsupportedModelError(
        f"{type(model).__name__}{where} is explained as {part.explains!r}, from which its {method}, which the "
        "estimator around it needs, does not follow exactly",
        path=path,
    )
