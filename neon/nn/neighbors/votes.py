"""Votes of the nearest neighbours: the class that most of them belong to, and the odds where near ones count more."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from neon.lrp.message import Ledger, Message
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.recording.tape import Retention
from neon.lrp.rules import Rule
from neon.nn.layer import operation
from neon.nn.neighbors.search import Neighborhood, Search, following

__all__ = ["MajorityEvidence", "VoteOdds", "majority_evidence", "vote_odds"]

_STEPS = 2.0**40  # that the largest distance has, for telling apart what differs by more than rounding


@operation
def majority_evidence(d: Tensor, index: Tensor, weights: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    """``e_c = d_rest^(k - r + 1) - d_c^(r)``: where enough votes against c are reached, less where it has enough.

    ``d^(r)`` is the r-th smallest distance, the k neighbours' before all others'. Class c has at least r of the k votes
    exactly if ``e_c ≥ 0``. Of two classes the first needs ``r = ⌈k/2⌉`` votes to win and the second, which loses ties,
    ``⌊k/2⌋ + 1``; of more classes each needs as many as its strongest rival has in that row (one more than a rival that
    comes before it has). Where the distances tie, the winner has the smallest number above 0.

    Parameters
    ----------
    d : (n_samples, n_points)
        Distances.
    index, weights : (n_samples, k)
        The neighbours (`neighbors_of`); weights do not count.
    labels : Tensor of int (n_points,)
        The classes of the points.
    n_classes : int

    Returns
    -------
    Tensor
        (n_samples, n_classes)
    """
    k = index.shape[1]
    near = _nearest(d, index.long(), labels, n_classes, 2 * k - 1)
    needed = _needed(near.labels[:, :k], n_classes)
    kth, columns = near.d[:, k - 1 : k].amax(1), []
    for c in range(n_classes):
        own, r = near.labels == c, needed[:, c]
        columns.append(_at_rank(near.d, ~own, k - r + 1, kth) - _at_rank(near.d, own, r, kth))
    e = torch.stack(columns, 1)
    votes = _counts(near.labels[:, :k], n_classes)
    first = votes * n_classes - torch.arange(n_classes, device=d.device)  # of equal counts the first one is largest
    won = torch.zeros_like(e).scatter_(1, first.argmax(1, keepdim=True), 1.0) > 0
    return torch.where(won, e.clamp(min=torch.finfo(e.dtype).tiny), e.clamp(max=0.0))


class _ByNearness(NamedTuple):
    """The nearest points of every class, the neighbours first, each part sorted: (n_samples, n_candidates) each."""

    d: Tensor  # never falling: rounding must not tell apart what the search took for the same
    columns: Tensor
    labels: Tensor


def _nearest(d: Tensor, index: Tensor, labels: Tensor, n_classes: int, depth: int) -> _ByNearness:
    inside = torch.zeros_like(d, dtype=torch.bool).scatter_(1, index, True)
    # What ties, but for rounding, is the same: its order must not depend on the other rows of a batch.
    snapped = (d * (_STEPS / d.amax(1, keepdim=True).clamp(min=torch.finfo(d.dtype).tiny))).round_()
    key = snapped.masked_fill(inside, -1.0)  # neighbours are candidates, however many are as near
    found = []
    for c in range(n_classes):
        of = (labels == c).nonzero()[:, 0]
        found.append(of[key[:, of].topk(min(len(of), depth), 1, largest=False).indices])
    columns = torch.cat(found, 1)
    columns = columns.gather(1, snapped.gather(1, columns).argsort(dim=1, stable=True))
    columns = columns.gather(1, (~inside.gather(1, columns)).to(torch.uint8).argsort(dim=1, stable=True))
    return _ByNearness(d.gather(1, columns).cummax(1).values, columns, labels[columns])


def _counts(votes: Tensor, n_classes: int) -> Tensor:
    """How many votes each class has, (n_samples, n_classes); votes : (n_samples, k) labels."""
    return votes.new_zeros(len(votes), n_classes).scatter_add_(1, votes, torch.ones_like(votes))


def _needed(votes: Tensor, n_classes: int) -> Tensor:
    """How many votes each class needs to win: (n_samples, n_classes); votes : (n_samples, k) labels."""
    n, k = votes.shape
    if n_classes == 2:
        return votes.new_tensor([(k + 1) // 2, k // 2 + 1]).expand(n, 2)
    counts = _counts(votes, n_classes)
    none = votes.new_zeros(n, 1)
    before = torch.cat([none, counts.cummax(1).values[:, :-1] + 1], 1)
    after = torch.cat([counts.flip(1).cummax(1).values.flip(1)[:, 1:], none], 1)
    return torch.maximum(before, after).clamp(1, k)


def _at_rank(d: Tensor, side: Tensor, rank: Tensor, kth: Tensor) -> Tensor:
    """The distance at which a side has as many points as its rank says.

    A side that has fewer takes its last one, or the k-th of all if that is farther: it can then not win.
    """
    counts = side.cumsum(1)
    farthest = torch.where(side & (counts <= rank[:, None]), d, -torch.inf).amax(1)
    return torch.where(counts[:, -1] >= rank, farthest, torch.maximum(farthest, kth))


class MajorityEvidence(Neighborhood, of=majority_evidence):
    """`majority_evidence` of fixed labels; distance, search : see `Neighborhood`."""

    index_names = ("labels",)
    labels: Tensor
    n_classes: int

    def __init__(
        self, distance: list[torch.nn.Module], search: Search, labels: ArrayLike, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(distance, search, torch.as_tensor(np.asarray(labels, dtype=np.int64)), *args, **kwargs)

    def extra_repr(self) -> str:
        return f"votes of neighbors, {len(self.labels)} → {self.n_classes}"


class _MajorityEvidence(Treatment):
    """Relevance goes to the mean distance over a window of ranks around the one that decides (Bley et al. 2025).

    The window of rank r is 1, ..., 2r - 1, as far as the side has points. What the means leave of the evidence is
    ``pooling``.
    """

    retention = Retention(inputs=True)

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> tuple[Message | None, ...]:
        d, index, _, labels, n_classes = call.bound()
        index, e, k = index.long(), call.value(call.output), index.shape[1]
        s = call.slope(message, ledger)
        near = _nearest(d, index, labels, n_classes, 2 * k - 1)
        needed = _needed(near.labels[:, :k], n_classes)
        slope, lost = torch.zeros_like(d), s.new_zeros(len(s))
        for c in range(n_classes):
            rows = s[:, c].nonzero()[:, 0]
            here = _ByNearness(*(part[rows] for part in near))
            own, r = here.labels == c, needed[rows, c]
            weights = _window(~own, k - r + 1, d) - _window(own, r, d)
            slope[rows] = slope[rows].scatter_add(1, here.columns, s[rows, c, None] * weights)
            lost[rows] += s[rows, c] * (e[rows, c] - (weights * d[rows].gather(1, here.columns)).sum(1))
        if ledger.enabled:
            ledger.absorb("pooling", lost)
        return (Message.of_slope(slope), None, None)


def _window(side: Tensor, rank: Tensor, like: Tensor) -> Tensor:
    """Equal weights over the ranks 1, ..., 2 rank - 1 of one side's points, adding up to 1."""
    within = (side & (side.cumsum(1) < 2 * rank[:, None])).to(like)
    return within / within.sum(1, keepdim=True)


