"""Where relevance starts: what each kind of target makes of an output, and in front of which operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from neon.lrp.accounting import walked
from neon.lrp.composites import by_name
from neon.lrp.forward import references_of, tape_of
from neon.lrp.message import Ledger, Message
from neon.lrp.operations.table import mean_of, widened
from neon.lrp.propagate import assign, propagate
from neon.lrp.recording.tape import Tape
from neon.lrp.rewriting.heads import Head, head_of
from neon.lrp.rules import Reference, Zero
from neon.lrp.targets import Contrast, LogOdds, one_hot

__all__ = ["Target", "begin", "start"]

Target = int | Sequence[int] | Sequence[Sequence[int]] | Tensor | Callable[[Tensor], Tensor] | None


def begin(
    tape: Tape, target: Target, ledger: Ledger, *, base: Tensor | None = None, head: Head | None = None
) -> tuple[int, Message]:
    """The slot where relevance starts, and the relevance there.

    Parameters
    ----------
    base : Tensor, optional
        The output at the reference.
    head : Head, optional
        A final sigmoid or softmax, whose logits an index explains.
    """
    if isinstance(target, LogOdds) and head is None and head_of(tape) is not None:
        raise ValueError(
            "LogOdds is of logits; relative to a reference this model is explained at the probabilities that "
            "it ends in: give the model without its last sigmoid or softmax, or explain without a reference"
        )
    output = widened(tape.values[tape.output], tape.precision)
    explained = output if head is None else widened(head.logits(tape), tape.precision)
    message = start(output, target, ledger, base=base, explained=explained)
    own = callable(target) and not isinstance(target, Contrast | LogOdds)  # it reads the output itself
    if head is None or own or (isinstance(target, Tensor) and target.is_floating_point()):
        return tape.output, message
    assert message.slope is not None
    return head.slot, Message.of_slope(head.slope(message.slope, tape), widened(tape.value(head.slot)))


def start(
    output: Tensor, target: Target, ledger: Ledger, *, base: Tensor | None = None, explained: Tensor | None = None
) -> Message:
    """What relevance starts from at an output: the relevance R, or the slope c with ``R = c (z - z_ref)``.

    Parameters
    ----------
    output : Tensor (n_samples, ...)
    target : as for `LRP`
    ledger : Ledger
        Takes what a scalar of the output leaves behind.
    base : Tensor, optional
        The output at the reference.
    explained : Tensor, optional
        The logits where the output is their sigmoid or softmax; a contrast and log-odds are of these.
    """
    displacement = output if base is None else output - base
    if isinstance(target, Contrast | LogOdds):  # of outputs: relative to theirs at the reference
        return Message.of_slope(target.weights(output if explained is None else explained), displacement)
    if callable(target) and not isinstance(target, Tensor):
        found = target(output)
        if not isinstance(found, Tensor) or found.shape not in (output.shape, (len(output),), (len(output), 1)):
            given = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise ValueError(
                f"a target function must return relevance of the output's shape {tuple(output.shape)}, or one "
                f"scalar for each of {len(output)} samples; got {given}"
            )
        if found.shape != output.shape:
            return _of_scalar(target, output, ledger, base)
        target = found
    if isinstance(target, str):
        raise ValueError(
            f"target {target!r}: LRP explains one output at a time; take recording = lrp.record(x) and "
            "recording.propagate(k) for each output k, or neon.Explainer(model)(x, 'all')"
        )
    if isinstance(target, Tensor) and target.is_floating_point():
        if target.shape != output.shape:
            raise ValueError(
                f"a target tensor must have the output's shape {tuple(output.shape)}, got {tuple(target.shape)}"
            )
        return Message.of_relevance(target.to(output))
    if target is not None:
        return Message.of_slope(one_hot(target, output), displacement)
    if output[:1].numel() != 1 and len(output):
        raise ValueError(
            f"the model has outputs of shape {tuple(output.shape[1:])}: say which one with target= "
            "(an index, one per sample, a tensor shaped like the output, or one of neon.targets)"
        )
    return Message.of_slope(torch.ones_like(output), displacement)


def _of_scalar(function: Callable[[Tensor], Tensor], output: Tensor, ledger: Ledger, base: Tensor | None) -> Message:
    """Relevance of the output for one scalar a sample that a function makes of it."""
    composite = by_name(Zero() if base is None else Reference())
    tape, references = tape_of(function, (output,), relative=base is not None), None
    if base is not None:
        references = references_of(tape, composite, function, (base.to(output),))
    steps, own = assign(tape, composite, references), Ledger(enabled=ledger.enabled, n_samples=len(output))
    slot, message = begin(
        tape, None, own, base=mean_of(references, tape.output), head=head_of(tape) if base is None else None
    )
    run = partial(propagate, steps, tape.inputs, slot)
    walk = walked(lambda message, ledger: run(message, ledger=ledger), message, own)
    for name, amount in walk.ledger.absorbed.items():
        ledger.absorb(name, amount)
    return Message.of_relevance(walk.relevance[0])
