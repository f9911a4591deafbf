"""Functions that are one step of a tape, and modules that hold their arguments."""

from __future__ import annotations

import inspect
import pickle
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from neon import nn
from neon.lrp import LRP
from neon.lrp.message import Ledger, Message
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.rules import Rule
from neon.nn.layer import Layer, operation
from tests.nn.textbook import close, draw


@operation
def scaled(x: Tensor, weights: Tensor, shift: Tensor | None = None, power: int = 1) -> Tensor:
    """``w x^p + s``."""
    y = weights * x**power
    return y if shift is None else y + shift


class Scaled(Layer, of=scaled):
    """`scaled` by fixed numbers."""

    weights: Tensor
    shift: Tensor | None


class _Scaled(Treatment):
    def propagate(
        self, call: Call, messages: tuple[Message | None, ...], rule: Rule | None, ledger: Ledger
    ) -> tuple[Message | None, ...]:
        (message,) = messages
        assert message is not None
        x, weights, shift, power = call.bound()
        assert x.shape[1] == len(weights)
        assert (shift, power) == (None, 2)
        return (Message.of_relevance(message.relevance),)


treat(scaled, by=_Scaled())


def test_a_treatment_gets_every_argument() -> None:
    x, weights = draw(3, 4), draw(4, seed=1)
    for model in (
        lambda x: scaled(x, weights, power=2),
        lambda x: scaled(weights=weights, x=x, power=2),
        Scaled(weights, power=2),
    ):
        close(model(x), weights * x**2)
        close(LRP(model, "neon")(x, torch.ones(3, 4)), torch.ones(3, 4))


def test_what_a_layer_holds() -> None:
    layer = Scaled([1, 2], shift=np.array([1.0, 2.0], dtype=np.float32))
    assert {name: buffer.dtype for name, buffer in layer.named_buffers()} == dict.fromkeys(
        ("weights", "shift"), torch.float64
    )
    assert list(layer.state_dict()) == ["weights", "shift"]
    assert layer.power == 1
    assert layer.to(torch.float32).weights.dtype == torch.float32
    assert repr(layer) == "Scaled(weights=(2,), shift=(2,), power=1)"
    twin = pickle.loads(pickle.dumps(nn.SquaredDistance(draw(4, 3))))
    close(twin(draw(2, 3)), nn.SquaredDistance(draw(4, 3))(draw(2, 3)))


def test_whole_numbers_stay_whole_as_indices_alone() -> None:
    points = torch.tensor([[0, 1], [1, 0]])
    x = draw(3, 2)
    close(nn.SquaredDistance(points)(x), torch.cdist(x, points.double()).square())
    assert nn.Affine(torch.tensor([1, 2])).scale.dtype == torch.float64
    assert nn.Monomials([[1, 2]]).factors.dtype == torch.int64
    assert nn.Featurewise(np.negative, np.array([0, 1]), "-x").source.dtype == torch.int64
    for votes in (nn.MajorityEvidence([], _nobody, [0, 1], 2), nn.VoteOdds([], _nobody, [0, 1], 2, 1.0, 0.1)):
        assert votes.labels.dtype == torch.int64


def _nobody(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((len(x), 0)), np.zeros((len(x), 0))


def test_what_a_layer_holds_is_its_own() -> None:
    given, sizes = draw(4, 3), [1, 3]
    distance, pooled = nn.SquaredDistance(given), nn.PooledMinimum(sizes, 1.0)
    given.zero_()
    sizes.append(2)
    assert bool((distance.centers != 0).all())
    assert pooled.groups == (1, 3)


def test_an_operation_with_a_parameter_by_name_only_is_refused() -> None:
    def hidden(x: Tensor, *, power: int = 1) -> Tensor:
        return x**power

    def open_ended(x: Tensor, *powers: int) -> Tensor:
        return x ** sum(powers)

    with pytest.raises(TypeError, match=r"hidden\(.*the parameter 'power' of an operation is keyword-only"):
        operation(hidden)
    with pytest.raises(TypeError, match="the parameter 'powers' of an operation is variadic positional"):
        operation(open_ended)


@dataclass
class Power:
    """It compares by value and can change, so it has no hash."""

    exponent: float

    def __call__(self, x: Tensor) -> Tensor:
        return x**self.exponent


def test_a_function_without_a_hash() -> None:
    x = draw(3, 2)
    layer = nn.Elementwise(Power(2.0), "x²")
    close(layer(x), x.square())
    close(LRP(layer, "neon")(x, torch.ones(3, 2)), torch.ones(3, 2))


def test_signatures() -> None:
    assert str(inspect.signature(Scaled)).startswith("(weights: 'Tensor', shift: 'Tensor | None' = None, power")
    assert list(inspect.signature(nn.Linear).parameters) == ["weight", "bias"]
    instance, plain = inspect.signature(Scaled([1.0])), inspect.signature(torch.nn.ReLU())
    assert list(instance.parameters) == list(plain.parameters)
    with pytest.raises(TypeError, match=r"SquaredDistance\(centers.*missing a required argument: 'centers'"):
        nn.SquaredDistance()


def test_options_are_given_by_name_only() -> None:
    assert list(inspect.signature(nn.Step).parameters) == ["threshold", "strict"]
    assert inspect.signature(nn.Step).parameters["strict"].kind is inspect.Parameter.KEYWORD_ONLY
    x = torch.tensor([[1.0, 3.0]])
    close(nn.Step([1.0, 2.0], strict=True)(x), nn.step(x, torch.tensor([1.0, 2.0]), True))
    with pytest.raises(TypeError, match=r"Step\(threshold.*too many positional arguments"):
        nn.Step([1.0, 2.0], True)


def test_no_form_of_linear_and_relu_alone() -> None:
    with pytest.raises(ValueError, match="Scaled is not made of Linear and ReLU alone: there is no exact ReLU form"):
        Scaled([1.0]).relu(1)
    with pytest.raises(ValueError, match="a distance is not piecewise linear: there is no exact ReLU form"):
        nn.SquaredDistance(draw(4, 3)).relu(3)
