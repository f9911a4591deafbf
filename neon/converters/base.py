"""What a converter returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from neon.lrp.composites import Composite

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
    composite : str or Composite
        The default composite.
    reference : ndarray, optional
        Default reference rows in the model's input space.
    takes_reference : bool
        Whether relevance is relative to a reference point.
    classes : ndarray, optional
        The labels that targets may be given as.
    votes : bool
        Whether, where no output is above 0, the model's prediction may be another than the largest output: machines
        that decide between two classes each vote, and the votes may tie.
    inverse : callable, optional
        For transformers: takes transformed rows back to input rows that transform to them.
    """

    layers: torch.nn.Sequential
    explains: str
    output_names: tuple[str, ...]
    own: Callable[[np.ndarray], np.ndarray]
    link: Callable[[np.ndarray], np.ndarray] | None = None
    composite: str | Composite = "neon"
    reference: np.ndarray | None = None
    takes_reference: bool = False
    classes: np.ndarray | None = None
    votes: bool = False
    inverse: Callable[[np.ndarray], np.ndarray] | None = None
