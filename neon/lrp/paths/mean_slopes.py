"""The mean slopes of a network along the way from its reference rows: in one pass where they are known, or by nodes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neon.lrp.paths.front import Front
from neon.lrp.propagate import BackwardStep

__all__ = [
    "NODES",
    "Which",
    "anew",
    "from_each_row",
    "holds_choice",
    "integrate",
    "is_exact",
    "kind_of",
    "legendre",
    "linear",
    "lines",
    "one_line",
]

Which = slice | Tensor  # rows, by position

# Nodes of Gauss and Legendre: rows that the first leave a residual to get the next, and so on.
NODES = 8
_MORE_NODES = (16, 32, 64)
_MORE_NODES_OF_A_START = (16,)  # from each reference row: what one misses, the mean over many does not
_TOLERANCE = 1e-10  # of the largest relevance
_NEAR = 1e-2  # units closer to their start, relatively where they are large, have no accurate secant ...
_TOGETHER = 2**17  # numbers of all nodes, that pass at once: more do not stay in the cache
_NODES_NEAR = 4  # ... and need no more nodes


def integrate(
    make: Callable[[Which], Front],
    rows: Tensor,
    weights: Tensor,
    *,
    held: bool,
    refine: bool = True,
    any_rows: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """Relevance (n_samples, n_features), its base (n_samples,) and what the quadrature missed (n_samples,).

    Parameters
    ----------
    make : callable
        The front of some of the rows.
    weights : (n_samples, n_outputs)
        What is explained: ``Σ_k weights_k f_k``.
    held : bool
        Whether a minimum over units that are no straight lines stays with the one that is smallest at the row.
    refine : bool
        Whether rows that the first nodes leave a residual get more of them.
    any_rows : bool
        Whether the network runs the same operations on any number of rows.
    """
    front = make(slice(None))
    if not front.rest:  # the output is a layer of units
        (terms,) = front.terms
        base = (terms.units(rows.new_zeros(1))[0] * weights).sum(1)
        return front.gather([terms.integrated(weights)], rows), base, torch.zeros_like(base)
    if is_exact(front, held=held):
        return _exact(front, rows, weights)
    if one_line(front):
        return _along_secant(front, rows, weights)
    kinks = any(kind_of(step) == "choice" for step in front.rest)
    phi, base, missed = _quadrature(front, rows, weights, NODES if refine or not kinks else 2 * NODES, any_rows)
    for n in () if not refine else _MORE_NODES if held else _MORE_NODES_OF_A_START:
        worst = (missed.abs() > _TOLERANCE * phi.abs().amax(1)).nonzero()[:, 0]
        if not len(worst):
            break
        phi[worst], _, missed[worst] = _quadrature(make(worst), rows[worst], weights[worst], n, any_rows)
    return phi, base, missed


def linear(front: Front, rows: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
    """Of a front that is linear in its units: relevance, what it is relative to, and the slopes of the units."""
    starts = [terms.units(rows.new_zeros(1))[0] for terms in front.terms]
    slopes, at_start = front.slopes(starts, weights)
    phi = front.gather([t.integrated(s) for t, s in zip(front.terms, slopes, strict=True)], rows)
    return phi, (at_start * weights).sum(1), slopes


def is_exact(front: Front, *, held: bool) -> bool:
    """Whether g is linear in the units, or chooses once among straight lines or what is held at the row."""
    kinds = [kind_of(step) for step in front.rest]
    if "curved" in kinds or not _one_choice(front.rest, kinds):
        return False
    return "choice" not in kinds or lines(front) or (held and not anew(front))


def lines(front: Front) -> bool:
    """Whether what is chosen from are straight lines."""
    looked_up = {slot for step in front.rest if step.treatment.looks for slot in step.call.inputs}
    terms = [terms for terms in front.terms if terms.slot not in looked_up]
    if all(unit.straight for unit in terms):
        return True
    chosen = {step.treatment.chooses(step.call) for step in front.rest} - {""}
    return len(terms) == 1 and terms[0].alike and chosen == {"differences"}


def anew(front: Front) -> bool:
    """Whether something is chosen that must be chosen anew along the way: who is near."""
    return any(step.treatment.chooses(step.call) and not step.treatment.held for step in front.rest)


def kind_of(step: BackwardStep) -> str:
    if step.treatment.is_linear or step.treatment.looks:
        return "linear"
    return "choice" if step.treatment.chooses(step.call) else "curved"


def _one_choice(steps: Sequence[BackwardStep], kinds: Sequence[str]) -> bool:
    """Whether no choice reads what another chose."""
    chosen: set[int] = set()
    for step, kind in zip(steps, kinds, strict=True):
        if any(slot in chosen for slot in step.call.inputs):
            if kind == "choice":
                return False
            chosen.update(step.call.operation.outputs)
        elif kind == "choice":
            chosen.update(step.call.operation.outputs)
    return True


def _exact(front: Front, rows: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The rest is linear, or chooses one of several straight lines: its mean slopes along the way in one pass."""
    ends = torch.tensor([0.0, 1.0], dtype=rows.dtype, device=rows.device)
    both = [terms.units(ends) for terms in front.terms]
    starts: dict[int, Tensor] = {}

    def keep(step: BackwardStep, value: Callable[[int], Tensor]) -> Tensor | None:
        if kind_of(step) != "choice":
            return None
        starts[id(step)] = x = value(step.call.inputs[0])
        return step.treatment.chosen(step.call, x)

    at_start = front.run([unit[0] for unit in both], keep)

    def choose(step: BackwardStep, value: Callable[[int], Tensor]) -> Tensor | None:
        if kind_of(step) != "choice":
            return None
        x = value(step.call.inputs[0])
        start = starts[id(step)].expand_as(x) if lines(front) else x.detach()
        (out,) = step.call.operation.run(lambda slot: value(slot).detach())
        return _Chosen.apply(x, out, lambda slope: step.treatment.along(step.call, slope, start, x.detach()))

    slopes, output = front.slopes([unit[1] for unit in both], weights, choose)
    phi = front.gather([t.integrated(s) for t, s in zip(front.terms, slopes, strict=True)], rows)
    if (lines(front) and not anew(front)) or not starts:
        base = (at_start * weights).sum(1)
        return phi, base, torch.zeros_like(base)
    less = (output * weights).sum(1) - phi.sum(1)
    if not anew(front):  # of the held choices: f(x) less what the features moved
        return phi, less, torch.zeros_like(less)
    base = (at_start * weights).sum(1)
    return phi, base, less - base


