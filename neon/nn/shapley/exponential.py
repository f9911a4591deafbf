"""Distances that an exponential follows: products of one factor for each feature."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from neon.lrp.operations import Call
from neon.lrp.paths.terms import Background, Terms
from neon.lrp.recording.tape import Operation, Slot
from neon.nn.shapley.kernel_products import ProductTerms, SoftTerms

__all__ = ["exponential_terms", "exponentiates", "scales"]

_EXP = {torch.exp, torch.Tensor.exp}
_TIMES = {torch.mul: 1, torch.Tensor.mul: 1, torch.Tensor.__mul__: 1, torch.Tensor.__rmul__: 1,
          torch.div: -1, torch.Tensor.div: -1, torch.Tensor.__truediv__: -1}  # fmt: skip
_RATES: dict[Any, Callable[..., float]] = {}
_SCALES: dict[Any, Callable[..., float | None]] = {}


def exponentiates(function: Any, rate: Callable[..., float]) -> None:
    """Say that ``function`` takes ``exp(-rate(*args, **kwargs) d)`` of its first argument d, and sums of them."""
    _RATES[function] = rate


def scales(function: Any, factor: Callable[..., float | None]) -> None:
    """Say that ``function`` multiplies its first argument by ``factor(*args, **kwargs)``, where that is not None."""
    _SCALES[function] = factor


def exponential_terms(
    call: Call, x: Tensor, background: Background, centers: Tensor, power: int, end: Tensor
) -> Terms | None:
    """The terms of a distance (n_samples, n_units) whose one reader takes an exponential of it, times a constant."""
    slot, rate = call.output, 1.0
    while True:
        consumers = call.consumers.get(slot, [])
        if len(consumers) != 1:
            return None
        (reader,) = consumers
        if reader.function in _EXP:
            if rate >= 0:
                return None
            return ProductTerms(reader.outputs[0], x, background, centers, -rate, power, torch.exp(rate * end))
        if reader.function in _RATES:
            rate *= _RATES[reader.function](*reader.args, **reader.kwargs)
            # From a single row distances are straight lines, whose logarithm has no pole where a factor is small.
            soft = rate > 0 and background.varies
            return SoftTerms(call.output, x, background, centers, rate, power, end) if soft else None
        factor = _factor(reader)
        if factor is None:
            return None
        rate *= factor
        slot = reader.outputs[0]


def _factor(operation: Operation) -> float | None:
    """The number that an operation multiplies all units by."""
    if operation.function in _SCALES:
        return _SCALES[operation.function](*operation.args, **operation.kwargs)
    if operation.function not in _TIMES or len(operation.inputs) != 1:
        return None
    first, second = operation.args[:2]
    other = second if isinstance(first, Slot) else first
    if not isinstance(first, Slot) and _TIMES[operation.function] < 0:
        return None
    if isinstance(other, Tensor) and other.numel() != 1:
        return None
    return float(other) ** _TIMES[operation.function]
