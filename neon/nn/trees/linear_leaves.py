"""Trees whose leaves hold linear functions of features: an ensemble of their coefficients, times the features."""

from __future__ import annotations

import torch
from torch import Tensor

from neon.nn.layer import Layer
from neon.nn.linear.side_by_side import SideBySide
from neon.nn.trees.ensemble import Trees
from neon.nn.trees.operation import TreeEnsemble

__all__ = ["LeafFunctions", "linear_leaves"]


class LeafFunctions(Layer):
    """``f_k = C_k + Σ_j W_kj x_j`` of ``[C_1, W_11, W_12, ..., C_2, ...]`` and x.

    Relevance of a product ``W_kj x_j`` is shared by its factors. Along the way from a reference row r (composites
    "shapley" and "expected"), x_j has ``(x_j - r_j) (W_kj(x) + W_kj(r)) / 2``, and W_kj, which hands it on to the
    features that chose the leaves, ``(W_kj(x) - W_kj(r)) (x_j + r_j) / 2``: values of Aumann and Shapley, that add up
    to ``f(x) - f(r)``. Shapley values of the features would count together what one feature does by choosing a leaf
    and by being read there.

    Parameters
    ----------
    n_read : int
        How many features x there are.
    """

    no_relu = "leaves hold linear functions, and a step times a feature is not piecewise linear"

    def __init__(self, n_read: int) -> None:
        super().__init__()
        self.n_read = n_read

    def extra_repr(self) -> str:
        return f"{self.n_read} features"

    def forward(self, z: Tensor) -> Tensor:
        held, read = z[:, : -self.n_read].unflatten(1, (-1, 1 + self.n_read)), z[:, -self.n_read :]
        return held[:, :, 0] + (held[:, :, 1:] * read[:, None]).sum(2)


def linear_leaves(trees: Trees, n_read: int) -> list[torch.nn.Module]:
    """The layers of ``[x, x_read]`` to f: what the leaves hold beside the features that they read, and their products.

    Parameters
    ----------
    trees : Trees
        Their outputs, for each output of f: the constant, and the coefficients of the features that some leaf reads.
    """
    beside = SideBySide([TreeEnsemble(trees), torch.nn.Sequential()], [trees.n_features, n_read])
    return [beside, LeafFunctions(n_read)]
