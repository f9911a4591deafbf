"""Two functions that compute the same give the same relevance, whatever operations they are written with."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from neon import composites
from neon.lrp import LRP

Function = Callable[[Tensor], Tensor]
COMPOSITES = {
    "zero": composites.zero(),
    "epsilon": composites.epsilon(1e-12),
    "attn_lrp": composites.attn_lrp(1e-12),
    "cp_lrp": composites.cp_lrp(1e-12),
    "epsilon_plus": composites.epsilon_plus(1e-12),
}
every_composite = pytest.mark.parametrize("composite", [name for name in COMPOSITES if name != "epsilon_plus"])
published = pytest.mark.parametrize("composite", ["epsilon", "attn_lrp", "epsilon_plus"])


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def assert_same(one: Function, other: Function, x: Tensor, composite: str, rtol: float = 1e-7) -> None:
    """The same output, relevance of its second column, and account of what no input owns."""
    torch.testing.assert_close(one(x), other(x), rtol=1e-10, atol=1e-12)
    walks = [LRP(f, COMPOSITES[composite]).record(x).propagate(1, account=True) for f in (one, other)]
    a, b = (walk.relevance[0] for walk in walks)
    assert float((a - b).abs().max()) <= rtol * float(a.abs().max())
    accounts = [sum(walk.ledger.absorbed.values(), torch.zeros(len(x), dtype=x.dtype)) for walk in walks]
    torch.testing.assert_close(*accounts, rtol=1e-6, atol=1e-7)


def attention(softmax: Function) -> Function:
    """A layer of attention over 5 tokens with a readout."""
    qkv, head = (w / 2 for w in (randn(18, 6, seed=1), randn(3, 6, seed=2)))
    mixed = randn(6, 6, seed=3)

    def model(t: Tensor) -> Tensor:
        q, k, v = F.linear(t, qkv).chunk(3, -1)
        return F.linear(softmax(q @ k.mT / 6**0.5) @ v @ mixed, head).mean(1)

    return model


def by_maximum(s: Tensor) -> Tensor:
    e = torch.exp(s - s.max(-1, keepdim=True)[0])
    return e / e.sum(-1, keepdim=True)


def by_detached_maximum(s: Tensor) -> Tensor:
    e = (s - s.amax(-1, keepdim=True).detach()).exp()
    return e / e.sum(-1, keepdim=True)


def computed_twice(s: Tensor) -> Tensor:
    return torch.exp(s - s.amax(-1, keepdim=True)) / torch.exp(s - torch.amax(s, -1, True)).sum(-1, True)


def in_place(s: Tensor) -> Tensor:
    e = s.clone()
    e.sub_(s.amax(-1, keepdim=True)).exp_()
    e /= e.sum(-1, keepdim=True)
    return e


def by_reciprocal(s: Tensor) -> Tensor:
    e = torch.exp(s - s.mean(-1, keepdim=True))
    return e * e.sum(-1, keepdim=True).reciprocal()


def by_inverse(s: Tensor) -> Tensor:
    e = torch.exp(s)
    return (1 / e.sum(-1))[..., None] * e


def stable_twice(s: Tensor) -> Tensor:
    return F.softmax(s - s.max(-1, keepdim=True).values, -1)


def stable_by_a_constant(s: Tensor) -> Tensor:
    return torch.softmax(s - s.detach().amax(-1, keepdim=True).expand_as(s), -1)


def by_log_sum_exp(s: Tensor) -> Tensor:
    return (s - s.logsumexp(-1, keepdim=True)).exp()


def by_log_sum_exp_unsqueezed(s: Tensor) -> Tensor:
    return torch.exp(s - torch.logsumexp(s, -1).unsqueeze(-1))


def by_log_softmax(s: Tensor) -> Tensor:
    return F.log_softmax(s, -1).exp()


def with_a_guard(s: Tensor) -> Tensor:
    e = torch.exp(s - s.amax(-1, keepdim=True))
    return e / (e.sum(-1, keepdim=True) + 1e-16)


def with_a_floor(s: Tensor) -> Tensor:
    e = torch.exp(s - s.amax(-1, keepdim=True))
    return e / e.sum(-1, keepdim=True).clamp(min=1e-9)


def over_groups(s: Tensor) -> Tensor:
    """As libraries of graphs spell it: an index of groups, here the rows."""
    n, heads, rows, columns = (s.shape[0], 1, *s.shape[1:])
    flat = s.reshape(n, heads * rows * columns)
    group = torch.arange(rows).repeat_interleave(columns).expand_as(flat)
    start = torch.full((n, rows), -torch.inf, dtype=s.dtype)
    peak = start.scatter_reduce(1, group, flat.detach(), "amax")
    e = (flat - peak.gather(1, group)).exp()
    total = torch.zeros(n, rows, dtype=s.dtype).scatter_add(1, group, e) + 1e-16
    return (e / total.gather(1, group)).reshape(s.shape)


@every_composite
@pytest.mark.parametrize(
    "spelled",
    [
        by_maximum, by_detached_maximum, computed_twice, in_place, by_reciprocal, by_inverse, stable_twice,
        stable_by_a_constant, by_log_sum_exp, by_log_sum_exp_unsqueezed, by_log_softmax, with_a_guard, with_a_floor,
        over_groups,
    ],
)  # fmt: skip
def test_softmax(spelled: Function, composite: str) -> None:
    assert_same(attention(lambda s: s.softmax(-1)), attention(spelled), randn(2, 5, 6), composite)


@every_composite
def test_masked_softmax(composite: str) -> None:
    mask = torch.ones(5, 5, dtype=torch.bool).tril()

    def by_a_factor(s: Tensor) -> Tensor:
        e = torch.exp(s - s.amax(-1, keepdim=True)) * mask
        return e / e.sum(-1, keepdim=True)

    plain = attention(lambda s: s.masked_fill(~mask, -torch.inf).softmax(-1))
    assert_same(plain, attention(lambda s: by_maximum(s.masked_fill(~mask, -torch.inf))), randn(2, 5, 6), composite)
    assert_same(plain, attention(by_a_factor), randn(2, 5, 6), composite)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_softmax_in_other_dtypes(dtype: torch.dtype) -> None:
    s, r = randn(3, 7).to(dtype), randn(3, 7, seed=1).to(dtype)
    expected = LRP(lambda s: s.softmax(-1))(s, r)
    for spelled in (by_maximum, by_detached_maximum, by_log_sum_exp):
        torch.testing.assert_close(LRP(spelled)(s, r), expected, rtol=0.05, atol=0.05)


def test_a_running_maximum_neither_takes_nor_gives() -> None:
    """The stable recurrence of linear attention, whose state is scaled by the largest exponent so far."""
    keys, values = randn(1, 4, 3), randn(1, 4, 3, seed=1)

    def recurrence(stable: bool) -> Function:
        def model(k: Tensor) -> Tensor:
            top, total, weight = k[:, 0].detach() * 0 - 1e38 if stable else None, 0.0, 0.0
            for t in range(k.shape[1]):
                if stable:
                    new = torch.maximum(top, k[:, t])
                    old, now = torch.exp(top - new), torch.exp(k[:, t] - new)
                    total, weight, top = old * total + now * values[:, t], old * weight + now, new
                else:
                    now = torch.exp(k[:, t])
                    total, weight = total + now * values[:, t], weight + now
            return total / weight

        return model

    torch.testing.assert_close(recurrence(True)(keys), recurrence(False)(keys))
    found = [LRP(recurrence(stable), composites.attn_lrp(1e-12)).record(keys) for stable in (True, False)]
    one, other = (recording.propagate(lambda z: z).relevance[0] for recording in found)
    torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("put", [False, True])
def test_maxima_of_groups_neither_take_nor_give(put: bool) -> None:
    """Weighted means of groups whose exponents are shifted by the group's maximum, gathered or put into a table."""
    values, mixed, group = randn(2, 6, seed=1), randn(6, 6, seed=2), torch.tensor([0, 0, 1, 1, 1, 1])

    def maxima(s: Tensor) -> Tensor:
        start = torch.zeros(len(s), 2, dtype=s.dtype)
        peak = start.scatter_reduce(1, group.expand_as(s), s, "amax", include_self=False)[:, group]
        return torch.zeros_like(s).scatter(1, torch.arange(6).expand_as(s), peak) if put else peak

    def model(s: Tensor, shift: Function = torch.zeros_like) -> Tensor:
        s = F.linear(s, mixed)
        e = torch.exp(s - shift(s))
        sums = [torch.zeros(len(s), 2, dtype=s.dtype).index_add(1, group, t) for t in (e * values, e)]
        return sums[0] / sums[1]

    assert_same(model, lambda s: model(s, maxima), randn(2, 6), "attn_lrp")


