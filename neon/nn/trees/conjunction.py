"""Split units and AND units as modules, and the rules of a layer of AND units, each leaf for itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from neon.lrp.message import Ledger, Message
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.paths.terms import Background, StraightTerms, Terms
from neon.lrp.recording.tape import Retention
from neon.lrp.rules import Rule
from neon.lrp.rules.tree import EqualShare, Interventional, Path, Shapley, TreeRule
from neon.nn.layer import Layer, operation
from neon.nn.trees.ensemble import Trees
from neon.nn.trees.paths import Paths
from neon.nn.trees.quadrature import Index, rules_of, shares_between
from neon.nn.trees.routing import Codes

__all__ = ["AndUnits", "SplitUnits", "and_units", "check_size", "literal_weights", "split_units"]

_WEIGHTS = 1 << 27


class SplitUnits(Layer):
    """One unit for each different split: 1 where a row goes left, a step of one feature."""

    left_sets: Tensor
    feature: Tensor

    def __init__(self, trees: Trees, codes: Codes) -> None:
        super().__init__()
        self.codes = codes
        self.n_features = trees.n_features
        low, high, offset, table = codes.left_sets(trees)
        inner = np.flatnonzero(trees.left >= 0)
        used = np.searchsorted(codes.used, trees.feature[inner])
        check_size(len(inner), int(codes.n_codes.max(initial=1)))
        sets = np.zeros((len(inner), int(codes.n_codes.max(initial=1))), dtype=bool)
        code = np.arange(sets.shape[1])
        sets[:] = (code >= low[inner, None]) & (code <= high[inner, None])
        for row, node in enumerate(inner):
            if offset[node] >= 0:
                n_codes = codes.n_codes[used[row]]
                sets[row, :n_codes] = table[offset[node] : offset[node] + n_codes]
        units, place = np.unique(np.column_stack([used, sets]), axis=0, return_inverse=True)
        self.of_node = np.full(trees.n_nodes, -1)
        self.of_node[inner] = place.ravel()
        self.register_buffer("feature", torch.as_tensor(units[:, 0].astype(np.int64)))
        self.register_buffer("left_sets", torch.as_tensor(units[:, 1:].astype(bool)))

    def forward(self, x: Tensor) -> Tensor:
        return split_units(x, self)

    def extra_repr(self) -> str:
        return f"{self.n_features} features → {len(self.feature)} steps"


@operation
def split_units(x: Tensor, units: SplitUnits) -> Tensor:
    """``1[x_f goes left]``, (n_samples, n_features) → (n_samples, n_units)."""
    if not len(units.feature):
        return x.new_zeros(len(x), 0)
    codes = units.codes.to(x.device)(x)[units.feature].long()  # (n_units, n_samples)
    return units.left_sets.gather(1, codes).t().to(x.dtype)


class _SplitUnits(Treatment):
    """A unit's relevance is its feature's."""

    retention = Retention(inputs=False)
    takes_reference = True
    nonnegative = True

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> Message:
        blank = call.blank(call.inputs[0])
        found = torch.zeros_like(blank).index_add_(1, self._features(call).to(blank.device), message.relevance)
        return Message.of_relevance(found)

    def sources(self, call: Call, known: Sequence[Tensor]) -> tuple[Tensor, ...] | None:
        return (known[0][self._features(call).to(known[0].device)],)

    @staticmethod
    def _features(call: Call) -> Tensor:
        """The column that each unit is a step of, (n_units,)."""
        units = call.operation.args[1]
        return torch.as_tensor(units.codes.used)[units.feature]


class AndUnits(Layer):
    """``relu(Σ literals - (d - 1))`` for each leaf; a literal is a split unit or 1 minus one."""

    weight: Tensor
    bias: Tensor
    unit: Tensor
    left: Tensor
    literal: Tensor
    ratio: Tensor
    tree: Tensor

    def __init__(self, trees: Trees, paths: Paths, splits: SplitUnits) -> None:
        super().__init__()
        leaves = np.flatnonzero(paths.leaf)
        n_units = len(splits.feature)
        check_size(len(leaves), n_units)
        n, longest = len(leaves), max(paths.max_depth, 1)
        # Along each leaf's path from the root: unit, side, cover ratio, and which merged literal the edge belongs to.
        unit, literal = np.full((n, longest), -1), np.full((n, longest), -1)
        left, ratio = np.zeros((n, longest), dtype=bool), np.ones((n, longest))
        upper = _upper(trees, paths)
        rows, edges = np.arange(n), leaves
        while len(edges):
            at = rows, paths.depth[edges] - 1
            unit[at], left[at], ratio[at] = splits.of_node[upper[edges]], paths.side[edges] == 1, paths.ratio[edges]
            rows, edges = rows[paths.parent[edges] >= 0], paths.parent[edges]
            edges = edges[edges >= 0]
        feature = np.where(unit >= 0, splits.feature.numpy()[unit], -1) if n else unit
        for i in range(n):
            seen: dict[int, int] = {}
            for d, f in enumerate(feature[i]):
                if f >= 0:
                    literal[i, d] = seen.setdefault(int(f), len(seen))
        weight, bias = literal_weights(trees, paths, splits.of_node, n_units)
        arrays = {"weight": weight, "bias": bias, "unit": unit, "left": left, "literal": literal, "ratio": ratio}
        for name, array in {**arrays, "tree": paths.tree(leaves)}.items():
            self.register_buffer(name, torch.as_tensor(array))

    def forward(self, s: Tensor) -> Tensor:
        return and_units(s, self)

    def extra_repr(self) -> str:
        return f"{self.weight.shape[1]} steps → {len(self.weight)} leaves, relu(Σ literals − (d − 1))"

    def literals(self, s: Tensor) -> Tensor:
        """Whether each edge's literal holds, bool (n_samples, n_leaves, longest); True past a path's end."""
        return ((s > 0.5)[:, self.unit.clamp(min=0)] == self.left) | (self.unit < 0)

    def merge(self, held: Tensor) -> Tensor:
        """All literals of one feature as one, bool (n_samples, n_leaves, longest), in the order of appearance."""
        merged = torch.ones_like(held)
        for d in range(held.shape[2]):
            slot = self.literal[:, d].clamp(min=0)
            index = slot[None, :, None].expand(len(held), -1, 1)
            merged.scatter_(2, index, merged.gather(2, index) & held[:, :, d : d + 1])
        return merged

    @property
    def size(self) -> Tensor:
        """The number of merged literals of each leaf, (n_leaves,)."""
        return self.literal.max(1).values + 1

    @property
    def probability(self) -> Tensor:
        """Of each merged literal under the covers, (n_leaves, longest); 1 past the last."""
        z = torch.ones_like(self.ratio)
        for d in range(z.shape[1]):
            slot = self.literal[:, d : d + 1].clamp(min=0)
            z.scatter_(1, slot, z.gather(1, slot) * self.ratio[:, d : d + 1])
        return z

    def to_units(self, shares: Tensor, by_edge: bool) -> Tensor:
        """Shares of literals or edges (n_samples, n_leaves, longest) summed by split unit, (n_samples, n_units)."""
        out = shares.new_zeros(len(shares), self.weight.shape[1])
        first = torch.zeros_like(self.unit)
        for d in reversed(range(self.unit.shape[1])):
            first.scatter_(1, self.literal[:, d : d + 1].clamp(min=0), self.unit[:, d : d + 1].clamp(min=0))
        unit = self.unit.clamp(min=0) if by_edge else first
        return out.index_add_(1, unit.flatten(), shares.flatten(1))


def literal_weights(trees: Trees, paths: Paths, unit: np.ndarray, n_units: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights and biases of the AND units, (n_leaves, n_units) and (n_leaves,), from the units of splits."""
    leaves = np.flatnonzero(paths.leaf)
    signs, needed = np.zeros((len(leaves), n_units)), np.ones(len(leaves))
    upper = _upper(trees, paths)
    rows, edges = np.arange(len(leaves)), leaves
    while len(edges):
        left = paths.side[edges] == 1
        np.add.at(signs, (rows, unit[upper[edges]]), np.where(left, 1.0, -1.0))
        needed[rows] -= left  # Σ_left s + Σ_right (1 - s) - (d - 1) = Σ ± s + 1 - (number of left literals)
        up = paths.parent[edges]
        rows, edges = rows[up >= 0], up[up >= 0]
    return signs, needed


