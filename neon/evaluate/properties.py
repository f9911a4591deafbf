"""Properties of a good explanation (Montavon 2019): conservation, positivity, continuity; `flipping` is the fourth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from neon.evaluate.explained import Explained, as_rows
from neon.evaluate.refills import deviations_of
from neon.evaluate.relevance import Method, values_of
from neon.evaluate.scores import Key, Scores
from neon.explanation import Explanation

__all__ = ["conservation", "continuity", "max_sensitivity", "positivity"]


def conservation(
    model: Any, X: Any, relevance: Any, *, base: Any = None, target: Any = None, method: str = ""
) -> Scores:
    """Whether nothing is lost or made up (Bach et al. 2015; "completeness", Sundararajan et al. 2017).

    ``conservation = |f(x) - base - Σ_i R_i - Σ residuals|``, in units of the prediction, f asked of the model itself;
    ``residual_share = Σ |residuals| / (Σ_i |R_i| + Σ |residuals|)``, what no feature owns; only explanations
    state it.

    Parameters
    ----------
    model, X, relevance, target, method : see `flipping`
    base : float or array-like (n_rows,), optional
        The value that relevance starts from. Default: the explanation's own. A bare array states none: then it is, for
        the rows of each output, the mean of ``f(x) - Σ_i R_i``, the constant that suits the method best; a row that is
        alone with its output gets NaN.
    """
    f = Explained.of(model)
    rows, _ = f.rows(X)
    values = values_of(relevance, rows).reshape(len(rows), -1)
    index = f.index(rows, target)
    gap = f(rows, index) - values.sum(1)
    found = {}
    if isinstance(relevance, Explanation):
        residuals = np.stack([np.zeros(len(rows)), *relevance.residuals.values()], 1)
        taken = np.abs(residuals).sum(1)
        total = taken + np.abs(values).sum(1)
        found[Key(method, "residual_share")] = taken / np.where(total > 0, total, 1.0)
        gap = gap - residuals.sum(1)
        base = relevance.base_values if base is None else base
    if base is None:
        base = np.full(len(rows), np.nan)
        for output in np.unique(index):
            same = index == output
            base[same] = gap[same].mean() if np.count_nonzero(same) > 1 else np.nan
    return Scores({Key(method, "conservation"): np.abs(gap - np.asarray(base)), **found})


def positivity(X: Any, relevance: Any, *, method: str = "") -> Scores:
    """The share of relevance that speaks for the output: ``Σ_i max(R_i, 0) / Σ_i |R_i|``, between 0 and 1.

    1 where nothing is negative, the property as Montavon et al. (2017, Deep Taylor Decomposition) state it of functions
    that are never negative. Of signed functions, such as log-odds, evidence against is no fault.
    """
    rows = as_rows(X)
    values = values_of(relevance, rows).reshape(len(rows), -1)
    total = np.abs(values).sum(1)
    share = np.divide(np.maximum(values, 0).sum(1), total, out=np.ones(len(rows)), where=total > 0)
    return Scores({Key(method, "positivity"): share})


def continuity(
    model: Any,
    X: Any,
    explain: Method,
    *,
    background: Any = None,
    target: Any = None,
    radius: float = 0.1,
    n_samples: int = 10,
    method: str = "",
    seed: int = 0,
) -> Scores:
    """How much faster than the row its explanation changes: a local Lipschitz constant (Alvarez-Melis, Jaakkola 2018).

    ``continuity = max_δ ‖R(x+δ) - R(x)‖ / ‖δ‖`` over the ball ``‖δ‖ ≤ radius``, norms Euclidean, δ in standard
    deviations of each feature over the background; in units of the prediction per standard deviation.
    ``continuity_per_change`` is that over the same of the function, ``max_δ |f(x+δ) - f(x)| / ‖δ‖``: a function that is
    steep itself may have steep explanations. NaN where the function does not change at all.

    The maximum is over ``n_samples`` points drawn uniformly from the ball, hence a lower bound. The output of each row
    is held fixed. The method is called once, with ``n_rows (n_samples + 1)`` rows.

    Parameters
    ----------
    explain : callable (model, X, target, background) -> relevance
        One of `neon.evaluate.methods`, or your own.
    radius : float
        Of the ball, in standard deviations.
    model, X, background, target, method, seed : see `flipping`; deviations are the background's, or X's
    """
    f = Explained.of(model)
    rows, given = f.rows(X, background)
    scale = deviations_of(rows if given is None else given)
    n_features = rows[0].size
    rng = np.random.default_rng(seed)
    delta = rng.normal(size=(len(rows), n_samples, n_features))
    lengths = radius * rng.random((len(rows), n_samples)) ** (1 / n_features)
    delta *= (lengths / np.linalg.norm(delta, axis=2))[..., None]
    moved = rows[:, None] + scale * delta.reshape(len(rows), n_samples, *rows.shape[1:])
    _, changes, drops = _changes(f, rows, moved, explain, given, target)
    steepness = (np.linalg.norm(changes, axis=2) / lengths).max(1)
    slope = (np.abs(drops) / lengths).max(1)
    per_change = np.divide(steepness, slope, out=np.full(len(rows), np.nan), where=slope > 0)
    return Scores({Key(method, "continuity"): steepness, Key(method, "continuity_per_change"): per_change})


def max_sensitivity(
    model: Any,
    X: Any,
    explain: Method,
    *,
    background: Any = None,
    target: Any = None,
    radius: float = 0.02,
    n_samples: int = 10,
    perturb: Callable[[np.ndarray, np.random.Generator], np.ndarray] | None = None,
    method: str = "",
    seed: int = 0,
) -> Scores:
    """``max_δ ‖R(x+δ) - R(x)‖ / ‖R(x)‖``, δ uniform with ``|δ_i| ≤ radius`` (Yeh et al. 2019).

    As captum computes it: δ in units of the features themselves, and a norm of 0 counts as 1.

    Parameters
    ----------
    perturb : callable (X repeated, generator) -> rows, optional
        Moves rows otherwise; each row is repeated ``n_samples`` times, copies beside each other.
    model, X, explain, background, target, method, seed : see `continuity`
    """
    f = Explained.of(model)
    rows, given = f.rows(X, background)
    rng = np.random.default_rng(seed)
    copies = np.repeat(rows, n_samples, axis=0)
    moved = copies + rng.uniform(-radius, radius, copies.shape) if perturb is None else perturb(copies, rng)
    moved = moved.reshape(len(rows), n_samples, *rows.shape[1:])
    before, changes, _ = _changes(f, rows, moved, explain, given, target)
    norms = np.linalg.norm(before, axis=1)
    found = np.linalg.norm(changes, axis=2).max(1) / np.where(norms == 0, 1.0, norms)
    return Scores({Key(method, "max_sensitivity"): found})


def _changes(
    f: Explained, X: np.ndarray, moved: np.ndarray, explain: Method, background: np.ndarray | None, target: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Relevance of the rows, its changes where they are moved, and those of the function.

    moved : (n_rows, n_samples, ...)

    Returns
    -------
    before : ndarray (n_rows, n_features)
    changes : ndarray (n_rows, n_samples, n_features)
    drops : ndarray (n_rows, n_samples)
    """
    every = np.concatenate([X[:, None], moved], 1)
    n_rows, n_each = every.shape[:2]
    flat = every.reshape(-1, *X.shape[1:])
    labels = np.repeat(f.labels(X, target), n_each)
    found = values_of(explain(f, flat, labels, background), flat).reshape(n_rows, n_each, -1)
    values = f(flat, f.index(flat, labels)).reshape(n_rows, n_each)
    return found[:, 0], found[:, 1:] - found[:, :1], values[:, 1:] - values[:, :1]
