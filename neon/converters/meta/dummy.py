"""Predictions that do not look at the features: a base value, and no relevance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from neon.converters.core import Ask, Conversion, Encoding, answers, converter, of_classes, regression
from neon.errors import UnsupportedModelError
from neon.nn import Linear

__all__ = ["NO_COLUMN", "convert_dummy_classifier", "convert_dummy_regressor"]


@converter("sklearn.dummy.DummyClassifier")
def convert_dummy_classifier(model: Any, ask: Ask) -> Conversion:
    """The constant probability of each class, or of each class of each target."""
    ask.choose("probability")
    _check_table(model)
    if model.strategy in ("stratified", "uniform"):
        raise UnsupportedModelError(
            f"DummyClassifier(strategy={model.strategy!r}) predicts at random; supported are 'prior', 'most_frequent' "
            "and 'constant'"
        )
    several = model.n_outputs_ > 1

    def own(X: Any) -> np.ndarray:
        found = model.predict_proba(X)
        return np.asarray(np.hstack(found) if several else found, dtype=np.float64)

    held = own(np.zeros((1, 1)))[0]
    if several:
        names = tuple(f"target {i}: {name}" for i, classes in enumerate(model.classes_) for name in classes)
        return _constant(held, own, explains="for each target: probability of a class", output_names=names)
    given = answers.probability()
    return _constant(held, own, explains="probability of a class", answers=given, **of_classes(model))


@converter("sklearn.dummy.DummyRegressor")
def convert_dummy_regressor(model: Any, ask: Ask) -> Conversion:
    """The constant prediction of each target."""
    ask.choose("predict")
    _check_table(model)
    held = np.asarray(model.constant_, dtype=np.float64).reshape(-1)
    return regression(model, [_bias(held)], len(held), takes_reference=True, encoding=NO_COLUMN)


def _check_table(model: Any) -> None:
    """Refuse a model of rows that are none: it does not look at them."""
    if not hasattr(model, "n_features_in_"):
        raise UnsupportedModelError(
            f"{type(model).__name__} fitted on X without columns, of which it knows no number; fit it on X of shape "
            "(n_samples, n_features)"
        )


def _nothing(rows: Any) -> np.ndarray:
    """A column of zeros, of no column of the rows."""
    return np.zeros((rows.shape[0], 1))


NO_COLUMN = Encoding(_nothing, np.array([-1]), ("no column",))


def _bias(held: np.ndarray) -> Linear:
    """These values whatever the row."""
    return Linear(np.zeros((len(held), 1)), held)


def _constant(held: np.ndarray, own: Callable[[Any], np.ndarray], **traits: Any) -> Conversion:
    body = torch.nn.Sequential(_bias(held))
    return Conversion(body, own=own, takes_reference=True, encoding=NO_COLUMN, **traits)
