"""What is explained: places of maps and tokens, and scalars that a function makes of the output."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neon import LRP
from neon.lrp import targets
from neon.lrp.rules import Reference


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def maps() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3)).double()


@pytest.fixture
def logits() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4)).double()


def test_one_place_of_a_map(maps: nn.Module) -> None:
    x = randn(2, 3, 8, 8)
    found = LRP(maps, "epsilon")(x, (2, 1, -1))
    expected = LRP(lambda x: maps(x)[:, 2, 1, -1], "epsilon")(x)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)
    contrast = LRP(maps, "epsilon")(x, targets.Contrast((2, 1, 3), (0, 1, 3)))
    parts = [LRP(maps, "epsilon")(x, (c, 1, 3)) for c in (2, 0)]
    torch.testing.assert_close(contrast, parts[0] - parts[1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("form", [list, torch.tensor])
def test_a_place_for_each_sample(maps: nn.Module, form: Callable[..., object]) -> None:
    x = randn(2, 3, 8, 8)
    places = [(2, 1, 3), (0, 3, 2)]
    found = LRP(maps, "epsilon")(x, form(places))  # type: ignore[arg-type]
    alone = [LRP(maps, "epsilon")(x[[n]], place) for n, place in enumerate(places)]
    torch.testing.assert_close(found, torch.cat(alone), rtol=1e-9, atol=1e-12)


def test_a_class_of_a_token() -> None:
    torch.manual_seed(0)
    model, ids = nn.Sequential(nn.Embedding(9, 6), nn.Linear(6, 4)).double(), torch.tensor([[1, 2, 3], [4, 5, 6]])
    found = LRP(model, "epsilon")(ids, (1, 3))
    torch.testing.assert_close(found[:, [0, 2]], torch.zeros(2, 2).double())
    torch.testing.assert_close(found[:, 1], LRP(model, "epsilon")(ids[:, 1:2], (0, 3))[:, 0])


@pytest.mark.parametrize("target", [1, [1, 2], (1, 2), (1, 2, 3, 4), (5, 0, 0), [[1, 2], [3, 4]]])
def test_places_that_do_not_fit(maps: nn.Module, target: object) -> None:
    with pytest.raises(ValueError, match=r"\(class, y, x\)|out of range for 5"):
        LRP(maps, "epsilon")(randn(2, 3, 8, 8), target)  # type: ignore[arg-type]


def test_log_odds_of_a_map_are_refused(maps: nn.Module) -> None:
    with pytest.raises(ValueError, match="pick one position"):
        LRP(maps)(randn(2, 3, 8, 8), targets.LogOdds((1, 2, 3)))


# A scalar of the output, and the relevance of the output that it comes to.
SCALARS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "one output": (lambda y: y[:, 2], lambda y: y * F.one_hot(torch.tensor(2), 4)),
    "a contrast": (lambda y: y[:, 2] - y[:, 0], targets.Contrast(2, 0)),
    "a mean": (lambda y: y[:, 1:].mean(1, keepdim=True), lambda y: y * torch.tensor([0, 1, 1, 1]) / 3),
    "the strongest": (lambda y: y.amax(1), lambda y: y * F.one_hot(y.argmax(1), 4)),
    "a squared norm": (lambda y: y.square().sum(1), lambda y: y.square()),
    "a norm": (lambda y: y.norm(dim=1), lambda y: y.square() / y.norm(dim=1, keepdim=True)),
    "a distance": (lambda y: F.mse_loss(y, torch.ones_like(y), reduction="none").sum(1), lambda y: y * (y - 1)),
}


@pytest.mark.parametrize("name", SCALARS)
def test_one_scalar_a_sample(logits: nn.Module, name: str) -> None:
    scalar, relevance = SCALARS[name]
    x = randn(3, 6)
    recording = LRP(logits, "epsilon").record(x)
    walk = recording.propagate(scalar, account=True)
    expected = recording.propagate(relevance, account=True)
    torch.testing.assert_close(walk.relevance[0], expected.relevance[0], rtol=1e-9, atol=1e-12)
    total = walk.relevance[0].sum(1) + sum(walk.ledger.absorbed.values())
    torch.testing.assert_close(total, scalar(recording.output).reshape(3), rtol=1e-9, atol=1e-12)
    plan = recording.plan(scalar)
    assert plan.rows[-1].relevance_out == pytest.approx(float(relevance(recording.output).sum()))


def test_a_scalar_relative_to_a_reference(logits: nn.Module) -> None:
    x, r = randn(3, 6), randn(1, 6, seed=5)

    def scalar(y: Tensor) -> Tensor:
        return y[:, 1] - y[:, 0] + y.square().sum(1)

    recording = LRP(logits, Reference()).record(x, reference=r)
    with torch.no_grad():
        moved = scalar(logits(x)) - scalar(logits(r))
    torch.testing.assert_close(recording.propagate(scalar).relevance[0].sum(1), moved, rtol=1e-9, atol=1e-12)


def test_what_a_target_function_must_return(logits: nn.Module) -> None:
    for scalar in (lambda y: y.sum(), lambda y: y[:2, 0], lambda y: y[:, :2], lambda y: 3.0):
        with pytest.raises(ValueError, match="one scalar for each of 3 samples"):
            LRP(logits)(randn(3, 6), scalar)
