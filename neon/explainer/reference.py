"""Reference rows: what "no evidence" looks like to a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from neon.converters import Network
from neon.converters.core.background import Spread
from neon.converters.core.registry import innermost, takes_data
from neon.explainer.placement import as_array
from neon.explainer.summarize import fewer
from neon.lrp.composites import Composite, Rules, by_name
from neon.lrp.paths.integral import Integral
from neon.lrp.paths.terms import players_of

__all__ = ["reference_of", "rows_and_weights", "starts_from_origin", "weighing"]

_STARTS = 100  # rows that "expected" starts from by itself; as many as the caller gives


def weighing(composite: Rules, given: Any) -> Rules:
    """The composite, and "interventional" with rows that do not weigh the same as the path rule from each of them.

    Both are the same for sums of trees. Where something curved follows, relevance is integrated from each row.
    """
    if composite != "interventional" or not _weighted(given):
        return composite
    weights = _checked(given[1], np.shape(given[1])[0])
    return composite if (weights == weights[0]).all() else Composite(by_name(composite).rules, composite, "rows")


def reference_of(
    network: Network | torch.nn.Module,
    composite: Composite,
    given: Any,
    place: Callable[[Any], Tensor],
    *,
    most: int | None = None,
) -> Tensor | tuple[Tensor, Tensor] | Integral | None:
    """What relevance is relative to: reference rows, the path rule from them, or nothing.

    Of a torch module, which reads the rows as they are, the path rule's rows and weights.

    Parameters
    ----------
    given : array-like (n_features,) or (n_rows, n_features), or such rows and weights (n_rows,), optional
        The caller's ``reference``.
    place : callable
        Puts an array where the network computes.
    most : int, optional
        Of a fitted model: how many of its or the caller's rows "expected" starts from. Default: all that are given.
    """
    if not composite.along:
        rows = _reference_rows(network, composite, given)
        return None if rows is None else place(rows)
    if isinstance(network, Network):
        return _integral_from(network, composite, given, place, most)
    if given is None:
        raise ValueError(
            f"composite {composite.name!r} starts from reference rows, and a torch module holds none: give reference=; "
            "neon.LRP(module, composite) starts from the origin"
        )
    starts, weights = _module_rows(given)
    return place(starts), place(weights)


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
            rows, weights = _module_rows(given)
            _check_equal(weights)
            return rows
        if not isinstance(network, Network):
            words = ", or give composite='neon'"
        elif takes_data(network.model):
            inner = innermost(network.model)
            whole = "" if inner is network.model else ", as the whole model reads them"
            words = f"; the rows that {type(inner).__name__} was fitted on are data={whole} ({network.explains})"
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
    network: Network, composite: Composite, given: Any, place: Callable[[Any], Tensor], most: int | None
) -> Integral:
    """The path rule of a composite that integrates, from the caller's rows or from what the model holds."""
    rows, weights = given if _weighted(given) else (given, None)
    start = ""
    if rows is not None:
        rows = _encoded(network, rows)
    elif (spread := network.background or _own(network)) is not None:
        rows, weights, start = spread.rows, spread.weights, spread.words
        most = most or _STARTS
    elif composite.along == "rows":
        raise ValueError(
            f"composite {composite.name!r} starts from reference rows, and this model holds none: give reference="
        )
    else:
        rows, start = np.zeros((1, network.intake.n_encoded)), "the origin"
    weights = np.ones(len(rows)) if weights is None else _checked(weights, len(rows))
    everywhere = given is not None or network.takes_reference
    joint, n = composite.along == "rows", len(rows)
    if joint and most is not None:
        rows, weights = fewer(rows, weights, most)
    placed, portions = place(rows), place(weights / weights.sum())
    return Integral(
        placed,
        portions,
        joint,
        _players(network, placed.device),
        start,
        everywhere=everywhere,
        middle=composite.along == "middle",
        chosen_of=n if len(rows) < n else None,
        any_rows=True,
    )


def _players(network: Network, device: torch.device) -> Tensor | None:
    """The caller's column that each encoded one was made of, where some have several."""
    encoding = network.intake.encoding
    if encoding is None or encoding.records:
        return None
    players = players_of(torch.from_numpy(encoding.source))
    return None if players is None else players.to(device)


def starts_from_origin(network: Network, reference: Any) -> bool:
    """Whether relevance is relative to a point that nothing in the data chose, and rows would have told more.

    Not of documents, whose origin is one without words.
    """
    if network.intake.records:
        return False
    alone = network.reference is None and network.background is None and network.reference_composite != "interventional"
    return alone and isinstance(reference, Tensor) and len(reference) == 1 and not bool(reference.any())


def _own(network: Network) -> Spread | None:
    """The network's own reference rows, which weigh the same."""
    rows = network.reference
    return None if rows is None else Spread(rows, np.ones(len(rows)), "the network's own reference")


def rows_and_weights(given: Any) -> tuple[Any, np.ndarray]:
    """The caller's rows as they are, and their weights, which add up to 1."""
    rows, weights = given if _weighted(given) else (given, None)
    n = rows.shape[0] if hasattr(rows, "shape") else len(rows)
    weights = np.ones(n) if weights is None else _checked(weights, n)
    return rows, weights / max(weights.sum(), 1e-300)


def _module_rows(given: Any) -> tuple[np.ndarray, np.ndarray]:
    """The caller's reference rows for a torch module, and their weights."""
    rows, weights = given if _weighted(given) else (given, None)
    rows = np.atleast_2d(as_array(rows))
    return rows, np.ones(len(rows)) if weights is None else _checked(weights, len(rows))


def _checked(weights: Any, n: int) -> np.ndarray:
    """Weights of n reference rows."""
    try:
        weights = np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError):
        weights = np.empty(0)
    if weights.shape != (n,) or not np.isfinite(weights).all() or (weights < 0).any() or not weights.sum() > 0:
        raise ValueError(f"weights of {n} reference rows must be as many numbers ≥ 0, and not all of them 0")
    return weights


def _check_equal(weights: np.ndarray) -> None:
    """Refuse weights that differ: rules other than the path rules count each row once."""
    if (weights != weights[:1]).any():
        raise ValueError(
            "reference must be rows that weigh the same; repeat rows that weigh more, or take composite='shapley'"
        )


def _weighted(given: Any) -> bool:
    """Whether rows and weights are given."""
    if not (isinstance(given, tuple) and len(given) == 2):
        return False
    rows, weights = given
    return np.ndim(weights) == 1 and (hasattr(rows, "columns") or sparse.issparse(rows) or np.ndim(rows) >= 2)


def _encoded(network: Network, rows: Any) -> np.ndarray:
    """The caller's reference rows as the network reads them."""
    if hasattr(rows, "to_frame") and hasattr(rows, "index"):  # a Series: one row, with names
        rows = rows.to_frame().T
    if _weighted(rows):
        rows, weights = rows
        _check_equal(_checked(weights, rows.shape[0] if hasattr(rows, "shape") else len(rows)))
    if not hasattr(rows, "columns") and not sparse.issparse(rows):
        rows = np.atleast_2d(np.asarray(rows))
    try:
        numbers = network.intake.read(network.intake.given(rows)[0])
    except ValueError as error:
        raise ValueError(f"reference, rows like X, does not fit: {error}") from error
    if numbers.shape[0] == 0:
        raise ValueError("reference has no rows")
    return as_array(numbers)
