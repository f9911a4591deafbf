"""Multi-layer perceptrons: they are networks already."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.special import expit

from neon.converters.base import Conversion, Response
from neon.converters.registry import choose, no_relu_form, register
from neon.lrp import composites
from neon.lrp.rules import Pass
from neon.nn import Affine, Evidence, Linear, TwoClass, plain_linear
from neon.nn.trees import Shapley

__all__ = ["convert_mlp"]

_ACTIVATIONS = {
    "identity": torch.nn.Identity,
    "logistic": torch.nn.Sigmoid,
    "tanh": torch.nn.Tanh,
    "relu": torch.nn.ReLU,
}


def convert_mlp(model: Any, *, output: str | None = None, form: str = "fused") -> Conversion:
    """Regressors: the predicted value. Classifiers: the log-odds of a class (or of each label).

    Without a reference point relevance goes back by LRP-ε and biases keep their share; with one, by the rescale rule
    relative to it.
    """
    classes = getattr(model, "classes_", None)
    choose(output, ("predict",) if classes is None else ("log_odds",), model)
    if form == "relu" and model.activation not in ("relu", "identity"):
        raise no_relu_form(f"activation {model.activation!r} is not piecewise linear")
    make = plain_linear if form == "relu" else Linear
    layers: list[torch.nn.Module] = []
    for i, (weight, bias) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        layers.append(make(weight.T, bias))
        if i < len(model.coefs_) - 1 and model.activation != "identity":
            layers.append(_ACTIVATIONS[model.activation]())
    kind = "predict" if classes is None else model.out_activation_
    if kind == "softmax":
        if form == "relu":
            raise no_relu_form("log-odds of more than two classes are no piecewise linear function")
        layers += [Affine(-1.0), Evidence(soft=True)]
    binary = kind == "logistic" and model.n_outputs_ == 1
    if binary:
        layers.append(plain_linear(np.array([[-1.0], [1.0]])) if form == "relu" else TwoClass())

    def own(X: np.ndarray) -> np.ndarray:
        if classes is None:
            return np.asarray(model.predict(X), dtype=np.float64).reshape(len(X), -1)
        return np.asarray(model.predict_proba(X))

    names = tuple(map(str, classes)) if classes is not None else ("prediction",)
    if classes is None and model.n_outputs_ > 1:
        names = tuple(f"target {i}" for i in range(model.n_outputs_))
    return Conversion(
        torch.nn.Sequential(*layers),
        "predicted value" if classes is None else "log-odds of a class",
        names,
        own,
        response=Response.PREDICTION if classes is None else Response.LOG_ODDS,
        link=None if classes is None else expit,
        composite="perceptron",
        takes_reference=True,
        classes=None if classes is None else np.asarray(classes),
    )


def _perceptron(epsilon: float = 1e-6) -> composites.Composite:
    """LRP-ε; scalings and centerings before the network pass relevance on, wherever the data lie; trees by Shapley."""
    rules = [(composites.kind("tree"), Shapley()), (composites.kind("affine"), Pass())]
    rules += composites.epsilon(epsilon).rules
    return composites.Composite(rules, "perceptron")


composites.register("perceptron", _perceptron)
register("sklearn.neural_network.MLPClassifier", "sklearn.neural_network.MLPRegressor", by=convert_mlp)
