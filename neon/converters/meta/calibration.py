"""CalibratedClassifierCV: scores turned to probabilities, the mean of which over the folds is explained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.special import expit
from torch import Tensor

from neon.converters.compose.names import column_names
from neon.converters.core import Ask, Conversion, answers, check_several, converter, of_classes
from neon.converters.core.answers import shares_of_sigmoids
from neon.converters.core.members import decision, handed_on, probability
from neon.converters.core.registry import no_relu_form
from neon.converters.linear_model.isotonic import Interpolation
from neon.converters.meta.side_by_side import beside
from neon.errors import UnsupportedModelError
from neon.nn import Affine, Linear, TwoClass
from neon.nn.kernels.elementwise import Elementwise, elementwise
from neon.nn.linear.side_by_side import SideBySide
from neon.nn.pooling.evidence import SoftmaxOdds
from neon.nn.pooling.mean_log_odds import MeanLogOdds
from neon.nn.pooling.normalized import Normalized

__all__ = ["convert_calibrated"]


@converter("sklearn.calibration.CalibratedClassifierCV")
def convert_calibrated(model: Any, ask: Ask) -> Conversion:
    """Sigmoid and temperature: the log-odds of the mean probability. Isotonic, which may give 0 and 1: the mean itself.

    Of two classes ``log P / (1 - P) = -(a f + b)`` for the sigmoid ("Platt") and ``2 β f`` for the temperature. Of
    more, the sigmoids of all classes divided by their sum: ``log P_c / (1 - P_c)`` is a soft minimum of differences of
    ``-log σ(-(a_c f_c + b_c))``.
    """
    folds, classes = model.calibrated_classifiers_, model.classes_
    check_several(model)
    isotonic = folds[0].method == "isotonic"
    ask.choose(*(("probability",) if isotonic else ("log_odds",)))
    parts = [_calibrated(fold, ask.inside(f"calibrated_classifiers_[{i}].estimator")) for i, fold in enumerate(folds)]
    together = beside(parts, given=column_names(model))
    mean: list[torch.nn.Module] = []
    if isotonic and len(folds) > 1:
        width = 1 if len(classes) == 2 else len(classes)
        mean.append(Linear(np.kron(np.ones(len(folds)) / len(folds), np.eye(width))))
    elif len(folds) > 1:
        mean.append(MeanLogOdds(np.ones(len(folds))))
    both = answers.with_complement() if isotonic else TwoClass()
    words = "probability of a class, calibrated" if isotonic else "log-odds of a class, calibrated"
    return together.then(
        *mean,
        explains=words + (": the folds' mean" if isotonic else ": of the folds' mean probability") * (len(folds) > 1),
        own=lambda X: np.asarray(model.predict_proba(X), dtype=np.float64),
        pair=both if len(classes) == 2 else None,
        answers=answers.probability() if isotonic else answers.log_odds(),
        link=None if isotonic else expit,
        **of_classes(model),
    )


def _calibrated(fold: Any, ask: Ask) -> Conversion:
    """One fold: log-odds, or for isotonic calibration probabilities; of two classes, of the second alone."""
    n = len(fold.classes)
    if len(fold.estimator.classes_) != n:
        raise UnsupportedModelError(
            f"CalibratedClassifierCV with a fold that has seen {len(fold.estimator.classes_)} of {n} classes; fit with "
            "stratified folds, or ensemble=False"
        )
    scores = hasattr(fold.estimator, "decision_function")
    if fold.method == "temperature":
        return _temperature(fold, ask, scores)
    part = handed_on(fold.estimator, "decision_function" if scores else "predict_proba", ask)
    if fold.method == "sigmoid":
        slope = -np.array([calibrator.a_ for calibrator in fold.calibrators])
        shift = -np.array([calibrator.b_ for calibrator in fold.calibrators])
        part = _then(part, slope, shift)
        return part if n == 2 else part.then(*shares_of_sigmoids())
    steps = [_Isotonic(c.X_thresholds_, c.y_thresholds_, clipped=True) for c in fold.calibrators]
    if n == 2:
        return part.then(*steps)
    return part.then(SideBySide(steps, [1] * n), Normalized())


class _Isotonic(Interpolation):
    """A monotone curve of scores, seen from the middle of its thresholds."""

    def forward(self, t: Tensor) -> Tensor:
        return elementwise(t, self.interpolate, float(self.x[0] + self.x[-1]) / 2)

    def relu(self, n_inputs: int) -> list[torch.nn.Module]:
        raise no_relu_form("the steps of isotonic calibration are too steep for differences of ReLU")


def _then(part: Conversion, scale: np.ndarray, shift: np.ndarray) -> Conversion:
    """``x * scale + shift`` as a linear map, whose slopes need no division; merged with a linear map before it."""
    *before, last = part.layers
    if isinstance(last, Linear | torch.nn.Linear):
        bias = shift if last.bias is None else last.bias.detach().numpy() * scale + shift
        weight = last.weight.detach().numpy() * scale[:, None]
        return part.then(body=torch.nn.Sequential(*before, Linear(weight, bias)))
    return part.then(Linear(np.diag(scale), shift))


def _temperature(fold: Any, ask: Ask, scores: bool) -> Conversion:
    """``softmax(β z)``, z the decision function, of two classes ``(-f, f)``; or the log-probabilities, floored."""
    n, beta = len(fold.classes), float(fold.calibrators[0].beta_)
    if scores:
        part = decision(fold.estimator, ask)
        if n == 2:
            return _then(part, np.array([2 * beta]), np.zeros(1))
    else:
        part, odds = probability(fold.estimator, ask)
        even = 0.0 if odds else 0.5
        if n == 2:
            return part.second().then(Elementwise(_Difference(odds, beta), "β (log p - log (1 - p))", even))
        part = part.then(Elementwise(_Log(odds), "log p", even))
    return part.then(Affine(-beta), SoftmaxOdds())


_FLOOR = 1e-12  # scikit-learn adds it to probabilities before it takes their logarithm


@dataclass(frozen=True)
class _Log:
    """``log(p + floor)`` of a probability p, or of its log-odds."""

    odds: bool

    def __call__(self, x: Tensor) -> Tensor:
        return torch.log((torch.sigmoid(x) if self.odds else x) + _FLOOR)


@dataclass(frozen=True)
class _Difference:
    """``β (log p - log (1 - p))`` with floors."""

    odds: bool
    beta: float

    def __call__(self, x: Tensor) -> Tensor:
        log = _Log(self.odds)
        return self.beta * (log(x) - log(-x if self.odds else 1 - x))
