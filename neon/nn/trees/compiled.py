"""The rules by compiled loops, in tasks of rows and trees that run in threads. Imports numba.

The functions that `neon.nn.trees.engine.Engine` names.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neon.lrp.rules.tree import Path, TreeRule
from neon.nn.trees import descent, distinct, few_rows, kernels, patterns, references, vectorized
from neon.nn.trees.forest import Forest
from neon.nn.trees.paths import Paths
from neon.nn.trees.quadrature import Index, rules_of, shares_between
from neon.nn.trees.tables import Tables
from neon.nn.trees.threads import in_blocks, in_threads, row_blocks

__all__ = [
    "FEW", "along_path", "codes_of", "encode", "evaluate", "interventional", "look_up", "pairs", "shapley",
    "shapley_of_few", "sums_of",
]  # fmt: skip

FEW = 4  # rows that are computed one by one
_ROWS = 1024  # rows of one task
_ROWS_OF_TABLES = 4096  # enough rows to make reading a tree's tables from memory once worth it
_TABLES = 1 << 21  # entries of the tables of patterns that are held at a time, of 16 bytes each
_CACHE = 1 << 18  # bytes of the second-level cache that one thread works in
# The lowest whole number of as many bytes as a float, and the one with the bits of infinity.
_EXTREMES = {4: (-(2**31), 0x7F800000), 8: (-(2**63), 0x7FF0000000000000)}


def encode(forest: Forest, x: Tensor) -> Tensor:
    """Codes of rows (n_samples, n_features), int32 (n_used, n_samples)."""
    return torch.from_numpy(codes_of(forest, x.detach().numpy()))


def codes_of(forest: Forest, x: np.ndarray) -> np.ndarray:
    """`encode` without torch."""
    codes = forest.paths.codes
    rows = np.ascontiguousarray(x, dtype=np.float64)
    if codes.single:
        with np.errstate(over="ignore"):
            bits = rows.astype(np.float32).view(np.int32)
    else:
        bits = rows.view(np.int64)
    out = np.empty((len(codes.used), len(x)), dtype=np.int32)
    tables = codes.cuts.numpy(), codes.n_codes - 2, codes.categorical.numpy(), codes.strict, *_EXTREMES[bits.itemsize]

    def task(part: slice) -> None:
        descent.encode(rows, bits, part.start, part.stop, codes.used, *tables, out)

    in_blocks(task, len(x), 256)
    return out


def evaluate(forest: Forest, codes: Tensor) -> Tensor:
    """The sum of the active leaves' values, (n_samples, n_outputs)."""
    return torch.from_numpy(sums_of(forest, codes.numpy()))


def sums_of(forest: Forest, codes: np.ndarray) -> np.ndarray:
    """`evaluate` without torch."""
    out = np.zeros((codes.shape[1], forest.trees.n_outputs))

    def task(rows: np.ndarray, part: slice) -> None:
        descent.walk(rows, *forest.walked, forest.trees.value, out[part])

    _over_rows(codes, task)
    return out


def along_path(forest: Forest, rule: TreeRule, codes: Tensor, slope: Tensor) -> Tensor:
    """The path rule or equal shares, (n_used, n_samples); double precision, since single would be no faster."""
    weight = np.ascontiguousarray(slope.double().numpy())
    phi = np.zeros((codes.shape[1], len(codes)))

    def task(rows: np.ndarray, part: slice) -> None:
        if isinstance(rule, Path):
            descent.path(rows, *forest.walked, forest.steps, weight[part], phi[part])
        else:
            descent.equal(rows, *forest.walked, *forest.shares, weight[part], phi[part])

    _over_rows(codes.numpy(), task)
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
    if index == "shapley" and len(slope) <= FEW:
        phi = shapley_of_few(forest, codes.numpy(), slope.double().numpy())
        return torch.from_numpy(phi).t().to(slope.dtype)
    rule = _rule_of(forest, slope, index)
    # G and H of a block stay in the second-level cache.
    rows = _CACHE // (2 * (forest.paths.max_depth + 1) * rule[1].nbytes // len(rule[1]))
    block = int(np.clip(1 << rows.bit_length() >> 1, 64, 512))

    return _in_tasks(forest, codes, slope, _run(kernels.shapley, forest, *rule, block))


