"""Distances spelled out give what the fused ones give: outputs, relevance, residuals."""

from __future__ import annotations

from typing import Any

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from torch import Tensor

import neon
from neon import nn
from neon.lrp import LRP
from tests.nn.textbook import close, distances, draw, relevance

pytestmark = pytest.mark.usefixtures("one_pass")

PRECISIONS = [(torch.float64, 1e-9), (torch.float32, 2e-5)]
CASES = {
    "squared": ("squared", None, None),
    "offset": ("squared", None, draw(4, seed=5).abs()),
    "factor": ("squared", draw(3, 5, seed=6), None),
    "wide factor": ("squared", draw(8, 5, seed=6), None),
    "factor and offset": ("squared", draw(3, 5, seed=6), draw(4, seed=5).abs()),
    "manhattan": ("manhattan", None, None),
}
Options = tuple[str, Tensor | None, Tensor | None]


def forms(u: Tensor, options: Options, dtype: torch.dtype = torch.float64) -> tuple[torch.nn.Module, torch.nn.Module]:
    """The fused layer and the plain ones."""
    kind, factor, offset = options
    if kind == "manhattan":
        fused: torch.nn.Module = nn.ManhattanDistance(u)
        plain = nn.manhattan_layers(u)
    else:
        fused, plain = nn.SquaredDistance(u, factor, offset), nn.distance_layers(u, factor, offset)
    return fused.to(dtype), torch.nn.Sequential(*plain).to(dtype)


def residuals_agree(walks: list[Any], tolerance: float, scale: float) -> None:
    fused, plain = ({k: v for k, v in walk.ledger.absorbed.items() if (v != 0).any()} for walk in walks)
    assert set(fused) == set(plain)
    for name, amount in fused.items():
        assert float((plain[name] - amount).abs().max()) <= tolerance * scale


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
def test_relevance(options: Options, dtype: torch.dtype, tolerance: float) -> None:
    kind, factor, offset = options
    x, u, start = draw(7, 5, dtype=dtype), draw(4, 5, dtype=dtype), draw(7, 4, seed=1, dtype=dtype)
    fused, plain = forms(u, options, dtype)
    d = distances(kind, x, u, factor, offset)
    expected = relevance(kind, x, u, start / d, factor)
    walks = []
    for form in (fused, plain):
        recording = LRP(form, "neon").record(x)
        close(recording.output, d, tolerance)
        walks.append(recording.propagate(start, account=True))
        assert walks[-1].relevance[0].dtype == dtype
        close(walks[-1].relevance[0], expected, tolerance)
    residuals_agree(walks, tolerance, float(start.abs().sum(1).max()))
    total = walks[1].relevance[0].sum(1) + sum(walks[1].ledger.absorbed.values())
    close(total, start.sum(1), tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("n_rows", [1, 6])
@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
def test_relevance_relative_to_reference_rows(
    options: Options, n_rows: int, dtype: torch.dtype, tolerance: float
) -> None:
    kind, factor, offset = options
    x, u, rows = draw(7, 5, dtype=dtype), draw(4, 5, dtype=dtype), draw(n_rows, 5, seed=2, dtype=dtype)
    x[0] = rows.mean(0)  # no displacement, yet with several rows the mean distance differs from that of the mean
    weight = draw(1, 4, seed=3, dtype=dtype)
    expected = relevance(kind, x, u, weight.expand(7, 4), factor, rows)
    d = distances(kind, x, u, factor, offset)
    base = distances(kind, rows, u, factor, offset).mean(0, keepdim=True)
    start = draw(7, 4, seed=4, dtype=dtype)
    if n_rows == 1:
        start[0] = 0
    slopes = torch.where(d == base, 0.0, start / (d - base))
    for form in forms(u, options, dtype):
        recording = LRP(torch.nn.Sequential(form, nn.Linear(weight)).to(dtype), "neon").record(x, reference=rows)
        close(recording.output - recording.base, (d - base) @ weight.double().T, tolerance)
        close(recording.propagate().relevance[0], expected, tolerance)
        if dtype == torch.float64:  # in single precision the small differences d - base are lost
            walk = LRP(form, "neon").record(x, reference=rows).propagate(start)
            close(walk.relevance[0], relevance(kind, x, u, slopes, factor, rows), tolerance)


@pytest.mark.parametrize("options", [CASES[name] for name in ("squared", "factor", "manhattan")])
def test_exact_hits_and_near_duplicates(options: Options) -> None:
    kind, factor, _ = options
    u = draw(4, 5)
    x = torch.cat([u[:2], u[2:] + 1e-5 * draw(2, 5, seed=1), draw(3, 5)])
    start = draw(7, 4, seed=2)
    d = distances(kind, x, u, factor)
    hits = torch.zeros(7, dtype=x.dtype)
    hits[0], hits[1] = start[0, 0], start[1, 1]
    slopes = torch.where(d == 0, 0.0, start / d)
    walks = []
    for form in forms(u, options):
        walks.append(LRP(form, "neon").record(x).propagate(start, account=True))
        close(walks[-1].relevance[0], relevance(kind, x, u, slopes, factor))
        close(walks[-1].ledger.absorbed["exact_hit"], hits)
    residuals_agree(walks, 1e-9, 1.0)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("squared", torch.float64),
        ("squared", torch.float32),
        ("wide factor", torch.float64),
        ("manhattan", torch.float64),
        ("manhattan", torch.float32),
    ],
)
def test_centers_themselves_and_their_float_neighbours(name: str, dtype: torch.dtype) -> None:
    """A training row that a scaler has rounded differently: what is left of the difference is the same in both."""
    u = draw(4, 5, dtype=dtype) + 3
    x = torch.cat([u, torch.nextafter(u, torch.tensor(torch.inf, dtype=dtype))])
    start = draw(8, 4, seed=2, dtype=dtype)
    fused, plain = (LRP(form, "neon").record(x).propagate(start, account=True) for form in forms(u, CASES[name], dtype))
    tolerance = 1e-9 if dtype == torch.float64 else 2e-5
    close(plain.relevance[0], fused.relevance[0], tolerance)
    for walk in (fused, plain):
        torch.testing.assert_close(walk.ledger.absorbed["exact_hit"][:4], start[:4].diagonal())
    residuals_agree([fused, plain], tolerance, 1.0)


