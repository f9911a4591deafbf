"""Which factor of a product is held constant: gates of sigmoid and softmax, and scales that exponentials give."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neon import LRP

COMPOSITES = ["attn_lrp", "cp_lrp", "epsilon"]
Hold = Callable[[Tensor], Tensor]


def steps() -> tuple[Tensor, nn.Linear, nn.Linear]:
    torch.manual_seed(0)
    return torch.randn(3, 5, 4).double(), nn.Linear(4, 4).double(), nn.Linear(4, 4).double()


def segment_sums(t: Tensor) -> Tensor:
    """Differences of running sums, (n, target, source, width), as in state-space duality."""
    sums = t.cumsum(1)
    past = torch.ones(t.shape[1], t.shape[1], dtype=torch.bool).tril()[..., None]
    return (sums[:, :, None] - sums[:, None]).masked_fill(~past, -torch.inf)


def decay_matrix(v: Tensor, t: Tensor, hold: Hold) -> Tensor:
    return torch.einsum("btsd,bsd->btd", hold(torch.exp(segment_sums(-F.softplus(t)))), v)


def scan(v: Tensor, t: Tensor, hold: Hold) -> Tensor:
    """One state after another, its decay and its step size chosen by the input."""
    step, state, out = F.softplus(t), torch.zeros_like(v[:, 0]), []
    for i in range(v.shape[1]):
        state = hold((-step[:, i]).exp()) * state + hold(step[:, i]) * v[:, i]
        out.append(state)
    return torch.stack(out, 1)


def running_softmax(v: Tensor, t: Tensor, hold: Hold) -> Tensor:
    """A weighted mean of the past, by numerators and denominators that share a running maximum."""
    top, num, den, out = t[:, 0], v[:, 0], torch.ones_like(v[:, 0]), []
    for i in range(1, v.shape[1]):
        new = torch.maximum(top, t[:, i])
        old, fresh = hold(torch.exp(top - new)), hold(torch.exp(t[:, i] - new))
        num, den, top = old * num + fresh * v[:, i], old * den + fresh, new
        out.append(num / hold(den))
    return torch.stack(out, 1)


def power_of_two(v: Tensor, t: Tensor, hold: Hold) -> Tensor:
    return hold(2 * torch.exp2(t).unsqueeze(1).squeeze(1)) * v


def product_of_scales(v: Tensor, t: Tensor, hold: Hold) -> Tensor:
    return hold(t.exp() * F.softplus(t).mean(-1, keepdim=True)) * v


@pytest.mark.parametrize("composite", COMPOSITES)
@pytest.mark.parametrize("cell", [decay_matrix, scan, running_softmax, power_of_two, product_of_scales])
def test_a_scale_gets_nothing(cell: Callable[[Tensor, Tensor, Hold], Tensor], composite: str) -> None:
    """As if it were detached; so no relevance explodes in sums that cancel, and none is lost."""
    x, signal, gate = steps()

    def model(x: Tensor, hold: Hold = lambda t: t) -> Tensor:
        return cell(signal(x), gate(x), hold).flatten(1).sum(1, keepdim=True)

    recording = LRP(model, composite).record(x)
    walk = recording.propagate(account=True)
    twin = LRP(lambda x: model(x, torch.Tensor.detach), composite)(x)
    torch.testing.assert_close(walk.relevance[0], twin, rtol=1e-9, atol=1e-12)
    total = walk.relevance[0].flatten(1).sum(1) + sum(walk.ledger.absorbed.values())
    torch.testing.assert_close(total, model(x)[:, 0], rtol=1e-9, atol=1e-12)
    assert recording.plan().largest_growth < 100


def test_two_scales_share_and_an_activation_is_no_scale() -> None:
    x, signal, gate = steps()
    both = LRP(lambda x: (signal(x).exp() * gate(x).exp()).flatten(1).sum(1, keepdim=True), "attn_lrp")(x)
    assert float(both.abs().min()) > 0
    hidden = LRP(lambda x: (gate(F.softplus(signal(x))) * gate(x)).flatten(1).sum(1, keepdim=True), "attn_lrp")
    held = LRP(lambda x: (gate(F.softplus(signal(x))).detach() * gate(x)).flatten(1).sum(1, keepdim=True), "attn_lrp")
    assert float((hidden(x) - held(x)).abs().max()) > 1e-3


def test_attn_lrp_halves_gates_that_are_no_scales() -> None:
    x, signal, gate = steps()
    outputs = signal(x) * torch.sigmoid(gate(x))
    start = outputs.flatten(1).sum(1)
    found = {}
    for name in ("attn_lrp", "cp_lrp"):
        model = LRP(lambda x: (signal(x) * torch.sigmoid(gate(x))).flatten(1).sum(1, keepdim=True), name)
        walk = model.record(x).propagate(account=True)
        total = walk.relevance[0].flatten(1).sum(1) + sum(walk.ledger.absorbed.values())
        torch.testing.assert_close(total, start, rtol=1e-9, atol=1e-12)
        found[name] = walk.relevance[0]
    assert not torch.allclose(found["attn_lrp"], found["cp_lrp"])
