"""A set of rows as numbers, with the weight of each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from neon.converters.core.containers import column_names, numeric
from neon.explanation.fields import row_labels

__all__ = ["Sample", "scale_of"]


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows of numbers.

    rows : (n_rows, n_features); weights : (n_rows,), which add up to 1; names : of the columns, if they have any;
    index : the caller's labels of the rows, if there are any.
    """

    rows: np.ndarray
    weights: np.ndarray
    names: tuple[str, ...] | None
    index: np.ndarray | None

    @classmethod
    def read(cls, X: Any, weights: Any, called: str) -> Sample:
        """The rows that a caller gives.

        Raises
        ------
        ValueError
            If they are no table of finite numbers, or weights do not fit.
        """
        try:
            rows = numeric(X)
        except ValueError as error:
            why = str(error).partition(". ")[0]
            raise ValueError(
                f"{called} must be a table of numbers ({why}); encode strings and dates first, one-hot for example"
            ) from None
        rows = np.asarray(rows.toarray() if sparse.issparse(rows) else rows)
        if rows.ndim != 2 or 0 in rows.shape:
            raise ValueError(f"{called} must be rows and columns (n_rows, n_features), got shape {rows.shape}")
        if not np.isfinite(rows).all():
            raise ValueError(f"{called} contains NaN or infinity, which is at no distance: impute or drop such rows")
        mass = np.ones(len(rows)) if weights is None else np.asarray(weights, dtype=np.float64)
        if mass.shape != (len(rows),) or not (np.isfinite(mass).all() and (mass >= 0).all() and mass.any()):
            raise ValueError(
                f"weights of {called} must be one number ≥ 0 per row, not all of them 0: ({len(rows)},), got shape "
                f"{mass.shape}"
            )
        names, labels = column_names(X), row_labels(X)
        index = None if labels is None else np.asarray(labels)
        return cls(rows, mass / mass.sum(), None if names is None else tuple(names), index)

    def __len__(self) -> int:
        return len(self.rows)

    def matched(self, other: Sample) -> Sample:
        """The same with the columns of another set, in its order.

        Raises
        ------
        ValueError
            If the columns are others.
        """
        if self.names is not None and other.names is not None and self.names != other.names:
            missing = sorted(set(other.names) ^ set(self.names))
            if missing or len(set(other.names)) < len(other.names):
                raise ValueError(f"A and B must have the same columns, each once; in one of them only: {missing}")
            return replace(self, rows=self.rows[:, [self.names.index(name) for name in other.names]], names=other.names)
        if self.rows.shape[1] != other.rows.shape[1]:
            raise ValueError(
                f"A and B must have the same columns, got {other.rows.shape[1]} in A and {self.rows.shape[1]} in B"
            )
        return self

    def mean(self) -> np.ndarray:
        """The weighted mean of each column, (n_features,)."""
        return np.asarray(self.weights @ self.rows)

    def drawn(self, most: int, rng: np.random.Generator) -> Sample:
        """At most so many of the rows, drawn at random, in their order."""
        if len(self) <= most:
            return self
        chosen = np.sort(rng.choice(len(self), most, replace=False))
        return replace(self.picked(chosen), index=chosen if self.index is None else self.index[chosen])

    def picked(self, rows: np.ndarray) -> Sample:
        """Some rows by position, their weights in proportion."""
        weights = self.weights[rows]
        index = None if self.index is None else self.index[rows]
        return replace(self, rows=self.rows[rows], weights=weights / weights.sum(), index=index)


def reshuffled(a: Sample, b: Sample, rng: np.random.Generator) -> tuple[Sample, Sample]:
    """All rows of both divided anew, at random, into sets of the same sizes; rows keep their weights."""
    counts = np.concatenate([a.weights * len(a), b.weights * len(b)])
    pooled = Sample(np.concatenate([a.rows, b.rows]), counts / counts.sum(), a.names, None)
    order = rng.permutation(len(pooled))
    return pooled.picked(order[: len(a)]), pooled.picked(order[len(a) :])


def scale_of(scale: Any, a: Sample, b: Sample) -> np.ndarray:
    """What each feature is divided by, (n_features,), as `neon.explain_shift` takes it.

    Raises
    ------
    ValueError
        If it is not one positive number a feature.
    """
    n_features = a.rows.shape[1]
    if scale is None:
        return np.ones(n_features)
    if isinstance(scale, str) and scale == "std":
        variances = [sample.weights @ (sample.rows - sample.mean()) ** 2 for sample in (a, b)]
        within = np.sqrt((variances[0] + variances[1]) / 2)
        apart = np.sqrt((variances[0] + variances[1]) / 2 + (a.mean() - b.mean()) ** 2 / 4)
        sizes = np.maximum(np.abs(a.rows).max(0), np.abs(b.rows).max(0))
        varies = within > 1e-12 * sizes  # less is rounding
        return np.where(varies, within, np.where(apart > 1e-12 * sizes, apart, 1.0))
    given = np.asarray(scale, dtype=np.float64) if not isinstance(scale, str) else np.zeros(0)
    if given.shape != (n_features,) or not (np.isfinite(given).all() and (given > 0).all()):
        raise ValueError(
            f'scale must be "std", None, or one positive number for each of {n_features} features, got {scale!r}'
        )
    return given
