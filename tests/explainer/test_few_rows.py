"""A few rows pass from all reference rows at once, and give what many rows give that take one after the other."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KernelDensity, KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC, OneClassSVM

import neon
from neon.lrp.paths import integral

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 5)) + np.repeat([[0.0], [1.5]], 40, axis=0)
y = np.repeat(["a", "b"], 40)
MIXED = pd.DataFrame(X, columns=list("pqrst")).assign(kind=np.where(RNG.random(80) < 0.3, "round", "long"))

MODELS = {
    "k-means": KMeans(4, n_init=1, random_state=0),
    "one-class SVM": OneClassSVM(nu=0.3),
    "density": make_pipeline(StandardScaler(), KernelDensity()),
    "mixture": GaussianMixture(2, random_state=0),
    "discriminant": QuadraticDiscriminantAnalysis(),
    "naive Bayes": GaussianNB(),
    "perceptron": make_pipeline(StandardScaler(), MLPClassifier((6,), max_iter=30, random_state=0)),
    "behind PCA": make_pipeline(PCA(3), OneClassSVM(nu=0.3)),
    "neighbours": KNeighborsClassifier(7),
    "voting": VotingClassifier([("a", LogisticRegression()), ("b", GaussianNB())], voting="soft"),
    "kernels": SVC(),
    "one-hot codes": make_pipeline(
        make_column_transformer((OneHotEncoder(), ["kind"]), remainder=StandardScaler()), OneClassSVM(nu=0.3)
    ),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("n_rows", [1, 3])
def test_few_rows_get_what_many_get(name: str, n_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rows: Any = MIXED if name == "one-hot codes" else X
    model = MODELS[name].fit(rows, y)
    explainer = neon.Explainer(model, composite="expected", reference=rows[5:60:5], progress=False)
    found = explainer(rows[:n_rows])
    with monkeypatch.context() as patch:
        patch.setattr(integral, "_FEW", 0)
        expected = explainer(rows[:n_rows])
    size = np.abs(expected.values).max()
    np.testing.assert_allclose(found.values, expected.values, rtol=0, atol=1e-12 * size)
    np.testing.assert_allclose(found.base_values, expected.base_values, rtol=1e-12, atol=1e-12 * size)
    np.testing.assert_allclose(explainer(rows).values[:n_rows], found.values, rtol=0, atol=1e-12 * size)
    assert found.residuals.keys() == expected.residuals.keys()
    for residual, value in expected.residuals.items():
        np.testing.assert_allclose(found.residuals[residual], value, rtol=0, atol=1e-12 * size)


def test_the_ways_are_taken() -> None:
    """What the test above compares is not one way with itself."""
    ways = {}
    for name in ("k-means", "one-class SVM", "mixture", "behind PCA", "kernels"):
        explainer = neon.Explainer(MODELS[name].fit(X, y), composite="expected", reference=X[5:60:5], progress=False)
        explainer(X[:1])
        ways[name] = explainer._reference.way
    moments = dict.fromkeys(["k-means", "one-class SVM", "mixture", "behind PCA"], "moments")
    assert ways == moments | {"kernels": "rows"}
