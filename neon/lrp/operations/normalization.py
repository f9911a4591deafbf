"""Layer, group, instance and RMS normalization, and softmax.

The statistics of a normalization are held constant (the LN rule of Ali et al. 2022): what remains is linear, the
subtraction of a mean and a scaling, and takes the rules of linear maps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from neon.errors import UnsupportedOperationError
from neon.lrp.linear_maps import AffineMap, LinearMap
from neon.lrp.message import Ledger, Message
from neon.lrp.operations.linear import LinearTreatment
from neon.lrp.operations.table import Call, Treatment, treat
from neon.lrp.recording.tape import Retention
from neon.lrp.rules import Rule

__all__ = ["Softmax", "Standardized"]


@dataclass(frozen=True, eq=False)
class Standardized(LinearMap):
    """``(x - mean(x)) * scale``; weight : the scale, broadcasting to x.

    The mean is over the last axis of ``x.view(rows)``. The weights cannot be
    modified: rules that do so (z⁺, γ, ...) do not apply.
    """

    shape: torch.Size = torch.Size()
    rows: tuple[int, ...] = ()

    def forward(self, *inputs: Tensor) -> Tensor:
        return self._centered(inputs[0]) * self.weight

    def vjp(self, s: Tensor) -> tuple[Tensor, ...]:
        return (self._centered(s * self.weight),)

    def _centered(self, x: Tensor) -> Tensor:
        """``x - mean(x)``, a symmetric map."""
        x_rows = x.reshape(self.rows)
        return (x_rows - x_rows.mean(-1, keepdim=True)).reshape(x.shape)

    def modified(self, transform: Callable[[Tensor], Tensor]) -> LinearMap:
        raise TypeError("a normalization that subtracts the mean takes Epsilon() or Zero(), which leave weights alone")


def _layer_norm(
    call: Call,
    input: Tensor,
    normalized_shape: Any,
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,  # of torch.layer_norm alone
) -> LinearMap:
    return _standardized(call, input, tuple(normalized_shape), weight, bias, eps, center=True)


def _rms_norm(
    call: Call, input: Tensor, normalized_shape: Any, weight: Any = None, eps: float | None = None
) -> LinearMap:
    eps = torch.finfo(input.dtype).eps if eps is None else eps
    return _standardized(call, input, tuple(normalized_shape), weight, None, eps, center=False)


def _standardized(
    call: Call, input: Tensor, normalized_shape: tuple[int, ...], weight: Any, bias: Any, eps: float, center: bool
) -> LinearMap:
    axes = tuple(range(-len(normalized_shape), 0))
    x = call.value(call.inputs[0])
    spread = x.var(axes, correction=0, keepdim=True) if center else x.square().mean(axes, keepdim=True)
    scale = torch.rsqrt(spread + eps)
    kept = input.shape[: input.ndim - len(normalized_shape)]
    scale = scale if weight is None else scale * weight
    if not center:
        return AffineMap(scale, bias, input.shape)
    return Standardized(scale, bias, input.shape, (*kept, math.prod(normalized_shape)))


def _group_norm(
    call: Call, input: Tensor, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> LinearMap:
    x = call.value(call.inputs[0])
    rows = (input.shape[0], num_groups, math.prod(input.shape[1:]) // num_groups)
    scale = torch.rsqrt(x.reshape(rows).var(-1, correction=0) + eps)
    per_channel = scale.repeat_interleave(input.shape[1] // num_groups, 1).reshape(
        *input.shape[:2], *(1,) * (input.ndim - 2)
    )
    weight, bias = (v if v is None else v.reshape(-1, *(1,) * (input.ndim - 2)) for v in (weight, bias))
    return Standardized(per_channel if weight is None else per_channel * weight, bias, input.shape, rows)


def _instance_norm(
    call: Call,
    input: Tensor,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> LinearMap:
    if not use_input_stats:
        raise UnsupportedOperationError("instance_norm with running statistics; use batch_norm, which it equals")
    return _group_norm(call, input, input.shape[1], weight, bias, eps)


def _normalize(
    call: Call, input: Tensor, p: float = 2.0, dim: Any = 1, eps: float = 1e-12, out: Any = None
) -> LinearMap:
    norm = torch.linalg.vector_norm(call.value(call.inputs[0]), p, dim, keepdim=True)
    return AffineMap(1 / norm.clamp(min=eps), None, input.shape)


def _local_response_norm(
    call: Call, input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> LinearMap:
    squares = call.value(call.inputs[0]).square()
    planes = squares.reshape(len(squares), 1, squares.shape[1], 1, -1)  # channels along the axis that is averaged
    planes = F.pad(planes, (0, 0, 0, 0, size // 2, (size - 1) // 2))
    means = F.avg_pool3d(planes, (size, 1, 1), stride=1).reshape(squares.shape)
    return AffineMap((k + alpha * means).pow(-beta), None, input.shape)


def _log_softmax(call: Call, input: Tensor, dim: Any = None, *args: Any, **kwargs: Any) -> LinearMap:
    return AffineMap(input.new_ones(()), -call.value(call.inputs[0]).logsumexp(dim, keepdim=True), input.shape)


class Softmax(Treatment):
    """``R_i = x_i (R_i - s_i Σ_j R_j)``: the first-order expansion at 0 (AttnLRP, prop. 3.1).

    What the expansion leaves is the residual ``softmax``.
    """

    retention = Retention(inputs=True, output=True)
    nonnegative = True
    cheap = True

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> Message:
        dim = _softmax_axis(*call.operation.args[1:], **call.operation.kwargs)
        x, s, r = call.value(call.inputs[0]), call.value(call.output), message.relevance
        # A masked score (-∞) has s = 0 and neither gives nor takes.
        spread = (r - s * r.sum(dim, keepdim=True)).mul_(x.masked_fill(s == 0, 0.0))
        if ledger.enabled:
            ledger.absorb("softmax", r - spread)
        return Message.of_relevance(spread)


def _softmax_axis(dim: int | None = None, *args: Any, **kwargs: Any) -> int:
    if dim is None:
        raise UnsupportedOperationError("softmax without dim; say which axis")
    return dim


T = torch.Tensor
treat(F.layer_norm, torch.layer_norm, by=LinearTreatment(_layer_norm, "normalization", cheap=True, varies=True))
treat(F.rms_norm, torch.rms_norm, by=LinearTreatment(_rms_norm, "normalization", cheap=True, varies=True))
treat(F.group_norm, torch.group_norm, by=LinearTreatment(_group_norm, "normalization", cheap=True, varies=True))
treat(
    F.instance_norm, torch.instance_norm, by=LinearTreatment(_instance_norm, "normalization", cheap=True, varies=True)
)
treat(F.normalize, by=LinearTreatment(_normalize, "affine", cheap=True, varies=True))
treat(F.local_response_norm, by=LinearTreatment(_local_response_norm, "affine", cheap=True, varies=True))
treat(
    F.log_softmax, torch.log_softmax, T.log_softmax, by=LinearTreatment(_log_softmax, "affine", cheap=True, varies=True)
)
treat(F.softmax, torch.softmax, T.softmax, by=Softmax())
