"""How the rows of a fit were spread, as far as the fitted model tells: what absent features are drawn from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from neon.converters.core.arrays import dense

__all__ = ["Spread", "counted", "gaussians", "of_members", "some_rows"]

_NUMBERS = 1_000_000  # that are kept of many rows
_ROWS = 1000


@dataclass(frozen=True, eq=False)
class Spread:
    """Rows (n_rows, n_features) as a model's layers take them, their weights (n_rows,), and what they are, in words."""

    rows: np.ndarray
    weights: np.ndarray
    words: str

    def few(self, most: int) -> Spread:
        """Every second, third, ... row of more than ``most``."""
        step = -(-len(self.rows) // most)
        if step == 1:
            return self
        return Spread(self.rows[::step], self.weights[::step], f"{len(self.rows[::step])} rows of {self.words}")


def counted(points: Any, sizes: ArrayLike | None, words: str) -> Spread | None:
    """Points by the number of rows behind each; the same for all where nobody counted, nothing where there is none."""
    rows = dense(points)
    weights = np.ones(len(rows)) if sizes is None else np.asarray(sizes, dtype=np.float64)
    if not weights.sum() > 0:
        return None
    return Spread(rows, weights, words)


def some_rows(points: Any, words: str, sizes: ArrayLike | None = None) -> Spread | None:
    """Rows of the fit that a model holds, without those that have missing values; of many every second, third, ..."""
    n = points.shape[0]
    step = max(1, -(-n // _ROWS), -(-n * points.shape[1] // _NUMBERS))
    rows, weights = dense(points[::step]), None if sizes is None else np.asarray(sizes)[::step]
    whole = np.isfinite(rows).all(1)
    if step > 1:
        words = f"one in {step} of {words}"
    return counted(rows[whole], None if weights is None else weights[whole], words)


def gaussians(means: ArrayLike, covariances: ArrayLike, shares: ArrayLike, words: str) -> Spread | None:
    """Sigma points: 2 d rows for each Gaussian, which have its mean and its covariance (Julier and Uhlmann 1997).

    Parameters
    ----------
    means : (n, d)
    covariances : (n, d, d), or variances (n, d)
    shares : (n,)
        How much each Gaussian counts.
    """
    centers, spreads = np.asarray(means, dtype=np.float64), np.asarray(covariances, dtype=np.float64)
    n, d = centers.shape
    if 2 * n * d * d > _NUMBERS:
        return counted(centers, shares, f"means of {words}")
    if spreads.ndim == 2:
        roots = np.stack([np.diag(row) for row in np.sqrt(spreads)])
    else:
        scales = np.sqrt(np.diagonal(spreads, axis1=1, axis2=2))[:, :, None]  # whatever the units of the columns
        scales = np.where(scales > 0, scales, 1.0)
        values, vectors = np.linalg.eigh(spreads / (scales * np.swapaxes(scales, 1, 2)))
        roots = scales * vectors * np.sqrt(np.clip(values, 0, None))[:, None]
    steps = np.sqrt(d) * np.swapaxes(roots, 1, 2)  # (n, d, d): a row for each direction
    rows = np.concatenate([centers[:, None] + steps, centers[:, None] - steps], axis=1)
    each = np.repeat(np.asarray(shares, dtype=np.float64), 2 * d) / (2 * d)
    return counted(rows.reshape(n * 2 * d, d), each, f"{words} (points of their means and covariances)")


def of_members(spreads: Iterable[Spread | None]) -> Spread | None:
    """Of estimators that were fitted on the same rows: what each holds of them counts the same.

    Those that hold nothing take what the others hold.
    """
    held = [spread for spread in spreads if spread is not None]
    if not held:
        return None
    first, words = held[0], dict.fromkeys(spread.words for spread in held)
    if all(np.array_equal(s.rows, first.rows) and np.array_equal(s.weights, first.weights) for s in held):
        return first
    few = [spread.few(max(1, _ROWS // len(held))) for spread in held]
    rows = np.concatenate([spread.rows for spread in few])
    weights = np.concatenate([spread.weights / spread.weights.sum() for spread in few])
    return Spread(rows, weights, f"{', '.join(words)} of the estimators inside")
