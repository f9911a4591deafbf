"""Maxima: the winner takes all; soft ones, log-sum-exp, share by softmax weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from neon.errors import UnsupportedOperationError
from neon.lrp.message import Ledger, Message
from neon.lrp.operations.linear_functions import reduced_axes, with_axes
from neon.lrp.operations.table import Call, Treatment, treat
from neon.lrp.recording.tape import Retention
from neon.lrp.rules import Rule

__all__ = ["LogSumExpTreatment", "WinnerTakesAll"]


class WinnerTakesAll(Treatment):
    """A maximum, minimum or the largest few of elements: relevance goes to those that were chosen.

    The function's own subgradient picks the winner, ties as torch breaks them. Where a constant wins it keeps the
    relevance.
    """

    retention = Retention(inputs=True)
    takes_reference = True

    def check(self, call: Call, rule: Rule | None) -> None:
        specs = call.tape.specs
        if _against_constant(call) and specs[call.inputs[0]].shape != specs[call.output].shape:
            raise UnsupportedOperationError(f"{call.operation.name} that broadcasts its input to a new shape")

    def is_nonnegative(self, call: Call) -> bool:
        return not _against_constant(call) and all(slot in call.nonnegative for slot in call.inputs)

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> tuple[Message, ...]:
        probes, output = call.probed(map(call.value, call.inputs))
        output = output if isinstance(output, torch.Tensor) else output[0]
        moved = torch.autograd.grad(output, probes, message.relevance, retain_graph=ledger.enabled)
        if ledger.enabled and _against_constant(call):
            shares = torch.autograd.grad(output, probes, torch.ones_like(output))
            ledger.absorb("constant", message.relevance * (1 - shares[0]))
        return tuple(Message.of_relevance(part, vanishes=message.vanishes) for part in moved)


def _against_constant(call: Call) -> bool:
    """Whether an explained value competes with a constant, element by element."""
    arguments = (*call.operation.args, *call.operation.kwargs.values())
    return len(call.inputs) == 1 and any(isinstance(argument, Tensor) for argument in arguments)


class LogSumExpTreatment(Treatment):
    """``y = log Σ_k exp(x_k)``, gated: ``R_k = s p_k x_k`` with ``p = softmax(x)`` and the slope ``s = R / y``.

    What this leaves of y is the entropy of p; relative to a reference, ``y - y^ref - Σ_k p_k (x_k - x_k^ref)``.
    """

    retention = Retention(inputs=True, output=True)
    takes_reference = True

    def check(self, call: Call, rule: Rule | None) -> None:
        self._of(call)

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> Message:
        x, axes, keepdim = self._of(call)
        dx = call.moved(call.inputs[0]).masked_fill(x == -torch.inf, 0.0)  # a masked term has p = 0
        ends = call.value(call.output), call.slope(message, ledger), call.moved(call.output)
        whole, slope, difference = (v if keepdim else with_axes(v, axes) for v in ends)
        p = (x - whole).exp()
        if ledger.enabled:
            ledger.absorb("entropy", slope * (difference - (p * dx).sum(axes, keepdim=True)))
        return Message.of_slope(slope * p, dx)

    def _of(self, call: Call) -> tuple[Tensor, list[int], bool]:
        args, kwargs = call.arguments()
        x, dim, keepdim = _bind(*args, **kwargs)
        return x, reduced_axes(call, x, dim), keepdim


def _bind(input: Tensor, dim: int | Sequence[int], keepdim: bool = False) -> tuple[Tensor, int | Sequence[int], bool]:
    return input, dim, keepdim


T = torch.Tensor
treat(
    F.max_pool1d, F.max_pool2d, F.max_pool3d, torch.max_pool1d, torch.max_pool2d, torch.max_pool3d,
    F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d, torch.adaptive_max_pool1d,
    F.max_pool1d_with_indices, F.max_pool2d_with_indices, F.max_pool3d_with_indices, torch.max_pool1d_with_indices,
    F.adaptive_max_pool1d_with_indices, F.adaptive_max_pool2d_with_indices, F.adaptive_max_pool3d_with_indices,
    torch.fmax, T.fmax, torch.fmin, T.fmin, torch.median, T.median, torch.nanmedian, T.nanmedian,
    torch.msort, T.msort, torch.mode, T.mode, torch.cummax, T.cummax, torch.cummin, T.cummin,
    T.max, torch.max, T.min, torch.min, torch.maximum, T.maximum, torch.minimum, T.minimum,
    torch.topk, T.topk, torch.sort, T.sort, torch.kthvalue, T.kthvalue,
    torch.amax, T.amax, torch.amin, T.amin,
    by=WinnerTakesAll(),
)  # fmt: skip
treat(torch.logsumexp, T.logsumexp, torch.special.logsumexp, by=LogSumExpTreatment())
