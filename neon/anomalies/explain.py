"""``explain_anomalies``: from a fitted anomaly model to the most unusual rows and their reasons."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import is_outlier_detector

from neon.anomalies.outlierness import by_other_points, outlierness
from neon.anomalies.result import AnomalyExplanation
from neon.clusters.columns import RawColumns
from neon.clusters.encoding import readable
from neon.converters.core.containers import as_rows, take
from neon.errors import UnknownOutputError
from neon.explainer import Explainer

__all__ = ["explain_anomalies"]


def explain_anomalies(
    model: Any,
    X: Any,
    *,
    n: int = 10,
    own_points: bool = False,
    among: Any = None,
    **options: Any,
) -> AnomalyExplanation:
    """Explain the most unusual rows: what makes each one so, its own values beside what is usual.

    What is explained is the model's own outlierness, larger for rows that are more unusual, in the caller's columns,
    whatever scales or encodes them on the way.

    One-class SVMs and kernel densities that were fitted on the rows themselves find each of these near to a point of
    the fit: itself. Narrow kernels call no such row unusual. Rows are ranked by the outlierness that the other points
    give them, and explained by it: features are told by the others, and what a row's own point takes off its
    outlierness is the residual ``own_point`` (of the path rules, which are their default). Of local outlier factors
    that were fitted on the rows themselves, take ``novelty=False``: otherwise a row counts among its own neighbours.

    Parameters
    ----------
    model : estimator or Pipeline
        Fitted, with an outlierness: OneClassSVM, SGDOneClassSVM, KernelDensity, GaussianMixture, EllipticEnvelope,
        IsolationForest, LocalOutlierFactor, DBSCAN, FactorAnalysis, ..., or any model and its
        ``output="reconstruction_error"``.
    X : array-like (n_rows, n_features) or DataFrame
        The rows among which the most unusual ones are looked for, as the model takes them; those of the fit, or others.
    n : int
        How many to explain; all, where there are fewer.
    own_points : bool
        Whether rows are ranked by the model's own value, in which their own points count.
    among : array-like or DataFrame, optional
        Rows that say what is usual, with the columns of X: those of the fit, where X are a few new ones. Default: X.
    **options
        For `neon.Explainer`: ``composite=``, ``reference=``, ``feature_units=``, ...

    Returns
    -------
    AnomalyExplanation
        ``.explanation`` is the `neon.Explanation` of the rows that were found, the most unusual first.

    Raises
    ------
    ValueError
        If the model has no outlierness, n is no whole number above 0, or rows do not fit.

    Examples
    --------
    >>> found = neon.explain_anomalies(model, X)
    >>> print(found)            # a sentence for each row
    >>> found.to_frame()        # the ranking, with the reasons
    >>> found.plot.strip()      # values of the most unusual rows on each feature's distribution
    >>> found.plot.strip(0)     # of the first of them alone, in words
    """
    if not isinstance(n, int | np.integer) or isinstance(n, bool) or n < 1:
        raise ValueError(f"n must be a whole number of rows, at least 1; got {n!r}")
    X = X if hasattr(X, "shape") else as_rows(X)
    explainer = _explainer(model, options)
    if not X.shape[0]:
        raise ValueError("X has no rows")
    scores = outlierness(explainer.network, X)
    others = explainer.network if own_points else by_other_points(explainer.network)
    by_others = scores if others is explainer.network else outlierness(others, X)
    order = np.argsort(-np.where(np.isnan(by_others), -np.inf, by_others), kind="stable")[: int(n)]
    found = explainer(take(X, order))
    if found.index is None or not hasattr(X, "iloc"):
        found = replace(found, index=order)
    usual = X if among is None else among if hasattr(among, "shape") else as_rows(among)
    if usual.shape[1:] != X.shape[1:] or X.shape[1] != len(found.feature_names):
        raise ValueError(
            f"what is usual is told column by column: expected among= with the {len(found.feature_names)} columns of "
            f"the model, got rows of shape {tuple(usual.shape)} beside X of shape {tuple(X.shape)}"
        )
    flagged = scores[order] > 0 if is_outlier_detector(model) else None
    return AnomalyExplanation(found, order, scores, by_others, flagged, RawColumns(readable(usual), found))


def _explainer(model: Any, options: dict[str, Any]) -> Explainer:
    """Of the model's outlierness, or of the one output that the caller names."""
    try:
        explainer = Explainer(model, **{"output": "outlierness", **options})
    except UnknownOutputError as error:
        raise ValueError(
            f"{type(model).__name__} has no outlierness ({error}); name the output that is larger for more unusual "
            'rows, such as output="reconstruction_error"'
        ) from error
    names = getattr(explainer.network, "output_names", ())
    if len(names) != 1:
        raise ValueError(
            f"expected one number for each row, larger for more unusual ones; the model gives {len(names)}"
        )
    return explainer
