"""Model randomization: an explanation that stays the same when the model is replaced by noise is not of the model."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from sklearn.base import clone

from neon.evaluate.explained import Explained, as_rows
from neon.evaluate.ranks import rank_correlation
from neon.evaluate.relevance import Method, values_of
from neon.evaluate.scores import Key, Scores

__all__ = ["randomization", "randomized"]


def randomization(
    model: Any,
    random_model: Any,
    X: Any,
    explain: Method,
    *,
    background: Any = None,
    target: Any = None,
    method: str = "",
) -> Scores:
    """``|ρ|`` of a row's relevance from the model and from a random one (Adebayo et al. 2018, Sanity Checks).

    ρ is Spearman's rank correlation over the features, of the same output: near 0 for an explanation that depends on
    what was learned.

    Parameters
    ----------
    random_model : model
        `randomized` makes one.
    model, X, explain, background, target, method : see `continuity`
    """
    f, noise = Explained.of(model), Explained.of(random_model)
    rows, background = f.rows(X, background)
    labels = f.labels(rows, target)
    found, other = (
        values_of(explain(one, rows, labels, background), rows).reshape(len(rows), -1) for one in (f, noise)
    )
    return Scores({Key(method, "randomization"): np.abs(rank_correlation(found, other))})


def randomized(model: Any, X: Any = None, y: Any = None, seed: int = 0) -> Any:
    """A model of the same kind that has learned nothing; the given one is not touched.

    A torch module: a copy whose parameters are permuted, each among its own entries. An estimator: a clone, fitted on
    the rows with their targets permuted; without targets, on rows whose columns are permuted, each by itself.
    """
    rng = np.random.default_rng(seed)
    if isinstance(model, torch.nn.Module):
        noise = copy.deepcopy(model)
        with torch.no_grad():
            for parameter in noise.parameters():
                order = torch.from_numpy(rng.permutation(parameter.numel())).to(parameter.device)
                parameter.copy_(parameter.flatten()[order].view_as(parameter))
        return noise
    if X is None:
        raise ValueError("an estimator is fitted anew to noise: give the rows, and targets, that it was fitted on")
    if y is not None:
        return clone(model).fit(X, np.asarray(y)[rng.permutation(len(y))])
    rows = as_rows(X)
    return clone(model).fit(rng.permuted(rows, axis=0))
