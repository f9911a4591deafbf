"""Manhattan distances to centers, and their relevance feature by feature."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from neon.lrp.operations import Call, treat
from neon.lrp.paths.terms import Background, StraightTerms, Terms
from neon.lrp.rules import Rule
from neon.nn.distances.additive import AdditiveTreatment, blocks
from neon.nn.distances.layers import manhattan_layers
from neon.nn.layer import Layer, operation
from neon.nn.linear.layers import plain_linear
from neon.nn.shapley.exponential import exponential_terms

__all__ = ["ManhattanDistance", "manhattan_distance"]


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


class _ManhattanDistance(AdditiveTreatment):
    """``R_i = Σ_j s_j |x_i - u_ji|``, by loops that need no memory for all differences."""

    def terms(self, call: Call, rule: Rule | None, x: Tensor, background: Background) -> Terms | None:
        _, centers = call.bound(lambda _: x)
        end = manhattan_distance(x, centers)
        return exponential_terms(call, x, background, centers, 1, end) or _ManhattanTerms(
            call.output, x, background, centers, end
        )

    def weighted(self, s: Tensor, x: Tensor, *others: Any) -> Tensor:
        return _weighted(x, others[0], s)

    def mean(self, rows: Tensor, *others: Any) -> Tensor:
        return _mean(rows, rows.new_full((len(rows),), 1 / len(rows)), others[0])


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
