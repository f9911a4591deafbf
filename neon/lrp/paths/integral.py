"""Relevance integrated along the way on which features are switched on together, from reference rows to the row.

``φ_i = ∫₀¹ Σ_j ∂g/∂u_j(u(t)) ∂u_j/∂t_i dt`` for ``f(x) = g(u(x))`` with units u made of terms of single features
(`neon.lrp.paths.terms`): ``Σ_i φ_i = f(x) - g(u(0))``. Where g is linear in the units these are their Shapley values;
elsewhere the values of Aumann and Shapley (1974): integrated gradients (Sundararajan et al. 2017) in the space of
terms. The integrand at t = 1/2 is the Banzhaf value (Owen 1975): every set of other features counts the same.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neon.errors import UnsupportedOperationError
from neon.lrp.message import Ledger
from neon.lrp.paths.front import Front, front_of
from neon.lrp.paths.terms import Background
from neon.lrp.propagate import BackwardStep, Walk

__all__ = ["NODES", "Integral", "integrate", "legendre"]

# Nodes of Gauss and Legendre: rows that the first leave a residual to get the next, and so on.
NODES = 8
_MORE_NODES = (16, 32, 64)
_MORE_NODES_OF_A_START = (16,)  # from each reference row: what one misses, the mean over many does not
_TOLERANCE = 1e-10  # of the largest relevance
_NEAR = 1e-2  # units closer to their start, relatively where they are large, have no accurate secant


@dataclass(eq=False)
class Integral:
    """The path rule, for the rows of one network after the other.

    Parameters
    ----------
    rows : Tensor (n_rows, n_features)
        Reference rows.
    weights : Tensor (n_rows,)
        Adding up to 1.
    start : str
        What they are, in words; empty where the caller gave them.
    relative : bool
        Whether the value that relevance is relative to stands apart; otherwise it is the residual ``expectation``.
    everywhere : bool
        Whether relevance by other rules, where this one does not fit, is relative to the rows as well.
    fitting : bool, optional
        What `fits` found.
    joint : bool
        Whether each reference row is a start of its own, and the relevance is the mean over them; otherwise absent
        features bring their mean terms.
    players : Tensor (n_features,), optional
        Columns that are present or absent together, as `Background.players` says it.
    middle : bool
        Whether relevance is the integrand at t = 1/2, of networks that are linear in their units: Banzhaf values. They
        do not add up to ``f(x) - g(u(0))``.
    """

    rows: Tensor
    weights: Tensor
    joint: bool
    players: Tensor | None = None
    start: str = ""
    relative: bool = True
    everywhere: bool = True
    fitting: bool | None = None
    middle: bool = False
    backgrounds: list[dict[int, Background]] = field(default_factory=list)

    @classmethod
    def of(cls, composite: str, along: str, inputs: tuple[Tensor, ...], reference: Any) -> Integral:
        """From reference rows, or rows with weights; without any from the origin (trees: from their covers)."""
        if len(inputs) != 1 or inputs[0].ndim != 2 or not inputs[0].is_floating_point():
            raise ValueError(
                f"composite {composite!r} explains one input of rows and columns (n_samples, n_features), got "
                f"{', '.join(str(tuple(x.shape)) for x in inputs)}; take one of the other composites"
            )
        rows, weights = reference if isinstance(reference, tuple) else (reference, None)
        if rows is None:
            rows = inputs[0].new_zeros(1, inputs[0].shape[1])
        if weights is None:
            weights = rows.new_ones(len(rows))
        given = reference is not None
        start = "" if given else "the origin"
        return cls(rows, weights / weights.sum(), along == "rows", None, start, given, middle=along == "middle")

    def walk(
        self, steps: Sequence[BackwardStep], x: int, output: int, rows: Tensor, weights: Tensor, ledger: Ledger
    ) -> Walk:
        """Relevance of ``Σ_k weights_k f_k``, weights (n_samples, n_outputs), and what it is relative to."""
        whole, *single = self._starts(x)
        if self.middle:
            return self._middle(front_of(steps, x, output, rows, whole), rows, weights, ledger)
        if self.joint and self._each_row(front_of(steps, x, output, rows[:1], whole)):
            relevance, base, missed = torch.zeros_like(rows), rows.new_zeros(len(rows)), rows.new_zeros(len(rows))
            for portion, start in zip(self.weights, single, strict=True):
                found = integrate(_maker(steps, x, output, start), rows, weights, held=False)
                for total, part in zip((relevance, base, missed), found, strict=True):
                    total.add_(part, alpha=float(portion))
        else:
            relevance, base, missed = integrate(_maker(steps, x, output, whole), rows, weights, held=True)
        if ledger.enabled and bool((missed != 0).any()):
            ledger.absorb("quadrature", missed)
        return self._walk(relevance, base, ledger)

    def _middle(self, front: Front, rows: Tensor, weights: Tensor, ledger: Ledger) -> Walk:
        """Slopes in the middle, and by how much they are less than the mean ones of all features together."""
        phi, base, slopes = _linear(front, rows, weights)
        relevance = front.gather([t.middle(s) for t, s in zip(front.terms, slopes, strict=True)], rows)
        if ledger.enabled:
            ledger.absorb("banzhaf", (phi - relevance).sum(1))
        return self._walk(relevance, base, ledger)

    def _walk(self, relevance: Tensor, base: Tensor, ledger: Ledger) -> Walk:
        if self.relative:
            return Walk((relevance,), ledger, base=base)
        if ledger.enabled:
            ledger.absorb("expectation", base)
        return Walk((relevance,), ledger)

    def pairs(self, steps: Sequence[BackwardStep], x: int, output: int, rows: Tensor, weights: Tensor) -> Tensor:
        """Half the Shapley interactions of ``Σ_k weights_k f_k``, (n_samples, n_features, n_features).

        Raises
        ------
        ValueError
            If the network is not linear in its units: its values are then no Shapley values. Of Banzhaf values.
        """
        if self.middle:
            raise ValueError("interactions are Shapley interactions: take composite='shapley' or 'expected'")
        whole, *single = self._starts(x)
        front = front_of(steps, x, output, rows, whole)
        _check_linear("interactions", front, "leave interactions=False")
        if not self._each_row(front):
            return _pairs(front, rows, weights)
        total = rows.new_zeros(*rows.shape, rows.shape[1])
        for portion, start in zip(self.weights, single, strict=True):
            total.add_(_pairs(front_of(steps, x, output, rows, start), rows, weights), alpha=float(portion))
        return total

    def fits(self, steps: Sequence[BackwardStep], x: int, output: int, rows: Tensor) -> bool:
        """Whether slopes tell the network: where trees are counted by their covers, only if its output is their sum.

        Trees elsewhere take their rule, as other composites give it to them, unless the caller gave reference rows or
        each of these is a start. The same for any rows, and asked once.

        Raises
        ------
        UnsupportedOperationError
            If there are such rows, and trees read what others compute: these steps have no slopes.
        ValueError
            If the network is not linear in its units, and Banzhaf values are asked for.
        """
        if self.middle and self.fitting is None:
            front = front_of(steps, x, output, rows[:1], self._starts(x)[0])
            _check_linear("Banzhaf values", front, "take composite='shapley'")
            self.fitting = True
        if self.fitting is None:
            self.fitting = all(step.kind != "tree" for step in steps)
            if not self.fitting:
                rest = front_of(steps, x, output, rows[:1], self._starts(x)[0]).rest
                if not self.joint and self.start:
                    self.fitting = all(step.kind != "tree" and _kind(step) == "linear" for step in rest)
                elif any(step.kind == "tree" for step in rest):
                    raise UnsupportedOperationError(
                        "this composite integrates slopes, and trees that read what other estimators compute have "
                        "none; leave composite and reference out to explain this model by the trees' own rule"
                    )
                else:
                    self.fitting = True
        return self.fitting

    def words(self, steps: Sequence[BackwardStep], x: int, output: int, row: Tensor) -> str:
        """What relevance is, and of which game."""
        front = front_of(steps, x, output, row, self._starts(x)[0])
        kinds = {_kind(step) for step in front.rest}
        exact, joint = kinds <= {"linear"}, self._each_row(front) or front.joint
        game = "Banzhaf" if self.middle else "Shapley"
        what = f"{game} values (exact)" if exact else "Aumann-Shapley values"
        if not exact and _is_exact(front, held=not self.joint):
            what = "Aumann-Shapley values (exact)"
            if not _lines(front):
                what = "Shapley values (exact) of the alternative that is closest at the row"
            elif _anew(front):
                what = "Aumann-Shapley values, the neighbours not taken as given but found anew along the way"
        elif not exact and _one_line(front):
            what = "Aumann-Shapley values (exact)"
        if any(terms.apart for terms in front.terms):
            what += " of the columns that features are encoded as, added up"
        if self.start:
            return f"{what} from {next((terms.holds for terms in front.terms if terms.holds), self.start)}"
        drawn = "drawn together" if joint and (self.joint or exact) else "each drawn by itself"
        n = len(self.rows)
        return (
            f"{what} from the reference row" if n == 1 else f"{what}, absent features {drawn} from {n} reference rows"
        )

    def _each_row(self, front: Front) -> bool:
        """Whether each reference row is integrated from by itself: one formula for all of them is as good elsewhere."""
        return self.joint and not (front.joint and all(_kind(step) == "linear" for step in front.rest))

    def _starts(self, x: int) -> list[dict[int, Background]]:
        """The reference rows all together, and one by one, by slot."""
        if not self.backgrounds:
            one = torch.ones_like(self.weights[:1])
            parts = [Background(row[None], one, players=self.players) for row in self.rows] if self.joint else []
            whole = Background(self.rows, self.weights, not self.start, self.players)
            self.backgrounds = [{x: part} for part in (whole, *parts)]
        return self.backgrounds


def _check_linear(what: str, front: Front, advice: str) -> None:
    """Refuse networks that are not linear in their units."""
    curved = [step.call.operation.name for step in front.rest if _kind(step) != "linear"]
    if curved:
        raise ValueError(
            f"{what} are of sums of kernels, trees and quadratic forms, but this model's output is no linear map of "
            f"them ({', '.join(dict.fromkeys(curved))}); {advice}"
        )


def _linear(front: Front, rows: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
    """Of a front that is linear in its units: relevance, what it is relative to, and the slopes of the units."""
    starts = [terms.units(rows.new_zeros(1))[0] for terms in front.terms]
    slopes, at_start = front.slopes(starts, weights)
    phi = front.gather([t.integrated(s) for t, s in zip(front.terms, slopes, strict=True)], rows)
    return phi, (at_start * weights).sum(1), slopes


def _maker(
    steps: Sequence[BackwardStep], x: int, output: int, start: MutableMapping[int, Background]
) -> Callable[[Tensor], Front]:
    return lambda rows: front_of(steps, x, output, rows, start)


def integrate(
    make: Callable[[Tensor], Front], rows: Tensor, weights: Tensor, *, held: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Relevance (n_samples, n_features), its base (n_samples,) and what the quadrature missed (n_samples,).

    Parameters
    ----------
    make : callable
        The front of some rows.
    weights : (n_samples, n_outputs)
        What is explained: ``Σ_k weights_k f_k``.
    held : bool
        Whether a minimum over units that are no straight lines stays with the one that is smallest at the row.
    """
    front = make(rows)
    if not front.rest:  # the output is a layer of units
        (terms,) = front.terms
        base = (terms.units(rows.new_zeros(1))[0] * weights).sum(1)
        return front.gather([terms.integrated(weights)], rows), base, torch.zeros_like(base)
    if _is_exact(front, held=held):
        return _exact(front, rows, weights)
    if _one_line(front):
        return _along_secant(make, front, rows, weights)
    phi, base, missed = _quadrature(front, rows, weights, NODES)
    for n in _MORE_NODES if held else _MORE_NODES_OF_A_START:
        worst = (missed.abs() > _TOLERANCE * phi.abs().amax(1)).nonzero()[:, 0]
        if not len(worst):
            break
        some = rows[worst]
        phi[worst], _, missed[worst] = _quadrature(make(some), some, weights[worst], n)
    return phi, base, missed


