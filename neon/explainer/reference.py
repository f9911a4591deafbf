"""Reference rows: what "no evidence" looks like to a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from neon.converters import Network
from neon.converters.core.registry import bare, takes_data
from neon.explainer.placement import as_array
from neon.lrp.composites import Composite
from neon.lrp.paths.integral import Integral

__all__ = ["reference_of"]

_STARTS = 100  # rows that "expected" starts from by itself; as many as the caller gives


def reference_of(
    network: Network | torch.nn.Module, composite: Composite, given: Any, place: Callable[[Any], Tensor]
) -> Tensor | Integral | None:
    """What relevance is relative to: reference rows, the path rule from them, or nothing.

    Parameters
    ----------
    given : array-like (n_features,) or (n_rows, n_features), or such rows and weights (n_rows,), optional
        The caller's ``reference``.
    place : callable
        Puts an array where the network computes.
    """
    if composite.along:
        return _integral_from(network, composite, given, place)
    rows = _reference_rows(network, composite, given)
    return None if rows is None else place(rows)


def _reference_rows(network: Network | torch.nn.Module, composite: Composite, given: Any) -> np.ndarray | None:
    """The rows that relevance is relative to, as the network reads them (n_rows, n_encoded); None if to none.

    By default the network's own, or the origin; rows that neither it nor the composite has a use for are refused.
    """
    if given is None and any(rule.needs_reference for _, rule in composite.rules):
        raise ValueError(f"composite {composite.name!r} compares with reference rows: give reference=")
    if not (isinstance(network, Network) and network.takes_reference):
        if given is None:
            return None
        if not isinstance(network, Network) and composite.takes_reference:
            return as_array(given) if isinstance(given, torch.Tensor) else np.asarray(given)
        if not isinstance(network, Network):
            words = ", or give composite='neon'"
        elif takes_data(network.model):
            words = f"; the rows that {type(bare(network.model)).__name__} was fitted on are data= ({network.explains})"
        else:
            words = f" ({network.explains})"
        raise ValueError(f"this model's explanation is not relative to a reference point; leave reference=None{words}")
    if not composite.takes_reference:
        if given is None:
            return None
        raise ValueError(
            f"composite {composite.name!r} has no rule that is relative to a reference point; leave "
            "reference=None, or use composite='neon' (rules.Reference in a composite of your own)"
        )
    if given is not None:
        return _encoded(network, given)
    if network.reference is not None:
        return np.asarray(network.reference, dtype=np.float64)
    return np.zeros((1, network.intake.n_encoded))


def _integral_from(
    network: Network | torch.nn.Module, composite: Composite, given: Any, place: Callable[[Any], Tensor]
) -> Integral:
    """The path rule of a composite that integrates, from the caller's rows or from what the model holds."""
    if not isinstance(network, Network):
        raise ValueError(
            f"composite {composite.name!r} explains fitted models; for a torch module take one of the others of "
            "neon.composites.names()"
        )
    rows, weights = given if _weighted(given) else (given, None)
    start = ""
    if rows is not None:
        rows = _encoded(network, rows)
    elif network.background is not None:
        spread = network.background.few(_STARTS) if composite.along == "rows" else network.background
        rows, weights, start = spread.rows, spread.weights, spread.words
    elif network.reference is not None:
        rows, start = network.reference, "the network's own reference"
    elif composite.along == "rows":
        raise ValueError(
            f"composite {composite.name!r} starts from reference rows, and this model holds none: give reference="
        )
    else:
        rows, start = np.zeros((1, network.intake.n_encoded)), "the origin"
    weights = np.ones(len(rows)) if weights is None else np.asarray(weights, dtype=np.float64)
    if weights.shape != (len(rows),) or not np.isfinite(weights).all() or (weights < 0).any() or not weights.sum() > 0:
        raise ValueError(f"weights of {len(rows)} reference rows must be as many numbers ≥ 0, and not all of them 0")
    everywhere = given is not None or network.takes_reference
    joint = composite.along == "rows"
    return Integral(place(rows), place(weights / weights.sum()), joint, start, everywhere=everywhere)


def _weighted(given: Any) -> bool:
    """Whether rows and weights are given."""
    if not (isinstance(given, tuple) and len(given) == 2):
        return False
    rows, weights = given
    return np.ndim(weights) == 1 and (hasattr(rows, "columns") or sparse.issparse(rows) or np.ndim(rows) == 2)


def _encoded(network: Network, rows: Any) -> np.ndarray:
    """The caller's reference rows as the network reads them."""
    if hasattr(rows, "to_frame") and hasattr(rows, "index"):  # a Series: one row, with names
        rows = rows.to_frame().T
    if _weighted(rows):
        rows, weights = rows
        if len(set(map(float, weights))) != 1:
            raise ValueError(
                "reference must be rows that weigh the same; repeat rows that weigh more, or take composite='shapley'"
            )
    if not hasattr(rows, "columns") and not sparse.issparse(rows):
        rows = np.atleast_2d(np.asarray(rows))
    try:
        numbers = network.intake.read(network.intake.given(rows)[0])
    except ValueError as error:
        raise ValueError(f"reference, rows like X, does not fit: {error}") from error
    if numbers.shape[0] == 0:
        raise ValueError("reference has no rows")
    return as_array(numbers)
