"""The engine's one door: ``LRP(model, composite)(x, target)``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from torch import Tensor

from neon.lrp.accounting import by_sample
from neon.lrp.composites import Composite, Rules, by_name
from neon.lrp.message import Ledger, Message
from neon.lrp.operations.table import is_cheap, moves, retention_of, widened
from neon.lrp.paths.integral import Integral
from neon.lrp.places import Part, as_index, slot_of
from neon.lrp.plan import Plan, PlanRow
from neon.lrp.propagate import Step, Walk, assign, check_replay, propagate, replay
from neon.lrp.recording.calls import Given, Output, arranged, check_inputs, eager, picked
from neon.lrp.recording.names import module_names
from neon.lrp.recording.recorder import record
from neon.lrp.recording.tape import Retention, Tape
from neon.lrp.rewriting.canonize import merge_batch_norm, merge_recodings, relevant_operations
from neon.lrp.rewriting.curves import merge_curves
from neon.lrp.rewriting.equal_values import merge_equal_values
from neon.lrp.rewriting.heads import Head, head_of
from neon.lrp.rewriting.peephole import merge_spelled_out
from neon.lrp.rewriting.softmaxes import merge_softmax
from neon.lrp.rules import Reference, Zero
from neon.lrp.targets import Contrast, LogOdds, one_hot

__all__ = ["LRP", "Recording", "Target", "start"]

_SEGMENT = 12  # operations between two checkpoints: about the square root of a deep model's number
Target = int | Sequence[int] | Sequence[Sequence[int]] | Tensor | Callable[[Tensor], Tensor] | None


class LRP:
    """Layer-wise relevance propagation through any eager torch model.

    Parameters
    ----------
    model : torch.nn.Module or callable
        Runs as it is, once, under ``no_grad``; nothing in it is changed.
    composite : str, Rule, Composite or sequence of (selector, rule)
        A preset's name (`neon.composites.names`), one rule for every map, a `Composite`, or what makes one.
    output : int, str or sequence of them, optional
        Which tensor to explain of a model that returns several: its position in a tuple, its key or its attribute; a
        path, ``("hidden_states", -1)``, where it lies inside of another.
    memory : str
        "normal": values that are cheap to compute (activations, normalizations, attention weights) are computed again
        on the way back. "high": every value that a rule reads is kept. "low": the values of every twelfth operation
        only are kept, and the others computed again, segment by segment.

    Examples
    --------
    >>> relevance = neon.LRP(model, composite="epsilon_gamma_box")(x, target=3)
    """

    def __init__(
        self,
        model: Callable[..., Any],
        composite: Rules = "epsilon",
        *,
        output: Output = None,
        memory: Literal["high", "normal", "low"] = "normal",
    ) -> None:
        if not callable(model):
            raise TypeError(f"model must be a torch module or a callable, got {type(model).__name__}")
        if memory not in ("high", "normal", "low"):
            raise ValueError(f'memory must be "high", "normal" or "low", got {memory!r}')
        self.model = model
        self.composite = by_name(composite)
        self.output = output
        self.memory = memory

    def __call__(
        self,
        x: Tensor | tuple[Tensor, ...],
        target: Target = None,
        *,
        given: Given = (),
        at: Sequence[str] = (),
        keep: Mapping[str, Part] | None = None,
    ) -> Any:
        """Relevance of the inputs.

        Parameters
        ----------
        x : Tensor or tuple of Tensor
            The inputs, samples along axis 0. Whole numbers are token ids: each gets the relevance of its embedding. So
            do codes in a column of a floating table that the model looks up in one.
        target : int, sequence of int, Tensor or callable, optional
            What is explained. An output index, or one for each sample: relevance starts as that output's value, of a
            model that ends in a sigmoid or softmax as its logit (a callable explains the probability itself). Of
            maps and tokens an index is a tuple, ``(class, y, x)`` or ``(token, class)``; for one of each sample, an
            array with such a row for each. A floating tensor shaped like the output: relevance starts as given. A
            callable: relevance starts as ``target(output)``, shaped like the output, or where that is one scalar a
            sample, what it computes is explained by LRP-0 as the model's last step. None: the only output.
        given : Tensor, sequence or mapping of str, optional
            What else the model takes, masks and lengths: after ``x``, or by name. It gets no relevance.
        at : sequence of str
            Names of modules, containers too, at whose output to return relevance as well; ``"name:input"`` for what
            a module reads, with what other readers give to it.
        keep : mapping of str to int, sequence of int or index, optional
            Channels (axis 1) by such a name: of the relevance there only theirs goes on, the part of the prediction
            that runs through these concepts (CRP, Achtibat et al. 2023). An index as of the output itself,
            ``(..., [3, 5])`` for the last axis, picks anything else.

        Returns
        -------
        Tensor or tuple of Tensor
            Shaped like ``x``. With ``at``, a pair of this and a dict of name to tensor.

        Raises
        ------
        UnsupportedOperationError
            If the model runs an operation that has no relevance treatment.
        ValueError
            If the target does not fit the output.

        Warns
        -----
        RuntimeWarning
            If relevance grows by more than a factor of 100 in one operation, as in `plan`.
        """
        recording = self.record(x, given=given)
        walk = recording.propagate(target, at=at, keep=keep, free=True, warn=True)
        relevance = walk.relevance if isinstance(x, tuple) else walk.relevance[0]
        return (relevance, walk.at) if at else relevance

    @eager()
    def record(
        self,
        x: Tensor | tuple[Tensor, ...],
        *,
        given: Given = (),
        reference: Tensor | tuple[Tensor, ...] | Integral | None = None,
        references: dict[int, Tensor] | None = None,
        names: bool = True,
    ) -> Recording:
        """Run the model once and keep the tape, to explain several targets from it.

        Parameters
        ----------
        given : Tensor, sequence or mapping of str, optional
            As in `__call__`.
        reference : Tensor or tuple of Tensor, optional
            Reference rows, for composites with the `Reference` rule: relevance is then that of the difference from
            the reference. For composites that integrate: rows (default: the
            origin), rows and their weights, or an `Integral` of them.
        references : dict of int to Tensor, optional
            ``Recording.references`` of an earlier recording, for a model that runs the same operations on any
            input: spares sending the reference rows through it again.
        names : bool
            Whether to look up which module runs each operation.
        """
        inputs = x if isinstance(x, tuple) else (x,)
        check_inputs(inputs)
        if isinstance(self.model, torch.nn.Module) and self.model.training and _acts_differently(self.model):
            raise ValueError("the model is in training mode; call model.eval() before explaining it")
        # Names cost a walk over the calling frames; composites that select by name need them as well.
        wanted = names or self.composite.needs_names
        low = self.memory == "low"
        tape = record(
            self.model,
            inputs,
            names=module_names(self.model) if wanted else None,
            retention=(lambda _: Retention(inputs=False)) if low else retention_of,
            checkpoint_every=_SEGMENT if low else None,
            moves=moves,
            given=arranged(given),
            pick=lambda output: picked(output, self.output, len(inputs[0])),
            is_cheap=is_cheap if self.memory == "normal" else lambda function, n_inputs: False,
        )
        tape = Tape(relevant_operations(tape), tape.inputs, tape.output, tape.specs, tape.values)
        relative = reference is not None or references is not None
        tape = merge_equal_values(merge_recodings(merge_batch_norm(tape)))
        tape = merge_spelled_out(tape, hold=False) if relative else merge_curves(merge_spelled_out(merge_softmax(tape)))
        tape.operations = relevant_operations(tape)
        tape.forget_unused()
        if self.composite.along:
            integral = reference if isinstance(reference, Integral) else _integral(self.composite, reference, inputs)
            steps = assign(tape, self.composite)
            if integral.fits(steps, tape.inputs[0], tape.output, inputs[0]):
                return Recording(tape, steps, None, self.composite.name, integral)
            reference = integral.rows if integral.relative else None
        assert not isinstance(reference, Integral)
        if reference is not None and references is None:
            rows = reference if isinstance(reference, tuple) else (reference,)
            placed = {slot: row.to(x_) for slot, row, x_ in zip(tape.inputs, rows, inputs, strict=True)}
            steps = assign(tape, self.composite, relative=True)
            one = {slot: row[:1] for slot, row in placed.items()}
            check_replay(steps, one, tape.output, self.model(*(row.clone() for row in one.values())))
            references = replay(steps, placed)
        return Recording(tape, assign(tape, self.composite, references), references, self.composite.name)

    def plan(self, x: Tensor | tuple[Tensor, ...], target: Target = None, *, given: Given = ()) -> Plan:
        """A table of every operation: its module, rule, relevance in and out, and what it absorbed.

        Without a target and with several outputs, the table shows the rules alone.
        """
        return self.record(x, given=given).plan(target)

    def __repr__(self) -> str:
        return f"LRP({type(self.model).__name__}, composite={self.composite.name!r})"


@dataclass(eq=False)
class Recording:
    """A recorded forward pass, ready to explain any target."""

    tape: Tape
    steps: list[Step]
    references: dict[int, Tensor] | None
    composite: str
    integral: Integral | None = None

    @property
    def output(self) -> Tensor:
        """What the model returned."""
        return self.tape.values[self.tape.output]

    @property
    def explained(self) -> Tensor:
        """The output as an index explains it: in front of a final sigmoid or softmax, if there is one."""
        return self.output if self._head is None else self._head.logits(self.tape)

    @property
    def base(self) -> Tensor | None:
        """The output at the reference, (1, ...), if there is one."""
        if self.references is None:
            return None
        rows = self.references[self.tape.output]
        return rows if len(rows) == 1 else rows.mean(0, keepdim=True)

    @eager()
    def propagate(
        self,
        target: Target = None,
        *,
        at: Sequence[str] = (),
        keep: Mapping[str, Part] | None = None,
        account: bool = False,
        free: bool = False,
        warn: bool = False,
    ) -> Walk:
        """Relevance of the inputs for one target.

        Parameters
        ----------
        account : bool
            Whether to write down what no input owns, by name.
        free : bool
            Drop recorded values on the way; the recording explains no further target then.
        warn : bool
            Warn of operations in which relevance grows by more than a factor of 100.
        """
        if self.integral is not None:
            (x,) = self.tape.inputs
            ledger = Ledger(enabled=account, n_samples=len(self.output))
            weights = self._weights(self._start(target, ledger), ledger)
            return self.integral.walk(self.steps, x, self.tape.output, self.tape.values[x], weights, ledger)
        rows, observe = self._observed()
        n_samples = len(self.tape.specs[self.tape.inputs[0]])
        first = Ledger(enabled=account, n_samples=n_samples)
        output, start = self._begin(target, first)
        # What is asked of the probabilities is known of their logits.
        after = self._head.after if self._head is not None and output != self.tape.output else frozenset()
        slots = {name: output if (slot := slot_of(self.tape, name)) in after else slot for name in at}

        def run(start: Message, ledger: Ledger) -> Walk:
            return propagate(
                self.steps,
                self.tape.inputs,
                output,
                start,
                ledger=ledger,
                free=free and not account,
                at=slots,
                keep={slot_of(self.tape, name): as_index(part) for name, part in (keep or {}).items()},
                observe=observe if warn else None,
            )

        walk = by_sample(run, start, n_samples) if account else run(start, first)
        for name, amount in first.absorbed.items():
            walk.ledger.absorb(name, amount)
        if warn:
            Plan(rows, self.composite).warn_of_explosions(stacklevel=5)
        return walk

    @eager()
    def interactions(self, target: Target) -> Tensor:
        """Half the Shapley interactions of the inputs for one target, (n_samples, n_features, n_features)."""
        assert self.integral is not None
        (x,) = self.tape.inputs
        return self.integral.pairs(self.steps, x, self.tape.output, self.tape.values[x], one_hot(target, self.output))

    @eager()
    def plan(self, target: Target = None) -> Plan:
        rows, observe = self._observed()
        if target is None and self.output[0].numel() != 1:
            return Plan(rows, self.composite)
        ledger = Ledger(n_samples=1)  # totals over the batch
        output, message = self._begin(target, ledger)
        walk = propagate(
            self.steps,
            self.tape.inputs,
            output,
            message,
            ledger=ledger,
            observe=observe,
        )
        residuals = {name: float(total) for name, total in walk.ledger.absorbed.items()}
        plan = Plan(rows, self.composite, residuals)
        plan.warn_of_explosions(stacklevel=4)
        return plan

    def _weights(self, start: Message, ledger: Ledger) -> Tensor:
        """What an integral explains: how much of each output."""
        assert self.integral is not None
        if start.slope is None and self.integral.relative:
            raise ValueError(
                f"composite {self.composite!r} explains differences from a reference: give an output index as target"
            )
        return start.slope_over(self.output, ledger)

    def _observed(self) -> tuple[list[PlanRow], Callable[..., None]]:
        """A row for each operation, and what fills them while relevance is propagated."""
        rows = [
            PlanRow(
                step.call.operation.name,
                step.call.operation.module,
                tuple(self.tape.specs[step.call.output].shape),
                "" if step.rule is None else str(step.rule),
            )
            for step in self.steps
        ]
        index = {id(step): row for step, row in zip(self.steps, rows, strict=True)}

        def observe(step: Step, above: tuple[Message | None, ...], below: tuple[Message | None, ...]) -> None:
            row = index[id(step)]
            row.relevance_out, row.magnitude_out = _total(above)
            row.relevance_in, row.magnitude_in = _total(below)

        return rows, observe

    def _start(self, target: Target, ledger: Ledger) -> Message:
        if isinstance(target, LogOdds) and self._head is None and head_of(self.tape) is not None:
            raise ValueError(
                "LogOdds is of logits; relative to a reference this model is explained at the probabilities that "
                "it ends in: give the model without its last sigmoid or softmax, or explain without a reference"
            )
        output, explained = (widened(part, self.tape.precision) for part in (self.output, self.explained))
        return start(output, target, ledger, base=self.base, explained=explained)

    def _begin(self, target: Target, ledger: Ledger) -> tuple[int, Message]:
        """The slot where relevance starts, and the relevance."""
        own = callable(target) and not isinstance(target, Contrast | LogOdds)  # it reads the output itself
        head = None if own or (isinstance(target, Tensor) and target.is_floating_point()) else self._head
        if head is None:
            return self.tape.output, self._start(target, ledger)
        slope = self._start(target, ledger).slope
        assert slope is not None
        return head.slot, Message.of_slope(head.slope(slope, self.tape), widened(self.tape.value(head.slot)))

    @property
    def _head(self) -> Head | None:
        # Relative to a reference probabilities are explained as they are: their difference has no share at z = 0.
        return head_of(self.tape) if self.references is None and self.integral is None else None


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
    recording = LRP(function, Zero() if base is None else Reference()).record(output, reference=base)
    walk = recording.propagate(account=ledger.enabled)
    for name, amount in walk.ledger.absorbed.items():
        ledger.absorb(name, amount)
    return Message.of_relevance(walk.relevance[0])


def _total(messages: tuple[Message | None, ...]) -> tuple[float, float]:
    """The sum of relevance and of its absolute value."""
    parts = [message.relevance for message in messages if message is not None]
    return sum(float(part.sum()) for part in parts), sum(float(part.abs().sum()) for part in parts)


def _integral(composite: Composite, reference: Any, inputs: tuple[Tensor, ...]) -> Integral:
    """From reference rows, or rows with weights; without any from the origin (trees: from their covers)."""
    if len(inputs) != 1 or inputs[0].ndim != 2 or not inputs[0].is_floating_point():
        raise ValueError(
            f"composite {composite.name!r} explains one input of rows and columns (n_samples, n_features), got "
            f"{', '.join(str(tuple(x.shape)) for x in inputs)}; take one of the other composites"
        )
    rows, weights = reference if isinstance(reference, tuple) else (reference, None)
    if rows is None:
        rows = inputs[0].new_zeros(1, inputs[0].shape[1])
    if weights is None:
        weights = rows.new_ones(len(rows))
    given = reference is not None
    return Integral(rows, weights / weights.sum(), composite.along == "rows", given=given, relative=given)


def _acts_differently(model: torch.nn.Module) -> bool:
    """Whether training mode changes what the model computes."""
    modes = (torch.nn.modules.batchnorm._BatchNorm, torch.nn.modules.dropout._DropoutNd)
    return any(isinstance(cast(Any, module), modes) and module.training for module in model.modules())
