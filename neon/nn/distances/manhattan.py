"""Manhattan distances to centers, and their relevance feature by feature."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from neon.lrp.message import ROUNDING, Ledger, Message, divide
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.paths.terms import Background, StraightTerms, Terms
from neon.lrp.recording.tape import Operation, Retention
from neon.lrp.rules import Hybrid, Rule
from neon.nn.distances.layers import manhattan_layers
from neon.nn.layer import Layer, operation
from neon.nn.linear.layers import plain_linear
from neon.nn.terms.exponential import exponential_terms

__all__ = ["ManhattanDistance", "blocks", "manhattan_distance"]

_BLOCK = 2**16  # differences at a time: what stays in the processor's cache is not fetched twice


@operation
def manhattan_distance(x: Tensor, centers: Tensor) -> Tensor:
    """``d_j = Σ_i |x_i - u_ji|``; x : (n_samples, n_features), centers ``u`` : (n_centers, n_features).

    Returns
    -------
    Tensor
        (n_samples, n_centers)
    """
    return torch.cdist(x, centers, p=1.0)


class ManhattanDistance(Layer, of=manhattan_distance):
    """`manhattan_distance` to fixed centers."""

    centers: Tensor

    def extra_repr(self) -> str:
        return f"{self.centers.shape[1]} → {self.centers.shape[0]}"

    def spelled_out(self, n_inputs: int) -> list[torch.nn.Module]:
        return manhattan_layers(self.centers)

    def relu(self, n_inputs: int) -> list[torch.nn.Module]:
        """``|a| = ReLU(a) + ReLU(-a)``."""
        eye, u = torch.eye(n_inputs).repeat(len(self.centers), 1), self.centers.flatten()
        total = torch.eye(len(self.centers)).repeat_interleave(n_inputs, 1)
        differences = plain_linear(torch.cat([eye, -eye]), torch.cat([-u, u]))
        return [differences, torch.nn.ReLU(), plain_linear(total.repeat(1, 2))]


class _ManhattanDistance(Treatment):
    """``R_i = Σ_j s_j |x_i - u_ji|`` with slopes ``s_j = R_j / d_j``; on a center (0 / 0) the residual ``exact_hit``.

    Relative to reference rows b: ``R_i = Σ_j s_j (|x_i - u_ji| - mean_b |b_i - u_ji|)``.
    """

    kind = "distance"
    retention = Retention(inputs=True)

    def check(self, call: Call, rule: Rule | None) -> None:
        if isinstance(rule, Hybrid):
            raise TypeError("Hybrid() fits squared distances only; give Manhattan distances another rule")

    def nonnegative(self, call: Call) -> bool:
        return True

    def takes_reference(self, operation: Operation) -> bool:
        return True

    def terms(self, call: Call, rule: Rule | None, x: Tensor, background: Background) -> Terms | None:
        _, centers = call.bound(lambda _: x)
        end = manhattan_distance(x, centers)
        return exponential_terms(call, x, background, centers, 1, end) or _ManhattanTerms(
            call.output, x, background, centers, end
        )

    def propagate(
        self, call: Call, messages: tuple[Message | None, ...], rule: Rule | None, ledger: Ledger
    ) -> tuple[Message | None, ...]:
        (message,) = messages
        assert message is not None
        x, centers = call.bound()
        if message.slope is not None:
            s = message.slope
        else:
            d, d_ref = call.value(call.output), call.reference(call.output)
            # What scalings before leave of a zero is rounding: a row this close, next to its mean distance, is a hit.
            hit = d <= ROUNDING * torch.finfo(d.dtype).eps * d.mean(1, keepdim=True)
            difference = d.masked_fill(hit, 0.0) if d_ref is None else d - d_ref
            s = divide(message.relevance, difference)
            if ledger.enabled:
                name = "exact_hit" if d_ref is None else "stabilizer"
                ledger.absorb(name, message.relevance * (difference == 0))
        r = _weighted(x, centers, s)
        if call.references is not None:
            rows = call.references[call.inputs[0]]
            r.addmm_(s, _mean(rows, rows.new_full((len(rows),), 1 / len(rows)), centers), alpha=-1)
        return (Message.of_relevance(r),)

    def at_reference(self, call: Call, values: dict[int, Tensor]) -> tuple[Tensor, ...]:
        return (manhattan_distance(*call.bound(values.__getitem__)).mean(0, keepdim=True),)


class _ManhattanTerms(StraightTerms):
    """Terms ``|x_i - u_ji|``."""

    joint = True

    def __init__(self, slot: int, x: Tensor, background: Background, centers: Tensor, end: Tensor) -> None:
        self.x, self.centers = x, centers
        rows, weights = background.rows, background.weights
        self.absent = background.memo(("manhattan", slot), lambda: _mean(rows, weights, centers))
        super().__init__(slot, self.absent.sum(1)[None], end)

    def integrated(self, slopes: Tensor) -> Tensor:
        return _weighted(self.x, self.centers, slopes).addmm_(slopes, self.absent, alpha=-1)


def _weighted(x: Tensor, centers: Tensor, weights: Tensor) -> Tensor:
    """``Σ_j weights_j |x_i - u_ji|``, weights : (n_samples, n_centers), a block of rows and centers at a time."""
    r = torch.zeros_like(x)
    space = x.new_empty(0)  # written over and over: fresh memory costs more than arithmetic
    for rows, columns in blocks(len(x), *centers.shape):
        parts = torch.sub(x[rows, None], centers[columns], out=space.resize_(0)).abs_()
        r[rows] += (weights[rows, None, columns] @ parts)[:, 0]
    return r


def blocks(n_rows: int, n_centers: int, n_features: int) -> Iterator[tuple[slice, slice]]:
    """Blocks of rows and centers with at most ``_BLOCK`` differences each (or one row's from one center)."""
    columns = max(1, min(n_centers, _BLOCK // n_features))
    rows = max(1, _BLOCK // (columns * n_features))
    for row in range(0, n_rows, rows):
        for column in range(0, n_centers, columns):
            yield slice(row, row + rows), slice(column, column + columns)


def _mean(rows: Tensor, weights: Tensor, centers: Tensor) -> Tensor:
    """``Σ_b w_b |b_i - u_ji|``, (n_centers, n_features): of sorted numbers, the sums up to each tell the distances."""
    b, order = rows.T.sort()  # (n_features, n_rows)
    w = weights[order]
    middle = rows.mean(0)[:, None]
    sums, shares = ((b - middle) * w).cumsum(1), w.cumsum(1)
    u = centers.T.contiguous()
    below = torch.searchsorted(b.contiguous(), u)
    last, none = (below - 1).clamp_(min=0), below == 0
    sums_below = sums.gather(1, last).masked_fill_(none, 0.0)
    share_below = shares.gather(1, last).masked_fill_(none, 0.0)
    return ((2 * share_below - shares[:, -1:]) * (u - middle) + sums[:, -1:] - 2 * sums_below).T


treat(manhattan_distance, by=_ManhattanDistance())
