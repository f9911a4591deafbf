"""Refills keep what is kept, and draw the rest from where they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.neighbors import KernelDensity

from neon.evaluate import Blurred, Conditional, Mean, PatchMean, Refill, Rows, patches
from neon.evaluate.refills import bandwidth_of

RNG = np.random.default_rng(0)
BACKGROUND = RNG.normal(size=(60, 3)) @ RNG.normal(size=(3, 3)) + 2
X = BACKGROUND[:5] + 0.1
KEPT = RNG.random(X.shape) < 0.5


@pytest.mark.parametrize("kind", [Rows, Mean, Conditional])
def test_what_is_kept_stays(kind: type[Refill]) -> None:
    refill = kind(BACKGROUND)
    found = refill(X, KEPT)
    assert found.shape[::2] == X.shape
    for draw in range(found.shape[1]):
        np.testing.assert_array_equal(found[:, draw][KEPT], X[KEPT])
    np.testing.assert_array_equal(found, refill(X, KEPT))  # the same draws again


def test_rows_are_drawn_whole() -> None:
    found = Rows(BACKGROUND, n_draws=20)(X, np.zeros(X.shape, dtype=bool)).reshape(-1, 3)
    assert all((row == BACKGROUND).all(1).any() for row in found)


def test_mean() -> None:
    np.testing.assert_allclose(
        Mean(BACKGROUND)(X, np.zeros(X.shape, dtype=bool))[:, 0], np.tile(BACKGROUND.mean(0), (5, 1))
    )


def test_bandwidth_has_the_largest_leave_one_out_likelihood() -> None:
    z = (BACKGROUND - BACKGROUND.mean(0)) / BACKGROUND.std(0)

    def likelihood(h: float) -> float:
        return sum(
            KernelDensity(bandwidth=h).fit(np.delete(z, row, 0)).score_samples(z[row : row + 1])[0]
            for row in range(len(z))
        )

    best = bandwidth_of(BACKGROUND)
    assert likelihood(best) >= max(likelihood(0.97 * best), likelihood(1.03 * best))


def test_conditional_draws_have_the_moments_of_the_kernel_density() -> None:
    """Against the conditional mean and covariance of the mixture of Gaussians, written out."""
    x, kept = X[:1], np.array([[True, False, True]])
    h = 0.4 * BACKGROUND.std(0)
    refill = Conditional(BACKGROUND, n_draws=40_000, bandwidth=0.4)
    drawn = refill(x, kept)[0, :, 1]
    weights = np.array([multivariate_normal.pdf(x[0, [0, 2]], u[[0, 2]], np.diag(h[[0, 2]] ** 2)) for u in BACKGROUND])
    weights /= weights.sum()
    mean = weights @ BACKGROUND[:, 1]
    variance = weights @ (BACKGROUND[:, 1] - mean) ** 2 + h[1] ** 2
    assert drawn.mean() == pytest.approx(mean, abs=4 * np.sqrt(variance / len(drawn)))
    assert drawn.var() == pytest.approx(variance, rel=0.03)


def test_far_rows_have_neighbours_still() -> None:
    found = Conditional(BACKGROUND)(X + 1e3, np.tile([True, False, True], (5, 1)))
    assert np.isfinite(found).all()


def test_constant_columns() -> None:
    flat = np.hstack([BACKGROUND, np.ones((60, 1))])
    found = Conditional(flat)(flat[:4], np.zeros((4, 4), dtype=bool))
    assert np.isfinite(found).all()


def test_superpixels() -> None:
    labels = patches(4, 6, 2)
    np.testing.assert_array_equal(labels, [[0, 0, 1, 1, 2, 2]] * 2 + [[3, 3, 4, 4, 5, 5]] * 2)
    images = RNG.normal(size=(2, 3, 4, 6))
    nothing = np.zeros(images.shape, dtype=bool)
    found = PatchMean(labels)(images, nothing)[:, 0]
    np.testing.assert_allclose(found[1, 2, 0, 2], images[1, 2, :2, 2:4].mean())
    kept = np.broadcast_to(labels == 0, images.shape)
    blurred = Blurred(2.0)(images, kept)[:, 0]
    np.testing.assert_array_equal(blurred[..., :2, :2], images[..., :2, :2])
    assert blurred[..., 2:, 2:].std() < images[..., 2:, 2:].std()
