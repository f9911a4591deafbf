"""Minima over groups of unequal sizes against one layer for each group."""

from __future__ import annotations

import math

import pytest
import torch

from neon import nn
from neon.lrp import LRP
from neon.nn.pooling.groups import group_minimum
from tests.nn.textbook import close, draw

SIZES = [(3, 1, 2), (1, 4), (2, 3, 3), (5, 4, 5, 3)]


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("stiffness", [0.7, 30.0, math.inf])
@pytest.mark.parametrize("referred", [False, True])
def test_unequal_groups(sizes: tuple[int, ...], stiffness: float, referred: bool) -> None:
    h, start = draw(20, sum(sizes)), draw(20, len(sizes), seed=1)
    h[:10] = h[:10].abs()  # every minimum ≥ 0: take-most
    h[0, 0], h[1] = 0.0, 0.0
    rows = draw(4, sum(sizes), seed=2) if referred else None
    (layer,) = group_minimum(sizes, stiffness)
    assert isinstance(layer, nn.PooledMinimum)
    found = LRP(layer, "neon").record(h, reference=rows).propagate(start, account=True)
    column = 0
    lost = torch.zeros(20, dtype=torch.float64)
    for group, size in enumerate(sizes):
        own = slice(column, column + size)
        alone = LRP(nn.PooledMinimum(1, stiffness), "neon").record(
            h[:, own], reference=None if rows is None else rows[:, own]
        )
        walk = alone.propagate(start[:, [group]], account=True)
        close(layer(h)[:, group], h[:, own].min(1).values)
        close(found.relevance[0][:, own], walk.relevance[0])
        lost += sum(walk.ledger.absorbed.values())
        column += size
    close(sum(found.ledger.absorbed.values()), lost)


def test_very_unequal_groups_are_layers_of_their_own() -> None:
    (layer,) = group_minimum((1, 1, 1, 20), 1.0)
    assert isinstance(layer, nn.SideBySide)
