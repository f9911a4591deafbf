"""Units made of terms of single features, and what they are where each feature is present with probability t.

A neuralized model is ``f(x) = g(u(x))``. A feature that is absent brings the mean of its term over the reference rows;
at "each present with probability t" the units are ``u(t)``: Owen's multilinear extension (1972) of every unit, on its
diagonal. A layer whose units are of this kind says so by `Treatment.terms`.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

__all__ = [
    "Background",
    "JoinedTerms",
    "LinearTerms",
    "RowByRow",
    "SingleTerms",
    "StraightTerms",
    "Terms",
    "players_of",
]


@dataclass(frozen=True, eq=False)
class Background:
    """Reference rows (n_rows, n_features) as a layer reads them, with weights (n_rows,) that add up to 1.

    given : whether the caller gave them; otherwise layers that hold a background of their own take that (trees, whose
    covers say how the training rows were spread).

    players : the feature that each column was made of, (n_columns,), counted from 0: columns of one feature, such as
    those of a one-hot code, are present or absent together. None: each column is a feature by itself.
    """

    rows: Tensor
    weights: Tensor
    given: bool = True
    players: Tensor | None = None
    known: dict[Hashable, Tensor] = field(default_factory=dict)

    def memo(self, key: Hashable, compute: Callable[[], Tensor]) -> Tensor:
        """What was computed of these rows before, by the slot of the layer: the next rows need not do so again."""
        if key not in self.known:
            self.known[key] = compute()
        return self.known[key]

    def after(self, rows: Tensor, source: Tensor) -> Background:
        """The rows as a further layer reads them, each column of which was made of one (-1: of none)."""
        made_of = source if self.players is None else torch.where(source < 0, source, self.players[source])
        return Background(rows, self.weights, self.given, players_of(made_of))

    @property
    def varies(self) -> bool:
        """Whether absent features are drawn from several rows."""
        return len(self.rows) > 1

    @cached_property
    def columns(self) -> Tensor:
        """0, 1, ... (n_features,)."""
        return torch.arange(self.rows.shape[1], device=self.rows.device)

    @cached_property
    def mean(self) -> Tensor:
        """(1, n_features)."""
        return self.weights[None] @ self.rows

    @cached_property
    def covariance(self) -> Tensor:
        """(n_features, n_features), of the rows as they are: divided by no n - 1."""
        spread = self.rows - self.mean
        return (self.weights[:, None] * spread).T @ spread

    @cached_property
    def variance(self) -> Tensor:
        """(1, n_features)."""
        return self.weights[None] @ (self.rows - self.mean).square()


class RowByRow(Background):
    """A reference row for each explained one, (n_samples, n_features), for layers that `Terms.moments` says it of."""

    def after(self, rows: Tensor, source: Tensor) -> Background:
        after = super().after(rows, source)
        return RowByRow(rows, self.weights, self.given, after.players)

    @property
    def varies(self) -> bool:
        return False

    @cached_property
    def mean(self) -> Tensor:
        """(n_samples, n_features)."""
        return self.rows

    @cached_property
    def covariance(self) -> Tensor:
        return self.rows.new_zeros(self.rows.shape[1], self.rows.shape[1])

    @cached_property
    def variance(self) -> Tensor:
        return self.rows.new_zeros(1, self.rows.shape[1])


def players_of(features: Tensor) -> Tensor | None:
    """`Background.players` of columns made of the given features; -1: of none, and then a player of its own."""
    alone = -1 - torch.arange(len(features), device=features.device)
    kept, players = torch.unique(torch.where(features < 0, alone, features), return_inverse=True)
    return None if len(kept) == len(features) else players


class Terms(abc.ABC):
    """The units of one layer, for some rows and a background.

    Attributes
    ----------
    slot : int
        The slot of the tape that holds the units.
    end : Tensor (n_samples, n_units)
        The units of the rows as they are, ``u(1)``.
    straight : bool
        Whether ``u(t)`` is a straight line in t: then `shares` does not depend on t.
    alike : bool
        Whether the differences of two units are.
    holds : str
        What the layer holds of the training rows, in words, and takes in place of the network's background.
    joint : bool
        Whether `integrated` takes absent features as they are drawn together, row by row of the background.
    moments : bool
        Whether of the background it reads mean, variance and covariance alone.
    apart : bool
        Whether columns of one feature (`Background.players`) are switched on one by one all the same.
    """

    straight: ClassVar[bool] = False
    alike: ClassVar[bool] = False
    joint: ClassVar[bool] = False
    holds: ClassVar[str] = ""
    moments: bool = False
    apart: bool = False
    slot: int
    end: Tensor

    @abc.abstractmethod
    def units(self, t: Tensor) -> Tensor:
        """``u(t)``, (n_nodes, n_samples, n_units); t (n_nodes,)."""

    @abc.abstractmethod
    def shares(self, slopes: Tensor, t: Tensor) -> Tensor:
        """``Σ_q Σ_j slopes_qj ∂u_j/∂t_i(t_q)``, (n_samples, n_features); slopes (n_nodes, n_samples, n_units)."""

    @abc.abstractmethod
    def integrated(self, slopes: Tensor) -> Tensor:
        """``∫₀¹ Σ_j slopes_j ∂u_j/∂t_i dt``, (n_samples, n_features): the Shapley values of ``Σ_j slopes_j u_j``.

        slopes : (n_samples, n_units)
        """

    def middle(self, slopes: Tensor) -> Tensor:
        """``Σ_j slopes_j ∂u_j/∂t_i(1/2)``, (n_samples, n_features): the Banzhaf values of ``Σ_j slopes_j u_j``.

        slopes : (n_samples, n_units)
        """
        return self.shares(slopes[None], slopes.new_full((1,), 0.5))

    @property
    def starts(self) -> tuple[Tensor, Tensor] | None:
        """The units at each reference row, (n_rows, n_units), and the rows' weights; None: rows are not told apart."""
        return None

    def from_each(self, slopes: Tensor) -> Tensor:
        """As `integrated` of a single unit from each reference row, with a slope of its own (n_samples, n_rows)."""
        raise NotImplementedError

    def pairs(self, slopes: Tensor) -> Tensor:
        """Half the Shapley interactions of ``Σ_j slopes_j u_j``, (n_samples, n_features, n_features).

        0 on the diagonal, else ``φ_ik = ½ ∫₀¹ Σ_j slopes_j ∂²u_j/∂t_i∂t_k dt`` (Grabisch and Roubens 1999).
        """
        raise NotImplementedError

    def triples(self, slopes: Tensor) -> Tensor:
        """A sixth of the Shapley interactions of three features, (n_samples, n_features, n_features, n_features)."""
        raise ValueError("interactions of three features are of tree ensembles; ask for those of two: interactions=2")


