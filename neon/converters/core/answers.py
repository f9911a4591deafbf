"""Layers from a model's scores to what its methods give, by what the scores are.

Keys are methods of the model ("predict", "predict_proba", "decision_function"), and "log_odds" (their sigmoid is
``predict_proba``), "logits" (their softmax is) and "votes" (the largest is at the predicted class).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F

from neon.nn import Affine, Elementwise, Linear
from neon.nn.codes.step import Step
from neon.nn.linear.side_by_side import InParallel
from neon.nn.pooling.evidence import SoftmaxOdds
from neon.nn.pooling.minimum import PooledMinimum
from neon.nn.pooling.normalized import Normalized
from neon.nn.pooling.rivals import Rivals

__all__ = [
    "Answers",
    "clipped_each",
    "closest_rival",
    "decision",
    "exponential",
    "half_log_odds",
    "log_odds",
    "log_odds_each",
    "logits",
    "prediction",
    "probability",
    "probability_each",
    "rivals_beaten",
    "shares_of_sigmoids",
    "sigmoid",
    "squashed",
    "votes_and_scores",
    "weighted_votes",
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
    return {"predict_proba": () if n_classes == 2 else (Normalized(uniform=False),)}


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


def rivals_beaten(n_classes: int) -> Layers:
    """From each class's scores against its rivals to how many of those it beats; a score of 0 beats none."""
    return (Affine(-1.0), Step(0.0, strict=True), Linear(_sums(n_classes)))


def votes_and_scores(n_classes: int, kind: str = "decision_function") -> Layers:
    """From each class's scores against its rivals to ``Σ 1[s > 0] + t / (3 (|t| + 1))`` with ``t = Σ s``.

    A score of 0 is a vote for the first of two. Probabilities P scikit-learn takes as they are: ``t_c = Σ_{k<c} P_ck
    - Σ_{k>c} P_kc = Σ_k P_ck - (n - 1 - c)``.

    Parameters
    ----------
    kind : str
        What the scores are: "decision_function", "predict_proba" (less a half) or "log_odds".
    """
    least = [np.finfo(np.float64).tiny if c < k else 0.0 for c, k in itertools.permutations(range(n_classes), 2)]
    total = _sums(n_classes)
    votes = torch.nn.Sequential(Affine(-1.0), Step(least, strict=True), Linear(total))
    after = np.arange(n_classes)[::-1].astype(np.float64)  # rivals that come after a class
    summed: Layers = (Linear(total),)
    if kind == "predict_proba":
        summed = (Linear(total, (n_classes - 1) / 2 - after),)
    elif kind == "log_odds":
        summed = (sigmoid(), Linear(total, -after))
    scores = torch.nn.Sequential(*summed, Elementwise(_shrunk, "t / (3 (|t| + 1))", anchor=0.0))
    return (InParallel([votes, scores]), Linear(np.hstack([np.eye(n_classes)] * 2)))


def _sums(n_classes: int) -> np.ndarray:
    """Over the rivals of each class: (n_classes, n_classes (n_classes - 1))."""
    return np.kron(np.eye(n_classes), np.ones((1, n_classes - 1)))


def _shrunk(t: torch.Tensor) -> torch.Tensor:
    """``t / (3 (|t| + 1))``: less than a third of a vote."""
    return t / (3 * (t.abs() + 1))


def closest_rival(n_classes: int, shift: float = 0.0) -> tuple[Layers, Layers]:
    """From pairwise machines' scores to those of each class against its rivals; and from there to the smallest.

    shift : a machine's score where its pair ties; it is above it where the second of a pair wins.
    """
    if n_classes == 2:
        return (Linear([[-1.0], [1.0]], [shift, -shift] if shift else None),), ()
    return (Rivals(n_classes, shift),), (PooledMinimum(n_classes, torch.inf),)
