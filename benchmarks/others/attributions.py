"""What the methods say of the rows of a test, as arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from scipy import ndimage

import neon
from benchmarks.quality import METHODS
from benchmarks.quality_results import OURS
from neon import evaluate

__all__ = ["IMAGES", "METHODS", "Answers", "attributions", "cell", "in_order"]

Answers = dict[str, np.ndarray]
"""Relevance, shaped like the rows, by method; one that does not apply is not there."""


def by_rule(composite: str, model: Any, X: np.ndarray, target: Any = None, background: Any = None) -> np.ndarray:
    """LRP of a torch module by a composite."""
    f = evaluate.Explained.of(model)
    return neon.LRP(f.network, composite)(f.tensor(X), torch.from_numpy(f.index(X, target))).double().numpy()


def edges(model: Any, X: np.ndarray, target: Any = None, background: Any = None) -> np.ndarray:
    """The magnitude of Laplace's filter of the image: no model asked."""
    size = int(X[0].size ** 0.5)
    return np.abs([ndimage.laplace(x.reshape(size, size)) for x in X]).reshape(X.shape)


IMAGES: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        **{name: method for name, method in METHODS.items() if "tree" not in name and "exact" not in name},
        "lrp_epsilon_plus": partial(by_rule, "epsilon_plus"),
        "laplace filter": edges,
    }
)
"""Methods for torch modules of flat images."""


def attributions(
    f: evaluate.Explained, X: np.ndarray, target: Any, background: np.ndarray, methods: Mapping[str, Callable[..., Any]]
) -> Answers:
    """What each method says; the reason why one does not apply is printed."""
    found: Answers = {}
    for name, explain in methods.items():
        try:
            relevance = explain(f, X, target, background)
            found[name] = np.asarray(getattr(relevance, "values", relevance), dtype=float).reshape(X.shape)
        except Exception as error:
            print(f"{type(f.model).__name__}, {name}: {error}")
    return found


def in_order(names: set[str]) -> list[str]:
    """The composites of neon first, the null row last."""
    return [*(name for name in OURS if name in names), *sorted(names - {*OURS, "random"}), *(names & {"random"})]


def cell(value: float | None) -> str:
    return "-" if value is None or np.isnan(value) else f"{value:.2f}"
