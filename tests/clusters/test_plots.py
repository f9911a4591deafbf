"""Plots of clusters: what they say, with long names, many clusters, one feature and 500."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_blobs

import neon
from neon.clusters import ClusterExplanation


def blobs(n_clusters: int, n_features: int) -> ClusterExplanation:
    X, labels = make_blobs(12 * n_clusters, n_features, centers=n_clusters, random_state=0)
    names = [f"column $x_{i}$ with a name that goes on and on and on" for i in range(n_features)]
    return neon.explain_clusters(labels, pd.DataFrame(X, columns=names))


def texts(figure: plt.Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(lambda part: hasattr(part, "get_text")) if text.get_text()]


@pytest.mark.parametrize(("n_clusters", "n_features"), [(3, 6), (25, 9), (3, 1), (2, 500)])
def test_every_shape_is_drawn_inside_its_figure(n_clusters: int, n_features: int) -> None:
    found = blobs(n_clusters, n_features)
    figures = [found.plot.matrix().figure, found.plot.separation(0, 1).figure, found.plot.clusters(max_clusters=5)]
    for figure in figures:
        figure.canvas.draw()
        page = figure.bbox
        for ax in figure.axes:
            box = ax.title.get_window_extent()
            assert box.x1 <= page.x1 + 1
            for label in ax.get_yticklabels():
                assert label.get_window_extent().x0 >= page.x0 - 1, label.get_text()


def test_the_matrix_shows_shares_and_directions() -> None:
    found = blobs(3, 4)
    ax = found.plot.matrix()
    shares = np.stack([cluster.relevance / np.abs(cluster.relevance).sum() for cluster in found], axis=1)
    order = np.argsort(-np.abs(shares).max(1))
    np.testing.assert_allclose(ax.images[0].get_array(), 100 * shares[order])
    frame = found.to_frame().set_index(["cluster", "feature"])
    cells = [text.get_text() for text in ax.texts]
    first = frame.loc[(0, found.explanation.feature_names[order[0]])]
    arrow = "▲" if first["direction"] == "higher" else "▼"
    assert cells[0] == f"{arrow} {first['words'].split(' against ')[0]}"
    assert [label.get_text() for label in ax.get_xticklabels()] == [f"cluster {c}\n(12)" for c in range(3)]


def test_separation_draws_both_in_raw_units() -> None:
    found = blobs(3, 4)
    ax = found.plot.separation(2, "cluster 0", max_features=2)
    apart = found.separation(2, 0)
    relevance = (apart.values[apart.target == 0].mean(0) + apart.values[apart.target == 1].mean(0)) / 2
    widths = sorted((bar.get_width() for bar in ax.patches), reverse=True)
    np.testing.assert_allclose(widths, np.sort(relevance)[::-1][:2])
    medians = found.columns.typical(int(relevance.argmax()))
    rows = found[2].rows, found[0].rows
    assert f"{' against '.join(medians.compared(*rows))}" in texts(ax.figure)
    assert "What separates cluster 2 from cluster 0" in texts(ax.figure)
    assert "2 other features" in ax.get_xlabel().replace("\n", " ")


def test_small_multiples_name_what_they_leave_out() -> None:
    found = blobs(25, 3)
    figure = found.plot.clusters(max_clusters=4, max_features=2)
    drawn = [ax for ax in figure.axes if ax.axison]
    assert len(drawn) == 4
    assert all(len(ax.patches) == 2 for ax in drawn)
    assert "21 smaller clusters are not shown" in " ".join(texts(figure)).replace("\n", " ")
    with pytest.raises(ValueError, match="max_clusters: expected at least 1, got 0"):
        found.plot.clusters(max_clusters=0)


def test_called_itself_it_draws_the_matrix() -> None:
    found = blobs(3, 4)
    drawn, matrix = found.plot(max_features=2), found.plot.matrix(max_features=2)
    assert texts(drawn.figure) == texts(matrix.figure)
    assert len(drawn.get_yticks()) == len(matrix.get_yticks()) < 4
    with pytest.raises(TypeError, match=r"plot\('clusters'\) names no plot: they are methods, .*\.plot\.clusters\(\)"):
        found.plot("clusters")
