"""Module names survive the functions and objects around a model."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from neon import LRP, composites, rules
from neon.lrp.recording.names import module_names


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv1d(2, 8, 3), nn.ReLU())
        self.head = nn.Linear(48, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.features(x)
        return self.head(h.flatten(1)), h

    def logits(self, x: Tensor) -> Tensor:
        return self(x)[0]


torch.manual_seed(0)
NET, OTHER = Net().double(), nn.Linear(3, 2).double()
X = torch.randn(2, 2, 8, dtype=torch.float64)
RULES = [("features.0", rules.Gamma(10.0)), (composites.anything(), rules.Epsilon())]


class Holder:
    def __init__(self, model: Any) -> None:
        self.model = model

    def __call__(self, x: Tensor) -> Tensor:
        return self.model(x)[0]

    def predict(self, x: Tensor) -> Tensor:
        return self.model(x)[0]


def of_global(x: Tensor) -> Tensor:
    return NET(x)[0]


def with_index(x: Tensor, index: int) -> Tensor:
    return NET(x)[index]


def with_model(model: nn.Module, x: Tensor) -> Tensor:
    return model(x)[0]


def closed(model: nn.Module) -> Callable[[Tensor], Tensor]:
    return lambda x: model(x)[0]


def wrapped(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    @functools.wraps(function)
    def inner(x: Tensor) -> Tensor:
        return function(x)

    return inner


WRAPPERS: dict[str, Callable[[Tensor], Tensor]] = {
    "lambda": lambda x: NET(x)[0],
    "function": of_global,
    "nested lambda": lambda x: (lambda t: NET(t)[0])(x),
    "partial": functools.partial(with_index, index=0),
    "partial of the model": functools.partial(with_model, NET),
    "closure": closed(NET),
    "decorated": wrapped(of_global),
    "bound method": NET.logits,
    "object": Holder(NET),
    "method of an object": Holder(NET).predict,
    "object in a lambda": (lambda holder: lambda x: holder.model(x)[0])(Holder(NET)),
    "a part by a global": lambda x: NET.head(NET.features(x).flatten(1)),
    "default argument": lambda x, model=NET: model(x)[0],
}


@pytest.mark.parametrize("name", WRAPPERS)
def test_rules_by_name_reach_through(name: str) -> None:
    expected = LRP(NET, RULES, output=0)(X, 1)
    assert not torch.allclose(expected, LRP(NET, "epsilon", output=0)(X, 1))
    relevance, at = LRP(WRAPPERS[name], RULES)(X, 1, at=["features.0"])
    assert torch.equal(relevance, expected)
    assert at["features.0"].shape == (2, 8, 6)


def test_several_modules_are_told_apart_by_what_the_function_calls_them() -> None:
    body, head = nn.Sequential(nn.Flatten(), nn.Linear(16, 4)), nn.Linear(4, 2)
    names = module_names(lambda x: head(body(x)))
    assert (names[id(body[1])], names[id(head)], names[id(head.weight)]) == ("body.1", "head", "head")
    pair = [body, head]
    names = module_names(lambda x: pair[1](pair[0](x)))
    assert (names[id(body[1])], names[id(head)]) == ("pair.0.1", "pair.1")
    assert module_names(torch.relu) == {}


def test_a_rule_that_matches_nothing_is_an_error() -> None:
    for name in ("nowhere.*", "features", "features.1", "Features.0"):
        with pytest.raises(ValueError, match=r"takes a rule.*features\.0, head"):
            LRP(NET, [(name, rules.Gamma(1.0)), (composites.anything(), rules.Epsilon())], output=0)(X, 1)
        with pytest.raises(ValueError, match="takes a rule"):
            LRP(NET.logits, composites.epsilon().override(name, rules.Gamma(1.0)))(X, 1)
    with pytest.raises(ValueError, match="no module was found"):
        LRP(lambda x: x.flatten(1) * 2, RULES)(X, 1)