def _upper(trees: Trees, paths: Paths) -> np.ndarray:
    """The node at the upper end of each edge."""
    return np.where(paths.parent >= 0, paths.node[paths.parent], trees.roots[paths.tree(np.arange(paths.n_edges))])


def check_size(n_rows: int, n_columns: int) -> None:
    """Raise where a spelled-out layer would not fit into memory."""
    if n_rows * n_columns > _WEIGHTS:
        raise ValueError(f"spelled out, a layer would have {n_rows} x {n_columns} weights; use the fused form")


@operation
def and_units(s: Tensor, units: AndUnits) -> Tensor:
    """``relu(Σ literals - (d - 1))``, (n_samples, n_units) → (n_samples, n_leaves)."""
    return torch.relu(s @ units.weight.to(s).t() + units.bias.to(s))


class _AndUnits(Treatment):
    """The rules of `neon.lrp.rules.tree`, for each leaf with its slope in the place of its value v."""

    kind = "tree"
    retention = Retention(inputs=True, output=True)
    takes_reference = True
    nonnegative = True

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> Message:
        assert isinstance(rule, TreeRule)
        units = call.operation.args[1]
        s, active = call.value(call.inputs[0]), call.value(call.output)
        rows = None if call.references is None else call.references[call.inputs[0]]
        base = self._base(units, rule, rows, active)
        known = call.reference(call.output)
        slope = call.slope(message, ledger)
        if ledger.enabled:
            ledger.absorb("expectation", slope * (base if known is None else base - known))
        held = units.literals(s)
        if isinstance(rule, Path):
            shares = _along_path(units, held, slope)
        elif isinstance(rule, EqualShare):
            shares = _equal(units, active, slope)
        elif isinstance(rule, Interventional):
            if rows is None:
                raise ValueError("the interventional rule needs reference rows; give reference=")
            other = units.merge(units.literals(rows))
            own = units.merge(held)
            shares = torch.zeros_like(own, dtype=slope.dtype)
            for row in other.split(1):
                shares += _between(units, own, row, slope) / len(rows)
        else:
            shares = _toward_covers(units, units.merge(held), slope)
        return Message.of_relevance(units.to_units(shares, isinstance(rule, Path)))

    def at_reference(self, call: Call, values: dict[int, Tensor], rule: Rule | None) -> tuple[Tensor, ...]:
        """What relevance by this rule is relative to, (1, n_leaves)."""
        rows = values[call.inputs[0]]
        units = call.operation.args[1]
        return (self._base(units, rule, rows, and_units(rows, units)),)

    def terms(self, call: Call, rule: Rule | None, x: Tensor, background: Background) -> Terms | None:
        return _AndTerms(call.output, x, background, call.operation.args[1])

    @staticmethod
    def _base(units: AndUnits, rule: Rule | None, rows: Tensor | None, like: Tensor) -> Tensor:
        """How often each leaf is active, (1, n_leaves): under the covers, or at the reference rows."""
        if rows is not None and (rule is None or isinstance(rule, Interventional)):
            return and_units(rows, units).mean(0, keepdim=True)
        return units.ratio.prod(1)[None].to(like)


