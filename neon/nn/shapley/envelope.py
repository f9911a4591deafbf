"""Which of several straight lines is lowest, and on how much of the way."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["lowest"]


def lowest(start: Tensor, end: Tensor) -> Tensor:
    """The part of the way from t = 0 to t = 1 on which each of the lines ``start + t (end - start)`` is the lowest.

    Parameters
    ----------
    start, end : Tensor (n_samples, n_lines)
        ∞ for a line that never is.

    Returns
    -------
    Tensor
        (n_samples, n_lines), adding up to 1 for each sample. Where start and end are the same, the lowest has all.
    """
    rise = (end - start).nan_to_num(0.0)
    share, t = torch.zeros_like(start), start.new_zeros(len(start), 1)
    # At t = 0 the lowest; of several, the one that rises least.
    least = start.amin(1, keepdim=True)
    current = rise.masked_fill(start > least, torch.inf).argmin(1, keepdim=True)
    for _ in range(start.shape[1]):
        closing = rise.gather(1, current) - rise
        meeting = ((start - start.gather(1, current)) / closing).masked_fill_(closing <= 0, torch.inf)
        meeting = torch.maximum(meeting.nan_to_num_(nan=torch.inf, posinf=torch.inf), t)
        first = meeting.amin(1, keepdim=True)
        stop = first.clamp(max=1.0)
        share.scatter_add_(1, current, stop - t)
        t = stop
        if bool((t >= 1).all()):
            break
        following = rise.masked_fill(meeting > first, torch.inf).argmin(1, keepdim=True)
        current = torch.where(t >= 1, current, following)
    return share
