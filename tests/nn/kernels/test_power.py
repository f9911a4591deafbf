"""Powers: the function of polynomial kernels."""

from __future__ import annotations

import pytest
import torch

from neon import nn
from neon.lrp import LRP
from neon.nn.kernels.functions import Power
from tests.nn.textbook import close, draw


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
@pytest.mark.parametrize("exponent", [1, 2, 3, 5, 0.5])
def test_relevance_passes(exponent: float, dtype: torch.dtype, tolerance: float) -> None:
    x, start = draw(6, 4, dtype=dtype).abs(), draw(6, 4, seed=1, dtype=dtype)
    recording = LRP(nn.Elementwise(Power(exponent)), "neon").record(x)
    close(
        recording.output,
        torch.tensor([[float(v) ** exponent for v in row] for row in x], dtype=torch.float64),
        tolerance,
    )
    close(recording.propagate(start).relevance[0], start, tolerance)


@pytest.mark.parametrize("exponent", [1, 2, 3, 5])
def test_polynomial_kernel(exponent: int) -> None:
    """``R_i = Σ_j α_j s_j u_ji (x_i - r_i)`` with the secant slope ``s_j = (z_j^p - z_j(r)^p) / (z_j - z_j(r))``."""
    x, u, r, alpha = draw(6, 3), draw(5, 3), draw(1, 3, seed=1), draw(1, 5, seed=2)
    x[0] = r[0]
    model = torch.nn.Sequential(nn.Linear(u, torch.full((5,), 0.5)), nn.Elementwise(Power(exponent)), nn.Linear(alpha))
    expected = torch.zeros(6, 3, dtype=torch.float64)
    for n in range(6):
        for j in range(5):
            z, z_ref = float(x[n] @ u[j]) + 0.5, float(r[0] @ u[j]) + 0.5
            # z^p - r^p = (z - r) Σ_q z^q r^(p-1-q): no division
            slope = sum(z**q * z_ref ** (exponent - 1 - q) for q in range(exponent))
            expected[n] += float(alpha[0, j]) * slope * u[j] * (x[n] - r[0])
    recording = LRP(model, "neon").record(x, reference=r)
    found = recording.propagate().relevance[0]
    close(found, expected)
    close(found.sum(1, keepdim=True), recording.output - recording.base)


def test_a_root_that_touches_its_reference_at_zero() -> None:
    """√x has no slope at 0: where x = r = 0 nothing is displaced, and nothing is attributed."""
    x = torch.tensor([[0.0, 4.0]], dtype=torch.float64)
    model = torch.nn.Sequential(nn.Elementwise(Power(0.5)), nn.Linear([[1.0, 1.0]]))
    found = LRP(model, "neon").record(x, reference=torch.zeros(1, 2)).propagate().relevance[0]
    torch.testing.assert_close(found, torch.tensor([[0.0, 2.0]], dtype=torch.float64))
