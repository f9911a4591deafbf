"""Networks over graphs: neighbours gathered by dense or sparse products, or edge by edge."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.architectures.example import Example, example, noise


def random_graph(n_nodes: int, n_edges: int) -> Tensor:
    """A symmetric adjacency with self-loops, normalized as D^-1/2 A D^-1/2, (n_nodes, n_nodes)."""
    ends = torch.randint(n_nodes, (2, n_edges), generator=torch.Generator().manual_seed(0))
    adjacency = torch.eye(n_nodes)
    adjacency[ends[0], ends[1]] = adjacency[ends[1], ends[0]] = 1.0
    degrees = adjacency.sum(1)
    return adjacency / torch.sqrt(degrees[:, None] * degrees)


class GraphConvolutions(nn.Module):
    """Two graph convolutions (Kipf and Welling 2017); one class per node, or per graph where graphs come in batches."""

    def __init__(self, features: int, width: int, n_classes: int, adjacency: Tensor, pools: bool) -> None:
        super().__init__()
        self.register_buffer("adjacency", adjacency)
        self.lower, self.upper = nn.Linear(features, width), nn.Linear(width, n_classes)
        self.pools = pools

    def neighbours(self, x: Tensor) -> Tensor:
        return torch.sparse.mm(self.adjacency, x) if self.adjacency.is_sparse else self.adjacency @ x

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.neighbours(self.lower(x)))
        x = self.neighbours(self.upper(F.dropout(x, 0.5, training=self.training)))
        return x.mean(1) if self.pools else x


def _sizes(full: bool) -> tuple[int, int, int]:
    return (2000, 300, 64) if full else (10, 4, 8)


def gcn(full: bool = False) -> Example:
    """Dense adjacency, a batch of signals on one graph."""
    n_nodes, features, width = _sizes(full)
    model = GraphConvolutions(features, width, 5, random_graph(n_nodes, 3 * n_nodes), pools=True)
    return example(model, noise(3, n_nodes, features))


def gcn_sparse(full: bool = False) -> Example:
    """Sparse adjacency; samples are nodes."""
    n_nodes, features, width = _sizes(full)
    adjacency = random_graph(n_nodes, 3 * n_nodes).to_sparse().coalesce()
    return example(GraphConvolutions(features, width, 5, adjacency, pools=False), noise(n_nodes, features))


class EdgeMessages(nn.Module):
    """Messages along each edge, summed at its end with `index_add` (GIN, Xu et al. 2019); samples are nodes."""

    def __init__(self, features: int, width: int, n_classes: int, edges: Tensor) -> None:
        super().__init__()
        self.register_buffer("edges", edges)
        self.epsilon = nn.Parameter(torch.zeros(1))
        self.mlp = nn.Sequential(nn.Linear(features, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, width))
        self.head = nn.Linear(width, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        source, end = self.edges
        gathered = torch.zeros_like(x).index_add(0, end, x[source])
        return self.head(F.relu(self.mlp((1 + self.epsilon) * x + gathered)))


class EdgeAttention(nn.Module):
    """Neighbours weighted by a softmax over the edges that arrive at a node (GAT, Velickovic et al. 2018)."""

    def __init__(self, features: int, width: int, n_classes: int, edges: Tensor) -> None:
        super().__init__()
        self.register_buffer("edges", edges)
        self.project = nn.Linear(features, width, bias=False)
        self.source_score, self.end_score = nn.Linear(width, 1, bias=False), nn.Linear(width, 1, bias=False)
        self.head = nn.Linear(width, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        source, end = self.edges
        h = self.project(x)
        scores = F.leaky_relu(self.source_score(h)[source] + self.end_score(h)[end], 0.2).squeeze(-1)
        allowed = scores.new_zeros(len(x), len(x), dtype=torch.bool).index_put((end, source), torch.tensor(True))
        dense = torch.full_like(x[:, :1], -torch.inf).repeat(1, len(x)).index_put((end, source), scores)
        attention = torch.softmax(dense, 1).masked_fill(~allowed, 0.0)
        return self.head(F.elu(attention @ h))


def _edges(n_nodes: int) -> Tensor:
    return random_graph(n_nodes, 3 * n_nodes).nonzero().T.contiguous()


def gin(full: bool = False) -> Example:
    n_nodes, features, width = _sizes(full)
    return example(EdgeMessages(features, width, 5, _edges(n_nodes)), noise(n_nodes, features))


def gat(full: bool = False) -> Example:
    n_nodes, features, width = _sizes(full)
    return example(EdgeAttention(features, width, 5, _edges(n_nodes)), noise(n_nodes, features))
