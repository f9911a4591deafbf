"""Log-odds of one of several alternatives, from their log-probabilities: what Bayes classifiers and mixtures share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from neon.converters.core import Conversion, Encoding, Layers
from neon.converters.core.background import Spread
from neon.nn import Affine, Evidence, GaussianEnergy, LinearEnergy

__all__ = ["convert_log_odds", "log_odds"]


def convert_log_odds(
    energy: GaussianEnergy | LinearEnergy,
    joint: Callable[[Any], np.ndarray],
    names: Sequence[Any],
    *,
    what: str = "class",
    classes: np.ndarray | None = None,
    encoding: Encoding | None = None,
    family: str = "",
    background: Spread | None = None,
) -> Conversion:
    """``log P_c / (1 - P_c) = -log Σ_{k≠c} exp(-(E_k - E_c))``: a soft minimum of differences of energies.

    Parameters
    ----------
    energy : Module
        (n_samples, n_features) -> (n_samples, n_alternatives): ``-log P(c, x)``, up to what all have in common.
    joint : callable
        The model's own ``log P(c, x)``, up to what all have in common.
    what : str
        What the alternatives are: class, component.
    """
    n = len(names)
    if n < 2:
        raise ValueError(f"one {what} alone has no odds to explain: there is no other {what}")
    odds: Layers = (Evidence(soft=True),)
    return Conversion(
        torch.nn.Sequential(energy),
        f"log-odds of a {what}",
        tuple(map(str, names)),
        lambda X: log_odds(joint(X)),
        head=odds,
        answers={"log_odds": odds, "decision_function": odds if n == 2 else (Affine(-1.0),)},
        classes=classes,
        encoding=encoding,
        family=family,
        background=background,
    )


def log_odds(z: np.ndarray) -> np.ndarray:
    """``z_c - log Σ_{k≠c} exp(z_k)`` of log-probabilities (n_samples, n_alternatives), up to what all have in common.

    A single column is the log-odds of the second of two.
    """
    z = np.asarray(z, dtype=np.float64)
    if z.ndim == 1:
        return np.stack([-z, z], axis=1)
    others = [np.logaddexp.reduce(np.delete(z, c, axis=1), axis=1) for c in range(z.shape[1])]
    return z - np.stack(others, axis=1)


def finite_log(probabilities: np.ndarray, model: Any) -> np.ndarray:
    """The logarithm of prior probabilities.

    Raises
    ------
    ValueError
        If one is 0.
    """
    if not (np.asarray(probabilities) > 0).all():
        raise ValueError(f"{type(model).__name__} with a prior probability of 0: its log-odds are infinite everywhere")
    return np.log(probabilities)
