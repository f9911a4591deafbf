"""Which samples are drawn apart, which are drawn at all, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes

from neon import Explanation
from neon.explanation.text import GREY, number


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    yield
    plt.close("all")


def explained(n: int = 60, f: int = 3, outputs: int = 1, **fields: Any) -> Explanation:
    random = np.random.default_rng(0)
    values, base = random.normal(size=(n, f)), np.zeros(n)
    given = Explanation(
        values=values,
        base_values=base,
        prediction=values.sum(axis=1),
        residuals={},
        data=random.normal(size=(n, f)),
        feature_names=tuple("abcdefgh"[:f]),
        output_names=tuple(f"class {k}" for k in range(outputs)),
        target=np.arange(n) % outputs,
        explains="score of a class",
    )
    return replace(given, **fields)


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def widths(ax: Axes) -> np.ndarray:
    """Lengths of the bars, (n_groups, n_features)."""
    return np.array([[bar.get_width() for bar in bars] for bars in ax.containers])


def legend(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def by_hand(given: Explanation, masks: list[np.ndarray], ax: Axes) -> np.ndarray:
    order = [given.feature_names.index(label.get_text()) for label in ax.get_yticklabels()]
    return np.stack([np.abs(given.values[mask]).mean(axis=0)[order] for mask in masks])


@pytest.mark.parametrize("kind", ["mask", "array", "feature", "quarters"])
def test_cohorts(kind: str) -> None:
    labels = np.array(["urban", "rural", "coastal"])[np.arange(60) % 3]
    data = np.random.default_rng(1).normal(size=(60, 3)).astype(object)
    data[:, 1] = labels
    given = explained(data=data)
    column = data[:, 0].astype(float)
    ends = np.quantile(column, [0, 0.25, 0.5, 0.75, 1])
    by, masks, names = {
        "mask": (labels == "rural", [labels != "rural", labels == "rural"], ["no (40)", "yes (20)"]),
        "array": (labels, *[[labels == name for name in ("coastal", "rural", "urban")], []]),
        "feature": ("b", [labels == name for name in ("coastal", "rural", "urban")], []),
        "quarters": ("a", [(column > low) & (column <= high) for low, high in pairwise(ends)], []),
    }[kind]
    if kind == "quarters":
        masks[0] = column <= ends[1]
        names = [f"{low:.3g} to {high:.3g} (15)".replace("-", "−") for low, high in pairwise(ends)]
    names = names or ["coastal (20)", "rural (20)", "urban (20)"]
    ax = given.plot.bar(by=by)
    assert legend(ax) == names
    np.testing.assert_allclose(widths(ax), by_hand(given, masks, ax))
    assert given.plot.beeswarm(by=by).get_title(loc="left") == "60 samples"


def test_rows_without_a_value_are_a_group() -> None:
    column = np.array([1.0, np.nan, 0.0] * 20)
    given = explained()
    ax = given.plot.bar(by=column)
    assert legend(ax) == ["0 (20)", "1 (20)", "missing (20)"]
    np.testing.assert_allclose(widths(ax), by_hand(given, [column == 0, column == 1, np.isnan(column)], ax))


def test_many_classes_are_a_matrix() -> None:
    given = explained(100, outputs=25)
    ax = given.plot.bar()
    masks = [given.target == k for k in range(25)]
    np.testing.assert_allclose(np.asarray(ax.images[0].get_array()), by_hand(given, masks, ax).T)
    assert [label.get_text() for label in ax.get_xticklabels()] == list(given.output_names)


def test_all_outputs_are_drawn_apart() -> None:
    values = np.random.default_rng(0).normal(size=(6, 4, 2))
    zeros = np.zeros((6, 2))
    given = Explanation(
        values, zeros, values.sum(axis=1), {}, values[..., 0], tuple("abcd"), ("x", "y"), None, "score of a class"
    )
    ax = given.plot.bar()
    assert legend(ax) == ["x", "y"]
    order = [given.feature_names.index(label.get_text()) for label in ax.get_yticklabels()]
    np.testing.assert_allclose(widths(ax), np.abs(values).mean(axis=0)[order].T)
    assert len(given.plot.beeswarm().collections) == 8
    assert len(given.plot.beeswarm(output="y").collections) == 4


def test_lanes_keep_the_classes_of_a_beeswarm_apart() -> None:
    given = explained(outputs=3)
    ax = given.plot.beeswarm()
    order = [given.feature_names.index(label.get_text()) for label in ax.get_yticklabels()]
    for place, dots in enumerate(ax.collections):  # class after class, feature after feature
        target, line = divmod(place, 3)
        at = np.asarray(dots.get_offsets())
        relevance = given.values[given.target == target, order[line]]
        np.testing.assert_allclose(np.sort(at[:, 0]), np.sort(relevance))
        assert (np.abs(at[:, 1] - line - 0.3 * (target - 1)) < 0.15).all()
    many = explained(90, outputs=30).plot.beeswarm()
    assert "the 5 largest of 30 groups" in many.get_title(loc="left")


@pytest.mark.parametrize(("plot", "drawn"), [("beeswarm", 3_000), ("scatter", 10_000), ("heatmap", 2_000)])
def test_many_rows_are_sampled_and_said_to_be(plot: str, drawn: int) -> None:
    given = explained(200_000, 3)
    options = (0,) * (plot == "scatter")
    ax, again = (getattr(given.plot, plot)(*options) for _ in range(2))
    assert ax.get_title(loc="left") == f"200,000 samples · {drawn:,} of them drawn, at random"
    if plot == "heatmap":
        assert ax.images[0].get_array().shape == (3, drawn)
    else:
        assert {len(dots.get_offsets()) for dots in ax.collections} == {drawn}
        np.testing.assert_array_equal(ax.collections[0].get_offsets(), again.collections[0].get_offsets())


def test_residuals_that_cancel_are_netted() -> None:
    each = {"log_det": 120.0, "log_prior": -118.0, "bias": 0.5}
    parts = {name: np.full(60, value) for name, value in each.items()}
    given = explained(residuals=parts)
    given = replace(given, prediction=given.values.sum(axis=1) + 2.5)
    ax = given.plot.waterfall(0)
    assert "log_det, log_prior, bias (net)" in [label.get_text() for label in ax.get_yticklabels()]
    assert "+2.50, net of +120, −118, +0.500" in texts(ax)
    assert ax.patches[-1].get_width() == pytest.approx(2.5)
    apart = replace(given, residuals=parts | {"log_prior": np.full(60, 118.0)})
    assert "log_det" in [label.get_text() for label in apart.plot.waterfall(0).get_yticklabels()]
    small = replace(given, residuals={name: 1e-4 * part for name, part in parts.items()})  # they hide nothing
    assert "log_det" in [label.get_text() for label in small.plot.waterfall(0).get_yticklabels()]


def test_imputed_values_are_shown_as_such() -> None:
    imputed = np.zeros((60, 3), dtype=bool)
    imputed[:10, 0] = True
    data = np.where(imputed, np.nan, 1.5)
    given = explained(imputed=imputed, data=data)
    ax = given.plot.waterfall(0)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert "a: missing (imputed)" in names
    assert "b = 1.5" in names
    assert [bool(bar.get_hatch()) for bar in ax.patches] == [name.startswith("a:") for name in names[1:-1]]
    rings = [dots for dots in given.plot.beeswarm().collections if len(dots.get_facecolor()) == 0]
    assert [len(dots.get_offsets()) for dots in rings] == [10]
    assert GREY in {plt.matplotlib.colors.to_hex(color) for color in rings[0].get_edgecolor()}
    assert given.plot.scatter("a").get_xticklabels()[0].get_text() == "imputed"


def test_a_waterfall_says_what_its_base_is() -> None:
    words = "mean prediction of 200 reference rows"
    given = explained(base_in_words=words, unit="€")
    ax = given.plot.waterfall(0)
    assert words in [" ".join(text.split()) for text in texts(ax)]
    assert ax.get_xlabel() == "prediction (€)"
    assert given.plot.bar().get_xlabel() == "mean |relevance| (€)"
    assert given.plot.scatter(0).get_ylabel() == "relevance (€)"
    metres = replace(given, feature_units={"a": "m"})
    assert metres.plot.scatter("a").get_xlabel() == "a (m)"


@pytest.mark.parametrize("pair", [(True, False), (1.0, 0.0), (3, 7)])
def test_two_values_are_spread(pair: tuple[Any, Any]) -> None:
    data = np.empty((60, 3), dtype=object)
    data[:, 0], data[:, 1:] = [pair[k % 2] for k in range(60)], 1.0
    ax = explained(data=data).plot.scatter(0)
    names = [label.get_text() for label in ax.get_xticklabels()]
    assert names == (["no", "yes"] if pair[0] is True else [f"{value:g}" for value in sorted(pair)])
    at = np.asarray(ax.collections[0].get_offsets())[:, 0]
    assert len(np.unique(at)) == 60
    np.testing.assert_array_equal(np.round(at), [sorted(pair).index(value) for value in data[:, 0]])


def test_relevance_of_all_rows_counts_where_few_are_drawn() -> None:
    values = np.zeros((5_000, 2))
    values[17, 1] = 1e6  # one row, most probably not drawn
    given = explained(5_000, 2, values=values, prediction=values.sum(axis=1))
    assert [label.get_text() for label in given.plot.beeswarm().get_yticklabels()] == ["b", "a"]
    assert number(200.0) in texts(given.plot.bar())


def test_quarters_hold_their_upper_end() -> None:
    given = explained(101, data=np.repeat(np.arange(101.0)[:, None], 3, axis=1))
    ax = given.plot.bar(by="a")
    assert legend(ax) == ["0 to 25 (26)", "25 to 50 (25)", "50 to 75 (25)", "75 to 100 (25)"]


def test_a_small_group_counts_by_its_rows() -> None:
    values = np.zeros((40, 2))
    values[0, 0], values[1:, 1] = 10.0, 1.0
    given = explained(40, 2, values=values, prediction=values.sum(axis=1))
    ax = given.plot.bar(by=np.arange(40) > 0)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["b", "a"]
