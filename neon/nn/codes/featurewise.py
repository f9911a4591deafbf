"""Functions of single features, computed outside torch: each output depends on one input column, or on none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from neon.lrp.message import Ledger, Message
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.rules import Rule
from neon.nn.layer import Layer, operation

__all__ = ["Featurewise", "featurewise"]

_STEP = 1e-5  # of differences, times max(1, |x|): slopes of sin, exp, x³, x - 1000 are off by at most 5e-9, relatively
_NONE = 1e-8  # numbers from here on keep their sign: half of them is the largest step
_BENT = 1e-3  # differences to either side that are so far apart, relatively, are taken again by steps of 1e-5 |x|
_JUMP = 100.0  # of those, what is so much larger than the other is no slope but a jump


@operation
def featurewise(x: Tensor, function: Callable[[np.ndarray], np.ndarray], source: Tensor) -> Tensor:
    """``function(x)``, of which column j depends on column ``source[j]`` of x alone, or on none where that is -1.

    Parameters
    ----------
    x : (n_samples, n_features)
    function : callable
        ndarray (n_samples, n_features) -> ndarray or sparse matrix (n_samples, n_outputs), such as a transformer's
        ``transform``.
    source : Tensor of int (n_outputs,)

    Returns
    -------
    Tensor
        (n_samples, n_outputs)
    """
    if not len(x):
        return x.new_zeros(0, len(source))
    if getattr(function, "states", ()):  # of the other columns, which slopes would have to hold fixed
        return _computed(x, function)
    found: Tensor = _Columns.apply(x, function, source)
    return found


def _computed(x: Tensor, function: Callable[[np.ndarray], np.ndarray]) -> Tensor:
    computed: Any = function(x.detach().cpu().double().numpy().copy())  # some functions write to what they read
    dense = computed.toarray() if sparse.issparse(computed) else np.array(computed, dtype=np.float64)
    return torch.as_tensor(dense).to(x)


class _Columns(torch.autograd.Function):
    """A function of single columns, its slopes by central differences: all columns move together.

    A step function has slope 0, at its jumps as well.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, function: Callable[[np.ndarray], np.ndarray], source: Tensor) -> Tensor:
        ctx.function = function
        ctx.save_for_backward(x, source)
        return _computed(x, function)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:
        x, source = ctx.saved_tensors
        owned, x64 = source >= 0, x.double()
        size = x64.abs()
        step = _STEP * size.clamp(min=1.0)
        step = torch.where(size < _NONE, step, torch.minimum(step, size / 2))
        rate, smooth = _slopes(x64, step, ctx.function, source)
        if not bool(smooth.all()):
            fine, _ = _slopes(x64, _STEP * torch.where(size == 0, 1.0, size), ctx.function, source)
            rate = torch.where(smooth, rate, fine)
        return torch.zeros_like(x).index_add_(1, source[owned], slope[:, owned] * rate.to(x)), None, None


def _slopes(
    x: Tensor, step: Tensor, function: Callable[[np.ndarray], np.ndarray], source: Tensor
) -> tuple[Tensor, Tensor]:
    """Central differences of the columns that have a source, 0 at jumps, and where both sides agree."""
    owned = source >= 0
    low, middle, high = (_computed(x + sign * step, function)[:, owned] for sign in (-1, 0, 1))
    before, after = middle - low, high - middle
    larger, smaller = torch.maximum(before.abs(), after.abs()), torch.minimum(before.abs(), after.abs())
    rate = (high - low) / ((x + step) - (x - step))[:, source[owned]]
    return rate.masked_fill_(larger > _JUMP * smaller, 0.0), (after - before).abs() <= _BENT * larger


class Featurewise(Layer, of=featurewise):
    """`featurewise` with a fixed function."""

    no_relu = "an encoding after other layers is no row of Linear and ReLU"
    index_names = ("source",)
    source: Tensor

    def __init__(self, function: Callable[[np.ndarray], np.ndarray], source: np.ndarray, name: str) -> None:
        super().__init__(function, torch.as_tensor(source, dtype=torch.int64))
        self.name = name

    def extra_repr(self) -> str:
        return self.name


class _Featurewise(Treatment):
    """A feature owns the relevance of everything that was computed from it; the rest is ``constant``."""

    takes_reference = True

    def sources(self, call: Call, known: Sequence[Tensor]) -> tuple[Tensor, ...] | None:
        source = call.operation.args[2]
        return (torch.where(source >= 0, known[0][source.clamp(min=0)], -1),)

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> Message:
        source = call.operation.args[2]
        relevance, owned = message.relevance, source >= 0
        if ledger.enabled and not bool(owned.all()):
            ledger.absorb("constant", relevance[:, ~owned])
        found = relevance.new_zeros(call.blank(call.inputs[0]).shape)
        return Message.of_relevance(found.index_add_(1, source[owned], relevance[:, owned]))


treat(featurewise, by=_Featurewise())
