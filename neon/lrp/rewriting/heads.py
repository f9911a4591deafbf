"""Models that end in a sigmoid or softmax: what is explained of them are the logits in front of it.

σ(0) = ½ belongs to no input: relevance that passes through σ unchanged has the wrong sign below ½, and no bound
near it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from neon.lrp.operations import treatment_for
from neon.lrp.operations.elementwise import Identity
from neon.lrp.operations.normalization import Softmax
from neon.lrp.operations.shape import Movement
from neon.lrp.operations.table import widened
from neon.lrp.recording.tape import Operation, Tape
from neon.lrp.rewriting.peephole import Region

__all__ = ["Head", "head_of"]


@dataclass(frozen=True, eq=False)
class Head:
    """The end of a tape: logits, a function that makes probabilities of them, and movements of these.

    Attributes
    ----------
    slot : int
        Of the logits.
    after : frozenset of int
        Slots of the probabilities.
    moves : Region
        From the probabilities to the output.
    """

    slot: int
    after: frozenset[int]
    moves: Region

    def logits(self, tape: Tape) -> Tensor:
        """Shaped like the output."""
        z = widened(tape.value(self.slot))
        return self.moves(z) if self.moves.operations else z

    def slope(self, start: Tensor, tape: Tape) -> Tensor:
        """What a slope of the output is at the logits."""
        if not self.moves.operations:
            return start
        with torch.enable_grad():
            probe = widened(tape.value(self.slot)).detach().requires_grad_()
            (slope,) = torch.autograd.grad(self.moves(probe), probe, start)
        return slope


def head_of(tape: Tape) -> Head | None:
    """The sigmoid or softmax that a tape ends in, if it does."""
    producers = tape.producers()
    moves: list[Operation] = []
    operation = producers.get(tape.output)
    while operation is not None and isinstance(treatment_for(operation), (Movement, Identity)):
        if len(operation.inputs) != 1 or len(operation.outputs) != 1:
            return None
        moves.insert(0, operation)
        operation = producers.get(operation.inputs[0])
    if operation is None or not _is_head(operation) or len(operation.inputs) != 1:
        return None
    after = frozenset({*operation.outputs, *(slot for move in moves for slot in move.outputs)})
    return Head(operation.inputs[0], after, Region(operation.outputs[0], moves))


def _is_head(operation: Operation) -> bool:
    return operation.function in _HEADS or isinstance(treatment_for(operation), Softmax)


T = torch.Tensor
_HEADS = frozenset({
    torch.sigmoid, T.sigmoid, F.sigmoid, torch.special.expit, F.logsigmoid,
    F.log_softmax, torch.log_softmax, T.log_softmax,
})  # fmt: skip
