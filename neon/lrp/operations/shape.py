"""Operations that move elements: relevance follows its element, and adds up over copies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from neon.errors import UnsupportedOperationError
from neon.lrp.message import Ledger, Message
from neon.lrp.operations.elementwise import ElementwiseTreatment
from neon.lrp.operations.table import Call, Treatment, treat
from neon.lrp.recording.indices import is_code, looked_up, recoded
from neon.lrp.recording.tape import Retention, Slot, carriers
from neon.lrp.recording.writes import assigned, viewed, written
from neon.lrp.rules import Rule

__all__ = ["Embedding", "Movement"]


class Movement(Treatment):
    """A function whose output elements are input elements (or constants): its transpose moves relevance back."""

    retention = Retention(inputs=False)
    moves = True
    takes_reference = True
    is_linear = True
    cheap = True

    def sources(self, call: Call, known: Sequence[Tensor]) -> tuple[Tensor, ...] | None:
        # Columns are told by their numbers: those that move are where the numbers moved to.
        runs = []
        for shift in (0.0, 0.5):
            places = dict(zip(call.inputs, known, strict=True))
            args, kwargs = call.arguments(
                lambda slot: (places[slot] + shift).to(call.blank(slot)).expand(call.tape.specs[slot].shape)  # noqa: B023
            )
            runs.append(carriers(call.operation.function(*args, **kwargs)))
        found = []
        for one, other in zip(*runs, strict=True):
            if one.ndim != 2 or not len(one) or not bool((one == one[:1]).all()):
                return None
            found.append(torch.where(one[0] == other[0], -1.0, one[0]).long())
        return tuple(found)

    def is_nonnegative(self, call: Call) -> bool:
        return not _inserts(call) and all(slot in call.nonnegative for slot in call.inputs)

    def propagate(
        self, call: Call, messages: tuple[Message | None, ...], rule: Rule | None, ledger: Ledger
    ) -> tuple[Message | None, ...]:
        with torch.enable_grad():
            probes = [call.blank(slot).requires_grad_() for slot in call.inputs]
            queue = iter(probes)
            args, kwargs = call.arguments(lambda _: next(queue))
            outputs = carriers(call.operation.function(*_fractions(call, args), **kwargs))
        pairs = [(y, m) for y, m in zip(outputs, messages, strict=True) if m is not None]
        slopes = not _inserts(call) and all(message.slope is not None for _, message in pairs)
        carried = [message.slope if slopes else message.relevance for _, message in pairs]
        moved = torch.autograd.grad([y for y, _ in pairs], probes, carried, allow_unused=True, materialize_grads=True)
        if slopes:
            return tuple(map(Message.of_slope, moved))
        if ledger.enabled and _inserts(call):
            for indicator, message in zip(_explained(call), messages, strict=True):
                if message is not None:
                    ledger.absorb("constant", message.relevance * (1 - indicator))
        vanishes = all(message.vanishes for _, message in pairs)
        return tuple(Message.of_relevance(relevance, vanishes=vanishes) for relevance in moved)

    def at_reference(self, call: Call, values: dict[int, Tensor], rule: Rule | None) -> tuple[Tensor, ...]:
        """Beside several rows, what was averaged over them stands once for each."""
        n = max(len(values[slot]) for slot in call.inputs)
        few = {slot for slot in call.inputs if call.operation.function in _JOIN and len(values[slot]) == 1}
        return call.operation.run(lambda k: values[k].expand(n, *values[k].shape[1:]) if k in few else values[k])


def _inserts(call: Call) -> bool:
    """Whether some output elements may be constants."""
    if call.operation.function in _INSERT:
        return True
    tensors = call.operation.args[0]
    return call.operation.function in _JOIN and any(not isinstance(tensor, Slot) for tensor in tensors)


def _explained(call: Call) -> list[Tensor]:
    """1 for each output element that comes from an explained input, 0 for constants."""
    runs = []
    for value in (1.0, 0.0):
        args, kwargs = call.arguments(lambda slot: torch.full_like(call.blank(slot), value))  # noqa: B023
        runs.append(carriers(call.operation.function(*_fractions(call, args), **kwargs)))
    return [(one - zero).nan_to_num(0.0) for one, zero in zip(*runs, strict=True)]


def _fractions(call: Call, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arguments with a constant that codes are put into as a floating tensor, as they are in a probe."""
    if args and call.operation.function in _INSERT and is_code(args[0]) and not call.tracked(0):
        args = (args[0].to(call.blank(call.inputs[0]).dtype), *args[1:])
    return args


