"""The first layers of a network that mix features, as units made of terms of single ones, and what follows them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from neon.errors import UnsupportedOperationError
from neon.lrp.paths.terms import Background, SingleTerms, Terms
from neon.lrp.propagate import BackwardStep
from neon.lrp.recording.tape import carriers

__all__ = ["Front", "as_columns", "front_of"]

Replace = Callable[[BackwardStep, Callable[[int], Tensor]], Tensor | None]


@dataclass(eq=False)
class Front:
    """The first layers that mix features, and the steps from them to the output.

    Attributes
    ----------
    terms : list of Terms
    sources : list of Tensor
        For each of them: the input column that each column which it reads depends on alone; -1: on none.
    rest : list of BackwardStep
    output : int
        The slot of the output.
    own : Tensor
        The sources of the input itself.
    left_out : dict of int to Tensor of bool (n_samples, n_units)
        By the slot that a step gives, the units that it does not see: they are at infinity.
    """

    terms: list[Terms]
    sources: list[Tensor]
    rest: list[BackwardStep]
    output: int
    own: Tensor
    left_out: Mapping[int, Tensor] = field(default_factory=dict)

    @property
    def joint(self) -> bool:
        return all(terms.joint for terms in self.terms)

    def run(self, units: Sequence[Tensor], replace: Replace | None = None) -> Tensor:
        """The output, as (n_samples, n_outputs), from units (n_samples, n_units) of each layer.

        replace : what stands in for a step's output, given the step and the value of each slot.
        """
        values = {terms.slot: unit for terms, unit in zip(self.terms, units, strict=True)}
        for step in self.rest:
            operation = step.call.operation
            found = None if replace is None else replace(step, values.__getitem__)
            if found is not None:
                values[operation.outputs[0]] = found
                continue
            read: Callable[[int], Tensor] = values.__getitem__
            if operation.outputs[0] in self.left_out:
                read = self._others(step, values)
            args, kwargs = operation.arguments(read)
            values.update(zip(operation.outputs, carriers(operation.function(*args, **kwargs)), strict=True))
        return as_columns(values[self.output])

    def _others(self, step: BackwardStep, values: Mapping[int, Tensor]) -> Callable[[int], Tensor]:
        """The values of slots, with the units that a step does not see at infinity."""
        first, left_out = step.call.inputs[0], self.left_out[step.call.output]
        at = values[first]
        seen = at.masked_fill(left_out.repeat(len(at) // len(left_out), 1), torch.inf)  # of several nodes, each in turn
        return lambda slot: seen if slot == first else values[slot]

    def slopes(
        self, units: Sequence[Tensor], weights: Tensor, replace: Replace | None = None
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        """Derivatives of ``Σ_k weights_k f_k`` by the units of each layer, and f; arguments as for `run`.

        Raises
        ------
        UnsupportedOperationError
            If the output has no derivative by any unit.
        """
        with torch.enable_grad():
            leaves = [unit.detach().requires_grad_() for unit in units]
            output = self.run(leaves, replace)
            total = (output * weights).sum()
            if not total.requires_grad:
                raise UnsupportedOperationError(
                    "this composite integrates slopes, and the output has none in the features: it counts, votes or "
                    "looks up; composite='neon' explains this model without slopes"
                )
            found = torch.autograd.grad(total, leaves, allow_unused=True, materialize_grads=True)
        return found, output.detach()

    def gather(self, shares: Sequence[Tensor], like: Tensor) -> Tensor:
        """Shares of the columns that the layers read, added up to those of the input's columns."""
        if len(shares) == 1 and self.sources[0] is self.own:
            return shares[0]
        total = torch.zeros_like(like)
        for share, source in zip(shares, self.sources, strict=True):
            owned = source >= 0
            if bool(owned.all()):
                total.index_add_(1, source, share)
            else:
                total.index_add_(1, source[owned], share[:, owned])
        return total


def front_of(
    steps: Sequence[BackwardStep],
    x: int,
    output: int,
    rows: Tensor,
    backgrounds: MutableMapping[int, Background],
    left_out: Mapping[int, Tensor] | None = None,
) -> Front:
    """The front of a recorded network that reads ``rows`` (n_samples, n_features) at slot ``x``.

    Parameters
    ----------
    backgrounds : mapping of int to Background
        The reference rows by slot: at least at x. Those of further slots are added, for the next rows' front.
    left_out : mapping of int to Tensor, optional
        As `Front.left_out`.
    """
    values = {x: rows}
    sources = {x: backgrounds[x].columns}
    terms: dict[int, tuple[Terms, Tensor]] = {}

    def alone(slot: int) -> None:
        """A column by itself is a term of its own."""
        terms.setdefault(slot, (SingleTerms(slot, values[slot], backgrounds[slot]), sources[slot]))

    for step in steps:
        call, inputs = step.call, step.call.inputs
        if all(slot in sources for slot in inputs):
            found = step.treatment.sources(call, [sources[slot] for slot in inputs])
            if found is not None:
                values.update(zip(call.operation.outputs, call.operation.run(values.__getitem__), strict=True))
                sources.update(zip(call.operation.outputs, found, strict=True))
                if not backgrounds.keys() >= set(call.operation.outputs):
                    there = call.operation.run(lambda slot: backgrounds[slot].rows)
                    backgrounds.update(
                        (slot, backgrounds[x].after(part, source))
                        for slot, part, source in zip(call.operation.outputs, there, found, strict=True)
                    )
                continue
        single = [slot for slot in inputs if slot in sources]
        made = None
        if len(inputs) == len(single) == 1:
            made = step.treatment.terms(call, step.rule, values[single[0]], backgrounds[single[0]])
        if made is not None:
            terms[made.slot] = (made, sources[single[0]])
        else:
            for slot in single:
                alone(slot)
    if output in sources:
        alone(output)
    rest, wanted = [], {output}
    for step in reversed(steps):
        outputs = set(step.call.operation.outputs)
        if outputs & wanted and not outputs & terms.keys():
            rest.append(step)
            wanted.update(step.call.inputs)
    used = [terms[slot] for slot in terms if slot in wanted]
    sources_used = [source for _, source in used]
    return Front([t for t, _ in used], sources_used, rest[::-1], output, sources[x], left_out or {})


def as_columns(output: Tensor) -> Tensor:
    """An output as (n_samples, n_outputs): of a module that returns one number a sample, or maps of them, as well."""
    return output[:, None] if output.ndim == 1 else output.flatten(1)
