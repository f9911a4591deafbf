"""Plots of partial dependence, in numbers read back from the axes."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

import neon
from neon.plots import dependence


@pytest.fixture
def found() -> neon.dependence.PartialDependence:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=80), "$b": rng.integers(0, 3, 80).astype(float)})
    model = RandomForestRegressor(4, max_depth=4, random_state=0).fit(frame, frame["a"] * frame["$b"])
    yield neon.partial_dependence(
        model, frame, ["a", "$b", ("$b", "a")], grid_resolution=9, custom_values={"$b": [2.0, np.nan, 0.0]}
    )
    plt.close("all")


def test_a_line_over_the_grid(found: neon.dependence.PartialDependence) -> None:
    ax = dependence(found)
    mean, line, deciles = ax.lines
    assert mean.get_ydata()[0] == found.base
    assert np.array_equal(line.get_xdata(), found["a"].grid[0])
    assert np.array_equal(line.get_ydata(), found["a"].average)
    assert len(deciles.get_xdata()) >= 7
    assert ax.get_xlabel() == "a"


def test_points_in_order_and_missing_ones_left_out(found: neon.dependence.PartialDependence) -> None:
    ax = dependence(found, "$b")
    assert ax.lines[1].get_xdata().tolist() == [0.0, 2.0]
    assert ax.lines[1].get_ydata().tolist() == found["$b"].average[[2, 0]].tolist()
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0", "2"]


def test_a_square_of_the_effect_of_two(found: neon.dependence.PartialDependence) -> None:
    drawn = plt.subplots()[1]
    assert dependence(found, ("$b", "a"), ax=drawn) is drawn
    (mesh,) = drawn.collections
    assert np.array_equal(mesh.get_array(), found["$b", "a"].effect[[2, 0]].T)
    assert mesh.norm.vmin == -mesh.norm.vmax
    assert (drawn.get_xlabel(), drawn.get_ylabel()) == ("$b", "a")


def test_labels_have_a_dot_each() -> None:
    frame = pd.DataFrame({"colour": ["red", "blue", "green"] * 10})
    model = make_pipeline(OrdinalEncoder(), RandomForestRegressor(2, random_state=0))
    found = neon.partial_dependence(model.fit(frame, np.arange(30) % 3), frame)
    ax = dependence(found, "colour")
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["blue", "green", "red"]
    assert ax.lines[1].get_linestyle() == "None"
    plt.close("all")
