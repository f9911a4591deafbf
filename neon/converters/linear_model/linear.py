"""Models that end in a linear predictor."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.special import expit

from neon.converters.core import Ask, Conversion, answers, check_several, convert, converter, dense, signed, targets
from neon.converters.core.answers import Answers
from neon.nn import Linear, TwoClass

__all__ = ["convert_classifier", "convert_glm", "convert_logistic", "convert_one_class", "convert_regressor"]


_REGRESSORS = [
    "LinearRegression",
    "Ridge",
    "RidgeCV",
    "Lasso",
    "LassoCV",
    "LassoLars",
    "LassoLarsCV",
    "LassoLarsIC",
    "Lars",
    "LarsCV",
    "ElasticNet",
    "ElasticNetCV",
    "MultiTaskLasso",
    "MultiTaskLassoCV",
    "MultiTaskElasticNet",
    "MultiTaskElasticNetCV",
    "OrthogonalMatchingPursuit",
    "OrthogonalMatchingPursuitCV",
    "BayesianRidge",
    "ARDRegression",
    "HuberRegressor",
    "TheilSenRegressor",
    "QuantileRegressor",
    "SGDRegressor",
    "PassiveAggressiveRegressor",
]


@converter(*(f"sklearn.linear_model.{name}" for name in _REGRESSORS), "sklearn.svm.LinearSVR")
def convert_regressor(model: Any, ask: Ask) -> Conversion:
    """``w · x + b``: the predicted value, one output for each target."""
    ask.choose("predict")
    weight = np.atleast_2d(dense(model.coef_))
    given = answers.prediction()
    return _linear(weight, model.intercept_, "predicted value", targets(len(weight)), model.predict, answers=given)


@converter("sklearn.linear_model.RANSACRegressor")
def convert_ransac(model: Any, ask: Ask) -> Conversion:
    """The regressor that was fitted on the inliers."""
    return convert(model.estimator_, ask)


_GLMS = ("PoissonRegressor", "GammaRegressor", "TweedieRegressor")


@converter(*(f"sklearn.linear_model.{name}" for name in _GLMS))
def convert_glm(model: Any, ask: Ask) -> Conversion:
    """The linear predictor η; the prediction is its inverse link (exp, or the identity)."""
    ask.choose("linear_predictor")
    link = model._base_loss.link
    logarithmic = type(link).__name__ == "LogLink"
    return _linear(
        np.atleast_2d(model.coef_),
        model.intercept_,
        "linear predictor: the link of the predicted mean",
        ("prediction",),
        lambda X: link.link(model.predict(X)),
        answers=answers.exponential() if logarithmic else answers.prediction(),
    )


_CLASSIFIERS = ["RidgeClassifier", "RidgeClassifierCV", "SGDClassifier", "Perceptron", "PassiveAggressiveClassifier"]


@converter(*(f"sklearn.linear_model.{name}" for name in _CLASSIFIERS), "sklearn.svm.LinearSVC")
def convert_classifier(model: Any, ask: Ask) -> Conversion:
    """The decision function of each class; of two classes, ``±f``."""
    ask.choose("decision_function")
    by_loss = {"log_loss": answers.log_odds_each, "modified_huber": answers.clipped_each}  # of an SGDClassifier
    given = by_loss.get(getattr(model, "loss", ""), lambda _: answers.decision())(len(model.classes_))
    return _scores(model, "decision function in favour of a class", given)


@converter("sklearn.linear_model.LogisticRegression", "sklearn.linear_model.LogisticRegressionCV")
def convert_logistic(model: Any, ask: Ask) -> Conversion:
    """Log-odds ``log P_c / (1 - P_c)``.

    For more than two classes ``-log Σ_{k≠c} exp(-(z_c - z_k))`` over the scores z: a soft minimum of linear
    differences (Montavon et al. 2019, sec. 10.3). ``output="decision_function"`` explains the scores themselves.
    """
    output = ask.choose("log_odds", "decision_function")
    if len(model.classes_) == 2:
        return _scores(model, "log-odds of a class", answers.log_odds())
    if getattr(model, "multi_class", "auto") == "ovr" or model.solver == "liblinear":  # before scikit-learn 1.8
        words = "log-odds of a class against the rest, one machine a class"
        return _scores(model, words, answers.log_odds_each(len(model.classes_)))
    if output == "decision_function":
        return _scores(model, "score of a class", answers.logits())
    odds = answers.logits()
    options = {"head": odds["log_odds"], "answers": odds, "link": expit, "classes": model.classes_, "family": "logits"}
    names = tuple(map(str, model.classes_))
    return _linear(model.coef_, model.intercept_, "log-odds of a class", names, model.predict_proba, **options)


@converter("sklearn.linear_model.SGDOneClassSVM")
def convert_one_class(model: Any, ask: Ask) -> Conversion:
    """Outlierness: the negative decision function, above 0 for outliers."""
    ask.choose("outlierness")
    words = "outlierness: the negative decision function"
    own = lambda X: -model.decision_function(X)  # noqa: E731
    return _linear(-np.atleast_2d(model.coef_), model.offset_, words, ("outlierness",), own)


def _scores(model: Any, explains: str, given: Answers) -> Conversion:
    """The scores of a linear classifier: one for each class or label, of two classes ``[-f, f]``."""
    weight, names = np.atleast_2d(dense(model.coef_)), tuple(map(str, model.classes_))
    if getattr(getattr(model, "_label_binarizer", None), "y_type_", "").startswith("multilabel"):
        return _linear(weight, model.intercept_, "decision function of a label", names, model.decision_function)
    check_several(model)
    pair, own = TwoClass() if len(weight) == 1 else None, lambda X: signed(model.decision_function(X))
    return _linear(weight, model.intercept_, explains, names, own, pair=pair, answers=given, classes=model.classes_)


def _linear(
    weight: np.ndarray, intercept: Any, explains: str, names: tuple[str, ...], own: Any, **options: Any
) -> Conversion:
    """``W x + b``; options : of the `Conversion`."""
    bias = np.broadcast_to(np.asarray(intercept, dtype=np.float64).reshape(-1), (len(weight),))
    return Conversion(
        torch.nn.Sequential(Linear(weight, bias)),
        explains,
        names,
        lambda X: np.asarray(own(X), dtype=np.float64).reshape(-1, len(names)),
        takes_reference=True,
        n_features=weight.shape[1],
        **options,
    )