def holds_choice(front: Front) -> bool:
    """Whether the base value is that of the alternative chosen at the row, which is another at other rows."""
    choices = any(kind_of(step) == "choice" for step in front.rest)
    return choices and is_exact(front, held=True) and not (lines(front) or anew(front))


def one_line(front: Front) -> bool:
    """Whether all is a function of one unit that is a straight line."""
    return len(front.terms) == 1 and front.terms[0].straight and front.terms[0].end.shape[1] == 1


def _along_secant(front: Front, rows: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    (terms,) = front.terms
    start, end = terms.units(torch.tensor([0.0, 1.0], dtype=rows.dtype, device=rows.device))
    slope, base, missed = _secant(front, start, end, weights)
    return front.gather([terms.integrated(slope)], rows), base, missed


def from_each_row(front: Front, rows: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The mean over reference rows of what `integrate` gives from each, where a layer of one unit tells them apart.

    A function of one unit has one mean slope for each reference row, and the layer takes all of them at once.
    """
    (terms,) = front.terms
    assert terms.starts is not None
    units, portions = terms.starts
    parts = [_secant(front, unit[None], terms.end, weights) for unit in units]
    slopes, bases, missed = (torch.stack(part, -1) for part in zip(*parts, strict=True))
    phi = front.gather([terms.from_each(slopes[:, 0])], rows)
    return phi, bases @ portions, missed @ portions


def _secant(front: Front, start: Tensor, end: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The mean slope of a function g of one unit, ``(g(u(1)) - g(u(0))) / (u(1) - u(0))``; by nodes where u is near.

    And g at the start, and what the slope misses. Where g chooses anew who is near, it is a step and has no slopes.
    """
    nodes, portions = (torch.as_tensor(part).to(end) for part in legendre(_NODES_NEAR))
    start, moved = start.expand_as(end), end - start
    base, value = ((front.run([unit]) * weights).sum(1) for unit in (start, end))
    far = moved.abs() > _NEAR * (start.abs() + end.abs()).clamp(min=1.0)
    slope = (value - base)[:, None] / moved
    if anew(front):
        slope = slope.masked_fill(moved == 0, 0.0)
    elif not bool(far.all()):
        steps = [(front.slopes([start + t * moved], weights)[0][0], p) for t, p in zip(nodes, portions, strict=True)]
        slope = torch.where(far, slope, torch.stack([p * part for part, p in steps]).sum(0))
    return slope, base, value - base - (slope * moved).sum(1)


class _Chosen(torch.autograd.Function):
    """A value with given slopes."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, out: Tensor, back: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.back = back
        return out.clone()

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:
        return ctx.back(slope), None, None


def _quadrature(front: Front, rows: Tensor, weights: Tensor, n: int, any_rows: bool) -> tuple[Tensor, Tensor, Tensor]:
    nodes, portions = (torch.as_tensor(a).to(rows) for a in legendre(n))
    units = [terms.units(nodes) for terms in front.terms]
    slopes = [torch.empty_like(unit) for unit in units]
    stills = [unit[0] == unit[-1] for unit in units]  # whose slopes do not count, infinite ones neither
    together = n if any_rows and sum(unit.numel() for unit in units) <= _TOGETHER else 1
    for q in range(0, n, together):
        some = slice(q, q + together)
        found, _ = front.slopes([unit[some].flatten(0, 1) for unit in units], weights.repeat(together, 1))
        for slope, part, still in zip(slopes, found, stills, strict=True):
            part = part.unflatten(0, (together, -1))
            # NaN is the steepness of a root at 0 times how fast a distance rises there: not at all.
            unseen = (still & ~part.isfinite()) | part.isnan()
            torch.mul(part, portions[some, None, None], out=slope[some]).masked_fill_(unseen, 0.0)
    phi = front.gather([t.shares(s, nodes) for t, s in zip(front.terms, slopes, strict=True)], rows)
    ends = torch.tensor([0.0, 1.0], dtype=rows.dtype, device=rows.device)
    both = [terms.units(ends) for terms in front.terms]
    base, value = ((front.run([unit[k] for unit in both]) * weights).sum(1) for k in (0, 1))
    return phi, base, value - base - phi.sum(1)


@functools.cache
def legendre(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of Gauss and Legendre on [0, 1]."""
    x, w = np.polynomial.legendre.leggauss(n)
    return (x + 1) / 2, w / 2
