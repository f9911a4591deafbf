"""The table of docs/outputs.md says what ``output=`` can be, no more and no less."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import AdaBoostClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.utils import all_estimators

import neon

PAGE = Path(__file__).parents[2] / "docs" / "outputs.md"
X = np.abs(np.random.default_rng(0).normal(size=(40, 3)))
Y = np.where(X[:, 0] > 1, "c", np.where(X[:, 1] > 0.7, "b", "a"))

SPECIAL: dict[str, Any] = {
    "AdaBoostClassifier": AdaBoostClassifier(n_estimators=2),
    "VotingClassifier": VotingClassifier([("a", LogisticRegression())], voting="soft"),
    "OneVsRestClassifier": OneVsRestClassifier(LogisticRegression()),
    "OneVsOneClassifier": OneVsOneClassifier(LogisticRegression()),
    "TransformedTargetRegressor": TransformedTargetRegressor(Ridge(), func=np.log1p, inverse_func=np.expm1),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "SGDClassifier": {"loss": "log_loss"},
    "HistGradientBoostingRegressor": {"loss": "poisson", "max_iter": 2},
    "MLPClassifier": {"hidden_layer_sizes": (3,), "max_iter": 5},
    "PCA": {"n_components": 2},
    "GaussianMixture": {"n_components": 2},
}


def table() -> dict[str, tuple[str, list[str]]]:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| (.*) \|$", PAGE.read_text(encoding="utf-8"), flags=re.M)
    return {name: (default, re.findall(r"`(\w+)`", others)) for name, default, others in rows}


def fitted(name: str) -> Any:
    model = SPECIAL.get(name)
    if model is None:
        module = {"XGB": "xgboost", "LGBM": "lightgbm", "CatBoost": "catboost"}
        library = next((pytest.importorskip(m) for start, m in module.items() if name.startswith(start)), None)
        kind = dict(all_estimators())[name] if library is None else getattr(library, name)
        options = dict(OPTIONS.get(name, {}))
        if library is not None:
            options = {"n_estimators": 2} | ({"verbose": -1} if name == "LGBMClassifier" else {})
            options |= {"silent": True, "allow_writing_files": False} if name == "CatBoostClassifier" else {}
        elif "n_estimators" in kind().get_params():
            options["n_estimators"] = 2
        model = kind(**options)
    y: Any = X[:, 0] if name.endswith("Regressor") or name == "Ridge" else Y
    if name.startswith("XGB"):
        y = np.unique(Y, return_inverse=True)[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X, y)


@pytest.mark.parametrize("name", table())
def test_the_outputs_of_a_model_are_those_of_the_page(name: str) -> None:
    default, others = table()[name]
    model = fitted(name)
    rows = X[:2]
    of_default = neon.neuralize(model)
    np.testing.assert_array_equal(neon.neuralize(model, output=default).own(rows), of_default.own(rows))
    for output in others:
        assert neon.neuralize(model, output=output).explains
    with pytest.raises(ValueError, match="choose from") as refused:
        neon.neuralize(model, output="nonsense")
    has = re.findall(r"'(\w+)'", str(refused.value).split("choose from")[1])
    assert set(has) <= {default, *others}
    for output in {"probability", "log_odds", "predict", "variance"} - {default, *others}:
        with pytest.raises((neon.UnknownOutputError, neon.UnsupportedModelError)):
            neon.neuralize(model, output=output)
