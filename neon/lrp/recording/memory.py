"""Which tensor stands for which slot of the tape, and what shares its memory.

What is written in place is a new value: the tensors that own, share or view the memory are given it, and the values
that the tape holds stay what they were.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from neon.errors import UnsupportedOperationError
from neon.lrp.recording.escapes import leaves
from neon.lrp.recording.names import function_name
from neon.lrp.recording.tape import Operation, Slot, Tape
from neon.lrp.recording.writes import Constants, is_dense, memory_of, viewed, written

__all__ = ["Memory"]


class Memory:
    """The explained tensors that are alive, by ``id``, and the constants that the tape has read.

    Parameters
    ----------
    tape : Tape
        What reads and writes are written down on.
    """

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self.tracked: dict[int, tuple[weakref.ref[Tensor], int]] = {}
        self.constants = Constants()
        self._overwritten: dict[int, Tensor] = {}  # constants that were written into, by memory: what they held before
        self._callers: dict[int, Tensor] = {}  # the explained inputs by their memory, which stays the caller's own

    def explain(self, inputs: Sequence[Tensor]) -> tuple[int, ...]:
        """The slots of the explained inputs."""
        self._callers = {memory_of(x): x for x in inputs}
        return tuple(self.track(x, keep=True) for x in inputs)

    def slot(self, leaf: Any) -> int | None:
        """The slot that a leaf stands for, if it is explained."""
        entry = self.tracked.get(id(leaf))
        return entry[1] if entry is not None and entry[0]() is leaf else None

    def track(self, tensor: Tensor, keep: bool) -> int:
        """A new slot for a tensor; ``keep``: with its value."""
        slot = len(self._tape.specs)
        self.tracked[id(tensor)] = (weakref.ref(tensor), slot)
        self._tape.specs[slot] = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")
        if keep:
            self._tape.values[slot] = tensor.detach()
        return slot

    def rebind(self, target: Tensor, result: Tensor, module: str) -> None:
        """Let the caller's tensor hold the new value, and whatever shares memory with it see the change.

        The memory itself is left alone: the tensor that owns it (``root``) gets new memory, of which all tracked
        views become views.
        """
        memory = memory_of(target)
        if not memory or memory_of(result) == memory:  # of empty tensors; another shape of the same memory
            target.data = result
            self._follow(target, result)
            return
        base = target._base
        root = self._callers.get(memory, base if base is not None and memory_of(base) == memory else target)
        views = [t for t, _ in self.alive() if t is not root and t is not target and memory_of(t) == memory]
        if target is not root:
            views.append(target)
        if views and not is_dense(root):
            raise UnsupportedOperationError(
                f"{module or 'the model'} writes in place through views of memory with gaps or overlaps; write it out "
                "of place, or call contiguous() before"
            )
        places = [_place(tensor, root) for tensor in (*views, target)]
        before = root.detach()
        if self.slot(root) is None:
            self._overwritten[memory] = before
            self.constants.release(root)
        if target is root and (not views or result.stride() == root.stride()):
            root.data = result
            self._follow(root, result)
        else:
            source = before if (slot := self.slot(root)) is None else Slot(slot)
            root.data = written(before, result, *places[-1])
            self._derive(written, (source, Slot(self._slot(result)), *places[-1]), root, module)
        for view, place in zip(views, places, strict=False):
            view.data = viewed(root, *place)
            self._derive(viewed, (Slot(self._slot(root)), *place), view, module)

    def prepare_write(self, name: str, target: Tensor) -> None:
        """Constants are overwritten as the model means it, but not those that the tape has read."""
        memory = memory_of(target)
        if not memory:
            return
        if any(memory_of(tensor) == memory for tensor in (*(t for t, _ in self.alive()), *self._tape.values.values())):
            raise UnsupportedOperationError(
                f"{name} writes into the memory of an explained tensor through detach() or .data; "
                "write into a clone() of it"
            )
        self.constants.preserve(memory)

    def alive(self) -> list[tuple[Tensor, int]]:
        """The explained tensors that the model still holds, with their slots."""
        entries = list(self.tracked.values())
        return [(tensor, slot) for reference, slot in entries if (tensor := reference()) is not None]

    def _slot(self, tensor: Tensor) -> int:
        slot = self.slot(tensor)
        assert slot is not None
        return slot

    def _follow(self, tensor: Tensor, result: Tensor) -> None:
        """Let a tensor stand for the slot of a result."""
        self.tracked[id(tensor)] = (weakref.ref(tensor), self._slot(result))

    def _derive(self, function: Callable[..., Tensor], args: tuple[Any, ...], output: Tensor, module: str) -> None:
        inputs = tuple(arg.index for arg in args if isinstance(arg, Slot))
        slots = (self.track(output, keep=False),)
        self._tape.operations.append(Operation(function, args, {}, inputs, slots, module))

    def take_views_anew(self, func: Callable[..., Any], arguments: Any) -> None:
        """Views of a constant, taken before explained values were written into it, show what it holds now."""
        if not self._overwritten:
            return
        for leaf in leaves(arguments):
            if not isinstance(leaf, Tensor) or self.slot(leaf) is not None:
                continue
            before = self._overwritten.get(memory_of(leaf))
            if before is None:
                continue
            root = leaf._base
            if root is None or self.slot(root) is None or root.stride() != before.stride():
                raise UnsupportedOperationError(
                    f"{function_name(func)} reads a view of memory that was written in place since; take the view anew"
                )
            place = _place(leaf, before)
            self.constants.release(leaf)
            leaf.data = viewed(root, *place)
            self._derive(viewed, (Slot(self._slot(root)), *place), leaf, "")


def _place(view: Tensor, root: Tensor) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    return tuple(view.shape), view.stride(), int(view.storage_offset() - root.storage_offset())