def _pairs(front: Front, rows: Tensor, weights: Tensor) -> Tensor:
    """Of columns that the layers read, added up to those of the input's; pairs of two columns of one are its own."""
    slopes, _ = front.slopes([terms.end for terms in front.terms], weights)
    found = rows.new_zeros(*rows.shape, rows.shape[1])
    for terms, slope, source in zip(front.terms, slopes, front.sources, strict=True):
        owned = source >= 0
        part = terms.pairs(slope)[:, owned][:, :, owned]
        half = rows.new_zeros(len(rows), rows.shape[1], part.shape[2]).index_add_(1, source[owned], part)
        found.index_add_(2, source[owned], half)
    return found.masked_fill_(torch.eye(rows.shape[1], dtype=torch.bool, device=rows.device), 0.0)


def _is_exact(front: Front, *, held: bool) -> bool:
    """Whether g is linear in the units, or chooses once among straight lines or what is held at the row."""
    kinds = [_kind(step) for step in front.rest]
    if "curved" in kinds or not _one_choice(front.rest, kinds):
        return False
    return "choice" not in kinds or _lines(front) or (held and not _anew(front))


def _lines(front: Front) -> bool:
    """Whether what is chosen from are straight lines."""
    looked_up = {slot for step in front.rest if step.treatment.looks for slot in step.call.inputs}
    terms = [terms for terms in front.terms if terms.slot not in looked_up]
    if all(unit.straight for unit in terms):
        return True
    chosen = {step.treatment.chooses(step.call) for step in front.rest} - {""}
    return len(terms) == 1 and terms[0].alike and chosen == {"differences"}


