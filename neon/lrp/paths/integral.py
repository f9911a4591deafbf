"""Relevance integrated along the way on which features are switched on together, from reference rows to the row.

``φ_i = ∫₀¹ Σ_j ∂g/∂u_j(u(t)) ∂u_j/∂t_i dt`` for ``f(x) = g(u(x))`` with units u made of terms of single features
(`neon.lrp.paths.terms`): ``Σ_i φ_i = f(x) - g(u(0))``. Where g is linear in the units these are their Shapley values;
elsewhere the values of Aumann and Shapley (1974): integrated gradients (Sundararajan et al. 2017) in the space of
terms. The integrand at t = 1/2 is the Banzhaf value (Owen 1975): every set of other features counts the same.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from neon.errors import UnsupportedOperationError
from neon.lrp.message import Ledger
from neon.lrp.paths.front import Front, as_columns, front_of
from neon.lrp.paths.mean_slopes import (
    Which,
    anew,
    from_each_row,
    holds_choice,
    integrate,
    is_exact,
    kind_of,
    linear,
    lines,
    one_line,
)
from neon.lrp.paths.terms import Background, RowByRow
from neon.lrp.propagate import BackwardStep, Walk

__all__ = ["Integral", "StartKind"]

# What trees counted; each reference row by itself; one point, and there the alternative closest at the row; one point.
StartKind = Literal["covers", "each row", "held choice", "mean terms"]

_FEW = 512  # rows times reference rows, that pass at once: more have nothing to gain
_MANY = 16  # reference rows: of these each has the same few nodes, so that what is explained stays linear in f


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
    chosen_of : int, optional
        How many rows these stand for.
    any_rows : bool
        Whether the network runs the same operations on any number of rows, as those of fitted models do. A few rows
        then pass from all reference rows, and at all nodes, at once.
    way : str, optional
        What `walk` found of the network.
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
    chosen_of: int | None = None
    any_rows: bool = False
    way: str | None = None
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

    @property
    def against_covers(self) -> bool:
        """Whether trees that stand alone are explained relative to the rows that they counted."""
        return bool(self.relative and self.start) and self.players is None and not (self.joint or self.middle)

    def walk(
        self, steps: Sequence[BackwardStep], x: int, output: int, rows: Tensor, weights: Tensor, ledger: Ledger
    ) -> Walk:
        """Relevance of ``Σ_k weights_k f_k``, weights shaped like the output, and what it is relative to."""
        weights = as_columns(weights)
        if not len(rows):  # of which some networks have no slopes
            return self._walk(torch.zeros_like(rows), rows.new_zeros(0), ledger)
        whole = self._starts(x)[0]
        if self.middle:
            return self._middle(front_of(steps, x, output, rows, whole), rows, weights, ledger)
        if self.way is None:
            self.way = self._way(steps, x, output, rows[:1])
        course = _Course(steps, x, output, rows, _left_out(steps))
        if self.way == "one unit":
            found = from_each_row(course.front(whole), rows, weights)
        elif self.way == "moments" and len(rows) * len(self.rows) <= _FEW:
            found = self._from_all(course, weights)
        elif self.way:
            found = self._from_each(course, weights)
        else:
            found = integrate(partial(course.front, whole), rows, weights, held=True, any_rows=self.any_rows)
        relevance, base, missed = found
        if course.left_out:
            at_start = (self.at_start(steps, x, output, rows[:1]) * weights).sum(1)
            base = _own_points(course.front(whole), base, relevance.sum(1) + missed, at_start, weights, ledger)
        if ledger.enabled and bool(missed.any()):
            ledger.absorb("quadrature", missed)
        return self._walk(relevance, base, ledger)

    def _way(self, steps: Sequence[BackwardStep], x: int, output: int, row: Tensor) -> str:
        """How reference rows are integrated from one by one; empty: they are not. The same for any rows.

        "one unit": the layer takes all of them, "moments": it takes one for each row, "rows": it takes one at a time.
        """
        whole, *single = self._starts(x)
        front = front_of(steps, x, output, row, whole)
        if not self._each_row(front):
            return ""
        if one_line(front) and front.terms[0].starts is not None:
            return "one unit"
        first = front_of(steps, x, output, row, single[0])
        return "moments" if self.any_rows and all(terms.moments for terms in first.terms) else "rows"

    def _from_each(self, course: _Course, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The mean over reference rows of what `integrate` gives from each, one after the other."""
        rows = course.rows
        found = torch.zeros_like(rows), rows.new_zeros(len(rows)), rows.new_zeros(len(rows))
        for portion, start in zip(self.weights, self._starts(course.x)[1:], strict=True):
            make = partial(course.front, start)
            parts = integrate(make, rows, weights, held=False, refine=self._refine, any_rows=self.any_rows)
            for total, part in zip(found, parts, strict=True):
                total.add_(part, alpha=float(portion))
        return found

    def _from_all(self, course: _Course, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The same at once: every row as often as there are reference rows, each time from another."""
        n = len(self.rows)
        starts, often = self.rows.repeat(len(course.rows), 1), course.repeated(n)

        def make(which: Which) -> Front:
            start = RowByRow(starts[which], self.weights, players=self.players)
            return often.front({course.x: start}, which)

        weights = weights.repeat_interleave(n, 0)
        parts = integrate(make, often.rows, weights, held=False, refine=self._refine, any_rows=True)
        phi, base, missed = (torch.einsum("r,kr...->k...", self.weights, part.unflatten(0, (-1, n))) for part in parts)
        return phi, base, missed

    @property
    def _refine(self) -> bool:
        return len(self.rows) < _MANY

    def _middle(self, front: Front, rows: Tensor, weights: Tensor, ledger: Ledger) -> Walk:
        """Slopes in the middle, and by how much they are less than the mean ones of all features together."""
        phi, base, slopes = linear(front, rows, weights)
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

    def at_start(self, steps: Sequence[BackwardStep], x: int, output: int, row: Tensor) -> Tensor:
        """The output where the way begins, (1, n_outputs); row : (1, n_features), any."""
        whole, *single = self._starts(x)
        if not (self.joint and self._each_row(front_of(steps, x, output, row, whole))):
            single, weights = [whole], torch.ones_like(self.weights[:1])
        else:
            weights = self.weights
        none = row.new_zeros(1)
        fronts = (front_of(steps, x, output, row, start) for start in single)
        values = [front.run([terms.units(none)[0] for terms in front.terms]) for front in fronts]
        return torch.einsum("r,rko->ko", weights, torch.stack(values))

    def kind_of_start(self, steps: Sequence[BackwardStep], x: int, output: int, row: Tensor) -> StartKind:
        """What relevance is relative to; row : (1, n_features), any."""
        front = front_of(steps, x, output, row, self._starts(x)[0])
        if self.start and any(terms.holds for terms in front.terms):
            return "covers"
        return "each row" if self._each_row(front) else "held choice" if holds_choice(front) else "mean terms"

    def interactions(
        self, steps: Sequence[BackwardStep], x: int, output: int, rows: Tensor, weights: Tensor, order: int
    ) -> Tensor:
        """Half the Shapley interactions of ``Σ_k weights_k f_k``, (n_samples, n_features, n_features).

        order : 2; or 3: a sixth of those of three features, on one more axis.

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
            return _interactions(front, rows, weights, order)
        total = rows.new_zeros(len(rows), *[rows.shape[1]] * order)
        for portion, start in zip(self.weights, single, strict=True):
            part = _interactions(front_of(steps, x, output, rows, start), rows, weights, order)
            total.add_(part, alpha=float(portion))
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
                    self.fitting = all(step.kind != "tree" and kind_of(step) == "linear" for step in rest)
                elif any(step.kind == "tree" for step in rest):
                    raise UnsupportedOperationError(
                        "this composite integrates slopes, and trees that read what other estimators compute have "
                        "none; leave composite and reference out to explain this model by the trees' own rule"
                    )
                else:
                    self.fitting = True
        return self.fitting

    def misses_choices(self, steps: Sequence[BackwardStep], x: int, output: int, row: Tensor) -> bool:
        """Whether neighbours are found anew along the way, and by what no formula tells when: slopes do not see that.

        row : (1, n_features), any.
        """
        front = front_of(steps, x, output, row, self._starts(x)[0])
        sought = any(not step.treatment.held for step in front.rest)
        return sought and not (is_exact(front, held=False) or one_line(front))

    def words(self, steps: Sequence[BackwardStep], x: int, output: int, row: Tensor) -> str:
        """What relevance is, and of which game."""
        front = front_of(steps, x, output, row, self._starts(x)[0])
        kinds = {kind_of(step) for step in front.rest}
        exact, joint = kinds <= {"linear"}, self._each_row(front) or front.joint
        game = "Banzhaf" if self.middle else "Shapley"
        what = f"{game} values (exact)" if exact else "Aumann-Shapley values"
        if not exact and is_exact(front, held=not self.joint):
            what = "Aumann-Shapley values (exact)"
            if not lines(front):
                what = "Shapley values (exact) of the alternative that is closest at the row"
            elif anew(front):
                what = "Aumann-Shapley values, the neighbours not taken as given but found anew along the way"
        elif not exact and one_line(front):
            what = "Aumann-Shapley values (exact)"
        if any(terms.apart for terms in front.terms):
            what += " of the columns that features are encoded as, added up"
        n, count = len(self.rows), str(len(self.rows))
        if self.start:
            start = self.start if self.chosen_of is None else f"{count} rows of {self.start}"
            return f"{what} from {next((terms.holds for terms in front.terms if terms.holds), start)}"
        drawn = "drawn together" if joint and (self.joint or exact) else "each drawn by itself"
        count = f"{count} of {self.chosen_of}" if self.chosen_of else count
        rows = f", absent features {drawn} from {count} reference rows"
        return what + (rows if n > 1 else " from the reference row")

    def _each_row(self, front: Front) -> bool:
        """Whether each reference row is integrated from by itself: one formula for all of them is as good elsewhere."""
        return self.joint and not (front.joint and all(kind_of(step) == "linear" for step in front.rest))

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
    curved = [step.call.operation.name for step in front.rest if kind_of(step) != "linear"]
    if curved:
        raise ValueError(
            f"{what} are of sums of kernels, trees and quadratic forms, but this model's output is no linear map of "
            f"them ({', '.join(dict.fromkeys(curved))}); {advice}"
        )


@dataclass(frozen=True, eq=False)
class _Course:
    """What a network does to some rows, wherever their way starts; left_out : as `Front.left_out`."""

    steps: Sequence[BackwardStep]
    x: int
    output: int
    rows: Tensor
    left_out: Mapping[int, Tensor]

    def front(self, start: MutableMapping[int, Background], which: Which = slice(None)) -> Front:
        left_out = {slot: out[which] for slot, out in self.left_out.items()}
        return front_of(self.steps, self.x, self.output, self.rows[which], start, left_out)

    def repeated(self, n: int) -> _Course:
        """With every row n times, one after the other."""
        left_out = {slot: out.repeat_interleave(n, 0) for slot, out in self.left_out.items()}
        return replace(self, rows=self.rows.repeat_interleave(n, 0), left_out=left_out)


def _left_out(steps: Sequence[BackwardStep]) -> dict[int, Tensor]:
    """`Front.left_out` of the recorded rows."""
    found = {step.call.output: step.treatment.left_out(step.call) for step in steps}
    return {slot: out for slot, out in found.items() if out is not None}


def _own_points(front: Front, base: Tensor, moved: Tensor, at_start: Tensor, weights: Tensor, ledger: Ledger) -> Tensor:
    """What rows are relative to, their own points counted; by how much these move the value is ``own_point``.

    base, moved : what the way without them starts from, and by how much the value changes along it
    """
    inside = torch.stack([out.any(1) for out in front.left_out.values()]).any(0)
    if ledger.enabled:
        whole = (replace(front, left_out={}).run([terms.end for terms in front.terms]) * weights).sum(1)
        ledger.absorb("own_point", torch.where(inside, (whole - at_start) - moved, 0.0))
    return torch.where(inside, at_start, base)


def _interactions(front: Front, rows: Tensor, weights: Tensor, order: int) -> Tensor:
    """Of columns that the layers read, added up to those of the input's; those within one column are its own."""
    slopes, _ = front.slopes([terms.end for terms in front.terms], weights)
    n = rows.shape[1]
    found = rows.new_zeros(len(rows), *[n] * order)
    for terms, slope, source in zip(front.terms, slopes, front.sources, strict=True):
        part, owned = terms.pairs(slope) if order == 2 else terms.triples(slope), source >= 0
        for axis in range(1, order + 1):
            shape = list(part.shape)
            shape[axis] = n
            kept = part.index_select(axis, owned.nonzero()[:, 0])
            part = part.new_zeros(shape).index_add_(axis, source[owned], kept)
        found += part
    same = torch.eye(n, dtype=torch.bool, device=rows.device)
    if order == 2:
        return found.masked_fill_(same, 0.0)
    return found.masked_fill_(same[:, :, None] | same[:, None] | same, 0.0)
