"""Clusters from anywhere: explain labels by the rows that have them."""

from __future__ import annotations

from typing import Any

import numpy as np

from neon.converters.cluster.labels import Clusters
from neon.converters.core.intake import column_names, numeric
from neon.explainer import Explainer
from neon.explanation import Explanation

__all__ = ["explain_clusters"]


def explain_clusters(
    labels: Any, X: Any, X_new: Any = None, target: Any = None, *, gamma: float | None = None, **options: Any
) -> Explanation:
    """Explain what makes rows belong to their clusters, whatever made the clusters.

    The evidence for a cluster is how much closer its rows are than those of the nearest other one, in soft squared
    distance ``-(1/γ) log mean_j exp(-γ ‖x - u_j‖²)``. ``explanation.explains`` states the share of labels that it
    reproduces.

    Parameters
    ----------
    labels : array-like (n_rows,)
        Numbers or strings; negative numbers are noise, and stand for no cluster. A pandas Series stands beside a
        DataFrame X by its index, whatever its order.
    X : array-like (n_rows, n_features) or DataFrame
        The rows that have these labels, scaled as for the clustering: in other units distances are others.
    X_new : array-like (n_samples, n_features), optional
        Rows to explain. Default: X.
    target : optional
        As for `Explainer`. Default: each row's own label; for noise and for new rows the cluster with most evidence.
    gamma : float, optional
        Large: the nearest rows of each cluster count; small: their mean. Default: of ``2^k / mean ‖u_i - u_j‖²``,
        k = 0...12, the one that gives most rows their own label while they are left out themselves.
    **options
        For `Explainer`.
    """
    names = column_names(X)
    rows = numeric(X)
    labels = _checked(labels, X, rows.shape[0])
    clusters = Clusters(labels, rows.shape[1], gamma, None if names is None else np.array(names, dtype=object))
    explainer = Explainer(clusters, data=X, **options)
    if X_new is None and target is None:
        classes = np.asarray(explainer.network.classes)
        noise = ~np.isin(labels, classes)
        target = labels
        if noise.any():
            target = labels.copy()
            found = explainer(rows[noise]).target
            target[noise] = classes[found]
    return explainer(X if X_new is None else X_new, target)


def _checked(labels: Any, X: Any, n_rows: int) -> np.ndarray:
    """Labels in the order of the rows, of one kind, and none of them missing."""
    if hasattr(labels, "reindex") and hasattr(X, "iloc") and not labels.index.equals(X.index):
        by_place = not (labels.index.is_unique and X.index.is_unique and set(labels.index) == set(X.index))
        if by_place:
            raise ValueError(
                "labels and X have different indices, by which a Series is matched to a DataFrame; pass "
                "labels.to_numpy() where both are in the same order"
            )
        labels = labels.loc[X.index]
    found = np.asarray(labels)
    if found.shape != (n_rows,):
        raise ValueError(f"labels must be one per row ({n_rows}), got shape {found.shape}")
    if found.dtype.kind == "f" and not np.isfinite(found).all():
        raise ValueError("labels contain NaN or infinity; mark noise by -1")
    if found.dtype.kind != "O":
        return found
    import pandas as pd

    missing = pd.isna(found)
    if missing.any():
        raise ValueError(
            f"{np.count_nonzero(missing)} labels are missing; mark noise by -1 among numbers, or leave such rows out "
            "of labels and X and give them as X_new"
        )
    kinds = {type(label).__name__ for label in found}
    if len({kind == "str" for kind in kinds}) > 1:
        raise ValueError(
            f"labels are of several kinds ({', '.join(sorted(kinds))}); make them all numbers or all strings"
        )
    return np.array(found.tolist())
