"""Walk a tape backwards: from the relevance of the output to the relevance of every input."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from neon.errors import UnsupportedOperationError
from neon.lrp.composites import Composite, Node
from neon.lrp.message import Ledger, Message
from neon.lrp.operations import Call, supported_functions, treatment_for
from neon.lrp.operations.table import Treatment, kind_of
from neon.lrp.recording.names import function_name
from neon.lrp.recording.tape import Operation, Tape
from neon.lrp.rewriting.canonize import (
    factor_slots,
    gate_slots,
    mixed_slots,
    nonnegative_slots,
    relevant_operations,
    scale_slots,
)
from neon.lrp.rules import Rule

__all__ = ["BackwardStep", "Walk", "assign", "check_replay", "on_tape", "propagate", "replay"]


@dataclass(frozen=True, eq=False)
class BackwardStep:
    """An operation with its treatment and, where it is a linear map, its rule."""

    call: Call
    treatment: Treatment
    kind: str
    rule: Rule | None


@dataclass(eq=False)
class Walk:
    """What a backward walk found."""

    relevance: tuple[Tensor, ...]
    ledger: Ledger
    at: dict[str, Tensor] = field(default_factory=dict)
    base: Tensor | None = None  # what relevance is relative to, (n_samples,), where that is not the recording's
    slopes: tuple[Tensor, ...] = ()  # c of relevance c (x - r) of the inputs, where these were asked for


def assign(
    tape: Tape, composite: Composite, references: dict[int, Tensor] | None = None, *, relative: bool = False
) -> list[BackwardStep]:
    """Give every operation on the way its treatment and rule.

    Parameters
    ----------
    relative : bool
        Whether relevance will be relative to reference rows.

    Raises
    ------
    UnsupportedOperationError
        For an operation that is not in the table, or that does not take a reference where it should, before anything
        is computed.
    """
    operations = relevant_operations(tape)
    tape = Tape(operations, tape.inputs, tape.output, tape.specs, tape.values, tape.closed)
    consumers, nonnegative = tape.consumers(), nonnegative_slots(tape)
    gates, scales = gate_slots(tape), scale_slots(tape)
    mixed, factors = mixed_slots(tape), factor_slots(tape)
    weighted = {id(op): i for i, op in enumerate(op for op in operations if kind_of(op) in ("dense", "convolution"))}
    below_weights = set(tape.inputs)  # slots that no learned map lies below
    steps, nodes = [], []
    for operation in operations:
        treatment = _treatment(operation)
        kind = treatment.kind_of(operation)
        untouched = below_weights.issuperset(operation.inputs)
        if untouched and kind not in ("dense", "convolution"):
            below_weights.update(operation.outputs)
        rule = None
        if kind:
            position = weighted.get(id(operation), -1)
            is_first = untouched and position >= 0
            nodes.append(Node(kind, operation.module, position, len(weighted), is_first))
            rule = composite.rule_for(nodes[-1])
        call = Call(operation, tape, consumers, nonnegative, gates, scales, mixed, factors, references)
        rule = treatment.effective_rule(call, rule)
        treatment.check(call, rule)
        if relative and not treatment.takes_reference:
            raise UnsupportedOperationError(
                f"{operation.name!r} in module {operation.module or '(top level)'!r} has no relevance relative to "
                "reference rows; explain without a reference"
            )
        steps.append(BackwardStep(call, treatment, kind, rule))
    composite.check_names(nodes)
    return steps


def on_tape(step: BackwardStep, tape: Tape) -> BackwardStep:
    """The same step of another tape, on which the same operations were run."""
    return BackwardStep(dataclasses.replace(step.call, tape=tape), step.treatment, step.kind, step.rule)


def propagate(
    steps: list[BackwardStep],
    inputs: Iterable[int],
    output: int,
    message: Message,
    *,
    ledger: Ledger,
    free: bool = False,
    at: dict[str, int] | None = None,
    keep: dict[int, tuple[Any, ...]] | None = None,
    slopes: bool = False,
    observe: Callable[[BackwardStep, tuple[Message | None, ...], tuple[Message | None, ...]], None] | None = None,
) -> Walk:
    """Send ``message`` from the output to the inputs.

    Parameters
    ----------
    free : bool
        Drop values from the tape as soon as no rule can ask for them again.
    at : dict of str to int
        Slots whose relevance to return, by name.
    keep : dict of int to index, optional
        Slots of whose relevance only what the index picks goes on.
    slopes : bool
        Return the slopes of the inputs as well, which every rule on the way to them must hand on.
    observe : callable, optional
        Called with each step and the messages above and below it.
    """
    inputs, asked = tuple(inputs), at or {}
    inbox = _Inbox({output: message}, frozenset(asked.values()), keep or {}, ledger)
    done: list[int] = []
    for step in reversed(steps):
        call, outputs = step.call, step.call.operation.outputs
        above = tuple(map(inbox.take, outputs))
        if all(arrived is None for arrived in above):
            continue
        if step.treatment.moves or step.kind in ("dense", "convolution", "product"):
            # Transposed, a function takes its own precision alone; elsewhere the higher one is kept.
            above = tuple(
                None if message is None else message.to(call.dtype(slot))
                for slot, message in zip(outputs, above, strict=True)
            )
        below = _below(step, above, ledger)
        if observe is not None:
            observe(step, above, below)
        for slot, part in zip(call.inputs, below, strict=True):
            if part is not None:
                inbox.put(slot, part.to(torch.promote_types(part.dtype, call.dtype(slot))))
        if free:
            # One step late: a linear map may read its output behind the ReLU that comes after it.
            for slot in done:
                call.tape.values.pop(slot, None)
            done = [slot for slot in outputs if slot != output]
    values = steps[-1].call.tape.values if steps else {}
    arrived = tuple(map(inbox.take, inputs))
    relevance = tuple(_of_input(message, values.get(slot)) for message, slot in zip(arrived, inputs, strict=True))
    inbox.seen.update(zip(inputs, relevance, strict=True))
    seen = {name: inbox.seen[slot] for name, slot in asked.items() if slot in inbox.seen}
    return Walk(relevance, ledger, seen, slopes=tuple(map(_slope, arrived, relevance)) if slopes else ())


@dataclass(eq=False)
class _Inbox:
    """Messages on their way, by the slot that each is for.

    Attributes
    ----------
    asked : frozenset of int
        Slots whose relevance is looked at when it has arrived.
    keep : dict of int to index
        Slots of whose relevance only what the index picks goes on.
    seen : dict of int to Tensor
        The relevance that was looked at.
    """

    messages: dict[int, Message]
    asked: frozenset[int]
    keep: dict[int, tuple[Any, ...]]
    ledger: Ledger
    seen: dict[int, Tensor] = field(default_factory=dict)

    def put(self, slot: int, message: Message) -> None:
        self.messages[slot] = self.messages[slot] + message if slot in self.messages else message

    def take(self, slot: int) -> Message | None:
        message = self.messages.pop(slot, None)
        if message is None:
            return None
        if slot in self.asked:
            self.seen[slot] = message.relevance
        return _only(message, self.keep[slot], self.ledger) if slot in self.keep else message


def _of_input(message: Message | None, x: Tensor | None) -> Tensor:
    """In the input's own dtype, where that is a floating one; 0 where no relevance has arrived."""
    if message is None:
        assert x is not None
        return torch.zeros_like(x)
    relevance = message.relevance
    return relevance if x is None or not x.is_floating_point() else relevance.to(x.dtype)