WEIGHT, SHIFT, EPS = randn(6, seed=5), randn(6, seed=6), 1e-5


def network(norm: Function) -> Function:
    """A normalization of the last axis of (n, tokens, 6) between two maps."""
    first, head = randn(6, 6, seed=7), randn(3, 6, seed=8)
    return lambda t: F.linear(norm(F.linear(t, first)).mean(1), head)


def centered_once(t: Tensor) -> Tensor:
    c = t - t.mean(-1, keepdim=True)
    return c / torch.sqrt(c.pow(2).mean(-1, keepdim=True) + EPS) * WEIGHT + SHIFT


def centered_twice(t: Tensor) -> Tensor:
    u = t.mean(-1, keepdim=True)
    s = (t - u).pow(2).mean(-1, keepdim=True)
    return WEIGHT * ((t - u) / torch.sqrt(s + EPS)) + SHIFT


def centered_everywhere_anew(t: Tensor) -> Tensor:
    s = torch.square(t - torch.mean(t, -1, keepdim=True)).sum(-1) / 6
    return (t - t.mean(-1, True)) * torch.rsqrt(s + EPS).unsqueeze(-1) * WEIGHT + SHIFT


def by_variance(t: Tensor) -> Tensor:
    return (t - t.mean(-1)[..., None]) / (t.var(-1, correction=0)[..., None] + EPS).sqrt() * WEIGHT + SHIFT


