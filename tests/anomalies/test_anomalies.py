"""The most unusual rows and their reasons: every kind of model, raw units, frames, tables, HTML, the strip plot."""

from __future__ import annotations

import datetime
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import DBSCAN
from sklearn.compose import ColumnTransformer
from sklearn.covariance import EllipticEnvelope
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDOneClassSVM
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity, LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import OneClassSVM

import neon
from neon.anomalies.scale import positions
from neon.explanation.typical import Typical
from neon.plots._colors import luminance
from tests.plots.layout import assert_readable

RANDOM = np.random.default_rng(0)
NAMES = ["speed", "flow", "current", "noise"]
X = RANDOM.normal([1739, 30, 14, 70], [218, 9, 5, 3], size=(200, 4))
X[17, 0], X[60, 3], X[111, 2] = 4000.0, 120.0, 60.0
PLANTED = {17: 0, 60: 3, 111: 2}


@pytest.mark.filterwarnings("ignore:the integral along")  # of rows ten standard deviations out, for narrow kernels
@pytest.mark.parametrize(
    ("model", "options"),
    [
        (OneClassSVM(nu=0.05), {}),
        (OneClassSVM(nu=0.05, gamma=1.0), {}),
        (OneClassSVM(nu=0.05), {"composite": "neon"}),
        (KernelDensity(bandwidth=0.5), {}),
        (GaussianMixture(1, random_state=0), {}),
        (EllipticEnvelope(random_state=0), {}),
        (IsolationForest(random_state=0), {}),
        (LocalOutlierFactor(novelty=True), {}),
        (PCA(3), {"output": "reconstruction_error"}),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "fit") else "",
)
def test_planted_rows_come_first_with_their_columns(model: Any, options: dict) -> None:
    found = neon.explain_anomalies(make_pipeline(StandardScaler(), model).fit(X), X, n=3, **options)
    if not options.get("output"):  # three components of four follow the outliers
        assert set(found.rows) == set(PLANTED)
        assert [found.reasons(place)[0] for place in range(3)] == [PLANTED[row] for row in found.rows]
    assert found.explanation.conservation_error() < 1e-8 * np.abs(found.explanation.values).max()
    np.testing.assert_array_equal(found.by_others[found.rows], np.sort(found.by_others)[::-1][:3])
    assert (np.abs(found.explanation.prediction - found.scores[found.rows]) <= 1e-9 * np.abs(found.scores).max()).all()


@pytest.mark.parametrize("model", [SGDOneClassSVM(nu=0.1, random_state=0), OneClassSVM(kernel="linear")], ids=str)
def test_linear_models(model: Any) -> None:
    found = neon.explain_anomalies(make_pipeline(StandardScaler(), model).fit(X), X, n=5)
    assert len(found) == 5
    assert found.flagged is not None


@pytest.mark.filterwarnings("ignore:the integral along")
def test_the_models_own_verdict_and_ranking() -> None:
    model = make_pipeline(StandardScaler(), OneClassSVM(nu=0.05)).fit(X)
    found = neon.explain_anomalies(model, X, n=30, own_points=True)
    np.testing.assert_array_equal(found.scores, found.by_others)
    order = np.argsort(model.decision_function(X), kind="stable")
    assert found.flagged is not None
    assert set(found.rows[:5]) == set(order[:5])
    np.testing.assert_array_equal(found.flagged, model.decision_function(X)[found.rows] < 0)
    assert neon.explain_anomalies(make_pipeline(StandardScaler(), KernelDensity()).fit(X), X).flagged is None


