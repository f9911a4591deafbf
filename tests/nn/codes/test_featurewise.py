"""Slopes of functions that torch does not know, against their derivatives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from neon.nn.codes.featurewise import featurewise

SMOOTH: dict[str, tuple[Callable, Callable]] = {
    "sin": (np.sin, np.cos),
    "shift": (lambda x: x - 1000, np.ones_like),
    "cube": (lambda x: x**3, lambda x: 3 * x**2),
    "softplus": (lambda x: np.logaddexp(0, x), lambda x: 1 / (1 + np.exp(-x))),
}


def slopes(function: Callable, x: np.ndarray) -> np.ndarray:
    given = torch.as_tensor(x)[:, None].requires_grad_()
    (found,) = torch.autograd.grad(featurewise(given, function, torch.tensor([0])).sum(), given)
    return found[:, 0].numpy()


@pytest.mark.parametrize(("function", "derivative"), SMOOTH.values(), ids=SMOOTH)
def test_slopes(function: Callable, derivative: Callable) -> None:
    x = np.array([0.0, 1e-9, -1e-6, 1e-3, -0.3, 1.0, -2.5, 7.0])
    np.testing.assert_allclose(slopes(function, x), derivative(x), rtol=2e-7, atol=2e-10)


def test_slopes_of_small_numbers() -> None:
    x = np.array([1e-7, 1e-6, 1e-4, 1e-3, 1e-2, 1.0])
    np.testing.assert_allclose(slopes(np.log, x), 1 / x, rtol=1e-6)


def test_jumps_have_no_slope() -> None:
    x = np.array([0.0, 1e-6, -1e-6, 0.5, 1.0, 1000.0, -3.0])
    np.testing.assert_array_equal(slopes(np.floor, x), 0)
