"""What the plots draw, in numbers read back from the axes; and that any explanation can be drawn."""

from __future__ import annotations

import datetime
import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline

import neon
from neon import Explanation
from neon.explanation.as_numbers import coded
from neon.explanation.text import BLUE, GREY, RED, elide, elide_all, named_value, number
from neon.plots import _tokens, _tokens_html
from tests.plots.layout import assert_readable

PLOTS = ("bar", "beeswarm", "waterfall", "heatmap")


@pytest.fixture(autouse=True)
def _nothing_shown_changed_or_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No plot opens a window, changes matplotlib's settings, or makes more figures than it returns axes of."""

    def shown(*_: Any, **__: Any) -> None:
        raise AssertionError("a plot called plt.show")

    monkeypatch.setattr(plt, "show", shown)
    settings = dict(mpl.rcParams)
    yield
    assert dict(mpl.rcParams) == settings
    plt.close("all")


def explanation(
    n_samples: int = 40,
    n_features: int = 5,
    *,
    values: np.ndarray | None = None,
    data: np.ndarray | None = None,
    name: str = "feature {}",
    outputs: tuple[str, ...] = ("red", "rosé", "white"),
    residuals: tuple[str, ...] = ("entropy", "bias"),
) -> Explanation:
    random = np.random.default_rng(0)
    drawn = random.normal(size=(n_samples, n_features)) * np.arange(1, n_features + 1)
    values = drawn if values is None else values
    base = random.normal(size=n_samples)
    parts = {residual: random.normal(size=n_samples) for residual in residuals}
    return Explanation(
        values=values,
        base_values=base,
        prediction=base + values.sum(axis=1) + sum(parts.values()),
        residuals=parts,
        data=random.normal(size=values.shape) if data is None else data,
        feature_names=[name.format(i) for i in range(n_features)],
        output_names=outputs,
        target=np.arange(n_samples) % len(outputs),
        explains="evidence for a cluster: how much closer it is than the nearest other, in squared distance",
    )


def every_output() -> Explanation:
    values = np.random.default_rng(0).normal(size=(6, 4, 2))
    zeros = np.zeros((6, 2))
    return Explanation(values, zeros, values.sum(axis=1), {}, values[..., 0], tuple("abcd"), ("x", "y"), None, "score")


def draw(plot: str, given: Explanation, **options: Any) -> Axes:
    axes = getattr(given.plot, plot)(**options)
    axes.figure.canvas.draw()  # text and ticks are laid out here: this is where matplotlib would warn
    return axes


def bars(axes: Axes) -> list[tuple[float, float, float, str]]:
    """From, to, line and colour of each bar, as drawn."""
    found = []
    for bar in axes.patches:
        line = bar.get_y() + bar.get_height() / 2
        found.append((bar.get_x(), bar.get_x() + bar.get_width(), line, to_hex(bar.get_facecolor())))
    return found


def names(axes: Axes) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]


def texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts if text.get_gid() != "explains"]


def head(axes: Axes) -> str:
    """What stands above a plot."""
    return axes.get_title(loc="left")


def explains(axes: Axes) -> str:
    """The line below it."""
    return "".join(text.get_text() for text in axes.texts if text.get_gid() == "explains")


# What is drawn.


def test_bar_is_as_long_as_the_mean_relevance() -> None:
    given = explanation()
    axes = draw("bar", given, by=None)
    values = given.values
    order = sorted(range(5), key=lambda f: -np.abs(values[:, f]).mean())
    assert names(axes) == [f"feature {f}" for f in order]
    for start, end, line, color in bars(axes):
        column = values[:, order[round(line)]]
        positive, negative = column[column > 0].sum() / len(column), -column[column < 0].sum() / len(column)
        expected = (0, positive) if color == RED else (positive, positive + negative)
        np.testing.assert_allclose((start, end), expected, rtol=1e-12)
    assert {color for *_, color in bars(axes)} == {RED, BLUE}


def test_bar_of_one_sample_is_signed() -> None:
    given = explanation()[7]
    axes = draw("bar", given, max_features=2)
    order = np.argsort(-np.abs(given.values[0]))
    lengths = [*given.values[0, order[:2]], given.values[0, order[2:]].sum()]
    assert [name.split(" = ")[0] for name in names(axes)] == [f"feature {f}" for f in order[:2]] + ["3 other features"]
    for (start, end, _, color), length in zip(bars(axes), lengths, strict=True):
        np.testing.assert_allclose(end - start, length, rtol=1e-12)
        assert color == (RED if length > 0 else BLUE)
    assert sum(end - start for start, end, *_ in bars(axes)) == pytest.approx(given.values.sum(), rel=1e-12)


