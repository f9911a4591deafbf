"""What was found, in lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from neon.cli.terminal import visible
from neon.explanation import Explanation

__all__ = ["lines"]

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
    order = np.argsort(-strength, kind="stable")[:_FEATURES]
    shown = sorted(groups, key=lambda name: -len(groups[name]))[:_TARGETS]
    heads = [_short(name) for name in shown] if len(groups) > 1 else ["mean"]
    names = [_short(explanation.feature_names[i]) for i in order]
    width, widths = max(map(len, names)), [max(9, len(head)) for head in heads]
    above = "mean of the rows of each target" if len(groups) > 1 else "with its sign"
    yield ""
    yield f"  {'':{width}}  {'mean |relevance|':<{10 + _BAR}}  {above}: + raises it, - lowers it"
    yield f"  {'':{width}}  {'':<{10 + _BAR}}" + "".join(f"  {h:>{w}}" for h, w in zip(heads, widths, strict=True))
    for name, i in zip(names, order, strict=True):
        bar = "█" * round(_BAR * strength[i] / (strength.max() or 1.0))
        signed = [f"{groups[key][:, i].mean():+.3g}" for key in shown]
        cells = "".join(f"  {cell:>{w}}" for cell, w in zip(signed, widths, strict=True))
        yield f"  {name:<{width}}  {strength[i]:9.4g} {bar:<{_BAR}}{cells}"
    left = len(strength) - len(order)
    if left:
        share = 1 - strength[order].sum() / (strength.sum() or 1.0)
        yield f"  and {left} more features, {share:.0%} of all relevance by size"
    if len(groups) > len(shown):
        yield f"  (the {len(shown)} most frequent of {len(groups)} targets; --target NAME explains another)"
    yield ""


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
