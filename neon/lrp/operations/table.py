"""The table of treatments, and what a treatment sees of an operation."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from neon.lrp.message import Ledger, Message
from neon.lrp.paths.terms import Background, Terms
from neon.lrp.recording.aliases import ALIASES
from neon.lrp.recording.tape import Operation, Retention, Slot, Tape, carriers
from neon.lrp.rules import Rule

__all__ = [
    "Call",
    "Delegating",
    "Held",
    "Treatment",
    "kind_of",
    "mean_of",
    "supported_functions",
    "treat",
    "treatment_for",
    "treatment_of",
    "widened",
]


@dataclass(frozen=True, eq=False)
class Call:
    """One recorded operation with access to the values on its tape.

    Attributes
    ----------
    references : dict of int to Tensor, optional
        The value of each slot at the reference rows, where the engine was given a reference.
    consumers : dict of int to list of Operation
        Who reads each slot.
    nonnegative : frozenset of int
        Slots whose values are known to be ≥ 0.
    gates : frozenset of int
        Slots that a sigmoid, softmax or scale gave, moved or not.
    scales : frozenset of int
        Slots that exponentials gave, moved or not.
    mixed : frozenset of int
        Slots whose values may be 0 because parts cancel.
    factors : frozenset of int
        Slots that are multiplied by another explained value, moved or not.
    """

    operation: Operation
    tape: Tape
    consumers: dict[int, list[Operation]] = dataclasses.field(default_factory=dict)
    nonnegative: frozenset[int] = frozenset()
    gates: frozenset[int] = frozenset()
    scales: frozenset[int] = frozenset()
    mixed: frozenset[int] = frozenset()
    factors: frozenset[int] = frozenset()
    references: dict[int, Tensor] | None = None

    @property
    def inputs(self) -> tuple[int, ...]:
        return self.operation.inputs

    @property
    def output(self) -> int:
        return self.operation.outputs[0]

    def is_short(self, slot: int) -> bool:
        """Whether the model computed a slot's value in fewer digits than relevance is computed in."""
        return _is_short(self.tape.specs[slot], self.tape.precision)

    def dtype(self, slot: int) -> torch.dtype:
        """The precision in which the engine computes with a slot; with whole numbers in that of relevance."""
        spec = self.tape.specs[slot]
        return self.tape.precision if self.is_short(slot) or not spec.is_floating_point() else spec.dtype

    def value(self, slot: int) -> Tensor:
        """A slot's value; the operation's own output to the digits that its inputs have, so that shares add up."""
        if self.is_short(slot) and slot in self.operation.outputs:
            value = self._computed()[self.operation.outputs.index(slot)]
        else:
            value = self.tape.value(slot)
        return value.to(self.dtype(slot))

    def _computed(self) -> list[Tensor]:
        args, kwargs = self.arguments()
        outputs = carriers(self.operation.function(*args, **kwargs))
        extra = self.widened(self.operation.extra_bias)
        return outputs if extra is None else [outputs[0] + extra]

    def blank(self, slot: int) -> Tensor:
        """A tensor shaped, strided and typed like a slot's value, without its values."""
        spec = self.tape.specs[slot]
        device = self.tape.values[self.tape.output].device
        return torch.empty_strided(spec.shape, spec.stride(), dtype=self.dtype(slot), device=device)

    def tracked(self, position: int) -> bool:
        """Whether the positional argument carries relevance (as opposed to a constant)."""
        args = self.operation.args
        return position < len(args) and isinstance(args[position], Slot)

    def arguments(
        self, value: Callable[[int], Tensor] | None = None, constant: Callable[[Any], Any] | None = None
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The operation's arguments, slots replaced by ``value(slot)`` and constants by ``constant(leaf)``."""
        return self.operation.arguments(value or self.value, constant or self.widened)

    def bound(self, value: Callable[[int], Tensor] | None = None) -> tuple[Any, ...]:
        """A value for each parameter, of a function that is an `neon.nn.layer.operation`; value : as in `arguments`."""
        return self.arguments(value)[0]

    def probed(
        self, values: Iterable[Tensor], constant: Callable[[Any], Any] | None = None
    ) -> tuple[list[Tensor], Any]:
        """Values of the explained inputs that gradients are taken by, and what the operation gives there."""
        with torch.enable_grad():
            probes = [value.detach().requires_grad_() for value in values]
            queue = iter(probes)
            args, kwargs = self.arguments(lambda _: next(queue), constant)
            return probes, self.operation.function(*args, **kwargs)

    def widened(self, leaf: Any) -> Any:
        """A constant to the digits that relevance is computed in."""
        return widened(leaf, self.tape.precision)

    def moved(self, slot: int) -> Tensor:
        """By how much a slot's value differs from its reference; from 0, where there is none. Not to be written to."""
        reference = self.reference(slot)
        return self.value(slot) if reference is None else self.value(slot) - reference

    def slope(self, message: Message, ledger: Ledger) -> Tensor:
        """The slope c of the relevance ``R = c (y - y_ref)`` that arrives at the output y."""
        return message.slope_over(self.moved(self.output), ledger) if message.slope is None else message.slope

    def reference(self, slot: int) -> Tensor | None:
        """The mean of a slot's values at the reference rows, (1, ...)."""
        return mean_of(self.references, slot)


def mean_of(references: dict[int, Tensor] | None, slot: int) -> Tensor | None:
    """The mean of a slot's values at the reference rows, (1, ...), if there are any."""
    return None if references is None or slot not in references else mean_row(references[slot])


def mean_row(rows: Tensor) -> Tensor:
    return rows if len(rows) == 1 else rows.mean(0, keepdim=True)


def widened(leaf: Any, precision: torch.dtype = torch.float32) -> Any:
    """Floating tensors of fewer digits in this precision: relevance is divided by sums that may be tiny."""
    return leaf.to(precision) if isinstance(leaf, Tensor) and _is_short(leaf, precision) else leaf


def _is_short(tensor: Tensor, precision: torch.dtype) -> bool:
    return tensor.is_floating_point() and tensor.dtype.itemsize < precision.itemsize


class Treatment(abc.ABC):  # noqa: B024
    """How relevance crosses one kind of operation: `back` from a single output, `propagate` from several.

    What is always so is an attribute; where it depends on the recorded call, the method beside it is overridden.
    """

    kind: str = ""  # what composites select it by; "" where no rule applies
    retention: Retention = Retention()
    moves: bool = False  # whether output elements are input elements, or constants
    takes_reference: bool = False  # whether it explains the difference from reference rows, where there are some
    mean_first: bool = False  # whether its output at reference rows is that of their mean
    nonnegative: bool = False  # whether the output is ≥ 0 for certain
    is_linear: bool = False  # whether the outputs are linear in the explained inputs, up to a constant
    cheap: bool = False  # whether the output is computed again in much less time than a linear map
    held: bool = True  # of what `chooses`: whether the choice at the row may stand for that along a curved way
    looks: bool = False  # whether it only looks up what another operation chooses by other values

    def propagate(
        self, call: Call, messages: tuple[Message | None, ...], rule: Rule | None, ledger: Ledger
    ) -> tuple[Message | None, ...]:
        """Messages to the operation's inputs from those of its outputs (None: no relevance arrived there)."""
        message, *others = messages  # of what else an operation gives, such as indices, there is no relevance
        assert message is not None
        assert not any(others)
        below = self.back(call, message, rule, ledger)
        return below if isinstance(below, tuple) else (below,)

    def back(
        self, call: Call, message: Message, rule: Rule | None, ledger: Ledger
    ) -> Message | tuple[Message | None, ...]:
        """The message to the one explained input, or those to several, from that of the one output."""
        raise NotImplementedError  # `treat` takes no treatment that has neither method

    def kind_of(self, operation: Operation) -> str:
        """The kind of one recorded operation."""
        return self.kind

    def effective_rule(self, call: Call, rule: Rule | None) -> Rule | None:
        """The rule that is applied where a composite assigns this one."""
        return rule

    def check(self, call: Call, rule: Rule | None) -> None:
        """Raise, before anything is propagated, where these arguments or this rule make the treatment invalid."""

    def is_cheap(self, n_inputs: int) -> bool:
        """Whether it is `cheap` with so many explained inputs."""
        return self.cheap

    def is_nonnegative(self, call: Call) -> bool:
        """Whether the output of this call is ≥ 0 for certain."""
        return self.nonnegative

    def chooses(self, call: Call) -> Literal["", "values", "differences"]:
        """Whether each output is one of the input's columns, as a minimum is, or of the differences of two."""
        return ""

    def along(self, call: Call, slope: Tensor, start: Tensor, end: Tensor) -> Tensor:
        """Of an operation that `chooses`: the mean slope of its input on the straight line from start to end."""
        raise NotImplementedError

    def chosen(self, call: Call, x: Tensor) -> Tensor:
        """Of an operation that `chooses`: its output where its first input is x, by this one alone."""
        return call.operation.run(lambda _: x)[0]

    def left_out(self, call: Call) -> Tensor | None:
        """Which units of the first input a row's relevance leaves out, (n_samples, n_units); None: nowhere any.

        The row itself among the points of a fit: it has no feature to be told by, and hides what the others tell.
        """
        return None

    def sources(self, call: Call, known: Sequence[Tensor]) -> tuple[Tensor, ...] | None:
        """Where each column of the outputs depends on one input column alone: which, by the columns of the inputs.

        Parameters
        ----------
        known : sequence of Tensor of int (n_columns,)
            The same of the operation's explained inputs; -1: on none.
        """
        return None

    def terms(self, call: Call, rule: Rule | None, x: Tensor, background: Background) -> Terms | None:
        """The outputs as units made of terms of the columns of x (n_samples, n_columns), if they are.

        rule : the one that the composite assigns, of the kinds that have rules
        """
        return None

    def at_reference(self, call: Call, values: dict[int, Tensor], rule: Rule | None) -> tuple[Tensor, ...]:
        """What relevance by this rule is relative to: the outputs at the reference rows, from the inputs there."""
        return call.operation.run(lambda slot: mean_row(values[slot]) if self.mean_first else values[slot])


class Delegating(Treatment):
    """What leaves each operation to another treatment, by its arguments: see `treatment_for`."""

    @abc.abstractmethod
    def of(self, operation: Operation) -> Treatment:
        """The treatment of one recorded operation."""


class Held(Treatment):
    """What is held fixed hands nothing on: relevance that arrives at it is ``held``."""

    takes_reference = True

    def propagate(
        self, call: Call, messages: tuple[Message | None, ...], rule: Rule | None, ledger: Ledger
    ) -> tuple[Message | None, ...]:
        for message in messages:
            if ledger.enabled and message is not None:
                ledger.absorb("held", message.relevance)
        return (None,) * len(call.inputs)


_TABLE: dict[Callable[..., Any], Treatment] = {}


def treat(*functions: Callable[..., Any], by: Treatment) -> None:
    """Register a treatment for torch functions, or for functions that join through torch's override protocol.

    ``treat(torch.special.bessel_j0, by=ElementwiseTreatment())`` is that of a function of each element alone.

    Raises
    ------
    TypeError
        If the treatment does not say how relevance crosses.
    """
    kind = type(by)
    if kind.back is Treatment.back and kind.propagate is Treatment.propagate and not isinstance(by, Delegating):
        raise TypeError(
            f"{kind.__name__} has neither back nor propagate: write one of them, which hands relevance on; see "
            "neon.extend.Treatment"
        )
    for function in functions:
        _TABLE[ALIASES.get(function, function)] = by


def treatment_of(function: Callable[..., Any]) -> Treatment | None:
    return _TABLE.get(function)


def treatment_for(operation: Operation) -> Treatment | None:
    """The treatment of one recorded operation: by its arguments, where they matter."""
    treatment = treatment_of(operation.function)
    while isinstance(treatment, Delegating):
        treatment = treatment.of(operation)
    return treatment


def kind_of(operation: Operation) -> str | None:
    """What composites select an operation by, "" where no rule applies; None without a treatment."""
    treatment = treatment_for(operation)
    return None if treatment is None else treatment.kind_of(operation)


def supported_functions() -> list[Callable[..., Any]]:
    return list(_TABLE)


def is_cheap(function: Callable[..., Any], n_inputs: int) -> bool:
    treatment = treatment_of(function)
    return treatment is not None and treatment.is_cheap(n_inputs)


def moves(function: Callable[..., Any]) -> bool:
    treatment = treatment_of(function)
    return treatment is not None and treatment.moves


def retention_of(function: Callable[..., Any]) -> Retention:
    treatment = treatment_of(function)
    return Retention() if treatment is None else treatment.retention