@pytest.mark.parametrize("options", [{}, {"by": "target"}])
def test_bar_averages_the_samples_of_each_target(options: dict[str, Any]) -> None:
    given = explanation()
    axes = draw("bar", given, **options)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["red (14)", "rosé (13)", "white (13)"]
    features = [int(name.split()[1]) for name in names(axes)]
    for container, group in zip(axes.containers, range(3), strict=True):
        for bar, feature in zip(container.patches, features, strict=True):
            members = [
                abs(row[feature]) for row, target in zip(given.values, given.target, strict=True) if target == group
            ]
            assert bar.get_width() == pytest.approx(sum(members) / len(members), rel=1e-12)


def test_other_features_are_added_up_in_words() -> None:
    given = explanation(n_features=9)
    axes = draw("bar", given, max_features=6)
    assert names(axes)[-1] == "3 other features"
    rest = np.sort(np.abs(given.values).mean(axis=0))[:3].sum()
    assert any(text.startswith(f"{rest:.2f} mean") for text in texts(axes))


def test_waterfall_adds_up() -> None:
    """Base value + features + residuals by name = prediction, along the axis."""
    given = explanation(n_features=9)
    axes = draw("waterfall", given, row=3, max_features=4)
    order = np.argsort(-np.abs(given.values[3]), kind="stable")
    steps = [*given.values[3, order[:4]], given.values[3, order[4:]].sum()]
    steps += [given.residuals["entropy"][3], given.residuals["bias"][3]]
    shown = [name.split(" = ")[0] for name in names(axes)]
    assert shown[0] == "base value"
    assert shown[1:] == [*(f"feature {f}" for f in order[:4]), "5 other features", "entropy", "bias", "prediction"]
    position = given.base_values[3]
    for (start, end, line, color), step in zip(bars(axes), steps, strict=True):
        assert start == pytest.approx(position, rel=1e-9)
        assert end - start == pytest.approx(step, rel=1e-9)
        if line <= 5:
            assert color == (RED if step > 0 else BLUE)
        else:
            assert color not in (RED, BLUE)
        position += step
    assert position == pytest.approx(given.prediction[3], rel=1e-9)
    diamonds = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "D"]
    np.testing.assert_allclose(diamonds, [given.base_values[3], given.prediction[3]], rtol=1e-9)


def test_waterfall_shows_what_values_the_sample_has() -> None:
    data = np.array([[2.0, "hot", -0.5]], dtype=object)
    axes = draw("waterfall", explanation(1, 3, data=data))
    assert set(names(axes)) >= {"feature 0 = 2", "feature 1 = hot", "feature 2 = −0.5"}


def test_beeswarm_dots_are_at_their_relevance() -> None:
    given = explanation()
    axes = draw("beeswarm", given, by=None, colorbar=False)
    for line, (name, dots) in enumerate(zip(names(axes), axes.collections, strict=True)):
        column = given.values[:, int(name.split()[1])]
        offsets = np.asarray(dots.get_offsets())
        np.testing.assert_allclose(np.sort(offsets[:, 0]), np.sort(column), rtol=1e-12)
        assert (np.abs(offsets[:, 1] - line) < 0.5).all()


def test_beeswarm_colours_follow_the_data() -> None:
    given = explanation(values=np.ones((40, 1)), n_features=1, data=np.arange(40.0)[:, None], outputs=("value",))
    (dots,) = draw("beeswarm", given, colorbar=False).collections
    lightness = np.asarray(dots.get_facecolor())[:, :3] @ [0.299, 0.587, 0.114]
    assert (np.diff(lightness)[3:-3] > 0).all()  # viridis gets lighter from the 5th to the 95th percentile


def test_beeswarm_dots_have_the_colours_of_their_own_feature() -> None:
    data = np.stack([np.arange(40.0), np.arange(40.0)[::-1]], axis=1)
    given = explanation(values=np.ones((40, 2)), n_features=2, data=data, outputs=("value",))
    rising, falling = draw("beeswarm", given, colorbar=False).collections
    np.testing.assert_array_equal(rising.get_facecolor(), np.asarray(falling.get_facecolor())[::-1])
    assert len(np.unique(rising.get_facecolor(), axis=0)) > 20


