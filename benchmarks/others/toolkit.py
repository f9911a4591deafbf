"""One metric of each group of Quantus, where Quantus is installed.

Hedström et al. (2023), Quantus: An Explainable AI Toolkit for Responsible Evaluation of Neural Network Explanations and
Beyond, JMLR 24.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from benchmarks.others.attributions import IMAGES, in_order
from benchmarks.others.tetrominoes import SIZE, Trained, correct, fitted, images
from benchmarks.pages import table
from neon import evaluate

__all__ = ["GROUPS", "measured", "section"]

# Group, metric, options, whether more is better.
GROUPS: tuple[tuple[str, str, dict[str, Any], bool], ...] = (
    ("faithfulness", "FaithfulnessEstimate", {"features_in_step": 4, "perturb_baseline": "mean"}, True),
    ("robustness", "LocalLipschitzEstimate", {"nr_samples": 5}, False),
    ("localisation", "RelevanceRankAccuracy", {}, True),
    ("complexity", "Sparseness", {}, True),
    ("axiomatic", "NonSensitivity", {}, False),
    ("randomisation", "RandomLogit", {"num_classes": 2, "seed": 0}, False),
)
# Each call of these explains a row at a time, often: too dear for robustness.
DEAR = ("kernel_shap", "permutation_shap", "lime")


def flat(
    explain: Callable[..., Any], f: evaluate.Explained, X: np.ndarray, target: Any, background: np.ndarray
) -> np.ndarray:
    """A method of flat rows, asked for images of a network that flattens them first."""
    relevance = explain(f.model[1], X.reshape(len(X), -1), target, background)
    return np.asarray(getattr(relevance, "values", relevance), dtype=float).reshape(X.shape)


def measured(trained: Trained, n_rows: int) -> dict[tuple[str, str], dict[str, float]]:
    """{(group, metric): {method: mean}}, NaN where Quantus fails on a method.

    Raises
    ------
    ImportError
        If Quantus is not installed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantus = importlib.import_module("quantus")
        rows = correct(trained, n_rows)
        model = torch.nn.Sequential(torch.nn.Flatten(), trained.network).float().eval()
        square = (len(rows.X), 1, SIZE, SIZE)
        given = {
            "model": model,
            "x_batch": rows.X.reshape(square).astype(np.float32),
            "y_batch": rows.y,
            "s_batch": rows.truth.reshape(square),
            "channel_first": True,
            "softmax": False,
        }
        background = trained.fitted.X[:200]
        found: dict[tuple[str, str], dict[str, float]] = {}
        for group, name, options, _ in GROUPS:
            row = found[group, name] = {}
            for method, explain in IMAGES.items():
                if method in DEAR:
                    continue
                metric = getattr(quantus, name)(disable_warnings=True, display_progressbar=False, **options)
                try:
                    scores = metric(
                        a_batch=None, explain_func=evaluate.explain_func(partial(flat, explain), background), **given
                    )
                    row[method] = float(np.nanmean(np.asarray(scores, dtype=float)))
                except Exception as error:
                    print(f"{name}, {method}: {error}")
    return found


def section(n_rows: int = 10) -> list[str]:
    lines = ["### Quantus", ""]
    try:
        found = measured(fitted("MLP", images("linear", smooth=False)), n_rows)
    except ImportError as error:
        return [*lines, f"Not measured: Quantus is not installed ({error})."]
    names = in_order({method for row in found.values() for method in row})
    better = {(group, name): "higher" if more else "lower" for group, name, _, more in GROUPS}
    rows = [[*key, better[key], *[f"{row[n]:.3g}" if n in row else "-" for n in names]] for key, row in found.items()]
    lines += [
        "Hedström et al. (2023): one metric of each group, as Quantus computes it, of the perceptron of XAI-TRIS' "
        f"linear scenario in white noise, {n_rows} images. Methods that ask the model row by row are left out for "
        "their cost.",
        "",
    ]
    return lines + table(["group", "metric", "better", *names], rows)
