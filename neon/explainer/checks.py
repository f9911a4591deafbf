"""What is checked before an explanation is handed out."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy import sparse

from neon.converters import Encoding, Network
from neon.converters.core.containers import check_finite
from neon.explainer.placement import as_array
from neon.explanation.algebra import summed, totals

if TYPE_CHECKING:
    from neon.explanation import Explanation

__all__ = ["check_outputs", "check_quadrature", "check_rounding", "check_sources", "check_sums"]

_ROUNDED = 1e-3  # of a row's relevance
_UNITY = 1e-6  # smaller differences are those of ties and of predictions that are 0 but for rounding
_MISSED = 0.1  # of the relevance of all rows


def check_sources(encoding: Encoding, rows: Any, numbers: Any) -> None:
    """Check that the columns of a declared encoding depend on one of the caller's columns each, as was said.

    Rows are put together from the columns of two others: their encoded columns must be those of the two.

    Raises
    ------
    ValueError
        If one depends on another column, as where a function of rows was declared elementwise.
    """
    n = rows.shape[0]
    comparable = encoding.declared and not (encoding.states or encoding.records)
    if n < 2 or not comparable or sparse.issparse(rows) or not hasattr(rows, "copy"):
        return
    numbers = as_array(numbers)
    for stride in (1, 2, 4):
        donor = (np.arange(n) + 1) % n
        taken = np.arange(rows.shape[1]) // stride % 2 == 1
        mixed = rows.copy()
        if hasattr(rows, "iloc"):
            for place in np.flatnonzero(taken):
                mixed.isetitem(place, rows.iloc[donor, place].set_axis(rows.index))  # an array: None to NaN
        else:
            mixed[:, taken] = rows[donor][:, taken]
        owned = np.append(taken, False)[encoding.source]
        expected = np.where(owned, numbers[donor], numbers)
        found = as_array(encoding(mixed))
        wrong = ~np.isclose(found, expected, rtol=1e-9, atol=0.0, equal_nan=True).all(0)
        if wrong.any():
            column = int(np.flatnonzero(wrong)[0])
            raise ValueError(
                f"{encoding.names[column]!r} is made from other columns than the one that it was declared, or found, "
                "to be made from: register_encoder is for transformers that work column by column; say what is held "
                "fixed with states=, or declare a linear one with register_linear"
            )


def check_outputs(network: Network | torch.nn.Module, numbers: Any, prediction: np.ndarray, finite: bool) -> None:
    """Check that predictions and relevance are finite; of densities, warn where they are not.

    Parameters
    ----------
    numbers : what the network reads
    prediction : ndarray (n_samples[, n_outputs])
    finite : bool
        Whether all relevance, base values and residuals are.

    Raises
    ------
    ValueError
        If anything else is NaN or infinite.
    """
    outside = np.unique(np.nonzero(~np.isfinite(prediction))[0])
    if not len(outside) and not finite:
        raise ValueError(
            "relevance, a base value or a residual is NaN or infinite where predictions are not: numbers in X are too "
            "large to compute with; scale the columns, or take dtype=torch.float64 if single precision was asked for"
        )
    if not len(outside):
        return
    if isinstance(network, Network):
        if network.infinite:
            warnings.warn(
                f"{len(outside)} rows have an infinite {network.explains}: they lie outside the support of every "
                "kernel (log p = -inf) and their relevance is NaN. A gaussian kernel has no such rows.",
                stacklevel=6,  # the line that called the explainer, which two decorators wrap
            )
            return
        if np.isnan(numbers.data if sparse.issparse(numbers) else numbers).any():
            raise ValueError(
                "X contains NaN, which one part of the model takes and hands on, as scalers do, to another that does "
                f"not take it or to the output ({network.explains}): for {len(outside)} rows, the first of them "
                f"{outside[0]}, there is nothing to explain. Impute or drop such rows"
            )
    else:
        check_finite(numbers.cpu().numpy() if isinstance(numbers, torch.Tensor) else numbers)
    raise ValueError(
        f"the network gives NaN or infinity for {len(outside)} rows, the first of them {outside[0]}: a step "
        "such as log, sqrt or a division got a value outside its domain, or numbers grew too large; it explains: "
        f"{network.explains if isinstance(network, Network) else 'the output of a torch module'}"
    )


def check_sums(explanation: Explanation) -> None:
    """Warn where single samples do not add up: a torch module may mix its samples, and so their residuals."""
    size = summed(explanation, np.abs(explanation.values)) + np.abs(explanation.prediction)
    if explanation.conservation_error() > 1e-3 * float(size.max(initial=0.0)):
        warnings.warn(
            "relevance and residuals of single samples do not add up to their predictions: the module mixes its "
            "samples (time-first sequences, packed batches, batch statistics). Explain one at a time: batch_size=1",
            RuntimeWarning,
            stacklevel=6,  # the line that called the explainer, which two decorators wrap
        )


def check_rounding(explanation: Explanation) -> None:
    """Warn where a fitted model computes a prediction as a difference of numbers so large that few digits are left."""
    total = totals(explanation)
    size = np.abs(explanation.prediction) + np.abs(total)
    with np.errstate(invalid="ignore"):  # infinite densities, which are said elsewhere
        gap = np.abs(total - explanation.prediction)
        if not (gap > _ROUNDED * size).any():
            return
        size += summed(explanation, np.abs(explanation.values))
        lost = np.unique(np.nonzero(gap > _ROUNDED * size + _UNITY)[0])
    if len(lost):
        warnings.warn(
            f"numbers in X are so large that the model's own predictions of {len(lost)} rows, the first of them "
            f"{lost[0]}, are rounding: relevance adds up to what they are in exact arithmetic. Scale the columns, or "
            "leave such rows out",
            RuntimeWarning,
            stacklevel=6,  # the line that called the explainer, which two decorators wrap
        )


def check_quadrature(explanation: Explanation) -> None:
    """Warn where the integral from the reference to the row misses much: slopes do not see the steps of a model."""
    if "quadrature" not in explanation.residuals:
        return
    missed = np.abs(explanation.residuals["quadrature"]).sum()
    total = np.abs(explanation.values).sum()
    if missed > _MISSED * total:
        warnings.warn(
            f"the integral along the way from the reference misses {missed / max(total + missed, 1e-300):.0%} of all "
            "relevance: the model has steps or kinks there, which slopes do not see. The residual 'quadrature' holds "
            "it; composite='neon' explains this model without slopes",
            RuntimeWarning,
            stacklevel=6,  # the line that called the explainer, which two decorators wrap
        )
