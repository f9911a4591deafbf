"""Transformers side by side: ColumnTransformer and FeatureUnion."""

from __future__ import annotations

import dataclasses
from collections import UserList
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from neon.converters.compose.linear_maps import merged
from neon.converters.compose.names import RECORD, column_names, numbered
from neon.converters.core import Ask, Conversion, Encoding, Transform, convert, converter, names_of
from neon.converters.core.arrays import unchanged
from neon.errors import UnsupportedModelError
from neon.nn import Affine

__all__ = ["convert_column_transformer", "convert_feature_union", "folded"]


@converter("sklearn.compose.ColumnTransformer")
def convert_column_transformer(model: Any, ask: Ask) -> Conversion:
    """Each branch reads some of the caller's columns; its columns stand beside those of the others."""
    given, weights = column_names(model), model.transformer_weights or {}
    branches = []
    for name, transformer, columns in model.transformers_:
        if isinstance(columns, UserList):  # scikit-learn 1.6: the remainder's positions, which warn when read
            columns = columns.data
        chosen = _positions(columns, model)
        if (isinstance(transformer, str) and transformer == "drop") or not len(chosen):
            continue
        picked = Encoding(_Pick(columns, chosen), chosen, tuple(given[i] for i in chosen))
        part = (
            None
            if isinstance(transformer, str)
            else convert(transformer, ask.inside(name, step=True, n_features=len(chosen)))
        )
        branches.append(_weighted(_reading(picked, part), weights.get(name)))
    return _side_by_side(model, branches)


@converter("sklearn.pipeline.FeatureUnion")
def convert_feature_union(model: Any, ask: Ask) -> Conversion:
    """Each branch reads all columns; weighted, where the union has weights."""
    weights, given = model.transformer_weights or {}, column_names(model)
    n_features = ask.n_features
    if given == RECORD:
        given = numbered(n_features) if n_features else given
    else:
        n_features = len(given)
    parts = [
        (
            name,
            None
            if transformer == "passthrough"
            else convert(transformer, ask.inside(name, step=True, n_features=n_features)),
        )
        for name, transformer in model.transformer_list
        if not (isinstance(transformer, str) and transformer == "drop")
    ]
    if given == RECORD and not any(part is not None for _, part in parts):
        raise UnsupportedModelError(
            f"FeatureUnion of {[name for name, _ in model.transformer_list]} knows no number of columns, as none of "
            "its transformers is run; leave it out"
        )
    records = any(part is not None and part.encoding is not None and part.encoding.records for _, part in parts)
    given = RECORD if records else given
    everything = Encoding(unchanged, np.arange(len(given)), given, records=records)
    branches = [_weighted(_reading(everything, part), weights.get(name)) for name, part in parts]
    together = _side_by_side(model, branches)
    return together if records else dataclasses.replace(together, n_features=len(given))


def _reading(picked: Encoding, part: Conversion | None) -> Conversion:
    """A branch that reads picked columns; None passes them through."""
    if part is None:
        return Conversion(torch.nn.Sequential(), "columns", picked.names, picked, encoding=picked)
    encoding = picked if part.encoding is None else picked.then(part.encoding)
    return dataclasses.replace(part, encoding=encoding)


def _weighted(branch: Conversion, weight: float | None) -> Conversion:
    """A branch whose columns are multiplied by the weight that the model gives it."""
    if weight is None:
        return branch
    scale, back = Affine(np.full(len(branch.output_names), float(weight))), branch.inverse
    inverse = None if back is None or not weight else lambda Z: back(Z / weight)
    return branch.then(scale, inverse=inverse)


def _side_by_side(model: Any, branches: list[Conversion]) -> Conversion:
    encodings = [branch.encoding for branch in branches if branch.encoding is not None]
    names = names_of(model, sum(len(branch.output_names) for branch in branches))
    layered = any(len(branch.layers) for branch in branches)
    sizes = [len(e.source) for e in encodings]
    encoding = Encoding.beside(encodings, _distinct(model, branches, encodings) if layered else names)
    if not layered:
        encoding = dataclasses.replace(encoding, function=Transform(model))
    return Conversion(
        merged([branch.layers for branch in branches], sizes) if layered else torch.nn.Sequential(),
        f"columns of {type(model).__name__}",
        names,
        Transform(model),
        encoding=encoding,
        inverse=_inverse(branches, sizes),
        missing=all(branch.missing for branch in branches if len(branch.layers)),
    )


