"""Multi-layer perceptrons: they are networks already."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.special import expit

from neon.converters.core import Answers, Ask, Conversion, answers, check_several, converter, targets
from neon.nn import Linear, TwoClass

__all__ = ["convert_mlp"]

_ACTIVATIONS = {
    "identity": torch.nn.Identity,
    "logistic": torch.nn.Sigmoid,
    "tanh": torch.nn.Tanh,
    "relu": torch.nn.ReLU,
}


@converter("sklearn.neural_network.MLPClassifier", "sklearn.neural_network.MLPRegressor")
def convert_mlp(model: Any, ask: Ask) -> Conversion:
    """Regressors: the predicted value, or with a Poisson loss its logarithm. Classifiers: log-odds of a class or label.

    Without a reference point relevance goes back by LRP-ε and biases keep their share; with one, by the rescale rule
    relative to it.
    """
    classes = getattr(model, "classes_", None)
    kind = _KINDS[model.out_activation_, classes is None]
    ask.choose(kind.output)
    if classes is not None:
        check_several(model)
    layers: list[torch.nn.Module] = []
    for i, (weight, bias) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        layers.append(Linear(weight.T, bias))
        if i < len(model.coefs_) - 1 and model.activation != "identity":
            layers.append(_ACTIVATIONS[model.activation]())
    softmax = model.out_activation_ == "softmax"
    given = kind.answers()
    labels = classes is not None and model._label_binarizer.y_type_.startswith("multilabel")
    binary = model.out_activation_ == "logistic" and not labels

    def own(X: np.ndarray) -> np.ndarray:
        if classes is None:
            return np.asarray(model.predict(X), dtype=np.float64).reshape(len(X), -1)
        return np.asarray(model.predict_proba(X))

    names = targets(model.n_outputs_) if classes is None else tuple(map(str, classes))
    return Conversion(
        torch.nn.Sequential(*layers),
        "log-odds of a label" if labels else kind.explains,
        names,
        own,
        head=given["log_odds"] if softmax else (),
        pair=TwoClass() if binary else None,
        answers={} if labels else given,
        link=kind.link,
        family="perceptron",
        takes_reference=True,
        classes=None if classes is None or labels else np.asarray(classes),
    )


class _Kind(NamedTuple):
    """What the last activation makes of the last layer's outputs, which are explained."""

    output: str
    explains: str
    answers: Callable[[], Answers]
    link: Callable[[np.ndarray], np.ndarray] | None = None


_KINDS = {  # by the last activation, and whether the model is a regressor
    ("identity", True): _Kind("predict", "predicted value", answers.prediction),
    ("exp", True): _Kind(
        "linear_predictor", "linear predictor: the logarithm of the predicted mean", answers.exponential, np.exp
    ),
    ("logistic", False): _Kind("log_odds", "log-odds of a class", answers.log_odds, expit),
    ("softmax", False): _Kind("log_odds", "log-odds of a class", answers.logits, expit),
}
