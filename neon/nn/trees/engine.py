"""Which engine computes a rule, and the blocks of rows and trees that it runs in."""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections.abc import Callable

import numpy as np
import torch
from scipy.special import comb
from torch import Tensor

from neon.nn.trees import vectorized
from neon.nn.trees.blocks import has_numba, in_threads
from neon.nn.trees.forest import Forest
from neon.nn.trees.rules import EqualShare, Interventional, Path, TreeRule
from neon.nn.trees.tables import BITS, Tables, look_up, tabulate

__all__ = ["base_of", "evaluate", "pairs", "relevance"]

_ROWS = 1024  # rows of one task
_CACHE = 1 << 18  # bytes of the second-level cache that one thread works in
_ROWS_OF_TABLES = 4096  # enough rows to make reading a tree's tables from memory once worth it
_TABLE_MEMORY = 1 << 29
# Seconds on one core of a 2023 server: of the kernels by edge, row and quadrature point (or reference row), in torch
# instead of compiled, and of building one row of a table. They choose between engines of equal results.
_SHAPLEY, _INTERVENTIONAL, _IN_TORCH, _BUILD = 0.75e-9, 1.2e-9, 10.0, 0.7e-6
_LANES = 256  # rows, or pairs of rows, of one task in torch
_POINTS = {torch.float64: 8, torch.float32: 5}  # quadrature to 1e-12 and 1e-6 on paths of up to 32 features
_MANY_POINTS = {torch.float64: 12, torch.float32: 6}


def evaluate(forest: Forest, codes: Tensor, dtype: torch.dtype) -> Tensor:
    """``f``, (n_samples, n_outputs), of codes (n_used, n_samples)."""
    trees, n = forest.trees, codes.shape[1]
    base = torch.as_tensor(trees.base, device=codes.device).double()
    if codes.device.type == "cpu" and has_numba():
        return (base + torch.from_numpy(_walk(forest, codes))).to(dtype)
    out = torch.zeros(n, trees.n_outputs, dtype=torch.float64, device=codes.device)
    for first, last in _tree_ranges(trees.n_trees, n):
        roots = torch.as_tensor(trees.roots[first:last], device=codes.device)
        node = roots[:, None].expand(-1, n)
        for _, arrived, _ in vectorized.descend(*_node_tensors(forest, codes.device), roots, codes):
            node = arrived
        values = torch.as_tensor(trees.value, device=codes.device)[node]  # (n_trees, n_samples, n_values)
        if trees.output is None:
            out += values.sum(0)
        else:
            out.t().index_add_(0, torch.as_tensor(trees.output[first:last], device=codes.device), values[:, :, 0])
    return (base + out).to(dtype)


def base_of(forest: Forest, rule: TreeRule | None, reference: Tensor | None, dtype: torch.dtype) -> Tensor:
    """What a rule's relevance is relative to, (1, n_outputs); ``reference`` are rows (n_reference, n_features)."""
    trees = forest.trees
    if reference is not None and (rule is None or isinstance(rule, Interventional)):
        return evaluate(forest, forest.codes(reference), torch.float64).mean(0, keepdim=True).to(dtype)
    at_root = trees.expectation
    if isinstance(rule, Path) and trees.path_value is not None:
        at_root = trees.total(trees.path_value[trees.roots])
    return torch.as_tensor(at_root)[None].to(dtype)


def relevance(forest: Forest, rule: TreeRule, codes: Tensor, slope: Tensor, reference: Tensor | None = None) -> Tensor:
    """``Σ_k slope_k φ_k``.

    Parameters
    ----------
    codes : int32 (n_used, n_samples)
    slope : (n_samples, n_outputs)
    reference : int32 (n_used, n_reference), optional
        Codes of the reference rows.

    Returns
    -------
    Tensor
        (n_used, n_samples)
    """
    if isinstance(rule, Interventional) and reference is None:
        raise ValueError("the interventional rule needs reference rows; give reference=")
    if not codes.numel():
        return slope.new_zeros(codes.shape)
    compiled = codes.device.type == "cpu" and has_numba()
    # Double precision, where single would be no faster, is compiled alone.
    if isinstance(rule, (Path, EqualShare)):
        if compiled:
            return _along_path(forest, rule, codes, slope.double()).to(slope.dtype)
        return _along_path_in_torch(forest, rule, codes, slope)
    reference = reference if isinstance(rule, Interventional) else None
    tables = _tables_for(forest, rule, slope, reference, compiled)
    if tables is not None:
        return (_look_up if compiled else _look_up_in_torch)(forest, tables, codes, slope)
    if reference is not None:
        if compiled:
            return _interventional(forest, codes, slope.double(), reference).to(slope.dtype)
        return _interventional_in_torch(forest, codes, slope, reference)
    return (_shapley if compiled else _shapley_in_torch)(forest, codes, slope)


