"""Displays draw what the plots draw."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.linear_model import Ridge

import neon
from neon import RelevanceDisplay

X = np.random.default_rng(0).normal(size=(30, 4))
model = Ridge().fit(X, X @ [3.0, -1.0, 0.5, 0.0])


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    yield
    plt.close("all")


def test_draws_what_the_plot_draws() -> None:
    display = RelevanceDisplay.from_estimator(model, X, reference=X[:10], max_features=3)
    explanation = neon.explain(model, X, reference=X[:10])
    expected = neon.plots.bar(explanation, max_features=3)
    assert_array_equal(display.explanation.values, explanation.values)
    assert display.figure_ is display.ax_.figure
    drawn, others = ([bar.get_bbox().bounds for bar in ax.patches] for ax in (display.ax_, expected))
    assert drawn == others


@pytest.mark.parametrize(
    ("kind", "options"),
    [("beeswarm", {}), ("heatmap", {}), ("scatter", {"feature": 1}), ("waterfall", {"row": 3})],
)
def test_kinds_on_given_axes(kind: str, options: dict) -> None:
    figure, ax = plt.subplots()
    display = RelevanceDisplay.from_explanation(neon.explain(model, X), kind=kind, ax=ax, **options)
    assert (display.ax_, display.figure_) == (ax, figure)
    assert display.plot(kind=kind, **options) is display
    assert display.ax_ is not ax


def test_unknown_kinds_are_refused_before_anything_is_explained() -> None:
    with pytest.raises(ValueError, match=r"'bar', 'beeswarm'.*got 'violin'"):
        RelevanceDisplay.from_estimator(None, X, kind="violin")