class Embedding(Treatment):
    """A row of a table for each token or code, or 1 at its place: it gets the relevance of its row."""

    retention = Retention(inputs=False)
    takes_reference = True

    def check(self, call: Call, rule: Rule | None) -> None:
        if len(call.inputs) != 1 or call.tape.specs[call.inputs[0]].is_floating_point():
            raise UnsupportedOperationError(f"{call.operation.name} of a table that depends on the explained input")

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> Message:
        n_axes = len(call.tape.specs[call.inputs[0]].shape)
        return Message.of_relevance(message.relevance.flatten(n_axes).sum(-1))


T = torch.Tensor
_JOIN = {
    torch.cat,
    torch.concat,
    torch.concatenate,
    torch.stack,
    torch.hstack,
    torch.vstack,
    torch.dstack,
    torch.column_stack,
}
_INSERT: set[Callable[..., Any]] = {
    F.pad,
    torch.constant_pad_nd,
    T.masked_fill,
    torch.masked_fill,
    torch.where,
    T.where,
    assigned,
    written,
    torch.index_put,
    T.index_put,
    torch.scatter,
    T.scatter,
    torch.index_copy,
    T.index_copy,
    torch.index_fill,
    T.index_fill,
    torch.masked_scatter,
    T.masked_scatter,
    torch.slice_scatter,
    T.slice_scatter,
    torch.select_scatter,
    T.select_scatter,
    torch.diagonal_scatter,
    T.diagonal_scatter,
    torch.put,
    T.put,
    torch.diag_embed,
    T.diag_embed,
    F.max_unpool1d,
    F.max_unpool2d,
    F.max_unpool3d,
    torch._C._VariableFunctions._pad_packed_sequence,
}
treat(
    T.view, T.reshape, torch.reshape, T.flatten, torch.flatten, T.unflatten, torch.unflatten, T.squeeze, torch.squeeze,
    T.unsqueeze, torch.unsqueeze, T.permute, torch.permute, T.transpose, torch.transpose, T.movedim, torch.movedim,
    T.t, torch.t, T.adjoint, torch.adjoint, T.ravel, torch.ravel, T.view_as, T.reshape_as,
    torch.atleast_1d, torch.atleast_2d, torch.atleast_3d, T.as_strided, torch.as_strided,
    T.T.__get__, T.mT.__get__, T.H.__get__, T.mH.__get__,  # type: ignore[attr-defined]
    T.expand, T.expand_as, torch.broadcast_to, T.broadcast_to, T.repeat, torch.tile, T.tile, T.repeat_interleave,
    torch.repeat_interleave,
    *_JOIN, T.split, torch.split, T.chunk, torch.chunk, torch.tensor_split, T.tensor_split, T.unbind, torch.unbind,
    T.split_with_sizes, torch.split_with_sizes, T.unsafe_split, torch.unsafe_split, T.unsafe_chunk, torch.unsafe_chunk,
    T.hsplit, torch.hsplit, T.vsplit, torch.vsplit, T.dsplit, torch.dsplit,
    T.__getitem__, T.narrow, torch.narrow, T.select, torch.select, T.index_select, torch.index_select, T.gather,
    torch.gather, T.take_along_dim, torch.take_along_dim, T.take, torch.take, T.masked_select, torch.masked_select,
    T.roll, torch.roll, T.flip, torch.flip, T.fliplr, torch.fliplr, T.flipud, torch.flipud, T.rot90, torch.rot90,
    T.diagonal, torch.diagonal, torch.linalg.diagonal, T.diag, torch.diag,
    F.pixel_shuffle, torch.pixel_shuffle, F.pixel_unshuffle, torch.pixel_unshuffle,
    F.unfold, T.unfold, F.channel_shuffle, torch.channel_shuffle, viewed,
    *_INSERT, torch.tril, T.tril, torch.triu, T.triu, torch._C._VariableFunctions._pack_padded_sequence,
    by=Movement(),
)  # fmt: skip
treat(F.embedding, torch.embedding, looked_up, F.one_hot, by=Embedding())
treat(recoded, by=ElementwiseTreatment())
