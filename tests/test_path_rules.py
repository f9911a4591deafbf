"""Every kind of network under the composites that integrate: relevance adds up, from the base that is promised."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.covariance import EllipticEnvelope
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline

import neon
from tests.contract import CASES

# One of each family; those that take many seconds for a row are left out.
SLOW = re.compile(r"LatentDirichletAllocation|SparseCoder-omp|.*NeighborsTransformer")
FAMILIES = {name.split("-")[0]: name for name in reversed(CASES)}
TREES_INSIDE = {"VotingClassifier-soft-tree", "OneVsOneClassifier-tree", "ClassifierChain-tree"}
NAMES = sorted(name for name in TREES_INSIDE.union(FAMILIES.values()) if not SLOW.fullmatch(name))
REFUSED = "has none in the features: it counts, votes or looks up|trees that read what other estimators compute"


@pytest.fixture(scope="module")
def fitted() -> dict[str, Any]:
    return {}


@pytest.mark.parametrize("composite", ["shapley", "expected"])
@pytest.mark.parametrize("name", NAMES)
def test_relevance_adds_up_from_its_base(fitted: dict[str, Any], name: str, composite: str) -> None:
    case = CASES[name]
    if name not in fitted:
        fitted.clear()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted[name] = clone(case.estimator).fit(case.X, case.y)
    given = case.X.iloc if hasattr(case.X, "iloc") else case.X
    options = {key: value for key, value in case.options.items() if key not in ("composite", "reference")}
    if case.labelled:
        options["data"] = case.X
    reference = given[10:12]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            explainer = neon.Explainer(fitted[name], composite=composite, reference=reference, **options)
            first = explainer.network.output_names[0]
            found, there = explainer(given[:1], first), explainer(reference, first)
        except (ValueError, neon.UnsupportedOperationError) as refusal:
            if not re.search(REFUSED, str(refusal)):
                raise
            pytest.skip(str(refusal))
    parts = found.values, found.prediction, found.base_values
    size = max(1e-300, *(np.abs(part).max() for part in parts))
    assert found.conservation_error() <= 1e-9 * size
    assert "Shapley values" in found.explains
    if composite == "expected":
        size = max(size, np.abs(there.prediction).max())
        assert np.abs(found.base_values - there.prediction.mean()).max() <= 1e-9 * size


@pytest.mark.parametrize("composite", ["shapley", "expected"])
def test_modules_return_numbers_or_maps(composite: str) -> None:
    """The same relevance as of the module that returns columns."""
    torch.manual_seed(0)
    layers = [torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2)]
    rows, reference = np.random.default_rng(0).normal(size=(2, 5, 3))
    x = torch.from_numpy(rows)
    columns, maps = (torch.nn.Sequential(*layers, *end).double() for end in ([], [torch.nn.Unflatten(1, (2, 1))]))
    expected = neon.LRP(columns, composite)(x, target=1)
    torch.testing.assert_close(neon.LRP(maps, composite)(x, target=(1, 0)), expected)
    one = torch.nn.Linear(4, 1)
    column, number = (torch.nn.Sequential(*layers[:2], one, *end).double() for end in ([], [torch.nn.Flatten(0)]))
    found, expected = (neon.Explainer(m, composite=composite, reference=reference)(rows) for m in (number, column))
    np.testing.assert_allclose(found.values, expected.values, atol=1e-12)
    np.testing.assert_allclose(found.base_values, expected.base_values, atol=1e-12)


@pytest.mark.parametrize("composite", ["shapley", "expected"])
@pytest.mark.parametrize(
    "model",
    [
        EllipticEnvelope(random_state=0),
        KMeans(3, n_init=1, random_state=0),
        NearestCentroid(),
        make_pipeline(PCA(2, svd_solver="full"), KMeans(3, n_init=1, random_state=0)),
    ],
    ids=str,
)
def test_rows_far_from_the_origin_lose_no_digits(model: Any, composite: str) -> None:
    """Distances to centers do not depend on the origin; sums of squares of which they are differences do."""
    X = np.random.default_rng(0).normal(size=(60, 3))
    here, there = clone(model).fit(X, X[:, 0] > 0), clone(model).fit(X + 2.0**20, X[:, 0] > 0)
    near, far = (
        neon.Explainer(fitted, composite=composite)(rows) for fitted, rows in ((here, X[:6]), (there, X[:6] + 2.0**20))
    )
    size = np.abs(near.values).max()
    assert far.conservation_error() < 1e-13 * size
    np.testing.assert_allclose(far.values, near.values, rtol=0, atol=1e-7 * size)  # the models differ by as much
