"""The first axis need not be the samples: members of ensembles, views, time steps; what mixes samples is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neon import LRP
from neon.errors import UnsupportedOperationError

torch.manual_seed(0)
N, STEPS, WIDTH = 4, 8, 6
NETS = nn.ModuleList(nn.Sequential(nn.Linear(WIDTH, 5), nn.ReLU(), nn.Linear(5, 3)) for _ in range(N)).double()
LSTM, HEAD5, HEAD6 = nn.LSTM(WIDTH, 5).double(), nn.Linear(5, 3).double(), nn.Linear(WIDTH, 3).double()
LAYER = nn.TransformerEncoderLayer(WIDTH, 2, 12).double().eval()
TABLE = nn.Embedding(20, WIDTH).double()
CLASS_TOKEN = torch.randn(1, 1, WIDTH).double()


def members(x: Tensor) -> Tensor:
    return torch.stack([net(x) for net in NETS])


def steps_first(x: Tensor) -> Tensor:
    return LSTM(x.transpose(0, 1))[0]


def with_class_token(x: Tensor) -> Tensor:
    x = torch.cat([CLASS_TOKEN.expand(1, len(x), WIDTH), x.transpose(0, 1)])
    return HEAD6(LAYER(x).mean(0))


PAIRS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "mean": (lambda x: members(x).mean(0), lambda x: members(x).transpose(0, 1).mean(1)),
    "mean of a negative axis": (lambda x: members(x).mean(-3), lambda x: members(x).transpose(0, 1).mean(1)),
    "sum": (lambda x: members(x).sum(0), lambda x: members(x).transpose(0, 1).sum(1)),
    "sum over two axes": (
        lambda x: members(x[:, None]).sum((0, 2)),
        lambda x: members(x[:, None]).transpose(0, 1).sum((1, 2)),
    ),
    "logsumexp": (lambda x: members(x).logsumexp(0), lambda x: members(x).transpose(0, 1).logsumexp(1)),
    "variance": (lambda x: members(x).var(0), lambda x: members(x).transpose(0, 1).var(1)),
    "deviation": (lambda x: members(x).std(0), lambda x: members(x).transpose(0, 1).std(1)),
    "views": (
        lambda x: torch.stack([NETS[0](x), NETS[0](x.flip(1))]).mean(0),
        lambda x: torch.stack([NETS[0](x), NETS[0](x.flip(1))], 1).mean(1),
    ),
    "predictions of two sets of rows": (
        lambda x: NETS[0](torch.cat([x, x.flip(1)])).view(2, len(x), 3).mean(0),
        lambda x: torch.stack([NETS[0](x), NETS[0](x.flip(1))], 1).mean(1),
    ),
}
SEQUENCES: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "LSTM": (lambda x: HEAD5(steps_first(x).mean(0)), lambda x: HEAD5(steps_first(x).transpose(0, 1).mean(1))),
    "transformer": (
        lambda x: HEAD6(LAYER(x.transpose(0, 1)).mean(0)),
        lambda x: HEAD6(LAYER(x.transpose(0, 1)).transpose(0, 1).mean(1)),
    ),
    "attention pooling": (
        lambda x: (x.transpose(0, 1) * F.softmax(x.transpose(0, 1)[..., :1], 0)).sum(0),
        lambda x: (x * F.softmax(x[..., :1], 1)).sum(1),
    ),
    "class token": (with_class_token, lambda x: torch.cat([with_class_token(row[None]) for row in x])),
}


def same_as(function: Callable[[Tensor], Tensor], twin: Callable[[Tensor], Tensor], x: Tensor, composite: str) -> None:
    """The same relevance as of the twin, and the same relevance and ledger as one sample at a time."""
    lrp = LRP(function, composite)
    walk = lrp.record(x).propagate(1, account=True)
    expected = LRP(twin, composite)(x, 1)
    torch.testing.assert_close(walk.relevance[0], expected.to(walk.relevance[0].dtype), rtol=1e-8, atol=1e-10)
    single = [lrp.record(row[None]).propagate(1, account=True) for row in x]
    together = torch.cat([one.relevance[0] for one in single])
    torch.testing.assert_close(walk.relevance[0], together, rtol=1e-8, atol=1e-10)
    for name, amount in walk.ledger.absorbed.items():
        parts = [one.ledger.absorbed[name] for one in single]
        torch.testing.assert_close(amount, torch.cat(parts), rtol=1e-7, atol=1e-10)
    total = walk.relevance[0].flatten(1).sum(1) + sum(walk.ledger.absorbed.values())
    torch.testing.assert_close(total, function(x)[:, 1].detach(), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("composite", ["epsilon", "epsilon_plus"])
@pytest.mark.parametrize("name", PAIRS)
def test_members_of_an_ensemble_may_come_first(name: str, composite: str) -> None:
    torch.manual_seed(1)
    same_as(*PAIRS[name], torch.randn(N, WIDTH).double(), composite)


@pytest.mark.parametrize("n_steps", [N, 3, STEPS])
@pytest.mark.parametrize("name", SEQUENCES)
def test_time_may_come_first(name: str, n_steps: int) -> None:
    torch.manual_seed(1)
    same_as(*SEQUENCES[name], torch.randn(N, n_steps, WIDTH).double(), "epsilon")


@pytest.mark.parametrize("name", ["LSTM", "transformer"])
def test_token_ids_may_be_put_time_first(name: str) -> None:
    torch.manual_seed(1)
    function, twin = SEQUENCES[name]
    ids = torch.randint(1, 20, (N, STEPS))

    def shifted(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        def call(ids: Tensor) -> Tensor:
            ids = torch.cat([torch.zeros_like(ids[:, :1]), ids[:, :-1] - 1], 1).transpose(0, 1)
            return function(TABLE(ids).transpose(0, 1))

        return call

    same_as(shifted(function), shifted(twin), ids, "epsilon")


def test_equal_samples_are_samples_all_the_same() -> None:
    x = torch.zeros(N, WIDTH).double()
    torch.testing.assert_close(LRP(PAIRS["mean"][0], "zero")(x, 1), LRP(PAIRS["mean"][1], "zero")(x, 1))


GRAPH = torch.rand(N, N).double()


def test_nodes_of_a_graph_may_come_second() -> None:
    """Their model mixes them itself; stacks of layers beside one another are averaged all the same."""
    torch.manual_seed(1)
    x, relevance = torch.randn(N, WIDTH).double(), torch.randn(N, 3).double()
    one = LRP(lambda x: members(GRAPH @ x).mean(0), "epsilon").record(x).propagate(relevance, account=True)
    other = LRP(lambda x: members(GRAPH @ x).transpose(0, 1).mean(1), "epsilon")(x, relevance)
    torch.testing.assert_close(one.relevance[0], other, rtol=1e-8, atol=1e-10)
    total = one.relevance[0].sum() + sum(amount.sum() for amount in one.ledger.absorbed.values())
    torch.testing.assert_close(total, relevance.sum())


MIXING: list[Callable[[Tensor], Tensor]] = [
    lambda x: x - x.mean(0),
    lambda x: x - x.mean(0, keepdim=True),
    lambda x: x + x.sum(0),
    lambda x: x + x.logsumexp(0),
    lambda x: x + x.var(0),
    lambda x: x + x.std(0),
    lambda x: members(x).sum((0, 1)).expand(len(x), 3),
    lambda x: x + x.nan_to_num().mean(0),  # where NaN cannot tell, too
]


@pytest.mark.parametrize("model", MIXING)
def test_what_mixes_the_samples_is_refused(model: Callable[[Tensor], Tensor]) -> None:
    torch.manual_seed(1)
    with pytest.raises(UnsupportedOperationError, match="mixes the samples"):
        LRP(model, "epsilon")(torch.randn(N, WIDTH).double(), 1)
