"""The contract that every supported estimator keeps."""

from __future__ import annotations

import copy
import pickle
import re
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from scipy.special import expit
from sklearn import svm
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.exceptions import ConvergenceWarning

import neon
from neon.converters import Conversion
from neon.converters.core import defaults, members, network
from neon.converters.core.ask import Ask
from neon.converters.core.registry import public_name, registered
from tests.contract import CASES, refusals, unseen

pytestmark = pytest.mark.usefixtures("one_pass")


@pytest.fixture(scope="module")
def fitted() -> dict[str, Any]:
    return {}


def fit(fitted: dict[str, Any], name: str) -> tuple[Any, Any]:
    """The case's model, fitted once."""
    case = CASES[name]
    if name not in fitted:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            fitted[name] = clone(case.estimator).fit(case.X, case.y)
    return fitted[name], case.X


def neuralized(model: Any, name: str, **options: Any) -> neon.converters.Network:
    return neon.neuralize(model, output=CASES[name].options.get("output"), **fitted_on(name), **options)


def explainer_of(model: Any, name: str, **options: Any) -> neon.Explainer:
    return neon.Explainer(model, **{**CASES[name].options, **fitted_on(name), **options})


def fitted_on(name: str) -> dict[str, Any]:
    return {"data": CASES[name].X} if CASES[name].labelled else {}


def outputs_of(network: neon.converters.Network, X: Any) -> np.ndarray:
    with torch.no_grad():
        return network(network.encode(X)).numpy()


def explain(explainer: neon.Explainer, X: Any) -> neon.Explanation:
    """What each row predicts; of several outputs that are no alternatives the largest."""
    network: Any = explainer.network
    if network.classes is not None or len(network.output_names) == 1:
        return explainer(X)
    with torch.no_grad():
        largest = network(network.encode(X)).argmax(1)
    return explainer(X, largest.numpy())


def _predicts(estimator: Any) -> bool:
    return is_classifier(estimator) or is_regressor(estimator)


every_case = pytest.mark.parametrize("name", CASES)


