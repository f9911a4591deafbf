"""Layers from a model's scores to what its methods give, by what the scores are.

Keys are methods of the model ("predict", "predict_proba", "decision_function"), and "log_odds" (their sigmoid is
``predict_proba``), "logits" (their softmax is) and "votes" (the largest is at the predicted class).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F

from neon.nn import Affine, Elementwise, Linear
from neon.nn.pooling.evidence import SoftmaxOdds
from neon.nn.pooling.normalized import Normalized

__all__ = [
    "Answers",
    "clipped_each",
    "decision",
    "exponential",
    "half_log_odds",
    "log_odds",
    "log_odds_each",
    "logits",
    "prediction",
    "probability",
    "probability_each",
    "shares_of_sigmoids",
    "sigmoid",
    "squashed",
    "weighted_votes",
    "with_complement",
]

Layers = tuple[torch.nn.Module, ...]
Answers = Mapping[str, Layers]


def prediction() -> Answers:
    """``predict`` is f."""
    return {"predict": ()}


def exponential() -> Answers:
    """``predict`` is ``exp(f)``."""
    return {"predict": (Elementwise(torch.exp),)}


def squashed() -> Answers:
    """``predict`` is ``σ(f)``."""
    return {"predict": (Elementwise(torch.sigmoid),)}


def decision() -> Answers:
    """``decision_function`` is f."""
    return {"decision_function": ()}


def probability() -> Answers:
    """``predict_proba`` is f."""
    return {"predict_proba": ()}


def probability_each(n_classes: int) -> Answers:
    """``predict_proba`` is ``f_c / Σ_k f_k``; of two classes f."""
    return {"predict_proba": () if n_classes == 2 else (Normalized(none=0.0),)}


def log_odds() -> Answers:
    """``predict_proba`` is ``σ(f)``; of two classes ``decision_function`` is f."""
    return {"log_odds": (), "decision_function": ()}


def log_odds_each(n_classes: int) -> Answers:
    """``predict_proba`` is ``σ(f_c) / Σ_k σ(f_k)``, of two classes ``σ(f)``; ``decision_function`` is f."""
    shares = () if n_classes == 2 else shares_of_sigmoids()
    return {"log_odds": shares, "decision_function": ()}


def half_log_odds() -> Answers:
    """``predict_proba`` is ``σ(2 f)``, and ``decision_function`` is f."""
    return {"log_odds": (Affine(2.0),), "decision_function": ()}


def logits() -> Answers:
    """``predict_proba`` is the softmax of f, and ``decision_function`` is f."""
    return {"logits": (), "log_odds": (Affine(-1.0), SoftmaxOdds()), "decision_function": ()}


def weighted_votes(n_classes: int) -> Answers:
    """``predict_proba`` is the softmax of ``f / (K - 1)``, of two classes ``σ(f)``; ``decision_function`` is f."""
    odds = () if n_classes == 2 else (Affine(-1 / (n_classes - 1)), SoftmaxOdds())
    return {"log_odds": odds, "decision_function": ()}


def clipped_each(n_classes: int) -> Answers:
    """``predict_proba`` is ``p_c / Σ_k p_k`` with ``p = (clip(f, -1, 1) + 1) / 2``; ``decision_function`` is f."""
    clipped = Elementwise(_clipped, "(clip(x, -1, 1) + 1) / 2", anchor=0.0)
    return {"predict_proba": (clipped,) if n_classes == 2 else (clipped, Normalized()), "decision_function": ()}


def _clipped(t: torch.Tensor) -> torch.Tensor:
    """``(clip(t, -1, 1) + 1) / 2``: the probability that a modified Huber loss estimates."""
    return (t.clamp(-1, 1) + 1) / 2


def shares_of_sigmoids() -> Layers:
    """``σ(z_c) / Σ_k σ(z_k)`` as log-odds: a soft minimum of differences of ``-log σ``."""
    return (Elementwise(F.logsigmoid, "log σ(x)", anchor=0.0), Affine(-1.0), SoftmaxOdds())


def sigmoid() -> torch.nn.Module:
    """From log-odds to a probability, relative to even odds."""
    return Elementwise(torch.sigmoid, "σ(x)", anchor=0.0)


def with_complement() -> torch.nn.Module:
    """From the probability p of the second of two classes to ``[1 - p, p]``."""
    return Linear([[-1.0], [1.0]], [1.0, 0.0])
