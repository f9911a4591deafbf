"""Infidelity: how badly relevance foretells what a perturbation does to the prediction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from neon.evaluate.explained import Explained
from neon.evaluate.refills import Refill, refill_of
from neon.evaluate.relevance import values_of
from neon.evaluate.scores import Key, Scores

__all__ = ["infidelity"]

Perturb = Callable[[np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]


def infidelity(
    model: Any,
    X: Any,
    relevance: Any,
    *,
    background: Any = None,
    refill: str | Refill = "rows",
    target: Any = None,
    n_samples: int = 50,
    perturb: Perturb | None = None,
    normalize: bool = False,
    method: str = "",
    seed: int = 0,
) -> Scores:
    """``E_I [(Iᵀ R - (f(x) - f(x_I)))²]`` (Yeh et al. 2019, On the (In)fidelity and Sensitivity of Explanations).

    As captum computes it; in squared units of the prediction. By default I marks a random set of features, of a size
    drawn uniformly from 1 to their number, and ``x_I`` is x with them taken away: R is then asked for what it claims,
    that the relevance of these features is what the prediction loses without them.

    Parameters
    ----------
    model, X, relevance, background, target, method, seed : see `flipping`
    refill : "rows", "mean", "conditional" or Refill
        One completion is drawn for each set of features.
    n_samples : int
        Perturbations of each row.
    perturb : callable (X repeated, generator) -> (I, x_I), optional
        Other perturbations, as captum takes them: each row is repeated ``n_samples`` times, copies beside each other.
        For the gradient, which is in units of prediction per feature, ``I = x - x_I``.
    normalize : bool
        Scale the relevance of each row by ``β = E[IᵀR (f(x) - f(x_I))] / E[(IᵀR)²]``, the best factor.
    """
    f = Explained.of(model)
    rows, absent = f.rows(X, background)
    index = f.index(rows, target)
    rng = np.random.default_rng(seed)
    copies = np.repeat(rows, n_samples, axis=0)
    if perturb is None:
        marks, moved = _without_some(copies, refill_of(refill, absent, seed), rng)
    else:
        marks, moved = perturb(copies, rng)
    values = np.repeat(values_of(relevance, rows), n_samples, axis=0)
    foretold = (marks * values).reshape(len(rows), n_samples, -1).sum(2)
    before = f(rows, index)
    drop = before[:, None] - f(moved, np.repeat(index, n_samples)).reshape(len(rows), n_samples)
    if normalize:
        square = (foretold**2).sum(1)
        beta = np.divide((foretold * drop).sum(1), square, out=np.ones(len(rows)), where=square > 0)
        foretold = foretold * beta[:, None]
    return Scores({Key(method, "infidelity"): ((foretold - drop) ** 2).mean(1)})


def _without_some(X: np.ndarray, refill: Refill, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Marks of random sets of features, and rows without them."""
    n_rows, n_features = len(X), X[0].size
    sizes = rng.integers(1, n_features + 1, size=(n_rows, 1))
    places = rng.random((n_rows, n_features)).argsort(1)
    marks = (places < sizes).reshape(X.shape)
    completions = refill(X, ~marks)
    drawn = rng.integers(completions.shape[1], size=n_rows)
    return marks.astype(np.float64), completions[np.arange(n_rows), drawn]