def _distinct(model: Any, branches: list[Conversion], encodings: list[Encoding]) -> tuple[str, ...]:
    """Names of the encoded columns: where branches share names, with the branch's own before them."""
    names = [name for e in encodings for name in e.names]
    if len(set(names)) == len(names):
        return tuple(names)
    kept = [
        name
        for name, transformer, *columns in getattr(model, "transformers_", getattr(model, "transformer_list", ()))
        if not (isinstance(transformer, str) and transformer == "drop")
        and not (columns and not len(_positions(columns[0], model)))
    ]
    return tuple(f"{branch}__{name}" for branch, e in zip(kept, encodings, strict=True) for name in e.names)


def _inverse(branches: list[Conversion], sizes: list[int]) -> Any:
    """Back through every branch; where a branch has no way back, there is none."""
    backs = [branch.inverse if len(branch.layers) else unchanged for branch in branches]
    if any(back is None for back in backs):
        return None
    bounds = np.cumsum([len(branch.output_names) for branch in branches])[:-1]

    def inverse(Z: np.ndarray) -> np.ndarray:
        parts = np.split(Z, bounds, axis=1)
        return np.concatenate([back(part) for back, part in zip(backs, parts, strict=True) if back is not None], axis=1)

    return inverse


def folded(parts: list[Conversion]) -> list[Conversion]:
    """Scalings that stand before an encoding, as encodings themselves: they, too, make a column from a column.

    So provenance, missing entries and strings pass through imputers, encoders and selections in whatever order; and so
    do values that are compared with thresholds, to the last bit.
    """
    last = 0
    for index, part in enumerate(parts):
        last = index if part.encoding is not None or part.thresholds else last
        if not _elementwise(part.layers):
            break
    return [*map(_encoded, parts[:last]), *parts[last:]]


def _elementwise(layers: torch.nn.Sequential) -> bool:
    """Whether every output of these layers depends on the input in its own place alone."""
    return all(
        isinstance(layer, Affine)
        or (isinstance(layer, torch.nn.Linear) and torch.equal(layer.weight, torch.diag(layer.weight.diagonal())))
        for layer in layers
    )


def _encoded(part: Conversion) -> Conversion:
    """A transformer with elementwise layers as an encoding."""
    if not len(part.layers):
        return part
    source = np.arange(len(part.output_names)) if part.encoding is None else part.encoding.source
    encoding = Encoding(part.own, source, part.output_names)
    if part.encoding is not None:
        encoding = dataclasses.replace(part.encoding, function=part.own, names=part.output_names)
    return dataclasses.replace(part, body=torch.nn.Sequential(), encoding=encoding, inverse=None)


def _positions(columns: Any, model: Any) -> np.ndarray:
    """A ColumnTransformer's columns as positions."""
    names = list(getattr(model, "feature_names_in_", ()))
    n = int(model.n_features_in_)
    if callable(columns):
        raise TypeError("transformers_ of a fitted ColumnTransformer hold columns, not functions")
    if isinstance(columns, slice) and not isinstance(columns.start or columns.stop, str):
        return np.arange(n)[columns]
    if isinstance(columns, slice):
        start = 0 if columns.start is None else names.index(columns.start)
        stop = n if columns.stop is None else names.index(columns.stop) + 1  # of names, the last one is included
        return np.arange(start, stop)
    picked = [columns] if np.ndim(columns) == 0 else list(columns)
    if len(picked) and isinstance(picked[0], (bool, np.bool_)):
        return np.flatnonzero(picked)
    return np.array([names.index(c) if isinstance(c, str) else int(c) % n for c in picked], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class _Pick:
    """Columns of rows, one-dimensional where the ColumnTransformer was given a single name or position."""

    columns: Any
    positions: np.ndarray

    def __call__(self, rows: Any) -> Any:
        flat = np.ndim(self.columns) == 0 and not isinstance(self.columns, slice)
        if hasattr(rows, "iloc"):
            return rows.iloc[:, self.positions[0] if flat else self.positions]
        if hasattr(rows, "columns"):  # polars
            names = [rows.columns[i] for i in self.positions]
            return rows[names[0]] if flat else rows[names]
        return rows[:, self.positions[0]] if flat else rows[:, self.positions]
