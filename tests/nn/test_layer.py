"""Functions that are one step of a tape, and modules that hold their arguments."""

from __future__ import annotations

import inspect
import pickle

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
    assert Scaled(torch.tensor([1, 2])).weights.dtype == torch.int64
    assert repr(layer) == "Scaled(weights=(2,), shift=(2,), power=1)"
    twin = pickle.loads(pickle.dumps(nn.SquaredDistance(draw(4, 3))))
    close(twin(draw(2, 3)), nn.SquaredDistance(draw(4, 3))(draw(2, 3)))


def test_buffers_are_the_layers_own() -> None:
    given = draw(4, 3)
    layer = nn.SquaredDistance(given)
    given.zero_()
    assert bool((layer.centers != 0).all())


def test_signatures() -> None:
    assert str(inspect.signature(Scaled)).startswith("(weights: 'Tensor', shift: 'Tensor | None' = None, power")
    assert list(inspect.signature(nn.Linear).parameters) == ["weight", "bias"]
    with pytest.raises(TypeError, match=r"SquaredDistance\(centers.*missing a required argument: 'centers'"):
        nn.SquaredDistance()


def test_no_form_of_linear_and_relu_alone() -> None:
    with pytest.raises(ValueError, match="Scaled is not made of Linear and ReLU alone: there is no exact ReLU form"):
        Scaled([1.0]).relu(1)
    with pytest.raises(ValueError, match="a distance is not piecewise linear: there is no exact ReLU form"):
        nn.SquaredDistance(draw(4, 3)).relu(3)
