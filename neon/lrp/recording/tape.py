"""A recorded forward pass: every torch function that touched the explained input, in order."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from neon.lrp.recording.escapes import leaves
from neon.lrp.recording.indices import is_code
from neon.lrp.recording.names import function_name

__all__ = ["Operation", "Retention", "Slot", "Tape", "carriers", "codes_of", "replaced"]


class Slot(NamedTuple):
    """Stands in an operation's arguments for a tensor that depends on the explained input."""

    index: int  # type: ignore[assignment]  # shadows tuple.index, which nobody calls


class Retention(NamedTuple):
    """What the tape keeps for an operation; whatever it forgets is computed again when asked for."""

    inputs: bool = True
    output: bool = False
    forget_inputs: bool = False


@dataclass(eq=False)
class Operation:
    """One torch function on the tape: ``outputs = function(*args, **kwargs)``."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    module: str = ""
    extra_bias: Tensor | None = None  # what a merged neighbour adds to the output (see canonize)
    merged: str = ""  # the module of the normalization that the output includes

    @property
    def name(self) -> str:
        return function_name(self.function)

    def arguments(
        self, value: Callable[[int], Tensor], constant: Callable[[Any], Any] = lambda leaf: leaf
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments with every slot replaced by ``value(slot)`` and every other leaf by ``constant(leaf)``."""
        fill = functools.partial(
            replaced, leaf=lambda leaf: value(leaf.index) if isinstance(leaf, Slot) else constant(leaf)
        )
        return fill(self.args), fill(self.kwargs)

    def run(self, value: Callable[[int], Tensor]) -> tuple[Tensor, ...]:
        """Compute the outputs again from the values of the inputs."""
        args, kwargs = self.arguments(value)
        with torch.no_grad():
            result = self.function(*args, **kwargs)
        outputs = tuple(carriers(result) or codes_of(self.function, result))
        if self.extra_bias is not None:
            return (outputs[0] + self.extra_bias,)
        return outputs


@dataclass(eq=False)
class Tape:
    """The recorded operations and the values worth keeping.

    A value that was not kept is recomputed from its operation's inputs, so that what is kept is a matter of
    speed and memory, never of correctness.

    ``closed``: whether explained values reach the operations through their inputs alone. No mask, index, number or
    branch was computed from them aside, and so the same operations are run on other rows, as many.
    """

    operations: list[Operation] = field(default_factory=list)
    inputs: tuple[int, ...] = ()
    output: int = -1
    specs: dict[int, Tensor] = field(default_factory=dict)  # on the meta device: shape, stride, dtype
    values: dict[int, Tensor] = field(default_factory=dict)
    closed: bool = True
    mixed: frozenset[int] | None = field(default=None, init=False, repr=False)  # slots of several samples (see samples)
    _producers: dict[int, Operation] = field(default_factory=dict, init=False, repr=False)

    def bytes_per_sample(self) -> int:
        """Bytes of all recorded values, one sample's share (at least 1)."""
        return max(1, sum(s.numel() // max(len(s), 1) * s.element_size() for s in self.specs.values() if s.ndim))

    @functools.cached_property
    def precision(self) -> torch.dtype:
        """What relevance is computed in: the longest floats that the model computes in, but no shorter than float32."""
        floats = {spec.dtype for spec in self.specs.values() if spec.is_floating_point()}
        return functools.reduce(torch.promote_types, floats, torch.float32)

    def producers(self) -> dict[int, Operation]:
        return {slot: operation for operation in self.operations for slot in operation.outputs}

    def consumers(self) -> dict[int, list[Operation]]:
        table: dict[int, list[Operation]] = {}
        for operation in self.operations:
            for slot in operation.inputs:
                table.setdefault(slot, []).append(operation)
        return table

    def value(self, slot: int) -> Tensor:
        if slot not in self.values:
            if slot not in self._producers:
                self._producers = self.producers()
            producer = self._producers[slot]
            self.values.update(zip(producer.outputs, producer.run(self.value), strict=True))
        return self.values[slot]

    def forget_unused(self) -> None:
        """Let go of values that no operation reads or writes any more."""
        used = {*self.inputs, self.output, *(slot for op in self.operations for slot in (*op.inputs, *op.outputs))}
        for slot in self.values.keys() - used:
            del self.values[slot]


def replaced(tree: Any, leaf: Callable[[Any], Any]) -> Any:
    if isinstance(tree, tuple) and not isinstance(tree, Slot):
        items = (replaced(item, leaf) for item in tree)
        return type(tree)(*items) if hasattr(tree, "_fields") else tuple(items)
    if isinstance(tree, list):
        return [replaced(item, leaf) for item in tree]
    if isinstance(tree, dict):
        return {key: replaced(item, leaf) for key, item in tree.items()}
    return leaf(tree)


def carriers(result: Any) -> list[Tensor]:
    """The tensors of a result that can carry relevance: floating ones (not indices, not masks)."""
    return [leaf for leaf in leaves(result) if isinstance(leaf, Tensor) and leaf.is_floating_point()]


def codes_of(function: Callable[..., Any], result: Any) -> list[Tensor]:
    """The whole numbers of a result that can be codes; packed sequences have the sizes of their steps beside them."""
    found = [leaf for leaf in leaves(result) if is_code(leaf)]
    return found[:1] if function_name(function) == "_pack_padded_sequence" else found