@operation
def vote_odds(
    d: Tensor, index: Tensor, lengths: Tensor, labels: Tensor, n_classes: int, root: float, floor: float
) -> Tensor:
    """``log Σ_{j in c} 1/l_j - log Σ_{j not in c} 1/l_j`` over the k neighbours: log-odds of votes by nearness.

    Where some neighbours are where the row is, these alone vote. A side that has no vote is represented by its k
    nearest points, so that the odds stay finite where the vote is unanimous; they are above 0 for a class that has all
    votes, below 0 for one that has none.

    Parameters
    ----------
    d : (n_samples, n_points)
        Distances.
    index, lengths : (n_samples, k)
        The neighbours and how far the model finds them (`neighbors_of`).
    labels : Tensor of int (n_points,)
        The classes of the points.
    root : float
        What takes d to lengths: 1 for a distance, 1/2 for a squared one.
    floor : float
        Points whose d is not above are where the row is; values of d below count as this one.

    Returns
    -------
    Tensor
        (n_samples, n_classes)
    """
    near, k = _nearest(d, index.long(), labels, n_classes, index.shape[1]), index.shape[1]
    hit = (lengths <= floor**root) & (index >= 0)
    votes = torch.where(hit.any(1, keepdim=True), hit, True)
    own = d.gather(1, index.long().clamp(min=0))
    log_lengths = torch.where(hit, math.log(floor) * root, lengths.log())
    log_lengths = following(log_lengths, own, torch.where(hit, 0.0, root / own.detach().clamp(min=floor)))
    columns, chosen = [], labels[index.long()]
    log_near = root * near.d.clamp(min=floor).log()
    for c in range(n_classes):
        sides = []
        for voting, standing in ((chosen == c, near.labels == c), (chosen != c, near.labels != c)):
            voting = voting & votes
            stand_in = _log_sum(-log_near, standing & (standing.cumsum(1) <= k))
            sides.append(torch.where(voting.any(1), _log_sum(-log_lengths, voting), stand_in))
        columns.append(sides[0] - sides[1])
    return torch.stack(columns, 1)