def _anew(front: Front) -> bool:
    """Whether something is chosen that must be chosen anew along the way: who is near."""
    return any(step.treatment.chooses(step.call) and not step.treatment.held for step in front.rest)


def _kind(step: BackwardStep) -> str:
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
        if _kind(step) != "choice":
            return None
        starts[id(step)] = x = value(step.call.inputs[0])
        return step.treatment.chosen(step.call, x)

    at_start = front.run([unit[0] for unit in both], keep)

    def choose(step: BackwardStep, value: Callable[[int], Tensor]) -> Tensor | None:
        if _kind(step) != "choice":
            return None
        x = value(step.call.inputs[0])
        start = starts[id(step)].expand_as(x) if _lines(front) else x.detach()
        (out,) = step.call.operation.run(lambda slot: value(slot).detach())
        return _Chosen.apply(x, out, lambda slope: step.treatment.along(step.call, slope, start, x.detach()))

    slopes, output = front.slopes([unit[1] for unit in both], weights, choose)
    phi = front.gather([t.integrated(s) for t, s in zip(front.terms, slopes, strict=True)], rows)
    if (_lines(front) and not _anew(front)) or not starts:
        base = (at_start * weights).sum(1)
        return phi, base, torch.zeros_like(base)
    moved = [(s * (unit[1] - unit[0])).sum(1) for s, unit in zip(slopes, both, strict=True)]
    less = (output * weights).sum(1) - torch.stack(moved).sum(0)
    if not _anew(front):  # of the held choices: f(x) less what the units moved
        return phi, less, torch.zeros_like(less)
    base = (at_start * weights).sum(1)
    return phi, base, less - base


