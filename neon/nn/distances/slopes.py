"""What every distance does with relevance first: it becomes a slope, but for samples that are on a center."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from neon.lrp.message import ROUNDING, Ledger, Message, divide, moved_from
from neon.lrp.operations import Call

__all__ = ["is_hit", "slopes"]


def slopes(call: Call, message: Message, ledger: Ledger, size: Callable[[], Tensor] | None = None) -> Tensor:
    """``s_j = R_j / d_j``, relative to reference rows ``R_j / (d_j - d_j^ref)``, undivided where the slope is known.

    Relevance of a distance 0 is nobody's: ``exact_hit``, relative to reference rows ``stabilizer``.

    size : as in `is_hit`
    """
    if message.slope is not None:
        return message.slope
    d, d_ref = call.value(call.output), call.reference(call.output)
    if d_ref is not None:
        return message.slope_over(moved_from(d, d_ref), ledger)
    hit = is_hit(d, None if size is None else size())
    if ledger.enabled:
        ledger.absorb("exact_hit", message.relevance * hit)
    return divide(message.relevance, d.masked_fill(hit, 0.0))


def is_hit(d: Tensor, size: Tensor | None = None) -> Tensor:
    """Where a sample is on a center: what scalings and projections before leave of a zero is rounding.

    size : what a distance is small beside; default: each row's mean distance.
    """
    return d <= ROUNDING * torch.finfo(d.dtype).eps * (d.mean(1, keepdim=True) if size is None else size)
