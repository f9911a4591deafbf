"""Relevance relative to reference rows adds up to the difference from the model there, or is refused in words."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from neon import nn
from neon.errors import UnsupportedOperationError
from neon.lrp import LRP

Function = Callable[[Tensor], Tensor]


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def network(middle: Function) -> Function:
    first, bias, head = randn(6, 6, seed=1), randn(6, seed=2), randn(3, 6, seed=3)
    return lambda t: F.linear(middle(F.linear(t, first, bias)).mean(1), head)


TAKEN = {
    "relu": lambda h: h.relu(),
    "gelu": F.gelu,
    "sigmoid": torch.sigmoid,
    "layer norm": lambda h: F.layer_norm(h, (6,), randn(6, seed=4), randn(6, seed=5)),
    "rms norm": lambda h: F.rms_norm(h, (6,)),
    "group norm": lambda h: F.group_norm(h.mT, 2).mT,
    "instance norm": lambda h: F.instance_norm(h),
    "normalize": lambda h: F.normalize(h, dim=-1),
    "local response norm": lambda h: F.local_response_norm(h, 3),
    "log softmax": lambda h: h.log_softmax(-1),
    "maxima": lambda h: torch.maximum(h, h.roll(1, -1)),
    "log-sum-exp": lambda h: torch.stack([h, h.roll(1, -1)], 1).logsumexp(1),
    "product": lambda h: h * h.roll(1, -1).sigmoid(),
    "matrix product": lambda h: (h @ h.mT) @ h,
    "movement": lambda h: torch.cat([h[..., :2], h[..., 2:].flip(-1)], -1),
    "sum of both": lambda h: h + F.layer_norm(h, (6,)),
}
REFUSED = {
    "softmax": lambda h: h.softmax(-1),
    "attention": lambda h: F.scaled_dot_product_attention(h, h, h),
    "quotient": lambda h: h / (1 + h.roll(1, -1).square()),
    "norm spelled out": lambda h: h / (h.square().mean(-1, keepdim=True) + 1e-5).sqrt(),
    "mask of the input": lambda h: h * (h > 0),
    "index of the input": lambda h: h.gather(1, h.argsort(1)),
    "branch": lambda h: h if len(h) == 3 else 2 * h,
}


@pytest.mark.parametrize("n_rows", [1, 4])
@pytest.mark.parametrize("name", TAKEN)
def test_relevance_adds_up_to_the_difference(name: str, n_rows: int) -> None:
    model, x, r = network(TAKEN[name]), randn(3, 5, 6), randn(n_rows, 5, 6, seed=9)
    recording = LRP(model, "neon").record(x, reference=r)
    walk = recording.propagate(1, account=True)
    found = walk.relevance[0].flatten(1).sum(1) + sum(walk.ledger.absorbed.values(), torch.zeros(()))
    assert recording.base is not None
    if n_rows == 1:
        torch.testing.assert_close(recording.base, model(r))
    torch.testing.assert_close(found, (model(x) - recording.base)[:, 1], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", REFUSED)
def test_what_takes_no_reference_is_refused_before_anything_is_computed(name: str) -> None:
    model = network(REFUSED[name])
    x, r = randn(3, 5, 6), randn(1, 5, 6, seed=9)
    LRP(model, "neon").record(x)
    with pytest.raises(UnsupportedOperationError, match="explain without a reference"):
        LRP(model, "neon").record(x, reference=r)


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("means", [None, randn(2, 3, seed=6)])
def test_linear_energies(flipped: bool, means: Tensor | None) -> None:
    w, b, x, r = randn(2, 3), randn(2, seed=1), randn(4, 3, seed=2), randn(1, 3, seed=3)
    energy, linear = nn.LinearEnergy(w, b, means=means), nn.Linear(w, b)

    def model(x: Tensor) -> Tensor:
        parts = (linear(x), energy(x)) if flipped else (energy(x), 3 * linear(x))
        return (parts[0] + parts[1]).sum(1, keepdim=True)

    walk = LRP(model, "neon").record(x, reference=r).propagate(account=True)
    factor = 0 if flipped else 2
    torch.testing.assert_close(walk.relevance[0], factor * w.sum(0) * (x - r))
    assert not any(bool(amount.abs().max() > 1e-12) for amount in walk.ledger.absorbed.values())


def test_log_sum_exp() -> None:
    model, x, r = nn.LogSumExp(torch.rand(2, 3, dtype=torch.float64)), randn(4, 3), randn(1, 3, seed=1)
    recording = LRP(model, "neon").record(x, reference=r)
    walk = recording.propagate(0, account=True)
    found = walk.relevance[0].sum(1) + sum(walk.ledger.absorbed.values())
    torch.testing.assert_close(found, (model(x) - model(r))[:, 0])
    assert recording.base is not None
    torch.testing.assert_close(recording.base, model(r))


@pytest.mark.parametrize("n_rows", [1, 2, 3])
@pytest.mark.parametrize("layout", ["time first", "tokens one after the other"])
def test_reference_rows_elsewhere_than_in_axis_0_are_refused(layout: str, n_rows: int) -> None:
    """Their mean would be taken over time or tokens."""
    first, second = randn(6, 5, seed=1), randn(2, 6, seed=2)

    def model(x: Tensor) -> Tensor:
        if layout == "time first":
            return F.linear(F.linear(x.transpose(0, 1), first).relu().transpose(0, 1).sum(1), second)
        return F.linear(F.linear(x.reshape(-1, 5), first).relu().reshape(-1, 3, 6).sum(1), second)

    x, reference = randn(3, 3, 5), randn(n_rows, 3, 5, seed=3)
    with pytest.raises(UnsupportedOperationError, match="first axis is not the samples"):
        LRP(model, "neon").record(x, reference=reference)