def _one_line(front: Front) -> bool:
    """Whether all is a function of one unit that is a straight line."""
    return len(front.terms) == 1 and front.terms[0].straight and front.terms[0].end.shape[1] == 1


def _along_secant(
    make: Callable[[Tensor], Front], front: Front, rows: Tensor, weights: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The mean slope of a function g of one unit is ``(g(u(1)) - g(u(0))) / (u(1) - u(0))``."""
    (terms,) = front.terms
    start, end = terms.units(torch.tensor([0.0, 1.0], dtype=rows.dtype, device=rows.device))
    (slope,), at_start = front.slopes([start.expand_as(end)], weights)
    base, value = (at_start * weights).sum(1), (front.run([end]) * weights).sum(1)
    moved = end - start
    near = (moved.abs() <= _NEAR * (start.abs() + end.abs()).clamp(min=1.0))[:, 0]
    phi = front.gather([terms.integrated(torch.where(near[:, None], slope, (value - base)[:, None] / moved))], rows)
    missed = torch.zeros_like(base)
    if bool(near.any()):
        phi[near], _, missed[near] = _quadrature(make(rows[near]), rows[near], weights[near], NODES)
    return phi, base, missed


class _Chosen(torch.autograd.Function):
    """A value with given slopes."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, out: Tensor, back: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.back = back
        return out.clone()

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:
        return ctx.back(slope), None, None


def _quadrature(front: Front, rows: Tensor, weights: Tensor, n: int) -> tuple[Tensor, Tensor, Tensor]:
    nodes, portions = (torch.as_tensor(a).to(rows) for a in legendre(n))
    units = [terms.units(nodes) for terms in front.terms]
    slopes = [torch.empty_like(unit) for unit in units]
    stills = [unit[0] == unit[-1] for unit in units]  # whose slopes do not count, infinite ones neither
    for q in range(n):
        found, _ = front.slopes([unit[q] for unit in units], weights)
        for slope, part, still in zip(slopes, found, stills, strict=True):
            torch.mul(part, portions[q], out=slope[q]).masked_fill_(still & ~part.isfinite(), 0.0)
    phi = front.gather([t.shares(s, nodes) for t, s in zip(front.terms, slopes, strict=True)], rows)
    ends = torch.tensor([0.0, 1.0], dtype=rows.dtype, device=rows.device)
    both = [terms.units(ends) for terms in front.terms]
    base, value = ((front.run([unit[k] for unit in both]) * weights).sum(1) for k in (0, 1))
    walked = [(s * t.rates(nodes)).sum((0, 2)) for t, s in zip(front.terms, slopes, strict=True)]
    return phi, base, value - base - torch.stack(walked).sum(0)


def legendre(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of Gauss and Legendre on [0, 1]."""
    x, w = np.polynomial.legendre.leggauss(n)
    return (x + 1) / 2, w / 2
