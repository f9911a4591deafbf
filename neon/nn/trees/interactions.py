"""Interactions of two features: the second order of the same quadrature."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from neon.lrp.rules.tree import Interventional, Shapley
from neon.nn.trees import engine
from neon.nn.trees.forest import Forest
from neon.nn.trees.operation import TreeEnsemble

__all__ = ["interactions"]


def interactions(
    x: Tensor | ArrayLike,
    ensemble: TreeEnsemble | Forest,
    rule: Shapley | Interventional | None = None,
    *,
    reference: Tensor | ArrayLike | None = None,
    output: int | None = None,
) -> Tensor:
    """Shapley interaction values: ``φ_ij``, half the interaction of i and j, with main effects on the diagonal.

    ``φ_ij = ½ Σ_leaves v (o_i - z_i)(o_j - z_j) ∫₀¹ Π_{k≠i,j} (z_k + (o_k - z_k) t) dt`` and
    ``φ_ii = φ_i - Σ_{j≠i} φ_ij``, so that rows add up to the rule's relevance. As Lundberg et al. (2020) define them.

    Parameters
    ----------
    x : (n_samples, n_features)
    rule : Shapley (default) or Interventional
    reference : (n_reference, n_features)
        For the interventional rule.
    output : int, optional
        None: all, on a last axis where there are several.

    Returns
    -------
    Tensor
        (n_samples, n_features, n_features[, n_outputs])
    """
    forest = ensemble.forest if isinstance(ensemble, TreeEnsemble) else ensemble
    rule = Shapley() if rule is None else rule
    if not isinstance(rule, (Shapley, Interventional)):
        raise ValueError(f"interactions follow from Shapley() and Interventional(), not from {rule}")
    rows = x if isinstance(x, Tensor) else torch.as_tensor(np.asarray(x, dtype=np.float64))
    trees = forest.trees
    if rows.ndim != 2 or rows.shape[1] != trees.n_features:
        raise ValueError(f"x must have shape (n_samples, {trees.n_features}), got {tuple(rows.shape)}")
    others = None
    if isinstance(rule, Interventional):
        if reference is None:
            raise ValueError("the interventional rule needs reference rows; give reference=")
        others = engine.encode(forest, torch.as_tensor(reference).to(rows))
    elif reference is not None:
        raise ValueError("Shapley() is relative to the covers; give reference= to Interventional()")
    codes, used = engine.encode(forest, rows), torch.as_tensor(forest.paths.codes.used, device=rows.device)
    columns = range(trees.n_outputs) if output is None else [output]
    found = []
    for k in columns:
        slope = rows.new_zeros(len(rows), trees.n_outputs)
        slope[:, k] = 1
        full = rows.new_zeros(len(rows), trees.n_features, trees.n_features)
        if len(used) and len(rows):
            main = engine.relevance(forest, rule, codes, slope, others).t()
            pairs = engine.pairs(forest, codes, slope, others)
            pairs.diagonal(dim1=1, dim2=2).copy_(main - pairs.sum(2))
            full[:, used[:, None], used] = pairs
        found.append(full)
    return found[0] if len(found) == 1 else torch.stack(found, -1)
