"""Which columns of a table a model reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from neon.converters.core.intake import spellings

__all__ = ["columns_read", "present"]


def columns_read(network: Any, names: Sequence[str], kept: Sequence[str], features: Any = None) -> list[str]:
    """Those that the caller names, or that the model was fitted on, or else all that are not kept, in this order.

    Raises
    ------
    ValueError
        If some are not there, or there are more or fewer than the model reads.
    """
    if features is not None:
        return present(names, features, "features")
    fitted = getattr(network, "feature_names", None)
    if fitted is not None:
        for spelled in map(list, spellings(names)):
            if set(fitted) <= set(spelled):
                return [names[spelled.index(name)] for name in fitted]
        return present(names, fitted, "the model was fitted on")
    found = [name for name in names if name not in kept]
    expected = getattr(network, "n_features_in", len(found))
    if len(found) != expected:
        raise ValueError(
            f"the model reads {expected} columns, and there are {len(found)} that are not in columns=: "
            f"{', '.join(map(repr, found))}; fit the model on a DataFrame, whose names it keeps, or hand in those that "
            "it reads alone (explain_parquet: or name them by features=)"
        )
    return found


def present(names: Sequence[str], wanted: Sequence[str], what: str) -> list[str]:
    """The wanted columns, all of which are among the names."""
    if isinstance(wanted, str):
        raise ValueError(f"{what} must be a sequence of names, got the string {wanted!r}: [{wanted!r}]")
    missing = [name for name in wanted if name not in names]
    if missing:
        there = ", ".join(map(repr, names))
        raise ValueError(f"{what}: there is no column {', '.join(map(repr, missing))} among {there}")
    return list(wanted)
