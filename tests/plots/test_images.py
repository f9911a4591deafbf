"""Grids of images: which pixels, which output, one scale."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes

from neon import Explanation


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    yield
    plt.close("all")


def explained(shape: tuple[int, ...] = (3, 6, 5), *, every: bool = True, n: int = 5) -> Explanation:
    random = np.random.default_rng(0)
    names = tuple(f"class {k}" for k in range(4))
    values = random.normal(size=(n, *shape, 4)) if every else random.normal(size=(n, *shape))
    prediction = values.sum(axis=tuple(range(1, 1 + len(shape))))
    data, flat = random.random((n, *shape)), [f"{i}" for i in range(shape[0])] if len(shape) == 1 else ()
    target = None if every else np.arange(n) % 4
    return Explanation(values, 0 * prediction, prediction, {}, data, flat, names, target, "logit of a class")


def titles(axes: np.ndarray) -> list[list[str]]:
    return [[ax.get_title() for ax in line] for line in axes]


def pixels(ax: Axes) -> np.ndarray:
    return np.asarray(ax.images[-1].get_array())


def test_a_line_has_the_image_and_its_most_likely_outputs() -> None:
    given = explained()
    axes = given.plot.images([2, 0])
    axes[0, 0].figure.canvas.draw()
    assert axes.shape == (2, 4)
    for line, row in zip(axes, (2, 0), strict=True):
        order = sorted(range(4), key=lambda k: -given.prediction[row, k])[:3]
        assert [ax.get_title().split("\n")[0] for ax in line] == [f"row {row}", *(f"class {k}" for k in order)]
        assert pixels(line[0]).shape == (6, 5, 3)  # in colour
        for ax, k in zip(line[1:], order, strict=True):
            np.testing.assert_allclose(pixels(ax), given.values[row, ..., k].sum(axis=0))
    limits = {ax.images[-1].get_clim() for ax in axes[:, 1:].flat}
    largest = max(np.abs(pixels(ax)).max() for ax in axes[:, 1:].flat)
    assert limits == {(-largest, largest)}


def test_outputs_and_flat_images() -> None:
    given = explained((30,))
    axes = given.plot.images(outputs=["class 3", 0], shape=(6, 5), data=False)
    assert axes.shape == (4, 2)
    np.testing.assert_allclose(pixels(axes[1, 0]), given.values[1, :, 3].reshape(6, 5))
    assert [title.split("\n")[0] for title in titles(axes)[0]] == ["class 3", "class 0"]


def test_of_one_output_a_sample() -> None:
    given = explained(every=False)
    axes = given.plot.images(colorbar=False)
    assert axes.shape == (4, 2)
    assert [line[1].split("\n")[0] for line in titles(axes)] == [f"class {k}" for k in range(4)]
    with pytest.raises(ValueError, match="target='all'"):
        given.plot.images(outputs=[0])


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(ValueError, match="no output 'z'"):
        explained().plot.images(outputs=["z"])
    with pytest.raises(ValueError, match="expected an image"):
        explained((30,)).plot.images()
    with pytest.raises(ValueError, match="nothing to draw"):
        explained(n=0).plot.images()
    assert plt.get_fignums() == []
