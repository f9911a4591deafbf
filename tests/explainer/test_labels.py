"""Targets as callers name them, and what is explained then."""

from __future__ import annotations

from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
import torch
from scipy.special import logit
from sklearn.cluster import KMeans
from sklearn.datasets import load_wine
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import neon
from neon.lrp.targets import Contrast, LogOdds

X, Y = load_wine(return_X_y=True)
X = StandardScaler().fit_transform(X)
NAMES = np.array(["barbera", "barolo", "grignolino"])
ROWS = X[::9]

MODELS: dict[str, Any] = {
    "softmax of trees": GradientBoostingClassifier(n_estimators=5, random_state=0),
    "LightGBM": lgb.LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1),
    "softmax of lines": make_pipeline(StandardScaler(), LogisticRegression()),
    "pairwise machines": make_pipeline(StandardScaler(), SVC()),
    "probabilities of trees": RandomForestClassifier(5, random_state=0),
    "perceptron": MLPClassifier((5,), max_iter=2000, random_state=0),
    "clusters": KMeans(3, n_init=1, random_state=0),
}


@pytest.fixture(scope="module")
def fitted() -> dict[str, Any]:
    return {name: model.fit(X, NAMES[Y]) for name, model in MODELS.items()}


COMPOSITES = [(name, None) for name in MODELS] + [
    ("softmax of lines", "shapley"),
    ("softmax of trees", "shapley"),
    ("pairwise machines", "neon"),
    ("perceptron", "expected"),
    ("clusters", "neon"),
]


@pytest.mark.parametrize(("name", "composite"), COMPOSITES)
@pytest.mark.parametrize("batch_size", [None, 7])
def test_a_contrast_is_the_difference_of_two_explanations(
    fitted: Any, name: str, composite: str | None, batch_size: int | None
) -> None:
    reference = X[:7] if composite == "expected" else None
    explainer = neon.Explainer(
        fitted[name], composite=composite, reference=reference, batch_size=batch_size, progress=False
    )
    every = explainer(ROWS, "all")
    turns = np.arange(len(ROWS)) % 3
    labels = tuple(explainer.network.classes[i] for i in (2, 1))
    for target, a, b in (
        (Contrast(2, 1), 2, 1),
        (Contrast(*labels), 2, 1),
        (labels, 2, 1),
        (Contrast(turns.tolist(), ((turns + 1) % 3).tolist()), turns, (turns + 1) % 3),
    ):
        found, each = explainer(ROWS, target), np.arange(len(ROWS))
        a, b = np.broadcast_to(a, len(ROWS)), np.broadcast_to(b, len(ROWS))
        scale = np.abs(every.values).max()
        np.testing.assert_allclose(
            found.values, every.values[each, :, a] - every.values[each, :, b], rtol=0, atol=1e-12 * scale
        )
        for one, both in ((found.base_values, every.base_values), (found.prediction, every.prediction)):
            np.testing.assert_allclose(one, both[each, a] - both[each, b], rtol=0, atol=1e-12 * scale)
        for residual, amount in every.residuals.items():
            np.testing.assert_allclose(
                found.residuals.get(residual, 0.0), amount[each, a] - amount[each, b], rtol=0, atol=1e-12 * scale
            )
        assert found.conservation_error() <= 1e-12 * scale


