"""Evidence spelled out: a unit for every pair of alternatives, and minima over each group of competitors."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from neon.lrp.message import Ledger, Message
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.rules import Rule
from neon.lrp.tape import Retention
from neon.nn.basic import Linear, plain_linear

__all__ = ["PairwiseDifference", "PooledMinimum", "pooled_minimum", "relu_minimum"]


class PairwiseDifference(Linear):
    """``h_ck = d_k - d_c`` for every c and every k ≠ c: (n, C) -> (n, C (C - 1)), grouped by c."""

    def __init__(self, n_alternatives: int) -> None:
        eye = torch.eye(n_alternatives, dtype=torch.float64)
        rows = [eye[k] - eye[c] for c in range(n_alternatives) for k in range(n_alternatives) if k != c]
        super().__init__(torch.stack(rows))


def pooled_minimum(h: Tensor, groups: int | Sequence[int], stiffness: float, gated: bool = False) -> Tensor:
    """The minimum over each of ``groups`` equal groups of columns, or of groups of these sizes.

    stiffness : β of the backward pass; ``inf`` follows the minimum alone (ties share equally).
    gated : whether slopes are the gates p, which add up to 1, also where the minimum is ≥ 0: what all units have in
        common then cancels from the difference of two minima.
    """
    if has_torch_function((h,)):
        return handle_torch_function(pooled_minimum, (h,), h, groups, stiffness, gated)
    return _units(h, groups, math.inf).amin(2)


def _units(h: Tensor, groups: int | Sequence[int], fill: float) -> Tensor:
    """Columns by group, (n_samples, n_groups, size): smaller groups are filled up."""
    if isinstance(groups, int):
        return h.unflatten(1, (groups, -1))
    inside = _inside(groups, h.device)
    place = inside.flatten().cumsum(0).sub_(1)  # a filled place reads the column before it, and is overwritten
    return h.index_select(1, place).unflatten(1, inside.shape).masked_fill_(~inside, fill)


def _inside(sizes: Sequence[int], device: torch.device) -> Tensor:
    """Where groups of these sizes have units: (n_groups, largest size)."""
    return torch.arange(max(sizes), device=device) < torch.tensor(sizes, device=device)[:, None]


class PooledMinimum(torch.nn.Module):
    """`pooled_minimum` with a fixed stiffness."""

    def __init__(self, groups: int | Sequence[int], stiffness: float, *, gated: bool = False) -> None:
        super().__init__()
        self.groups = groups if isinstance(groups, int) else tuple(groups)
        self.stiffness, self.gated = stiffness, gated

    def forward(self, h: Tensor) -> Tensor:
        return pooled_minimum(h, self.groups, self.stiffness, self.gated)

    def extra_repr(self) -> str:
        n_groups = self.groups if isinstance(self.groups, int) else len(self.groups)
        return f"min over {n_groups} groups, stiffness={self.stiffness:.4g}"


class _PooledMinimum(Treatment):
    """Take-most where the minimum is ≥ 0; gated elsewhere and relative to a reference (see `neon.nn.evidence`)."""

    retention = Retention(inputs=True)

    def propagate(
        self, call: Call, messages: tuple[Message | None, ...], rule: Rule | None, ledger: Ledger
    ) -> tuple[Message | None, ...]:
        (message,) = messages
        assert message is not None
        args, kwargs = call.arguments()
        h, groups, stiffness, gated = _bind(*args, **kwargs)
        units, e = _units(h, groups, math.inf), call.value(call.output)[..., None]
        p = torch.softmax(-stiffness * units, 2) if stiffness < math.inf else (units == e).to(h)
        p = p / p.sum(2, keepdim=True)
        h_ref, e_ref = call.reference(call.inputs[0]), call.reference(call.output)
        if h_ref is not None and e_ref is not None:
            h, e = h - h_ref, e - e_ref[..., None]
            take_most = torch.zeros_like(e, dtype=torch.bool)
        else:
            take_most = (e >= 0) & (not gated)
        units = _units(h, groups, 0.0)  # whose weight is 0 where groups were filled up
        s = message.slope_over(e[..., 0], ledger)[..., None]
        share = torch.where(units == e, 1.0, e / units).masked_fill(p == 0, 0.0)
        if ledger.enabled:
            residual = torch.where(take_most, 0.0, e - (p * units).sum(2, keepdim=True))
            ledger.absorb("pooling", s * residual)
        slope = (s * p * torch.where(take_most, share, 1.0)).flatten(1)
        if not isinstance(groups, int):
            slope = slope.index_select(1, _inside(groups, h.device).flatten().nonzero()[:, 0])
        return (Message.of_slope(slope, h),)


def _bind(
    h: Tensor, groups: int | Sequence[int], stiffness: float, gated: bool = False
) -> tuple[Tensor, int | Sequence[int], float, bool]:
    return h, groups, stiffness, gated


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


treat(pooled_minimum, by=_PooledMinimum())