def _log_sum(log_votes: Tensor, side: Tensor) -> Tensor:
    return log_votes.masked_fill(~side, -torch.inf).logsumexp(1)


class VoteOdds(MajorityEvidence, of=vote_odds):
    """`vote_odds` of fixed labels; distance, search : see `Neighborhood`."""


class _VoteOdds(Treatment):
    """Relevance goes to the k nearest i of the class and j of the rest: ``p_i q_j r (log d_j - log d_i)`` for a pair.

    p and q are ``∝ d^-r`` and add up to 1 on each side, r the root. A logarithm of distances is shared as their
    difference is, ``log d_j - log d_i = (d_j - d_i) / L``, L the logarithmic mean: no unit of length matters. What the
    pairs leave of the odds, such as how many votes there are, is ``pooling``.
    """

    retention = Retention(inputs=True)

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> tuple[Message | None, ...]:
        d, index, _, labels, n_classes, root, floor = call.bound()
        index, e, k = index.long(), call.value(call.output), index.shape[1]
        s = call.slope(message, ledger)
        near = _nearest(d, index, labels, n_classes, k)
        relevance, lost = torch.zeros_like(d), s.new_zeros(len(s))
        for c in range(n_classes):
            rows = s[:, c].nonzero()[:, 0]
            here = _ByNearness(*(part[rows] for part in near))
            distance = here.d.clamp(min=floor)
            log_votes = -root * distance.log()
            p, q = (
                log_votes.masked_fill(~(side & (side.cumsum(1) <= k)), -torch.inf).softmax(1)
                for side in (here.labels == c, here.labels != c)
            )
            # At most k points of a side vote: pairs of these, not of all candidates of all classes.
            (p_k, i), (q_k, j) = (side.topk(min(k, side.shape[1]), 1) for side in (p, q))
            inverse = _inverse_log_mean(distance.gather(1, i), distance.gather(1, j))
            slope = torch.zeros_like(distance).scatter_add(1, j, q_k * (p_k[:, None] @ inverse)[:, 0])
            slope = slope.scatter_add(1, i, -p_k * (inverse @ q_k[..., None])[..., 0])
            parts = root * s[rows, c, None] * slope * distance
            relevance[rows] = relevance[rows].scatter_add(1, here.columns, parts)
            lost[rows] += s[rows, c] * (e[rows, c] - ((p - q) * log_votes).sum(1))
        if ledger.enabled:
            ledger.absorb("pooling", lost)
        return (Message.of_relevance(relevance), None, None)


def _inverse_log_mean(a: Tensor, b: Tensor) -> Tensor:
    """``(log b_j - log a_i) / (b_j - a_i)`` of all pairs, ``1 / a_i`` in the limit; (n, k), (n, m) -> (n, k, m)."""
    low, high = torch.minimum(a[..., None], b[:, None]), torch.maximum(a[..., None], b[:, None])
    gap = high - low
    return torch.where(gap > 0, torch.log1p(gap / low) / gap, 1 / low)


treat(majority_evidence, by=_MajorityEvidence())
treat(vote_odds, by=_VoteOdds())
