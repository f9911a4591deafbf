"""Transformers in front of a fitted model: without the direction of an artifact, or with a leaking column replaced."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from neon.artifacts.direction import direction_of
from neon.artifacts.projection import DirectionProjection
from neon.converters.core import transformer
from neon.converters.core.containers import column_names, numeric
from neon.converters.core.intake import Intake
from neon.converters.preprocessing.encoders import convert_linear
from neon.explanation.algebra import positions
from neon.extend import Ask, Conversion, register, register_encoder
from neon.nn import Affine

__all__ = ["ColumnReplacer", "DirectionRemover", "check_columns"]


class DirectionRemover(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Rows without the direction in which those with an artifact differ, each column in its standard deviations.

    ``x - s v vᵀ (x - z) / s``: z the mean and s the standard deviations of the rows without it, v of length 1.

    Parameters
    ----------
    direction : "mean_difference", "svm" or array-like (n_features,)
        As `neon.project_out` takes it; an array is in standard deviations.
    only_found : bool
        Change only rows in which the artifact is found.

    Attributes
    ----------
    direction_ : Direction
        In standard deviations about ``origin_``.
    origin_, scale_ : ndarray (n_features,)
    """

    def __init__(self, direction: Any = "mean_difference", only_found: bool = False) -> None:
        self.direction = direction
        self.only_found = only_found

    def fit(self, X: Any, y: Any) -> DirectionRemover:
        """Find the direction; y : (n_rows,), whether each row has the artifact."""
        names, rows = column_names(X), _dense(X)
        has = np.asarray(y)
        if has.shape != (len(rows),) or has.dtype != bool or has.all() or not has.any():
            raise ValueError(
                f"y must say of each of {len(rows)} rows whether it has the artifact, True or False, and both must be "
                f"there; got {has.dtype} of shape {has.shape}"
            )
        self.n_features_in_ = rows.shape[1]
        if names is not None:
            self.feature_names_in_ = np.array(names, dtype=object)
        self.origin_ = rows[~has].mean(0)
        spread = rows[~has].std(0)
        joint = rows.std(0)  # of a column that is constant without the artifact
        self.scale_ = np.where(spread > 0, spread, np.where(joint > 0, joint, 1.0))
        z = (rows - self.origin_) / self.scale_
        self.direction_ = direction_of(z[has], z[~has], self.direction)
        return self

    def transform(self, X: Any) -> Any:
        """The same rows, a data frame as a data frame, less the component along the direction."""
        check_is_fitted(self)
        check_columns(self, X)
        rows = _dense(X)
        component = ((rows - self.origin_) / self.scale_) @ self.direction_.vector
        if self.only_found:
            component = np.where(component > self.direction_.threshold, component, 0.0)
        left = rows - component[:, None] * self.direction_.vector * self.scale_
        if hasattr(X, "iloc"):
            return type(X)(left, columns=X.columns, index=X.index)
        return left if column_names(X) is None else type(X)(left, schema=list(X.columns))  # polars


class ColumnReplacer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Rows in which some columns say nothing: each has the same value in all rows.

    Parameters
    ----------
    columns : sequence of str or int
        By name or position.

    Attributes
    ----------
    values_ : dict of int to value
        By position, what each column becomes: of numbers the mean of the rows of ``fit``, else the most frequent value.
    """

    def __init__(self, columns: Any = ()) -> None:
        self.columns = columns

    def fit(self, X: Any, y: Any = None) -> ColumnReplacer:
        import pandas as pd

        names = column_names(X)
        if names is not None:
            frame = X if hasattr(X, "iloc") else X.to_pandas()
        else:
            frame = pd.DataFrame(X.toarray() if sparse.issparse(X) else np.asarray(X))
        self.n_features_in_ = frame.shape[1]
        if names is not None:
            self.feature_names_in_ = np.array(names, dtype=object)
        known = tuple(names) if names is not None else tuple(map(str, range(frame.shape[1])))
        self.values_ = {}
        for place in positions(self.columns, known).tolist():
            column = frame.iloc[:, place].dropna()
            if not len(column):
                raise ValueError(f"column {known[place]!r} has no value in clean_rows that could replace it")
            numbers = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
            self.values_[place] = float(column.mean()) if numbers else column.mode().iloc[0]
        return self

    def transform(self, X: Any) -> Any:
        """The same rows with these columns replaced, a data frame as a data frame."""
        check_is_fitted(self)
        check_columns(self, X)
        if hasattr(X, "iloc"):
            changed = X.copy()
            for place, value in self.values_.items():
                column = X.iloc[:, place]
                # Whole numbers become floating ones, for their mean; else a column stays of its kind.
                kind = np.float64 if isinstance(value, float) else column.dtype
                changed.isetitem(place, type(column)(value, index=X.index, dtype=kind))
            return changed
        if column_names(X) is not None:  # polars, whose columns are Series by name
            columns = [(X.columns[place], value) for place, value in self.values_.items()]
            return X.with_columns([type(X[name])(name, [value] * len(X)) for name, value in columns])
        changed = X.toarray() if sparse.issparse(X) else np.array(X, copy=True)
        changed = changed.astype(np.float64) if changed.dtype.kind in "biuf" else changed
        for place, value in self.values_.items():
            changed[:, place] = value
        return changed


def check_columns(fitted: Any, X: Any) -> None:
    """Refuse rows whose columns are not those that an estimator was fitted with, in their order."""
    shape, n_features = X.shape if hasattr(X, "shape") else np.shape(X), fitted.n_features_in_
    if len(shape) != 2 or shape[1] != n_features:
        raise ValueError(f"expected rows of shape (n_rows, {n_features}), got {tuple(shape)}")
    names = getattr(fitted, "feature_names_in_", None)
    if names is not None and column_names(X) is not None:
        Intake(n_features, tuple(map(str, names))).check_names(list(X.columns))


def _dense(X: Any) -> np.ndarray:
    rows = numeric(X)
    return np.asarray(rows.toarray() if sparse.issparse(rows) else rows)


def _convert_remover(model: DirectionRemover, ask: Ask) -> Conversion:
    """A linear map; where rows are changed only if the artifact is found, a step in which each unit keeps its own."""
    if not model.only_found:
        return convert_linear(model, ask)
    z = torch.as_tensor(model.origin_ / model.scale_)
    layers = [
        Affine(torch.as_tensor(1 / model.scale_), -z),
        DirectionProjection(model.direction_, z, True, None, 1),
        Affine(torch.as_tensor(model.scale_), torch.as_tensor(model.origin_)),
    ]
    return transformer(model, layers, "columns without an artifact", model.n_features_in_)


def _sources(model: ColumnReplacer) -> np.ndarray:
    """A replaced column is made from none."""
    source = np.arange(model.n_features_in_)
    source[list(model.values_)] = -1
    return source


register(DirectionRemover, by=_convert_remover)
register_encoder(ColumnReplacer, source=_sources)
