"""Places inside a model, by name: what a module or a container gives out or reads, and which part of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from neon.lrp.recording.tape import Tape

__all__ = ["Part", "as_index", "slot_of"]

Part = int | Sequence[int] | tuple[Any, ...]
_INPUT = ":input"


def slot_of(tape: Tape, name: str) -> int:
    """The slot that a module gives out, or with ``name:input`` the first one that it reads from outside.

    A container's operations are those of all modules inside it. Of a module that runs several times, the last run
    gives out and the first one reads.

    Raises
    ------
    ValueError
        If no operation on the way to the output belongs to such a module.
    """
    module = name.removesuffix(_INPUT)
    inside = [op for op in tape.operations if any(_is_inside(owner, module) for owner in (op.module, op.merged))]
    if not inside:
        known = sorted({name for operation in tape.operations for name in (operation.module, operation.merged)} - {""})
        raise ValueError(f"no recorded operation of module {module!r}; recorded modules: {', '.join(known)}")
    if not name.endswith(_INPUT):
        return inside[-1].outputs[0]
    own = {slot for operation in inside for slot in operation.outputs}
    return next(slot for operation in inside for slot in operation.inputs if slot not in own)


def _is_inside(name: str, module: str) -> bool:
    return name == module or name.startswith(f"{module}.")


def as_index(part: Part) -> tuple[Any, ...]:
    """What is meant of a module's output, as an index of it: numbers are channels, on axis 1."""
    if isinstance(part, int):
        return (slice(None), [part])
    if isinstance(part, tuple) and not all(isinstance(entry, int) for entry in part):
        return part
    return (slice(None), list(part))
