"""Explanations for the metrics of the Quantus toolkit (Hedström et al. 2023): its ``explain_func``."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from neon.evaluate.explained import Explained
from neon.evaluate.methods import methods
from neon.evaluate.relevance import Method, values_of

__all__ = ["explain_func"]


def explain_func(method: str | Method = "neon", background: Any = None) -> Any:
    """A method as Quantus calls it: ``(model, inputs, targets, **kwargs) -> attributions``, shaped like the inputs.

    Quantus runs torch modules on single precision, and gives indices of outputs as targets. Hand it the network of a
    fitted model, in that precision::

        network = neon.neuralize(model).float()
        metric = quantus.FaithfulnessCorrelation(...)
        metric(network, X, targets, explain_func=evaluate.explain_func("shapley", X_train), ...)

    Parameters
    ----------
    method : name or callable
        Of `neon.evaluate.methods`, or one of your own.
    background : array-like, optional
        Rows that the method compares with.
    """
    return partial(_attributions, methods[method] if isinstance(method, str) else method, background)


def _attributions(
    method: Method, background: Any, model: Any, inputs: np.ndarray, targets: np.ndarray, **_: Any
) -> np.ndarray:
    f = Explained(model)
    index = np.asarray(targets, dtype=int).ravel()
    names = getattr(model, "output_names", None)
    rows = np.asarray(inputs, dtype=np.float64)
    return values_of(method(f, rows, index if names is None else np.asarray(names)[index], background), rows)
