"""What is checked before an explanation is handed out."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy import sparse

from neon.converters import Network
from neon.converters.intake import check_finite
from neon.errors import UnsupportedModelError

if TYPE_CHECKING:
    from neon.explanation import Explanation

__all__ = ["check_equivalence", "check_outputs", "check_sums"]


def check_equivalence(network: Network, rows: Any, dtype: torch.dtype) -> None:
    """A subclass may compute something else than the class that its converter was made for.

    Raises
    ------
    UnsupportedModelError
        If it does, for these rows.
    """
    difference, allowed = network.verify(rows), 1e-6 if dtype == torch.float64 else 1e-3
    size = np.abs(network.own(rows)).max(initial=1.0)
    if not difference <= allowed * size:
        name = type(network.model).__name__
        raise UnsupportedModelError(
            f"the network is that of a class which {name}, or a part of it, inherits from, and differs from the "
            f"model by {difference:.3g}; register a converter for the class itself with neon.converters.register"
        )


def check_outputs(network: Network | torch.nn.Module, numbers: Any, prediction: np.ndarray, finite: bool) -> None:
    """Only a density may be infinite, which is worth a warning.

    Parameters
    ----------
    numbers : what the network reads
    prediction : ndarray (n_samples[, n_outputs])
    finite : bool
        Whether all relevance is.

    Raises
    ------
    ValueError
        If anything else is NaN or infinite.
    """
    outside = np.unique(np.nonzero(~np.isfinite(prediction))[0])
    if not len(outside) and not finite:
        raise ValueError(
            "relevance is NaN or infinite where predictions are not: numbers in X are too large to be shared"
        )
    if not len(outside):
        return
    if isinstance(network, Network):
        if network.infinite:
            warnings.warn(
                f"{len(outside)} rows have an infinite {network.explains}: they lie outside the support of every "
                "kernel (log p = -inf) and their relevance is NaN. A gaussian kernel has no such rows.",
                stacklevel=4,
            )
            return
        if np.isnan(numbers.data if sparse.issparse(numbers) else numbers).any():
            raise ValueError("X contains NaN, which one part of the model takes and another does not")
    else:
        check_finite(numbers.cpu().numpy() if isinstance(numbers, torch.Tensor) else numbers)
    raise ValueError(
        f"the network gives NaN or infinity for {len(outside)} rows, the first of them {outside[0]}: a step "
        "such as log or sqrt got a value outside its domain, or numbers grew too large; it explains: "
        f"{getattr(network, 'explains', 'the output of a torch module')}"
    )


def check_sums(explanation: Explanation) -> None:
    """A torch module may pack its samples in ways that leave no telling which one a residual belongs to."""
    size = np.abs(explanation.values).sum(tuple(range(1, 1 + len(explanation.feature_shape)))) + np.abs(
        explanation.prediction
    )
    if explanation.conservation_error() > 1e-3 * float(size.max(initial=0.0)):
        warnings.warn(
            "relevance and residuals of single samples do not add up to their predictions: the module mixes its "
            "samples (time-first sequences, packed batches, batch statistics). Explain one at a time: batch_size=1",
            RuntimeWarning,
            stacklevel=4,
        )
