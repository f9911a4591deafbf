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


def test_a_view_from_before_is_refused() -> None:
    def model(x: Tensor) -> Tensor:
        y = x.new_zeros(len(x), 8)
        left, middle = y[:, :4], y[:, 2:6]
        left.copy_(LAYER(x))
        return LAYER(x) + middle

    with pytest.raises(UnsupportedOperationError, match="reads a view of memory that was written in place since"):
        LRP(model, "epsilon").record(X)


def test_only_the_places_of_a_sampling_explained() -> None:
    image = torch.randn(3, 1, 4, 4, dtype=torch.float64)
    with pytest.raises(UnsupportedOperationError, match="grid_sample"):
        LRP(lambda x: F.grid_sample(image, x.view(3, 1, 3, 2), align_corners=False).flatten(1)).record(X)
