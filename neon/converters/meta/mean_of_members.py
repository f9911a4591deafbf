"""Means over the members of an ensemble: of predictions, probabilities, decision functions and votes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from scipy.special import expit

from neon.converters.compose.names import column_names
from neon.converters.core import Ask, Conversion, answers, of_classes, signed
from neon.converters.core.members import NEVER, certain, decision, predicted, probability, vote
from neon.converters.meta.side_by_side import beside, on_arrays
from neon.nn import Elementwise, Linear, TwoClass
from neon.nn.pooling.mean_log_odds import MeanLogOdds

Given = TypeVar("Given")

__all__ = ["Members", "counted_votes", "mean_decision", "mean_prediction", "mean_probability", "prediction_variance"]


@dataclass(frozen=True, eq=False)
class Members:
    """The fitted members of an ensemble.

    Attributes
    ----------
    model : estimator
        The ensemble.
    ask : Ask
        What is asked of it.
    held : sequence of (Ask, estimator)
        What is asked of each member, and the member.
    columns : sequence of ndarray or None, optional
        For members that were fitted on arrays of the caller's columns: which of them (None: all). Default: they read
        the caller's rows.
    """

    model: Any
    ask: Ask
    held: Sequence[tuple[Ask, Any]]
    columns: Sequence[np.ndarray | None] | None = None

    @staticmethod
    def numbered(model: Any, ask: Ask, columns: Sequence[np.ndarray | None] | None = None) -> Members:
        """Those of a model that has no names for them."""
        held = [(ask.inside(f"estimators_[{i}]"), member) for i, member in enumerate(model.estimators_)]
        return Members(model, ask, held, columns)

    @staticmethod
    def named(model: Any, ask: Ask) -> Members:
        """Those of a model that is given names with them."""
        names = [name for name, member in model.estimators if not (isinstance(member, str) and member == "drop")]
        held = [(ask.inside(name), member) for name, member in zip(names, model.estimators_, strict=True)]
        return Members(model, ask, held)

    def kept(self, chosen: np.ndarray) -> Members:
        """Those of them that a mask chooses."""
        places = np.flatnonzero(chosen).tolist()
        columns = None if self.columns is None else [self.columns[i] for i in places]
        return dataclasses.replace(self, held=[self.held[i] for i in places], columns=columns)

    def predictions(self, X: Any) -> np.ndarray:
        """What each member predicts by itself, (n_targets, n_members, n_samples)."""
        rows = X.to_numpy() if self.columns is not None and hasattr(X, "to_numpy") else X
        chosen = self.columns or [None] * len(self.held)
        found = [
            np.asarray(member.predict(rows if columns is None else rows[:, columns]), dtype=np.float64)
            for columns, (_, member) in zip(chosen, self.held, strict=True)
        ]
        return np.stack([part.reshape(len(part), -1) for part in found]).transpose(2, 0, 1)

    def parts(self, give: Callable[..., Given], **options: Any) -> list[Given]:
        """What each member gives, by a function of `neon.converters.core.members`."""
        return [give(member, asked, **options) for asked, member in self.held]

    def side_by_side(self, parts: Sequence[Conversion]) -> Conversion:
        """What the members give, each from the columns that it reads."""
        given = column_names(self.model)
        if self.columns is not None:
            parts = [on_arrays(part, given, columns) for part, columns in zip(parts, self.columns, strict=True)]
        return beside(parts, given=given)

    def weighted(self, together: Conversion, weights: np.ndarray, n_outputs: int) -> Conversion:
        """The weighted sum of the members' outputs."""
        return together.then(Linear(np.kron(weights, np.eye(n_outputs))))


def mean_prediction(members: Members, weights: np.ndarray | None = None) -> Conversion:
    """The weighted mean of the members' predictions."""
    together = members.side_by_side(members.parts(predicted))
    weights = np.ones(len(members.held)) if weights is None else np.asarray(weights, dtype=np.float64)
    n = len(together.output_names) // len(members.held)
    return dataclasses.replace(
        members.weighted(together, weights / weights.sum(), n),
        explains="predicted value",
        output_names=together.output_names[:n],
        own=lambda X: np.asarray(members.model.predict(X), dtype=np.float64).reshape(-1, n),
        answers=answers.prediction(),
    )


