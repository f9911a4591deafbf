"""Methods to compare with, under one interface: ``(model, X, target, background) -> relevance``.

`methods` maps names to them. Options of one are bound by `functools.partial`. Those of other packages, in `peers`, need
``pip install "neon-xai[benchmark]"``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import torch

from neon import baselines
from neon.converters import Network
from neon.evaluate import other_libraries as peers
from neon.evaluate.all_subsets import exact_shapley
from neon.evaluate.explained import Explained, background_rows
from neon.evaluate.relevance import Method
from neon.explainer import Explainer
from neon.explainer.summarize import summarize
from neon.explanation import Explanation

__all__ = ["methods"]

Array = np.ndarray


def default(model: Any, X: Array, target: Any = None, background: Array | None = None) -> Explanation:
    """The default of `neon.Explainer`, as one gets it who states nothing; the background has no part in it."""
    return _explained(model, X, target)


def one_pass(model: Any, X: Array, target: Any = None, background: Array | None = None) -> Explanation:
    """The published rule of one pass, without reference rows; of a torch module the default."""
    return _explained(model, X, target, composite=getattr(Explained.of(model).network, "one_pass", None))


def shapley(model: Any, X: Array, target: Any = None, background: Array | None = None) -> Explanation:
    """The composite "shapley", absent features from the background."""
    return _explained(model, X, target, composite="shapley", reference=background)


def expected(
    model: Any, X: Array, target: Any = None, background: Array | None = None, *, n_rows: int = 20
) -> Explanation:
    """The composite "expected", from ``n_rows`` rows of the background that `neon.summarize` chooses."""
    return _explained(model, X, target, composite="expected", reference=summarize(background_rows(background), n_rows))


def sensitivity(model: Any, X: Array, target: Any = None, background: Array | None = None) -> Array:
    """``(∂f/∂x_i)²``, sensitivity analysis."""
    return _baseline(baselines.Gradient, model, X, target) ** 2


def gradient_x_input(model: Any, X: Array, target: Any = None, background: Array | None = None) -> Array:
    """``x_i ∂f/∂x_i``."""
    return _baseline(baselines.GradientXInput, model, X, target)


def smoothgrad(
    model: Any, X: Array, target: Any = None, background: Array | None = None, *, n_samples: int = 25, seed: int = 0
) -> Array:
    """The mean gradient around the row: prediction per unit of the feature."""
    return _baseline(baselines.SmoothGrad, model, X, target, n_samples=n_samples, seed=seed)


def integrated_gradients(
    model: Any, X: Array, target: Any = None, background: Array | None = None, *, n_steps: int = 50
) -> Array:
    """Integrated gradients from the mean of the background."""
    mean = background_rows(background).mean(0)
    return _baseline(baselines.IntegratedGradients, model, X, target, baseline=mean, n_steps=n_steps)


def expected_gradients(
    model: Any,
    X: Array,
    target: Any = None,
    background: Array | None = None,
    *,
    n_rows: int = 16,
    n_steps: int = 16,
    seed: int = 0,
) -> Array:
    """Integrated gradients from ``n_rows`` random rows of the background, averaged (Erion et al. 2021)."""
    start = _some(background, n_rows, seed)
    each = [_baseline(baselines.IntegratedGradients, model, X, target, baseline=row, n_steps=n_steps) for row in start]
    return np.mean(each, axis=0)


def occlusion(model: Any, X: Array, target: Any = None, background: Array | None = None) -> Array:
    """``f(x) - f(x with feature i at its mean over the background)``, feature by feature."""
    f = Explained.of(model)
    index, mean = f.index(X, target), background_rows(background).mean(0).ravel()
    before, flat = f(X, index), X.reshape(len(X), -1)
    found = np.empty(flat.shape)
    for i in range(flat.shape[1]):
        without = flat.copy()
        without[:, i] = mean[i]
        found[:, i] = before - f(without.reshape(X.shape), index)
    return found.reshape(X.shape)


def random(model: Any, X: Array, target: Any = None, background: Array | None = None, *, seed: int = 0) -> Array:
    """Standard normal numbers: what a method must beat."""
    return np.random.default_rng(seed).normal(size=np.shape(X))


methods: Mapping[str, Method] = MappingProxyType(
    {
        "default": default,
        "neon": one_pass,
        "shapley": shapley,
        "expected": expected,
        "gradient_x_input": gradient_x_input,
        "sensitivity": sensitivity,
        "smoothgrad": smoothgrad,
        "integrated_gradients": integrated_gradients,
        "expected_gradients": expected_gradients,
        "occlusion": occlusion,
        "exact_shapley": exact_shapley,
        "kernel_shap": peers.kernel_shap,
        "permutation_shap": peers.permutation_shap,
        "tree_shap_path": peers.tree_shap_path,
        "tree_shap_interventional": peers.tree_shap_interventional,
        "lime": peers.lime,
        "random": random,
    }
)


def _explained(model: Any, X: Array, target: Any, **options: Any) -> Explanation:
    f = Explained.of(model)
    if f.network is None:
        raise ValueError("a plain function has no network: this takes a fitted model or a torch module")
    return Explainer(f.model, output=f.output, progress=False, **options)(X, f.labels(X, target))


def _baseline(kind: Callable[..., Any], model: Any, X: Array, target: Any, **options: Any) -> Array:
    """One of `neon.baselines` of the rows as the caller has them."""
    f = Explained.of(model)
    index, x = torch.from_numpy(f.index(X, target)), f.tensor(X)
    if x.shape != X.shape:
        raise ValueError(
            f"the model's encoders make {x.shape[1]} columns of {X.shape[1]}; gradients are of those, not the caller's"
        )
    if not isinstance(f.network, Network) and f.outputs(X[:1]).shape[1] == 1:
        index = torch.zeros_like(index)
    return kind(f.network, **options)(x, index).cpu().double().numpy()


def _some(background: Any, n_rows: int, seed: int) -> Array:
    rows = background_rows(background)
    return rows[np.random.default_rng(seed).permutation(len(rows))[:n_rows]]
