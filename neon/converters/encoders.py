"""Transformers whose every output column is made from one input column: scikit-learn runs them, relevance goes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from neon.converters.base import Conversion
from neon.converters.encoding import Encoding, names_of
from neon.converters.registry import register

__all__ = ["convert_encoder", "register_encoder"]

Source = Callable[[Any], np.ndarray]
_SOURCES: dict[str, Source] = {}


def register_encoder(*names: str, source: Source) -> None:
    """Register transformers for which ``source(model)`` says which input column each output column is made from.

    Parameters
    ----------
    source : callable
        Fitted transformer -> ndarray of int (n_outputs,); -1 for a column made from none.
    """

    def convert(model: Any, *, output: str | None = None, form: str = "fused") -> Conversion:
        return convert_encoder(model, source(model))

    register(*names, by=convert)


def convert_encoder(model: Any, source: np.ndarray, replaced: Callable[[Any], np.ndarray] | None = None) -> Conversion:
    """A transformer that runs in scikit-learn, before the network."""
    source = np.asarray(source, dtype=np.int64)
    names = names_of(model, getattr(model, "feature_names_in_", None), len(source))
    encoding = Encoding(model.transform, source, names, replaced)
    return Conversion(torch.nn.Sequential(), type(model).__name__, names, model.transform, encoding=encoding)


def one_to_one(model: Any) -> np.ndarray:
    """One output for each input."""
    return np.arange(int(model.n_features_in_))


def one_hot(model: Any) -> np.ndarray:
    """A column for each category of each input, infrequent ones together, dropped ones left out."""
    categories = [len(names) for names in model.categories_]
    infrequent = getattr(model, "infrequent_categories_", None)
    if infrequent is not None:
        categories = [
            n - (0 if rare is None else len(rare) - 1) for n, rare in zip(categories, infrequent, strict=True)
        ]
    if model.drop_idx_ is not None:
        categories = [n - (index is not None) for n, index in zip(categories, model.drop_idx_, strict=True)]
    return np.repeat(np.arange(len(categories)), categories)


register_encoder("sklearn.preprocessing.OneHotEncoder", source=one_hot)
register_encoder("sklearn.preprocessing.OrdinalEncoder", source=one_to_one)
