"""Imputers: what stands in for a missing entry is relevant for the column where it was missing, and is flagged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from neon.converters.core import Ask, Conversion, converter
from neon.converters.preprocessing.encoders import convert_encoder

__all__ = ["convert_imputer", "convert_missing_indicator"]


@converter(*(f"sklearn.impute.{name}Imputer" for name in ("Simple", "KNN", "Iterative")))
def convert_imputer(model: Any, ask: Ask) -> Conversion:
    """SimpleImputer, KNNImputer, IterativeImputer: columns without any value at fit dropped, indicators added.

    KNNImputer and IterativeImputer compute a missing entry from the row's other columns. Its relevance stays with the
    column that was missing: ``explanation.imputed`` says where that is so.
    """
    n = int(model.n_features_in_)
    kept = np.arange(n) if model.keep_empty_features else np.flatnonzero(_had_values(model, n))
    indicators = model.indicator_.features_ if model.add_indicator else np.zeros(0, dtype=np.int64)
    learned = hasattr(model, "n_neighbors") or hasattr(model, "imputation_sequence_")
    return convert_encoder(
        model,
        np.concatenate([kept, indicators]),
        Missing(model.missing_values),
        states="what other columns say about a missing entry" if learned else "",
    )


@converter("sklearn.impute.MissingIndicator")
def convert_missing_indicator(model: Any, ask: Ask) -> Conversion:
    """MissingIndicator: 1 where an entry is missing."""
    return convert_encoder(model, model.features_)


def _had_values(model: Any, n_features: int) -> np.ndarray:
    """Which columns had a value at fit, and are kept."""
    if hasattr(model, "_valid_mask"):  # KNNImputer
        return np.asarray(model._valid_mask)
    statistics = getattr(model, "initial_imputer_", model).statistics_
    return ~_is_nan(np.asarray(statistics).reshape(n_features))


@dataclass(frozen=True, eq=False)
class Missing:
    """Which entries an imputer takes for missing."""

    value: Any

    def __call__(self, rows: Any) -> np.ndarray:
        entries = np.asarray(rows.toarray() if sparse.issparse(rows) else rows)
        if self.value is None or not (isinstance(self.value, float) and np.isnan(self.value)):
            import pandas as pd

            return _is_nan(entries) if self.value is pd.NA else np.asarray(entries == self.value, dtype=bool)
        return _is_nan(entries)


def _is_nan(entries: np.ndarray) -> np.ndarray:
    """NaN, also among objects; None and pandas' NA as well, which frames hold in NaN's place."""
    if entries.dtype.kind == "f":
        return np.isnan(entries)
    if entries.dtype.kind != "O":
        return np.zeros(entries.shape, dtype=bool)
    import pandas as pd

    return np.asarray(pd.isna(entries))