class _AndTerms(StraightTerms):
    """AND units of literals; relative to the covers, or to the reference rows where the caller gave them."""

    joint = True
    holds = "the training rows that its trees counted"

    def __init__(self, slot: int, x: Tensor, background: Background, units: AndUnits) -> None:
        self.units_, self.own = units, units.merge(units.literals(x))
        self.others: list[tuple[Tensor, float]] = []
        start = _AndUnits._base(units, Shapley(), None, x)
        if background.given:
            other = units.merge(units.literals(background.rows))
            self.others = [(row, float(w)) for row, w in zip(other.split(1), background.weights, strict=True)]
            start = background.weights[None] @ and_units(background.rows, units)
        self.apart = background.players is not None
        super().__init__(slot, start, and_units(x, units))

    def integrated(self, slopes: Tensor) -> Tensor:
        return self._of_index(slopes, "shapley")

    def middle(self, slopes: Tensor) -> Tensor:
        return self._of_index(slopes, "banzhaf")

    def _of_index(self, slopes: Tensor, index: Index) -> Tensor:
        units, own = self.units_, self.own
        if not self.others:
            return units.to_units(_toward_covers(units, own, slopes, index), by_edge=False)
        shares = torch.stack([weight * _between(units, own, row, slopes, index) for row, weight in self.others]).sum(0)
        return units.to_units(shares, by_edge=False)

    def pairs(self, slopes: Tensor) -> Tensor:
        raise ValueError("interactions are of the fused form of trees; explain the model itself")


