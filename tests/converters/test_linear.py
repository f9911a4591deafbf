"""Linear classifiers of labels, and classifiers of any kind that have seen one class alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_diabetes
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier
from sklearn.linear_model import RidgeClassifier, RidgeClassifierCV
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier, OutputCodeClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier

import neon
from neon.errors import UnsupportedModelError

pytestmark = pytest.mark.usefixtures("one_pass")


@pytest.mark.parametrize("make", [RidgeClassifier, RidgeClassifierCV])
@pytest.mark.parametrize("columns", [[0, 1], [0, 0], [0, 1, 0]])
def test_labels_are_predicted_each_by_itself(make: Any, columns: list[int]) -> None:
    X, y = load_diabetes(return_X_y=True)
    L = np.stack([y > 100, y > 200], axis=1).astype(int)[:, columns]
    model = make().fit(X, L)
    with pytest.raises(ValueError, match="predicts all of them"):
        neon.Explainer(model)(X)
    scores = neon.Explainer(model)(X, "all")
    assert scores.explains.startswith("decision function of a label; relative to the origin")
    np.testing.assert_allclose(scores.prediction, model.decision_function(X), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(scores.prediction > 0, model.predict(X))


@pytest.mark.parametrize(
    "model",
    [
        RidgeClassifier(),
        MLPClassifier((3,), max_iter=2),
        OneVsRestClassifier(KNeighborsClassifier()),
        OutputCodeClassifier(RidgeClassifier(), random_state=0),
        CalibratedClassifierCV(RidgeClassifier(), cv=2),
        AdaBoostClassifier(DummyClassifier(), n_estimators=2),
        BaggingClassifier(RidgeClassifier(), n_estimators=2),
        GridSearchCV(RidgeClassifier(), {"alpha": [1.0]}, cv=2),
    ],
    ids=lambda model: type(model).__name__,
)
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("label", ["ok", 3])
def test_one_class_alone_is_refused_in_words(model: Any, label: Any) -> None:
    X = np.random.default_rng(0).normal(size=(30, 2))
    model.fit(X, np.full(30, label))
    with pytest.raises(UnsupportedModelError, match=r"fitted on one class alone, '(ok|3|0)', and predicts it for"):
        neon.neuralize(model)
