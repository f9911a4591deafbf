"""Linear maps in front of trees: shares by magnitude, bounded whatever cancels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import neon
from neon.lrp import LRP
from tests.nn.textbook import close, draw

pytestmark = pytest.mark.usefixtures("one_pass")


@pytest.mark.parametrize("n_rows", [None, 1, 4])
def test_shares_by_magnitude(n_rows: int | None) -> None:
    x, weight, bias, start = draw(6, 4), draw(3, 4, seed=1), draw(3, seed=2), draw(6, 3, seed=3)
    rows = None if n_rows is None else draw(n_rows, 4, seed=4)
    r = torch.zeros(4, dtype=x.dtype) if rows is None else rows.mean(0)
    expected = torch.zeros_like(x)
    for n in range(6):
        for k in range(3):
            sizes = [abs(float(weight[k, i] * (x[n, i] - r[i]))) for i in range(4)]
            for i in range(4):
                expected[n, i] += sizes[i] / sum(sizes) * start[n, k]
    layer = neon.nn.Projection(weight, bias)
    close(layer(x), torch.nn.functional.linear(x, weight, bias))
    close(LRP(layer, "neon").record(x, reference=rows).propagate(start).relevance[0], expected)


def test_nothing_to_share_is_on_the_books() -> None:
    walk = LRP(neon.nn.Projection(torch.ones(2, 3)), "neon").record(torch.zeros(4, 3).double())
    found = walk.propagate(torch.ones(4, 2).double(), account=True)
    assert not found.relevance[0].any()
    assert found.ledger.absorbed["stabilizer"].tolist() == [2.0] * 4


def test_relevance_of_a_forest_on_components_is_bounded() -> None:
    X, y = load_diabetes(return_X_y=True)
    model = make_pipeline(StandardScaler(), PCA(4), RandomForestRegressor(10, random_state=0)).fit(X, y)
    network = neon.neuralize(model)
    assert any(isinstance(layer, neon.nn.Projection) for layer in network.layers)
    explanation = neon.explain(model, X)
    inner = neon.explain(model[-1], model[:-1].transform(X))
    assert (np.abs(explanation.values).sum(1) <= np.abs(inner.values).sum(1) * (1 + 1e-9)).all()
    assert explanation.conservation_error() <= 1e-9 * explanation.prediction.max()
