"""The way back through a linear map, which distances and energies behind it take."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neon.nn import Linear, SquaredDistance
from neon.nn.forms import spelled_out
from neon.nn.gaussians.energy import GaussianEnergy
from neon.nn.linear.layers import preimage


def redundant(seed: int, noise: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A map with rows that repeat others up to noise, a bias, and centers that it does not reach."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(3, 5))
    weight = np.concatenate([rows, rows[:2] + noise * random.normal(size=(2, 5)), rows[:1] - rows[1:2]])
    return tuple(map(torch.as_tensor, (weight, random.normal(size=6), random.normal(size=(4, 6)))))  # type: ignore[return-value]


@pytest.mark.parametrize("noise", [0.0, 1e-16, 1e-15, 1e-14, 1e-12])
@pytest.mark.parametrize("layer", ["distance", "layers", "gaussian"])
def test_redundant_rows_lead_nowhere(noise: float, layer: str) -> None:
    for seed in range(20):
        weight, bias, centers = redundant(seed, noise)
        if layer == "gaussian":
            made: SquaredDistance | GaussianEnergy = GaussianEnergy(centers, torch.eye(6).double().expand(4, 6, 6))
        else:
            made = SquaredDistance(centers)
        x = torch.as_tensor(np.random.default_rng(100 + seed).normal(size=(7, 5)))
        wanted = made(Linear(weight, bias)(x))
        after: torch.nn.Module = made.after(weight, bias)
        if layer == "layers":
            after = spelled_out([after], 5)
        torch.testing.assert_close(after(x), wanted, rtol=1e-10, atol=1e-10)
        assert preimage(weight, centers).abs().max() < 1e3


def test_rows_of_different_scales_are_all_followed() -> None:
    random = np.random.default_rng(0)
    weight = torch.as_tensor(np.linalg.qr(random.normal(size=(5, 5)))[0] * 10.0 ** np.arange(-8, 12, 4)[:, None])
    x = torch.as_tensor(random.normal(size=(3, 5)))
    torch.testing.assert_close(preimage(weight, x @ weight.T), x)
