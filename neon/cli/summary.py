"""What was found, in lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from neon.cli.terminal import visible
from neon.explanation import Explanation
from neon.scale.summary import StreamSummary

__all__ = ["lines", "of_stream"]

_FEATURES = 8
_TARGETS = 3
_BAR = 24
_NAME = 40  # letters of a feature's or output's name


def lines(explanation: Explanation) -> Iterator[str]:
    """The strongest features: the size of their relevance, and its mean with its sign, apart for each target.

    Rows without a finite prediction, to which a density gives no probability, have no relevance.
    """
    finite = np.isfinite(explanation.prediction).all(axis=tuple(range(1, explanation.prediction.ndim)))
    explanation = explanation[finite]
    groups = _groups(explanation)
    yield f"target: {_targets(explanation, groups)}"
    if not len(explanation):
        return
    values = np.abs(explanation.values)
    strength = values.mean(axis=(0, *range(2, values.ndim)))
    shown = sorted(groups, key=lambda name: -len(groups[name]))[:_TARGETS]
    means = [(_short(key) if len(groups) > 1 else "mean", groups[key].mean(axis=0)) for key in shown]
    above = "mean of the rows of each target" if len(groups) > 1 else "with its sign"
    yield from _strongest(explanation.feature_names, strength, means, above)
    if len(groups) > len(shown):
        yield f"  (the {len(shown)} most frequent of {len(groups)} targets; --target NAME explains another)"
    yield ""


def of_stream(found: StreamSummary, target: Any) -> Iterator[str]:
    """The same of rows that were explained in batches, over all their targets."""
    told = {None: "each row's predicted output", "all": "all outputs of each row"}
    yield f"target: {told.get(target, target)}"
    n = max(found.n_rows - found.not_finite, 1)
    yield from _strongest(found.features, found.total_abs / n, [("mean", found.total / n)], "with its sign")
    yield ""


def _strongest(
    features: Sequence[str], strength: np.ndarray, means: Sequence[tuple[str, np.ndarray]], above: str
) -> Iterator[str]:
    """A line for each of the strongest features; means : heads, and mean relevance (n_features,) below each."""
    order = np.argsort(-strength, kind="stable")[:_FEATURES]
    names = [_short(features[i]) for i in order]
    width, widths = max(map(len, names)), [max(9, len(head)) for head, _ in means]
    yield ""
    yield f"  {'':{width}}  {'mean |relevance|':<{10 + _BAR}}  {above}: + raises it, - lowers it"
    yield f"  {'':{width}}  {'':<{10 + _BAR}}" + "".join(f"  {h:>{w}}" for (h, _), w in zip(means, widths, strict=True))
    for name, i in zip(names, order, strict=True):
        bar = "█" * round(_BAR * strength[i] / (strength.max() or 1.0))
        cells = "".join(f"  {mean[i]:>+{w}.3g}" for (_, mean), w in zip(means, widths, strict=True))
        yield f"  {name:<{width}}  {strength[i]:9.4g} {bar:<{_BAR}}{cells}"
    left = len(strength) - len(order)
    if left:
        share = 1 - strength[order].sum() / (strength.sum() or 1.0)
        yield f"  and {left} more features, {share:.0%} of all relevance by size"


def _groups(explanation: Explanation) -> dict[str, np.ndarray]:
    """Relevance of the rows of each target, (n_rows, n_features)."""
    names = explanation.output_names
    if explanation.target is None:
        return {name: explanation.values[..., k] for k, name in enumerate(names)}
    return {names[k]: explanation.values[explanation.target == k] for k in np.unique(explanation.target)}


def _targets(explanation: Explanation, groups: dict[str, np.ndarray]) -> str:
    if explanation.target is None:
        return f"all {len(groups)} outputs of each row"
    if len(groups) < 2:
        return _short("".join(groups)) if groups else "none"
    shares = sorted(((len(rows), name) for name, rows in groups.items()), reverse=True)
    told = ", ".join(f"{_short(name)} {n}" for n, name in shares[:8])
    return f"each row's predicted output ({told}{', ...' if len(shares) > 8 else ''})"


def _short(name: str) -> str:
    """A name in one line, not too long."""
    name = visible(str(name)).replace("\n", "\\n")
    return name if len(name) <= _NAME else f"{name[: _NAME - 3]}..."
