"""Which of several straight lines are the k lowest, and where along the way another takes the place of one of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from neon.lrp.paths.mean_slopes import legendre

__all__ = ["Stretch", "lowest_of", "stretches"]

_SIZE = 2**20  # pairs of lines at a time
_NODES = 8  # of a stretch


class Stretch(NamedTuple):
    """A part of the way on which the k lowest lines of some samples stay the same."""

    samples: Tensor  # (n,)
    low: Tensor  # (n, k): the columns of the lines
    since: Tensor  # (n, 1)
    until: Tensor  # (n, 1)
    leaving: Tensor  # (n, 1): the place among the k of the line that is overtaken at the end of the stretch
    entering: Tensor  # (n, 1): the column of the line that takes its place
    changing: Tensor  # (n, 1): whether one does; otherwise the way ends

    def of(self, lines: Tensor) -> Tensor:
        """What lines (n_samples, n_lines) have, of the k lowest: (n, k)."""
        return lines[self.samples].gather(1, self.low)

    def add(self, found: Tensor, parts: Tensor) -> None:
        """Add parts (n, k) of the k lowest to what was found of all lines (n_samples, n_lines)."""
        found.index_put_((self.samples[:, None], self.low), parts, accumulate=True)

    def share(self, found: Tensor, jump: Tensor, start: Tensor, end: Tensor) -> None:
        """Add what a value jumps by, (n, 1), where one line overtakes another: as a slope of their difference."""
        changing = self.changing[:, 0]
        rows, out, into = (part[changing] for part in (self.samples[:, None], self.leaving, self.entering))
        out = self.low[changing].gather(1, out)
        closing = (end - start)[rows, out] - (end - start)[rows, into]
        slope = jump[changing] / closing
        found.index_put_((rows, out), slope, accumulate=True)
        found.index_put_((rows, into), -slope, accumulate=True)

    def nodes(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Nodes t and their weights, (n, 1) each, denser at the two ends of the way, where a line may be 0."""
        first, last = (t.sqrt().asin() for t in (self.since, self.until))
        for node, weight in zip(*legendre(_NODES), strict=True):
            angle = first + float(node) * (last - first)
            yield angle.sin().square(), float(weight) * (last - first) * (2 * angle).sin()


def lowest_of(start: Tensor, rise: Tensor, k: int) -> Tensor:
    """The columns of the k lines that are lowest at t = 0; of equal ones those that rise least: (n_samples, k)."""
    order = rise.argsort(dim=1, stable=True)
    return order.gather(1, start.gather(1, order).argsort(dim=1, stable=True))[:, :k]


def stretches(start: Tensor, end: Tensor, k: int) -> Iterator[Stretch]:
    """The way from t = 0 to t = 1 of the lines ``start + t (end - start)``, (n_samples, n_lines), in parts.

    A line that enters rises less than the one that leaves: the rises of the k add up to less each time, so that every
    way ends. Where several lines meet in one point, rounding decides which pair changes places first: Manhattan
    distances do so halfway, of points that lie between the two ends of the way in every feature. What is shared adds up
    the same in any order; how features share it depends on the order.
    """
    for samples in torch.arange(len(start), device=start.device).split(max(1, _SIZE // (k * start.shape[1]))):
        yield from _some_stretches(samples, start[samples], end[samples] - start[samples], k)


def _some_stretches(samples: Tensor, start: Tensor, rise: Tensor, k: int) -> Iterator[Stretch]:
    low, since = lowest_of(start, rise, k), start.new_zeros(len(start), 1)
    while len(samples):
        closing = rise.gather(1, low)[:, :, None] - rise[:, None]  # (n, k, n_lines): a line in the set, one outside
        gap = start[:, None] - start.gather(1, low)[:, :, None]
        meeting = gap.div_(closing).masked_fill_(closing <= 0, torch.inf)
        meeting.scatter_(2, low[:, None].expand(-1, k, -1), torch.inf)
        meeting = torch.maximum(meeting.nan_to_num_(nan=torch.inf, posinf=torch.inf).flatten(1), since)
        until, pair = meeting.min(1, keepdim=True)
        changing = until < 1
        leaving, entering = pair // start.shape[1], pair % start.shape[1]
        yield Stretch(samples, low, since, until.clamp(max=1.0), leaving, entering, changing)
        low = low.scatter(1, leaving, entering)
        samples, start, rise, low, since = (part[changing[:, 0]] for part in (samples, start, rise, low, until))