def _slope(message: Message | None, relevance: Tensor) -> Tensor:
    """The slope of an input; 0 where no relevance has arrived."""
    if message is None:
        return relevance
    if message.slope is None:
        raise TypeError("relevance arrived at an input by a rule that hands on no slope")
    return message.slope


def _below(step: BackwardStep, above: tuple[Message | None, ...], ledger: Ledger) -> tuple[Message | None, ...]:
    """What the treatment hands on, slopes with the values that they belong to."""
    call = step.call
    parts = zip(call.inputs, step.treatment.propagate(call, above, step.rule, ledger), strict=True)
    return tuple(
        None if part is None else part.about(partial(call.value, slot), partial(call.reference, slot))
        for slot, part in parts
    )


def _only(message: Message, index: tuple[Any, ...], ledger: Ledger) -> Message:
    """The relevance of what an index picks; the rest is written down as ``other_channels``."""
    relevance = message.relevance
    kept = torch.zeros_like(relevance)
    try:
        kept[index] = relevance[index]
    except (IndexError, TypeError) as error:
        what = f"channels {index[1]}" if index[0] == slice(None) and len(index) == 2 else f"index {index}"
        raise ValueError(
            f"keep: {what} of a module whose output has shape {tuple(relevance.shape)}; plain numbers are channels "
            "(axis 1), and (..., [3, 5]) is an index of the last axis"
        ) from error
    if ledger.enabled:
        ledger.absorb("other_channels", relevance - kept)
    return Message.of_relevance(kept, vanishes=message.vanishes)


