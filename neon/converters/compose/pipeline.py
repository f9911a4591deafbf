"""Pipelines: the steps' networks in a row."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline

from neon.converters.compose.columns import folded
from neon.converters.compose.names import numbered
from neon.converters.core import Ask, Conversion, Encoding, Transform, convert, converter
from neon.converters.core.background import Spread
from neon.converters.core.registry import steps_run
from neon.errors import UnsupportedModelError
from neon.nn import Affine, Featurewise, Linear, Projection
from neon.nn.trees import SplitUnits, TreeEnsemble

__all__ = ["chain", "convert_pipeline"]


@converter("sklearn.pipeline.Pipeline", "imblearn.pipeline.Pipeline", takes_data=True, transforms=True)
def convert_pipeline(model: Pipeline, ask: Ask) -> Conversion:
    """Compose the converters of the steps that ``predict`` runs; nested pipelines and "passthrough" included.

    data : rows for a last step without ``predict``, as the pipeline takes them.
    n_features : columns that the first step reads, where it does not know; else the first step after it that knows.
    """
    steps, data = steps_run(model), ask.data
    last = model.steps[-1][1]
    if hasattr(last, "fit_resample"):
        raise UnsupportedModelError(
            f"a pipeline that ends in {type(last).__name__} draws rows and predicts nothing; explain one with a model"
        )
    if not steps:
        return Conversion(torch.nn.Sequential(), "features", numbered(int(model.n_features_in_)), np.asarray)
    parts: list[Conversion] = []
    counted = (int(step.n_features_in_) for _, step in steps if hasattr(step, "n_features_in_"))
    width = ask.n_features or next(counted, None)
    for name, step in steps[:-1]:
        parts.append(convert(step, ask.inside(name, step=True, n_features=width)))
        width = len(parts[-1].output_names)
        data = None if data is None else Transform(step)(data)
    name, step = steps[-1]
    inner = ask.output == "transform"
    output = None if inner else ask.output
    parts.append(convert(step, ask.inside(name, output, data=data, step=inner, n_features=width)))
    first = steps[0][1]
    if ask.n_features is None and not hasattr(first, "n_features_in_"):
        for (_, after), part in zip(steps[1:], parts, strict=False):
            width = len(part.output_names)
            if getattr(after, "n_features_in_", width) != width:
                raise NotFittedError(
                    f"{type(first).__name__} does not give as many columns as it reads, and holds nothing that tells "
                    "how many those are: set n_features_in_ in its fit"
                )
    whole = chain(parts)
    if model.steps[0][1] is first or not hasattr(first, "n_features_in_"):
        return whole
    names = getattr(first, "feature_names_in_", None)  # which a pipeline that starts with "passthrough" does not know
    return dataclasses.replace(
        whole, n_features=int(first.n_features_in_), feature_names=None if names is None else tuple(map(str, names))
    )


def chain(parts: list[Conversion]) -> Conversion:
    """One conversion after the other: transformers, and at last a model or another transformer.

    Encodings before the first layer compose into one; an encoding after the first layer becomes a layer itself.
    """
    *transforms, last = parts
    encoding: Encoding | None = None
    body: list[torch.nn.Module] = []
    ways: list[_Way] = []
    width = 0
    for part in folded(parts):
        if part.encoding is not None and body:
            if part.encoding.joint:
                raise UnsupportedModelError(
                    f"{part.explains}, after steps that mix columns: it asks several columns together, which share the "
                    "relevance of the answer only where they are the caller's own. Give it the caller's columns"
                )
            body.append(Featurewise(part.encoding, part.encoding.source, part.explains))
            ways.append(_Way(None, width))
        elif part.encoding is not None:
            encoding = part.encoding if encoding is None else encoding.then(part.encoding)
        if len(part.layers):
            body.extend(part.body if part is last else part.layers)
            ways.append(_Way(part.inverse, width))
        width = len(part.output_names)
    before = ways[:-1] if len(last.layers) else ways
    fixed = any(getattr(layer, "states", ()) for part in transforms for layer in part.layers.modules())
    return dataclasses.replace(
        last,
        body=torch.nn.Sequential(*_merge(body)),
        own=_Steps([part.own for part in parts], dense=last.encoding is None or not last.encoding.takes_sparse),
        **_reference(last, before, 0 if not transforms else len(transforms[-1].output_names)),
        background=_background(last.background, before),
        family="" if fixed else last.family,  # what is held fixed, or looked up, has no slopes along a way
        labels=None,
        inherits=any(part.inherits for part in parts),
        n_features=parts[0].n_features,
        feature_names=parts[0].feature_names,
        inverse=None if any(way.inverse is None for way in ways) else lambda Z: np.asarray(_back(ways, Z)),
        encoding=encoding,
        missing=all(part.missing for part in parts if len(part.layers)),
        takes_infinity=last.takes_infinity and not transforms,
        single=last.single if not transforms else "",
    )


_ORIGIN = "the origin of the linear map"


class _Way(NamedTuple):
    """Back through the layers of a part: to how many columns, and how, where there is an inverse."""

    inverse: Callable[[np.ndarray], np.ndarray] | None
    width: int


def _back(ways: list[_Way], rows: np.ndarray | None) -> np.ndarray | None:
    """Rows that the layers take to these ones; None where a layer has no inverse."""
    for way in reversed(ways):
        rows = None if way.inverse is None or rows is None else way.inverse(rows)
    return rows


def _background(spread: Spread | None, before: list[_Way]) -> Spread | None:
    """Rows that the first layer reads, where there is a way back to them."""
    rows = None if spread is None else _back(before, spread.rows)
    return None if spread is None or rows is None else dataclasses.replace(spread, rows=rows)


def _reference(last: Conversion, before: list[_Way], width: int) -> dict[str, Any]:
    """The last part's reference rows, or the origin of the ``width`` columns that it reads, as the first layer reads.

    Where there is no way back through a layer: the point that the ones before it take to 0, such as the mean.
    """
    reference, words = last.reference, last.reference_words
    if last.takes_reference and reference is None and before:
        reference, words = np.zeros((1, width)), _ORIGIN
    reference = _back(before, reference)
    closed = next((place for place, way in enumerate(before) if way.inverse is None), 0)
    if last.takes_reference and reference is None and closed:
        reference, words = _back(before[:closed], np.zeros((1, before[closed].width))), _ORIGIN
    return {"reference": reference, "reference_words": words}


class _Steps:
    """The steps' own functions, one after the other."""

    def __init__(self, functions: list[Callable[[np.ndarray], np.ndarray]], *, dense: bool) -> None:
        self.functions, self.dense = functions, dense

    def __call__(self, X: Any) -> np.ndarray:
        *transforms, head = self.functions
        for transform in transforms:
            X = transform(X)
            if np.ndim(X) == 1 and getattr(X, "dtype", None) == np.float64:
                X = X[None]  # what sparse PCA makes of one row has lost its axis of rows
        return head(X.toarray() if self.dense and sparse.issparse(X) else X)


@runtime_checkable
class _OfDistances(Protocol):
    """A layer that starts with distances or linear scores, and takes a linear map before it into them."""

    def after(self, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.nn.Module: ...


def _merge(layers: list[torch.nn.Module]) -> list[torch.nn.Module]:
    """A linear map before a distance becomes the distance's metric: each center then has its own root in the input.

    One before trees becomes a `Projection`.
    """
    merged: list[torch.nn.Module] = []
    for layer in layers:
        if (
            isinstance(layer, _OfDistances)
            and getattr(layer, "factor", None) is None
            and merged
            and isinstance(merged[-1], Linear)
        ):
            linear = merged.pop()
            assert isinstance(linear, Linear)
            layer = layer.after(linear.weight, linear.bias)
        merged.append(layer)
    for place, layer in enumerate(merged):
        if isinstance(layer, TreeEnsemble | SplitUnits):
            before = next((i for i in range(place - 1, -1, -1) if not isinstance(merged[i], Affine)), place)
            linear = merged[before]
            if type(linear) is Linear:
                merged[before] = Projection(linear.weight, linear.bias)
    return merged
