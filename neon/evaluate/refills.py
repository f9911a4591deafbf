"""Refills: what takes the place of features that are taken away. How faithful a method looks depends on it.

A refill is called with rows and a mask of what is kept, and returns several completions of each row. It draws the same
random numbers at every call, so that curves, and methods, are compared on the same draws.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import ndimage
from scipy.spatial.distance import cdist
from scipy.special import softmax

from neon.evaluate.explained import background_rows

__all__ = ["Blurred", "Conditional", "Mean", "PatchMean", "Refill", "Rows", "deviations_of", "patches", "refill_of"]


class Refill(abc.ABC):
    """Completions of rows of which some features are taken away."""

    name: str = "refill"

    @abc.abstractmethod
    def __call__(self, X: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """Fill what is not kept.

        Parameters
        ----------
        X : ndarray (n_rows, ...)
        kept : bool ndarray, shaped like X

        Returns
        -------
        ndarray (n_rows, n_draws, ...)
            Equal to X where it is kept.
        """


@dataclass(frozen=True)
class Mean(Refill):
    """The mean of the background: one point that may lie where no data are."""

    background: np.ndarray = field(repr=False)
    name = "mean"

    def __call__(self, X: np.ndarray, kept: np.ndarray) -> np.ndarray:
        return np.where(kept, X, self.background.mean(0))[:, None]


@dataclass(frozen=True)
class Rows(Refill):
    """Features of background rows, drawn whole: jointly among those taken away, independent of those kept.

    The marginal (interventional) refill of Shapley values.
    """

    background: np.ndarray = field(repr=False)
    n_draws: int = 8
    seed: int = 0
    name = "rows"

    def __call__(self, X: np.ndarray, kept: np.ndarray) -> np.ndarray:
        drawn = np.random.default_rng(self.seed).integers(len(self.background), size=(len(X), self.n_draws))
        return np.where(kept[:, None], X[:, None], self.background[drawn])


@dataclass(frozen=True)
class Conditional(Refill):
    """Features drawn given those that are kept, from a Gaussian kernel density of the background.

    A background row u is drawn with probability ``∝ exp(-Σ_{i kept} (x_i - u_i)² / (2 h² σ_i²))`` and the features
    taken away are ``u_i + h σ_i N(0, 1)``: an exact draw from the density's conditional. Used for flipping by Bley et
    al. (2025), Explaining Predictive Uncertainty by Exposing Second-Order Effects. σ_i is the standard deviation of a
    feature over the background; rows that are explained should not be among the background, or each finds itself.

    Parameters
    ----------
    bandwidth : float, optional
        h. Default: where the likelihood of each background row under the others is largest; see `bandwidth_of`.
    """

    background: np.ndarray = field(repr=False)
    n_draws: int = 8
    seed: int = 0
    bandwidth: float | None = None
    name = "conditional"

    def __post_init__(self) -> None:
        if self.background.ndim != 2:
            raise ValueError(f"a conditional refill is of a table of features, got shape {self.background.shape}")
        if self.bandwidth is None:
            object.__setattr__(self, "bandwidth", bandwidth_of(self.background))

    def __call__(self, X: np.ndarray, kept: np.ndarray) -> np.ndarray:
        assert self.bandwidth is not None
        rng = np.random.default_rng(self.seed)
        scale = self.bandwidth * deviations_of(self.background)
        u = rng.random((len(X), self.n_draws))
        noise = rng.normal(size=(len(X), self.n_draws, X.shape[1]))
        x, points, k = X / scale, self.background / scale, kept.astype(np.float64)
        log_weights = -0.5 * ((x**2 * k).sum(1)[:, None] - 2 * (x * k) @ points.T + k @ (points**2).T)
        weights = np.exp(log_weights - log_weights.max(1, keepdims=True))
        reached = weights.cumsum(1)
        chosen = (reached[:, None] < u[..., None] * reached[:, None, -1:]).sum(2)
        return np.where(kept[:, None], X[:, None], self.background[chosen] + scale * noise)


def bandwidth_of(background: np.ndarray, n_iterations: int = 100) -> float:
    """The bandwidth, in standard deviations, with the largest leave-one-out likelihood of a Gaussian kernel density.

    The fixed point of ``h² = 1 / (n d) Σ_n Σ_{m≠n} p_nm ‖x_n - x_m‖²``, p_nm ∝ ``exp(-‖x_n - x_m‖² / 2h²)`` the share
    of row m in the density of row n under the others, and d the number of features that vary.
    """
    varying = background.std(0) > 0
    x = background[:, varying] / background[:, varying].std(0)
    if len(x) < 2 or not x.shape[1]:
        return 1.0
    distances = cdist(x, x, "sqeuclidean")
    others = np.where(np.eye(len(x), dtype=bool), -np.inf, 0.0)
    square = float(distances.mean()) / x.shape[1]
    for _ in range(n_iterations):
        before = square
        square = max(float((softmax(others - distances / (2 * before), axis=1) * distances).sum()) / x.size, 1e-12)
        if abs(square - before) <= 1e-6 * before:
            break
    return float(np.sqrt(square))


@dataclass(frozen=True)
class Blurred(Refill):
    """Images (n_rows, channels, height, width): the same image, blurred by a Gaussian of ``sigma`` pixels."""

    sigma: float = 4.0
    name = "blur"

    def __call__(self, X: np.ndarray, kept: np.ndarray) -> np.ndarray:
        sigma = (0,) * (X.ndim - 2) + (self.sigma, self.sigma)
        return np.where(kept, X, ndimage.gaussian_filter(X, sigma))[:, None]


@dataclass(frozen=True)
class PatchMean(Refill):
    """Images: the mean of the same image over each superpixel, channel by channel.

    Parameters
    ----------
    labels : int ndarray (height, width)
        The superpixel of each pixel, from 0; `patches` makes square ones.
    """

    labels: np.ndarray = field(repr=False)
    name = "patch mean"

    def __call__(self, X: np.ndarray, kept: np.ndarray) -> np.ndarray:
        members = np.eye(self.labels.max() + 1)[self.labels.ravel()]  # (n_pixels, n_superpixels)
        pixels = X.reshape(*X.shape[:-2], self.labels.size)
        means = (pixels @ (members / members.sum(0))) @ members.T
        return np.where(kept, X, means.reshape(X.shape))[:, None]


def patches(height: int, width: int, size: int) -> np.ndarray:
    """Square superpixels of an image: the label of each pixel, (height, width); smaller ones at the far edges."""
    across = -(-width // size)
    return (np.arange(height) // size)[:, None] * across + np.arange(width) // size


_TABLES: dict[str, Callable[..., Refill]] = {"rows": Rows, "mean": Mean, "conditional": Conditional}


def refill_of(given: str | Refill, background: Any, seed: int = 0) -> Refill:
    """A refill by name, "rows", "mean" or "conditional", made of background rows; one that is made stays as it is.

    Raises
    ------
    ValueError
        If there is no refill of that name, or no background.
    """
    if isinstance(given, Refill):
        return given
    if given not in _TABLES:
        raise ValueError(
            f"unknown refill {given!r}; choose from {list(_TABLES)}, or make one: Blurred(sigma), PatchMean(labels)"
        )
    rows = background_rows(background)
    return Mean(rows) if given == "mean" else _TABLES[given](rows, seed=seed)


def deviations_of(rows: np.ndarray) -> np.ndarray:
    """Standard deviations of features, 1 where a feature does not vary."""
    deviations = rows.std(0)
    return np.where(deviations > 0, deviations, 1.0)