def by_moments(t: Tensor) -> Tensor:
    u = t.mean(-1, keepdim=True)
    s = (t * t).mean(-1, keepdim=True) - u * u
    return (t - u) * (s + EPS).rsqrt() * WEIGHT + SHIFT


def by_power(t: Tensor) -> Tensor:
    u = t.mean(-1, keepdim=True)
    s = ((t - u) ** 2).mean(-1, keepdim=True)
    return (t - u) * (s + EPS) ** -0.5 * WEIGHT + SHIFT


def normalized_in_place(t: Tensor) -> Tensor:
    c = t.clone()
    c -= t.mean(-1, keepdim=True)
    c /= (c.square().mean(-1, keepdim=True) + EPS).sqrt()
    return c.mul_(WEIGHT).add_(SHIFT)


@every_composite
@pytest.mark.parametrize(
    "spelled",
    [
        centered_once, centered_twice, centered_everywhere_anew, by_variance, by_moments, by_power,
        normalized_in_place,
    ],
)  # fmt: skip
def test_layer_norm(spelled: Function, composite: str) -> None:
    builtin = network(lambda t: F.layer_norm(t, (6,), WEIGHT, SHIFT, EPS))
    assert_same(builtin, network(spelled), randn(2, 5, 6), composite)


@every_composite
@pytest.mark.parametrize(
    "spelled",
    [
        lambda t: t * torch.rsqrt(t.pow(2).mean(-1, keepdim=True) + EPS) * WEIGHT,
        lambda t: WEIGHT * (t / (t.square().mean(-1, keepdim=True) + EPS).sqrt()),
        lambda t: t * (t * t).mean(-1, keepdim=True).add(EPS).rsqrt() * WEIGHT,
        lambda t: t * (torch.linalg.vector_norm(t, dim=-1, keepdim=True).square() / 6 + EPS).rsqrt() * WEIGHT,
        lambda t: t * torch.reciprocal((t.pow(2).sum(-1) / 6 + EPS).sqrt())[..., None] * WEIGHT,
        lambda t: t / ((t**2).mean(-1, keepdim=True) + EPS).sqrt().expand_as(t) * WEIGHT,
    ],
)
def test_rms_norm(spelled: Function, composite: str) -> None:
    builtin = network(lambda t: F.rms_norm(t, (6,), WEIGHT, EPS))
    assert_same(builtin, network(spelled), randn(2, 5, 6), composite)


@every_composite
def test_group_norm(composite: str) -> None:
    def spelled(t: Tensor) -> Tensor:
        rows = t.reshape(len(t), 2, -1)
        u = rows.mean(-1, keepdim=True)
        s = (rows - u).pow(2).mean(-1, keepdim=True)
        return ((rows - u) / (s + EPS).sqrt()).reshape(t.shape)

    first, head = randn(4, 3, 3, 3, seed=7), randn(3, 4, seed=8)

    def model(norm: Function) -> Function:
        return lambda t: F.linear(norm(F.conv2d(t, first)).relu().mean((2, 3)), head)

    assert_same(model(lambda t: F.group_norm(t, 2, eps=EPS)), model(spelled), randn(2, 3, 6, 6), composite)


