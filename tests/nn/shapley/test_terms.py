"""Units made of terms of single features: against all subsets of features, and engines against each other."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from neon.lrp.paths.terms import Background, LinearTerms, Terms
from neon.nn.distances.manhattan import _ManhattanTerms, manhattan_distance
from neon.nn.shapley import compiled, vectorized
from neon.nn.shapley.envelope import lowest
from neon.nn.shapley.kernel_products import ProductTerms, SoftTerms
from neon.nn.shapley.nodes import n_nodes
from neon.nn.shapley.quadratic import MetricTerms, SeparableTerms
from neon.nn.shapley.vectorized import Kernel

N, D, UNITS, ROWS = 3, 4, 3, 3


def draw(seed: int = 0) -> tuple[Tensor, Background, Tensor, np.random.Generator]:
    rng = np.random.default_rng(seed)
    weights = rng.random(ROWS) + 0.1
    background = Background(torch.tensor(rng.normal(size=(ROWS, D))), torch.tensor(weights / weights.sum()))
    return torch.tensor(rng.normal(size=(N, D))), background, torch.tensor(rng.normal(size=(UNITS, D))), rng


def subsets() -> list[tuple[int, ...]]:
    return list(itertools.product((0, 1), repeat=D))


def game(u: Callable[[Tensor], Tensor], x: Tensor, background: Background, *, joint: bool) -> dict[Any, Tensor]:
    """The units, (n_units,), for every subset of features of one row, absent ones drawn from the background."""
    values = {}
    for present in subsets():
        mask = torch.tensor(present, dtype=torch.bool)
        if joint:
            values[present] = background.weights @ u(torch.where(mask, x, background.rows))
            continue
        absent = [i for i in range(D) if not present[i]]
        total: Any = 0.0
        for drawn in itertools.product(range(ROWS), repeat=len(absent)):  # each from its own marginal
            row, weight = x.clone(), 1.0
            for i, r in zip(absent, drawn, strict=True):
                row[i] = background.rows[r, i]
                weight *= float(background.weights[r])
            total = total + weight * u(row[None])[0]
        values[present] = total
    return values


def shapley(values: dict[Any, Tensor], slopes: Tensor) -> Tensor:
    """``Σ_j slopes_j`` times the Shapley values of unit j, by definition."""
    phi = torch.zeros(D, dtype=torch.float64)
    for i, present in itertools.product(range(D), subsets()):
        if not present[i]:
            size = sum(present)
            portion = math.factorial(size) * math.factorial(D - size - 1) / math.factorial(D)
            joined = tuple(1 if k == i else p for k, p in enumerate(present))
            phi[i] += portion * float((values[joined] - values[present]) @ slopes)
    return phi


def extension(values: dict[Any, Tensor], t: float) -> Tensor:
    """Owen's multilinear extension where every feature is present with probability t."""
    return torch.stack([t ** sum(s) * (1 - t) ** (D - sum(s)) * v for s, v in values.items()]).sum(0)


def squares(x: Tensor, u: Tensor, weights: Tensor | float = 1.0) -> Tensor:
    """``Σ_i w_ji (x_i - u_ji)²``."""
    return ((x[:, None] - u).square() * weights).sum(2)


