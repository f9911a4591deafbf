"""LightGBM with ``linear_tree=True``: leaves that hold linear functions of the features on their paths.

Where one of the features that a leaf reads is missing, the leaf has a constant instead: behind each leaf stand splits
that ask whether they are missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from neon.converters.core import Encoding
from neon.converters.trees.build import Tree

__all__ = ["Leaves", "linear_leaves", "read_apart", "with_leaves"]


class Leaves(NamedTuple):
    """What the leaves of one tree hold.

    Attributes
    ----------
    constant : ndarray (n_leaves,)
    columns : list of ndarray (n_read,)
        The features that each leaf reads.
    slopes : list of ndarray (n_read,)
        Their coefficients.
    """

    constant: np.ndarray
    columns: list[np.ndarray]
    slopes: list[np.ndarray]


def linear_leaves(fields: Mapping[str, str], tree: Tree, scale: float) -> Leaves:
    """The linear functions of a tree as LightGBM writes it; of one without, its constants."""
    value = tree.value[tree.left < 0, 0]
    if fields.get("is_linear", "0") == "0":
        none = [np.zeros(0, dtype=np.int64)] * len(value)
        return Leaves(value, none, [np.zeros(0)] * len(value))
    ends = np.cumsum(np.array(fields["num_features"].split(), dtype=np.int64))[:-1]
    columns = np.array(fields["leaf_features"].split(), dtype=np.int64)
    slopes = scale * np.array(fields["leaf_coeff"].split(), dtype=np.float64)
    constant = scale * np.array(fields["leaf_const"].split(), dtype=np.float64)
    return Leaves(constant, np.split(columns, ends), np.split(slopes, ends))


def with_leaves(tree: Tree, leaves: Leaves, columns: Sequence[int], block: tuple[int, int]) -> Tree:
    """The tree of coefficients: its values are, for each output, a constant and a coefficient of each column.

    Parameters
    ----------
    tree : Tree
        With the constants that leaves have where something is missing, its leaves after its splits.
    columns : sequence of int
        That some leaf of some tree reads.
    block : (int, int)
        The output that the tree adds to, and how many there are.
    """
    place = {column: 1 + i for i, column in enumerate(columns)}
    output, n_outputs = block
    width, first = 1 + len(columns), len(tree.left) - len(leaves.constant)
    nodes = [
        list(part) for part in (tree.left, tree.right, tree.feature, tree.threshold, tree.missing_left, tree.cover)
    ]
    values = list(np.zeros((len(tree.left), n_outputs * width)))

    def held(constant: float, slopes: Mapping[int, float]) -> np.ndarray:
        row = np.zeros(n_outputs * width)
        row[output * width] = constant
        for column, slope in slopes.items():
            row[output * width + place[column]] += slope
        return row

    for leaf, (constant, read, slopes) in enumerate(zip(*leaves, strict=True)):
        node = first + leaf
        for column in read.tolist():  # present: further left; missing: the constant, which no row of the fit reached
            for part, new in zip(nodes, (-1, -1, -1, np.nan, False, tree.cover[first + leaf]), strict=True):
                part.append(new)
            for part, new in zip(nodes, (-1, -1, -1, np.nan, False, 0.0), strict=True):
                part.append(new)
            values += [np.zeros(n_outputs * width), held(float(tree.value[first + leaf, 0]), {})]
            for part, new in zip(nodes, (len(values) - 2, len(values) - 1, column, np.inf, False), strict=False):
                part[node] = new
            node = len(values) - 2
        values[node] = held(float(constant), dict(zip(read.tolist(), slopes.tolist(), strict=True)))
    left, right, feature, threshold, missing_left, cover = (np.array(part) for part in nodes)
    return Tree(left, right, feature, threshold, missing_left, cover, np.array(values), tree.categories)


def read_apart(names: Sequence[str], read: Sequence[int]) -> Encoding:
    """Features that trees compare, and beside them those that leaves read, where a missing one counts as 0."""
    source = np.append(np.arange(len(names)), read)
    return Encoding(_Read(tuple(read)), source, (*names, *(f"{names[i]}, read by leaves" for i in read)), keeps=True)


@dataclass(frozen=True, eq=False)
class _Read:
    columns: tuple[int, ...]

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        return np.concatenate([rows, np.nan_to_num(rows[:, self.columns], nan=0.0)], axis=1)
