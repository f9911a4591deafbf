"""Kernel functions against scikit-learn's and SciPy's; products and class sums against loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.gaussian_process import kernels as reference

from neon import nn
from neon.lrp import LRP
from neon.nn.kernels import functions as kernels
from tests.nn.textbook import close, draw

PAIRS = [
    (kernels.Exponential(0.5 / 1.3**2), reference.RBF(1.3)),
    (kernels.Matern(0.5, 1.3), reference.Matern(1.3, nu=0.5)),
    (kernels.Matern(1.5, 1.3), reference.Matern(1.3, nu=1.5)),
    (kernels.Matern(2.5, 1.3), reference.Matern(1.3, nu=2.5)),
    (kernels.Matern(0.8, 1.3), reference.Matern(1.3, nu=0.8)),
    (kernels.Matern(3.7, 1.3), reference.Matern(1.3, nu=3.7)),
    (kernels.RationalQuadratic(0.7, 1.3), reference.RationalQuadratic(1.3, 0.7)),
    (kernels.Periodic(2.1, 1.3), reference.ExpSineSquared(1.3, 2.1)),
]


@pytest.mark.parametrize(("function", "kernel"), PAIRS, ids=lambda part: str(part)[:40])
def test_functions_of_distances(function: kernels.Function, kernel: reference.Kernel) -> None:
    x, u = draw(6, 3), draw(5, 3, seed=1)
    t = torch.cdist(x, u).square()
    close(function(t), torch.as_tensor(kernel(x.numpy(), u.numpy())))


@pytest.mark.parametrize(("function", "kernel"), PAIRS, ids=lambda part: str(part)[:40])
def test_slopes(function: kernels.Function, kernel: reference.Kernel) -> None:
    t, step = draw(20).square() + 0.2, 1e-6
    with torch.enable_grad():
        probe = t.requires_grad_()
        (slope,) = torch.autograd.grad(function(probe).sum(), probe)
    t = t.detach()
    close(slope, (function(t + step) - function(t - step)) / (2 * step), 1e-6)


def test_functions_of_products() -> None:
    t = draw(4, 5)
    close(kernels.Polynomial(0.5, 2.0, 3)(t), (0.5 * t + 2) ** 3)
    close(kernels.Sigmoid(0.5, 2.0)(t), torch.tanh(0.5 * t + 2))
    f, g = kernels.Exponential(0.3), kernels.Polynomial(1.0, 1.0, 1)
    close(kernels.Sum((f, g), 2.0)(t), torch.exp(-0.3 * t) + t + 1 + 2)
    close(kernels.Product((f, g), 2.0)(t), torch.exp(-0.3 * t) * (t + 1) * 2)
    close(kernels.Power(3, g)(t), (t + 1) ** 3)


class TwoFactors(torch.nn.Module):
    """``exp(-d / 2) · Matérn(d)`` of two distances."""

    def __init__(self) -> None:
        super().__init__()
        self.left = torch.nn.Sequential(nn.SquaredDistance(draw(4, 3)), nn.Affine(-0.5), nn.Elementwise(torch.exp))
        self.right = torch.nn.Sequential(
            nn.ManhattanDistance(draw(4, 3, seed=1)), nn.Elementwise(kernels.Matern(1.5, 2.0))
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.balanced_product(self.left(x), self.right(x))


def test_product_shares_by_shapley_values() -> None:
    model, x, rows = TwoFactors(), draw(7, 3, seed=2), draw(6, 3, seed=3)
    d, b = torch.cdist(x, model.left[0].centers).square(), torch.cdist(x, model.right[0].centers, p=1.0)
    parts = (x[:, None] - model.left[0].centers).square(), (x[:, None] - model.right[0].centers).abs()
    means = [
        (rows[:, None] - model.left[0].centers).square().mean(0),
        (rows[:, None] - model.right[0].centers).abs().mean(0),
    ]
    f, g = torch.exp(-d / 2), kernels.Matern(1.5, 2.0)(b)
    f_ref, g_ref = torch.exp(-means[0].sum(1) / 2), kernels.Matern(1.5, 2.0)(means[1].sum(1))
    recording = LRP(model, "neon").record(x, reference=rows)
    close(recording.output, f * g)
    for j in range(4):
        expected = torch.zeros_like(x)
        for own, own_ref, other, other_ref, part, mean in (
            (f, f_ref, g, g_ref, parts[0], means[0]),
            (g, g_ref, f, f_ref, parts[1], means[1]),
        ):
            effect = (own[:, j] - own_ref[j]) * (other[:, j] + other_ref[j]) / 2  # Shapley value of this factor
            moved = part[:, j] - mean[j]
            expected += effect[:, None] * moved / moved.sum(1, keepdim=True)
        close(recording.propagate(j).relevance[0], expected)


def test_product_without_reference_halves() -> None:
    x = draw(5, 4).abs() + 0.1
    model = torch.nn.Sequential(Halved())
    close(LRP(model, "neon")(x, draw(5, 4, seed=1)), draw(5, 4, seed=1))


class Halved(torch.nn.Module):
    """``x · (2 x)``."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.balanced_product(x, 2.0 * x)


@pytest.mark.parametrize("shift", [0.0, -900.0])
def test_log_sum_exp(shift: float) -> None:
    h, a, start = draw(6, 8) + shift, draw(3, 8, seed=1).clamp(min=0), draw(6, 3, seed=2)
    assert (a == 0).any()
    h[0, a[0] > 0] -= 800.0  # far below the other classes' terms
    layer = nn.LogSumExp(a)
    found = LRP(layer, "neon").record(h).propagate(start, account=True)
    z, expected = torch.zeros(6, 3, dtype=torch.float64), torch.zeros_like(h)
    entropy, weight = np.zeros(6), np.zeros(6)
    for n in range(6):
        for c in range(3):
            units = [j for j in range(8) if a[c, j] > 0]
            top = max(float(h[n, j]) for j in units)
            terms = [float(a[c, j]) * np.exp(float(h[n, j]) - top) for j in units]
            z[n, c] = top + np.log(sum(terms))
            slope = float(start[n, c] / z[n, c])
            for j, term in zip(units, terms, strict=True):
                p = term / sum(terms)
                expected[n, j] += slope * p * h[n, j]
                entropy[n] -= slope * p * np.log(p) if p > 0 else 0.0
                weight[n] += slope * p * np.log(float(a[c, j]))
    close(layer(h), z)
    close(found.relevance[0], expected)
    close(found.ledger.absorbed["entropy"], torch.as_tensor(entropy))
    close(found.ledger.absorbed["log_weight"], torch.as_tensor(weight))
