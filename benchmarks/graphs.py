"""PyTorch Geometric as a client: which of its layers and poolings are explained as they are, and how well.

    python -m benchmarks.graphs          # writes docs/graphs.md
    python -m benchmarks.graphs GAT      # prints the lines of some models only

Needs torch_geometric. Networks of two layers with random weights on two graphs of 5 and 7 nodes.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
import torch_geometric
from torch import Tensor, nn
from torch_geometric import nn as geometric
from torch_geometric.nn import aggr

import neon
from tests.architectures import strongest

N_NODES, FEATURES, WIDTH, CLASSES = 12, 6, 8, 3
PAGE = Path(__file__).parent.parent / "docs" / "graphs.md"
RECURRENT = ("AttentiveFP", "gated", "pooling: Set2Set")
COLUMNS = ("model", "composite", "operations", "float64", "float32", "bfloat16", "conserved to", "growth", "in")
HEADER = """# Graph networks

`python -m benchmarks.graphs`: layers and poolings of torch_geometric {version} (torch {torch}) in networks of two
layers, as the library runs them. Samples are nodes; after a pooling the strongest output of each graph is explained,
else that of each node. Where there are recurrent cells their gates get nothing (`epsilon`): relevance of a gate would
be divided by what it is a function of, which may be 0 in half precision.

float32 and bfloat16: Σ |difference| to the relevance in float64, as a share of it. Conserved to: what relevance and the
ledger's entries miss of the explained outputs, in float64, as a share of Σ |outputs|. Growth: of Σ |relevance| in one
operation, and in which.
"""


class Graphs:
    """Two random graphs with features of their edges."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        edges = torch.cat([_edges(5, 12, generator), _edges(7, 24, generator) + 5], 1)
        self.edges = edges[:, edges[0] != edges[1]]
        self.attributes = torch.rand(self.edges.shape[1], 3, generator=generator, dtype=torch.float64)
        self.batch = torch.tensor([0] * 5 + [1] * 7)
        self.x = torch.randn(N_NODES, FEATURES, generator=generator, dtype=torch.float64)


def _edges(n_nodes: int, n_edges: int, generator: torch.Generator) -> Tensor:
    return torch.randint(0, n_nodes, (2, n_edges), generator=generator)


class TwoLayers(nn.Module):
    """Two layers, a pooling if there is one, and a linear readout."""

    def __init__(
        self, layer: Callable[[int, int], nn.Module], pool: Any = None, *, attributes: bool = False, heads: int = 1
    ) -> None:
        super().__init__()
        self.first, self.second = layer(FEATURES, WIDTH), layer(heads * WIDTH, WIDTH)
        self.pool, self.attributes = pool, attributes
        self.head = nn.LazyLinear(CLASSES)

    def forward(self, x: Tensor, graphs: Graphs) -> Tensor:
        options = {"edge_attr": graphs.attributes.to(x.dtype)} if self.attributes else {}
        h = F.relu(self.first(x, graphs.edges, **options))
        h = F.relu(self.second(h, graphs.edges, **options))
        return self.head(h if self.pool is None else self.pool(h, graphs.batch))


class Selecting(nn.Module):
    """A layer, a pooling that keeps some nodes, their mean."""

    def __init__(self, pool: nn.Module) -> None:
        super().__init__()
        self.layer, self.pool, self.head = geometric.GCNConv(FEATURES, WIDTH), pool, nn.Linear(WIDTH, CLASSES)

    def forward(self, x: Tensor, graphs: Graphs) -> Tensor:
        h, _, _, batch, *_ = self.pool(F.relu(self.layer(x, graphs.edges)), graphs.edges, batch=graphs.batch)
        return self.head(geometric.global_mean_pool(h, batch))


