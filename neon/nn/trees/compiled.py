"""The rules by compiled loops, in tasks of rows and trees that run in threads. Imports numba.

The functions that `neon.nn.trees.engine.Engine` names.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from neon.lrp.rules.tree import Path, TreeRule
from neon.nn.trees import descent, kernels, references, vectorized
from neon.nn.trees.forest import Forest
from neon.nn.trees.quadrature import Index, rules_of, shares_between
from neon.nn.trees.tables import Tables
from neon.nn.trees.threads import in_blocks, in_threads, row_blocks

__all__ = ["along_path", "encode", "evaluate", "interventional", "look_up", "pairs", "shapley"]

_ROWS = 1024  # rows of one task
_ROWS_OF_TABLES = 4096  # enough rows to make reading a tree's tables from memory once worth it
_CACHE = 1 << 18  # bytes of the second-level cache that one thread works in


def encode(forest: Forest, x: Tensor) -> Tensor:
    """Codes of rows (n_samples, n_features), int32 (n_used, n_samples)."""
    codes = forest.paths.codes
    rows = np.ascontiguousarray(x.detach().numpy(), dtype=np.float64)
    kind = np.dtype(np.float32 if codes.single else np.float64)
    with np.errstate(over="ignore"):
        bits = rows.astype(kind, copy=False).view(np.int32 if codes.single else np.int64)
    lowest = -(2 ** (8 * bits.itemsize - 1))
    infinity = int(np.array(np.inf, dtype=kind).view(bits.dtype))
    out = np.empty((len(codes.used), len(x)), dtype=np.int32)
    tables = codes.cuts.numpy(), codes.n_codes - 2, codes.categorical.numpy()

    def task(part: slice) -> None:
        descent.encode(
            rows, bits, part.start, part.stop, codes.used, *tables, codes.strict, lowest, infinity, out
        )  # fmt: skip

    in_blocks(task, len(x), 256)
    return torch.from_numpy(out)


def evaluate(forest: Forest, codes: Tensor) -> Tensor:
    """The sum of the active leaves' values, (n_samples, n_outputs)."""
    out = np.zeros((codes.shape[1], forest.trees.n_outputs))

    def task(rows: np.ndarray, part: slice) -> None:
        descent.walk(rows, *forest.walked, forest.trees.value, out[part])

    _over_rows(codes, task)
    return torch.from_numpy(out)


def along_path(forest: Forest, rule: TreeRule, codes: Tensor, slope: Tensor) -> Tensor:
    """The path rule or equal shares, (n_used, n_samples); double precision, since single would be no faster."""
    weight = np.ascontiguousarray(slope.double().numpy())
    phi = np.zeros((codes.shape[1], len(codes)))

    def task(rows: np.ndarray, part: slice) -> None:
        if isinstance(rule, Path):
            descent.path(rows, *forest.walked, forest.steps, weight[part], phi[part])
        else:
            descent.equal(rows, *forest.walked, *forest.shares, weight[part], phi[part])

    _over_rows(codes, task)
    return torch.from_numpy(phi).t().to(slope.dtype)


def look_up(forest: Forest, tables: Tables, codes: Tensor, slope: Tensor) -> Tensor:
    """Either rule from its tables, (n_used, n_samples)."""
    groups, n = tables.groups, codes.shape[1]
    begins = np.searchsorted(groups.tree, np.arange(forest.trees.n_trees + 1))
    rows, asked = tables.rows.numpy(), forest.asked
    phi = np.zeros((n, rows.shape[2]), dtype=_kind(slope))
    weight = np.ascontiguousarray(slope.numpy())

    def task(part: slice) -> None:
        own = np.ascontiguousarray(codes[:, part].numpy())
        kernels.look_up(own, weight[part], phi[part], forest.edges, begins, groups.source, asked, groups.row, rows)

    in_blocks(task, n, 256, _ROWS_OF_TABLES)
    return torch.from_numpy(phi[:, : len(codes)]).t()


def shapley(forest: Forest, codes: Tensor, slope: Tensor, index: Index) -> Tensor:
    """Values against the covers, (n_used, n_samples)."""
    rule = _rule_of(forest, slope, index)
    # G and H of a block stay in the second-level cache.
    rows = _CACHE // (2 * (forest.paths.max_depth + 1) * rule[1].nbytes // len(rule[1]))
    block = int(np.clip(1 << rows.bit_length() >> 1, 64, 512))

    def run(codes: np.ndarray, slope: np.ndarray, phi: np.ndarray, first: int, last: int) -> None:
        kernels.shapley(codes, slope, phi, first, last, forest.edges, *rule, block)

    return _in_tasks(forest, codes, slope, run)


