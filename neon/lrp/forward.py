"""A forward pass on a tape, as relevance will cross it: recorded, rewritten, and sent reference rows as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from torch import Tensor

from neon.lrp.composites import Composite
from neon.lrp.operations.table import is_cheap, moves, retention_of
from neon.lrp.propagate import assign, check_replay, replay
from neon.lrp.recording.calls import Given, Output, arranged, picked
from neon.lrp.recording.names import module_names
from neon.lrp.recording.recorder import record
from neon.lrp.recording.tape import Retention, Tape
from neon.lrp.rewriting.canonize import merge_batch_norm, merge_recodings, relevant_operations
from neon.lrp.rewriting.curves import merge_curves
from neon.lrp.rewriting.equal_values import merge_equal_values
from neon.lrp.rewriting.peephole import merge_spelled_out
from neon.lrp.rewriting.softmaxes import merge_softmax

__all__ = ["MemoryUse", "references_of", "tape_of"]

_SEGMENT = 12  # operations between two checkpoints: about the square root of a deep model's number
MemoryUse = Literal["high", "normal", "low"]


def tape_of(
    model: Callable[..., Any],
    inputs: tuple[Tensor, ...],
    *,
    given: Given = (),
    output: Output = None,
    memory: MemoryUse = "normal",
    names: bool = True,
    relative: bool = False,
) -> Tape:
    """Run the model once; given, output, memory, names : as for `neon.LRP` and its ``record``.

    Parameters
    ----------
    relative : bool
        Whether reference rows will be sent along the tape as well: what is true at the inputs alone is left as it is.
    """
    low = memory == "low"
    tape = record(
        model,
        inputs,
        names=module_names(model) if names else None,
        retention=(lambda _: Retention(inputs=False)) if low else retention_of,
        checkpoint_every=_SEGMENT if low else None,
        moves=moves,
        given=arranged(given),
        pick=lambda found: picked(found, output, len(inputs[0])),
        is_cheap=is_cheap if memory == "normal" else lambda function, n_inputs: False,
    )
    tape = Tape(relevant_operations(tape), tape.inputs, tape.output, tape.specs, tape.values, tape.closed)
    tape = merge_equal_values(merge_recodings(merge_batch_norm(tape)))
    tape = merge_spelled_out(tape, hold=False) if relative else merge_curves(merge_spelled_out(merge_softmax(tape)))
    tape.operations = relevant_operations(tape)
    tape.forget_unused()
    return tape


def references_of(
    tape: Tape, composite: Composite, model: Callable[..., Any], rows: tuple[Tensor, ...]
) -> dict[int, Tensor]:
    """The value of each slot at reference rows, one tensor of them for each input."""
    placed = dict(zip(tape.inputs, rows, strict=True))
    steps = assign(tape, composite, relative=True)
    one = {slot: row[:1] for slot, row in placed.items()}
    check_replay(steps, one, tape.output, model(*(row.clone() for row in one.values())))
    return replay(steps, placed)