def prediction_variance(members: Members, weights: np.ndarray | None = None) -> Conversion:
    """The weighted variance of the members' predictions: ``v = Σ_m w_m d_m²``, ``d_m = f_m - Σ_k w_k f_k``.

    The slopes ``w_m (d_m + d_m(b))``, b^m the base value that the relevance R^m of a member is relative to, give
    ``R_i = Σ_j Cov_m(R_i^m, R_j^m) + 2 Cov_m(R_i^m, b^m)``, relative to the variance of the base values.
    """
    together = members.side_by_side(members.parts(predicted))
    weights = np.ones(len(members.held)) if weights is None else np.asarray(weights, dtype=np.float64)
    weights, each = weights / weights.sum(), np.eye(len(together.output_names) // len(members.held))
    centered = np.eye(len(weights)) - weights
    return together.then(
        Linear(np.kron(centered, each)),
        Elementwise(torch.square),
        Linear(np.kron(weights, each)),
        explains="variance of the members' predictions",
        output_names=together.output_names[: len(each)],
        own=lambda X: (weights @ np.square(centered @ members.predictions(X))).T,
    )


def mean_decision(members: Members) -> Conversion:
    """The mean of the members' decision functions; of two classes in favour of the second, and against the first."""
    binary = len(members.model.classes_) == 2
    weights = np.ones(len(members.held)) / len(members.held)
    together = members.side_by_side(members.parts(decision))
    return dataclasses.replace(
        members.weighted(together, weights, 1 if binary else len(members.model.classes_)),
        explains="decision function in favour of a class, the members' mean",
        own=lambda X: signed(members.model.decision_function(X)),
        pair=TwoClass() if binary else None,
        answers=answers.decision(),
        predicts="always_ask",  # by the mean probability, or by votes
        **of_classes(members.model),
    )


def mean_probability(members: Members, weights: np.ndarray) -> Conversion:
    """The log-odds of the mean probability, or where a member has none (a tree may be certain) the mean itself."""
    output = members.ask.output
    members, weights = members.kept(weights != 0), weights[weights != 0] / weights.sum()
    found = None if output == "probability" else _mean_log_odds(members, weights)
    if found is not None:
        return found
    if output == "log_odds":
        raise certain(members.model)
    parts = _on_classes(members, [part for part, _ in members.parts(probability, odds=False)], never=0.0)
    return dataclasses.replace(
        members.weighted(members.side_by_side(parts), weights, len(members.model.classes_)),
        explains="probability of a class, the members' mean",
        own=lambda X: np.asarray(members.model.predict_proba(X), dtype=np.float64),
        answers=answers.probability(),
        **of_classes(members.model),
    )


def _mean_log_odds(members: Members, weights: np.ndarray) -> Conversion | None:
    """The log-odds of the mean probability, where each member has log-odds."""
    found = members.parts(probability)
    if not (weights > 0).all() or not all(is_odds for _, is_odds in found):
        return None
    together = members.side_by_side(_on_classes(members, [part for part, _ in found], never=-NEVER))
    words, layers = "log-odds of a class", []
    if len(members.held) > 1:
        words, layers = f"{words}, of the members' mean probability", [MeanLogOdds(weights)]
    return together.then(
        *layers,
        explains=words,
        own=lambda X: np.asarray(members.model.predict_proba(X), dtype=np.float64),
        answers=answers.log_odds(),
        link=expit,
        **of_classes(members.model),
    )


def _on_classes(members: Members, parts: Sequence[Conversion], *, never: float) -> list[Conversion]:
    """Members' classes, numbered by their places among all, in the columns of all."""
    n, placed = len(members.model.classes_), []
    for part, (_, member) in zip(parts, members.held, strict=True):
        places = np.asarray(member.classes_)
        if len(places) < n:
            places = places.astype(np.int64)
            bias = np.full(n, never)
            bias[places] = 0.0
            part = part.then(Linear(np.eye(n)[:, places], bias))
        placed.append(part)
    return placed


def counted_votes(members: Members, weights: np.ndarray, share: np.ndarray | None = None) -> Conversion:
    """The weight of the members that predict each class.

    Parameters
    ----------
    share : ndarray (n_outputs, n_classes), optional
        How much of a vote for a class each output gets. Default: the class all of it.
    """
    n, blocks = len(members.model.classes_), []
    for weight, (_, member) in zip(weights, members.held, strict=True):
        known = len(member.classes_)
        places = np.arange(n) if known == n else np.asarray(member.classes_).astype(np.int64)
        blocks.append(weight * np.eye(n)[:, places])
    count = np.hstack(blocks)
    return members.side_by_side(members.parts(vote)).then(
        Linear(count if share is None else share @ count),
        explains="votes for a class, by weight",
        family="",  # counted, votes have no slopes
        **of_classes(members.model),
    )
