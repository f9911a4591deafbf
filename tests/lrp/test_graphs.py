"""Graph layers written with edges, as libraries write them, against the same layers as dense matrices."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neon import LRP

N_NODES, FEATURES, WIDTH = 9, 5, 4
BATCH = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1, 1])
LOOPS = torch.arange(N_NODES)
EDGES = torch.tensor([[0, 1, 2, 3, 1, 4, 5, 6, 7, 8, 4, 8], [1, 2, 0, 2, 3, 5, 6, 4, 8, 4, 7, 5]])
SOURCE, END = torch.cat([EDGES, torch.stack([LOOPS, LOOPS])], 1)  # every node hears itself
MEMBERS = F.one_hot(BATCH).T.bool()  # (graphs, nodes)
ADJACENT = torch.zeros(N_NODES, N_NODES).index_put((END, SOURCE), torch.ones(len(END))).bool()

Layer = Callable[[Tensor], Tensor]


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def weight(x: Tensor, *shape: int, seed: int = 1) -> Tensor:
    return randn(*shape, seed=seed).to(x.dtype)


def project(x: Tensor) -> Tensor:
    return F.relu(F.linear(x, weight(x, WIDTH, FEATURES), weight(x, WIDTH, seed=2)))


def degrees(x: Tensor) -> Tensor:
    return torch.zeros(N_NODES, dtype=x.dtype).scatter_add_(0, END, torch.ones(len(END), dtype=x.dtype))


def gcn_by_edges(x: Tensor) -> Tensor:
    root = degrees(x).pow(-0.5)
    messages = (root[SOURCE] * root[END]).view(-1, 1) * project(x).index_select(0, SOURCE)
    return messages.new_zeros(N_NODES, WIDTH).scatter_add_(0, END.view(-1, 1).expand_as(messages), messages)


def gcn_dense(x: Tensor) -> Tensor:
    root = degrees(x).pow(-0.5)
    return (root[:, None] * ADJACENT.to(x.dtype) * root) @ project(x)


def reduced_by_edges(reduction: str) -> Layer:
    def layer(x: Tensor) -> Tensor:
        messages = project(x)[SOURCE]
        places = END.view(-1, 1).expand_as(messages)
        return messages.new_zeros(N_NODES, WIDTH).scatter_reduce_(0, places, messages, reduction, include_self=False)

    return layer


def mean_dense(x: Tensor) -> Tensor:
    return (ADJACENT.to(x.dtype) / degrees(x)[:, None]) @ project(x)


def maximum_dense(x: Tensor) -> Tensor:
    heard = project(x).expand(N_NODES, N_NODES, WIDTH)
    return heard.masked_fill(~ADJACENT[..., None], -torch.inf).amax(1)


def sum_dense(x: Tensor) -> Tensor:
    return ADJACENT.to(x.dtype) @ project(x)


def edge_softmax(scores: Tensor, groups: Tensor, n_groups: int) -> Tensor:
    """As torch_geometric writes it: the maximum held constant, sums by scatter."""
    zeros = scores.new_zeros(n_groups)
    highest = zeros.scatter_reduce(0, groups, scores.detach(), "amax", include_self=False)
    exponentials = (scores - highest.index_select(0, groups)).exp()
    whole = zeros.scatter_add(0, groups, exponentials) + 1e-16
    return exponentials / whole.index_select(0, groups)


def gat_scores(h: Tensor) -> tuple[Tensor, Tensor]:
    return h @ weight(h, WIDTH, seed=3), h @ weight(h, WIDTH, seed=4)


def gat_by_edges(x: Tensor) -> Tensor:
    h = project(x)
    of_source, of_end = gat_scores(h)
    scores = F.leaky_relu(of_source[SOURCE] + of_end[END], 0.2)
    messages = edge_softmax(scores, END, N_NODES).unsqueeze(-1) * h[SOURCE]
    return torch.zeros_like(h).index_add_(0, END, messages)


def gat_dense(x: Tensor) -> Tensor:
    h = project(x)
    of_source, of_end = gat_scores(h)
    scores = F.leaky_relu(of_source + of_end[:, None], 0.2).masked_fill(~ADJACENT, -torch.inf)
    return (torch.softmax(scores, 1).unsqueeze(-1) * h).sum(1)


def gru(h: Tensor, context: Tensor) -> Tensor:
    cell = nn.GRUCell(WIDTH, WIDTH, dtype=h.dtype)
    for i, parameter in enumerate(cell.parameters()):
        parameter.data = weight(h, *parameter.shape, seed=5 + i)
    return cell(context, h)  # type: ignore[no-any-return]


def attentive_by_index(x: Tensor) -> Tensor:
    """A readout that attends to the nodes of its graph, and a GRU that takes it in (AttentiveFP)."""
    h = project(x)
    whole = h.new_zeros(2, WIDTH).index_add(0, BATCH, h)
    (of_node, of_graph) = h @ weight(h, WIDTH, seed=3), whole @ weight(h, WIDTH, seed=4)
    attention = edge_softmax(F.leaky_relu(of_graph[BATCH] + of_node), BATCH, 2)
    context = torch.zeros_like(whole).index_add(0, BATCH, attention.unsqueeze(-1) * h)
    return gru(whole, F.elu(context))


def attentive_dense(x: Tensor) -> Tensor:
    h = project(x)
    whole = MEMBERS.to(x.dtype) @ h
    (of_node, of_graph) = h @ weight(h, WIDTH, seed=3), whole @ weight(h, WIDTH, seed=4)
    scores = F.leaky_relu(of_graph[:, None] + of_node).masked_fill(~MEMBERS, -torch.inf)
    context = (torch.softmax(scores, 1).unsqueeze(-1) * h).sum(1)
    return gru(whole, F.elu(context))


def pool_by_index(reduction: str) -> Layer:
    def layer(x: Tensor) -> Tensor:
        h = project(x)
        return h.new_zeros(2, WIDTH).scatter_reduce(0, BATCH[:, None].expand_as(h), h, reduction, include_self=False)

    return layer


def pool_dense(reduction: str) -> Layer:
    def layer(x: Tensor) -> Tensor:
        h = project(x)
        if reduction == "amax":
            return h.expand(2, N_NODES, WIDTH).masked_fill(~MEMBERS[..., None], -torch.inf).amax(1)
        whole = MEMBERS.to(x.dtype)
        return (whole / whole.sum(1, keepdim=True) if reduction == "mean" else whole) @ h

    return layer


LAYERS: dict[str, tuple[Layer, Layer]] = {
    "GCN": (gcn_by_edges, gcn_dense),
    "SAGE, mean": (reduced_by_edges("mean"), mean_dense),
    "SAGE, max": (reduced_by_edges("amax"), maximum_dense),
    "GIN": (reduced_by_edges("sum"), sum_dense),
    "GAT": (gat_by_edges, gat_dense),
    "AttentiveFP": (attentive_by_index, attentive_dense),
    "pooling, sum": (pool_by_index("sum"), pool_dense("sum")),
    "pooling, mean": (pool_by_index("mean"), pool_dense("mean")),
    "pooling, max": (pool_by_index("amax"), pool_dense("amax")),
}


@pytest.mark.parametrize("composite", ["epsilon", "epsilon_plus", "attn_lrp", "cp_lrp"])
@pytest.mark.parametrize("name", LAYERS)
def test_edges_and_matrices_have_one_explanation(name: str, composite: str) -> None:
    by_edges, dense = LAYERS[name]
    x = randn(N_NODES, FEATURES)
    torch.testing.assert_close(by_edges(x), dense(x), rtol=1e-9, atol=1e-12)
    recording, twin = LRP(by_edges, composite).record(x), LRP(dense, composite).record(x)
    start = recording.output * randn(*recording.output.shape, seed=7)
    found, expected = (r.propagate(start).relevance[0] for r in (recording, twin))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    plan = recording.plan(start)
    torch.testing.assert_close(float(found.sum()) + sum(plan.residuals.values()), float(start.sum()))
    assert plan.largest_growth <= 100


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", LAYERS)
def test_graph_layers_in_every_precision(name: str, dtype: torch.dtype) -> None:
    layer, _ = LAYERS[name]
    x = randn(N_NODES, FEATURES).to(dtype)
    found, exact = (LRP(layer, "attn_lrp")(value, lambda output: output) for value in (x, x.double()))
    assert found.dtype == dtype
    assert (found - exact).norm() <= (1e-3 if dtype == torch.float32 else 0.1) * exact.norm()
