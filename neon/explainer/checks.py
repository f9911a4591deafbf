"""What is checked before an explanation is handed out."""

from __future__ import annotations

import itertools
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy import sparse

from neon.converters import Encoding, Network
from neon.converters.core.intake import check_finite
from neon.converters.core.network import difference
from neon.errors import UnsupportedModelError
from neon.explainer.placement import as_array

if TYPE_CHECKING:
    from neon.explanation import Explanation

__all__ = ["check_equivalence", "check_outputs", "check_quadrature", "check_sources", "check_sums"]


def check_equivalence(network: Network, given: Any, numbers: Any) -> None:
    """What is explained must be what the model itself computes from the caller's rows.

    Where a row lies on a step of the model's function, such as a threshold or equal distances, rounding decides on
    which side: the network's answers to the same row, moved by less than anybody measures, then straddle the model's.

    Parameters
    ----------
    given : the caller's rows, as `Intake.given` gives them
    numbers : the same, as the network reads them

    Raises
    ------
    UnsupportedModelError
        If they differ by more than rounding.
    """
    if not numbers.shape[0]:
        return
    found = network.answers(numbers)
    try:
        own = network.own(given)
    except ValueError:
        check_outputs(network, numbers, found, finite=True)  # which has more to say of NaN
        raise
    if found.shape != own.shape:
        own = own.reshape(found.shape)
    gaps = difference(found, own)
    size = _size(own)
    single = any(w.dtype == torch.float32 for w in itertools.chain(network.buffers(), network.parameters()))
    allowed, moved = (1e-3, 1e-6) if single else (1e-6, 1e-9)

    def beyond(size: float) -> np.ndarray:
        limit = max(allowed * size, 4 * network.rounding)
        return np.flatnonzero(~(gaps <= limit).reshape(len(gaps), -1).all(1))

    if len(beyond(size)):  # sums that cancel are exact to the rounding of their terms, which other rows show
        rows = as_array(numbers)
        size = max([size, *(_size(network.answers(factor * rows)) for factor in (-1.0, 0.0))])
    wrong = beyond(size)
    if not len(wrong):
        return
    low, high = _straddled(network, numbers[wrong], moved)
    width = high - low
    with np.errstate(invalid="ignore"):
        tied = ((low - width <= own[wrong]) & (own[wrong] <= high + width)).reshape(len(wrong), -1).all(1)
    if tied.all() and gaps[wrong].max() <= allowed * max(size, 1.0):
        return  # no step at all
    if tied.all():
        warnings.warn(
            f"{len(wrong)} of the first {len(gaps)} rows, the first of them {wrong[0]}, lie on a step of the model's "
            f"function, where rounding decides: the network answers by up to {gaps[wrong].max():.3g} otherwise there",
            RuntimeWarning,
            stacklevel=3,
        )
        return
    first = wrong[~tied][0]
    cause = "the network"
    if network.inherits:
        name = type(network.model).__name__
        cause = f"the network is that of a class which {name}, or a part of it, inherits from, and"
    raise UnsupportedModelError(
        f"{cause} differs from the model by {gaps[wrong[~tied]].max():.3g} for {np.count_nonzero(~tied)} of the first "
        f"{len(gaps)} rows, the first of them {first}: {found[first]}, where the model itself gives {own[first]}. "
        + _advice(network, given, single)
    )


def _advice(network: Network, given: Any, single: bool) -> str:
    if network.inherits:
        return "Register a converter for the class itself with neon.extend.register"
    if sparse.issparse(given):
        return (
            "Some transformers take sparse rows otherwise than the same ones dense (RobustScaler does not centre "
            "them); what the model makes of dense ones is explained for X.toarray()"
        )
    if single:
        return "Explain it in dtype=torch.float64"
    return "It is not explained, since another function would be; please report it with the model"


def _size(values: np.ndarray) -> float:
    """The largest finite magnitude."""
    return float(np.abs(np.where(np.isfinite(values), values, 0.0)).max(initial=0.0))


_DRAWS = 16


def _straddled(network: Network, numbers: Any, moved: float) -> tuple[np.ndarray, np.ndarray]:
    """The least and the largest of what the network answers where rows are moved, each number by its rounding."""
    rows = as_array(numbers)
    random = np.random.default_rng(0)
    draws = [network.answers(rows * (1 + moved * random.uniform(-1, 1, rows.shape))) for _ in range(_DRAWS)]
    draws += [network.answers(rows + moved * random.uniform(-1, 1, rows.shape)) for _ in range(_DRAWS)]  # zeros as well
    return np.min(draws, axis=0), np.max(draws, axis=0)


def check_sources(encoding: Encoding, rows: Any, numbers: Any) -> None:
    """Columns that an encoding makes of one column each: those of rows that are put together from two others.

    Raises
    ------
    ValueError
        If one depends on another column, as where a function of rows was declared elementwise.
    """
    n = rows.shape[0]
    if (
        n < 2
        or not encoding.declared
        or encoding.states
        or encoding.records
        or sparse.issparse(rows)
        or not hasattr(rows, "copy")
    ):
        return
    numbers = as_array(numbers)
    for stride in (1, 2, 4):
        donor = (np.arange(n) + 1) % n
        taken = np.arange(rows.shape[1]) // stride % 2 == 1
        mixed = rows.copy()
        if hasattr(rows, "iloc"):
            for place in np.flatnonzero(taken):
                mixed.isetitem(place, rows.iloc[donor, place].array)
        else:
            mixed[:, taken] = rows[donor][:, taken]
        owned = np.append(taken, False)[encoding.source]
        expected = np.where(owned, numbers[donor], numbers)
        found = as_array(encoding(mixed))
        wrong = ~np.isclose(found, expected, rtol=1e-9, atol=0.0, equal_nan=True).all(0)
        if wrong.any():
            column = int(np.flatnonzero(wrong)[0])
            raise ValueError(
                f"{encoding.names[column]!r} is made from other columns than the one that it was declared to be made "
                "from: register_encoder is for transformers that work column by column; say what is held fixed with "
                "states=, or declare a linear one with register_linear"
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
            raise ValueError(
                "X contains NaN, which one part of the model takes and hands on, to another that does not or to the "
                "output: impute or drop such rows"
            )
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


def check_quadrature(explanation: Explanation) -> None:
    """Where a model has steps, slopes along the way do not tell how it gets from the reference to the row."""
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
            stacklevel=4,
        )


_MISSED = 0.1  # of the relevance of all rows
