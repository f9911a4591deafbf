"""Which engine computes a rule: compiled loops or torch, a walk over the edges or look-up tables."""

from __future__ import annotations

import hashlib
from typing import Protocol

import torch
from torch import Tensor

from neon._compilation import has_numba
from neon.lrp.rules.tree import EqualShare, Interventional, Path, TreeRule
from neon.nn.trees import costs, vectorized
from neon.nn.trees.counted import SHORT, by_patterns, symmetric
from neon.nn.trees.forest import Forest
from neon.nn.trees.quadrature import Index
from neon.nn.trees.tables import BITS, Tables, tabulate

__all__ = ["Engine", "base_of", "compiles", "encode", "evaluate", "pairs", "relevance"]

_TABLE_MEMORY = 1 << 29
# Seconds on one core of a 2023 server: of the kernels by edge, row and quadrature point; how many times that in torch;
# of tables by row that is built, by edge and reference row, and by group and row that is looked up. They choose between
# engines of equal results. Tables against reference rows may cost three times as much: the next rows find them again.
_SHAPLEY, _IN_TORCH, _BUILD, _BUILD_AGAINST, _LOOK_UP, _KEPT = 0.75e-9, 10.0, 0.7e-6, 14e-9, 8e-9, 3.0


class Engine(Protocol):
    """What `neon.nn.trees.compiled` and `neon.nn.trees.vectorized` both compute.

    Rows x (n_samples, n_features), their codes (n_used, n_samples), slope (n_samples, n_outputs), codes of reference
    rows (n_used, n_reference) and their weights (n_reference,); the result ``Σ_k slope_k φ_k`` is (n_used, n_samples).
    Against reference rows, leaves with at most ``limits[0]`` features on their path may be computed from counts of
    patterns, and those with at most ``limits[1]`` by the different patterns that rows have.
    """

    def encode(self, forest: Forest, x: Tensor) -> Tensor: ...

    def evaluate(self, forest: Forest, codes: Tensor) -> Tensor: ...

    def along_path(self, forest: Forest, rule: TreeRule, codes: Tensor, slope: Tensor) -> Tensor: ...

    def look_up(self, forest: Forest, tables: Tables, codes: Tensor, slope: Tensor) -> Tensor: ...

    def shapley(self, forest: Forest, codes: Tensor, slope: Tensor, index: Index) -> Tensor: ...

    def interventional(
        self,
        forest: Forest,
        codes: Tensor,
        slope: Tensor,
        reference: Tensor,
        weights: Tensor,
        index: Index,
        limits: tuple[int, int],
    ) -> Tensor: ...

    def pairs(
        self, forest: Forest, codes: Tensor, slope: Tensor, reference: Tensor | None, weights: Tensor | None
    ) -> Tensor: ...


def _engine(rows: Tensor) -> Engine:
    if not compiles(rows.device):
        return vectorized
    from neon.nn.trees import compiled

    return compiled


def compiles(device: torch.device) -> bool:
    """Whether there are compiled loops."""
    return device.type == "cpu" and has_numba()


def encode(forest: Forest, x: Tensor) -> Tensor:
    """Codes of rows (n_samples, n_features), on their device, int32 (n_used, n_samples)."""
    return _engine(x).encode(forest, x)


def evaluate(forest: Forest, codes: Tensor, dtype: torch.dtype) -> Tensor:
    """``f``, (n_samples, n_outputs), of codes (n_used, n_samples)."""
    base = torch.as_tensor(forest.trees.base, device=codes.device).double()
    return (base + _engine(codes).evaluate(forest, codes)).to(dtype)


def base_of(
    forest: Forest, rule: TreeRule | None, reference: Tensor | None, dtype: torch.dtype, weights: Tensor | None = None
) -> Tensor:
    """What a rule's relevance is relative to, (1, n_outputs); ``reference`` are rows (n_reference, n_features)."""
    trees = forest.trees
    if reference is not None and (rule is None or isinstance(rule, Interventional)):
        found = evaluate(forest, encode(forest, reference), torch.float64)
        return (_equal(found) if weights is None else weights.to(found))[None].matmul(found).to(dtype)
    at_root = trees.expectation
    if isinstance(rule, Path) and trees.path_value is not None:
        at_root = trees.total(trees.path_value[trees.roots])
    return torch.as_tensor(at_root)[None].to(dtype)


