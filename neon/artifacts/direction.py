"""The direction in which rows with an artifact differ from rows without."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.svm import LinearSVC

__all__ = ["Direction", "direction_of"]


@dataclass(frozen=True, eq=False)
class Direction:
    """A concept activation vector.

    Attributes
    ----------
    vector : ndarray (n_features,)
        Of length 1, from rows without the artifact to rows with it.
    origin : ndarray (n_features,)
        The mean of the rows without it.
    threshold : float
        Rows with ``v x`` above it count as having the artifact: halfway between the means of the given rows.
    found, false_alarms : float
        The shares of the given rows with and without the artifact that are above it.
    """

    vector: np.ndarray
    origin: np.ndarray
    threshold: float
    found: float
    false_alarms: float


def direction_of(artifact: np.ndarray, clean: np.ndarray, how: Any = "mean_difference") -> Direction:
    """The direction from rows without the artifact to rows with it.

    Parameters
    ----------
    artifact, clean : ndarray (n_rows, n_features)
    how : "mean_difference", "svm" or array-like (n_features,)
        As `neon.project_out` takes it.

    Raises
    ------
    ValueError
        If rows do not fit or do not differ, or there is no such way.
    """
    for name, rows in (("artifact_rows", artifact), ("clean_rows", clean)):
        if rows.ndim != 2 or not len(rows) or rows.shape[1] != artifact.shape[1]:
            raise ValueError(f"{name} must be at least one row with the columns of the others, got shape {rows.shape}")
        if not np.isfinite(rows).all():
            raise ValueError(f"{name} contain NaN or infinity, or the model makes such of them: leave such rows out")
    origin = clean.mean(0)
    if isinstance(how, str) and how == "mean_difference":
        vector = artifact.mean(0) - origin
    elif isinstance(how, str) and how == "svm":
        spread = np.concatenate([artifact - artifact.mean(0), clean - origin]).std(0)
        spread = np.where(spread > 0, spread, 1.0)
        labels = np.repeat([1, 0], [len(artifact), len(clean)])
        rows = (np.concatenate([artifact, clean]) - origin) / spread
        vector = LinearSVC(class_weight="balanced", dual="auto", random_state=0).fit(rows, labels).coef_[0] / spread
    elif isinstance(how, str):
        raise ValueError(f'direction must be "mean_difference", "svm" or a vector, got {how!r}')
    else:
        vector = np.asarray(how, dtype=np.float64)
        if vector.shape != origin.shape or not np.isfinite(vector).all():
            raise ValueError(f"direction must be finite numbers of shape {origin.shape}, got shape {vector.shape}")
    length = float(np.linalg.norm(vector))
    if length <= 1e-12 * max(float(np.abs(artifact).max()), float(np.abs(clean).max())):
        raise ValueError(
            "there is no direction to project out: rows with and without the artifact are the same on average here; "
            "choose another layer, or check the rows"
        )
    vector = vector / length
    with_it, without = artifact @ vector, clean @ vector
    if with_it.mean() < without.mean():
        vector, with_it, without = -vector, -with_it, -without
    threshold = float(with_it.mean() + without.mean()) / 2
    return Direction(
        vector, origin, threshold, float((with_it > threshold).mean()), float((without > threshold).mean())
    )