@pytest.mark.parametrize("rows", [1, 2, 20])
def test_a_contrast_is_called_by_its_classes(fitted: Any, rows: int) -> None:
    """However many rows there are: two labels in a tuple are never one for each of two rows."""
    for target in (("barolo", "barbera"), Contrast("barolo", "barbera"), (1, 0)):
        found = neon.explain(fitted["probabilities of trees"], X[:rows], target)
        assert found.output_names == ("barolo against barbera",)
        assert found.explains.startswith("barolo against barbera: difference of two outputs, each: ")
        np.testing.assert_array_equal(found.target, np.zeros(rows))
    each = [NAMES[k] for k in (np.arange(rows) + 1) % 3]
    assert len(neon.explain(fitted["probabilities of trees"], X[:0], ("barolo", "barbera"))) == 0
    found = neon.explain(fitted["pairwise machines"], X[:rows], (each, NAMES[np.arange(rows) % 3]))
    pairs = ["barolo against barbera", "grignolino against barolo", "barbera against grignolino"]
    assert [found.output_names[k] for k in found.target] == [pairs[k % 3] for k in range(rows)]


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (("barolo",), "a tuple names two outputs"),
        (("barolo", "barbera", "barolo"), "give a list for one target per row"),
        (("barolo", "barolo"), "an output against itself"),
        (("barolo", 1), "against itself"),
        (("barolo", "merlot"), "unknown target 'merlot'"),
    ],
)
def test_contrasts_that_are_none(fitted: Any, target: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        neon.explain(fitted["pairwise machines"], X[:3], target)


def test_interactions_of_a_contrast(fitted: Any) -> None:
    explainer = neon.Explainer(fitted["LightGBM"], composite="shapley")
    every = explainer(ROWS[:4], "all", interactions=True).interactions
    found = explainer(ROWS[:4], ("barbera", "barolo"), interactions=True)
    np.testing.assert_allclose(found.interactions, every[..., 0] - every[..., 1], rtol=0, atol=1e-12)


def test_a_contrast_of_a_module() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(13, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3)).double()
    every = neon.explain(model, ROWS, "all")
    for target in ((2, 0), Contrast(2, 0), ([2] * len(ROWS), 0)):
        found = neon.explain(model, ROWS, target)
        np.testing.assert_allclose(found.values, every.values[..., 2] - every.values[..., 0], rtol=0, atol=1e-12)
        assert found.output_names == ("output 2 against output 0",)


def test_attributes_of_a_module_are_no_labels() -> None:
    """A module may call anything of its own classes, output_names or feature_names."""
    torch.manual_seed(0)
    plain = torch.nn.Linear(13, 3).double()
    named = torch.nn.Linear(13, 3).double()
    named.load_state_dict(plain.state_dict())
    named.classes, named.output_names, named.explains = [2, 1, 0], ["a", "b"], "b"
    named.feature_names, named.composite, named.reference_composite = ["x"], "gamma", 3
    named.most_starts = "many"
    for target in (2, (0, 2), "all"):
        found, expected = neon.explain(named, ROWS, target), neon.explain(plain, ROWS, target)
        np.testing.assert_array_equal(found.values, expected.values)
        assert (found.output_names, found.explains) == (expected.output_names, expected.explains)
        assert found.feature_names == expected.feature_names
    with pytest.raises(ValueError, match="give an index"):
        neon.explain(named, ROWS, "a")


@pytest.mark.parametrize("name", ["softmax of trees", "LightGBM", "softmax of lines", "perceptron"])
def test_log_odds_are_those_of_the_models_own_probabilities(fitted: Any, name: str) -> None:
    model = fitted[name]
    explainer = neon.Explainer(model, batch_size=7, progress=False)
    turns = np.arange(len(ROWS)) % 3
    for target, columns in ((2, 2), (NAMES[1], 1), (turns.tolist(), turns)):
        found = explainer(ROWS, LogOdds(target))
        expected = logit(model.predict_proba(ROWS)[np.arange(len(ROWS)), columns])
        np.testing.assert_allclose(found.prediction, expected, rtol=1e-9)
        assert found.conservation_error() <= 1e-9
        assert np.abs(found.base_values).max() > 0.01 or name == "perceptron"
        assert (np.asarray(found.target) == columns).all()


def test_log_odds_of_outputs_from_which_they_do_not_follow(fitted: Any) -> None:
    for name in ("pairwise machines", "probabilities of trees", "clusters"):
        with pytest.raises(ValueError, match="LogOdds is of the logits before a softmax"):
            neon.explain(fitted[name], ROWS, LogOdds(0))
    with pytest.raises(ValueError, match="LogOdds is of the logits"):
        neon.explain(Ridge().fit(X, Y), ROWS, LogOdds(0))


def test_log_odds_of_a_module() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(13, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3)).double()
    explanation = neon.explain(model, ROWS, LogOdds(1))
    with torch.no_grad():
        P = model(torch.tensor(ROWS)).softmax(1)[:, 1].numpy()
    np.testing.assert_allclose(explanation.prediction, logit(P), rtol=1e-9)
    assert (explanation.residuals["entropy"] <= 0).all()
    assert explanation.conservation_error() <= 1e-5
    alone = torch.nn.Linear(13, 1).double()
    np.testing.assert_array_equal(neon.explain(alone, ROWS, LogOdds(0)).values, neon.explain(alone, ROWS, 0).values)
