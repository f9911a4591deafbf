"""Predictions that do not look at the features: a base value, and no relevance."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from neon.converters.core.ask import Ask
from neon.converters.core.conversion import Conversion, Response
from neon.converters.core.encoding import Encoding
from neon.converters.core.registry import converter
from neon.errors import UnsupportedModelError
from neon.nn import Linear, plain_linear

__all__ = ["convert_dummy_classifier", "convert_dummy_regressor"]


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
        names = [f"target {i}: {name}" for i, classes in enumerate(model.classes_) for name in classes]
        return _constant(held, "for each target: probability of a class", names, own, ask.form, None)
    return _constant(
        held, "probability of a class", map(str, model.classes_), own, ask.form, Response.PROBABILITY, model.classes_
    )


@converter("sklearn.dummy.DummyRegressor")
def convert_dummy_regressor(model: Any, ask: Ask) -> Conversion:
    """The constant prediction of each target."""
    ask.choose("predict")
    _check_table(model)
    held = np.asarray(model.constant_, dtype=np.float64).reshape(-1)
    names = ["prediction"] if len(held) == 1 else [f"target {i}" for i in range(len(held))]
    own = lambda X: np.asarray(model.predict(X), dtype=np.float64).reshape(-1, len(held))  # noqa: E731
    return _constant(held, "predicted value", names, own, ask.form, Response.PREDICTION)


def _check_table(model: Any) -> None:
    """Refuse a model of rows that are none: it does not look at them."""
    if not hasattr(model, "n_features_in_"):
        raise UnsupportedModelError(
            f"{type(model).__name__} fitted on X without columns, of which it knows no number; fit it on X of shape "
            "(n_samples, n_features)"
        )


def _constant(
    held: np.ndarray,
    explains: str,
    names: Any,
    own: Any,
    form: str,
    response: Response | None,
    classes: np.ndarray | None = None,
) -> Conversion:
    layer = (plain_linear if form == "relu" else Linear)(np.zeros((len(held), 1)), held)
    return Conversion(
        torch.nn.Sequential(layer),
        explains,
        tuple(names),
        own,
        response=response,
        takes_reference=True,
        classes=classes,
        encoding=Encoding(_nothing, np.array([-1]), ("no column",)),
    )


def _nothing(rows: Any) -> np.ndarray:
    """A column of zeros, of no column of the rows."""
    return np.zeros((rows.shape[0], 1))
