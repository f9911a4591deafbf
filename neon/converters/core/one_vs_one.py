"""Machines that each tell two classes apart: scores of each class against its rivals, the smallest of them, votes."""

from __future__ import annotations

import itertools

import numpy as np
import torch

from neon.converters.core.answers import Layers, sigmoid
from neon.nn import Affine, Elementwise, Linear
from neon.nn.codes.step import Step
from neon.nn.linear.side_by_side import InParallel
from neon.nn.pooling.minimum import PooledMinimum
from neon.nn.pooling.rivals import Rivals, rivals

__all__ = ["closest_rival", "margins", "rivals_beaten", "votes_and_scores"]


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


def margins(scores: np.ndarray, n_classes: int) -> np.ndarray:
    """The smallest score of each class over its rivals; scores : (n_samples, n_pairs), their signs as in `rivals`."""
    columns, signs = rivals(n_classes)
    return np.asarray((scores[:, columns] * signs).reshape(len(scores), n_classes, n_classes - 1).min(2))
