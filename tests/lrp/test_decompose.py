"""Fused functions are spelled out: the same values, and the relevance of what they are made of."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from neon import LRP
from neon.errors import UnsupportedOperationError

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
