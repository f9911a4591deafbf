"""The most unusual rows as a table of HTML, for notebooks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from neon.explanation.text import RED, elide, number

if TYPE_CHECKING:
    from neon.anomalies.result import AnomalyExplanation

__all__ = ["ranking"]

_BAR = 60  # pixels
_MOST = 25  # rows


def ranking(found: AnomalyExplanation, *, max_features: int = 3) -> str:
    """Write HTML: rank, row, outlierness, and the features that make it unusual, a line each. Text is escaped."""
    shown = range(min(len(found), _MOST))
    left = len(found) - len(shown)
    more = f'<div style="opacity:.65">and {left} more: see .to_frame()</div>' if left else ""
    head = (
        f"<div><b>The {len(found)} most unusual of {len(found.scores):,} rows</b> "
        f'<span style="opacity:.65">· {escape(found.explanation.explains)}</span></div>'
    )
    titles = ["", "row", "outlierness", "because", "relevance", "value", "usual"]
    body = _line(titles, "th") + "".join(_rows(found, place, max_features) for place in shown)
    table = f'<table style="border-collapse:collapse;margin:.3em 0;border:none">{body}</table>'
    return f'<div style="font-size:90%;line-height:1.35">{head}{table}{more}</div>'


def _rows(found: AnomalyExplanation, place: int, max_features: int) -> str:
    values = found.explanation.values[place]
    score = number(found.scores[found.rows[place]])
    first = [str(place + 1), escape(elide(str(found.labels[place]), 32)), score]
    features = found.reasons(place, most=max_features)
    if not len(features):
        return _line([*first, "no feature makes it unusual", "", "", ""])
    scale = _BAR / values[features].max()
    lines = []
    for feature in features:
        typical = found.columns.typical(feature)
        style = f"display:inline-block;height:.7em;width:{values[feature] * scale:.1f}px;background:{RED}"
        bar = f'<span style="{style}"></span> {number(values[feature])}'
        shown = (typical.shown(found.explanation.data[place, feature]), typical.words())
        lines.append(_line([*first, escape(elide(found.columns.names[feature])), bar, *map(escape, shown)]))
        first = ["", "", ""]
    return "".join(lines)


def _line(cells: list[str], tag: str = "td") -> str:
    style = "padding:1px 10px 1px 0;border:none;white-space:nowrap;font-weight:normal;text-align:left"
    return "<tr>" + "".join(f'<{tag} style="{style}">{cell}</{tag}>' for cell in cells) + "</tr>"
