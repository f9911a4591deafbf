"""The ledger adds up for each sample, wherever a model keeps its samples."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from neon import LRP, Explainer
from neon.errors import UnsupportedOperationError

N, STEPS, WIDTH = 4, 6, 5


def maps() -> tuple[nn.Linear, nn.Linear]:
    torch.manual_seed(0)
    return nn.Linear(WIDTH, WIDTH).double(), nn.Linear(WIDTH, 1).double()


def time_first(x: Tensor) -> Tensor:
    first, second = maps()
    return second(first(x.transpose(0, 1)).relu().transpose(0, 1).sum(1))


def samples_last(x: Tensor) -> Tensor:
    first, second = maps()
    hidden = first(x.sum(1)).relu().mT  # (width, samples)
    return (second.weight @ (hidden + 1.0)).mT


def packed_rows(x: Tensor) -> Tensor:
    """Only some tokens of each sample, of no common number."""
    first, second = maps()
    rows = torch.cat([x[i, : i + 1] for i in range(len(x))])
    owner = torch.repeat_interleave(torch.arange(len(x)), torch.arange(1, len(x) + 1))
    return second(torch.zeros(len(x), WIDTH).double().index_add(0, owner, first(rows).relu()))


def sorted_tokens(x: Tensor) -> Tensor:
    """Tokens of all samples sorted by what a router says, as experts take them."""
    first, second = maps()
    rows = x.flatten(0, 1)
    order = torch.argsort(rows.detach()[:, 0])
    return second(first(rows[order])[torch.argsort(order)].relu().unflatten(0, x.shape[:2]).sum(1))


def sorted_samples(x: Tensor) -> Tensor:
    first, second = maps()
    order = torch.argsort(x.detach()[:, 0, 0])
    return second(first(x.sum(1)[order]).relu())[torch.argsort(order)]


def against_prototypes(x: Tensor) -> Tensor:
    """Scores of three prototypes and the samples, (prototypes, samples)."""
    first, _ = maps()
    scores = torch.eye(3, WIDTH).double() @ first(x.sum(1)).mT + 0.5
    return scores.relu().mT.sum(1, keepdim=True)


LAYOUTS = [time_first, samples_last, packed_rows, sorted_tokens, sorted_samples, against_prototypes]


@pytest.mark.parametrize("n_steps", [STEPS, N, 2 * N])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_ledger_is_that_of_one_sample_at_a_time(layout: Callable[[Tensor], Tensor], n_steps: int) -> None:
    torch.manual_seed(1)
    x = torch.randn(N, n_steps, WIDTH).double()
    lrp = LRP(layout, "epsilon")
    walk = lrp.record(x).propagate(0, account=True)
    total = walk.relevance[0].flatten(1).sum(1) + sum(walk.ledger.absorbed.values())
    torch.testing.assert_close(total, layout(x)[:, 0], rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(walk.relevance[0], lrp(x, 0), rtol=1e-12, atol=1e-14)
    if layout is packed_rows:
        return  # whose samples differ by their place in the batch
    single = [lrp.record(x[i : i + 1]).propagate(0, account=True).ledger.absorbed for i in range(N)]
    for name, amount in walk.ledger.absorbed.items():
        torch.testing.assert_close(amount, torch.cat([each[name] for each in single]), rtol=1e-9, atol=1e-12)


def test_an_explanation_of_packed_rows_adds_up() -> None:
    torch.manual_seed(1)
    x = torch.randn(N, STEPS, WIDTH)

    class Model(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return packed_rows(x.double())

    explanation = Explainer(Model(), composite="epsilon")(x)
    total = explanation.values.sum((1, 2)) + explanation.base_values + sum(explanation.residuals.values())
    assert abs(total - explanation.prediction).max() < 1e-6


def test_samples_that_the_model_mixes_have_a_ledger_where_they_stand() -> None:
    """The nodes of a graph: relevance of one reaches others, and no entry can be sent back to it."""
    torch.manual_seed(1)
    first, _ = maps()
    x, graph = torch.randn(N, WIDTH).double(), torch.rand(N, N).double()
    walk = LRP(lambda x: first(graph @ x), "epsilon").record(x).propagate(1, account=True)
    total = walk.relevance[0].sum() + sum(amount.sum() for amount in walk.ledger.absorbed.values())
    torch.testing.assert_close(total, first(graph @ x)[:, 1].sum())


def test_rows_of_mixed_samples_are_refused() -> None:
    x = torch.randn(N, WIDTH).double()
    source = torch.tensor([0, 1, 1, 2, 3])
    first, second = maps()

    def edges(x: Tensor) -> Tensor:
        return second(torch.zeros_like(x).index_add(0, source.flip(0), first(x[source])))

    with pytest.raises(UnsupportedOperationError, match="belongs to no single one"):
        LRP(edges, "epsilon").record(x).propagate(0, account=True)