def test_hits_that_a_factor_cannot_tell_apart() -> None:
    """A sample that differs from a center only where the metric does not look."""
    v, u = draw(2, 5), draw(3, 5)
    outside = torch.linalg.svd(v).Vh[2:]
    x = torch.cat([u + draw(3, 3, seed=1) @ outside, draw(2, 5, seed=4)])
    start = draw(5, 3, seed=2)
    walks = [LRP(f, "neon").record(x).propagate(start, account=True) for f in forms(u, ("squared", v, None))]
    close(walks[0].ledger.absorbed["exact_hit"][:3], start[:3].diagonal())
    residuals_agree(walks, 1e-9, 1.0)
    slopes = start / distances("squared", x, u, v)
    slopes[:3].fill_diagonal_(0)
    for walk in walks:
        close(walk.relevance[0], relevance("squared", x, u, slopes, v), 1e-9)


def test_a_metric_is_a_linear_layer_under_lrp_0() -> None:
    """Ordinary torch operations give the same: the linear map of the differences, their squares, their sum."""
    x, u, v, start = draw(6, 5), draw(4, 5), draw(3, 5), draw(6, 4, seed=1)
    model = torch.nn.Sequential(nn.Difference(u), nn.Linear(v), nn.Square(), nn.Total())
    _, plain = forms(u, ("squared", v, None))
    close(plain(x), model(x))
    close(LRP(plain, "neon")(x, start), LRP(model, "neon")(x, start))


def test_the_plan_names_every_layer() -> None:
    plan = LRP(torch.nn.Sequential(*nn.distance_layers(draw(4, 5))), "neon").plan(draw(3, 5), 0)
    assert [row.module for row in plan.rows] == [*["0"] * 3, "1", "2"]
    assert plan.rows[2].rule == "Pass()"


numbers = st.floats(-100, 100).map(lambda v: round(v, 3))


@given(st.data(), st.sampled_from(sorted(CASES)))
def test_any_samples_and_centers(data: st.DataObject, name: str) -> None:
    kind, factor, offset = CASES[name]
    n = data.draw(st.integers(1, 5))
    x = torch.as_tensor(data.draw(arrays.arrays(np.float64, (n, 5), elements=numbers)))
    u = torch.as_tensor(data.draw(arrays.arrays(np.float64, (4, 5), elements=numbers)))
    rows = torch.as_tensor(data.draw(arrays.arrays(np.float64, (3, 5), elements=numbers)))
    start = torch.as_tensor(data.draw(arrays.arrays(np.float64, (n, 4), elements=numbers)))
    fused, plain = forms(u, CASES[name])
    d = distances(kind, x, u, factor, offset)
    # Between a hit and a distance with digits lies rounding, where neither form can know.
    assume(bool(((d == 0) | (d > 1e-4)).all()))
    assert float((plain(x) - fused(x)).abs().max()) <= 1e-9 * max(1.0, float(d.max()))
    for reference in (None, rows):
        # A slope needs no division; relevance is divided by the distance.
        weighted = [torch.nn.Sequential(form, nn.Linear(draw(1, 4))) for form in (fused, plain)]
        pairs = [[LRP(form, "neon").record(x, reference=reference).propagate(account=True) for form in weighted]]
        if reference is None:
            pairs.append([LRP(form, "neon").record(x).propagate(start, account=True) for form in (fused, plain)])
        for walks in pairs:
            one, two = (walk.relevance[0] for walk in walks)
            scale = max(1.0, float(d.max()), float(one.abs().max()))
            assert float((one - two).abs().max()) <= 1e-9 * scale
            residuals_agree(walks, 1e-9, scale)


@pytest.mark.parametrize("reduce", [False, True])
@pytest.mark.parametrize("model", [KMeans(3, n_init=1, random_state=0), KernelDensity(bandwidth=0.7)])
def test_converters_spell_the_distance_out(model: Any, reduce: bool) -> None:
    X = draw(40, 5).numpy()
    fitted = make_pipeline(*([PCA(3)] if reduce else []), model).fit(X)
    network = neon.neuralize(fitted, form="layers")
    made = [type(layer) for layer in network.modules()]
    assert nn.SquaredDistance not in made
    assert made.count(nn.Difference) == 1
    fused, layers = neon.explain(fitted, X), neon.Explainer(network)(X)
    close(torch.tensor(layers.values), torch.tensor(fused.values))
    assert set(layers.residuals) == set(fused.residuals)
    for name, amount in fused.residuals.items():
        np.testing.assert_allclose(layers.residuals[name], amount, rtol=0, atol=1e-9)
