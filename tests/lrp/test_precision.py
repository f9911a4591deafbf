"""Models that compute in fewer digits than relevance needs: half precision, and islands of float32 in float64."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from neon import LRP


def linear(x: Tensor, w: Tensor) -> Tensor:
    return nn.functional.linear(x, w, w[0])


def rectified(x: Tensor, w: Tensor) -> Tensor:
    return nn.functional.linear(x, w, w[0]).relu()


def constant_einsum(x: Tensor, w: Tensor) -> Tensor:
    return torch.einsum("bi,ki->bk", x, w)


def constant_batch(x: Tensor, w: Tensor) -> Tensor:
    return torch.bmm(x[:, None], w.expand(len(x), *w.shape))[:, 0]


def constant_beside(x: Tensor, w: Tensor) -> Tensor:
    return torch.index_add(w[:1].expand(len(x), -1), 1, torch.arange(x.shape[1]), x)


def attention(x: Tensor, w: Tensor) -> Tensor:
    q, k = linear(x, w)[..., None], linear(x, w.T)[:, None]
    return ((q @ k).softmax(-1) @ linear(x, w + 1)[..., None])[..., 0]


def gated(x: Tensor, w: Tensor) -> Tensor:
    return nn.functional.silu(linear(x, w)) * linear(x, w.T)


def normalized(x: Tensor, w: Tensor) -> Tensor:
    return nn.functional.layer_norm(linear(x, w), x.shape[1:], w[0], w[1]) + x


FUNCTIONS = [linear, rectified, constant_einsum, constant_batch, constant_beside, attention, gated, normalized]


@pytest.mark.parametrize("composite", ["attn_lrp", "epsilon", "zero"])
@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("outer", "inner", "bound"),
    [
        (torch.bfloat16, torch.bfloat16, 1e-5),
        (torch.float16, torch.float16, 1e-5),
        (torch.bfloat16, torch.float32, 1e-5),
        (torch.float64, torch.float32, 1e-12),
    ],
)
def test_relevance_adds_up_whatever_the_model_computes_in(
    function: Callable[[Tensor, Tensor], Tensor],
    outer: torch.dtype,
    inner: torch.dtype,
    bound: float,
    composite: str,
) -> None:
    torch.manual_seed(0)
    x, w, head = torch.randn(3, 6, dtype=outer), torch.randn(6, 6, dtype=inner), torch.randn(6, 2, dtype=outer)

    def model(x: Tensor) -> Tensor:
        return function(x.to(inner), w).to(outer) @ head

    recording = LRP(model, composite).record(x)
    assert torch.equal(recording.output, model(x))
    walk = recording.propagate(1, account=True)
    total = walk.relevance[0].double().sum(1) + sum(part.double() for part in walk.ledger.absorbed.values())
    prediction = recording.output[:, 1].double()
    error = (total - prediction).abs() / (prediction.abs() + walk.relevance[0].double().abs().sum(1))
    # The relevance of the input itself is rounded to the input's own digits, and LRP-0 hands on slopes that it does not
    # divide anew: of what the model rounded to.
    own = torch.finfo(inner).eps if composite == "zero" else 0.0
    assert float(error.max()) <= max(bound, 2 * torch.finfo(outer).eps, own)


def test_an_island_of_float32_is_as_exact_as_what_surrounds_it() -> None:
    """Relevance of the same function whose constants and inputs fit into float32, but computed in float64."""
    torch.manual_seed(0)
    x, w = torch.randint(-8, 8, (3, 6)).double() / 8, torch.randint(-8, 8, (6, 6)).double() / 8

    def island(x: Tensor) -> Tensor:
        return linear(x.float(), w.float()).double().sum(1, keepdim=True)

    found = LRP(island, "epsilon")(x)
    expected = LRP(lambda x: linear(x, w).sum(1, keepdim=True), "epsilon")(x)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)