class Molecule(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.model = geometric.AttentiveFP(FEATURES, WIDTH, CLASSES, edge_dim=3, num_layers=2, num_timesteps=2)

    def forward(self, x: Tensor, graphs: Graphs) -> Tensor:
        return self.model(x, graphs.edges, graphs.attributes.to(x.dtype), graphs.batch)


class Whole(nn.Module):
    """A model of the library's own."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, graphs: Graphs) -> Tensor:
        return self.model(x, graphs.edges)


def perceptron(n: int, m: int) -> nn.Module:
    return nn.Sequential(nn.Linear(n, m), nn.BatchNorm1d(m), nn.ReLU(), nn.Linear(m, m))


def pooled(pool: Any) -> Callable[[], nn.Module]:
    return lambda: TwoLayers(geometric.GCNConv, pool)


MODELS: dict[str, Callable[[], nn.Module]] = {
    "GCN": lambda: TwoLayers(geometric.GCNConv),
    "GAT": lambda: TwoLayers(geometric.GATConv),
    "GAT, 2 heads": lambda: TwoLayers(lambda n, m: geometric.GATConv(n, m, heads=2), heads=2),
    "GAT, edge features": lambda: TwoLayers(lambda n, m: geometric.GATConv(n, m, edge_dim=3), attributes=True),
    "GATv2": lambda: TwoLayers(geometric.GATv2Conv),
    "GATv2, edge features": lambda: TwoLayers(lambda n, m: geometric.GATv2Conv(n, m, edge_dim=3), attributes=True),
    "SAGE, mean": lambda: TwoLayers(geometric.SAGEConv),
    "SAGE, max": lambda: TwoLayers(lambda n, m: geometric.SAGEConv(n, m, aggr="max")),
    "SAGE, normalized": lambda: TwoLayers(lambda n, m: geometric.SAGEConv(n, m, normalize=True, project=True)),
    "GIN": lambda: TwoLayers(lambda n, m: geometric.GINConv(perceptron(n, m), train_eps=True)),
    "GINE": lambda: TwoLayers(lambda n, m: geometric.GINEConv(perceptron(n, m), edge_dim=3), attributes=True),
    "AttentiveFP": Molecule,
    "Transformer": lambda: TwoLayers(geometric.TransformerConv),
    "Graph": lambda: TwoLayers(geometric.GraphConv),
    "Chebyshev": lambda: TwoLayers(lambda n, m: geometric.ChebConv(n, m, 3)),
    "Edge": lambda: TwoLayers(lambda n, m: geometric.EdgeConv(perceptron(2 * n, m), aggr="max")),
    "gated": lambda: TwoLayers(lambda n, m: geometric.GatedGraphConv(m, 2)),
    "residual gated": lambda: TwoLayers(geometric.ResGatedGraphConv),
    "GENeralized": lambda: TwoLayers(geometric.GENConv),
    "GCN model, jumping knowledge": lambda: Whole(geometric.GCN(FEATURES, WIDTH, 3, CLASSES, norm="batch", jk="cat")),
    "GIN model": lambda: Whole(geometric.GIN(FEATURES, WIDTH, 3, CLASSES)),
    "pooling: sum": pooled(geometric.global_add_pool),
    "pooling: mean": pooled(geometric.global_mean_pool),
    "pooling: maximum": pooled(geometric.global_max_pool),
    "pooling: softmax": pooled(aggr.SoftmaxAggregation(learn=True)),
    "pooling: power mean": pooled(aggr.PowerMeanAggregation()),
    "pooling: variance": pooled(aggr.VarAggregation()),
    "pooling: deviation": pooled(aggr.StdAggregation()),
    "pooling: median": pooled(aggr.MedianAggregation()),
    "pooling: attention": pooled(aggr.AttentionalAggregation(nn.Linear(WIDTH, 1))),
    "pooling: Set2Set": pooled(aggr.Set2Set(WIDTH, 2)),
    "pooling: sorting": pooled(aggr.SortAggregation(3)),
    "pooling: several": pooled(aggr.MultiAggregation(["mean", "max", "std", "sum"])),
    "pooling: TopK": lambda: Selecting(geometric.TopKPooling(WIDTH)),
    "pooling: self-attention": lambda: Selecting(geometric.SAGPooling(WIDTH)),
}


def made(name: str, graphs: Graphs) -> nn.Module:
    """A model in double precision with random weights and statistics."""
    torch.manual_seed(1)
    model = MODELS[name]().double().eval()
    with torch.no_grad():
        model(graphs.x, graphs)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
    return model


def row(name: str, graphs: Graphs) -> dict[str, str]:
    """One line of the table; what fails stands there in words."""
    composite = "epsilon" if name in RECURRENT else "attn_lrp"
    cells = {"model": name, "composite": composite}
    exact: Tensor | None = None
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        cell = str(dtype).removeprefix("torch.")
        try:
            model, x = made(name, graphs).to(dtype), graphs.x.to(dtype)
            found = relevance(lambda x: model(x, graphs), x, composite, cells if exact is None else {})  # noqa: B023
            cells[cell] = "yes" if exact is None else f"{float((found - exact).abs().sum() / exact.abs().sum()):.0e}"
            exact = found if exact is None else exact
        except Exception as error:
            cells[cell] = f"{type(error).__name__}: {error}".replace("\n", " ").replace("|", "/")
    return cells


def relevance(model: Callable[[Tensor], Tensor], x: Tensor, composite: str, cells: dict[str, str]) -> Tensor:
    """Relevance of the strongest outputs, checked; ``cells`` takes what was measured."""
    recording = neon.LRP(model, composite).record(x)
    with torch.no_grad():
        output = model(x)
    tolerance = 50 * torch.finfo(x.dtype).eps * float(output.abs().max())
    torch.testing.assert_close(recording.output, output, rtol=0.0, atol=tolerance)
    (found,) = recording.propagate(strongest).relevance
    if not found.isfinite().all():
        raise ValueError("relevance is not finite")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the table shows the growth
        plan = recording.plan(strongest)
    started = strongest(recording.output).double()
    missing = float(found.double().sum() - started.sum()) + sum(plan.residuals.values())
    worst = max(plan.rows, key=lambda row: row.growth or 0.0)
    cells["operations"] = str(len(plan.rows))
    cells["conserved to"] = f"{abs(missing) / float(started.abs().sum()):.0e}"
    cells["growth"], cells["in"] = f"{worst.growth:.3g}", worst.operation
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", help=f"some of: {', '.join(MODELS)}")
    names = parser.parse_args().models
    graphs = Graphs()
    lines = [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    for name in names or MODELS:
        cells = row(name, graphs)
        lines.append(f"| {' | '.join(cells.get(column, '') for column in COLUMNS)} |")
        print(lines[-1], flush=True)
    if not names:
        header = HEADER.format(version=torch_geometric.__version__, torch=torch.__version__.split("+")[0])
        PAGE.write_text("\n".join([header, *lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
