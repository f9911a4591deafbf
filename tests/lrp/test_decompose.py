"""Fused functions are spelled out: the same values, and the relevance of what they are made of."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from neon import LRP
from neon.errors import UnsupportedOperationError
from neon.lrp.recording import decompose, distances
from neon.lrp.recording.signatures import with_arguments_of

grouped = getattr(torch, "_grouped_mm", None)
needs_grouped = pytest.mark.skipif(grouped is None, reason="torch._grouped_mm came with torch 2.8")


def experts(dtype: torch.dtype, n_idle: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Rows, weights of three experts (the second without rows), and where each one's rows end."""
    torch.manual_seed(0)
    x, w = torch.randn(8 + n_idle, 8, dtype=dtype), torch.randn(3, 8, 16, dtype=dtype)
    return x, w, torch.tensor([3, 3, 8], dtype=torch.int32)


@needs_grouped
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("composite", ["epsilon", "epsilon_plus", "attn_lrp"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_groups_of_rows_are_products_of_their_own(dtype: torch.dtype, composite: str, wrapped: bool) -> None:
    x, w, ends = experts(dtype)
    function = getattr(torch.nn.functional, "grouped_mm", grouped) if wrapped else grouped
    head = torch.randn(16, 2, dtype=dtype)

    def spelled_out(x: Tensor) -> Tensor:
        return torch.cat([x[:3] @ w[0], x[3:] @ w[2]]).relu() @ head

    found = LRP(lambda x: function(x, w, offs=ends).relu() @ head, composite).record(x)
    expected = LRP(spelled_out, composite).record(x)
    assert torch.equal(found.output, expected.output)
    assert torch.equal(found.propagate(1).relevance[0], expected.propagate(1).relevance[0])
    if dtype != torch.float64:  # which torch's own function does not take
        assert torch.allclose(function(x, w, offs=ends).relu() @ head, found.output, rtol=1e-2)


@needs_grouped
def test_rows_of_no_group_give_nothing() -> None:
    x, w, ends = experts(torch.float64, n_idle=2)
    relevance = LRP(lambda x: grouped(x, w, offs=ends).sum(1, keepdim=True), "epsilon")(x)
    assert bool((relevance[8:] == 0).all())
    assert bool((relevance[:8] != 0).all())


@needs_grouped
def test_batches_of_equal_groups() -> None:
    torch.manual_seed(0)
    x, w = torch.randn(3, 4, 8).double(), torch.randn(3, 8, 16).double()
    found = LRP(lambda x: grouped(x, w).flatten(1).sum(1, keepdim=True), "epsilon")(x)
    expected = LRP(lambda x: torch.bmm(x, w).flatten(1).sum(1, keepdim=True), "epsilon")(x)
    assert torch.equal(found, expected)


@needs_grouped
def test_groups_of_columns_are_refused() -> None:
    x, ends = torch.randn(8, 8).double(), torch.tensor([3, 8], dtype=torch.int32)
    with pytest.raises(UnsupportedOperationError, match="groups of"):
        LRP(lambda x: grouped(x, x.T, offs=ends).sum((0, 2)), "epsilon")(x)


def test_arguments_that_a_newer_torch_adds_are_refused() -> None:
    def older(x: Tensor, scale: float = 1.0) -> Tensor:
        return x * scale

    def newer(x: Tensor, scale: float = 1.0, power: float = 1.0, mask: Tensor | None = None) -> Tensor:
        return older(x, scale)

    run = with_arguments_of(newer, takes="x scale")(lambda given: older(given.x, given.scale))
    x = torch.ones(2)
    assert torch.equal(run(x, 3.0, 1.0, mask=None), 3 * x)
    for more in ({"power": 2.0}, {"mask": x}):
        with pytest.raises(UnsupportedOperationError, match=f"newer with {next(iter(more))}=.* leave it out"):
            run(x, **more)


IN_VAIN = {  # arguments that change no value
    F.multi_head_attention_forward: {"embed_dim_to_check", "is_causal"},
    F.embedding_bag: {"norm_type", "scale_grad_by_freq", "sparse"},
}


@pytest.mark.parametrize(
    ("function", "run"),
    [
        (F.triplet_margin_loss, distances.triplet_margin_loss),
        (F.triplet_margin_with_distance_loss, distances.triplet_margin_with_distance_loss),
        (F.cosine_embedding_loss, distances.cosine_embedding_loss),
        (F.multi_head_attention_forward, decompose.multi_head_attention_forward),
        (F.embedding_bag, decompose.embedding_bag),
    ],
    ids=lambda f: f.__name__,
)
def test_every_argument_is_read_or_refused(function: Any, run: Any) -> None:
    parameters = inspect.signature(function).parameters
    source = inspect.getsource(run.__wrapped__)
    source += inspect.getsource(distances._triplet) if "_triplet(" in source else ""
    read = set(re.findall(r"given\.(\w+)", source))
    assert read <= set(parameters)
    required = {name: None for name, parameter in parameters.items() if parameter.default is parameter.empty}
    for name in set(parameters) - read - IN_VAIN.get(function, set()):
        with pytest.raises(UnsupportedOperationError, match=f"with {name}="):
            run(**{**required, name: object()})
