"""Isotonic regression: a monotone function of one feature."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from neon.converters.core import Ask, Conversion, converter, regression
from neon.converters.core.registry import no_relu_form
from neon.nn import plain_linear
from neon.nn.kernels.elementwise import elementwise
from neon.nn.layer import Layer, fixed

__all__ = ["Interpolation", "convert_isotonic"]


@converter("sklearn.isotonic.IsotonicRegression")
def convert_isotonic(model: Any, ask: Ask) -> Conversion:
    """The predicted value, a piecewise linear function of the one feature; relative to the middle of its thresholds."""
    ask.choose("predict")
    x = np.asarray(model.X_thresholds_, dtype=np.float64)
    y = np.asarray(model.y_thresholds_, dtype=np.float64)
    clipped = model.out_of_bounds == "clip"
    return regression(
        model,
        [Interpolation(x, y, clipped=clipped)],
        reference=np.array([[(x[0] + x[-1]) / 2]]),
        reference_words="the middle of the fitted range",
        takes_reference=True,
        infinite=not clipped,
        n_features=1,
    )


class Interpolation(Layer):
    """Linear interpolation between points; outside the nearest value, or NaN where not clipped."""

    jumps = True  # almost, where two points are close

    x: Tensor
    y: Tensor

    def __init__(self, x: np.ndarray, y: np.ndarray, *, clipped: bool) -> None:
        super().__init__()
        self.register_buffer("x", fixed(x))
        self.register_buffer("y", fixed(y))
        self.clipped = clipped

    def forward(self, t: Tensor) -> Tensor:
        return elementwise(t, self.interpolate)

    def interpolate(self, t: Tensor) -> Tensor:
        if len(self.x) == 1:
            values = self.y + 0 * t
        else:
            inside = t.clamp(self.x[0], self.x[-1])
            right = torch.searchsorted(self.x, inside.detach().contiguous()).clamp(1, len(self.x) - 1)
            left = right - 1
            slope = (self.y[right] - self.y[left]) / (self.x[right] - self.x[left])
            values = self.y[left] + (inside - self.x[left]) * slope
        outside = (t < self.x[0]) | (t > self.x[-1])
        return values if self.clipped else values.masked_fill(outside, torch.nan)

    def extra_repr(self) -> str:
        return f"{len(self.x)} thresholds"

    def relu(self, n_inputs: int) -> list[torch.nn.Module]:
        """``y_0 + Σ_i (s_i - s_{i-1}) ReLU(t - x_i)``, slopes s of the pieces, 0 outside."""
        if not self.clipped:
            raise no_relu_form("a curve that is not clipped has no value outside of its points")
        flat = self.x.new_zeros(1)
        slopes = torch.cat([flat, self.y.diff() / self.x.diff(), flat])
        below = plain_linear(torch.ones_like(self.x)[:, None], -self.x)
        return [below, torch.nn.ReLU(), plain_linear(slopes.diff()[None], self.y[:1])]
