"""The engine's one door: ``LRP(model, composite)(x, target)``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from neon.lrp.composites import Rules, by_name
from neon.lrp.forward import MemoryUse, references_of, tape_of
from neon.lrp.paths.integral import Integral
from neon.lrp.places import Part
from neon.lrp.plan import Plan
from neon.lrp.propagate import assign
from neon.lrp.recorded import Recording
from neon.lrp.recording.calls import Given, Output, check_inputs, eager, in_training
from neon.lrp.rewriting.heads import head_of
from neon.lrp.start import Target

__all__ = ["LRP"]


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
        memory: MemoryUse = "normal",
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
        if in_training(self.model):
            raise ValueError("the model is in training mode; call model.eval() before explaining it")
        tape = tape_of(
            self.model,
            inputs,
            given=given,
            output=self.output,
            memory=self.memory,
            # Names cost a walk over the calling frames; composites that select by name need them as well.
            names=names or self.composite.needs_names,
            relative=reference is not None or references is not None,
        )
        composite = self.composite
        if composite.along:
            integral = reference
            if not isinstance(integral, Integral):
                integral = Integral.of(composite.name, composite.along, inputs, reference)
            steps = assign(tape, composite)
            if integral.fits(steps, tape.inputs[0], tape.output, inputs[0]):
                return Recording(tape, steps, None, composite.name, integral)
            reference = integral.rows if integral.relative and integral.everywhere else None
        assert not isinstance(reference, Integral)
        if reference is not None and references is None:
            rows = reference if isinstance(reference, tuple) else (reference,)
            placed = tuple(row.to(x_) for row, x_ in zip(rows, inputs, strict=True))
            references = references_of(tape, composite, self.model, placed)
        head = head_of(tape) if references is None else None
        return Recording(tape, assign(tape, composite, references), references, composite.name, head=head)

    def plan(self, x: Tensor | tuple[Tensor, ...], target: Target = None, *, given: Given = ()) -> Plan:
        """A table of every operation: its module, rule, relevance in and out, and what it absorbed.

        Without a target and with several outputs, the table shows the rules alone.
        """
        return self.record(x, given=given).plan(target)

    def __repr__(self) -> str:
        return f"LRP({type(self.model).__name__}, composite={self.composite.name!r})"
