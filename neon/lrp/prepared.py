"""A recording run again on other rows: what a network does to any rows is recorded, rewritten and given rules once."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from torch import Tensor

from neon.lrp.propagate import on_tape
from neon.lrp.recorded import Recording
from neon.lrp.recording.calls import eager
from neon.lrp.recording.tape import Tape

__all__ = ["Prepared"]


@dataclass(frozen=True, eq=False)
class Prepared:
    """The operations and rules of a recording, without its values.

    Attributes
    ----------
    pattern : Recording
        Whose tape holds no values.
    kept : frozenset of int
        The slots whose values it held.
    """

    pattern: Recording
    kept: frozenset[int]

    @classmethod
    def of(cls, recording: Recording) -> Prepared | None:
        """None where a mask, an index or a branch was computed from the rows: others may run other operations."""
        tape = recording.tape
        if not tape.closed or len(tape.inputs) != 1:
            return None
        kept = frozenset(tape.values)
        return cls(_moved(recording, dataclasses.replace(tape, values={})), kept)

    @eager()
    def on(self, x: Tensor) -> Recording:
        """The recording of other rows, as many and of the same kind."""
        pattern = self.pattern.tape
        values = {pattern.inputs[0]: x}
        for operation in pattern.operations:
            values.update(zip(operation.outputs, operation.run(values.__getitem__), strict=True))
        kept = {slot: value for slot, value in values.items() if slot in self.kept}
        return _moved(self.pattern, dataclasses.replace(pattern, values=kept))


def _moved(recording: Recording, tape: Tape) -> Recording:
    return dataclasses.replace(recording, tape=tape, steps=[on_tape(step, tape) for step in recording.steps])
