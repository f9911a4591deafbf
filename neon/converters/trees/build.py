"""From one library's trees to `Trees`, and from there to a network: what every reader shares."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import torch

from neon.converters.core import Answers, Conversion, answers, signed
from neon.nn import TwoClass
from neon.nn.trees import TreeEnsemble, Trees
from neon.nn.trees.linear_leaves import linear_leaves

__all__ = ["RawScores", "Tree", "convert_scores", "convert_stages", "convert_trees", "join"]


@dataclass(frozen=True, eq=False)
class Tree:
    """One tree as its library numbers the nodes; fields as in `Trees`, node 0 is the root."""

    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    cover: np.ndarray
    value: np.ndarray
    categories: Mapping[int, np.ndarray] = dataclasses.field(default_factory=dict)
    path_value: np.ndarray | None = None

    @staticmethod
    def leaf(value: np.ndarray) -> Tree:
        """A tree without a split."""
        none, nan = np.array([-1]), np.array([np.nan])
        return Tree(none, none, none, nan, np.array([False]), np.ones(1), np.reshape(value, (1, -1)))

    def tidy(self) -> Tree:
        """Without nodes that cannot be reached, every parent before its children."""
        inner = np.flatnonzero(self.left >= 0)
        if len(self.left) == 2 * len(inner) + 1 and (np.minimum(self.left, self.right)[inner] > inner).all():
            return self
        levels = [np.array([0])]
        while len(levels[-1]):
            parents = levels[-1][self.left[levels[-1]] >= 0]
            levels.append(np.stack([self.left[parents], self.right[parents]], axis=1).reshape(-1))
        order = np.concatenate(levels)
        number = np.full(len(self.left) + 1, -1)  # the last entry answers for -1
        number[order] = np.arange(len(order))
        return Tree(
            number[self.left[order]],
            number[self.right[order]],
            self.feature[order],
            self.threshold[order],
            self.missing_left[order],
            self.cover[order],
            self.value[order],
            {int(number[node]): kept for node, kept in self.categories.items() if number[node] >= 0},
            None if self.path_value is None else self.path_value[order],
        )


def join(
    trees: Sequence[Tree],
    *,
    n_features: int,
    base: np.ndarray,
    output: np.ndarray | None = None,
    strict: bool = False,
    precision: Literal["float32", "float64"] = "float64",
) -> Trees:
    """One `Trees` of many; an ensemble without trees gets one leaf of value 0."""
    base = np.asarray(base, dtype=np.float64).reshape(-1)
    if not trees:
        trees, output = [Tree.leaf(np.zeros(len(base)))], None
    trees = [tree.tidy() for tree in trees]
    sizes = [len(tree.left) for tree in trees]
    roots = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    shift = np.repeat(roots, sizes)

    def stack(field: str) -> np.ndarray:
        return np.concatenate([getattr(tree, field) for tree in trees])

    left, right = stack("left"), stack("right")
    inner = left >= 0
    path_value = None if trees[0].path_value is None else stack("path_value")
    return Trees.make(
        n_features=n_features,
        roots=roots,
        left=np.where(inner, left + shift, -1),
        right=np.where(inner, right + shift, -1),
        feature=np.where(inner, stack("feature"), -1),
        threshold=np.where(inner, stack("threshold"), np.nan),
        missing_left=inner & stack("missing_left").astype(bool),
        cover=stack("cover").astype(np.float64),
        value=stack("value").astype(np.float64),
        base=base,
        output=output,
        strict=strict,
        precision=precision,
        categories={
            int(root) + node: kept
            for root, tree in zip(roots, trees, strict=True)
            for node, kept in tree.categories.items()
        },
        path_value=path_value,
    )


class RawScores(NamedTuple):
    """What a library's raw scores are.

    Attributes
    ----------
    explains : str
        In words.
    answers : mapping
        What they tell estimators around the model: see `neon.converters.core.answers`.
    names : sequence
        Of the outputs.
    classes : ndarray, optional
        Labels for targets.
    """

    explains: str
    answers: Answers
    names: Sequence[Any] | np.ndarray
    classes: np.ndarray | None = None


def convert_trees(
    trees: Trees,
    scores: RawScores,
    own: Callable[[np.ndarray], np.ndarray],
    *,
    scores_only: bool = False,
    n_read: int = 0,
    **options: Any,
) -> Conversion:
    """The network of trees.

    scores_only : whether the model gives no labels; of tied scores it then means the first, as interfaces over it do.
    n_read : how many features linear functions in the leaves read, see `neon.nn.trees.linear_leaves`.
    """
    found = convert_scores(
        torch.nn.Sequential(*(linear_leaves(trees, n_read) if n_read else (TreeEnsemble(trees),))),
        scores,
        own,
        trees.n_outputs // (1 + n_read),
        composite="shapley",
        family="trees from rows" if n_read else "trees",
        thresholds=True,
        rounding=_rounding(trees),
        **options,
    )
    labels = scores.classes
    if scores_only and labels is not None:
        return dataclasses.replace(found, labels=lambda X: labels[found.own(X).argmax(1)])
    return found


def convert_scores(
    layer: torch.nn.Module, scores: RawScores, own: Callable[[np.ndarray], np.ndarray], n_scores: int, **options: Any
) -> Conversion:
    """A layer that gives a library's scores; a single one with two names is the second's, and minus it the first's."""
    paired = n_scores == 1 and len(scores.names) == 2

    def columns(X: np.ndarray) -> np.ndarray:
        found = np.asarray(own(X), dtype=np.float64).reshape(-1, n_scores)
        return signed(found[:, 0]) if paired else found

    return Conversion(
        layer if isinstance(layer, torch.nn.Sequential) else torch.nn.Sequential(layer),
        scores.explains,
        tuple(map(str, scores.names)),
        columns,
        pair=TwoClass() if paired else None,
        answers=scores.answers,
        takes_reference=True,
        classes=scores.classes,
        **options,
    )


def convert_stages(model: Any, trees: Trees, explains: str, given: Answers, **options: Any) -> Conversion:
    """scikit-learn's boosted classifiers: the score of two classes, in words; of more, those before the softmax."""
    predicts = "ask_on_tie"  # at 0, the second class wins
    if trees.n_outputs > 1:
        explains, given, predicts = "raw score of a class, before the softmax", answers.logits(), "largest"
    scores = RawScores(explains, given, model.classes_, model.classes_)
    return convert_trees(trees, scores, model.decision_function, predicts=predicts, **options)


def _rounding(trees: Trees) -> float:
    """How far two sums of the same leaves may be apart that are added up in other orders: ``n ε Σ_t max |leaf|``."""
    largest = np.maximum.reduceat(np.abs(trees.value).max(1), trees.roots).sum() + np.abs(trees.base).max()
    return float((trees.n_trees + 2) * (2**-23 if trees.strict else 2**-52) * largest)  # XGBoost adds up in float32
