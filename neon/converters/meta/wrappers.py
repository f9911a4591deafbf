"""Estimators around a single other one: searches, frozen and thresholded estimators, transformed targets."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch
from scipy.special import expit, logit

from neon.converters.compose.names import column_names
from neon.converters.core import Ask, Conversion, answers, convert, converter, of_classes
from neon.converters.core.members import decision, predicted, probability
from neon.converters.meta.side_by_side import on_arrays
from neon.nn import Linear, TwoClass
from neon.nn.codes.featurewise import featurewise
from neon.nn.kernels.elementwise import Elementwise

__all__ = ["convert_frozen", "convert_search", "convert_self_training", "convert_target", "convert_threshold"]


_SEARCHES = ("GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV")


@converter(*(f"sklearn.model_selection.{name}" for name in _SEARCHES), takes_data=True)
def convert_search(model: Any, ask: Ask) -> Conversion:
    """GridSearchCV and its kin: the best estimator, fitted again."""
    if not hasattr(model, "best_estimator_"):
        raise ValueError(f"{type(model).__name__} with refit=False holds no fitted estimator; explain one of your own")
    return convert(model.best_estimator_, ask.inside("best_estimator_", ask.output, data=ask.data))


@converter("sklearn.frozen.FrozenEstimator", takes_data=True)
def convert_frozen(model: Any, ask: Ask) -> Conversion:
    """The estimator inside."""
    return convert(model.estimator, ask.inside("estimator", ask.output, data=ask.data))


@converter("sklearn.semi_supervised.SelfTrainingClassifier")
def convert_self_training(model: Any, ask: Ask) -> Conversion:
    """The estimator that was fitted last, on the labels that it gave itself."""
    part = convert(model.estimator_, ask.inside("estimator_", ask.output))
    return on_arrays(part, column_names(model))


@converter("sklearn.model_selection.FixedThresholdClassifier", "sklearn.model_selection.TunedThresholdClassifierCV")
def convert_threshold(model: Any, ask: Ask) -> Conversion:
    """The margin of the score over the threshold, ``±(f - t)``: above 0 for the class that is predicted.

    Of probabilities, where the estimator has log-odds f, over the log-odds of the threshold. Other outputs are those
    of the estimator inside, which no threshold changes.
    """
    inner = getattr(model, "estimator_", model.estimator)
    if ask.output in ("log_odds", "probability", "decision_function"):
        part = convert(inner, ask.inside("estimator_", ask.output))
        return dataclasses.replace(part, predicts="always_ask")  # the prediction is by the threshold
    ask.choose("margin", "log_odds", "probability", "decision_function")
    methods = ["predict_proba", "decision_function"] if model.response_method == "auto" else [model.response_method]
    method = next(method for method in methods if hasattr(inner, method))
    odds = False
    if method == "predict_proba":
        part, odds = probability(inner, ask.inside("estimator_"))
        part = part.second()
    else:
        part = decision(inner, ask.inside("estimator_"))
    threshold, label = _threshold(model, method)
    if odds and not 0 < threshold < 1:
        raise ValueError(f"with threshold {threshold} {type(model).__name__} always predicts one class")
    if label != model.classes_[1]:  # of the first class: 1 - P, -f
        threshold = 1 - threshold if method == "predict_proba" else -threshold
    shift = float(logit(threshold)) if odds else threshold

    def own(X: Any) -> np.ndarray:
        score = getattr(inner, method)(X)
        score = np.asarray(score[:, 1] if method == "predict_proba" else score, dtype=np.float64).reshape(-1, 1)
        return np.hstack([1 - score, score]) if odds else (score - shift) * np.array([-1.0, 1.0])

    words = "log-odds" if odds else "probability" if method == "predict_proba" else "decision function"
    return part.then(
        Linear([[1.0]], [-shift]),
        pair=TwoClass(),
        explains=f"margin of a class: its {words} over the threshold, above 0 for the predicted class",
        own=own,
        link=(lambda m: expit(m + shift * np.array([-1.0, 1.0]))) if odds else None,
        predicts="ask_on_tie",
        **of_classes(model),
    )


def _threshold(model: Any, method: str) -> tuple[float, Any]:
    """The threshold, and the class that scores from there on get."""
    if hasattr(model, "best_threshold_"):
        label = model._curve_scorer._get_pos_label()
        return float(model.best_threshold_), model.classes_[1] if label is None else label
    threshold = (0.5 if method == "predict_proba" else 0.0) if model.threshold == "auto" else float(model.threshold)
    return threshold, model.classes_[1] if model.pos_label is None else model.pos_label


@converter("sklearn.compose.TransformedTargetRegressor")
def convert_target(model: Any, ask: Ask) -> Conversion:
    """The predicted value where the target's transformer is affine; else the prediction in the transformed space.

    As ``output="predict"`` the predicted value whatever the transformer, an elementwise function g of the former, of
    which ``g(0)`` stands apart.
    """
    output = ask.choose("inner", "predict")
    part = predicted(model.regressor_, ask.inside("regressor_"))
    n = len(part.output_names)
    inverse = _Inverse(model.transformer_)
    affine = _affine(inverse, n)
    own = lambda X: np.asarray(model.predict(X), dtype=np.float64).reshape(-1, n)  # noqa: E731
    if affine is not None:
        scale, shift = affine
        layer: torch.nn.Module = Linear(np.diag(scale), shift)  # the shift is no feature's: a scaling would hand it on
    else:
        layer = Elementwise(_OfTensors(inverse), "the target's transformer, inverted", anchor=0.0)
    if affine is not None or output == "predict":
        return part.then(layer, explains="predicted value", answers=answers.prediction(), own=own)
    return part.then(explains=_in_log_space(inverse, n) or _TRANSFORMED, own=own, link=inverse)


_TRANSFORMED = (
    "prediction in the space of the transformed target, of which the predicted value is an elementwise function"
)


class _Inverse:
    """A target transformer's inverse on (n_samples, n_targets)."""

    def __init__(self, transformer: Any) -> None:
        self.transformer = transformer

    def __call__(self, Z: np.ndarray) -> np.ndarray:
        return np.asarray(self.transformer.inverse_transform(Z), dtype=np.float64).reshape(Z.shape)