@pytest.mark.filterwarnings("ignore:the integral along")
@pytest.mark.parametrize("bandwidth", [0.3, 1.0])
def test_rows_are_ranked_by_the_points_that_are_not_themselves(bandwidth: float) -> None:
    """Against densities fitted without each of some rows, a copy of which is left out with it."""
    rows = StandardScaler().fit_transform(np.vstack([X, X[17:18]]))
    found = neon.explain_anomalies(KernelDensity(bandwidth=bandwidth).fit(rows), rows, n=4)
    constant = 4 * np.log(bandwidth * np.sqrt(2 * np.pi))
    for place in (0, 17, 60, 200):
        others = rows[(rows != rows[place]).any(1)]
        density = KernelDensity(bandwidth=bandwidth, leaf_size=300).fit(others)  # in one leaf: no bounds
        log_density = density.score_samples(rows[place : place + 1])[0]
        expected = -log_density - constant - np.log(len(others) / len(rows))
        np.testing.assert_allclose(found.by_others[place], expected, rtol=1e-7)
    assert set(found.rows) == {17, 60, 111, 200}
    assert "without its own point" in found.sentences[0]


@pytest.mark.filterwarnings("ignore:the integral along")
def test_raw_units_in_words_and_tables() -> None:
    frame = pd.DataFrame(X, columns=NAMES, index=[f"pump {i}" for i in range(200)])
    model = make_pipeline(StandardScaler(), OneClassSVM(nu=0.05)).fit(frame)
    found = neon.explain_anomalies(model, frame, n=3, feature_units={"speed": "rpm"})
    usual = Typical(frame["speed"], unit="rpm").words()
    place = list(found.labels).index("pump 17")
    title = f"Row pump 17, rank {place + 1} of 200 (outlierness "
    assert found.sentences[place].startswith(title)
    assert f", an outlier): speed 4000 rpm, {usual}." in found.sentences[place]
    assert found.sentences[place] in repr(found)
    ranking = found.to_frame()
    assert list(ranking.columns) == ["rank", "outlierness", "by_others", "outlier", "because"]
    assert ranking.loc["pump 17", "because"] == f"speed 4000 rpm, {usual}"
    reasons = found.reasons_frame()
    assert len(reasons) == 3 * 4
    first = reasons[reasons.row == "pump 17"].iloc[0]
    assert (first.feature, first.value) == ("speed", "4000 rpm")
    total = reasons.groupby("rank").relevance.sum().to_numpy()
    np.testing.assert_allclose(total, found.explanation.values.sum(1))


@pytest.mark.filterwarnings("ignore:the integral along")
def test_what_is_usual_comes_from_other_rows() -> None:
    model = make_pipeline(StandardScaler(), OneClassSVM(nu=0.05)).fit(X)
    found = neon.explain_anomalies(model, X[17:18], among=X)
    assert len(found) == 1
    assert Typical(X[:, 0]).words() in found.sentences[0]
    assert list(found.labels) == [0]


@pytest.mark.filterwarnings("ignore:the integral along")
def test_behind_encoders_with_dates_and_missing_values() -> None:
    frame = pd.DataFrame({"speed": X[:, 0], "place": ["urban"] * 197 + ["rural"] * 3, "pump": RANDOM.random(200) < 0.9})
    encoder = ColumnTransformer([("n", StandardScaler(), ["speed"]), ("c", OneHotEncoder(), ["place", "pump"])])
    model = make_pipeline(encoder, OneClassSVM(nu=0.05)).fit(frame)
    found = neon.explain_anomalies(model, frame, n=4)
    assert set(found.rows) >= {17}
    because = found.to_frame()["because"]
    assert any("place 'rural' (2 %), usually 'urban' (98 %)" in words for words in because)
    found.plot.strip(0)
    plt.close("all")


def test_rows_of_the_fit_of_a_model_without_predict() -> None:
    rows = StandardScaler().fit_transform(X)
    found = neon.explain_anomalies(DBSCAN(eps=1.2).fit(rows), rows, data=rows, n=3)
    assert set(found.rows) == set(PLANTED)


@pytest.mark.filterwarnings("ignore:the integral along")
def test_html_and_names_are_escaped() -> None:
    frame = pd.DataFrame(X, columns=["<script>", "b", "c", "d"], index=["<i>"] * 200)
    found = neon.explain_anomalies(make_pipeline(StandardScaler(), OneClassSVM(nu=0.05)).fit(frame), frame, n=30)
    text = found._repr_html_()
    assert "<script>" not in text
    assert "<i>" not in text
    assert "&lt;script&gt;" in text
    assert "and 5 more" in text