@every_composite
def test_a_scaler_of_series(composite: str) -> None:
    """Series standardized over time with a mask of what was observed, as forecasters spell it."""
    head, seen = randn(3, 8, seed=8), torch.ones(8, 1, dtype=torch.float64)

    def masked(t: Tensor) -> Tensor:
        count = seen.sum(0, keepdim=True).clamp_min(1.0)
        location = (t * seen).sum(1, keepdim=True) / count
        variance = (((t - location) * seen) ** 2).sum(1, keepdim=True) / count
        return (t - location) / torch.sqrt(variance + EPS)

    def model(norm: Function) -> Function:
        return lambda t: F.linear(norm(t).transpose(1, 2), head).mean(1)

    builtin = model(lambda t: F.layer_norm(t.transpose(1, 2), (8,), eps=EPS).transpose(1, 2))
    assert_same(builtin, model(masked), randn(2, 8, 4), composite)


def two_layers(middle: Function) -> Function:
    first, bias, head = randn(8, 6, seed=9), randn(8, seed=10), randn(3, 8, seed=11)
    return lambda t: F.linear(middle(F.linear(t, first, bias)), head)


SHIFT = randn(6, seed=9)
SUMS: dict[str, tuple[Function, Function]] = {
    "constant between": (lambda h: (h + SHIFT) + h, lambda h: 2 * h + SHIFT),
    "number between": (lambda h: (h + 1) + h, lambda h: 2 * h + 1),
    "constant last": (lambda h: h + (h + SHIFT), lambda h: 2 * h + SHIFT),
    "without a constant": (lambda h: h + 2 * h, lambda h: 3 * h),
    "subtracted": (lambda h: 3 * h - (h - SHIFT), lambda h: 2 * h + SHIFT),
    "of three": (lambda h: h + SHIFT + h + h, lambda h: 3 * h + SHIFT),
}


@every_composite
@pytest.mark.parametrize("spelled", SUMS)
def test_a_sum_with_itself_and_a_constant_is_no_activation(spelled: str, composite: str) -> None:
    first, head = randn(6, 6, seed=1), randn(3, 6, seed=2)
    one, other = ((lambda t, f=f: F.linear(f(F.linear(t, first)), head)) for f in SUMS[spelled])
    assert_same(one, other, randn(4, 6), composite)


def gated(gate: Function) -> Function:
    first, signal, head = randn(8, 6, seed=9), randn(8, 6, seed=12), randn(3, 8, seed=11)
    return lambda t: F.linear(gate(F.linear(t, first)) * F.linear(t, signal), head)


def halves_of_tanh(x: Tensor) -> Tensor:
    return (torch.exp(x) - torch.exp(-x)) / (torch.exp(x) + torch.exp(-x))


