"""Methods of other packages: shap and lime, imported when they are called."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from neon.evaluate.explained import Explained, background_rows

__all__ = ["kernel_shap", "lime", "permutation_shap", "tree_shap_interventional", "tree_shap_path"]

Array = np.ndarray


def kernel_shap(
    model: Any,
    X: Array,
    target: Any = None,
    background: Array | None = None,
    *,
    n_background: int = 10,
    n_evaluations: int | None = None,
    seed: int = 0,
) -> Array:
    """KernelSHAP, of the package shap, with k-means points as background.

    Parameters
    ----------
    n_background : int
        Points, weighted by the rows of their cluster.
    n_evaluations : int, optional
        Default ``2 d + 400``.
    """
    shap = _imported("shap")
    f, points = Explained.of(model), background_rows(background)
    budget = 2 * X.shape[1] + 400 if n_evaluations is None else n_evaluations
    found = np.empty(X.shape)
    state = np.random.get_state()  # noqa: NPY002 -- shap draws from numpy's global generator; it is put back
    np.random.seed(seed)  # noqa: NPY002
    try:
        summary = shap.kmeans(points, n_background) if len(points) > n_background else points
        for rows, function in _functions(f, X, target):
            explainer = shap.KernelExplainer(function, summary)
            found[rows] = explainer.shap_values(X[rows], nsamples=budget, silent=True)
    finally:
        np.random.set_state(state)  # noqa: NPY002
    return found


def permutation_shap(
    model: Any,
    X: Array,
    target: Any = None,
    background: Array | None = None,
    *,
    n_background: int = 10,
    n_permutations: int = 10,
    seed: int = 0,
) -> Array:
    """Permutation SHAP, of the package shap: forward and backward along random orders; ``n_background`` random rows."""
    shap = _imported("shap")
    f, points = Explained.of(model), background_rows(background)
    chosen = points[np.random.default_rng(seed).permutation(len(points))[:n_background]]
    masker = shap.maskers.Independent(chosen, max_samples=len(chosen))
    found = np.empty(X.shape)
    for rows, function in _functions(f, X, target):
        explainer = shap.PermutationExplainer(function, masker, seed=seed)
        calls = n_permutations * (2 * X.shape[1] + 1)
        found[rows] = explainer(X[rows], max_evals=calls, silent=True).values
    return found


def tree_shap_path(model: Any, X: Array, target: Any = None, background: Array | None = None) -> Array:
    """TreeSHAP, of the package shap; absent features by the training cover of the paths."""
    return _tree_shap(model, X, target, None)


def tree_shap_interventional(
    model: Any, X: Array, target: Any = None, background: Array | None = None, *, n_rows: int = 100, seed: int = 0
) -> Array:
    """TreeSHAP, of the package shap; absent features from ``n_rows`` random background rows."""
    rows = background_rows(background)
    return _tree_shap(model, X, target, rows[np.random.default_rng(seed).permutation(len(rows))[:n_rows]])


def lime(
    model: Any,
    X: Array,
    target: Any = None,
    background: Array | None = None,
    *,
    n_samples: int = 1000,
    seed: int = 0,
) -> Array:
    """LIME of a table, with the package's defaults (features in quartiles), row by row."""
    tabular = _imported("lime.lime_tabular", "lime")
    f = Explained.of(model)
    found = np.zeros(X.shape)
    explainer = tabular.LimeTabularExplainer(background_rows(background), mode="regression", random_state=seed)
    for rows, function in _functions(f, X, target):
        for row in rows:
            answer = explainer.explain_instance(X[row], function, num_features=X.shape[1], num_samples=n_samples)
            for feature, weight in answer.local_exp[1]:
                found[row, feature] = weight
    return found


def _functions(f: Explained, X: Array, target: Any) -> Iterator[tuple[Array, Any]]:
    """The rows that explain one output, and the function of that output."""
    index = f.index(X, target)
    for output in np.unique(index):

        def function(Z: Array, output: int = output) -> Array:
            return f(np.asarray(Z, dtype=np.float64), np.full(len(Z), output))

        yield np.flatnonzero(index == output), function


def _tree_shap(model: Any, X: Array, target: Any, background: Array | None) -> Array:
    """Values of the raw output, checked to add up to what neon explains.

    Raises
    ------
    ValueError
        If shap explains another function of this model than neon.
    """
    shap = _imported("shap")
    f = Explained.of(model)
    how = "tree_path_dependent" if background is None else "interventional"
    explainer = shap.TreeExplainer(f.model, background, feature_perturbation=how)
    values, base = np.asarray(explainer.shap_values(X, check_additivity=False)), np.ravel(explainer.expected_value)
    index = f.index(X, target)
    values = values[..., None] if values.ndim == 2 else values
    column = np.minimum(index, values.shape[2] - 1)
    # Of two classes boosting has one margin: the first class has its negative.
    sign = np.where((values.shape[2] == 1) & (index == 0) & (f.outputs(X[:1]).shape[1] == 2), -1.0, 1.0)
    chosen = sign[:, None] * np.take_along_axis(values, column[:, None, None], 2)[..., 0]
    explained, total = f(X, index), chosen.sum(1) + sign * base[column]
    if not np.allclose(total, explained, rtol=1e-4, atol=1e-4 * (1e-12 + np.ptp(explained))):
        raise ValueError(
            f"shap's trees explain another function of this model than neon: their values add up to {total[0]:.6g}, "
            f"the explained output is {explained[0]:.6g}"
        )
    return chosen


def _imported(module: str, package: str | None = None) -> Any:
    """An optional package.

    Raises
    ------
    ImportError
        With the command that installs it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a package says of its own dependencies while it is imported
            return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f'this method is that of the package {package or module}; install it: pip install "neon-xai[benchmark]"'
        ) from error
