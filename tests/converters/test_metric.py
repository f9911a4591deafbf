"""Distances behind a linear map: differences of two are linear in the input, and explained as such."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import neon

pytestmark = pytest.mark.usefixtures("one_pass")

X, Y = load_wine(return_X_y=True)


def midpoint_rule(x: np.ndarray, weight: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """``w_i (x_i - m_i)`` of ``‖Wx - a‖² - ‖Wx - b‖²``, m halfway between the least-norm preimages."""
    inverse = np.linalg.pinv(weight)
    w = 2 * weight.T @ (b - a)
    return w * (x - inverse @ (a + b) / 2)


def test_kmeans_behind_pca_is_the_midpoint_rule() -> None:
    scaled = StandardScaler().fit_transform(X)
    model = make_pipeline(PCA(3), KMeans(4, n_init=1, random_state=0)).fit(scaled)
    explanation = neon.explain(model, scaled)
    pca, centers = model[0], model[1].cluster_centers_
    beta = neon.neuralize(model).layers[-1].stiffness
    for i, c in enumerate(explanation.target):
        z = pca.transform(scaled[[i]])[0]
        d = ((z - centers) ** 2).sum(1)
        others = [k for k in range(4) if k != c]
        h = d[others] - d[c]
        p = np.exp(-beta * (h - h.min()))
        p /= p.sum()
        expected = sum(
            p_k * h.min() / h_k * midpoint_rule(scaled[i] - pca.mean_, pca.components_, centers[k], centers[c])
            for p_k, h_k, k in zip(p, h, others, strict=True)
        )
        error = np.linalg.norm(explanation.values[i] - expected) / np.linalg.norm(expected)
        assert error <= 1e-9


@pytest.mark.parametrize("form", ["fused", "layers"])
def test_a_feature_without_effect_has_no_relevance(form: str) -> None:
    """The evidence is ``2 (u - v)ᵀ Λ x``: these centers differ in both features, ``Λ (u - v)`` only in the second."""
    weight = np.array([[1.0, 1.0], [0.0, 1.0]])
    centers = np.array([[-1.0, 1.0], [1.0, -1.0]])
    assert (weight.T @ weight @ (centers[0] - centers[1]))[0] == 0
    rows = np.random.default_rng(0).normal(size=(60, 2)) * 3
    pca = PCA(2).fit(rows)
    pca.components_, pca.mean_ = weight, np.zeros(2)
    kmeans = KMeans(2, n_init=1, random_state=0).fit(rows)
    kmeans.cluster_centers_ = centers @ weight.T
    explanation = neon.Explainer(neon.neuralize(make_pipeline(pca, kmeans), form=form))(rows, 0)
    assert np.abs(explanation.values[:, 1]).min() > 1e-3
    np.testing.assert_allclose(explanation.values[:, 0], 0, rtol=0, atol=1e-12)


@pytest.mark.parametrize("model", [KMeans(2, n_init=1, random_state=0), KernelDensity(bandwidth=2.0)])
def test_relevance_does_not_depend_on_where_the_data_lie(model: Any) -> None:
    scaled = StandardScaler().fit_transform(X)
    here = neon.explain(make_pipeline(PCA(4), clone(model)).fit(scaled), scaled)
    there = neon.explain(make_pipeline(PCA(4), clone(model)).fit(scaled + 10), scaled + 10)
    np.testing.assert_allclose(there.values, here.values, rtol=0, atol=1e-9 * np.abs(here.values).max())
