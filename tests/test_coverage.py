"""No estimator of scikit-learn is silently skipped, and the coverage page says what is so."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.cluster import KMeans
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import neon
from benchmarks import coverage
from neon.converters.core.ask import Ask
from neon.converters.core.registry import declined, public_name
from neon.converters.linear_model.linear import convert_regressor
from neon.errors import UnsupportedModelError
from tests.contract import Case, refusals

ESTIMATORS = coverage.estimators()
DECLINED = [name for name in declined() if name in ESTIMATORS]  # the others are those of a later scikit-learn
RECORDS = {record.name: record for record in neon.supported()}
on_page_version = pytest.mark.skipif(
    not sklearn.__version__.startswith("1.9."), reason="the page is that of scikit-learn 1.9"
)


def page() -> dict[str, list[str]]:
    """The cells of the coverage page: estimator -> the other columns."""
    lines = coverage.PAGE.read_text(encoding="utf-8").split("| estimator |")[1].splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0].removesuffix(" (experimental)"): row[1:] for row in rows if len(row) > 1}


def test_no_estimator_is_missing() -> None:
    assert set(ESTIMATORS) <= set(RECORDS)
    for name in ESTIMATORS:
        assert RECORDS[name].status in coverage.STATUSES, f"{name}: run python -m benchmarks.coverage"
        assert RECORDS[name].explains


def test_what_predicts_is_explained() -> None:
    """Everything with a prediction, decision, score or transform of new rows has a network."""
    for name, cls in ESTIMATORS.items():
        if any(hasattr(cls, method) for method in ("predict", "decision_function", "score_samples")):
            assert RECORDS[name].status != "not explained"
    assert not [name for name in DECLINED if coverage.transforms_features(ESTIMATORS[name])]


@on_page_version
def test_the_page_is_that_of_the_command() -> None:
    rows = page()
    assert set(rows) == {coverage.short(name) for name in ESTIMATORS}
    for name in ESTIMATORS:
        status, explains, models, error, agreement, *_ = rows[coverage.short(name)]
        assert (status, explains) == RECORDS[name][1:], f"{name}: run python -m benchmarks.coverage"
        assert bool(models) == bool(error) == (status != "not explained")
        assert bool(agreement) == (status == "surrogate")
        if error:
            assert int(models) > 0
            assert float(error.removeprefix("< ")) <= 1e-9
        if "labels" in agreement:
            assert float(agreement.split("%")[0]) >= 90


@on_page_version
def test_other_libraries_side_by_side() -> None:
    rows, shown = page(), coverage.PAGE.read_text(encoding="utf-8")
    (onnx, by_onnx), (shap, by_shap) = coverage.others().items()
    names = {coverage.short(name) for name in ESTIMATORS} - set(coverage.EXPERIMENTAL)
    assert len(names) == 208
    assert set(by_onnx) | set(by_shap) <= names
    assert len(by_onnx) == 139
    assert Counter(by.split()[0] for by in by_shap.values()) == {"TreeExplainer": 13, "LinearExplainer": 46}
    for name in names:
        assert rows[name][5:] == [by_onnx.get(name, ""), by_shap.get(name, "")]
    explained = sum(rows[name][0] != "not explained" for name in names)
    for library, count in (("neon " + neon.__version__, explained), (onnx, 139), (shap, 59)):
        assert f"| {library} | {count} |" in shown


def test_statuses_and_words_are_those_of_fitted_models() -> None:
    found = coverage.everything()
    for record in coverage.support(found):
        assert record == RECORDS[record.name], f"{record.name}: run python -m benchmarks.coverage"
    for name, measures in found.items():
        tolerance = 1e-6 if name.startswith("xgboost.") else 1e-9  # XGBoost adds up in float32
        assert max(measure.error for measure in measures) <= tolerance
    assert set(ESTIMATORS) - set(DECLINED) <= set(found)


def test_what_is_refused_is_written_down() -> None:
    """A new refusal, or another reason, is a failure."""
    without = {name: RECORDS[name].explains for name in ESTIMATORS if RECORDS[name].status == "not explained"}
    assert set(without) <= set(refusals.ESTIMATORS)  # which are those of the newest scikit-learn
    assert set(refusals.ESTIMATORS) == set(declined())
    for name, why in declined().items():
        assert refusals.ESTIMATORS[name] in why


@pytest.mark.parametrize("name", DECLINED)
def test_reasons_are_in_the_error_message(name: str) -> None:
    model = object.__new__(ESTIMATORS[name])  # nothing is fitted, nothing is asked
    with pytest.raises(UnsupportedModelError, match=re.escape(declined()[name])) as raised:
        neon.neuralize(model)
    assert name in str(raised.value)


def test_records_are_a_table() -> None:
    records = neon.supported()
    assert [record.name for record in records] == sorted(RECORDS)
    frame = pd.DataFrame(records)
    assert list(frame.columns) == ["name", "status", "explains"]
    assert frame.set_index("name").loc["sklearn.cluster.KMeans", "explains"].startswith("evidence for a cluster")
    text = repr(records)
    assert "cluster.KMeans" in text
    counted = f"{sum(record.status == 'surrogate' for record in records)} surrogate: the network computes another"
    assert counted in text.split("\n\n")[1]
    assert max(map(len, text.splitlines())) < 160
    assert records._repr_html_().count("<tr") == len(records) + 1


class Half(TransformerMixin, BaseEstimator):
    """Half of every column."""

    def fit(self, X: np.ndarray, y: Any = None) -> Half:
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        return X / 2


def test_estimators_of_ones_own_are_listed() -> None:
    neon.extend.register_linear(Half)
    assert (public_name(Half), "registered", "") in neon.supported()


def test_a_wrong_network_is_noticed() -> None:
    """The figures on the page can be bad."""
    X = np.random.default_rng(0).normal(size=(30, 3))

    def twice(model: Any, ask: Ask) -> Any:
        conversion = convert_regressor(model, ask)
        conversion.layers[0].weight.mul_(2)
        return conversion

    neon.converters.register(Ridge, by=twice)
    found = coverage.measure([Case(make_pipeline(StandardScaler(), Ridge()), X, X[:, 0])])
    assert found["sklearn.linear_model.Ridge"][0].error > 0.1
    assert found["sklearn.pipeline.Pipeline"][0].error > 0.1
    assert found["sklearn.preprocessing.StandardScaler"][0].error < 1e-12


def test_steps_are_measured_on_the_rows_that_reach_them() -> None:
    X = np.random.default_rng(0).normal(size=(30, 3))
    model = make_pipeline(StandardScaler(), "passthrough", KMeans(2, n_init=1, random_state=0)).fit(X)
    (whole, rows, _), (scaler, before, _), (last, after, output) = coverage.parts(model, X, {"output": "transform"})
    assert (whole, scaler, last) == (model, model[0], model[-1])
    assert rows is before is X
    np.testing.assert_array_equal(after, model[0].transform(X))
    assert output == "transform"


def test_errors_are_shown_by_their_power_of_ten() -> None:
    shown = [coverage.below(error) for error in (0.0, 3e-17, 2e-15, 9.9e-13, 1e-12, 0.2, 3.0)]
    assert shown == ["0", "< 1e-15", "< 1e-14", "< 1e-12", "< 1e-11", "< 1e0", "< 1e1"]


def test_share_of_variance() -> None:
    own = np.array([[0.0, 1.0], [2.0, 5.0]])
    assert coverage.variance_reproduced(own + 1e-12, own) is None
    share, of = coverage.variance_reproduced(own + np.array([[1.0, 0.0], [0.0, 0.0]]), own)
    assert share == pytest.approx(1 - 1 / (1 + 1 + 4 + 4))
    assert of == "variance"


def test_words_without_figures() -> None:
    words = (
        "evidence, in soft squared distance (gamma=0.5), a function that gives 95% of the training rows their cluster"
    )
    assert coverage.headline(words) == "evidence, in soft squared distance"
    assert coverage.headline("the vote of the 5 nearest neighbours") == "the vote of the nearest neighbours"
