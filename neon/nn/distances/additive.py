"""Distances that add up over the features, by whatever formula, and their relevance feature by feature."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from neon.lrp.message import ROUNDING, Ledger, Message, divide
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.recording.tape import Retention
from neon.lrp.rules import Hybrid, Rule
from neon.nn.distances.slopes import slopes
from neon.nn.layer import Layer, operation

__all__ = [
    "AdditiveDistance", "AdditiveTreatment", "Canberra", "Chebyshev", "Chi2", "Cosine", "Hamming", "Haversine",
    "Minkowski", "NanEuclidean", "additive_distance", "blocks",
]  # fmt: skip

_BLOCK = 2**16  # differences at a time: what stays in the processor's cache is not fetched twice

Parts = Callable[[Tensor, Tensor], Tensor]  # rows (..., n_features), points (..., n_features) -> what each feature adds


@dataclass(frozen=True)
class Minkowski:
    """``w_i |x_i - u_i|^p``: the p-th power of the distance."""

    p: float
    weights: tuple[float, ...] = ()

    def __call__(self, x: Tensor, u: Tensor) -> Tensor:
        parts = (x - u).abs() ** self.p
        return parts * torch.tensor(self.weights).to(parts) if self.weights else parts


@dataclass(frozen=True)
class Chebyshev:
    """``max_i |x_i - u_i|``: of the largest difference alone, which equals share."""

    def __call__(self, x: Tensor, u: Tensor) -> Tensor:
        parts = (x - u).abs()
        largest = parts.amax(-1, keepdim=True)
        tied = parts >= largest * (1 - ROUNDING * torch.finfo(parts.dtype).eps)
        return largest * tied / tied.sum(-1, keepdim=True)


@dataclass(frozen=True)
class Canberra:
    """``|x_i - u_i| / (|x_i| + |u_i|)``."""

    def __call__(self, x: Tensor, u: Tensor) -> Tensor:
        return divide((x - u).abs(), x.abs() + u.abs())


@dataclass(frozen=True)
class Chi2:
    """``(x_i - u_i)² / (x_i + u_i)`` of features that are ≥ 0."""

    def __call__(self, x: Tensor, u: Tensor) -> Tensor:
        return divide((x - u).square(), x + u)


@dataclass(frozen=True)
class Hamming:
    """1 in D where ``x_i ≠ u_i``, of D features."""

    def __call__(self, x: Tensor, u: Tensor) -> Tensor:
        return (x != u).to(x) / x.shape[-1]


@dataclass(frozen=True)
class Cosine:
    """``½ (x_i/‖x‖ - u_i/‖u‖)²``, which adds up to ``1 - cos(x, u)``; lengths are taken as given.

    A row of zeros, which has no direction, is 1 from everything: what is missing is shared equally.
    """

    def __call__(self, x: Tensor, u: Tensor) -> Tensor:
        lengths = [torch.linalg.vector_norm(side, dim=-1, keepdim=True) for side in (x, u)]
        a, b = (divide(side, length.expand_as(side)) for side, length in zip((x, u), lengths, strict=True))
        parts = (a - b).square() / 2
        lost = torch.where((lengths[0] == 0) | (lengths[1] == 0), 1 - parts.sum(-1, keepdim=True), 0.0)
        return parts + lost / x.shape[-1]


@dataclass(frozen=True)
class NanEuclidean:
    """``(x_i - u_i)²`` over the features that both have, times the number of all by that of these."""

    def __call__(self, x: Tensor, u: Tensor) -> Tensor:
        parts = (x - u).square()
        absent = parts.isnan()
        return parts.masked_fill(absent, 0.0) * x.shape[-1] / (~absent).sum(-1, keepdim=True)


@dataclass(frozen=True)
class Haversine:
    """The squared angle θ² between places given as latitude and longitude, in radian.

    ``sin²(θ/2) = sin²(Δφ/2) + cos φ cos φ' sin²(Δλ/2)``: latitude and longitude share as these two terms do, the
    cosines, by which circles of latitude are shorter, taken as given.
    """

    def __call__(self, x: Tensor, u: Tensor) -> Tensor:
        terms = ((x - u) / 2).sin().square()
        terms = torch.stack([terms[..., 0], terms[..., 1] * x[..., 0].cos() * u[..., 0].cos()], -1)
        total = terms.sum(-1, keepdim=True).clamp(max=1.0)
        angle = 2 * total.sqrt().asin()
        return terms * torch.where(total > 0, angle.square() / total, 4.0)


@operation
def additive_distance(x: Tensor, centers: Tensor, parts: Parts) -> Tensor:
    """``d_j = Σ_i parts(x, u_j)_i``; x : (n_samples, n_features), centers ``u`` : (n_centers, n_features).

    Returns
    -------
    Tensor
        (n_samples, n_centers)
    """
    d = x.new_empty(len(x), len(centers))
    for rows, columns in blocks(len(x), *centers.shape):
        d[rows, columns] = parts(x[rows, None], centers[columns]).sum(2)
    return d


class AdditiveDistance(Layer, of=additive_distance):
    """`additive_distance` to fixed centers."""

    no_relu = "a distance is not piecewise linear"
    centers: Tensor
    parts: Parts

    def extra_repr(self) -> str:
        return f"{self.centers.shape[1]} → {self.centers.shape[0]}, {self.parts}"


class AdditiveTreatment(Treatment):
    """``R_i = Σ_j s_j parts_ij`` with slopes ``s_j = R_j / d_j``; on a center (0 / 0) the residual ``exact_hit``.

    Relative to reference rows b: ``R_i = Σ_j s_j (parts_ij - mean_b parts_ij(b))``.
    """

    kind = "distance"
    retention = Retention(inputs=True)
    takes_reference = True
    nonnegative = True

    def check(self, call: Call, rule: Rule | None) -> None:
        if isinstance(rule, Hybrid):
            raise TypeError("Hybrid() fits squared distances only; give other distances another rule")

    @abc.abstractmethod
    def weighted(self, s: Tensor, x: Tensor, *others: Any) -> Tensor:
        """``Σ_j s_j parts_ij``, (n_samples, n_features); others : the operation's arguments behind x."""

    @abc.abstractmethod
    def mean(self, rows: Tensor, *others: Any) -> Tensor:
        """The mean of ``parts_ij`` over rows, (n_centers, n_features)."""

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> Message:
        x, *others = call.bound()
        s = slopes(call, message, ledger)
        r = self.weighted(s, x, *others)
        if call.references is not None:
            r.addmm_(s, self.mean(call.references[call.inputs[0]], *others), alpha=-1)
        return Message.of_relevance(r)

    def at_reference(self, call: Call, values: dict[int, Tensor], rule: Rule | None) -> tuple[Tensor, ...]:
        return (super().at_reference(call, values, rule)[0].mean(0, keepdim=True),)


class _AdditiveDistance(AdditiveTreatment):
    def weighted(self, s: Tensor, x: Tensor, *others: Any) -> Tensor:
        centers, parts = others
        r = torch.zeros_like(x)
        for rows, columns in blocks(len(x), *centers.shape):
            r[rows] += (s[rows, None, columns] @ parts(x[rows, None], centers[columns]))[:, 0]
        return r

    def mean(self, rows: Tensor, *others: Any) -> Tensor:
        centers, parts = others
        mean = torch.zeros_like(centers)
        for some, columns in blocks(len(rows), *centers.shape):
            mean[columns] += parts(rows[some, None], centers[columns]).sum(0) / len(rows)
        return mean


def blocks(n_rows: int, n_centers: int, n_features: int) -> Iterator[tuple[slice, slice]]:
    """Blocks of rows and centers with at most ``_BLOCK`` differences each (or one row's from one center)."""
    columns = max(1, min(n_centers, _BLOCK // n_features))
    rows = max(1, _BLOCK // (columns * n_features))
    for row in range(0, n_rows, rows):
        for column in range(0, n_centers, columns):
            yield slice(row, row + rows), slice(column, column + columns)


treat(additive_distance, by=_AdditiveDistance())