def relevance(
    forest: Forest,
    rule: TreeRule,
    codes: Tensor,
    slope: Tensor,
    reference: Tensor | None = None,
    weights: Tensor | None = None,
    index: Index = "shapley",
) -> Tensor:
    """``Σ_k slope_k φ_k``.

    Parameters
    ----------
    codes : int32 (n_used, n_samples)
    slope : (n_samples, n_outputs)
    reference : int32 (n_used, n_reference), optional
        Codes of the reference rows.
    weights : (n_reference,), optional
        Theirs, adding up to 1. Default: all the same.
    index : "shapley" or "banzhaf"
        Of the rules `Shapley` and `Interventional`, whose integrals over t the Banzhaf value takes at t = 1/2.

    Returns
    -------
    Tensor
        (n_used, n_samples)
    """
    if isinstance(rule, Interventional) and reference is None:
        raise ValueError("the interventional rule needs reference rows; give reference=")
    if not codes.numel():
        return slope.new_zeros(codes.shape)
    engine = _engine(codes)
    if isinstance(rule, (Path, EqualShare)):
        return engine.along_path(forest, rule, codes, slope)
    reference = reference if isinstance(rule, Interventional) else None
    if reference is None:
        weights = None
    elif weights is None:
        weights = _equal(reference.t())
    tables = _tables_for(forest, rule, codes, slope, reference, weights, index)
    if tables is not None:
        return engine.look_up(forest, tables, codes, slope)
    if reference is None:
        return engine.shapley(forest, codes, slope, index)
    assert weights is not None
    by_patterns = compiles(codes.device) and getattr(rule, "engine", "auto") != "kernel"
    limits = costs.cheapest(forest, len(slope), reference.shape[1])[0] if by_patterns else (0, 0)
    return engine.interventional(forest, codes, slope, reference, weights, index, limits)


def pairs(
    forest: Forest, codes: Tensor, slope: Tensor, reference: Tensor | None, weights: Tensor | None = None
) -> Tensor:
    """``Σ_k slope_k φ_ij,k`` for i ≠ j, (n_samples, n_used, n_used); 0 on the diagonal. Arguments as `relevance`."""
    if reference is not None and weights is None:
        weights = _equal(reference.t())
    if reference is not None and weights is not None and forest.paths.n_literals.max(initial=0) <= SHORT:
        return symmetric(by_patterns(forest, codes, slope, reference, weights, 2), len(codes), 2)
    return _engine(codes).pairs(forest, codes, slope, reference, weights)


def _equal(rows: Tensor) -> Tensor:
    """Weights that are all the same, (n_rows,)."""
    return torch.full((len(rows),), 1 / max(len(rows), 1), dtype=torch.float64, device=rows.device)


def _tables_for(
    forest: Forest,
    rule: TreeRule,
    codes: Tensor,
    slope: Tensor,
    reference: Tensor | None,
    weights: Tensor | None,
    index: Index,
) -> Tables | None:
    """The rule's look-up tables where they are asked for, or pay off for these rows alone."""
    asked, p = getattr(rule, "engine", "auto"), forest.paths
    longest = int(p.n_literals.max(initial=0))
    if asked == "kernel" or p.n_edges == 0 or (longest > BITS and asked == "auto"):
        return None
    if longest > BITS:
        raise ValueError(f"look-up tables take paths of at most {BITS} features, here {longest}; use engine='kernel'")
    given = [part.cpu() for part in (reference, weights) if part is not None]
    rows, portions = given or (None, None)
    mark = hashlib.sha1(b"".join(part.numpy().tobytes() for part in given)).hexdigest()
    key = (type(rule), index, slope.dtype, slope.device, mark)
    with forest.lock:
        groups, width = forest.groups, -(-len(p.codes.used) // 8) * 8
        entries = int(groups.row[-1]) * forest.trees.value.shape[1]
        if asked == "auto":
            if entries * width * slope.element_size() > _TABLE_MEMORY:
                return None
            build, here, n = _BUILD * entries, compiles(codes.device), len(slope)
            spent = n * _SHAPLEY * p.n_edges * ((longest + 1) // 2)
            if rows is not None:
                build += _BUILD_AGAINST * p.n_edges * rows.shape[1]
                spent = costs.WALK * n * p.n_edges * rows.shape[1]
                if here:
                    spent = _KEPT * (costs.cheapest(forest, n, rows.shape[1])[1] - _LOOK_UP * groups.n_groups * n)
            # By this call alone: were earlier ones counted, the same call would not always give the same bits.
            if spent * (1 if here else _IN_TORCH) / torch.get_num_threads() < build:
                return None
        if key in forest.tables:
            return forest.tables[key]
        while len(forest.tables) >= 2:
            forest.tables.pop(next(iter(forest.tables)))
        forest.tables[key] = tabulate(forest.trees, p, groups, slope.dtype, rows, portions, index, width).to(
            slope.device
        )
        return forest.tables[key]