def interventional(
    forest: Forest, codes: Tensor, slope: Tensor, reference: Tensor, weights: Tensor, index: Index
) -> Tensor:
    """Values against reference rows, (n_used, n_samples); in double precision, as `along_path`."""
    paths, rows = forest.paths, np.ascontiguousarray(reference.numpy())
    dead = ((0, 0), (0, 1))  # a last column of zeros
    plus, minus = (np.pad(part, dead) for part in shares_between(int(paths.n_literals.max(initial=0)), index))
    against = rows, weights.double().numpy(), plus, minus

    def run(codes: np.ndarray, slope: np.ndarray, phi: np.ndarray, first: int, last: int) -> None:
        references.interventional(codes, slope, phi, first, last, forest.edges, *against)

    return _in_tasks(forest, codes, slope.double(), run).to(slope.dtype)


def pairs(forest: Forest, codes: Tensor, slope: Tensor, reference: Tensor | None, weights: Tensor | None) -> Tensor:
    """Interactions, (n_samples, n_used, n_used); against the covers in double precision, as `along_path`."""
    if reference is not None:  # for which there is no compiled loop
        return vectorized.pairs(forest, codes, slope, reference, weights)
    trees, n_used, n = forest.trees, *codes.shape
    out = slope.new_zeros(n, n_used, n_used)
    weight = slope.double()
    rule = _rule_of(forest, weight, "shapley")

    def task(part: slice) -> None:
        own = np.ascontiguousarray(codes[:, part].numpy())
        each = np.ascontiguousarray(weight[part].t().numpy())
        both = np.zeros((n_used, *own.shape))
        kernels.shapley(own, each, both, 0, trees.n_trees, forest.edges, *rule, kernels.BLOCK)
        found = torch.from_numpy(both)
        out[part] = ((found + found.transpose(0, 1)) / 2).permute(2, 0, 1)

    in_blocks(task, n, kernels.BLOCK, kernels.BLOCK)
    return out


def _rule_of(forest: Forest, slope: Tensor, index: Index) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How many quadrature points each tree takes, and the points and weights of every number of them."""
    each, points, weights = rules_of(forest.paths.n_literals, slope.dtype, index)
    return each, points.astype(_kind(slope)), weights.astype(_kind(slope))


def _in_tasks(forest: Forest, codes: Tensor, slope: Tensor, run: Callable[..., None]) -> Tensor:
    """Run over blocks of rows, and of trees where there are few rows; (n_used, n_samples)."""
    trees, order = forest.trees, None
    if trees.n_outputs > 1:
        # Rows with the same target next to each other: other outputs, or their trees, are then passed over.
        order = slope.abs().argmax(1).argsort(stable=True)
        codes, slope = codes[:, order], slope[order]
    workers = torch.get_num_threads()
    parts = row_blocks(codes.shape[1], 64, _ROWS)
    pieces = 1 if len(parts) >= workers else min(trees.n_trees, workers)
    ends = np.searchsorted(forest.paths.start, np.linspace(0, forest.paths.n_edges, pieces + 1)[1:-1])
    cuts = [0, *ends.tolist(), trees.n_trees]
    ranges = [(i, j) for i, j in itertools.pairwise(cuts) if i < j]
    kind = _kind(slope)
    arrays = [
        (np.ascontiguousarray(codes[:, part].numpy()), np.ascontiguousarray(slope[part].t().numpy())) for part in parts
    ]

    def task(block: int, trees: tuple[int, int]) -> np.ndarray:
        own_codes, own_slope = arrays[block]
        phi = np.zeros(own_codes.shape, dtype=kind)
        run(own_codes, own_slope, phi, *trees)
        return phi

    jobs = list(itertools.product(range(len(parts)), ranges))
    found = in_threads([functools.partial(task, *job) for job in jobs], workers)
    result = np.zeros(codes.shape, dtype=kind)
    for (block, _), phi in zip(jobs, found, strict=True):
        result[:, parts[block]] += phi
    out = torch.from_numpy(result)
    return out if order is None else torch.empty_like(out).index_copy_(1, order, out)


def _over_rows(codes: Tensor, task: Callable[[np.ndarray, slice], None]) -> None:
    """Run over blocks of rows, given their codes (n_samples, n_used)."""
    rows = np.ascontiguousarray(codes.t().numpy())
    in_blocks(lambda part: task(rows[part], part), len(rows), 64, _ROWS)


def _kind(slope: Tensor) -> np.dtype:
    return np.dtype(np.float32 if slope.dtype == torch.float32 else np.float64)
