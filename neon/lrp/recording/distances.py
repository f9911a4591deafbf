"""Norms, distances and the losses made of them, spelled out: differences, elementwise functions and sums.

What a difference is taken to (the target of a loss, a prototype) stands where a bias does when it is a constant.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from neon.errors import UnsupportedOperationError
from neon.lrp.recording.signatures import with_arguments_of

__all__ = ["DISTANCES", "dropped_weight"]


def dropped_weight() -> Tensor | None:
    """The ``weight=`` of the ``F.l1_loss`` that is running: torch 2.13 does not hand it to function modes."""
    frame = sys._getframe(1)
    while frame is not None and frame.f_code is not F.l1_loss.__code__:
        frame = frame.f_back  # type: ignore[assignment]
    return None if frame is None else frame.f_locals.get("weight")


def _norm(x: Tensor, p: float, dim: Any, keepdim: bool, dtype: torch.dtype | None = None) -> Tensor:
    """``(Σ |x_i|^p)^(1/p)``, in float32 for half precision, as torch's own kernels count."""
    given = dtype or x.dtype
    x = x.to(torch.float32 if given in (torch.float16, torch.bfloat16) else given)
    dim = tuple(range(x.ndim)) if dim is None else dim
    if p == 2:
        y = x.square().sum(dim, keepdim).sqrt()
    elif p == 1:
        y = x.abs().sum(dim, keepdim)
    elif p in (math.inf, -math.inf):
        y = x.abs().amax(dim, keepdim) if p > 0 else x.abs().amin(dim, keepdim)
    elif p == 0:
        raise UnsupportedOperationError("the norm of order 0 counts what is not zero, which relevance does not follow")
    else:
        y = x.abs().pow(p).sum(dim, keepdim).pow(1 / p)
    return y.to(given)


def vector_norm(
    x: Tensor, ord: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: torch.dtype | None = None
) -> Tensor:
    return _norm(x, ord, dim, keepdim, dtype)


def matrix_norm(
    A: Tensor, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: torch.dtype | None = None
) -> Tensor:
    rows, columns = (axis % A.ndim for axis in dim)
    if ord == "fro":
        return _norm(A, 2, (rows, columns), keepdim, dtype)
    if ord not in (1, -1, math.inf, -math.inf):
        raise UnsupportedOperationError(f"the matrix norm of order {ord!r} is made of singular values; use 'fro'")
    summed, compared = (rows, columns) if abs(ord) == 1 else (columns, rows)
    sums = _norm(A, 1, summed, True, dtype)
    y = sums.amax(compared, True) if ord > 0 else sums.amin(compared, True)
    return y if keepdim else y.squeeze((rows, columns))


def linalg_norm(
    A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: torch.dtype | None = None
) -> Tensor:
    axes = tuple(range(A.ndim)) if dim is None else dim
    if ord is not None and isinstance(axes, (tuple, list)) and len(axes) == 2:
        return matrix_norm(A, ord, axes, keepdim, dtype=dtype)
    return _norm(A, 2 if ord is None else ord, dim, keepdim, dtype)


def norm(
    input: Tensor, p: Any = "fro", dim: Any = None, keepdim: bool = False, out: None = None, dtype: Any = None
) -> Tensor:
    if p == "nuc":
        raise UnsupportedOperationError("the nuclear norm is made of singular values; use 'fro'")
    return _norm(input, 2 if p in ("fro", None) else p, dim, keepdim, dtype)


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    return _norm(x1 - x2 + eps, p, -1, keepdim)


def cdist(x1: Tensor, x2: Tensor, p: float = 2, compute_mode: str = "") -> Tensor:
    return _norm(x1.unsqueeze(-2) - x2.unsqueeze(-3), p, -1, False)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    return (F.normalize(x1, dim=dim, eps=eps) * F.normalize(x2, dim=dim, eps=eps)).sum(dim)


def _of_difference(penalty: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A loss that is a function of ``input - target`` alone, element by element."""

    def loss(
        input: Tensor,
        target: Tensor,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
        *,
        weight: Tensor | None = None,
        **options: float,
    ) -> Tensor:
        found = penalty(input - target, **options)
        if weight is None:
            return _reduced(found, size_average, reduce, reduction)
        found = found * weight
        return found.sum() / weight.sum() if reduction == "mean" else _reduced(found, None, None, reduction)

    return loss


def _smooth_l1(difference: Tensor, beta: float = 1.0) -> Tensor:
    if beta == 0:
        return difference.abs()
    return torch._C._nn.smooth_l1_loss(difference, torch.zeros_like(difference), 0, beta)  # type: ignore[arg-type]  # 0: none


def _huber(difference: Tensor, delta: float = 1.0) -> Tensor:
    return torch._C._nn.huber_loss(difference, torch.zeros_like(difference), 0, delta)  # type: ignore[arg-type]


def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    found = _huber(input - target, delta)
    return _reduced(found if weight is None else found * weight, None, None, reduction)


@with_arguments_of(
    F.triplet_margin_loss, takes="anchor positive negative margin p eps swap size_average reduce reduction"
)
def triplet_margin_loss(given: SimpleNamespace) -> Tensor:
    def distance(a: Tensor, b: Tensor) -> Tensor:
        return pairwise_distance(a, b, given.p, given.eps)

    return _reduced(_triplet(given, distance), given.size_average, given.reduce, given.reduction)


@with_arguments_of(
    F.triplet_margin_with_distance_loss,
    takes="anchor positive negative distance_function margin swap reduction",
)
def triplet_margin_with_distance_loss(given: SimpleNamespace) -> Tensor:
    return _reduced(_triplet(given, given.distance_function or pairwise_distance), None, None, given.reduction)


def _triplet(given: SimpleNamespace, distance: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    far = distance(given.anchor, given.negative)
    if given.swap:
        far = torch.minimum(far, distance(given.positive, given.negative))
    return F.relu(distance(given.anchor, given.positive) - far + given.margin)


@with_arguments_of(F.cosine_embedding_loss, takes="input1 input2 target margin size_average reduce reduction")
def cosine_embedding_loss(given: SimpleNamespace) -> Tensor:
    similarity = cosine_similarity(given.input1, given.input2, -1)
    found = torch.where(given.target == 1, 1 - similarity, F.relu(similarity - given.margin))
    return _reduced(found, given.size_average, given.reduce, given.reduction)


def _reduced(loss: Tensor, size_average: Any, reduce: Any, reduction: str) -> Tensor:
    if size_average is not None or reduce is not None:
        reduction = F._Reduction.legacy_get_string(size_average, reduce)  # type: ignore[attr-defined]
    if reduction == "none":
        return loss
    return loss.sum() if reduction == "sum" else loss.mean()


DISTANCES: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.linalg.vector_norm: vector_norm,
    torch.linalg.matrix_norm: matrix_norm,
    torch.linalg.norm: linalg_norm,
    torch.norm: norm,
    torch.Tensor.norm: lambda input, p="fro", dim=None, keepdim=False, dtype=None: norm(
        input, p, dim, keepdim, dtype=dtype
    ),
    F.pairwise_distance: pairwise_distance,
    torch.cdist: cdist,
    F.cosine_similarity: cosine_similarity,
    F.mse_loss: _of_difference(torch.square),
    F.l1_loss: _of_difference(torch.abs),
    F.smooth_l1_loss: _of_difference(_smooth_l1),
    F.huber_loss: huber_loss,
    F.triplet_margin_loss: triplet_margin_loss,
    F.triplet_margin_with_distance_loss: triplet_margin_with_distance_loss,
    F.cosine_embedding_loss: cosine_embedding_loss,
}