ACTIVATIONS: dict[Function, list[Function]] = {
    F.gelu: [
        lambda x: 0.5 * x * (1 + torch.erf(x / 2**0.5)),
        lambda x: x * (torch.erf(x * 0.5**0.5) + 1) / 2,
        lambda x: x * 0.5 * torch.erfc(-x / 2**0.5),
    ],
    lambda x: F.gelu(x, approximate="tanh"): [
        lambda x: 0.5 * x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * torch.pow(x, 3)))),
        lambda x: 0.5 * x * (1 + torch.tanh(x * (2 / torch.pi) ** 0.5 * (1 + 0.044715 * x * x))),
    ],
    F.silu: [
        lambda x: x * torch.sigmoid(x),
        lambda x: x / (1 + torch.exp(-x)),
        lambda x: x * x.neg().exp().add(1).reciprocal(),
        lambda x: torch.sigmoid(x).mul_(x),
    ],
    torch.tanh: [
        halves_of_tanh,
        lambda x: 2 * torch.sigmoid(2 * x) - 1,
        lambda x: torch.sinh(x) / torch.cosh(x),
        lambda x: 1 - 2 / (torch.exp(2 * x) + 1),
        lambda x: torch.expm1(2 * x) / (torch.exp(2 * x) + 1),
    ],
    torch.sigmoid: [
        lambda x: 1 / (1 + torch.exp(-x)),
        lambda x: (1 + torch.exp(-x)).reciprocal(),
        lambda x: (1 + torch.exp(-x)) ** -1,
        lambda x: x.neg().exp_().add_(1).reciprocal_(),
        lambda x: 0.5 * (torch.tanh(x / 2) + 1),
        lambda x: torch.exp(x) / (1 + torch.exp(x)),
        lambda x: torch.exp(F.logsigmoid(x)),
        lambda x: 1 - torch.sigmoid(-x),
    ],
    F.softplus: [
        lambda x: torch.log(1 + torch.exp(x)),
        lambda x: torch.log1p(torch.exp(x)),
        lambda x: -F.logsigmoid(-x),
        lambda x: x.clamp(min=0) + torch.log1p(torch.exp(-x.abs())),
    ],
    F.hardsigmoid: [lambda x: F.relu6(x + 3) / 6, lambda x: torch.clamp(x / 6 + 0.5, 0, 1)],
    F.hardswish: [lambda x: x * F.relu6(x + 3) / 6, lambda x: x * F.hardsigmoid(x)],
    F.mish: [lambda x: x * torch.tanh(F.softplus(x)), lambda x: x * torch.log1p(x.exp()).tanh()],
    F.elu: [
        lambda x: torch.where(x > 0, x, torch.exp(x) - 1),
        lambda x: torch.where(x > 0, x, torch.expm1(x)),
        lambda x: F.relu(x) + torch.expm1(x.clamp(max=0)),
    ],
    lambda x: F.leaky_relu(x, 0.1): [
        lambda x: torch.where(x > 0, x, 0.1 * x),
        lambda x: torch.maximum(x, 0.1 * x),
        lambda x: F.relu(x) - 0.1 * F.relu(-x),
        lambda x: F.leaky_relu_(x.clone(), 0.1),
    ],
    F.relu: [
        lambda x: x.clamp(min=0),
        lambda x: x * (x > 0),
        lambda x: torch.where(x > 0, x, 0.0),
        lambda x: (x + x.abs()) / 2,
        lambda x: torch.maximum(x, torch.zeros_like(x)),
        lambda x: x.masked_fill(x < 0, 0.0),
        lambda x: x.clone().relu_(),
    ],
}  # fmt: skip


