"""From the caller's columns to numbers whose distances mean something: the recipe where no encoder is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.validation import check_is_fitted

from neon.explanation.as_numbers import as_numbers
from neon.extend import register_encoder

__all__ = ["MOST_CATEGORIES", "CategoriesAsText", "DaysSince1970", "encoder_of", "readable"]

MOST_CATEGORIES = 20  # one-hot codes of a column: the others share one, or names and numbers of rows would have most


class _ColumnByColumn(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Holds nothing but how many columns there are, and what they are called."""

    def fit(self, X: Any, y: Any = None) -> _ColumnByColumn:
        """Count the columns, and keep their names."""
        self.n_features_in_ = X.shape[1]
        if hasattr(X, "columns"):
            self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """(n_rows, n_columns), read column by column."""
        columns = [list(X.iloc[:, i]) for i in range(X.shape[1])] if hasattr(X, "iloc") else list(np.asarray(X).T)
        return np.stack([self._read(column) for column in columns], axis=1)


class DaysSince1970(_ColumnByColumn):
    """Dates and durations as days; NaN where they are missing."""

    def _read(self, column: list[Any]) -> np.ndarray:
        return as_numbers(np.array([*column, None], dtype=object)[:-1])


class CategoriesAsText(_ColumnByColumn):
    """Categories of whatever kind as text, "missing" where they are."""

    def _read(self, column: list[Any]) -> np.ndarray:
        return np.array([*("missing" if pd.isna(value) else str(value) for value in column), None], dtype=object)[:-1]


register_encoder(DaysSince1970, CategoriesAsText)


def readable(X: Any) -> Any:
    """X as encoders read it: objects that are numbers as numbers; polars and arrays of objects as pandas frames."""
    if hasattr(X, "to_pandas") and not hasattr(X, "iloc"):
        X = X.to_pandas()
    elif isinstance(X, np.ndarray) and X.dtype.kind in "OUS" and X.ndim == 2:
        X = pd.DataFrame(X.astype(object), columns=[f"feature {i}" for i in range(X.shape[1])])
    if not hasattr(X, "iloc") or len(X.shape) == 1:
        return X
    if not X.columns.is_unique:
        twice = X.columns[X.columns.duplicated()].unique().tolist()
        raise ValueError(f"several columns of X are called {twice}; name them apart")
    return X.infer_objects()


def encoder_of(X: Any, encoder: Any) -> tuple[Any, str]:
    """A fitted transformer of the rows, None for "passthrough"; and what it does, in words.

    Raises
    ------
    TypeError
        If the encoder is no transformer.
    ValueError
        If there are no columns to read by the recipe.
    """
    if isinstance(encoder, str) and encoder == "passthrough":
        return None, "of the columns as they are"
    if encoder is None:
        if len(X.shape) != 2:
            raise ValueError(
                f"X must have shape (n_rows, n_features), got {X.shape}; of documents, name what makes numbers of "
                "them: encoder=TfidfVectorizer()"
            )
        recipe, words = _recipe(X)
        return recipe.fit(X), words
    if not (hasattr(encoder, "transform") and hasattr(encoder, "fit")):
        raise TypeError(
            f'encoder must be a transformer, a pipeline of them, "passthrough" or None, got {type(encoder).__name__}'
        )
    words = f"after {type(encoder).__name__}"
    try:
        check_is_fitted(encoder)
    except NotFittedError:
        return clone(encoder).fit(X), f"{words}, fitted on X"
    return encoder, words


def _recipe(X: Any) -> tuple[Any, str]:
    """An encoder that makes columns comparable, not fitted yet, and what it does."""
    scaled = "numbers in standard deviations"
    if sparse.issparse(X):
        return StandardScaler(with_mean=False), scaled
    imputed = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    if not hasattr(X, "iloc"):
        return imputed, f"{scaled} (missing: the median)"
    dated = make_pipeline(DaysSince1970(), *(clone(step) for _, step in imputed.steps))
    codes = OneHotEncoder(max_categories=MOST_CATEGORIES, handle_unknown="infrequent_if_exist", sparse_output=False)
    parts = {
        "numbers": (imputed, f"{scaled} (missing: the median)"),
        "booleans": (StandardScaler(), "booleans in standard deviations"),
        "dates": (dated, "dates in standard deviations of days"),
        "categories": (
            make_pipeline(CategoriesAsText(), codes),
            "categories as one-hot codes (missing: a category)",
        ),
    }
    kinds = np.array([_kind(dtype) for dtype in X.dtypes])
    used = {kind: part for kind, part in parts.items() if (kinds == kind).any()}
    columns = ColumnTransformer(
        [(kind, step, np.flatnonzero(kinds == kind).tolist()) for kind, (step, _) in used.items()], sparse_threshold=0.0
    )
    return columns, ", ".join(words for _, words in used.values())


def _kind(dtype: Any) -> str:
    """Which part of the recipe reads a column."""
    if isinstance(dtype, np.dtype) and dtype.kind == "b":
        return "booleans"
    if pd.api.types.is_datetime64_any_dtype(dtype) or pd.api.types.is_timedelta64_dtype(dtype):
        return "dates"
    numeric = pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)
    return "numbers" if numeric else "categories"
