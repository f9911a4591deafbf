"""Variance and standard deviation, where they are what a network goes on with and not what it divides by."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from neon.lrp.message import Ledger, Message
from neon.lrp.operations.linear_functions import reduced_axes, with_axes
from neon.lrp.operations.table import Call, Treatment, treat
from neon.lrp.recording.tape import Retention
from neon.lrp.rules import Rule

__all__ = ["Deviation"]


class Deviation(Treatment):
    """``v = Σ_i d_i² / n`` with ``d_i = x_i - mean(x)``: ``R_i = s x_i d_i / n`` with the slope ``s = R / v``.

    What squares and a mean give that are spelled out. Relative to a reference r, ``v - v^ref = Σ_i (d_i + d_i^ref)
    (x_i - r_i) / n``. The standard deviation σ hands on ``s / (σ + σ^ref)``. n counts less the correction.
    """

    retention = Retention(inputs=True, output=True)
    takes_reference = True
    nonnegative = True
    mean_first = True

    def __init__(self, *, root: bool) -> None:
        self._root = root

    def check(self, call: Call, rule: Rule | None) -> None:
        self._of(call)

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> Message:
        axes, correction, keepdim = self._of(call)
        x, x_ref, y_ref = call.value(call.inputs[0]), call.reference(call.inputs[0]), call.reference(call.output)
        slope = call.slope(message, ledger)
        if self._root:
            y = call.value(call.output)
            total = y if y_ref is None else y + y_ref
            slope = (slope / total).masked_fill_(total == 0, 0.0)
        if not keepdim:
            slope = with_axes(slope, axes)
        deviations = _centered(x, axes) if x_ref is None else _centered(x, axes) + _centered(x_ref, axes)
        n = x.numel() // max(1, slope.numel()) - correction
        return Message.of_slope(deviations.mul_(slope).div_(n))

    def _of(self, call: Call) -> tuple[list[int], float, bool]:
        args, kwargs = call.arguments(call.blank)
        x, dim, correction, keepdim = _bind(*args, **kwargs)
        return reduced_axes(call, x, dim), correction, keepdim


def _centered(x: Tensor, axes: list[int]) -> Tensor:
    return x - x.mean(axes, keepdim=True)


def _bind(
    input: Tensor,
    dim: Any = None,
    unbiased: bool = True,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> tuple[Tensor, Any, float, bool]:
    if isinstance(dim, bool):  # var(x, unbiased)
        dim, unbiased = None, dim
    return input, dim, float(unbiased) if correction is None else correction, keepdim


T = torch.Tensor
treat(torch.var, T.var, by=Deviation(root=False))
treat(torch.std, T.std, by=Deviation(root=True))
