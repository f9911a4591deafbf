"""A recorded forward pass, ready to explain any target."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from neon.lrp.accounting import walked
from neon.lrp.message import Ledger, Message
from neon.lrp.operations.table import mean_of
from neon.lrp.paths.integral import Integral
from neon.lrp.places import Part, as_index, slot_of
from neon.lrp.plan import Plan, observed
from neon.lrp.propagate import BackwardStep, Walk, propagate
from neon.lrp.recording.calls import eager
from neon.lrp.recording.tape import Tape
from neon.lrp.rewriting.heads import Head
from neon.lrp.start import Target, begin
from neon.lrp.targets import Contrast, LogOdds, one_hot

__all__ = ["Recording"]


@dataclass(eq=False)
class Recording:
    """A recorded forward pass, ready to explain any target.

    head : Head, optional
        A final sigmoid or softmax, of which an index explains the logits. Relative to a reference probabilities are
        explained as they are: their difference has no share at z = 0.
    slopes : bool
        Whether walks give, in place of relevance c (x - r) of the inputs, the slopes c.
    """

    tape: Tape
    steps: list[BackwardStep]
    references: dict[int, Tensor] | None
    composite: str
    integral: Integral | None = None
    head: Head | None = None
    slopes: bool = False

    @property
    def output(self) -> Tensor:
        """What the model returned."""
        return self.tape.values[self.tape.output]

    @property
    def explained(self) -> Tensor:
        """The output as an index explains it: in front of a final sigmoid or softmax, if there is one."""
        return self.output if self.head is None else self.head.logits(self.tape)

    @property
    def base(self) -> Tensor | None:
        """The output at the reference, (1, ...), if there is one."""
        return mean_of(self.references, self.tape.output)

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
            weights = self._weights(target, ledger)
            return self.integral.walk(self.steps, x, self.tape.output, self.tape.values[x], weights, ledger)
        rows, observe = observed(self.steps) if warn else ([], None)
        first = Ledger(enabled=account, n_samples=len(self.tape.specs[self.tape.inputs[0]]))
        output, start = self._begin(target, first)
        # What is asked of the probabilities is known of their logits.
        after = self.head.after if self.head is not None and output != self.tape.output else frozenset()
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
                slopes=self.slopes,
                observe=observe,
            )

        walk = walked(run, start, first)
        if warn:
            Plan(rows, self.composite).warn_of_explosions(stacklevel=5)
        return dataclasses.replace(walk, relevance=walk.slopes) if self.slopes else walk

    @eager()
    def interactions(self, target: Target, order: int = 2) -> Tensor:
        """Half the Shapley interactions of the inputs for one target, (n_samples, n_features, n_features).

        order : 2; or 3: a sixth of those of three, on one more axis.
        """
        assert self.integral is not None
        (x,) = self.tape.inputs
        weights = one_hot(target, self.output)
        return self.integral.interactions(self.steps, x, self.tape.output, self.tape.values[x], weights, order)

    @eager()
    def plan(self, target: Target = None) -> Plan:
        rows, observe = observed(self.steps)
        if target is None and self.output[0].numel() != 1:
            return Plan(rows, self.composite)
        ledger = Ledger(n_samples=1)  # totals over the batch
        output, message = self._begin(target, ledger)
        walk = propagate(self.steps, self.tape.inputs, output, message, ledger=ledger, observe=observe)
        residuals = {name: float(total) for name, total in walk.ledger.absorbed.items()}
        plan = Plan(rows, self.composite, residuals)
        plan.warn_of_explosions(stacklevel=4)
        return plan

    def _weights(self, target: Target, ledger: Ledger) -> Tensor:
        """What an integral explains: how much of each output.

        A callable tells how much relevance an output has, R: the output's share is ``R / (f - its base)``.
        """
        assert self.integral is not None
        (x,), own = self.tape.inputs, callable(target) and not isinstance(target, Contrast | LogOdds)
        way = self.steps, x, self.tape.output
        base = self.integral.at_start(*way, self.tape.values[x][:1]) if own and self.integral.relative else None
        start = begin(self.tape, target, ledger, base=base, head=self.head)[1]
        if start.slope is not None or not self.integral.relative:
            return start.slope_over(self.output, ledger)
        base = torch.zeros_like(self.output)
        for k in range(self.output.shape[1]):
            walk = self.integral.walk(*way, self.tape.values[x], one_hot(k, self.output), Ledger(enabled=False))
            assert walk.base is not None
            base[:, k] = walk.base
        return start.slope_over(self.output - base, ledger)

    def _begin(self, target: Target, ledger: Ledger) -> tuple[int, Message]:
        return begin(self.tape, target, ledger, base=self.base, head=self.head)
