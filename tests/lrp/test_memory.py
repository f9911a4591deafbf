"""In-place operations through views: recorded as what they do to the tensors that share memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neon import LRP
from neon.errors import UnsupportedOperationError

torch.manual_seed(0)
LAYER = nn.Linear(6, 4).double().requires_grad_(False)
X = torch.randn(3, 6, dtype=torch.float64)
Model = Callable[[Tensor], Tensor]


def written_into_zeros(x: Tensor) -> Tensor:
    y = x.new_zeros(len(x), 8)
    y[:, :4].add_(LAYER(x))
    y[:, 4:] = LAYER(x.flip(1))
    return y


def one_half(x: Tensor) -> Tensor:
    whole = LAYER(x)
    a, b = whole.chunk(2, 1)
    a.relu_()
    return torch.cat([a + b, whole], 1)


def through_both(x: Tensor) -> Tensor:
    y = LAYER(x)
    view = y[:, :2]
    view.mul_(2)
    view.relu_()
    y.add_(1)
    return torch.cat([y, view], 1)


def the_input(x: Tensor) -> Tensor:
    x.add_(1)
    view = x[:, :2]
    view.mul_(3)
    return LAYER(x)


def copied_and_cleared(x: Tensor) -> Tensor:
    y, z = LAYER(x), x.new_ones(len(x), 4)
    y[:, 0].zero_()
    y[:, 1] += y[:, 2]
    z[:, 1:].copy_(y[:, 1:])
    z.t()[0].fill_(2.0)
    return y * 2 + z


def against_constants(x: Tensor) -> Tensor:
    y = LAYER(x)
    return torch.cat([torch.maximum(y, torch.full_like(y, 0.1)), torch.min(y, 0 * y.detach()), F.glu(y)], 1)


MODELS = [written_into_zeros, one_half, through_both, the_input, copied_and_cleared, against_constants]


@pytest.mark.parametrize("model", MODELS)
def test_writing_through_views(model: Model) -> None:
    given = X.clone()
    with torch.no_grad():
        expected = model(X.clone())
    recording = LRP(model, "epsilon").record(given)
    assert torch.equal(given, X)
    assert torch.equal(recording.output, expected)
    walk = recording.propagate(lambda output: output, account=True)
    total = walk.relevance[0].sum(1) + sum(walk.ledger.absorbed.values())
    assert float((total - expected.sum(1)).norm() / expected.sum(1).norm()) < 1e-9
    assert LRP(model, "epsilon")(X[:0], lambda output: output).shape == (0, 6)


def test_relevance_is_that_of_the_model_written_out_of_place() -> None:
    def plain(x: Tensor) -> Tensor:
        a, b = LAYER(x).chunk(2, 1)
        a = (2 * a).relu() + 1
        return torch.cat([a, b + 1, a], 1)

    found, expected = (LRP(model, "epsilon")(X, lambda output: output.square()) for model in (through_both, plain))
    assert float((found - expected).norm() / expected.norm()) < 1e-9


INDEX = torch.tensor([0, 0, 1, 3])
PLACES = torch.tensor([True, False, True, False])
# What is done to a buffer or an explained value y, with an explained h: in place, and out of place.
IN_PLACE: dict[str, tuple[Callable[[Tensor, Tensor], object], Callable[[Tensor, Tensor], Tensor]]] = {
    "add_": (lambda y, h: y.add_(h, alpha=2), lambda y, h: y + 2 * h),
    "index_add_": (lambda y, h: y.index_add_(1, INDEX, h), lambda y, h: y.index_add(1, INDEX, h)),
    "scatter_add_": (
        lambda y, h: y.scatter_add_(1, INDEX.expand(3, 4), h),
        lambda y, h: y.scatter_add(1, INDEX.expand(3, 4), h),
    ),
    "scatter_": (
        lambda y, h: y.scatter_(1, INDEX[2:].expand(3, 2), h[:, :2]),
        lambda y, h: y.scatter(1, INDEX[2:].expand(3, 2), h[:, :2]),
    ),
    "index_copy_": (
        lambda y, h: y.index_copy_(1, INDEX[2:], h[:, 1:3]),
        lambda y, h: y.index_copy(1, INDEX[2:], h[:, 1:3]),
    ),
    "column +=": (
        lambda y, h: y[:, 1].add_(h[:, 2]),
        lambda y, h: torch.cat([y[:, :1], y[:, 1:2] + h[:, 2:3], y[:, 2:]], 1),
    ),
    "columns": (
        lambda y, h: [y[:, i].add_(h[:, k]) for i, k in ((0, 1), (0, 2), (3, 0))],
        lambda y, h: torch.stack([y[:, 0] + h[:, 1] + h[:, 2], y[:, 1], y[:, 2], y[:, 3] + h[:, 0]], 1),
    ),
    "setitem": (
        lambda y, h: y.__setitem__((slice(None), 1), h[:, 0]),
        lambda y, h: torch.cat([y[:, :1], h[:, :1], y[:, 2:]], 1),
    ),
    "rows": (
        lambda y, h: y.__setitem__([0, 2], y[[0, 2]] + h[[0, 2]]),
        lambda y, h: torch.stack([y[0] + h[0], y[1], y[2] + h[2]]),
    ),
    "copy_": (lambda y, h: y.copy_(h), lambda y, h: h * 1),
    "copy_ to a view": (
        lambda y, h: y[:, 1:3].copy_(h[:, :2]),
        lambda y, h: torch.cat([y[:, :1], h[:, :2], y[:, 3:]], 1),
    ),
    "masked_fill_": (
        lambda y, h: y.add_(h).masked_fill_(PLACES, 0.5),
        lambda y, h: (y + h).masked_fill(PLACES, 0.5),
    ),
    "two views": (
        lambda y, h: [part.add_(own) for part, own in zip(y.chunk(2, 1), h.chunk(2, 1), strict=True)],
        lambda y, h: y + h,
    ),
    "a view of a view": (
        lambda y, h: y[:, 1:][:, 1].add_(h[:, 0]),
        lambda y, h: torch.cat([y[:, :2], y[:, 2:3] + h[:, :1], y[:, 3:]], 1),
    ),
    "transposed": (lambda y, h: y.t().add_(h.t()), lambda y, h: y + h),
    "diagonal": (
        lambda y, h: y[:, :3].add_(h[:, :3]).fill_diagonal_(0.25),
        lambda y, h: torch.cat([(y + h)[:, :3].masked_fill(torch.eye(3, dtype=torch.bool), 0.25), y[:, 3:]], 1),
    ),
    "twice": (lambda y, h: (y.add_(h), y.add_(h.roll(1, 1))), lambda y, h: (y + h) + h.roll(1, 1)),
    "read and written": (lambda y, h: y.add_(h).add_(y.clone()), lambda y, h: 2 * (y + h)),
    "scaled before": (lambda y, h: y.mul_(2).add_(h), lambda y, h: y * 2 + h),
}
BUFFERS: dict[str, Callable[[Tensor], Tensor]] = {
    "zeros": lambda x: torch.zeros(3, 4, dtype=x.dtype),
    "ones, as a view of more": lambda x: torch.ones(3, 9, dtype=x.dtype)[:, 2:6],
    "column-major": lambda x: torch.ones(4, 3, dtype=x.dtype).t(),
    "explained": lambda x: LAYER(x.flip(1)),
    "explained, column-major": lambda x: (LAYER(x.flip(1)).t() * torch.ones(4, 3, dtype=x.dtype)).t(),
}


@pytest.mark.parametrize("buffer", BUFFERS)
@pytest.mark.parametrize("write", IN_PLACE)
def test_in_place_and_out_of_place_are_one(write: str, buffer: str) -> None:
    """The relevance, the residuals and the output."""
    inside, outside = IN_PLACE[write]

    def in_place(x: Tensor) -> Tensor:
        y = BUFFERS[buffer](x)
        before = y * 3
        inside(y, LAYER(x))
        return F.leaky_relu(y) + before

    def out_of_place(x: Tensor) -> Tensor:
        y = BUFFERS[buffer](x)
        return F.leaky_relu(outside(y, LAYER(x))) + y * 3

    found, expected = (LRP(model, "zero").record(X) for model in (in_place, out_of_place))
    with torch.no_grad():
        torch.testing.assert_close(found.output, in_place(X.clone()))
    torch.testing.assert_close(found.output, expected.output)
    lost = [sum(recording.plan(1).residuals.values()) for recording in (found, expected)]
    assert lost[0] == pytest.approx(lost[1], abs=1e-9)
    one, other = (recording.propagate(1).relevance[0] for recording in (found, expected))
    torch.testing.assert_close(one, other)
    x = X.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(out_of_place(x)[:, 1].sum(), x)
    torch.testing.assert_close(one, X * gradient)


def test_constants_that_change_are_recorded_as_they_were() -> None:
    """A mask that moves on, a counter, a cache: the tape has read what they held then."""

    def in_place(x: Tensor) -> Tensor:
        weight, total = torch.ones(4, dtype=x.dtype), torch.zeros(3, 4, dtype=x.dtype)
        first = LAYER(x) * weight
        weight.mul_(5)
        second = LAYER(x) * weight
        weight[1:] = 0
        view = weight[:2]
        third = LAYER(x) * view.repeat(2)
        view.zero_()
        torch.add(weight, 1, out=weight)
        return first + second + third + total

    def out_of_place(x: Tensor) -> Tensor:
        weight = x.new_ones(4)
        return LAYER(x) * weight + LAYER(x) * (5 * weight) + LAYER(x) * torch.tensor([5.0, 0, 5, 0], dtype=x.dtype)

    found, expected = (LRP(model, "zero")(X, 2) for model in (in_place, out_of_place))
    torch.testing.assert_close(found, expected)


def test_experts_in_a_loop() -> None:
    """The mixture of experts as its tokens are gathered, and as one expression."""
    torch.manual_seed(1)
    router, experts = nn.Linear(6, 3).double(), nn.ModuleList(nn.Linear(6, 4) for _ in range(3)).double()

    def loop(x: Tensor) -> Tensor:
        choice, out = router(x).argmax(-1), x.new_zeros(len(x), 4)
        for i, expert in enumerate(experts):
            (rows,) = torch.where(choice == i)
            out.index_add_(0, rows, expert(x[rows]))
        return F.leaky_relu(out)

    def masked(x: Tensor) -> Tensor:
        chosen = F.one_hot(router(x).argmax(-1), 3).to(x.dtype)
        return F.leaky_relu(sum(chosen[:, i : i + 1] * expert(x) for i, expert in enumerate(experts)))

    start = torch.tensor([[0.0, 1, 0, 0]] * 3, dtype=torch.float64)
    found, expected = (LRP(model, "zero")(X, start) for model in (loop, masked))
    torch.testing.assert_close(found, expected)


def test_a_view_from_before_shows_what_was_written() -> None:
    def late(x: Tensor) -> Tensor:
        y = x.new_zeros(len(x), 8)
        left, middle = y[:, :4], y[:, 2:6]
        left.copy_(LAYER(x))
        return LAYER(x) + middle

    def anew(x: Tensor) -> Tensor:
        return LAYER(x) + F.pad(LAYER(x)[:, 2:], (0, 2))

    found, expected = (LRP(model, "zero")(X, 0) for model in (late, anew))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_is_written_keeps_its_type(dtype: torch.dtype) -> None:
    layer = nn.Linear(6, 4, dtype=dtype)

    def model(x: Tensor) -> Tensor:
        y = torch.zeros(3, 4, dtype=torch.float64)
        y.add_(layer(x))
        h = layer(x).add_(y)
        assert (y.dtype, h.dtype) == (torch.float64, dtype)
        return h

    x = X.to(dtype)
    torch.testing.assert_close(LRP(model, "zero")(x, 0), 2 * x * layer.weight[0].detach())


@pytest.mark.parametrize(
    "write",
    [
        lambda y: y.detach().zero_(),
        lambda y: y.data.mul_(2),
        lambda y: setattr(y, "data", y * 2),
    ],
    ids=["detach", "data", "set data"],
)
def test_writing_behind_the_tape_is_refused(write: Callable[[Tensor], object]) -> None:
    def of_the_output(x: Tensor) -> Tensor:
        y = LAYER(x)
        write(y)
        return y

    def of_the_input(x: Tensor) -> Tensor:
        write(x)
        return LAYER(x)

    given = X.clone()
    for model in (of_the_output, of_the_input):
        with pytest.raises(UnsupportedOperationError):
            LRP(model, "epsilon").record(given)
    assert torch.equal(given, X)


def test_only_the_places_of_a_sampling_explained() -> None:
    image = torch.randn(3, 1, 4, 4, dtype=torch.float64)
    with pytest.raises(UnsupportedOperationError, match="grid_sample"):
        LRP(lambda x: F.grid_sample(image, x.view(3, 1, 3, 2), align_corners=False).flatten(1)).record(X)
