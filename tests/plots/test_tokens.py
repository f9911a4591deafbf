"""Text on colours of relevance: words, colours and places read back from the axes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.transforms import Bbox
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import neon
from neon.plots._tokens import tokens

WORDS = ("The", "plot", "is", "not", "good.")
RELEVANCE = np.array([0.1, -0.2, 0.0, 2.0, -1.0])


@pytest.fixture(autouse=True)
def _nothing_shown_changed_or_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(plt, "show", lambda *_, **__: pytest.fail("a plot called plt.show"))
    settings = dict(mpl.rcParams)
    yield
    assert dict(mpl.rcParams) == settings
    plt.close("all")


def words(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts if text.get_gid() != "explains"]


def colors(axes: Axes) -> np.ndarray:
    """The boxes' colours, (n_tokens, 3)."""
    return np.asarray(axes.collections[0].get_facecolor())[:, :3]


def boxes_of(axes: Axes) -> list[Bbox]:
    """Where they are, in pixels."""
    boxes = (axes.transData.transform_bbox(path.get_extents()) for path in axes.collections[0].get_paths())
    return [Bbox.from_extents(box.xmin, box.ymin, box.xmax, box.ymax) for box in boxes]  # the axis runs downwards


def test_every_word_is_drawn_in_order_on_its_colour() -> None:
    axes = tokens(WORDS, RELEVANCE)
    axes.figure.canvas.draw()
    assert words(axes) == list(WORDS)
    drawn = colors(axes)
    np.testing.assert_array_equal(drawn[2], 1.0)  # zero is white
    red, _, blue = drawn[[0, 3]].T
    assert (red > blue).all()
    red, _, blue = drawn[[1, 4]].T
    assert (red < blue).all()
    lightness = drawn.mean(axis=1)
    assert (np.diff(lightness[np.argsort(np.abs(RELEVANCE))]) < 0).all()
    assert to_rgb(axes.texts[3].get_color()) == (1.0, 1.0, 1.0)  # white on the darkest box ...
    assert max(to_rgb(axes.texts[2].get_color())) < 0.3  # ... and dark on white


def test_a_common_limit_makes_texts_comparable() -> None:
    one, other = tokens(WORDS, RELEVANCE, limit=4.0), tokens(WORDS, 2 * RELEVANCE)
    assert not np.allclose(colors(one), colors(other))
    other = tokens(WORDS, 2 * RELEVANCE, limit=8.0)
    np.testing.assert_array_equal(colors(one), colors(other))


@pytest.mark.parametrize("width", [2.0, 4.0, 8.0])
def test_lines_wrap_inside_the_axes_and_boxes_hold_their_words(width: float) -> None:
    figure = plt.figure(figsize=(width, 4))
    axes = figure.add_axes((0, 0, 1, 1))
    text = WORDS * 6
    tokens(text, np.tile(RELEVANCE, 6), ax=axes)
    figure.canvas.draw()
    boxes = boxes_of(axes)
    for box, word in zip(boxes, axes.texts, strict=True):
        extent = word.get_window_extent()
        assert box.x0 <= extent.x0
        assert extent.x1 <= box.x1 <= axes.bbox.x1
        assert box.y0 <= extent.y0
        assert extent.y1 <= box.y1
    for left, right in pairwise(boxes):  # reading order: to the right, or further down
        assert right.x0 >= left.x1 or right.y1 <= left.y0
    lines = len({round(box.y0, 3) for box in boxes})
    assert lines >= sum(box.width for box in boxes) / axes.bbox.width
    if width == 8.0:
        assert lines < 5


def test_new_axes_are_as_high_as_the_text() -> None:
    short, long = tokens(WORDS, RELEVANCE), tokens(WORDS * 20, np.tile(RELEVANCE, 20))
    assert short.figure is not long.figure
    assert long.figure.get_figheight() > 3 * short.figure.get_figheight()


def test_odd_words_and_relevance() -> None:
    text = ["$x$", "a_b", "two\nlines", "", "Antidisestablishmentarianism" * 5]
    axes = tokens(text, torch.tensor([1.0, float("nan"), 0.0, -1.0, 0.5], requires_grad=True))
    axes.figure.canvas.draw()
    assert words(axes) == ["$x$", "a_b", "two lines", "", text[-1]]
    grey = colors(axes)[1]
    assert grey[0] == grey[1] == grey[2] < 1
    np.testing.assert_array_equal(colors(tokens(["a"], [0.0])), 1.0)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"each of 5 tokens, got shape \(4,\)"):
        tokens(WORDS, RELEVANCE[:4])
    with pytest.raises(ValueError, match="no tokens"):
        tokens([], [])


def test_title_and_colour_scale() -> None:
    axes = tokens(WORDS, RELEVANCE, title="log-odds of a class: praise")
    axes.figure.canvas.draw()
    assert axes.get_title(loc="left") == "log-odds of a class: praise"
    assert axes._left_title.get_window_extent().y1 <= axes.figure.bbox.y1 + 1  # it is on the figure
    (scale,) = axes.child_axes
    assert [label.get_text() for label in scale.get_xticklabels()] == ["−2.00", "0", "+2.00"]
    below = scale.get_tightbbox()
    assert axes.bbox.y0 <= below.y0
    assert below.y1 <= min(box.y0 for box in boxes_of(axes))
    assert tokens(WORDS, RELEVANCE, colorbar=False).child_axes == []


def test_a_document_is_drawn_under_what_is_explained() -> None:
    docs = ["good plot", "bad plot", "good film", "bad film"]
    model = make_pipeline(CountVectorizer(), LogisticRegression()).fit(docs, ["praise", "blame", "praise", "blame"])
    given = neon.explain(model, docs)
    axes = given.plot.text(1)
    assert words(axes) == ["bad", "plot"]
    assert axes.get_title(loc="left") == f"row 1 · blame · prediction {given.prediction[1]:.3g}"