def _tables_for(
    forest: Forest, rule: TreeRule, slope: Tensor, reference: Tensor | None, compiled: bool
) -> Tables | None:
    """The rule's look-up tables where they are asked for, or pay off for these rows alone."""
    asked, p = getattr(rule, "engine", "auto"), forest.paths
    longest = int(p.n_literals.max(initial=0))
    if asked == "kernel" or p.n_edges == 0 or (longest > BITS and asked == "auto"):
        return None
    if longest > BITS:
        raise ValueError(f"look-up tables take paths of at most {BITS} features, here {longest}; use engine='kernel'")
    rows = None if reference is None else reference.cpu()
    mark = None if rows is None else hashlib.sha1(rows.numpy().tobytes()).hexdigest()
    key = (type(rule), slope.dtype, slope.device, mark)
    with forest.lock:
        groups, width = forest.groups, -(-len(p.codes.used) // 8) * 8
        entries = int(groups.row[-1]) * forest.trees.value.shape[1]
        if asked == "auto":
            if entries * width * slope.element_size() > _TABLE_MEMORY:
                return None
            build = _BUILD * entries
            each = _SHAPLEY * p.n_edges * ((longest + 1) // 2)
            if rows is not None:
                build += 2e-9 * p.n_edges * rows.shape[1]
                each = _INTERVENTIONAL * p.n_edges * rows.shape[1]
            # By this call alone: were earlier ones counted, the same call would not always give the same bits.
            if len(slope) * each * (1 if compiled else _IN_TORCH) / torch.get_num_threads() < build:
                return None
        if key in forest.tables:
            return forest.tables[key]
        while len(forest.tables) >= 2:
            forest.tables.pop(next(iter(forest.tables)))
        forest.tables[key] = tabulate(forest.trees, p, groups, slope.dtype, rows, width).to(slope.device)
        return forest.tables[key]


def _look_up(forest: Forest, tables: Tables, codes: Tensor, slope: Tensor) -> Tensor:
    from neon.nn.trees.compiled import look_up

    p, trees, groups, n = forest.paths, forest.trees, tables.groups, codes.shape[1]
    group_start = np.searchsorted(groups.tree, np.arange(trees.n_trees + 1))
    rows, kind, asked = tables.rows.numpy(), _kind(slope), forest.asked
    phi = np.zeros((n, rows.shape[2]), dtype=kind)
    weight = np.ascontiguousarray(slope.numpy())

    def task(i: int, j: int) -> None:
        look_up(
            np.ascontiguousarray(codes[:, i:j].numpy()), weight[i:j], phi[i:j], 0, trees.n_trees, p.start, p.above_edge,
            p.feature, p.low, p.high, p.offset, p.side, p.table, forest.outputs, group_start, groups.source, asked,
            groups.row, rows,
        )  # fmt: skip

    workers = torch.get_num_threads()
    size = min(_ROWS_OF_TABLES, max(256, -(-n // workers)))
    in_threads([functools.partial(task, i, min(i + size, n)) for i in range(0, n, size)], workers)
    return torch.from_numpy(phi[:, : len(codes)]).t()


def _look_up_in_torch(forest: Forest, tables: Tables, codes: Tensor, slope: Tensor) -> Tensor:
    return look_up(forest.trees, forest.paths, tables, codes, slope, forest.outputs)


@functools.cache
def gauss_legendre(most: int) -> tuple[np.ndarray, np.ndarray]:
    """Points and weights on [0, 1]; row q holds the rule of q points, (most + 1, most)."""
    points, weights = np.zeros((most + 1, most)), np.zeros((most + 1, most))
    for q in range(1, most + 1):
        at, weight = np.polynomial.legendre.leggauss(q)
        points[q, :q], weights[q, :q] = (at + 1) / 2, weight / 2
    return points, weights


def n_points(n_literals: np.ndarray, dtype: torch.dtype) -> np.ndarray:
    """Enough quadrature points for paths of so many features: ``ceil(D / 2)`` are exact, and fewer suffice."""
    enough = np.where(n_literals <= 32, _POINTS[dtype], _MANY_POINTS[dtype])
    return np.clip((n_literals + 1) // 2, 1, enough)


def _shapley(forest: Forest, codes: Tensor, slope: Tensor) -> Tensor:
    from neon.nn.trees.compiled import shapley

    p, (points, weights) = forest.paths, gauss_legendre(_MANY_POINTS[torch.float64])
    kind = _kind(slope)
    q = n_points(p.n_literals, slope.dtype)
    points, weights = points[:, : q.max()].astype(kind), weights[:, : q.max()].astype(kind)
    # G and H of a block stay in the second-level cache.
    rows = _CACHE // (2 * (p.max_depth + 1) * points.shape[1] * kind.itemsize)
    block = int(np.clip(1 << rows.bit_length() >> 1, 64, 512))

    def run(codes: np.ndarray, slope: np.ndarray, phi: np.ndarray, first: int, last: int) -> None:
        shapley(
            codes, slope, phi, first, last, p.start, p.depth, p.above, p.feature, p.low, p.high, p.offset, p.side,
            p.table, p.ratio, p.z_above, p.z, p.leaf, forest.edge_values, forest.outputs, q, points, weights,
            p.max_depth, block,
        )  # fmt: skip

    return _in_tasks(forest, codes, slope, run)


def _interventional(forest: Forest, codes: Tensor, slope: Tensor, reference: Tensor) -> Tensor:
    from neon.nn.trees.compiled import interventional

    p, rows = forest.paths, np.ascontiguousarray(reference.numpy())
    most = int(p.n_literals.max(initial=0))
    a, b = np.arange(most + 2)[None], np.arange(most + 1)[:, None]  # p and q
    plus = np.divide(1.0, a * comb(a + b, a), out=np.zeros((most + 1, most + 2)), where=a > 0)
    minus = np.divide(1.0, b * comb(a + b, a), out=np.zeros((most + 1, most + 2)), where=b > 0)
    plus[:, -1] = minus[:, -1] = 0
    scale = 1 / rows.shape[1]

    def run(codes: np.ndarray, slope: np.ndarray, phi: np.ndarray, first: int, last: int) -> None:
        interventional(
            codes, rows, scale, plus, minus, slope, phi, first, last, p.start, p.skip, p.depth, p.above, p.feature,
            p.low, p.high, p.offset, p.side, p.table, p.leaf, forest.edge_values, forest.outputs, p.max_depth,
        )  # fmt: skip

    return _in_tasks(forest, codes, slope, run)


def pairs(forest: Forest, codes: Tensor, slope: Tensor, reference: Tensor | None) -> Tensor:
    """``Σ_k slope_k φ_ij,k`` for i ≠ j, (n_samples, n_used, n_used); 0 on the diagonal. Arguments as `relevance`."""
    n_used, n = codes.shape
    out = slope.new_zeros(n, n_used, n_used)
    if reference is None and codes.device.type == "cpu" and has_numba():
        _compiled_pairs(forest, codes, slope.double(), out)
        return out
    p, (points, weights) = forest.paths, _rule_of(forest, slope)
    # A lane is a row, or a row and a reference row.
    n_reference = 1 if reference is None else reference.shape[1]
    rows = max(1, _LANES // n_reference)
    for i in range(0, n, rows):
        own = codes[:, i : i + rows]
        literals: vectorized.Literals = vectorized.Covers(points, own)
        if reference is not None:
            literals = vectorized.Pairs(
                points, own.repeat_interleave(n_reference, 1), reference.repeat(1, own.shape[1])
            )
        each = slope[i : i + rows].t().repeat_interleave(n_reference, 1) / n_reference
        both = slope.new_zeros(n_used * n_used, each.shape[1])
        for part in vectorized.chunks(p, 4 * len(weights) * each.shape[1] * each.element_size()):
            vectorized.quadrature(forest.trees, p, literals, weights, each, part, both)
        summed = both.reshape(n_used, n_used, own.shape[1], n_reference).sum(3)
        out[i : i + rows] = ((summed + summed.transpose(0, 1)) / 2).permute(2, 0, 1)
    return out


def _compiled_pairs(forest: Forest, codes: Tensor, slope: Tensor, out: Tensor) -> None:
    from neon.nn.trees.compiled import BLOCK, shapley_interactions

    p, (points, weights) = forest.paths, gauss_legendre(_MANY_POINTS[torch.float64])
    n = codes.shape[1]
    q = n_points(p.n_literals, slope.dtype)
    points, weights = (np.ascontiguousarray(table[:, : q.max()]) for table in (points, weights))

    def task(i: int) -> None:
        own = np.ascontiguousarray(codes[:, i : i + BLOCK].numpy())
        each = np.ascontiguousarray(slope[i : i + BLOCK].t().numpy())
        both = np.zeros((len(own), *own.shape))
        shapley_interactions(
            own, each, both, 0, forest.trees.n_trees, p.start, p.depth, p.above, p.feature, p.low, p.high,
            p.offset, p.side, p.table, p.ratio, p.z_above, p.z, p.leaf, forest.edge_values, forest.outputs, q, points,
            weights, p.max_depth,
        )  # fmt: skip
        found = torch.from_numpy(both)
        out[i : i + BLOCK] = ((found + found.transpose(0, 1)) / 2).permute(2, 0, 1)

    in_threads([functools.partial(task, i) for i in range(0, n, BLOCK)], torch.get_num_threads())


def _in_tasks(forest: Forest, codes: Tensor, slope: Tensor, run: Callable[..., None]) -> Tensor:
    """Run over blocks of rows, and of trees where there are few rows; (n_used, n_samples)."""
    trees, n = forest.trees, codes.shape[1]
    order = None
    if trees.output is not None and trees.n_outputs > 1:
        # Rows with the same target next to each other: trees of other outputs are then passed over.
        order = slope.abs().argmax(1).argsort(stable=True)
        codes, slope = codes[:, order], slope[order]
    workers = torch.get_num_threads()
    size = min(_ROWS, max(64, -(-n // workers)))
    row_blocks = [(i, min(i + size, n)) for i in range(0, n, size)]
    pieces = 1 if len(row_blocks) >= workers else min(trees.n_trees, workers)
    ends = np.searchsorted(forest.paths.start, np.linspace(0, forest.paths.n_edges, pieces + 1)[1:-1])
    cuts = [0, *ends.tolist(), trees.n_trees]
    tree_blocks = [(i, j) for i, j in itertools.pairwise(cuts) if i < j]
    kind = _kind(slope)
    arrays = [
        (np.ascontiguousarray(codes[:, i:j].numpy()), np.ascontiguousarray(slope[i:j].t().numpy()))
        for i, j in row_blocks
    ]

    def task(block: int, trees: tuple[int, int]) -> np.ndarray:
        own_codes, own_slope = arrays[block]
        phi = np.zeros(own_codes.shape, dtype=kind)
        run(own_codes, own_slope, phi, *trees)
        return phi

    jobs = [(block, part) for block in range(len(row_blocks)) for part in tree_blocks]
    found = in_threads([functools.partial(task, *job) for job in jobs], workers)
    result = np.zeros(codes.shape, dtype=kind)
    for (block, _), phi in zip(jobs, found, strict=True):
        i, j = row_blocks[block]
        result[:, i:j] += phi
    out = torch.from_numpy(result)
    return out if order is None else torch.empty_like(out).index_copy_(1, order, out)


def _walk(forest: Forest, codes: Tensor) -> np.ndarray:
    """The sum of the active leaves' values, (n_samples, n_outputs)."""
    from neon.nn.trees.compiled import walk

    trees, table = forest.trees, forest.paths.table
    out = np.zeros((codes.shape[1], trees.n_outputs))

    def task(rows: np.ndarray, part: slice) -> None:
        walk(rows, forest.nodes, table, trees.roots, forest.heights, trees.value, forest.outputs, out[part])

    _over_rows(codes, task)
    return out


def _along_path(forest: Forest, rule: TreeRule, codes: Tensor, slope: Tensor) -> Tensor:
    from neon.nn.trees.compiled import equal, path

    trees, table, s = forest.trees, forest.paths.table, np.ascontiguousarray(slope.numpy())
    phi = np.zeros((codes.shape[1], len(codes)), dtype=s.dtype)

    def task(rows: np.ndarray, part: slice) -> None:
        walked = rows, forest.nodes, table, trees.roots, forest.heights
        if isinstance(rule, Path):
            path(*walked, forest.steps, forest.outputs, s[part], phi[part])
        else:
            equal(*walked, *forest.shares, forest.outputs, s[part], phi[part])

    _over_rows(codes, task)
    return torch.from_numpy(phi).t()


def _over_rows(codes: Tensor, task: Callable[[np.ndarray, slice], None]) -> None:
    """Run over blocks of rows, given their codes (n_samples, n_used)."""
    n, workers = codes.shape[1], torch.get_num_threads()
    rows = np.ascontiguousarray(codes.t().numpy())
    size = min(_ROWS, max(64, -(-n // workers)))
    parts = [slice(i, min(i + size, n)) for i in range(0, n, size)]
    in_threads([functools.partial(task, rows[part], part) for part in parts], workers)


def _along_path_in_torch(forest: Forest, rule: TreeRule, codes: Tensor, slope: Tensor) -> Tensor:
    trees, device, n = forest.trees, codes.device, codes.shape[1]
    phi = slope.new_zeros(codes.shape)
    nodes, table = _node_tensors(forest, device)
    for first, last in _tree_ranges(trees.n_trees, n):
        roots = torch.as_tensor(trees.roots[first:last], device=device)
        passed = list(vectorized.descend(nodes, table, roots, codes))
        if not passed:
            continue
        owner = torch.as_tensor(forest.outputs[first:last], device=device)

        def weighted(values: np.ndarray, node: Tensor, owner: Tensor = owner) -> Tensor:
            """``Σ_k slope_k values_k`` at nodes (n_trees, n_samples)."""
            at = torch.as_tensor(values, device=device).to(slope)[node]
            if trees.output is None:
                return torch.einsum("tnk,nk->tn", at, slope)
            return at[:, :, 0] * slope.t()[owner]

        if isinstance(rule, Path):
            for feature, node, moved in passed:
                phi.scatter_add_(0, feature, weighted(forest.steps, node) * moved)
        else:
            shares, is_first = forest.shares
            share = weighted(shares, passed[-1][1])
            for feature, node, moved in passed:
                phi.scatter_add_(0, feature, share * (moved & torch.as_tensor(is_first, device=device)[node]))
    return phi


def _shapley_in_torch(forest: Forest, codes: Tensor, slope: Tensor) -> Tensor:
    p = forest.paths
    points, weights = _rule_of(forest, slope)
    phi = slope.new_zeros(codes.shape)
    for i in range(0, codes.shape[1], _LANES):
        literals = vectorized.Covers(points, codes[:, i : i + _LANES])
        s = slope[i : i + _LANES].t()
        for part in vectorized.chunks(p, 4 * len(weights) * s.shape[1] * s.element_size()):
            phi[:, i : i + _LANES] += vectorized.quadrature(forest.trees, p, literals, weights, s, part)
    return phi


def _interventional_in_torch(forest: Forest, codes: Tensor, slope: Tensor, reference: Tensor) -> Tensor:
    p, n_reference = forest.paths, reference.shape[1]
    points, weights = _rule_of(forest, slope)
    phi = slope.new_zeros(codes.shape)
    rows = max(1, _LANES // n_reference)
    for i in range(0, codes.shape[1], rows):
        own, s = codes[:, i : i + rows], slope[i : i + rows].t() / n_reference
        for j in range(0, n_reference, _LANES):
            other = reference[:, j : j + _LANES]
            shape = (-1, own.shape[1], other.shape[1])
            pairs = vectorized.Pairs(
                points, own[:, :, None].expand(shape).flatten(1), other[:, None].expand(shape).flatten(1)
            )
            each = s[:, :, None].expand(shape).flatten(1)
            for part in vectorized.chunks(p, 4 * len(weights) * each.shape[1] * each.element_size()):
                found = vectorized.quadrature(forest.trees, p, pairs, weights, each, part)
                phi[:, i : i + rows] += found.reshape(len(found), own.shape[1], -1).sum(2)
    return phi


def _rule_of(forest: Forest, slope: Tensor) -> tuple[Tensor, Tensor]:
    """Quadrature points and weights for the longest path, (n_points,)."""
    q = int(n_points(forest.paths.n_literals, slope.dtype).max(initial=1))
    return tuple(torch.as_tensor(table[q, :q]).to(slope) for table in gauss_legendre(q))  # type: ignore[return-value]


def _node_tensors(forest: Forest, device: torch.device) -> tuple[Tensor, Tensor]:
    return (
        torch.as_tensor(forest.nodes, device=device).long(),
        torch.as_tensor(forest.paths.table, device=device),
    )


def _tree_ranges(n_trees: int, n_samples: int) -> list[tuple[int, int]]:
    size = max(1, (1 << 22) // max(n_samples, 1))
    return [(i, min(i + size, n_trees)) for i in range(0, n_trees, size)]


def _kind(slope: Tensor) -> np.dtype:
    return np.dtype(np.float32 if slope.dtype == torch.float32 else np.float64)