@pytest.mark.filterwarnings("ignore:the integral along")
def test_the_strip_plot_shows_the_rows_on_the_distributions() -> None:
    found = neon.explain_anomalies(make_pipeline(StandardScaler(), OneClassSVM(nu=0.05)).fit(X), X, n=3)
    ax = found.plot(max_features=2)  # the same as `found.plot.strip`
    assert len(ax.get_yticks()) == 2
    place = list(found.rows).index(17)
    alone = found.plot.strip(place)
    low, median, high = Typical(X[:, 0]).middle()
    diamonds = alone.collections[1].get_offsets()
    np.testing.assert_allclose(diamonds[0][0], (4000 - median) / ((high - low) / 2))
    assert any("4000, usually" in text.get_text() for text in alone.texts)
    assert alone.get_xscale() == "linear"
    far = neon.explain_anomalies(make_pipeline(StandardScaler(), KernelDensity()).fit(X), np.vstack([X, X[:1] * 1e3]))
    assert far.plot.strip().get_xscale() == "symlog"
    for each in (far.plot.strip(), far.plot.strip(0), alone):
        assert_readable(each)
    assert alone.get_title(loc="left").endswith(f"rank {place + 1} of {len(X):,}")
    with plt.style.context("dark_background"):
        dark = found.plot.strip(place)
    assert luminance(dark._left_title.get_color()) > 0.5
    assert luminance(dark.collections[1].get_edgecolor()[0][:3]) > 0.5
    given = plt.subplots()[1]
    assert found.plot.strip(-1, ax=given) is given
    plt.close("all")


@pytest.mark.parametrize(
    ("column", "value", "place"),
    [
        (np.zeros(9), 0.0, 0.0),
        (np.array([1.0, 2.0, 3.0, np.nan]), np.nan, np.nan),
        (np.array(["a", "a", "b", None], dtype=object), "b", 1.0),
        (np.array(["a", "a", "b"], dtype=object), "new", 2.0),
        (np.array(["a", "a", "b"], dtype=object), None, np.nan),
        (np.array([None, None], dtype=object), None, np.nan),
    ],
)
def test_places_on_the_shared_axis(column: np.ndarray, value: Any, place: float) -> None:
    _, own = positions(Typical(column), np.array([value], dtype=object), 400, np.random.default_rng(0))
    np.testing.assert_array_equal(own, [place])


def test_dates_on_the_shared_axis() -> None:
    days = np.array([datetime.date(2021, 1, day) for day in range(1, 32)], dtype=object)
    _, own = positions(Typical(days), days[15:16], 400, np.random.default_rng(0))
    np.testing.assert_array_equal(own, [0.0])


@pytest.mark.parametrize("n", [0, -1, 2.5, True, "3"])
def test_numbers_of_rows_that_are_none(n: Any) -> None:
    with pytest.raises(ValueError, match="n must be a whole number"):
        neon.explain_anomalies(OneClassSVM().fit(X), X, n=n)


def test_what_cannot_be_asked_is_said() -> None:
    with pytest.raises(ValueError, match=r"LinearRegression has no outlierness .*reconstruction_error"):
        neon.explain_anomalies(LinearRegression().fit(X, X[:, 0]), X)
    with pytest.raises(ValueError, match="one number for each row"):
        neon.explain_anomalies(LogisticRegression().fit(X / 1e3, np.arange(200) % 3), X, output="log_odds")
    model = OneClassSVM().fit(X)
    with pytest.raises(ValueError, match="no rows"):
        neon.explain_anomalies(model, X[:0])
    with pytest.raises(ValueError, match="among="):
        neon.explain_anomalies(model, X, among=X[:, :2])
    found = neon.explain_anomalies(model, X, n=2)
    for row in (2, "strip"):
        with pytest.raises(ValueError, match="no place in the ranking"):
            found.plot(row)