def test_beeswarm_dots_pile_up_to_both_sides() -> None:
    given = explanation(values=np.ones((5, 1)), n_samples=5, n_features=1, outputs=("value",))
    (dots,) = draw("beeswarm", given, colorbar=False).collections
    off = np.sort(np.asarray(dots.get_offsets())[:, 1])
    np.testing.assert_allclose(off, -off[::-1], atol=1e-12)
    np.testing.assert_allclose(np.diff(off), off[3], rtol=1e-9)
    assert off[3] > 0


def _colors(axes: Axes, relevance: float) -> np.ndarray:
    return np.asarray(axes.images[-1].to_rgba(np.array([[relevance]])))[0, 0, :3]


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_heatmap_zero_is_white_and_red_positive(scale: float) -> None:
    given = explanation(values=scale * np.array([[1.0, -3.0], [0.0, 2.0], [0.5, 1.0]]), n_samples=3, n_features=2)
    axes = draw("heatmap", given)
    low, high = axes.images[-1].get_clim()
    assert (low, high) == (-3 * scale, 3 * scale)
    np.testing.assert_allclose(_colors(axes, 0.0), 1.0)
    for relevance in np.linspace(0.1, 3, 12) * scale:
        red, _, blue = _colors(axes, relevance)
        assert red > blue
        red, _, blue = _colors(axes, -relevance)
        assert blue > red


def test_heatmap_of_a_table_is_sorted_by_output_then_prediction() -> None:
    given = explanation()
    axes = draw("heatmap", given)
    samples = sorted(range(40), key=lambda i: (given.target[i], -given.prediction[i]))
    features = [int(name.split()[1]) for name in names(axes)]
    np.testing.assert_array_equal(axes.images[0].get_array(), given.values[samples][:, features].T)
    assert texts(axes) == ["red", "rosé", "white"]


def test_heatmap_of_images() -> None:
    image = np.random.default_rng(0).normal(size=(3, 8, 8))
    axes = neon.plots.heatmap(image)
    np.testing.assert_allclose(axes.images[0].get_array(), image.sum(axis=0))
    channels_last = neon.plots.heatmap(np.moveaxis(image, 0, -1), data=np.moveaxis(image, 0, -1))
    np.testing.assert_allclose(channels_last.images[-1].get_array(), image.sum(axis=0))
    flat = explanation(4, 64)
    axes = draw("heatmap", flat, row=2, shape=(8, 8), data=True)
    np.testing.assert_array_equal(axes.images[-1].get_array(), flat.values[2].reshape(8, 8))
    axes = draw("heatmap", flat, row=2, shape=(8, 8), limit=0.5)
    assert axes.images[0].get_clim() == (-0.5, 0.5)


# How they behave.


