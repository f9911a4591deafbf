"""Pipelines: the steps' networks in a row."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.pipeline import Pipeline

from neon.converters.base import Conversion
from neon.converters.registry import convert, register
from neon.nn import Linear, SquaredDistance

__all__ = ["convert_pipeline"]


def convert_pipeline(model: Pipeline, *, output: str | None = None, form: str = "fused", path: str = "") -> Conversion:
    """Compose the converters of the steps; nested pipelines and "passthrough" included."""
    steps = [(name, step) for name, step in model.steps if step is not None and step != "passthrough"]
    if not steps:
        n = int(model.n_features_in_)
        return Conversion(torch.nn.Sequential(), "features", tuple(f"feature {i}" for i in range(n)), np.asarray)
    parts = [
        convert(step, output=output if i == len(steps) - 1 else None, form=form, path=f"{path}{name}")
        if not isinstance(step, Pipeline)
        else convert(step, output=output if i == len(steps) - 1 else None, form=form, path=f"{path}{name}/")
        for i, (name, step) in enumerate(steps)
    ]
    head, transforms = parts[-1], parts[:-1]

    def own(X: np.ndarray) -> np.ndarray:
        for part in transforms:
            X = part.own(X)
        return head.own(X)

    reference = head.reference
    invertible = all(part.inverse is not None for part in transforms)
    if head.takes_reference and reference is None and invertible and transforms:
        n_inner = int(getattr(steps[-1][1], "n_features_in_", len(transforms[-1].output_names)))
        reference = np.zeros((1, n_inner))
    if reference is not None:
        for part in reversed(transforms):
            reference = None if part.inverse is None or reference is None else part.inverse(reference)
    layers = [layer for part in parts for layer in part.layers]
    return Conversion(
        torch.nn.Sequential(*_merge(layers)),
        head.explains,
        head.output_names,
        own,
        link=head.link,
        composite=head.composite,
        reference=reference,
        takes_reference=head.takes_reference,
        classes=head.classes,
        votes=head.votes,
    )


def _merge(layers: list[torch.nn.Module]) -> list[torch.nn.Module]:
    """A linear map before a distance becomes the distance's metric: each center then has its own root in the input."""
    merged: list[torch.nn.Module] = []
    for layer in layers:
        if isinstance(layer, SquaredDistance) and layer.factor is None and merged and isinstance(merged[-1], Linear):
            linear = merged.pop()
            assert isinstance(linear, Linear)
            layer = layer.after(linear.weight, linear.bias)
        merged.append(layer)
    return merged


convert_pipeline.nests = True  # type: ignore[attr-defined]


register("sklearn.pipeline.Pipeline", by=convert_pipeline)