def replay(steps: list[BackwardStep], inputs: dict[int, Tensor]) -> dict[int, Tensor]:
    """Values of every slot at reference rows, each operation treating several rows as it and its rule see fit."""
    values = dict(inputs)
    for step in steps:
        outputs = step.treatment.at_reference(step.call, values, step.rule)
        values.update(zip(step.call.operation.outputs, outputs, strict=True))
    return values


def check_replay(steps: list[BackwardStep], inputs: dict[int, Tensor], output: int, expected: Tensor) -> None:
    """Compare the tape at one reference row with the model there: what was recorded at x must hold at r as well.

    Raises
    ------
    UnsupportedOperationError
        If a mask, an index or a branch was computed from the input, so that the model runs other operations at r, or if
        rows are elsewhere than in axis 0, over which reference rows are averaged.
    """
    values = dict(inputs)
    try:
        for step in steps:
            operation = step.call.operation
            values.update(zip(operation.outputs, operation.run(values.__getitem__), strict=True))
        found = values[output]
        same = found.shape == expected.shape and torch.allclose(found, expected, rtol=1e-3, atol=1e-5, equal_nan=True)
    except (RuntimeError, IndexError):  # shapes of the rows at which it was recorded
        same = False
    if not same:
        raise UnsupportedOperationError(
            "the model does not run the same operations at the reference rows: it computes a mask, an index or a "
            "statistic from its input that the tape holds constant; explain without a reference"
        )
    for step in steps:
        _check_rows_first(step.call, values)


def _check_rows_first(call: Call, values: dict[int, Tensor]) -> None:
    """Raise where an output at one row has another first axis than the rows'."""
    for slot in call.operation.outputs:
        found, recorded = values[slot].shape, call.tape.specs[slot].shape
        if found[:1] != (1,) or found[1:] != recorded[1:]:
            raise UnsupportedOperationError(
                f"{call.operation.name!r} in module {call.operation.module or '(top level)'!r} gives "
                f"{tuple(recorded)}, whose first axis is not the samples: no mean over reference rows is taken there; "
                "explain without a reference, or keep the samples in axis 0"
            )


def _treatment(operation: Operation) -> Treatment:
    treatment = treatment_for(operation)
    if treatment is None:
        known = {function_name(f) for f in supported_functions()}
        close = difflib.get_close_matches(operation.name.strip("_"), known, cutoff=0.75)
        hint = f"; similar ones that have: {', '.join(close)}" if close else ""
        raise UnsupportedOperationError(
            f"no relevance treatment for {operation.name!r} in module {operation.module or '(top level)'!r}{hint}. "
            "Register one with neon.extend.treat(function, by=treatment); for a function of each element alone, "
            "by=neon.extend.ElementwiseTreatment()"
        )
    return treatment
