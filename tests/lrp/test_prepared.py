"""A recording replayed on other rows, and what keeps one from being replayed."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import neon
from neon.lrp.prepared import Prepared

ROWS = torch.randn(2, 6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def _perceptron() -> nn.Module:
    torch.manual_seed(0)
    body = [nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 4), nn.Tanh(), nn.Linear(4, 3)]
    return nn.Sequential(*body, nn.Softmax(1)).double().eval()


CLOSED: dict[str, Callable[[Tensor], Tensor]] = {
    "perceptron": _perceptron(),
    "shape": lambda x: x * torch.ones(len(x), x.size(1), dtype=x.dtype) + torch.zeros_like(x).add(x.shape[0]),
    "in place": lambda x: F.relu(x.clone().mul_(2.0), inplace=True),
    "written": lambda x: torch.zeros(len(x), 6, dtype=x.dtype).index_copy(1, torch.arange(5), x).square(),
    "spelled out": lambda x: 1 / (1 + torch.exp(-x)),
    "products": lambda x: (x.unsqueeze(1) * x.unsqueeze(2)).flatten(1).sum(1, keepdim=True),
}
OPEN: dict[str, Callable[[Tensor], Tensor]] = {
    "mask": lambda x: torch.where(x > 0, x, 0.5 * x),
    "branch": lambda x: x * 2 if x.sum() > 0 else x * 3,
    "number": lambda x: x * x.argmax().item(),
    "detached": lambda x: x * x.detach(),
    "data": lambda x: x * x.data,
    "places": lambda x: x * x.max(1, keepdim=True).indices,
    "index": lambda x: x.gather(1, x.argmin(1, keepdim=True)),
    "table": lambda x: torch.arange(9.0, dtype=x.dtype)[x.argmax(1)][:, None] * x,
    "random": lambda x: x * torch.rand_like(x),
    "shifted by a maximum": lambda x: torch.exp(x - x.amax(1, keepdim=True)),
    "normalized": lambda x: x / x.norm(dim=1, keepdim=True),
    "a mask written": lambda x: x + torch.zeros_like(x).copy_(x > 0),
    "outside of torch's functions": lambda x: x * _scripted()(x),
}


@functools.cache
def _scripted() -> Callable[[Tensor], Tensor]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.script(_signs)


def _signs(x: Tensor) -> Tensor:
    return (x > 0).to(torch.int64)


@pytest.mark.parametrize("name", CLOSED)
def test_replayed_rows_are_explained_as_recorded_ones(name: str) -> None:
    lrp = neon.LRP(CLOSED[name], "epsilon", memory="high")
    prepared = Prepared.of(lrp.record(ROWS[0]))
    assert prepared is not None
    for rows in ROWS:
        recorded, replayed = lrp.record(rows), prepared.on(rows)
        _assert_same(recorded.output, replayed.output)  # but for the rounding of merged maps
        start = recorded.explained
        one, other = (found.propagate(start, account=True) for found in (recorded, replayed))
        _assert_same(one.relevance[0], other.relevance[0])
        assert one.ledger.absorbed.keys() == other.ledger.absorbed.keys()
        for part, amount in one.ledger.absorbed.items():
            _assert_same(amount, other.ledger.absorbed[part])


def test_a_replay_changes_no_other() -> None:
    lrp = neon.LRP(CLOSED["perceptron"], "epsilon", memory="high")
    prepared = Prepared.of(lrp.record(ROWS[0]))
    assert prepared is not None
    first, alone = prepared.on(ROWS[0]), prepared.on(ROWS[0]).propagate(0).relevance[0]
    prepared.on(ROWS[1])
    assert torch.equal(first.propagate(0).relevance[0], alone)
    assert not prepared.pattern.tape.values


@pytest.mark.parametrize("name", OPEN)
def test_what_is_computed_from_the_rows_aside_is_not_replayed(name: str) -> None:
    assert Prepared.of(neon.LRP(OPEN[name], "epsilon").record(ROWS[0])) is None


def _assert_same(one: Tensor, other: Tensor) -> None:
    torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-13)
