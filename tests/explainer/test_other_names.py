"""Arguments of other packages are answered with neon's."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import neon

X = np.random.default_rng(0).normal(size=(30, 3))
ROWS = r"background rows are neon.Explainer\(model, reference=X\)"
MODEL = LogisticRegression().fit(X, X[:, 0] > 0)


@pytest.mark.parametrize("make", [neon.Explainer, lambda model, **given: neon.explain(model, X, **given)])
@pytest.mark.parametrize(
    ("given", "words"),
    [
        *((name, ROWS) for name in ("background", "masker", "baselines", "training_data")),
        *((name, "nothing is sampled here: leave it out") for name in ("n_samples", "nsamples", "n_steps")),
        ("feature_perturbation", "the method is composite="),
        ("model_output", "which function of the model is explained, output= says"),
        ("compsite", r"did you mean composite=\?"),
        ("refrence", r"did you mean reference=\?"),
        ("colour", "it has output=, composite=, reference="),
    ],
)
def test_arguments_of_an_explainer(make: Any, given: str, words: str) -> None:
    with pytest.raises(TypeError, match=rf"Explainer\(\) has no argument {given}=; {words}"):
        make(MODEL, **{given: X})


def test_rows_by_position_are_those_of_other_packages() -> None:
    with pytest.raises(TypeError, match=r"takes model by position and nothing else; background rows are .*reference=X"):
        neon.Explainer(MODEL, X)  # type: ignore[misc]


def test_data_is_not_the_background() -> None:
    with pytest.raises(ValueError, match=r"leave data=None \(rows that .* is relative to are .*reference="):
        neon.Explainer(MODEL, data=X)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("reference", r"it is given where the explainer is made: neon.Explainer\(model, ...\)"),
        ("background", r"neon.Explainer\(model, reference=X\)"),
        ("y", r"explainer\(X, target=...\)"),
        ("interaction", r"did you mean interactions=\?"),
    ],
)
def test_arguments_of_a_call(given: str, words: str) -> None:
    with pytest.raises(TypeError, match=rf"Explainer\(\) has no argument {given}=; .*{words}"):
        neon.Explainer(MODEL)(X, **{given: X})


def test_signatures_are_still_those_of_the_methods() -> None:
    assert list(inspect.signature(neon.Explainer).parameters)[:4] == ["model", "output", "composite", "reference"]
    assert list(inspect.signature(neon.Explainer.__call__).parameters) == ["self", "X", "target", "interactions"]
