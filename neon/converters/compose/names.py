"""Names of the columns that a model reads, also where only a part of it knows them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from neon.converters.core.registry import may_hold_nothing

__all__ = ["RECORD", "column_names", "numbered"]

RECORD = ("record",)  # the one thing that a row is, where it is a document


def numbered(count: int) -> tuple[str, ...]:
    """Names of columns without names."""
    return tuple(f"feature {i}" for i in range(count))


def column_names(model: Any) -> tuple[str, ...]:
    """The names of the caller's columns; of documents, the one thing that a row is."""
    names = getattr(model, "feature_names_in_", None)
    if names is not None:
        return tuple(map(str, names))
    if hasattr(model, "n_features_in_"):
        return numbered(model.n_features_in_)
    return next((column_names(part) for part in _parts(model) if _may_know_columns(part)), RECORD)


def _may_know_columns(part: Any) -> bool:
    """Not what holds nothing after ``fit``, nor a union that runs nothing."""
    branches = getattr(part, "transformer_list", [("", None)])
    runs = any(not isinstance(branch, str) or branch != "drop" for _, branch in branches)
    return runs and hasattr(part, "get_params") and not may_hold_nothing(part)


def _parts(model: Any) -> Iterator[Any]:
    """Estimators inside that read the same columns: pipelines that start with "passthrough" do not know how many."""
    yield from (part for _, part in (*getattr(model, "steps", ()), *getattr(model, "transformer_list", ())))
    yield from getattr(model, "estimators_", ())
    yield from (fold.estimator for fold in getattr(model, "calibrated_classifiers_", ()))
    inner = ("estimator_", "regressor_", "best_estimator_", "estimator")
    yield from (getattr(model, name) for name in inner if hasattr(model, name))
