"""The engine's one door: ``LRP(model, composite)(x, target)``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from neon.lrp.canonize import merge_batch_norm, relevant_operations
from neon.lrp.composites import Composite, by_name
from neon.lrp.message import Ledger, Message
from neon.lrp.operations.table import retention_of
from neon.lrp.peephole import merge_spelled_out
from neon.lrp.plan import Plan, PlanRow
from neon.lrp.propagate import Step, Walk, assign, propagate, replay
from neon.lrp.rules import Rule
from neon.lrp.tape import Tape, module_names, record

__all__ = ["LRP", "Recording", "Target"]

Target = int | Sequence[int] | Tensor | Callable[[Tensor], Tensor] | None


class LRP:
    """Layer-wise relevance propagation through any eager torch model.

    Parameters
    ----------
    model : torch.nn.Module or callable
        Runs as it is, once, under ``no_grad``; nothing in it is changed.
    composite : str, Rule or Composite
        A preset's name (`neon.composites.names`), one rule for every map, or a `Composite`.

    Examples
    --------
    >>> relevance = neon.LRP(model, composite="epsilon_gamma_box")(x, target=3)
    """

    def __init__(self, model: Callable[..., Any], composite: str | Rule | Composite = "epsilon") -> None:
        if not callable(model):
            raise TypeError(f"model must be a torch module or a callable, got {type(model).__name__}")
        self.model = model
        self.composite = by_name(composite)

    def __call__(self, x: Tensor | tuple[Tensor, ...], target: Target = None, *, at: Sequence[str] = ()) -> Any:
        """Relevance of the inputs.

        Parameters
        ----------
        x : Tensor or tuple of Tensor
            The inputs, samples along axis 0. Whole numbers are token ids: each gets the relevance of its embedding.
        target : int, sequence of int, Tensor or callable, optional
            What is explained. An output index, or one for each sample: relevance starts as that output's value. A
            floating tensor shaped like the output: relevance starts as given. A callable: relevance starts as
            ``target(output)``. None: the only output.
        at : sequence of str
            Names of modules whose output relevance to return as well.

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
        """
        recording = self.record(x)
        walk = recording.propagate(target, at=at, free=True)
        relevance = walk.relevance if isinstance(x, tuple) else walk.relevance[0]
        return (relevance, walk.at) if at else relevance

    @torch.no_grad()
    def record(
        self,
        x: Tensor | tuple[Tensor, ...],
        *,
        reference: Tensor | tuple[Tensor, ...] | None = None,
        references: dict[int, Tensor] | None = None,
        names: bool = True,
    ) -> Recording:
        """Run the model once and keep the tape, to explain several targets from it.

        Parameters
        ----------
        reference : Tensor or tuple of Tensor, optional
            Reference rows, for composites with the `Reference` rule: relevance is then that of the difference from
            the reference.
        references : dict of int to Tensor, optional
            ``Recording.references`` of an earlier recording, for a model that runs the same operations on any
            input: spares sending the reference rows through it again.
        names : bool
            Whether to look up which module runs each operation.
        """
        inputs = x if isinstance(x, tuple) else (x,)
        _check_inputs(inputs)
        if isinstance(self.model, torch.nn.Module) and self.model.training and _acts_differently(self.model):
            raise ValueError("the model is in training mode; call model.eval() before explaining it")
        # Names cost a walk over the calling frames; composites that select by name need them as well.
        wanted = names or any(repr(selector).startswith("named") for selector, _ in self.composite.rules)
        tape = record(self.model, inputs, names=module_names(self.model) if wanted else None, retention=retention_of)
        tape = Tape(relevant_operations(tape), tape.inputs, tape.output, tape.specs, tape.values)
        tape = merge_spelled_out(merge_batch_norm(tape))
        tape.operations = relevant_operations(tape)
        if reference is not None and references is None:
            rows = reference if isinstance(reference, tuple) else (reference,)
            references = replay(tape, tuple(row.to(x_) for row, x_ in zip(rows, inputs, strict=True)))
        return Recording(tape, assign(tape, self.composite, references), references, self.composite.name)

    def plan(self, x: Tensor | tuple[Tensor, ...], target: Target = None) -> Plan:
        """A table of every operation: its module, rule, relevance in and out, and what it absorbed.

        Without a target and with several outputs, the table shows the rules alone.
        """
        return self.record(x).plan(target)

    def __repr__(self) -> str:
        return f"LRP({type(self.model).__name__}, composite={self.composite.name!r})"


@dataclass(eq=False)
class Recording:
    """A recorded forward pass, ready to explain any target."""

    tape: Tape
    steps: list[Step]
    references: dict[int, Tensor] | None
    composite: str

    @property
    def output(self) -> Tensor:
        """What the model returned."""
        return self.tape.values[self.tape.output]

    @property
    def base(self) -> Tensor | None:
        """The output at the reference, (1, ...), if there is one."""
        if self.references is None:
            return None
        rows = self.references[self.tape.output]
        return rows if len(rows) == 1 else rows.mean(0, keepdim=True)

    @torch.no_grad()
    def propagate(
        self, target: Target = None, *, at: Sequence[str] = (), account: bool = False, free: bool = False
    ) -> Walk:
        """Relevance of the inputs for one target.

        Parameters
        ----------
        account : bool
            Whether to write down what no input owns, by name.
        free : bool
            Drop recorded values on the way; the recording explains no further target then.
        """
        slots = {name: self._slot_of(name) for name in at}
        return propagate(
            self.steps,
            self.tape.inputs,
            self.tape.output,
            self._start(target),
            ledger=Ledger(enabled=account, n_samples=len(self.tape.specs[self.tape.inputs[0]])),
            free=free,
            at=slots,
        )

    @torch.no_grad()
    def plan(self, target: Target = None) -> Plan:
        rows = [
            PlanRow(
                step.call.operation.name,
                step.call.operation.module,
                tuple(self.tape.specs[step.call.output].shape),
                "" if step.rule is None else repr(step.rule),
            )
            for step in self.steps
        ]
        if target is None and self.output[0].numel() != 1:
            return Plan(rows, self.composite)
        index = {id(step): row for step, row in zip(self.steps, rows, strict=True)}

        def observe(step: Step, above: tuple[Message | None, ...], below: tuple[Message | None, ...]) -> None:
            row = index[id(step)]
            row.relevance_out = sum(float(m.relevance.sum()) for m in above if m is not None)
            row.relevance_in = sum(float(m.relevance.sum()) for m in below if m is not None)

        message = self._start(target)
        propagate(
            self.steps,
            self.tape.inputs,
            self.tape.output,
            message,
            ledger=Ledger(enabled=False),
            observe=observe,
        )
        return Plan(rows, self.composite)

    def _start(self, target: Target) -> Message:
        output = self.output
        displacement = output if self.base is None else output - self.base
        if callable(target) and not isinstance(target, Tensor):
            target = target(output)
            if not isinstance(target, Tensor) or target.shape != output.shape:
                raise ValueError(f"a target function must return a tensor of shape {tuple(output.shape)}")
        if isinstance(target, Tensor) and target.is_floating_point():
            if target.shape != output.shape:
                raise ValueError(
                    f"a target tensor must have the output's shape {tuple(output.shape)}, got {tuple(target.shape)}"
                )
            return Message.of_relevance(target.to(output))
        return Message.of_slope(_one_hot(target, output), displacement)

    def _slot_of(self, name: str) -> int:
        for operation in reversed(self.tape.operations):
            if operation.module == name:
                return operation.outputs[0]
        known = sorted({operation.module for operation in self.tape.operations} - {""})
        raise ValueError(f"no recorded operation of module {name!r}; recorded modules: {', '.join(known)}")


def _one_hot(target: Any, output: Tensor) -> Tensor:
    """A tensor shaped like the output with 1 at each sample's target."""
    if target is None:
        if output[0].numel() != 1:
            raise ValueError(
                f"the model has outputs of shape {tuple(output.shape[1:])}: say which one with target= "
                "(an index, one per sample, a tensor shaped like the output, or a callable)"
            )
        return torch.ones_like(output)
    if output.ndim != 2:
        raise ValueError(
            f"an output index needs an output of shape (n_samples, n_outputs), got {tuple(output.shape)}; "
            "give a tensor of that shape or a callable as target"
        )
    index = torch.as_tensor(target, device=output.device)
    if index.is_floating_point() or index.dtype == torch.bool:
        raise ValueError(f"target indices must be integers, got {index.dtype}")
    if index.ndim not in (0, 1) or (index.ndim == 1 and len(index) != len(output)):
        raise ValueError(f"target must be one index or one per sample ({len(output)}), got shape {tuple(index.shape)}")
    n_outputs = output.shape[1]
    if index.numel() and not (-n_outputs <= int(index.min()) and int(index.max()) < n_outputs):
        raise ValueError(f"target {target} is out of range for {n_outputs} outputs")
    index = (index.long() % n_outputs).expand(len(output))
    return torch.zeros_like(output).scatter_(1, index[:, None], 1.0)


def _check_inputs(inputs: tuple[Any, ...]) -> None:
    for x in inputs:
        if not isinstance(x, Tensor):
            raise TypeError(
                f"LRP takes torch tensors, got {type(x).__name__}; use neon.Explainer for arrays and frames"
            )
        if not x.is_floating_point() and x.dtype not in (torch.int64, torch.int32):
            raise TypeError(f"LRP explains floating-point inputs and token ids (int64, int32), got {x.dtype}")
        if x.ndim < 1:
            raise ValueError("inputs need a sample axis")


def _acts_differently(model: torch.nn.Module) -> bool:
    """Whether training mode changes what the model computes."""
    modes = (torch.nn.modules.batchnorm._BatchNorm, torch.nn.modules.dropout._DropoutNd)
    return any(isinstance(cast(Any, module), modes) and module.training for module in model.modules())
