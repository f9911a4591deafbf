"""Votes of the nearest neighbours: the class that most of them belong to, and the odds where near ones count more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from neon.lrp.message import Ledger, Message
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.rules import Rule
from neon.lrp.tape import Retention

__all__ = ["MajorityEvidence", "VoteOdds", "majority_evidence", "vote_odds"]


def majority_evidence(d: Tensor, sizes: Sequence[int], n_neighbors: int) -> Tensor:
    """``e_c = d_rest^(k - r + 1) - d_c^(r)``: where enough votes against c are reached, less where it has enough.

    ``d^(r)`` is the r-th smallest distance. Class c has at least r of the k votes exactly if ``e_c ≥ 0``. Of two
    classes the first needs ``r = ⌈k/2⌉`` votes to win and the second, which loses ties, ``⌊k/2⌋ + 1``; of more classes
    each needs as many as its strongest rival has in that row (one more than a rival that comes before it has).

    Parameters
    ----------
    d : (n_samples, n_points)
        Distances to the points, class by class.
    sizes : sequence of int
        How many points each class has.
    n_neighbors : int
        The k.

    Returns
    -------
    Tensor
        (n_samples, n_classes)
    """
    if has_torch_function((d,)):
        return handle_torch_function(majority_evidence, (d,), d, sizes, n_neighbors)
    near = _nearest(d, sizes, 2 * n_neighbors - 1)
    needed = _needed(near.labels[:, :n_neighbors], len(sizes))
    kth, columns = near.d[:, n_neighbors - 1], []
    for c in range(len(sizes)):
        own, r = near.labels == c, needed[:, c]
        columns.append(_at_rank(near.d, ~own, n_neighbors - r + 1, kth) - _at_rank(near.d, own, r, kth))
    return torch.stack(columns, 1)


class _Near(NamedTuple):
    """The nearest points of every class, sorted by distance: (n_samples, n_candidates) each."""

    d: Tensor
    columns: Tensor
    labels: Tensor


def _nearest(d: Tensor, sizes: Sequence[int], depth: int) -> _Near:
    found, columns, start = [], [], 0
    for part in d.split(list(sizes), 1):
        near = part.topk(min(part.shape[1], depth), 1, largest=False)
        found.append(near.values)
        columns.append(near.indices + start)
        start += part.shape[1]
    labels = torch.cat([torch.full_like(part, c) for c, part in enumerate(columns)], 1)
    values, order = torch.cat(found, 1).sort(dim=1, stable=True)
    return _Near(values, torch.cat(columns, 1).gather(1, order), labels.gather(1, order))


def _needed(votes: Tensor, n_classes: int) -> Tensor:
    """How many votes each class needs to win: (n_samples, n_classes); votes : (n_samples, k) labels."""
    n, k = votes.shape
    if n_classes == 2:
        return votes.new_tensor([(k + 1) // 2, k // 2 + 1]).expand(n, 2)
    counts = votes.new_zeros(n, n_classes).scatter_add_(1, votes, torch.ones_like(votes))
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


class MajorityEvidence(torch.nn.Module):
    """`majority_evidence` of classes of fixed size."""

    def __init__(self, sizes: Sequence[int], n_neighbors: int) -> None:
        super().__init__()
        self.sizes, self.n_neighbors = tuple(sizes), n_neighbors

    def forward(self, d: Tensor) -> Tensor:
        return majority_evidence(d, self.sizes, self.n_neighbors)

    def extra_repr(self) -> str:
        return f"votes of the {self.n_neighbors} nearest, {sum(self.sizes)} → {len(self.sizes)}"


class _MajorityEvidence(Treatment):
    """Relevance goes to the mean distance over a window of ranks around the one that decides (Bley et al. 2025).

    The window of rank r is 1, ..., 2r - 1, as far as the side has points. What the means leave of the evidence is
    ``pooling``.
    """

    retention = Retention(inputs=True)

    def propagate(
        self, call: Call, messages: tuple[Message | None, ...], rule: Rule | None, ledger: Ledger
    ) -> tuple[Message | None, ...]:
        (message,) = messages
        assert message is not None
        args, kwargs = call.arguments()
        d, sizes, k = _bind(*args, **kwargs)
        e = call.value(call.output)
        s = message.slope_over(e, ledger)
        near = _nearest(d, sizes, 2 * k - 1)
        needed = _needed(near.labels[:, :k], len(sizes))
        slope, lost = torch.zeros_like(d), s.new_zeros(len(s))
        for c in range(len(sizes)):
            rows = s[:, c].nonzero()[:, 0]
            here = _Near(*(part[rows] for part in near))
            own, r = here.labels == c, needed[rows, c]
            weights = _window(~own, k - r + 1, d) - _window(own, r, d)
            slope[rows] = slope[rows].scatter_add(1, here.columns, s[rows, c, None] * weights)
            lost[rows] += s[rows, c] * (e[rows, c] - (weights * here.d).sum(1))
        if ledger.enabled:
            ledger.absorb("pooling", lost)
        return (Message.of_slope(slope, d),)


def _window(side: Tensor, rank: Tensor, like: Tensor) -> Tensor:
    """Equal weights over the ranks 1, ..., 2 rank - 1 of one side's points, adding up to 1."""
    within = (side & (side.cumsum(1) < 2 * rank[:, None])).to(like)
    return within / within.sum(1, keepdim=True)


