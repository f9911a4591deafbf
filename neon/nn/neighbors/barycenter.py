"""Barycenters of nearest neighbours: the weights that rebuild a row from them, on the values that they have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from neon.lrp.message import Ledger, Message
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.recording.tape import Retention
from neon.lrp.rules import Rule
from neon.nn.layer import Layer, operation

__all__ = ["Barycenter", "Finder", "barycenter"]

Finder = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


@operation
def barycenter(
    x: Tensor,
    points: Tensor,
    values: Tensor,
    finder: Finder,
    ridge: float,
    factor: Tensor | None = None,
    shift: Tensor | None = None,
) -> Tensor:
    """``Σ_k w_k e_k`` over the neighbours of x, with the weights that rebuild x from them.

    These minimize ``‖Σ_k w_k p_k - x‖² + R ‖w‖²`` under ``Σ_k w_k = 1``, where ``R = ridge Σ_k ‖p_k - x‖²``. With the
    neighbours and R held fixed that is their mean value plus a ridge regression on them, affine in x:
    ``ē + Eᵀ (P Pᵀ + R I)⁻¹ P (x - μ)``, where the rows of P are ``p_k - μ`` and μ is their mean.

    Parameters
    ----------
    x : (n_samples, n_features)
    points : (n_points, n_features)
    values : (n_points, n_outputs)
    finder : callable
        ndarray (n_samples, n_features) -> distances, indices (n_samples, n_neighbors) of the neighbours.
    ridge : float
    factor, shift : (n_features, n_inputs), (n_features,), optional
        V and b of a linear map that comes before.

    Returns
    -------
    Tensor
        (n_samples, n_outputs)
    """
    x = mapped(x, factor, shift)
    found = x.new_empty(len(x), values.shape[1])
    for rows, near in _blocks(x, points, values, finder, ridge):
        found[rows] = near.mean + (near.displacement[:, None] @ near.slopes(near.values))[:, 0]
    return found


class Barycenter(Layer, of=barycenter):
    """`barycenter` of fixed points."""

    no_relu = "which training rows are neighbours is found by search"
    option_names = ("ridge", "factor", "shift")
    states: tuple[str, ...] = ("the neighbours", "the strength of the ridge")
    points: Tensor
    values: Tensor
    factor: Tensor | None
    shift: Tensor | None
    finder: Finder
    ridge: float

    def after(self, weight: Tensor, bias: Tensor | None) -> Barycenter:
        """The barycenter of ``V x + b`` as a function of x."""
        assert self.factor is None
        return Barycenter(self.points, self.values, self.finder, ridge=self.ridge, factor=weight, shift=bias)

    def extra_repr(self) -> str:
        return f"{self.points.shape[1]} → {self.values.shape[1]}, {len(self.points)} points, ridge={self.ridge:.4g}"


def mapped(x: Tensor, factor: Tensor | None, shift: Tensor | None) -> Tensor:
    """``V x + b``, or x itself."""
    return x if factor is None else F.linear(x, factor, shift)


def shared(slope: Tensor, displacement: Tensor, factor: Tensor | None) -> Tensor:
    """``c_i δ_i``; behind a linear map ``(Vᵀ c)_i (V⁺ δ)_i``, with the shortest way in x that moves ``V x`` by δ."""
    if factor is None:
        return slope * displacement
    return (slope @ factor) * (displacement @ torch.linalg.pinv(factor).T)


SIZE = 2**20  # numbers at a time


def parts(n_rows: int, size: int) -> Iterator[slice]:
    """Slices of the rows, ``size`` numbers each row, with at most ``SIZE`` numbers in a slice (or one row)."""
    step = max(1, SIZE // max(1, size))
    return (slice(start, start + step) for start in range(0, n_rows, step))


class _Near(NamedTuple):
    """Some rows' neighbours, counted from their mean μ."""

    points: Tensor  # P, (n_rows, n_neighbors, n_features)
    values: Tensor  # (n_rows, n_neighbors, n_outputs), counted from their mean
    mean: Tensor  # (n_rows, n_outputs)
    displacement: Tensor  # x - μ, (n_rows, n_features)
    ridge: Tensor  # R, (n_rows, 1, 1)

    def slopes(self, right: Tensor) -> Tensor:
        """``Pᵀ (P Pᵀ + R I)⁻¹ right``; right : (n_rows, n_neighbors, k), each column adding up to 0."""
        n_neighbors, n_features = self.points.shape[1:]
        transposed = self.points.mT
        if n_features < n_neighbors:  # the same by the smaller system
            eye = torch.eye(n_features).to(right)
            return torch.linalg.solve_ex(transposed @ self.points + self.ridge * eye, transposed @ right).result
        gram = self.points @ transposed
        # P Pᵀ takes the ones to 0, which without a ridge has no inverse; what adds up to 0 does not see them.
        gram = gram + self.ridge * torch.eye(n_neighbors).to(right)
        gram = gram + gram.diagonal(dim1=1, dim2=2).mean(1)[:, None, None] / n_neighbors
        return transposed @ torch.linalg.solve_ex(gram, right).result


def _blocks(x: Tensor, points: Tensor, values: Tensor, finder: Finder, ridge: float) -> Iterator[tuple[slice, _Near]]:
    """Some rows at a time, with their neighbours."""
    if not len(x):
        return
    indices = torch.as_tensor(finder(x.detach().cpu().double().numpy())[1]).to(x.device)
    n_neighbors, n_features = indices.shape[1], x.shape[1]
    for rows in parts(len(x), n_neighbors * (2 * n_features + min(n_features, n_neighbors))):
        near, e = points[indices[rows]], values[indices[rows]]
        middle, mean = near.mean(1), e.mean(1)
        spread = (near - x[rows, None]).square().sum((1, 2))
        strength = ridge * spread.masked_fill(spread == 0, 1.0)
        near, e = near - middle[:, None], e - mean[:, None]
        yield rows, _Near(near, e, mean, x[rows] - middle, strength[:, None, None])


class _Barycenter(Treatment):
    """``R_i = (x_i - μ_i) Σ_c s_c A_ic``, A the ridge regression on the neighbours, μ their mean: exact, no division.

    Behind a linear map it is `shared` among what comes before. What is left is the value ē at μ: ``neighbors_mean``,
    counted from the output at the reference where there is one.
    """

    retention = Retention(inputs=True, output=True)
    takes_reference = True

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> Message:
        x, points, values, finder, ridge, factor, shift = call.bound()
        y, y_ref = call.value(call.output), call.reference(call.output)
        s = call.slope(message, ledger)
        relevance, mean = torch.empty_like(x), torch.empty_like(y)
        for rows, near in _blocks(mapped(x, factor, shift), points, values, finder, ridge):
            pulls = near.values @ s[rows, :, None]
            relevance[rows] = shared(near.slopes(pulls)[:, :, 0], near.displacement, factor)
            mean[rows] = near.mean
        if ledger.enabled:
            ledger.absorb("neighbors_mean", s * (mean if y_ref is None else mean - y_ref))
        return Message.of_relevance(relevance)


treat(barycenter, by=_Barycenter())
