"""Which sample each entry of the ledger belongs to, where the layout of the values inside a model does not tell.

Experts take the tokens of all samples sorted by expert, recurrent models put time first, and scores compare texts with
images. What was written down for the wrong sample shows in sums that only add up over the batch; the samples are then
sent through one at a time.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from neon.lrp.message import ROUNDING, Ledger, Message, PackedError
from neon.lrp.propagate import Walk

__all__ = ["walked"]

Run = Callable[[Message, Ledger], Walk]


def walked(run: Run, start: Message, ledger: Ledger) -> Walk:
    """The walk that ``run(start, ledger)`` takes; its ledger adds up for each sample, and holds what this one does."""
    if not ledger.enabled:
        return run(start, ledger)
    assert ledger.n_samples is not None
    walk = _by_sample(run, start, ledger.n_samples)
    for name, amount in ledger.absorbed.items():
        walk.ledger.absorb(name, amount)
    return walk


def _by_sample(run: Run, start: Message, n_samples: int) -> Walk:
    try:
        walk = run(start, Ledger(n_samples=n_samples))
    except PackedError:
        walk = None
        if n_samples < 2:
            raise
    if walk is not None and (n_samples < 2 or not _is_mixed_up(walk, start, n_samples)):
        return walk
    walks: list[Walk] = []
    for i in range(n_samples):
        walks.append(run(_only_sample(start, i), Ledger(n_samples=1)))
        if not _stays_in(walks[0], 0):  # samples that the model itself mixes, such as the nodes of a graph
            return run(start, Ledger(n_samples=n_samples)) if walk is None else walk
    return _together(walks)


def _is_mixed_up(walk: Walk, start: Message, n_samples: int) -> bool:
    """Whether relevance and ledger add up over the batch but not for each sample."""
    if any(len(part) != n_samples for part in (*walk.relevance, start.relevance)):
        return False  # an input or output that the samples share
    parts = [part.reshape(n_samples, -1).sum(1) for part in walk.relevance] + list(walk.ledger.absorbed.values())
    left = torch.stack(parts).sum(0) - start.relevance.reshape(n_samples, -1).sum(1)
    eps, size = torch.finfo(left.dtype).eps, torch.stack(parts).abs().sum(0)
    terms = sum(part.abs().reshape(n_samples, -1).sum(1) for part in walk.relevance)  # which may cancel
    rounding = eps**0.5 * size + ROUNDING * eps * (size + terms).max()  # left of a sample's zeros as of others'
    return bool((left.abs() > rounding).any()) and float(left.sum().abs()) <= float(rounding.sum())


def _only_sample(start: Message, i: int) -> Message:
    whole = start.relevance if start.slope is None else start.slope
    kept = torch.zeros_like(whole)
    kept[i] = whole[i]
    if start.slope is None or start.value is None:
        return Message.of_relevance(kept, vanishes=start.vanishes)
    return Message.of_slope(kept, start.value, start.reference)


def _stays_in(walk: Walk, i: int) -> bool:
    """Whether relevance has reached this sample alone."""
    return all(not part[:i].any() and not part[i + 1 :].any() for part in walk.relevance)


def _together(walks: list[Walk]) -> Walk:
    """Walks of one sample each, as one of the batch."""
    ledger = Ledger(n_samples=len(walks))
    some = next((amount for walk in walks for amount in walk.ledger.absorbed.values()), torch.zeros(1))
    for name in dict.fromkeys(name for walk in walks for name in walk.ledger.absorbed):
        ledger.absorbed[name] = torch.cat([walk.ledger.absorbed.get(name, torch.zeros_like(some)) for walk in walks])
    relevance, slopes = (
        tuple(_sum(parts) for parts in zip(*of_each, strict=True))
        for of_each in ([walk.relevance for walk in walks], [walk.slopes for walk in walks])
    )
    at = {name: _sum(tuple(walk.at[name] for walk in walks)) for name in walks[0].at}
    return Walk(relevance, ledger, at, slopes=slopes)


def _sum(parts: tuple[Tensor, ...]) -> Tensor:
    return torch.stack(parts).sum(0)