class _OfTensors:
    """The same of tensors."""

    def __init__(self, inverse: _Inverse) -> None:
        self.inverse = inverse

    def __call__(self, z: torch.Tensor) -> torch.Tensor:
        return featurewise(z, self.inverse, torch.arange(z.shape[1], device=z.device))


def _in_log_space(inverse: _Inverse, n: int) -> str:
    """What the transformed target is where the inverse is an exponential, asked at values that any of them takes."""
    if type(inverse.transformer).__name__ != "FunctionTransformer":
        return ""
    z = np.linspace(0.1, 0.9, 4)[:, None].repeat(n, axis=1)
    with np.errstate(all="ignore"):
        found = inverse(z)
    for words, name, function in (("", "exp", np.exp), (" plus 1", "expm1", np.expm1)):
        if np.allclose(found, function(z), rtol=1e-9, atol=0.0):
            return (
                f"logarithm of the predicted value{words}, a sum in log space: {name} of it is the value, which "
                'output="predict" explains'
            )
    return ""


_AFFINE = {"StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler"}


def _affine(inverse: _Inverse, n: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Scale and shift of the inverse, where the transformer is a scaler or does nothing."""
    transformer = inverse.transformer
    plain = type(transformer).__name__ == "FunctionTransformer" and transformer.inverse_func is None
    if (type(transformer).__name__ not in _AFFINE and not plain) or getattr(transformer, "clip", False):
        return None
    shift, moved = inverse(np.zeros((1, n)))[0], inverse(np.ones((1, n)))[0]
    return moved - shift, shift