class StraightTerms(Terms):
    """Additive units ``u_j = Σ_i z_ji(x_i)``: ``u(t) = u(0) + t (u(1) - u(0))``."""

    straight, alike = True, True

    def __init__(self, slot: int, start: Tensor, end: Tensor) -> None:
        self.slot, self.start, self.end = slot, start, end

    def units(self, t: Tensor) -> Tensor:
        units = self.start + t[:, None, None] * (self.end - self.start)
        units[t == 1] = self.end  # digit for digit: roots of distances near 0 are steep
        return units

    def shares(self, slopes: Tensor, t: Tensor) -> Tensor:
        return self.integrated(slopes.sum(0))

    def pairs(self, slopes: Tensor) -> Tensor:
        n_samples, n_features = self.integrated(slopes).shape
        return slopes.new_zeros(n_samples, n_features, n_features)  # sums of functions of single features


class SingleTerms(StraightTerms):
    """Functions of single features as they are: every unit is one column's value, absent its mean."""

    joint, moments = True, True

    def __init__(self, slot: int, x: Tensor, background: Background) -> None:
        super().__init__(slot, background.mean, x)

    def integrated(self, slopes: Tensor) -> Tensor:
        return slopes * (self.end - self.start)


class LinearTerms(StraightTerms):
    """``u = x Wᵀ + b``: terms ``W_ji x_i``."""

    joint, moments = True, True

    def __init__(self, slot: int, x: Tensor, background: Background, weight: Tensor, end: Tensor) -> None:
        self.weight, self.moved = weight, x - background.mean
        super().__init__(slot, end - self.moved @ weight.T, end)

    def integrated(self, slopes: Tensor) -> Tensor:
        return (slopes @ self.weight).mul_(self.moved)


class JoinedTerms(Terms):
    """Units of several `Terms` side by side."""

    def __init__(self, slot: int, parts: Sequence[Terms]) -> None:
        self.slot, self.parts = slot, tuple(parts)
        self.end = torch.cat([part.end for part in parts], 1)
        self.moments = all(part.moments for part in parts)
        self._sizes = [part.end.shape[1] for part in parts]

    def units(self, t: Tensor) -> Tensor:
        return torch.cat([part.units(t) for part in self.parts], -1)

    def shares(self, slopes: Tensor, t: Tensor) -> Tensor:
        return self._summed(lambda part, own: part.shares(own, t), slopes)

    def integrated(self, slopes: Tensor) -> Tensor:
        return self._summed(lambda part, own: part.integrated(own), slopes)

    def middle(self, slopes: Tensor) -> Tensor:
        return self._summed(lambda part, own: part.middle(own), slopes)

    def pairs(self, slopes: Tensor) -> Tensor:
        return self._summed(lambda part, own: part.pairs(own), slopes)

    def _summed(self, of: Callable[[Terms, Tensor], Tensor], slopes: Tensor) -> Tensor:
        return torch.stack(list(map(of, self.parts, slopes.split(self._sizes, -1)))).sum(0)
