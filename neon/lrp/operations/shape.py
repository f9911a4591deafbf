"""Operations that move elements: relevance follows its element, and adds up over copies."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from neon.lrp.message import Ledger, Message
from neon.lrp.operations.table import Call, Treatment, treat
from neon.lrp.rules import Rule
from neon.lrp.tape import Retention, carriers

__all__ = ["Movement"]


class Movement(Treatment):
    """A function whose output elements are input elements (or constants): its transpose moves relevance back."""

    retention = Retention(inputs=False)

    def nonnegative(self, call: Call) -> bool:
        return call.operation.function not in _MAY_INSERT and all(slot in call.nonnegative for slot in call.inputs)

    def propagate(
        self, call: Call, messages: tuple[Message | None, ...], rule: Rule | None, ledger: Ledger
    ) -> tuple[Message | None, ...]:
        with torch.enable_grad():
            probes = [call.blank(slot).requires_grad_() for slot in call.inputs]
            queue = iter(probes)
            args, kwargs = call.operation.arguments(lambda _: next(queue))
            outputs = carriers(call.operation.function(*args, **kwargs))
        pairs = [(y, m) for y, m in zip(outputs, messages, strict=True) if m is not None]
        slopes = all(message.slope is not None for _, message in pairs)
        carried = [message.slope if slopes else message.relevance for _, message in pairs]
        moved = torch.autograd.grad([y for y, _ in pairs], probes, carried, allow_unused=True, materialize_grads=True)
        if slopes and call.references is not None:
            return tuple(
                Message.of_slope(slope, call.value(slot) - _reference(call, slot))
                for slope, slot in zip(moved, call.inputs, strict=True)
            )
        if slopes:
            return tuple(
                Message.of_slope(slope, call.value(slot)) for slope, slot in zip(moved, call.inputs, strict=True)
            )
        vanishes = all(message.vanishes for _, message in pairs)
        return tuple(Message.of_relevance(relevance, vanishes=vanishes) for relevance in moved)


def _reference(call: Call, slot: int) -> Tensor:
    reference = call.reference(slot)
    assert reference is not None
    return reference


T = torch.Tensor
_MAY_INSERT = {F.pad, torch.constant_pad_nd, T.masked_fill, torch.masked_fill, torch.where, T.where}
treat(
    T.view, T.reshape, torch.reshape, T.flatten, torch.flatten, T.unflatten, torch.unflatten, T.squeeze, torch.squeeze,
    T.unsqueeze, torch.unsqueeze, T.permute, torch.permute, T.transpose, torch.transpose, T.swapaxes, torch.swapaxes,
    T.movedim, torch.movedim, T.t, torch.t, T.view_as, T.reshape_as,
    T.T.__get__, T.mT.__get__,  # type: ignore[attr-defined]
    T.expand, T.expand_as, torch.broadcast_to, T.broadcast_to, T.repeat, torch.tile, T.tile, T.repeat_interleave,
    torch.repeat_interleave,
    torch.cat, torch.concat, torch.concatenate, torch.stack, torch.hstack, torch.vstack,
    T.split, torch.split, T.chunk, torch.chunk, torch.tensor_split, T.tensor_split, T.unbind, torch.unbind,
    T.__getitem__, T.narrow, torch.narrow, T.select, torch.select, T.index_select, torch.index_select, T.gather,
    torch.gather, torch.take_along_dim, T.roll, torch.roll, T.flip, torch.flip, T.diagonal, torch.diagonal,
    F.pad, torch.constant_pad_nd, T.masked_fill, torch.masked_fill, F.pixel_shuffle, F.pixel_unshuffle,
    F.unfold, T.unfold, torch.channel_shuffle,
    by=Movement(),
)  # fmt: skip