def shapley_of_few(forest: Forest, codes: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """`shapley` of up to `FEW` rows, (n_samples, n_used), without torch.

    In this thread: the next row's task is as good a one for another.
    """
    own, weight, phi = np.ascontiguousarray(codes), np.ascontiguousarray(slope), np.zeros(codes.shape[::-1])
    for width, trees, *rule in forest.rules:
        few_rows.shapley(width)(own, weight, phi, trees, forest.edges, *rule)
    return phi


def interventional(
    forest: Forest,
    codes: Tensor,
    slope: Tensor,
    reference: Tensor,
    weights: Tensor,
    index: Index,
    limits: tuple[int, int],
) -> Tensor:
    """Values against reference rows, (n_used, n_samples); in double precision, as `along_path`.

    Leaves with at most ``limits[0]`` features on their path from counts of patterns, those with at most ``limits[1]``
    by the patterns that there are, the others by a walk.
    """
    counted, met = limits
    rows, each = (np.ascontiguousarray(reference.numpy()), weights.double().numpy()), slope.double()
    most = max(int(forest.paths.n_literals.max(initial=0)), patterns.FEWEST)
    plus, minus = shares_between(most, index)
    found = torch.zeros(codes.shape, dtype=torch.float64)
    rule = *rules_of(np.arange(most + 1), torch.float64, index, exact=True), -minus[:, 0].cumsum()
    for tables in _pattern_tables(forest, counted, rows, rule):
        found += _in_tasks(forest, codes, each, _run(patterns.add_shares, forest, *tables))
    length, longest = forest.paths.length, forest.longest_below
    passed = _leads_to(forest.paths, np.flatnonzero(forest.paths.leaf & (length > counted) & (length <= met)))
    if passed.any():
        found += _in_tasks(forest, codes, each, _run(distinct.add_shares, forest, passed, *rows, plus, minus))
    passed = longest > max(limits)
    if passed.any():
        dead = ((0, 0), (0, 1))  # a last column of zeros
        walk = _run(references.interventional, forest, passed, *rows, np.pad(plus, dead), np.pad(minus, dead))
        found += _in_tasks(forest, codes, each, walk)
    return found.to(slope.dtype)


def _pattern_tables(
    forest: Forest, counted: int, rows: tuple[np.ndarray, np.ndarray], rule: tuple[np.ndarray, ...]
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Of the leaves with at most so many features on their path, as many at a time as `_TABLES` holds.

    ``rows`` are the reference rows and their weights; ``rule`` is what `neon.nn.trees.patterns.sum_counts` takes of it.

    Yields
    ------
    place : int64 (n_edges,)
        Where each leaf's entries begin.
    passed : bool (n_edges,)
        Whether an edge leads to one of the leaves.
    U, V : (n_entries,), see `neon.nn.trees.patterns`
    """
    leaves = np.flatnonzero(forest.paths.leaf & (forest.paths.length <= counted))
    sizes = 1 << np.maximum(forest.paths.length[leaves], patterns.FEWEST)
    memory, ends, first = np.empty((2, max(_TABLES, sizes.max(initial=0)))), sizes.cumsum(), 0
    while first < len(leaves):
        begin = ends[first] - sizes[first]
        last = int(np.searchsorted(ends, begin + memory.shape[1], side="right"))
        own = slice(first, last)
        yield _tables_of(
            forest, leaves[own], (ends - sizes - begin)[own], rows, rule, memory[:, : ends[last - 1] - begin]
        )
        first = last


def _tables_of(
    forest: Forest,
    leaves: np.ndarray,
    begins: np.ndarray,
    rows: tuple[np.ndarray, np.ndarray],
    rule: tuple[np.ndarray, ...],
    memory: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    paths, (U, V) = forest.paths, memory
    place = np.zeros(paths.n_edges, dtype=np.int64)
    place[leaves] = begins
    U[:] = 0

    def task(part: slice) -> None:
        own = leaves[part]
        trees = paths.tree(own)
        patterns.count(*rows, trees[0], trees[-1] + 1, forest.edges, place, _leads_to(paths, own), U)
        patterns.sum_counts(begins[part], paths.length[own], *rule, U, V)

    in_blocks(task, len(leaves), 256)
    return place, _leads_to(paths, leaves), U, V


def _leads_to(paths: Paths, leaves: np.ndarray) -> np.ndarray:
    """Which edges lead to one of some leaves, bool (n_edges,)."""
    before = np.zeros(paths.n_edges + 1, dtype=np.int64)
    before[leaves + 1] = 1
    before = before.cumsum()
    return before[paths.skip] > before[:-1]


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


def _run(loop: Callable[..., None], forest: Forest, *given: Any) -> Callable[..., None]:
    """A loop as `_in_tasks` calls it."""
    return lambda codes, slope, phi, first, last: loop(codes, slope, phi, first, last, forest.edges, *given)


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


def _over_rows(codes: np.ndarray, task: Callable[[np.ndarray, slice], None]) -> None:
    """Run over blocks of rows, given their codes (n_samples, n_used)."""
    rows = np.ascontiguousarray(codes.T)
    in_blocks(lambda part: task(rows[part], part), len(rows), 64, _ROWS)


def _kind(slope: Tensor) -> np.dtype:
    return np.dtype(np.float32 if slope.dtype == torch.float32 else np.float64)
