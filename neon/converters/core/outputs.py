"""What conversions have in common whose outputs are predicted values, or classes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from neon.converters.core.answers import prediction
from neon.converters.core.conversion import Conversion
from neon.converters.core.encoded_columns import names_of

__all__ = ["of_classes", "regression", "targets", "transformer"]


def targets(n: int) -> tuple[str, ...]:
    """Names of n predicted values."""
    return ("prediction",) if n == 1 else tuple(f"target {i}" for i in range(n))


def of_classes(model: Any) -> dict[str, Any]:
    """Of a conversion with an output for each of the model's classes."""
    return {"output_names": tuple(map(str, model.classes_)), "classes": model.classes_}


def regression(
    model: Any, layers: Iterable[torch.nn.Module], n: int = 1, explains: str = "predicted value", **traits: Any
) -> Conversion:
    """A regressor whose layers give what it predicts, n targets."""
    return Conversion(
        torch.nn.Sequential(*layers),
        explains,
        targets(n),
        lambda X: np.asarray(model.predict(X), dtype=np.float64).reshape(-1, n),
        answers=prediction(),
        **traits,
    )


def transformer(
    model: Any, layers: Iterable[torch.nn.Module], explains: str, n: int, prefix: str = "", **traits: Any
) -> Conversion:
    """A transformer whose layers give what it makes of rows, n columns.

    prefix : what the columns are called, with their numbers. Default: as the transformer calls them.
    """
    names = tuple(f"{prefix} {i}" for i in range(n)) if prefix else names_of(model, n)
    return Conversion(torch.nn.Sequential(*layers), explains, names, model.transform, **traits)