def pairs(spellings: dict[Function, list[Function]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        ("one", "other"), [(one, other) for one, all_ in spellings.items() for other in all_]
    )


@published
@pairs(ACTIVATIONS)
def test_activations(one: Function, other: Function, composite: str) -> None:
    """Between two maps, and as a gate: a sigmoid is held where gates are, whatever it is spelled with."""
    for place in (two_layers, gated):
        assert_same(place(one), place(other), randn(5, 6), composite, 1e-9)


def test_a_spelled_sigmoid_is_the_end_of_a_classifier() -> None:
    logits = two_layers(torch.tanh)
    for end in (lambda z: 1 / (1 + torch.exp(-z)), lambda z: (torch.tanh(z / 2) + 1) / 2):
        torch.testing.assert_close(LRP(lambda x: end(logits(x)))(randn(5, 6), 1), LRP(logits)(randn(5, 6), 1))  # noqa: B023


def added_up_in_place(t: Tensor) -> Tensor:
    total = torch.zeros_like(t[:, 0])
    for step in t.unbind(1):
        total += step
    return total / 5


FIFTHS = torch.full((5,), 0.2, dtype=torch.float64)
POOLINGS: dict[Function, list[Function]] = {
    lambda t: t.mean(1): [
        lambda t: t.sum(1) / 5,
        lambda t: torch.mean(t, dim=1, keepdim=True).squeeze(1),
        lambda t: F.adaptive_avg_pool1d(t.mT, 1).squeeze(-1),
        lambda t: F.avg_pool1d(t.mT, 5)[..., 0],
        lambda t: (FIFTHS[None] @ t).squeeze(1),
        lambda t: torch.einsum("ntc,t->nc", t, FIFTHS),
        lambda t: sum(t.unbind(1)) / 5,
        lambda t: t.cumsum(1)[:, -1] / 5,
        lambda t: (t * torch.ones(5, 1, dtype=t.dtype) / 5).sum(1),
        added_up_in_place,
    ],
    lambda t: t.amax(1): [
        lambda t: t.max(1).values,
        lambda t: t.topk(1, dim=1)[0].squeeze(1),
        lambda t: t.sort(1).values[:, -1],
        lambda t: t.sort(1, descending=True)[0][:, 0],
        lambda t: F.adaptive_max_pool1d(t.mT, 1)[..., 0],
        lambda t: F.max_pool1d(t.mT, 5).squeeze(-1),
        lambda t: -(-t).amin(1),
        lambda t: t.gather(1, t.argmax(1, keepdim=True)).squeeze(1),
        lambda t: t.cummax(1).values[:, -1],
        lambda t: t.kthvalue(5, 1).values,
        lambda t: torch.where(t == t.amax(1, keepdim=True), t, 0.0).sum(1),
    ],
}  # fmt: skip


@published
@pairs(POOLINGS)
def test_pooling(one: Function, other: Function, composite: str) -> None:
    assert_same(two_layers(one), two_layers(other), randn(2, 5, 6), composite, 1e-9)


def averaging(t: Tensor) -> Tensor:
    return F.conv2d(t, torch.full((4, 1, 2, 2), 0.25, dtype=t.dtype), stride=2, groups=4)


IMAGE_POOLINGS: dict[Function, list[Function]] = {
    lambda t: F.avg_pool2d(t, 2): [
        lambda t: F.unfold(t, 2, stride=2).view(len(t), 4, 4, 9).mean(2).view(len(t), 4, 3, 3),
        averaging,
        lambda t: t.view(len(t), 4, 3, 2, 3, 2).mean((3, 5)),
        lambda t: t.unfold(2, 2, 2).unfold(3, 2, 2).mean((-1, -2)),
        lambda t: F.adaptive_avg_pool2d(t, 3),
        lambda t: (t[..., ::2, ::2] + t[..., 1::2, ::2] + t[..., ::2, 1::2] + t[..., 1::2, 1::2]) / 4,
    ],
    lambda t: F.max_pool2d(t, 2): [
        lambda t: F.unfold(t, 2, stride=2).view(len(t), 4, 4, 9).amax(2).view(len(t), 4, 3, 3),
        lambda t: t.view(len(t), 4, 3, 2, 3, 2).amax((3, 5)),
        lambda t: F.max_pool2d(t, 2, return_indices=True)[0],
        lambda t: t.unfold(2, 2, 2).unfold(3, 2, 2).flatten(-2).max(-1)[0],
        lambda t: F.adaptive_max_pool2d(t, 3),
    ],
}  # fmt: skip


@published
@pairs(IMAGE_POOLINGS)
def test_pooling_of_images(one: Function, other: Function, composite: str) -> None:
    if other is averaging and composite == "epsilon_plus":
        pytest.skip("z⁺ is for convolutions by name")
    first, head = randn(4, 3, 3, 3, seed=7), randn(3, 36, seed=8)

    def model(pooling: Function) -> Function:
        return lambda t: F.linear(pooling(F.conv2d(t, first, padding=1)).flatten(1), head)

    assert_same(model(one), model(other), randn(2, 3, 6, 6), composite, 1e-9)


def added(a: Tensor, b: Tensor) -> Tensor:
    a = a.clone()
    a += b
    return a


def written(a: Tensor, b: Tensor) -> Tensor:
    total = torch.empty_like(a)
    total[:] = a
    total += b
    return total


@published
@pytest.mark.parametrize(
    "addition",
    [
        torch.add, added, written,
        lambda a, b: b + a,
        lambda a, b: a.clone().add_(b),
        lambda a, b: torch.add(a, b, alpha=1),
        lambda a, b: sum([a, b]),
        lambda a, b: a - (-b),
        lambda a, b: a.sub(b, alpha=-1),
        lambda a, b: torch.stack([a, b]).sum(0),
        lambda a, b: torch.stack([a, b]).mean(0) * 2,
        lambda a, b: torch.stack([a, b], -1).sum(-1),
        lambda a, b: torch.cat([a[..., None], b[..., None]], -1).sum(-1),
        lambda a, b: torch.einsum("kntc->ntc", torch.stack([a, b])),
        lambda a, b: torch.lerp(a, b, 0.5) * 2,
    ],
)  # fmt: skip
def test_residual_sums(addition: Callable[[Tensor, Tensor], Tensor], composite: str) -> None:
    first, mixed, head = randn(6, 6, seed=9), randn(6, 6, seed=10), randn(3, 6, seed=11)

    def model(add: Callable[[Tensor, Tensor], Tensor]) -> Function:
        def run(t: Tensor) -> Tensor:
            t = F.linear(t, first)
            return F.linear(add(t, F.gelu(F.linear(t, mixed))), head).mean(1)

        return run

    assert_same(model(lambda a, b: a + b), model(addition), randn(3, 5, 6), composite, 1e-9)
