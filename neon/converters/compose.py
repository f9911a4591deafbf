"""Transformers side by side: ColumnTransformer and FeatureUnion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import sparse

from neon.converters.base import Conversion
from neon.converters.encoding import Encoding, names_of
from neon.converters.registry import convert, register, within
from neon.nn import Affine, Linear, SideBySide, plain_linear

__all__ = ["convert_column_transformer", "convert_feature_union"]


def convert_column_transformer(
    model: Any, *, output: str | None = None, form: str = "fused", path: str = ""
) -> Conversion:
    """Each branch reads some of the caller's columns; its columns stand beside those of the others."""
    given = _given(model)
    branches = []
    for name, transformer, columns in model.transformers_:
        chosen = _positions(columns, model)
        if (isinstance(transformer, str) and transformer == "drop") or not len(chosen):
            continue
        picked = Encoding(_Pick(columns, chosen), chosen, tuple(given[i] for i in chosen))
        if isinstance(transformer, str):  # "passthrough"
            branches.append(Conversion(torch.nn.Sequential(), "columns", picked.names, picked, encoding=picked))
            continue
        part = convert(transformer, form=form, path=within(path, name))
        branches.append(_reading(picked, part))
    return _side_by_side(model, branches, form)


def convert_feature_union(model: Any, *, output: str | None = None, form: str = "fused", path: str = "") -> Conversion:
    """Each branch reads all columns; weighted, where the union has weights."""
    n = int(model.n_features_in_)
    weights = model.transformer_weights or {}
    everything = Encoding(_identity, np.arange(n), _given(model))
    branches = []
    for name, transformer in model.transformer_list:
        if isinstance(transformer, str) and transformer == "drop":
            continue
        if isinstance(transformer, str):  # "passthrough"
            part = Conversion(torch.nn.Sequential(), "columns", everything.names, everything)
        else:
            part = convert(transformer, form=form, path=within(path, name))
        branch = _reading(everything, part)
        if name in weights:
            branch.layers.append(Affine(np.full(len(branch.output_names), float(weights[name]))))
        branches.append(branch)
    return _side_by_side(model, branches, form)


convert_column_transformer.nests = True  # type: ignore[attr-defined]
convert_feature_union.nests = True  # type: ignore[attr-defined]


def _reading(picked: Encoding, part: Conversion) -> Conversion:
    """A branch that reads picked columns."""
    encoding = picked if part.encoding is None else picked.then(part.encoding)
    return Conversion(
        part.layers, part.explains, part.output_names, part.own, encoding=encoding, inverse=part.inverse,
        missing=part.missing,
    )  # fmt: skip


def _side_by_side(model: Any, branches: list[Conversion], form: str) -> Conversion:
    encodings = [branch.encoding for branch in branches if branch.encoding is not None]
    n_outputs = sum(len(branch.output_names) for branch in branches)
    names = names_of(model, None, n_outputs)
    encoding = Encoding(
        _Beside(tuple(e.function for e in encodings)),
        np.concatenate([e.source for e in encodings]) if encodings else np.zeros(0, dtype=np.int64),
        tuple(name for e in encodings for name in e.names),
        _replaced(encodings),
    )
    sizes = [len(e.source) for e in encodings]
    return Conversion(
        _merged([branch.layers for branch in branches], sizes, form),
        type(model).__name__,
        names,
        model.transform,
        encoding=encoding,
        inverse=_inverse(branches, sizes),
        missing=all(branch.missing for branch in branches if len(branch.layers)),
    )


def _merged(branches: Sequence[torch.nn.Sequential], sizes: Sequence[int], form: str) -> torch.nn.Sequential:
    """Branches of scalings become one scaling, branches of linear maps one linear map; else they run side by side."""
    kinds = {type(layer) for branch in branches for layer in branch}
    if not kinds:
        return torch.nn.Sequential()
    if kinds <= {Affine, Linear, torch.nn.Linear}:
        maps = [_linear(branch, size) for branch, size in zip(branches, sizes, strict=True)]
        weight, bias = torch.block_diag(*(weight for weight, _ in maps)), torch.cat([bias for _, bias in maps])
        if form == "relu":
            return torch.nn.Sequential(plain_linear(weight, bias))
        elementwise = kinds == {Affine}
        return torch.nn.Sequential(Affine(weight.diagonal(), bias) if elementwise else Linear(weight, bias))
    if form == "relu":
        raise ValueError("networks side by side are no row of Linear and ReLU: there is no exact ReLU form")
    return torch.nn.Sequential(SideBySide(branches, sizes))


def _linear(layers: torch.nn.Sequential, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Scalings and linear maps in a row as one linear map: weight and bias."""
    weight, bias = torch.eye(size, dtype=torch.float64), torch.zeros(size, dtype=torch.float64)
    for layer in layers:
        if isinstance(layer, Affine):
            matrix, constant = torch.diag(layer.scale.expand(len(bias))), layer.shift
        else:
            assert isinstance(layer, Linear | torch.nn.Linear)
            matrix, constant = layer.weight, layer.bias
        weight, bias = matrix @ weight, matrix @ bias + (0.0 if constant is None else constant)
    return weight, bias


def _inverse(branches: list[Conversion], sizes: list[int]) -> Any:
    if not all(branch.inverse is not None or not len(branch.layers) for branch in branches):
        return None
    bounds = np.cumsum([len(branch.output_names) for branch in branches])[:-1]

    def inverse(Z: np.ndarray) -> np.ndarray:
        parts = np.split(Z, bounds, axis=1)
        return np.concatenate(
            [
                part if branch.inverse is None or not len(branch.layers) else branch.inverse(part)
                for branch, part in zip(branches, parts, strict=True)
            ],
            axis=1,
        )

    return inverse


def _given(model: Any) -> tuple[str, ...]:
    """The names of the caller's columns."""
    names = getattr(model, "feature_names_in_", None)
    return tuple(map(str, names)) if names is not None else tuple(f"feature {i}" for i in range(model.n_features_in_))


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


def _identity(rows: Any) -> Any:
    return rows


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


@dataclass(frozen=True, eq=False)
class _Beside:
    """The columns of several functions of the same rows."""

    functions: tuple[Any, ...]

    def __call__(self, rows: Any) -> Any:
        parts = [function(rows) for function in self.functions]
        if any(sparse.issparse(part) for part in parts):
            return sparse.hstack([sparse.csr_matrix(np.asarray(p)) if not sparse.issparse(p) else p for p in parts])
        return np.concatenate([np.asarray(part, dtype=np.float64) for part in parts], axis=1)


def _replaced(encodings: list[Encoding]) -> Any:
    """Entries that the imputer of any branch replaces."""
    found = [e.replaced for e in encodings if e.replaced is not None]
    return (lambda rows: np.any([f(rows) for f in found], axis=0)) if found else None


register("sklearn.compose.ColumnTransformer", by=convert_column_transformer)
register("sklearn.pipeline.FeatureUnion", by=convert_feature_union)