@every_case
def test_the_default_explains(fitted: dict[str, Any], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rule that was measured best for a family has one for every model in it."""
    monkeypatch.setattr(network, "DEFAULTS", defaults.DEFAULTS)
    model, X = fit(fitted, name)
    explanation = explain(explainer_of(model, name), X[:3])
    assert explanation.conservation_error() <= 1e-9 * max(1.0, float(np.abs(explanation.prediction).max()))


@every_case
def test_equivalence_and_conservation(fitted: dict[str, Any], name: str) -> None:
    model, X = fit(fitted, name)
    before = pickle.dumps(model)
    for rows in (X, unseen(X)):
        explanation = explainer_of(model, name)(rows, "all")
        assert np.isfinite(explanation.prediction).all()
        scale = max(1.0, float(np.abs(explanation.prediction).max()))
        assert neuralized(model, name).verify(rows) <= CASES[name].tolerance * scale
        assert explanation.conservation_error() <= 1e-9 * scale
        said = explanation.base_in_words
        assert said.startswith(("prediction ", "mean prediction ")) or not explanation.base_values.any()
        assert said
    assert pickle.dumps(model) == before


@every_case
@pytest.mark.parametrize("form", ["layers", "relu"])
def test_forms_agree(fitted: dict[str, Any], name: str, form: str) -> None:
    model, X = fit(fitted, name)
    if not getattr(CASES[name], form):
        with pytest.raises(ValueError, match="no exact ReLU form" if form == "relu" else "layers"):
            neuralized(model, name, form=form)
        return
    network, fused = neuralized(model, name, form=form), neuralized(model, name)
    expected = outputs_of(fused, X)
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(outputs_of(network, X), expected, rtol=0, atol=1e-9 * scale)
    if form == "relu":
        assert {type(layer) for layer in network.layers} <= {torch.nn.Linear, torch.nn.ReLU}
        return
    options = {key: value for key, value in CASES[name].options.items() if key != "output"}
    found, wanted = explain(neon.Explainer(network, **options), X), explain(explainer_of(model, name), X)
    np.testing.assert_allclose(found.values, wanted.values, rtol=0, atol=1e-9 * scale)


@every_case
def test_same_answer(fitted: dict[str, Any], name: str) -> None:
    """Twice, from two threads, from copies, in other containers: bit for bit."""
    model, X = fit(fitted, name)
    X = X.iloc[:40] if hasattr(X, "iloc") else np.ascontiguousarray(X[:40])
    explainer = explainer_of(model, name)
    first = explain(explainer, X)
    others = (explainer, pickle.loads(pickle.dumps(explainer)), explainer_of(copy.deepcopy(model), name))
    answers = [explain(other, X) for other in others]
    if isinstance(X, np.ndarray):
        answers += [explain(explainer, pd.DataFrame(X)), explain(explainer, torch.as_tensor(X))]
        if "robustscaler" in getattr(model, "named_steps", ()):  # which does not centre sparse rows
            with pytest.raises(neon.UnsupportedModelError, match="something else from sparse rows"):
                explain(explainer, sparse.csr_matrix(X))
        elif not np.isnan(X).any():
            answers += [explain(explainer, sparse.csr_matrix(X))]
    n_answers = len(answers)
    threads = [threading.Thread(target=lambda: answers.append(explain(explainer, X))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == n_answers + 2
    for answer in answers:
        np.testing.assert_array_equal(answer.values, first.values)
        np.testing.assert_array_equal(answer.prediction, first.prediction)


@every_case
def test_batches(fitted: dict[str, Any], name: str) -> None:
    model, X = fit(fitted, name)
    explainer = explainer_of(model, name)
    whole = explain(explainer, X)
    assert explain(explainer, X[:0]).values.shape == (0, *whole.values.shape[1:])
    scale = max(1.0, float(np.abs(whole.values).max()))
    np.testing.assert_allclose(explain(explainer, X[3:4]).values, whole.values[[3]], rtol=0, atol=1e-9 * scale)
    chunked = explain(explainer_of(model, name, batch_size=7), X)
    np.testing.assert_allclose(chunked.values, whole.values, rtol=0, atol=1e-9 * scale)
    if NEEDS_DOUBLE.fullmatch(name):
        told = pytest.raises(
            (neon.UnsupportedModelError, RuntimeWarning), match=r"dtype=torch\.float64|rounding decides"
        )
        with told:
            explain(explainer_of(model, name, dtype=torch.float32), X)
        return
    single = explain(explainer_of(model, name, dtype=torch.float32), X)
    assert np.isfinite(single.values).all()


# Another function in single precision, and said to be: rows next to training rows, or on a step of the function.
NEEDS_DOUBLE = re.compile(
    "LocallyLinearEmbedding|KNeighborsTransformer-connectivity|KNeighborsClassifier-nearness-manhattan"
    "|KBinsDiscretizer-after-PCA|LatentDirichletAllocation-SVC"
)


@every_case
def test_neither_the_order_of_rows_nor_their_precision_matters(fitted: dict[str, Any], name: str) -> None:
    """Rows in another order give the same in that order; narrow numbers give what the same ones give in float64."""
    model, X = fit(fitted, name)
    explainer, order = explainer_of(model, name), np.array([5, 0, 3, 1, 4, 2])
    narrow = with_floats(X.iloc[:6] if hasattr(X, "iloc") else X[:6], np.float32)
    expected = explain(explainer, with_floats(narrow, np.float64))
    found = explain(explainer, narrow.iloc[order] if hasattr(X, "iloc") else narrow[order])
    assert expected.target is not None
    np.testing.assert_array_equal(found.target, expected.target[order])
    for part in ("values", "prediction", "base_values"):
        wanted = getattr(expected, part)[order]
        scale = max(float(np.abs(expected.values).max()), float(np.abs(wanted).max()))
        np.testing.assert_allclose(getattr(found, part), wanted, rtol=0, atol=1e-9 * scale)


def with_floats(rows: Any, dtype: type) -> Any:
    """Floating-point numbers, where there are any, in another precision."""
    if isinstance(rows, np.ndarray):
        return rows.astype(dtype) if rows.dtype.kind == "f" else rows
    if not hasattr(rows, "columns"):  # documents, dictionaries
        return rows
    return rows.astype({column: dtype for column in rows.columns if rows[column].dtype.kind == "f"})


@every_case
def test_target_is_the_prediction(fitted: dict[str, Any], name: str) -> None:
    model, X = fit(fitted, name)
    explainer = explainer_of(model, name)
    if explainer.network.classes is None and len(explainer.network.output_names) > 1:
        with pytest.raises(ValueError, match="predicts all of them: give target="):
            explainer(X)
        return
    explanation = explainer(X)
    labels = model.predict(X) if explainer.network.classes is not None and hasattr(model, "predict") else None
    if labels is not None and np.squeeze(labels).ndim == 1:  # one target
        explained = np.asarray(explainer.network.classes)[explanation.target]
        np.testing.assert_array_equal(explained.astype(str), np.ravel(labels).astype(str))
        assert "KMeans" not in name or (explanation.prediction >= 0).all()
        return
    with torch.no_grad():
        largest = explainer.network(explainer.network.encode(X)).max(1)
    np.testing.assert_allclose(explanation.prediction, largest.values.numpy(), rtol=0, atol=1e-9)
    if "OneClass" in name:
        np.testing.assert_array_equal(explanation.prediction > 0, model.decision_function(X).ravel() < 0)


PREDICTING = [name for name, case in CASES.items() if not case.labelled and _predicts(case.estimator)]


@pytest.mark.parametrize("name", PREDICTING)
def test_what_an_estimator_around_it_reads(fitted: dict[str, Any], name: str) -> None:
    """Stacking, voting, calibration and chains rebuild a member's answers: they are the member's own, or refused.

    What is refused is written down in tests/contract/refusals.py.
    """
    model, X = fit(fitted, name)
    classifies = is_classifier(model)
    if classifies and np.ndim(model.classes_[0]) > 0:
        pytest.skip("several targets, of which an estimator around it reads none")
    x = neuralized(model, name).encode(X)
    answers = {"predict": "predict", "decision_function": "decision_function"}
    answers |= {"predict_proba": "predict_proba", "log_odds": "predict_proba"}
    for answer, method in answers.items() if classifies else [("predict", "predict")]:
        if not hasattr(model, method):
            continue
        if (name, answer) in refusals.ANSWERS:
            with pytest.raises(neon.UnsupportedModelError, match=refusals.ANSWERS[name, answer]):
                _answer(model, answer)
            continue
        part, is_odds = _answer(model, answer)
        with torch.no_grad():
            found = part.layers(x).numpy()
        expected = getattr(model, method)(X)
        if classifies and answer == "predict":
            np.testing.assert_array_equal(model.classes_[found.argmax(1)], expected.ravel())
            continue
        found = (expit(found) if is_odds else found).reshape(expected.shape)
        rounding = 1e-9
        if name.startswith("XGB"):  # answers in float32
            rounding = 1e-6
        elif name.startswith("KNeighborsClassifier-nearness"):  # a training point's distance from itself, by rounding
            rounding = 1e-7
        np.testing.assert_allclose(found, expected, rtol=0, atol=rounding * max(1.0, float(np.abs(expected).max())))


def _answer(model: Any, answer: str) -> tuple[Conversion, bool]:
    """The layers that give an answer, or its log-odds."""
    if answer == "predict":
        return (members.vote if is_classifier(model) else members.predicted)(model, Ask()), False
    if answer == "decision_function":
        return members.decision(model, Ask()), False
    return members.probability(model, Ask(), odds=answer == "log_odds")


# Probabilities that no function of the latent mean gives: they are averaged over its variance.
AVERAGED = re.compile("GaussianProcessClassifier.*")
CLASSIFYING = [name for name in PREDICTING if is_classifier(CASES[name].estimator)]


@pytest.mark.parametrize("name", CLASSIFYING)
def test_the_probability_and_log_odds_of_every_classifier_that_has_them(fitted: dict[str, Any], name: str) -> None:
    """By one name each, whatever the library or the estimators around it call them."""
    model, X = fit(fitted, name)
    rows = X.iloc[:3] if hasattr(X, "iloc") else X[:3]
    if not hasattr(model, "predict_proba") or AVERAGED.fullmatch(name):
        for output in ("probability", "log_odds"):
            with pytest.raises(neon.UnknownOutputError, match="choose from"):
                neon.neuralize(model, output=output)
        return
    expected = model.predict_proba(rows)
    expected = np.hstack(expected) if isinstance(expected, list) else np.asarray(expected)  # of several targets
    rounding = 1e-6 if name.startswith(("XGB", "LGBM")) else 1e-9
    found = neon.explain(model, rows, "all", output="probability", composite="neon")
    np.testing.assert_allclose(found.prediction, expected, rtol=0, atol=rounding)
    assert found.conservation_error() <= 1e-9
    assert "probability" in found.explains or "share" in found.explains
    try:
        odds = neon.neuralize(model, output="log_odds")
    except (neon.UnknownOutputError, neon.UnsupportedModelError) as error:
        assert "choose" in str(error) or "takes a machine" in str(error)  # noqa: PT017
        return
    assert "log-odds" in odds.explains
    if "stand against it" in odds.explains:  # of a unanimous vote they are finite
        return
    np.testing.assert_allclose(expit(outputs_of(odds, rows)), expected, rtol=0, atol=rounding)


# Linear models of raw columns, relative to their origin; data cut at fixed values; trees that split ties otherwise.
RELATIVE_TO_ORIGIN = re.compile(
    "BernoulliNB-binarized|BernoulliRBM-Ridge|LinearDiscriminantAnalysis-transform-eigen|FrozenEstimator-step|KernelPCA.*"
    "|TransformedTargetRegressor.*|OneVsRestClassifier-ridge|MultiOutputRegressor|BaggingRegressor|KernelCenterer"
    "|VarianceThreshold|Select.*|GenericUnivariateSelect|SequentialFeatureSelector|RFE.*"
    "|GradientBoostingClassifier-probability"  # from reference rows that are not moved
    "|DecisionTree.*|ExtraTree.*|(Balanced)?RandomForest.*|Bagging.*"
)


@every_case
def test_where_the_data_lie_does_not_matter(fitted: dict[str, Any], name: str) -> None:
    """Refitted on shifted columns, a model that predicts the same is explained the same."""
    case = CASES[name]
    if not isinstance(case.X, np.ndarray) or case.X.dtype.kind != "f":
        pytest.skip("not all columns are numbers that can be shifted")
    if RELATIVE_TO_ORIGIN.fullmatch(name):
        pytest.skip("explained relative to the origin, or another model there")
    model, X = fit(fitted, name)
    moved = X + 8 * np.round(np.nanstd(X, axis=0) + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        there = clone(case.estimator).fit(moved, case.y)
        explained = neon.Explainer(there, **case.options, **({"data": moved} if case.labelled else {}))
        found = explained(moved[:12], "all")
    here = explainer_of(model, name)(X[:12], "all")
    size = np.abs(here.prediction).max()
    if np.abs(found.prediction - here.prediction).max() > 1e-8 * size:
        pytest.skip("the model itself predicts otherwise there")
    assert np.abs(found.values - here.values).max() <= 1e-5 * max(size, np.abs(here.values).max())


def test_every_registered_estimator_is_a_case() -> None:
    tested = {public_name(type(part)) for case in CASES.values() for part in parts_of(case.estimator)}
    # deprecated in scikit-learn, and refused by warnings as errors
    tested |= {f"sklearn.linear_model.PassiveAggressive{kind}" for kind in ("Classifier", "Regressor")}
    missing = {name for name in registered() if name.startswith("sklearn.")} - tested
    assert not missing


def parts_of(estimator: Any) -> Iterator[Any]:
    """An estimator and those inside it."""
    yield estimator
    yield from (part for part in estimator.get_params().values() if hasattr(part, "get_params"))


@pytest.mark.parametrize("output", ["decision_function", "log_ratio"])
def test_tied_votes_explain_the_class_that_the_model_predicts(output: str) -> None:
    """Three machines that each prefer another class: no class wins all its pairs, and the largest margin may lose."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    y = np.array(["a", "b", "c", "d", "e"])[rng.integers(5, size=60)]  # labels without rhyme: votes tie often
    model = svm.SVC(gamma=3.0, C=100.0).fit(X, y)
    rows = rng.normal(size=(400, 2))
    explanation = neon.Explainer(model, output=output)(rows)
    largest = neon.Explainer(model, output=output)(rows, "all").prediction.argmax(1)
    assert (largest != explanation.target).any()  # otherwise this test would test nothing
    np.testing.assert_array_equal(model.classes_[explanation.target], model.predict(rows))
