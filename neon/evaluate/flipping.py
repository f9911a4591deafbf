"""Selectivity: how fast the prediction falls when what is relevant is taken away first, and how slowly when last.

Features (or superpixels) are taken away one after the other, most relevant first (MIF) or least relevant first (LIF),
and a refill takes their place. Relevance has a sign: most relevant is what speaks most for the explained output.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.integrate import trapezoid

from neon.evaluate.explained import Explained
from neon.evaluate.refills import Refill, refill_of
from neon.evaluate.relevance import values_of
from neon.evaluate.scores import Curve, Key, Scores

__all__ = ["flipping"]

_STEPS = 32  # at most, by default


def flipping(
    model: Any,
    X: Any,
    relevance: Any,
    *,
    background: Any = None,
    refill: str | Refill = "rows",
    target: Any = None,
    groups: np.ndarray | None = None,
    n_steps: int | None = None,
    method: str = "",
    seed: int = 0,
) -> Scores:
    """Flipping curves and their areas: "selectivity".

    f(s) is the explained function, averaged over the refill's draws, where a share s of the features is taken away:
    ``f_MIF`` the most relevant ones, ``f_LIF`` the least relevant ones. Areas are by the trapezoid rule over s.

    - ``deletion = ∫₀¹ f_MIF(s) ds`` and ``insertion = ∫₀¹ f_LIF(s) ds`` (Petsiuk et al. 2018, RISE: to put features
      in, most relevant first, is to take them away, least relevant first, read backwards);
    - ``srg = insertion - deletion``, the symmetric relevance gain ``A_LIF - A_MIF`` (Blücher et al. 2024, Decoupling
      Pixel Flipping and Occlusion Strategy): its expectation is 0 for a random ranking, under every refill;
    - ``aopc = 1/(L+1) Σ_{k=0}^{L} (f(x) - f_MIF(k/L))`` (Samek et al. 2017);
    - ``aufc = deletion / mean |f(x)|``, the mean over all rows (normalised as by Bley et al. 2025).

    Parameters
    ----------
    model : fitted estimator, Network, torch.nn.Module, callable or Explained
    X : array-like (n_rows, ...)
    relevance : ndarray shaped like X, or Explanation
    background : array-like, optional
        Rows that a refill by name takes values from.
    refill : "rows", "mean", "conditional" or Refill
        See `neon.evaluate.refills`.
    target : optional
        The output of each row, as `neon.Explainer` takes it; it is held fixed along the curves.
    groups : int ndarray, broadcasting to one sample's shape, optional
        Features that are taken away together (`refills.patches`, one-hot columns), counted from 0; their relevance is
        added up.
    n_steps : int, optional
        Default: one for each feature or group, at most 32.
    method : str
        The name of the method in the table.
    seed : int
        Of the refill's draws, and of the order among equal relevances.

    Returns
    -------
    Scores
        Metrics srg, aopc, aufc, deletion, insertion, and the curves.
    """
    f = Explained.of(model)
    rows, absent = f.rows(X, background)
    filled = refill_of(refill, absent, seed)
    index = f.index(rows, target)
    labels = np.arange(rows[0].size) if groups is None else np.broadcast_to(groups, rows.shape[1:]).ravel()
    n_groups = int(labels.max()) + 1
    amounts = values_of(relevance, rows).reshape(len(rows), -1) @ np.eye(n_groups)[labels]
    rank = _ranks(amounts, seed)
    steps = min(n_steps or min(n_groups, _STEPS), n_groups)
    counts = np.unique(np.linspace(0, n_groups, steps + 1).round().astype(int))
    most = np.stack([_value(f, rows, (rank >= n)[:, labels], index, filled) for n in counts], 1)
    least = np.stack([_value(f, rows, (rank < n_groups - n)[:, labels], index, filled) for n in counts], 1)
    share = counts / n_groups
    deletion, insertion = trapezoid(most, share, axis=1), trapezoid(least, share, axis=1)
    found = {
        "srg": insertion - deletion,
        "aopc": (most[:, :1] - most).mean(1),
        "aufc": deletion / np.abs(most[:, 0]).mean(),
        "deletion": deletion,
        "insertion": insertion,
    }
    curve = Curve(share, most, least)
    return Scores(
        {Key(method, metric, filled.name): rows for metric, rows in found.items()},
        {Key(method, "flipping", filled.name): curve},
    )


def _ranks(amounts: np.ndarray, seed: int) -> np.ndarray:
    """The place of each group, 0 the most relevant; equal ones in random order. (n_rows, n_groups)."""
    lots = np.random.default_rng(seed).random(amounts.shape)
    order = np.lexsort((lots, -amounts), axis=1)
    return order.argsort(1)


def _value(f: Explained, X: np.ndarray, kept: np.ndarray, index: np.ndarray, refill: Refill) -> np.ndarray:
    """The function's mean over the completions of each row, (n_rows,)."""
    completions = refill(X, kept.reshape(X.shape))
    n_rows, n_draws = completions.shape[:2]
    values = f(completions.reshape(-1, *X.shape[1:]), np.repeat(index, n_draws))
    return values.reshape(n_rows, n_draws).mean(1)