def _bind(d: Tensor, sizes: Sequence[int], n_neighbors: int) -> tuple[Tensor, Sequence[int], int]:
    return d, sizes, n_neighbors


def vote_odds(d: Tensor, sizes: Sequence[int], n_neighbors: int, root: float, floor: float) -> Tensor:
    """``log Σ_{j in c} d_j^-root - log Σ_{j not in c} d_j^-root`` over the k nearest: log-odds of votes by nearness.

    A side that has no point among the k nearest is represented by its k nearest beyond them, so that the odds stay
    finite where the vote is unanimous; they are above 0 for a class that has all votes, below 0 for one that has none.

    Parameters
    ----------
    d : (n_samples, n_points)
        Distances to the points, class by class.
    sizes : sequence of int
        How many points each class has.
    root : float
        1 for a distance, 1/2 for a squared one.
    floor : float
        Distances below count as this one.

    Returns
    -------
    Tensor
        (n_samples, n_classes)
    """
    if has_torch_function((d,)):
        return handle_torch_function(vote_odds, (d,), d, sizes, n_neighbors, root, floor)
    near = _nearest(d, sizes, n_neighbors)
    log_votes, columns = -root * near.d.clamp(min=floor).log(), []
    for c in range(len(sizes)):
        own, rest = (_voters(side, n_neighbors) for side in (near.labels == c, near.labels != c))
        columns.append(_log_sum(log_votes, own) - _log_sum(log_votes, rest))
    return torch.stack(columns, 1)


def _voters(side: Tensor, k: int) -> Tensor:
    """Who of a side votes: its points among the k nearest, or else its k nearest."""
    votes = side & (torch.arange(side.shape[1], device=side.device) < k)
    return torch.where(votes.any(1, keepdim=True), votes, side & (side.cumsum(1) <= k))


def _log_sum(log_votes: Tensor, side: Tensor) -> Tensor:
    return log_votes.masked_fill(~side, -torch.inf).logsumexp(1)


class VoteOdds(MajorityEvidence):
    """`vote_odds` of classes of fixed size."""

    def __init__(self, sizes: Sequence[int], n_neighbors: int, root: float, floor: float) -> None:
        super().__init__(sizes, n_neighbors)
        self.root, self.floor = root, floor

    def forward(self, d: Tensor) -> Tensor:
        return vote_odds(d, self.sizes, self.n_neighbors, self.root, self.floor)


class _VoteOdds(Treatment):
    """Relevance goes to the k nearest i of the class and j of the rest: ``p_i q_j r (log d_j - log d_i)`` for a pair.

    p and q are ``∝ d^-r`` and add up to 1 on each side, r the root. A logarithm of distances is shared as their
    difference is, ``log d_j - log d_i = (d_j - d_i) / L``, L the logarithmic mean: no unit of length matters. What the
    pairs leave of the odds, such as how many votes there are, is ``pooling``.
    """

    retention = Retention(inputs=True)

    def propagate(
        self, call: Call, messages: tuple[Message | None, ...], rule: Rule | None, ledger: Ledger
    ) -> tuple[Message | None, ...]:
        (message,) = messages
        assert message is not None
        args, kwargs = call.arguments()
        d, sizes, k, root, floor = _bind_odds(*args, **kwargs)
        e = call.value(call.output)
        s = message.slope_over(e, ledger)
        near = _nearest(d, sizes, k)
        relevance, lost = torch.zeros_like(d), s.new_zeros(len(s))
        for c in range(len(sizes)):
            rows = s[:, c].nonzero()[:, 0]
            here = _Near(*(part[rows] for part in near))
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
        return (Message.of_relevance(relevance),)


def _inverse_log_mean(a: Tensor, b: Tensor) -> Tensor:
    """``(log b_j - log a_i) / (b_j - a_i)`` of all pairs, 0 where they are the same; (n, k), (n, m) -> (n, k, m)."""
    low, high = torch.minimum(a[..., None], b[:, None]), torch.maximum(a[..., None], b[:, None])
    gap = high - low
    return torch.where(gap > 0, torch.log1p(gap / low) / gap, 0.0)


def _bind_odds(
    d: Tensor, sizes: Sequence[int], n_neighbors: int, root: float, floor: float
) -> tuple[Tensor, Sequence[int], int, float, float]:
    return d, sizes, n_neighbors, root, floor


treat(majority_evidence, by=_MajorityEvidence())
treat(vote_odds, by=_VoteOdds())
