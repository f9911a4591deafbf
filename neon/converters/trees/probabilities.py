"""Boosted classifiers by their probabilities and their logarithmic loss, behind the scores that their trees add to."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch.nn.functional as F
from scipy.special import expit, softmax

from neon.converters.core import Conversion, answers
from neon.errors import UnknownOutputError
from neon.nn import Affine, Elementwise

__all__ = ["OUTPUTS", "answered"]

OUTPUTS = ("log_odds", "probability", "log_loss")


def answered(part: Conversion, output: str, *, own: str) -> Conversion:
    """The model by one of its scores' answers: log-odds of ``p_c``, ``p_c``, or ``-log p_c`` where c is the true label.

    Of two classes the scores are the log-odds themselves. Otherwise these are curves of the margins, which have no
    closed Shapley values. They are explained from each reference row: by the Shapley values of the margins, times the
    mean slope along the way from the row's margins to x's (Aumann and Shapley; of a single margin
    ``(g(f(x)) - g(f(r))) / (f(x) - f(r))``, as shap's TreeExplainer has it). They add up to the output less its mean
    over the reference rows.

    Parameters
    ----------
    part : Conversion
        Of the raw scores.
    output : str
        ``own``, or one of `OUTPUTS`.
    own : str
        What the raw scores are called: then the conversion is returned as it is.

    Raises
    ------
    UnknownOutputError
        If no probabilities follow from the scores.
    """
    if output == own:
        return part
    if part.classes is None or "log_odds" not in part.answers:
        raise UnknownOutputError(
            f"output={output!r} is of classifiers whose scores are log-odds, and this model gives: {part.explains}; "
            f"choose output={own!r}"
        )
    odds = part.answers["log_odds"]
    if output == "log_odds" and odds == part.head:
        return part
    shares = "logits" in part.answers
    scale = 2.0 if any(isinstance(layer, Affine) for layer in odds) and not shares else 1.0

    def probabilities(X: np.ndarray) -> np.ndarray:
        scores = part.own(X)
        return softmax(scores, axis=1) if shares else expit(scale * scores)

    changes: dict[str, Any] = {"own": probabilities, "link": None, "answers": {}, "rounding": 0.0}
    changes |= {"composite": "expected", "family": "trees from rows"}
    if output == "log_odds":
        changes["link"] = expit
        return dataclasses.replace(part, head=odds, explains="log-odds of a class", **changes)
    if output == "probability":
        head = (*odds, answers.sigmoid())
        return dataclasses.replace(part, head=head, explains="probability of a class", **changes)
    head = (*odds, Elementwise(F.logsigmoid), Affine(-1.0))
    changes |= {"link": _back, "predicts": "none"}
    return dataclasses.replace(part, head=head, explains="logarithmic loss, -log p of the true label", **changes)


def _back(loss: np.ndarray) -> np.ndarray:
    """The probability."""
    return np.exp(-loss)
