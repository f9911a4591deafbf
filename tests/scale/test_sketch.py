"""Quantiles of a sketch, held to those of the numbers themselves."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from neon.scale.sketch import Sketch

Q = [0.0, 0.01, 0.3, 0.5, 0.77, 0.99, 1.0]


def sketched(*parts: np.ndarray) -> Sketch:
    sketch = Sketch()
    for part in parts:
        sketch.add(part)
    return sketch


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).normal(size=1000),
        np.random.default_rng(1).lognormal(sigma=20, size=1000) * np.random.default_rng(2).choice([-1, 0, 1], 1000),
        -np.ones(5),
        np.array([sys.float_info.max, -sys.float_info.max, sys.float_info.min * 1e8, 0.0, -0.0]),
        np.nextafter(2.0 ** np.arange(-50.0, 50.0), 0.0),  # the last number of a bin
        2.0 ** np.arange(-50.0, 50.0),  # and the first
        np.zeros(3),
        np.arange(-5, 7, dtype=np.int64),
        np.linspace(-3, 4, 11, dtype=np.float32),
    ],
)
def test_quantiles_are_within_one_hundredth(values: np.ndarray) -> None:
    exact = np.quantile(values, Q, method="lower")
    for parts in ([values], np.array_split(values, 7), np.array_split(values[::-1], 3)):
        found = sketched(*parts).quantiles(Q)
        np.testing.assert_allclose(found, np.where(np.abs(exact) < 1e-300, 0.0, exact), rtol=0.01)
        np.testing.assert_array_equal(found, sketched(values).quantiles(Q))


def test_nothing_has_no_quantiles() -> None:
    assert np.isnan(sketched(np.zeros(0)).quantiles(Q)).all()


def test_memory_follows_the_sizes_of_the_numbers() -> None:
    sketch = sketched(*(10.0 ** np.random.default_rng(k).uniform(-3, 3, 1000) for k in range(20)))
    assert sketch._counts.nbytes <= 1024 * 21  # powers of two
