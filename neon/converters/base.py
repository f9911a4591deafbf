"""What a converter returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

__all__ = ["Conversion"]


@dataclass(frozen=True, eq=False)
class Conversion:
    """A fitted model rewritten as layers.

    Attributes
    ----------
    layers : torch.nn.Sequential
        (n_samples, n_features) -> (n_samples, n_outputs), in float64.
    explains : str
        The explained scalar, in words.
    output_names : tuple of str
    own : callable
        The model's own function of an array (n_samples, n_features), computed by the model's own methods.
    link : callable, optional
        Takes the network's output to what ``own`` gives. Default: they are the same.
    composite : str
        The default composite.
    reference : ndarray, optional
        Default reference rows in the model's input space.
    takes_reference : bool
        Whether relevance is relative to a reference point.
    classes : ndarray, optional
        The labels that targets may be given as.
    inverse : callable, optional
        For transformers: takes transformed rows back to input rows that transform to them.
    """

    layers: torch.nn.Sequential
    explains: str
    output_names: tuple[str, ...]
    own: Callable[[np.ndarray], np.ndarray]
    link: Callable[[np.ndarray], np.ndarray] | None = None
    composite: str = "neon"
    reference: np.ndarray | None = None
    takes_reference: bool = False
    classes: np.ndarray | None = None
    inverse: Callable[[np.ndarray], np.ndarray] | None = None
