"""Plots of scores, drawn with matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neon.evaluate.metrics import METRICS

if TYPE_CHECKING:
    from neon.evaluate.scores import Scores
    from neon.evaluate.tuning import Tuning

__all__ = ["differences", "flipping_curves", "panels"]

_COLUMNS = 3


def panels(scores: Scores, metrics: Sequence[str] | None = None) -> Figure:
    """Means and 95 % intervals: one panel a metric, one line a method, one mark a refill."""
    frame = scores.to_frame()
    present = list(dict.fromkeys(frame["metric"]))
    wanted = present if metrics is None else list(metrics)
    missing = [metric for metric in wanted if metric not in present]
    if missing or not wanted:
        raise ValueError(f"nothing was measured of {missing}; there are {present}")
    columns = min(_COLUMNS, len(wanted))
    lines = -(-len(wanted) // columns)
    methods = scores.methods
    size = (1.5 + 3.2 * columns, lines * (1.2 + 0.26 * len(methods)))
    figure, axes = plt.subplots(lines, columns, figsize=size, layout="constrained", sharey=True, squeeze=False)
    for ax, metric in zip(axes.flat, wanted, strict=False):
        part = frame[frame["metric"] == metric]
        refills = list(dict.fromkeys(part["refill"]))
        for number, refill in enumerate(refills):
            of_refill = part[part["refill"] == refill]
            at = [methods.index(method) + 0.2 * (number - (len(refills) - 1) / 2) for method in of_refill["method"]]
            half = [of_refill["mean"] - of_refill["low"], of_refill["high"] - of_refill["mean"]]
            ax.errorbar(of_refill["mean"], at, xerr=half, fmt="o", markersize=3.5, linewidth=1, label=refill or None)
        if metric == "seconds":
            ax.set_xscale("log")
        else:
            ax.axvline(0, color="0.7", linewidth=0.8, zorder=0)
        ax.set_title(f"{metric}: {METRICS[metric].better} is better", fontsize=9)
        ax.set_xlabel(METRICS[metric].unit, fontsize=8)
        ax.set_yticks(range(len(methods)), methods)
        ax.set_ylim(len(methods) - 0.5, -0.5)
        ax.tick_params(labelsize=8)
    marks = {label: mark for ax in axes.flat for mark, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    if marks:  # one legend for all panels, where it hides no mark
        figure.legend(marks.values(), marks, loc="outside upper right", ncols=len(marks), fontsize=8, frameon=False)
    for ax in axes.flat[len(wanted) :]:
        ax.set_axis_off()
    return figure


def flipping_curves(scores: Scores, refill: str | None = None, ax: Axes | None = None) -> Axes:
    """The mean curves of each method: full lines most relevant first, dashed lines least relevant first."""
    refills = list(dict.fromkeys(key.refill for key in scores.curves))
    if not refills or (refill is not None and refill not in refills):
        raise ValueError(f"there are no flipping curves of refill {refill!r}; there are {refills}")
    chosen = refills[0] if refill is None else refill
    if ax is None:
        _, ax = plt.subplots(figsize=(6, 4), layout="constrained")
    for key, curve in scores.curves.items():
        if key.refill == chosen:
            (line,) = ax.plot(curve.share, curve.most.mean(0), label=key.method or None)
            ax.plot(curve.share, curve.least.mean(0), color=line.get_color(), linestyle="--")
    ax.set_xlabel(f"share of features taken away, refill {chosen!r} (full: most relevant first, dashed: least)")
    ax.set_ylabel("explained function")
    if any(key.method for key in scores.curves):
        ax.legend(fontsize=8, frameon=False)
    return ax


def differences(tuning: Tuning, ax: Axes | None = None) -> Axes:
    """Gains of candidates over the default: with their intervals where they were chosen among, and held out."""
    table = tuning.table
    if ax is None:
        _, ax = plt.subplots(figsize=(6, 1.2 + 0.26 * len(table)), layout="constrained")
    half = [table["gain"] - table["low"], table["high"] - table["gain"]]
    ax.errorbar(
        table["gain"], range(len(table)), xerr=half, fmt="o", color="0.55", markersize=3.5, linewidth=1,
        label="rows that choose",
    )  # fmt: skip
    if tuning.judged in table.index[1:]:
        mean, low, high = tuning.gain
        at = table.index.get_loc(tuning.judged) + 0.25
        ax.errorbar(
            mean, at, xerr=[[mean - low], [high - mean]], fmt="D", color="C0", markersize=5, linewidth=2,
            label="held-out rows",
        )  # fmt: skip
    ax.axvline(0, color="0.7", linewidth=0.8, zorder=0)
    ax.set_yticks(range(len(table)), list(table.index))
    ax.set_ylim(len(table) - 0.5, -0.5)
    ax.set_xlabel(f"gain over the default: {tuning.metric}, {METRICS[tuning.metric].unit} (right: better)")
    ax.tick_params(labelsize=8)
    ax.legend(fontsize=8, frameon=False, ncols=2, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0)
    return ax