def _toward_covers(units: AndUnits, o: Tensor, slope: Tensor, index: Index = "shapley") -> Tensor:
    """``v (o_i - z_i) ∫ Π_{k≠i} (z_k + (o_k - z_k) t) dt``, (n_samples, n_leaves, longest)."""
    z = units.probability.to(slope)
    real = torch.arange(z.shape[1], device=z.device) < units.size[:, None]
    (q,), points, weights = rules_of(units.size.cpu().numpy().max(initial=1, keepdims=True), torch.float64, index)
    difference = o.to(slope) - z
    total = torch.zeros_like(difference)
    for t, weight in zip(points[q, :q], weights[q, :q], strict=True):
        factor = z + difference * float(t)
        total += float(weight) * _product_of_others(factor)
    return slope[:, :, None] * difference * total * real


def _product_of_others(factor: Tensor) -> Tensor:
    """The product of all but one along the last axis, without dividing."""
    ones = torch.ones_like(factor[..., :1])
    before = torch.cat([ones, factor[..., :-1]], -1).cumprod(-1)
    after = torch.cat([ones, factor.flip(-1)[..., :-1]], -1).cumprod(-1).flip(-1)
    return before * after


def _between(units: AndUnits, own: Tensor, other: Tensor, slope: Tensor, index: Index = "shapley") -> Tensor:
    """Shares against one reference row, as `shares_between`."""
    only_own, only_other = own & ~other, other & ~own
    p, q = only_own.sum(2), only_other.sum(2)
    reached = (own | other).all(2).to(slope)
    gain, loss = (torch.as_tensor(part).to(slope)[q, p] for part in shares_between(own.shape[2], index))
    return (slope * reached)[:, :, None] * (only_own * gain[:, :, None] - only_other * loss[:, :, None])


def _along_path(units: AndUnits, held: Tensor, slope: Tensor) -> Tensor:
    """By edge: a leaf's probability below the edge's end minus above, where x comes as far (Saabas, leaf by leaf)."""
    ratio = units.ratio.to(slope)
    below = ratio.flip(1).cumprod(1).flip(1)  # of the leaf, from above each edge
    after = torch.cat([below[:, 1:], torch.ones_like(below[:, :1])], 1)
    arrives = torch.cat([torch.ones_like(held[..., :1]), held[..., :-1]], -1).cumprod(-1).bool()
    real = units.unit >= 0
    return slope[:, :, None] * (arrives * (held * after - below)) * real


def _equal(units: AndUnits, active: Tensor, slope: Tensor) -> Tensor:
    """The active leaf's difference to the mean of its tree, in equal shares."""
    n_trees = int(units.tree.max()) + 1 if len(units.tree) else 0
    mean = slope.new_zeros(len(slope), n_trees).index_add_(1, units.tree, slope * units.ratio.prod(1).to(slope))
    share = active * (slope - mean[:, units.tree]) / units.size
    real = torch.arange(units.unit.shape[1], device=slope.device) < units.size[:, None]
    return share[:, :, None] * real


treat(split_units, by=_SplitUnits())
treat(and_units, by=_AndUnits())