FACTOR = torch.tensor(np.random.default_rng(9).normal(size=(2, D)))
KINDS: dict[str, tuple[Callable[..., Tensor], Callable[..., Terms], bool]] = {
    "linear": (
        lambda x, u: x @ u.T + 1.0,
        lambda x, b, u: LinearTerms(0, x, b, u, x @ u.T + 1.0),
        True,
    ),
    "squared": (
        lambda x, u: (x[:, None] - u).square().sum(2),
        lambda x, b, u: SeparableTerms(0, x, b, u, torch.ones_like(u[:1]), *(squares(rows, u) for rows in (b.mean, x))),
        True,
    ),
    "gaussian": (
        lambda x, u: ((x[:, None] - u).square() * u.abs()).sum(2) - 3.0,
        lambda x, b, u: SeparableTerms(0, x, b, u, u.abs(), *(squares(rows, u, u.abs()) - 3.0 for rows in (b.mean, x))),
        True,
    ),
    "metric": (
        lambda x, u: ((x[:, None] - u) @ FACTOR.T).square().sum(2),
        lambda x, b, u: MetricTerms(0, x, b, u, FACTOR, *(squares(r @ FACTOR.T, u @ FACTOR.T) for r in (b.mean, x))),
        True,
    ),
    "manhattan": (
        manhattan_distance,
        lambda x, b, u: _ManhattanTerms(0, x, b, u, manhattan_distance(x, u)),
        True,
    ),
    "rbf": (
        lambda x, u: (-0.7 * (x[:, None] - u).square().sum(2)).exp(),
        lambda x, b, u: ProductTerms(0, x, b, u, 0.7, 2, (-0.7 * (x[:, None] - u).square().sum(2)).exp()),
        False,
    ),
    "laplacian": (
        lambda x, u: (-0.4 * (x[:, None] - u).abs().sum(2)).exp(),
        lambda x, b, u: ProductTerms(0, x, b, u, 0.4, 1, (-0.4 * (x[:, None] - u).abs().sum(2)).exp()),
        False,
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_integrated_terms_are_the_shapley_values(kind: str) -> None:
    x, background, centers, rng = draw()
    function, make, joint = KINDS[kind]
    slopes = torch.tensor(rng.normal(size=(N, UNITS)))
    found = make(x, background, centers).integrated(slopes)
    for i in range(1 if not joint else N):  # marginal games are many sums
        values = game(lambda rows: function(rows, centers), x[i], background, joint=joint)
        expected = shapley(values, slopes[i])
        assert (found[i] - expected).abs().max() <= 1e-12 * expected.abs().max()


@pytest.mark.parametrize("kind", KINDS)
def test_units_follow_the_multilinear_extension(kind: str) -> None:
    x, background, centers, _ = draw(1)
    function, make, joint = KINDS[kind]
    terms = make(x, background, centers)
    t = torch.tensor([0.0, 0.3, 0.8, 1.0], dtype=torch.float64)
    values = game(lambda rows: function(rows, centers), x[0], background, joint=joint)
    expected = torch.stack([extension(values, float(node)) for node in t])
    found = terms.units(t)
    assert (found[:, 0] - expected).abs().max() <= 1e-12 * expected.abs().max()
    assert torch.equal(found[-1], terms.end)


@pytest.mark.parametrize("kind", KINDS)
def test_shares_add_up_to_how_fast_units_change_and_integrate_to_shapley_values(kind: str) -> None:
    x, background, centers, rng = draw(2)
    terms = KINDS[kind][1](x, background, centers)
    nodes, weights = np.polynomial.legendre.leggauss(8)
    t, w = torch.tensor((nodes + 1) / 2), torch.tensor(weights / 2)
    slopes = torch.tensor(rng.normal(size=(8, N, UNITS)))
    h = 1e-5
    rates = (terms.units(t + h) - terms.units(t - h)) / (2 * h)
    added = (slopes * rates).sum((0, 2))
    assert (terms.shares(slopes, t).sum(1) - added).abs().max() <= 1e-8 * added.abs().max()
    constant = slopes[0]
    found, expected = terms.shares(w[:, None, None] * constant, t), terms.integrated(constant)
    assert (found - expected).abs().max() <= 1e-12 * expected.abs().max()


def test_soft_distances_are_logarithms_of_products() -> None:
    x, background, centers, rng = draw(3)
    distance = (x[:, None] - centers).square().sum(2)
    soft = SoftTerms(0, x, background, centers, 0.7, 2, distance)
    product = ProductTerms(0, x, background, centers, 0.7, 2, (-0.7 * distance).exp())
    t = torch.tensor([0.0, 0.4, 1.0], dtype=torch.float64)
    torch.testing.assert_close((-0.7 * soft.units(t)).exp(), product.units(t), rtol=1e-12, atol=0)
    slopes = torch.tensor(rng.normal(size=(2, N, UNITS)))
    shares = soft.shares(slopes, t[:2])
    torch.testing.assert_close(shares, product.shares(slopes / product.units(t[:2]) / -0.7, t[:2]))


def test_far_rows_leave_no_nan() -> None:
    """Factors that are 0 by rounding: far from every center and from every reference row."""
    x, background, centers, rng = draw(4)
    far = x + 1e3
    distance = (far[:, None] - centers).square().sum(2)
    product = ProductTerms(0, far, background, centers, 2.0, 2, (-2.0 * distance).exp())
    soft = SoftTerms(0, far, background, centers, 2.0, 2, distance)
    t = torch.tensor([0.02, 0.5, 0.98], dtype=torch.float64)
    slopes = torch.tensor(rng.normal(size=(3, N, UNITS)))
    for terms in (product, soft):
        assert terms.units(t).isfinite().all()
        assert terms.shares(slopes, t).isfinite().all()
    assert torch.equal(soft.units(torch.ones(1, dtype=torch.float64))[0], distance)


@pytest.mark.parametrize("name", ["mean_factors", "log_units", "shares", "shapley"])
@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("far", [1.0, 40.0])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_compiled_loops_are_those_in_torch(name: str, power: int, far: float, dtype: torch.dtype) -> None:
    """Far rows have factors too small to share a division, and products below the range of floats."""
    rng = np.random.default_rng(5)
    x, u, rows = (torch.tensor(rng.normal(size=(n, 23)), dtype=dtype) for n in (3, 6, 4))
    x[0, :2] *= far
    kernel = Kernel(u, 0.6, power)
    t = torch.tensor(np.linspace(0.1, 0.9, 7), dtype=dtype)
    alpha = torch.tensor(rng.normal(size=(3, 6)), dtype=dtype)
    b = vectorized.mean_factors(kernel, rows, torch.full((4,), 0.25, dtype=dtype))
    given: tuple[Tensor, ...] = {
        "mean_factors": (rows, torch.full((4,), 0.25, dtype=dtype)),
        "log_units": (b, x, t),
        "shares": (b, x, t[:, None, None] * alpha, t),
        "shapley": (b, x, alpha),
    }[name]
    found, expected = getattr(compiled, name)(kernel, *given), getattr(vectorized, name)(kernel, *given)
    assert found.dtype == dtype
    scale = float(expected.abs().max())
    assert (found - expected).abs().max() <= (1e-12 if dtype == torch.float64 else 1e-4) * scale


def test_compiled_exponentials_are_exact() -> None:
    y = np.concatenate([-np.geomspace(1e-20, 700.0, 2000), [0.0, -708.0]])
    centers = torch.tensor(-y[:, None])
    found = compiled.mean_factors(Kernel(centers, 1.0, 1), torch.zeros(1, 1).double(), torch.ones(1).double())
    assert np.abs(found[:, 0].numpy() / np.exp(y) - 1).max() <= 4 * np.finfo(float).eps
    beyond = compiled.mean_factors(
        Kernel(torch.tensor([[1e4]]).double(), 1.0, 1), torch.zeros(1, 1).double(), torch.ones(1).double()
    )
    assert float(beyond) <= 1e-300


@pytest.mark.parametrize("d", [3, 12, 40])
def test_as_many_nodes_as_the_bound_asks_for_are_enough(d: int) -> None:
    rng = np.random.default_rng(d)
    for spread in (0.05, 0.5, 1.0):
        a = torch.tensor(1 - spread * rng.random((8, d)))
        b = torch.tensor(1 - spread * rng.random((8, d)))
        alpha = torch.tensor(rng.normal(size=8))
        exact = vectorized.integrated(a, b, alpha, *rule(-(-d // 2)))
        rho = np.array([1.25, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 64.0, 128.0])
        logs = vectorized.bound_terms(a, b, alpha, torch.tensor((rho + 1 / rho) / 2)).log().numpy()
        for tolerance in (1e-3, 1e-8):
            size = float(exact.abs().max())
            n = n_nodes(logs, math.log(tolerance * size), -(-d // 2))
            found = vectorized.integrated(a, b, alpha, *rule(n))
            assert (found - exact).abs().max() <= tolerance * size
            assert n <= -(-d // 2)


def rule(n: int) -> tuple[Tensor, Tensor]:
    nodes, weights = np.polynomial.legendre.leggauss(n)
    return torch.tensor((nodes + 1) / 2), torch.tensor(weights / 2)


def test_lowest_lines() -> None:
    rng = np.random.default_rng(6)
    start, end = (torch.tensor(rng.normal(size=(200, 6))) for _ in range(2))
    start[:50] = start[:50].round()  # ties at the start
    end[:50] = end[:50].round()
    start[60:70, 2] = end[60:70, 2] = torch.inf
    found = lowest(start, end)
    assert (found >= 0).all()
    torch.testing.assert_close(found.sum(1), torch.ones(200, dtype=torch.float64))
    steps = 4000
    t = (torch.arange(steps, dtype=torch.float64)[:, None, None] + 0.5) / steps
    lines = torch.where(start.isinf(), torch.inf, start + t * (end - start).nan_to_num(0.0))
    # The mean of the minimum over the way is that of the lines where they are lowest: ties may be anybody's.
    expected = lines.amin(2).mean(0)
    at = [torch.where(found > 0, (start + (end - start) * u).nan_to_num(0.0), 0.0) for u in (0.0, 1.0)]
    counted = torch.zeros_like(found).scatter_add_(1, lines.argmin(2).T, torch.full((200, steps), 1 / steps).double())
    assert (found[50:] - counted[50:]).abs().max() <= 2 / steps
    assert all(part.isfinite().all() for part in at)
    assert expected.isfinite().all()


def test_a_line_that_stays_has_all() -> None:
    value = torch.tensor([[3.0, 1.0, 2.0]])
    assert lowest(value, value).tolist() == [[0.0, 1.0, 0.0]]


@pytest.mark.parametrize("machine", ["svr", "svc", "gp"])
def test_values_where_an_absent_feature_has_the_factor_1(machine: str) -> None:
    """Fitted machines as shapiq 1.8.0 explains them (its ProductKernelExplainer): another game, the same integral."""
    with np.load(Path(__file__).parents[2] / "oracles" / "product_kernel.npz") as oracle:
        points, coefficients, rows, expected = (
            torch.tensor(oracle[f"{machine}_{part}"]) for part in ("points", "coefficients", "rows", "values")
        )
        gamma = float(oracle[f"{machine}_gamma"])
    kernel, absent = Kernel(points, gamma, 2), torch.ones_like(points)
    slopes = coefficients.expand(len(rows), -1)
    for loops in (compiled, vectorized):
        found = loops.shapley(kernel, absent, rows, slopes)
        assert ((found - expected).abs().amax(1) <= 1e-12 * expected.abs().amax(1)).all()