@pytest.mark.parametrize("plot", PLOTS)
def test_given_axes_are_returned_and_no_figure_is_made(plot: str) -> None:
    _, axes = plt.subplots()
    before = plt.get_fignums()
    assert draw(plot, explanation(), ax=axes) is axes
    assert plt.get_fignums() == before
    draw(plot, explanation())
    assert len(plt.get_fignums()) == len(before) + 1


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize(
    ("given", "options", "words"),
    [
        (lambda: explanation(0), {}, "nothing to draw"),
        (explanation, {"output": "blue"}, "no output 'blue'"),
        (every_output, {"output": "z"}, "no output 'z'"),
        (explanation, {"max_features": 0}, "at least 1"),
    ],
)
def test_what_cannot_be_drawn_is_said(
    plot: str, given: Callable[[], Explanation], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        draw(plot, given(), **options)
    assert plt.get_fignums() == []


@pytest.mark.parametrize("plot", ["waterfall", "heatmap"])
def test_one_of_all_outputs_must_be_picked(plot: str) -> None:
    with pytest.raises(ValueError, match=r"select an output first: output='x', or explanation.select\('x'\)"):
        draw(plot, every_output())
    assert plt.get_fignums() == []
    assert head(draw(plot, every_output(), output="y")).split(" · ")[0 if plot == "heatmap" else 1] == "y"


def test_other_faults() -> None:
    images = np.ones((0, 3, 8, 8))
    no_rows = Explanation(images, np.zeros(0), np.zeros(0), {}, images, (), ("y",), np.zeros(0, int), "score")
    with pytest.raises(ValueError, match="nothing to draw"):
        no_rows.plot.heatmap()
    with pytest.raises(ValueError, match="shape"):
        neon.plots.heatmap(np.ones(64))
    with pytest.raises(ValueError, match="expected an image"):
        neon.plots.heatmap(np.ones((8, 8)), data=np.ones(3))
    with pytest.raises(IndexError):
        explanation(3).plot.waterfall(3)
    with pytest.raises(TypeError):
        explanation(3).plot.waterfall(1.5)
    with pytest.raises(ValueError, match="by:"):
        explanation().plot.bar(by=np.ones(3))
    with pytest.raises(ValueError, match="no feature is called 'hue'"):
        explanation().plot.bar(by="hue")
    with pytest.raises(ValueError, match="no sample explains output 'white'"):
        explanation().plot.waterfall(0, output="white")
    with pytest.raises(TypeError, match=r"neon\.Explanation"):
        neon.plots.bar(np.ones((3, 3)))
    assert plt.get_fignums() == []


def test_each_output_of_all_can_be_drawn() -> None:
    for output in ("x", "y"):
        for plot in PLOTS:
            assert draw(plot, every_output().select(output)).figure is not None


def _with_gaps() -> Explanation:
    values = np.random.default_rng(0).normal(size=(12, 4))
    values[0], values[1, 2], values[2, 1] = np.nan, np.inf, -np.inf
    data = np.random.default_rng(1).normal(size=(12, 4))
    data[3, 0] = np.nan
    return explanation(12, 4, values=values, data=data)


CASES: dict[str, Callable[[], Explanation]] = {
    "one feature": lambda: explanation(n_features=1),
    "one row": lambda: explanation(1),
    "one row, one feature": lambda: explanation(1, 1, residuals=()),
    "two rows": lambda: explanation(2),
    "500 features": lambda: explanation(30, 500),
    "long names": lambda: explanation(name="temperature of the bearing at the northern end, sensor {} of 40, mean, °C"),
    "names that look like formulas": lambda: explanation(name="$x_{{{}}}^$ <b>%s"),
    "empty names": lambda: explanation(n_features=3, name=""),
    "long outputs": lambda: explanation(outputs=tuple(f"a class with a name that is far too long, {i}" for i in "abc")),
    "30 outputs": lambda: explanation(90, outputs=tuple(f"cluster {i}" for i in range(30))),
    "one output": lambda: explanation(outputs=("value",)),
    "no relevance": lambda: explanation(values=np.zeros((40, 5))),
    "the same relevance": lambda: explanation(values=np.full((40, 5), 2.5)),
    "tiny relevance": lambda: explanation(values=np.full((40, 5), 1e-300)),
    "huge relevance": lambda: explanation(values=np.linspace(-1e200, 1e200, 200).reshape(40, 5)),
    "constant data": lambda: explanation(data=np.ones((40, 5))),
    "text": lambda: explanation(data=np.full((40, 5), "warm", dtype=object)),
    "gaps": _with_gaps,
    "nothing but gaps": lambda: explanation(values=np.full((40, 5), np.nan)),
    "1500 rows": lambda: explanation(1500, 3),
    "one target": lambda: explanation(outputs=("value",)),
    "one target, long names": lambda: explanation(
        name="temperature of the bearing, northern end, sensor {}", outputs=("y",)
    ),
    "20,000 rows": lambda: explanation(20_000, 3),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("plot", [*PLOTS, "scatter", "interactions"])
def test_anything_is_drawn_so_that_it_can_be_read(plot: str, case: str) -> None:
    given = CASES[case]()
    if plot == "interactions":
        if given.values.shape[1] > 100:
            given = given[:3]
        pairs = np.einsum("ij,jk->ijk", given.values, np.eye(given.values.shape[1]))
        given = replace(given, interactions=pairs)
    dark = len(case) % 2  # half of them, each in all plots
    with plt.style.context("dark_background" if dark else "default"):
        assert_readable(getattr(given.plot, plot)(*(0,) * (plot == "scatter")))


def test_rows_outside_a_density_are_drawn_as_gaps() -> None:
    X = np.random.default_rng(0).normal(size=(30, 3))
    with pytest.warns(UserWarning, match="outside the support"):
        given = neon.explain(KernelDensity(kernel="tophat").fit(X), np.concatenate([X, X[:2] + 100]))
    for plot in PLOTS:
        draw(plot, given)
    draw("waterfall", given, row=31)
    assert "without 2 rows" in head(draw("bar", given))


def test_long_names_stay_apart() -> None:
    full = [f"temperature of the bearing at the northern end, sensor {i} of 40, mean, °C" for i in range(12)]
    short = elide_all(full)
    assert len(set(short)) == 12
    assert max(map(len, short)) <= 32
    for i, name in enumerate(short):
        assert f"sensor {i} of" in name
    assert elide_all(["a", "b" * 40, "a"]) == ["a", elide("b" * 40), "a"]


# Captions, scatter, interactions, and the methods themselves.


@pytest.mark.parametrize("plot", ["bar", "beeswarm", "heatmap"])
def test_the_head_says_whose_target_is_explained(plot: str) -> None:
    given = explanation()
    assert head(draw(plot, given)) == "each row's own target (red, rosé, white) · 40 samples"
    assert head(draw(plot, given[given.target == 1])) == head(draw(plot, given, output="rosé")) == "rosé · 13 samples"
    assert head(draw(plot, given[given.target != 1])) == "each row's own target (red, white) · 27 samples"
    assert explains(draw(plot, given)).startswith("evidence for a cluster: how much closer it")
    many = head(draw(plot, explanation(90, outputs=tuple(f"cluster {i}" for i in range(30)))))
    assert many.startswith("each row's own target (30 outputs) · 90 samples")


def test_a_long_head_keeps_the_prediction() -> None:
    name = "an output whose name takes a whole line of its own, and more"
    for shown in (name, "7"):
        given = explanation(outputs=(shown, "another"))
        given = replace(given, feature_names=tuple(f"a name as long as names are drawn, {i}" for i in range(5)))
        row, output, prediction = head(draw("waterfall", given)).split(" · ")
        assert row == "row 0"
        assert output.startswith("an out") if shown == name else output == "output 7"
        assert prediction == f"prediction {number(given.prediction[0])}"


def test_whole_numbers_have_whole_ticks() -> None:
    given = explanation()
    given = replace(given, data=np.arange(len(given))[:, None] % 4 * np.ones(given.values.shape))
    axes = given.plot.scatter(0, output="red")
    axes.figure.canvas.draw()
    ticks = [label.get_text() for label in axes.get_xticklabels() if label.get_text()]
    assert {"0", "1", "2", "3"} <= set(ticks)
    assert not any("." in tick for tick in ticks)
    zero = replace(given, values=np.zeros(given.values.shape)).plot.scatter(0, output="red")
    assert {to_hex(color) for color in zero.collections[0].get_facecolor()} == {GREY}


def test_the_head_of_an_average_names_no_single_target() -> None:
    assert head(draw("bar", explanation().mean())).startswith("row 0 · several outputs · prediction ")


@pytest.mark.parametrize("plot", ["bar", "waterfall", "heatmap", "beeswarm"])
def test_what_is_explained_is_cut_to_one_line(plot: str) -> None:
    given = replace(explanation(outputs=("value",)), explains=" ".join(f"word{i:03d}" for i in range(60)))
    axes = draw(plot, given)
    assert explains(axes).startswith("word000 word001")
    assert re.fullmatch(r"(word\d{3} )+word\d{3}…", explains(axes)), "never within a word"
    (line,) = (text for text in axes.texts if text.get_gid() == "explains")
    assert line.get_window_extent().x1 <= axes.figure.bbox.x1
    assert "\n" not in axes.get_xlabel() + head(axes) + explains(axes)


def test_a_waterfall_says_which_row() -> None:
    given = replace(explanation(3), index=["ann", "bob", "cy"], unit="€")
    expected = f"bob · rosé · prediction {number(given.prediction[1])} €"
    assert head(draw("waterfall", given, row=1)) == head(draw("waterfall", given, row="bob")) == expected
    assert head(draw("waterfall", explanation(3), row=1)).startswith("row 1 · rosé · prediction ")
    assert head(draw("waterfall", explanation(3)[[2]])).startswith("row 2 · white")


METHODS = (*PLOTS, "scatter", "interactions", "text", "images", "text_html")


@pytest.mark.parametrize("plot", METHODS)
def test_methods_have_the_signature_of_the_function(plot: str) -> None:
    method = getattr(explanation(3).plot, plot)
    function = {"text": _tokens.text, "text_html": _tokens_html.text_html}.get(plot) or getattr(neon.plots, plot)
    assert list(inspect.signature(method).parameters) == list(inspect.signature(function).parameters)[1:]
    lines = (inspect.getdoc(method) or "").splitlines()
    assert lines[0] == (inspect.getdoc(function) or "").splitlines()[0]
    documented = [line.split(" : ")[0] for line in lines if " : " in line and not line.startswith(" ")]
    assert documented == list(inspect.signature(method).parameters)


@pytest.mark.parametrize("option", ["max_display", "top"])
def test_an_unknown_option_names_the_known_ones(option: str) -> None:
    for plot in ("bar", "beeswarm", "heatmap", "interactions"):
        with pytest.raises(TypeError, match=f"{plot} has no option '{option}'; its options: .*max_features"):
            getattr(explanation().plot, plot)(**{option: 3})


def test_the_accessor_called_itself_names_the_plots() -> None:
    with pytest.raises(TypeError, match=r"choose \.plot\.beeswarm\(\).*\.plot\.waterfall\(0\)"):
        explanation().plot("bar")


def mixed() -> Explanation:
    """Numbers, numbers with gaps, strings with gaps."""
    random = np.random.default_rng(1)
    data = np.empty((12, 3), dtype=object)
    data[:, 0] = random.normal(size=12)
    data[:, 1] = [*random.normal(size=9), np.nan, None, np.nan]
    data[:, 2] = ["warm", "cold", "$x_1$", None] * 3
    return explanation(12, 3, data=data)


def dots(axes: Axes) -> np.ndarray:
    """Places of the dots, (n_samples, 2)."""
    (drawn,) = axes.collections
    return np.asarray(drawn.get_offsets())


def dot_colors(axes: Axes) -> list[str]:
    return [to_hex(color) for color in axes.collections[0].get_facecolor()]


@pytest.mark.parametrize("feature", [0, "feature 0"])
def test_scatter_is_value_against_relevance(feature: str | int) -> None:
    given = mixed()
    axes = given.plot.scatter(feature)
    axes.figure.canvas.draw()
    np.testing.assert_allclose(dots(axes), np.stack([given.data[:, 0].astype(float), given.values[:, 0]], 1))
    assert axes.get_xlabel() == "feature 0"
    assert head(axes) == "each row's own target (red, rosé, white) · 12 samples"
    legend = axes.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["red", "rosé", "white"]
    shown = [to_hex(handle.get_color()) for handle in legend.legend_handles]
    assert dot_colors(axes) == [shown[target] for target in given.target]


def test_scatter_of_one_target_is_red_and_blue() -> None:
    given = explanation(outputs=("value",))
    axes = draw_scatter(given, 0)
    assert dot_colors(axes) == [RED if value >= 0 else BLUE for value in given.values[:, 0]]


def test_scatter_marks_what_is_missing_at_the_left() -> None:
    given = mixed()
    axes = given.plot.scatter(1)
    axes.figure.canvas.draw()
    at, relevance = dots(axes).T
    np.testing.assert_allclose(relevance, given.values[:, 1])
    np.testing.assert_allclose(at[:9], given.data[:9, 1].astype(float))
    assert (at[9:] < at[:9].min()).all()
    assert axes.get_xlim()[0] < at.min()
    labels = {label.get_text(): place for label, place in zip(axes.get_xticklabels(), axes.get_xticks(), strict=True)}
    assert labels.pop("missing") == at[9]
    for label, place in labels.items():
        assert float(label.replace("−", "-")) == pytest.approx(place)


def test_scatter_gives_strings_a_place_each() -> None:
    given = mixed()
    axes = given.plot.scatter("feature 2", color=0)
    axes.figure.canvas.draw()
    assert [label.get_text() for label in axes.get_xticklabels()] == ["missing", "$x_1$", "cold", "warm"]
    nearest = [int(np.argmin(np.abs(axes.get_xticks() - place))) for place in dots(axes)[:, 0]]
    assert nearest == [3, 2, 1, 0] * 3


def test_scatter_colours_by_another_feature() -> None:
    given = mixed()
    axes = given.plot.scatter(0, color="feature 2")
    axes.figure.canvas.draw()
    legend = axes.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["$x_1$", "cold", "warm"]
    shown = [to_hex(handle.get_color()) for handle in legend.legend_handles]
    assert dot_colors(axes) == [shown[2], shown[1], shown[0], GREY] * 3
    assert len(set(shown)) == 3
    axes = given.plot.scatter(2, color=1)  # by numbers, with gaps
    found = dot_colors(axes)
    assert found[9:] == [GREY] * 3
    assert GREY not in found[:9]


def test_scatter_draws_anything_and_refuses_the_rest() -> None:
    for case in CASES.values():
        given = case()
        _, axes = plt.subplots()
        assert given.plot.scatter(0, color=given.values.shape[1] - 1, ax=axes) is axes
        axes.figure.canvas.draw()
        plt.close("all")
    with pytest.raises(ValueError, match="no feature is called 'hue'"):
        explanation().plot.scatter("hue")
    with pytest.raises(ValueError, match="no feature 9"):
        explanation().plot.scatter(0, color=9)
    with pytest.raises(TypeError, match="one feature"):
        explanation().plot.scatter([0, 1])
    with pytest.raises(ValueError, match="select an output first"):
        every_output().plot.scatter(0)
    assert len(dots(every_output().plot.scatter(0, output="y"))) == 6
    nothing_known = np.full((40, 5), np.nan)
    explanation(data=nothing_known).plot.scatter(0, color=1).figure.canvas.draw()
    assert len(dots(explanation(values=np.where(np.eye(40, 5) > 0, np.inf, 1.0)).plot.scatter(0))) == 39


DAYS = np.array([10, 3, 250, 77, 31])
MIDDAY = np.datetime64("2025-01-01T12:00", "s") + DAYS.astype("m8[D]")
TIMES: dict[str, tuple[Any, Any, bool]] = {  # five of them, the unit in days, and whether they are dates
    "pandas": (list(pd.to_datetime(MIDDAY)), pd.NaT, True),
    "with a zone": (list(pd.to_datetime(MIDDAY).tz_localize("UTC").tz_convert("Asia/Tokyo")), pd.NaT, True),
    "datetime": (list(MIDDAY.astype(object)), None, True),
    "date": (list(MIDDAY.astype("M8[D]").astype(object)), None, True),
    "numpy": (list(MIDDAY.astype("M8[ns]")), np.datetime64("NaT"), True),
    "period": (list(pd.to_datetime(MIDDAY).to_period("D")), pd.NaT, True),
    "timedelta": ([datetime.timedelta(days=int(days)) for days in DAYS], None, False),
    "pandas timedelta": (list(pd.to_timedelta(DAYS, unit="D")), pd.NaT, False),
    "numpy timedelta": (list(DAYS.astype("m8[D]").astype("m8[ns]")), np.timedelta64("NaT"), False),
    "decimal": ([Decimal(int(days)) for days in DAYS], None, False),
}


def with_times(kind: str, *, missing: bool) -> Explanation:
    data = np.ones((6, 2), dtype=object)
    for row, value in enumerate([*TIMES[kind][0], TIMES[kind][1] if missing else TIMES[kind][0][0]]):
        data[row, 0] = value
    return explanation(6, 2, data=data)


@pytest.mark.parametrize("kind", TIMES)
def test_dates_and_durations_have_a_place(kind: str) -> None:
    """In every display at days that are as far apart as they are; only NaT, None are missing."""
    given = with_times(kind, missing=False)
    axes = draw_scatter(given, 0)
    np.testing.assert_allclose(np.diff(dots(axes)[:5, 0]), np.diff(DAYS))
    labels = {label.get_text(): at for label, at in zip(axes.get_xticklabels(), axes.get_xticks(), strict=True)}
    assert len(labels) > 2
    assert "missing" not in labels
    if TIMES[kind][2]:
        for label, at in labels.items():
            assert (np.datetime64(label) - np.datetime64("1970-01-01")) / np.timedelta64(1, "D") == pytest.approx(at)
    colors = draw_scatter(given, 1, color=0).collections[0].get_facecolor()
    assert len(np.unique(colors, axis=0)) == 5
    beeswarm = draw("beeswarm", given, by=None).collections
    assert any(len(np.unique(part.get_facecolor(), axis=0)) == 5 for part in beeswarm)
    numbers, shown = coded(given.data)  # what shap is given
    np.testing.assert_allclose(np.diff(numbers[:5, 0]), np.diff(DAYS))
    assert shown is not None
    assert shown[0, 0] == TIMES[kind][0][0]


@pytest.mark.parametrize("kind", TIMES)
def test_missing_times_are_missing(kind: str) -> None:
    given = with_times(kind, missing=True)
    axes = draw_scatter(given, 0)
    assert axes.get_xticklabels()[0].get_text() == "missing"
    assert (dots(axes)[5, 0] < dots(axes)[:5, 0]).all()
    assert np.isnan(coded(given.data)[0][5, 0])


@pytest.mark.parametrize("kind", TIMES)
def test_the_mean_of_dates_is_a_date(kind: str) -> None:
    mean = with_times(kind, missing=True).mean().data[0, 0]
    if TIMES[kind][2]:
        half = np.timedelta64(12 if kind not in ("date", "period") else 0, "h")
        assert mean == np.datetime64("2025-01-01T00:00:00") + half + np.timedelta64(int(DAYS.mean() * 86400), "s")
    elif kind == "decimal":
        assert mean == DAYS.mean()
    else:
        assert mean == np.timedelta64(round(DAYS.mean() * 86400), "s")


def test_dates_are_written_in_full() -> None:
    times = [pd.Timestamp("2025-09-13"), pd.Timestamp("2025-09-13 14:05"), datetime.datetime(2025, 9, 13, 14, 5, 7)]
    times += [np.datetime64("2025-09-13T00:00", "ns"), datetime.date(2025, 9, 13), pd.Timestamp("2025-09-13", tz="CET")]
    written = [named_value("since", time).removeprefix("since = ") for time in times]
    day = "2025-09-13"
    assert written == [day, f"{day} 14:05", f"{day} 14:05:07", day, day, day]
    assert named_value("since", pd.Period("2025-09", "M")) == "since = 2025-09"
    for nothing in (None, np.nan, np.float32("nan"), np.datetime64("NaT"), pd.NaT, pd.NA):
        assert named_value("since", nothing) == "since: missing"
    assert named_value("word", "nan") == "word = nan"
    assert named_value("for", pd.Timedelta(days=300, seconds=1)) == "for = 300 days 00:00:01"


@pytest.mark.parametrize("unit", ["s", "us", "ns"])
def test_arrays_of_dates_stay_dates(unit: str) -> None:
    data = np.stack([MIDDAY, MIDDAY], 1).astype(f"M8[{unit}]")
    held = explanation(5, 2, data=data).data
    assert [type(value) for value in held.flat] == [np.datetime64] * 10
    assert list(held.flat) == list(data.flat)


def draw_scatter(given: Explanation, feature: int, **options: Any) -> Axes:
    axes = given.plot.scatter(feature, **options)
    axes.figure.canvas.draw()
    return axes


def with_interactions(n_samples: int = 20, n_features: int = 5) -> Explanation:
    pairs = np.random.default_rng(2).normal(size=(n_samples, n_features, n_features))
    pairs = (pairs + pairs.swapaxes(1, 2)) * np.arange(1, n_features + 1) * np.arange(1, n_features + 1)[:, None]
    return replace(explanation(n_samples, n_features, values=pairs.sum(axis=2)), interactions=pairs)


@pytest.mark.parametrize("max_features", [1, 3, 10])
def test_interactions_are_mean_magnitudes(max_features: int) -> None:
    given = with_interactions()
    axes = given.plot.interactions(max_features=max_features)
    axes.figure.canvas.draw()
    order = sorted(range(5), key=lambda f: -np.abs(given.values[:, f]).mean())[:max_features]
    assert names(axes) == [f"feature {f}" for f in order]
    assert [label.get_text() for label in axes.get_xticklabels()] == names(axes)
    drawn = axes.images[0].get_array()
    for line, i in enumerate(order):
        for place, j in enumerate(order):
            mean = sum(abs(sample[i, j]) for sample in given.interactions) / 20
            if line != place:
                assert drawn[line, place] == pytest.approx(mean, rel=1e-12)
                assert mean <= axes.images[0].get_clim()[1]
            assert texts(axes)[line * len(order) + place] == number(mean)
    assert drawn.mask.diagonal().all()  # main effects have no colour
    assert ("other features" in head(axes)) == (max_features < 5)
    _, other = plt.subplots()
    assert given.plot.interactions(ax=other) is other


def test_interactions_must_be_there() -> None:
    with pytest.raises(ValueError, match=r"no interactions: .*interactions=True"):
        explanation().plot.interactions()
    with pytest.raises(ValueError, match=r"no interactions"):
        explanation().interactions_frame()
    with_interactions(30, 40).plot.interactions(max_features=30).figure.canvas.draw()


def test_a_waterfall_of_a_text_has_no_steps_of_absent_words() -> None:
    docs = ["good plot", "bad plot", "good film", "bad film", "dull film"]
    model = make_pipeline(CountVectorizer(), LogisticRegression()).fit(docs, [1, 0, 1, 0, 0])
    given = neon.explain(model, docs)
    assert names(draw("waterfall", given)) == ["base value", "good = 1", "plot = 1", "prediction"]
    assert names(draw("waterfall", neon.explain(model, ["unseen"]))) == ["base value", "prediction"]
    shifted = neon.explain(model, docs, reference=docs)  # absent words have relevance here: all have a step
    absent = [name for name in names(draw("waterfall", shifted)) if name.endswith(" = 0")]
    assert len(absent) == np.count_nonzero((shifted.values[0] != 0) & (shifted.data[0] == 0))
