"""Evidence spelled out: a unit for every pair of alternatives, and minima over each group of competitors."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from neon.lrp.message import Ledger, Message, rounding_of
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.recording.tape import Retention
from neon.lrp.rules import Rule
from neon.nn.layer import Layer, operation
from neon.nn.linear.layers import Linear, plain_linear
from neon.nn.shapley.envelope import lowest

__all__ = [
    "PairwiseDifference",
    "PooledMinimum",
    "pooled_minimum",
    "relu_group_minimum",
    "relu_minimum",
]


class PairwiseDifference(Linear):
    """``h_ck = d_k - d_c`` for every c and every k ≠ c: (n, C) -> (n, C (C - 1)), grouped by c."""

    def __init__(self, n_alternatives: int) -> None:
        eye = torch.eye(n_alternatives, dtype=torch.float64)
        rows = [eye[k] - eye[c] for c in range(n_alternatives) for k in range(n_alternatives) if k != c]
        super().__init__(torch.stack(rows))


@operation
def pooled_minimum(h: Tensor, groups: int | Sequence[int], stiffness: float, gated: bool = False) -> Tensor:
    """The minimum over each of ``groups`` equal groups of columns, or of groups of these sizes.

    stiffness : β of the backward pass; ``inf`` follows the minimum alone (ties share equally).
    gated : whether slopes are the gates p, which add up to 1, also where the minimum is ≥ 0: what all units have in
        common then cancels from the difference of two minima.
    """
    return _each(h, groups, torch.amin)


def _each(h: Tensor, groups: int | Sequence[int], reduce: Callable[[Tensor, int], Tensor]) -> Tensor:
    """The sum, minimum, ... over each group of columns, (n_samples, n_groups)."""
    if isinstance(groups, int):
        return reduce(h.unflatten(1, (groups, -1)), 2)
    return torch.stack([reduce(part, 1) for part in h.split(list(groups), 1)], 1)


def _columns(group: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
    """The columns of one group for each row, and which of them only fill up a smaller one; group : (n_samples, 1)."""
    size, place = sizes[group], torch.arange(int(sizes.max()), device=sizes.device)
    return (sizes.cumsum(0) - sizes)[group] + torch.minimum(place, size - 1), place >= size


class PooledMinimum(Layer, of=pooled_minimum):
    """`pooled_minimum` with a fixed stiffness."""

    option_names = ("gated",)
    groups: int | Sequence[int]
    stiffness: float
    gated: bool

    def extra_repr(self) -> str:
        n_groups = self.groups if isinstance(self.groups, int) else len(self.groups)
        return f"min over {n_groups} groups, stiffness={self.stiffness:.4g}"

    def relu(self, n_inputs: int) -> list[torch.nn.Module]:
        groups = self.groups
        return relu_group_minimum([n_inputs // groups] * groups if isinstance(groups, int) else groups)

    def of_common(self) -> Literal["seen", "kept", "dropped"]:
        return "kept"


class _PooledMinimum(Treatment):
    """Take-most where the minimum is ≥ 0; gated elsewhere and relative to a reference (see `pooling.evidence`)."""

    retention = Retention(inputs=True)
    takes_reference = True

    def chooses(self, call: Call) -> Literal["", "values", "differences"]:
        return "values"

    def along(self, call: Call, slope: Tensor, start: Tensor, end: Tensor) -> Tensor:
        groups = call.operation.args[1]
        sizes = [end.shape[1] // groups] * groups if isinstance(groups, int) else list(groups)
        parts = zip(start.split(sizes, 1), end.split(sizes, 1), slope.T, strict=True)
        return torch.cat([s[:, None] * lowest(a, b) if bool(s.any()) else torch.zeros_like(a) for a, b, s in parts], 1)

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> Message:
        h, groups, stiffness, gated = call.bound()
        e, h_ref, e_ref = call.value(call.output), call.reference(call.inputs[0]), call.reference(call.output)
        moved, moved_e = (h, e) if h_ref is None or e_ref is None else (h - h_ref, e - e_ref)
        s = message.slope_over(moved_e, ledger)
        sizes = torch.tensor([h.shape[1] // groups] * groups if isinstance(groups, int) else groups, device=h.device)
        units, own = h, moved  # own : what the units themselves bring, relative to a reference
        column, of = None, None
        if len(sizes) > 1 and len(s) and int((s != 0).sum(1).max()) <= 1:
            # Of one minimum a row nobody looks at the units of the others.
            chosen = s.abs().argmax(1, keepdim=True)
            column, outside = _columns(chosen, sizes)
            s, e, moved_e = (part.gather(1, chosen) for part in (s, e, moved_e))
            units = h.gather(1, column).masked_fill_(outside, math.inf)
            own = moved.gather(1, column).masked_fill_(outside, 0.0)
            groups = 1
        if s.shape[1] > 1:
            of = torch.arange(len(sizes), device=h.device).repeat_interleave(sizes).expand(len(h), -1)

        def spread(part: Tensor) -> Tensor:
            """From groups to their units."""
            return part if of is None else part.gather(1, of)

        least, rounding = spread(e), rounding_of(h)  # what ties, but for rounding, shares equally
        p = (units <= least + rounding).to(h) if stiffness == math.inf else (units - least).mul_(-stiffness).exp_()
        p = p.div_(spread(_each(p, groups, torch.sum)))
        take_most, wide = (moved_e >= -rounding) & (moved is h and not gated), spread(moved_e)
        if ledger.enabled:
            residual = torch.where(take_most, 0.0, moved_e - _each(p * own, groups, torch.sum))
            ledger.absorb("pooling", s * residual)
        same = ((own - wide).abs() <= rounding) | (p == 0) | ~spread(take_most)
        share = (wide / own).masked_fill_(same, 1.0)
        slope = p.mul_(spread(s)).mul_(share)
        if column is not None:
            slope = torch.zeros_like(h).scatter_add_(1, column, slope)
        return Message.of_slope(slope, moved)


def relu_minimum(groups: int, size: int) -> list[torch.nn.Module]:
    """Minima over groups of columns with `torch.nn.Linear` and `torch.nn.ReLU` only, in ``log2(size)`` rounds.

    ``min(a, b) = a - ReLU(a - b)``, and a itself passes a ReLU as ``a = ReLU(a) - ReLU(-a)``.
    """
    layers: list[torch.nn.Module] = []
    while size > 1:
        pairs, odd = divmod(size, 2)
        into, out = torch.zeros(3 * pairs + 2 * odd, size), torch.zeros(pairs + odd, 3 * pairs + 2 * odd)
        for pair in range(pairs):
            into[3 * pair : 3 * pair + 3, 2 * pair] = torch.tensor([1.0, -1.0, 1.0])
            into[3 * pair + 2, 2 * pair + 1] = -1.0
            out[pair, 3 * pair : 3 * pair + 3] = torch.tensor([1.0, -1.0, -1.0])
        if odd:
            into[-2:, -1] = torch.tensor([1.0, -1.0])
            out[-1, -2:] = torch.tensor([1.0, -1.0])
        for matrix in (into, out):
            layers.append(plain_linear(torch.block_diag(*[matrix] * groups)))
        layers.insert(-1, torch.nn.ReLU())
        size = pairs + odd
    return layers


def relu_group_minimum(sizes: Sequence[int]) -> list[torch.nn.Module]:
    """The same over groups of any sizes: smaller groups repeat their first column."""
    size, starts = max(sizes), np.cumsum([0, *sizes[:-1]])
    if min(sizes) == size:
        return relu_minimum(len(sizes), size)
    chosen = [start + (i if i < own else 0) for start, own in zip(starts, sizes, strict=True) for i in range(size)]
    return [plain_linear(np.eye(sum(sizes))[chosen]), *relu_minimum(len(sizes), size)]


treat(pooled_minimum, by=_PooledMinimum())
