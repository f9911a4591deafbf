"""Probabilities and logarithmic loss of boosted classifiers: from each reference row, and as shap computes them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_wine
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import neon
from tests.trees import textbook
from tests.trees.test_engine import close

ORACLE = Path(__file__).parents[1] / "oracles" / "tree_games.npz"
ALL, LABELS = load_wine(return_X_y=True)
GRID = np.round(ALL[:, [0, 6, 9, 12]] / [1.0, 1.0, 2.0, 300.0], 1).astype(np.float32).astype(np.float64)
NAMES = np.array(["a", "b", "c"], dtype=object)[LABELS]
PICKED = [2, 30, 70, 100, 150]
ROWS, REFERENCE = GRID[PICKED], GRID[[5, 25, 90, 140, 30]]  # one row is its own reference


def classifiers() -> dict[str, Any]:
    found: dict[str, Any] = {
        "GradientBoosting": GradientBoostingClassifier(n_estimators=5, random_state=0),
        "exponential": GradientBoostingClassifier(n_estimators=5, loss="exponential", random_state=0),
        "HistGradientBoosting": HistGradientBoostingClassifier(max_iter=8),
        "pipeline": make_pipeline(StandardScaler(), HistGradientBoostingClassifier(max_iter=8)),
    }
    if importlib.util.find_spec("xgboost"):
        from xgboost import XGBClassifier

        found["xgboost"] = XGBClassifier(n_estimators=6, max_depth=3, n_jobs=1)
    if importlib.util.find_spec("lightgbm"):
        from lightgbm import LGBMClassifier

        found["lightgbm"] = LGBMClassifier(n_estimators=6, verbose=-1, n_jobs=1)
        found["one against the rest"] = LGBMClassifier(n_estimators=6, verbose=-1, n_jobs=1, objective="multiclassova")
    if importlib.util.find_spec("catboost"):
        from catboost import CatBoostClassifier

        found["catboost"] = CatBoostClassifier(
            iterations=6, depth=3, verbose=0, allow_writing_files=False, thread_count=1
        )
    return found


MODELS = classifiers()


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_outputs_are_the_models_own_and_add_up(name: str, n_classes: int) -> None:
    model = clone(MODELS[name])  # XGBoost's remember how many classes they were fitted to
    if (name, n_classes) in {("exponential", 3), ("one against the rest", 2)}:
        pytest.skip("of another number of classes")
    y = LABELS if n_classes == 3 else (LABELS > 0).astype(int)
    model.fit(GRID, y)
    own = model.booster_.predict if name == "one against the rest" else model.predict_proba
    p, at_reference = own(ROWS), own(REFERENCE)
    found = neon.explain(model, ROWS, "all", output="probability", reference=REFERENCE)
    tolerance = 1e-6 if name == "xgboost" else 1e-12
    close(found.prediction, p, tolerance)
    close(found.base_values, np.broadcast_to(at_reference.mean(0), p.shape), tolerance)
    loss = neon.explain(model, ROWS, y[PICKED], output="log_loss", reference=REFERENCE)
    each = np.arange(len(ROWS))
    close(loss.prediction, -np.log(p[each, y[PICKED]]), tolerance)
    close(loss.base_values, -np.log(at_reference[:, y[PICKED]]).mean(0), tolerance)
    for explanation in (found, loss):
        assert explanation.conservation_error() < 1e-13 * max(1.0, np.abs(explanation.prediction).max())
        assert np.abs(explanation.residuals.get("quadrature", np.zeros(1))).max() < (1e-15 if n_classes == 2 else 1e-6)


def margins_from(model: Any, row: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Shapley values of the margins against one reference row, by definition, (n_features, n_margins)."""

    def game(present: tuple[int, ...]) -> np.ndarray:
        mixed = start.copy()
        mixed[list(present)] = row[list(present)]
        return np.reshape(model.decision_function(mixed[None]), -1)

    return textbook.shapley(game, len(row))


def test_one_margin_by_definition() -> None:
    """Each reference row's Shapley values of the margin, times the ratio of differences."""
    model = GradientBoostingClassifier(n_estimators=10, random_state=0).fit(GRID, LABELS > 0)
    f = model.decision_function
    for output, g in (("probability", expit), ("log_loss", lambda z: -np.log(expit(z)))):
        found = neon.explain(model, ROWS, True, output=output, reference=REFERENCE)
        assert "Aumann-Shapley values (exact)" in found.explains
        expected = []
        for row in ROWS:
            parts = []
            for start in REFERENCE:
                a, b = f(start[None])[0], f(row[None])[0]
                slope = (g(b) - g(a)) / (b - a) if a != b else (g(b + 1e-6) - g(b - 1e-6)) / 2e-6
                parts.append(margins_from(model, row, start)[:, 0] * slope)
            expected.append(np.mean(parts, axis=0))
        close(found.values, np.array(expected), 1e-10)


def test_several_margins_by_definition() -> None:
    """The mean slopes of the softmax along straight lines of the margins, by many nodes."""
    model = GradientBoostingClassifier(n_estimators=4, random_state=0).fit(GRID, LABELS)
    found = neon.explain(model, ROWS, "all", output="probability", reference=REFERENCE)
    nodes, portions = np.polynomial.legendre.leggauss(60)
    expected = np.zeros_like(found.values)
    for i, row in enumerate(ROWS):
        for start in REFERENCE:
            phi = margins_from(model, row, start)
            a, b = model.decision_function(np.stack([start, row]))
            for t, weight in zip((nodes + 1) / 2, portions / 2, strict=True):
                p = softmax(a + t * (b - a))
                expected[i] += weight * phi @ (np.diag(p) - np.outer(p, p)) / len(REFERENCE)
    close(found.values, expected, 1e-9)


def test_as_shap_computes_them() -> None:
    """Shap 0.54.1 adds up in single precision."""
    xgboost = pytest.importorskip("xgboost")
    with np.load(ORACLE) as oracle:
        model = xgboost.Booster()
        model.load_model(bytearray(oracle["model"].tobytes()))
        for output, target in (("probability", 1), ("log_loss", oracle["y"])):
            found = neon.explain(model, oracle["X"], target, output=output, reference=oracle["reference"])
            close(found.values, oracle[output], 1e-6)
        for reference, name in ((None, "covers_BV"), (oracle["reference"], "rows_BV")):  # of shapiq 1.8.0
            found = neon.explain(model, oracle["X"], 1, composite="banzhaf", reference=reference)
            close(found.values, oracle[name], 1e-6)


def test_labels_and_weights() -> None:
    model = HistGradientBoostingClassifier(max_iter=5).fit(GRID, NAMES)
    loss = neon.explain(model, ROWS, NAMES[PICKED], output="log_loss", reference=(REFERENCE, [2, 1, 0, 1, 1]))
    repeated = neon.explain(
        model, ROWS, NAMES[PICKED], output="log_loss", reference=REFERENCE.repeat([2, 1, 0, 1, 1], axis=0)
    )
    close(loss.values, repeated.values, 1e-12)
    predicted = neon.explain(model, ROWS, output="probability", reference=REFERENCE)
    assert [predicted.output_names[k] for k in predicted.target] == model.predict(ROWS).tolist()
    assert loss.explains.startswith("logarithmic loss")


def test_refusals() -> None:
    model = HistGradientBoostingClassifier(max_iter=3).fit(GRID, LABELS)
    with pytest.raises(ValueError, match=r"true label: give target="):
        neon.explain(model, ROWS, output="log_loss", reference=REFERENCE)
    with pytest.raises(ValueError, match="give reference="):
        neon.explain(model, ROWS, output="probability")
    rows, values = load_diabetes(return_X_y=True)
    with pytest.raises(neon.UnknownOutputError, match="'predict'"):
        neon.Explainer(GradientBoostingRegressor(n_estimators=2).fit(rows, values), output="log_loss")
    with pytest.raises(neon.UnknownOutputError, match="unknown"):
        neon.Explainer(RandomForestClassifier(2).fit(GRID, LABELS), output="log_loss")
    if importlib.util.find_spec("xgboost"):
        from xgboost import XGBRegressor

        with pytest.raises(neon.UnknownOutputError, match=r"scores are log-odds.*choose output='margin'"):
            neon.Explainer(XGBRegressor(n_estimators=2).fit(rows, values), output="probability")
