"""The clusters as cards of HTML, for notebooks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from neon.clusters.cluster import Cluster
from neon.explanation.text import BLUE, RED, elide, number

if TYPE_CHECKING:
    from neon.clusters.result import ClusterExplanation

__all__ = ["cards"]

BAR_WIDTH = 90  # pixels
_MOST = 25  # clusters


def cards(found: ClusterExplanation, *, max_features: int = 5) -> str:
    """Write HTML: for each cluster its sentence, its features in raw units, some of its members. Text is escaped."""
    shown = found.clusters[:_MOST]
    rest = len(found) - len(shown)
    more = f'<div style="opacity:.65">and {rest} more clusters: see .summary()</div>' if rest else ""
    head = (
        f"<div><b>{len(found)} cluster{'s' * (len(found) != 1)}</b> of {len(found.explanation):,} rows "
        f'<span style="opacity:.65">· {escape(found.explains)}</span></div>'
    )
    body = "".join(_card(found, cluster, max_features) for cluster in shown)
    return f'<div style="font-size:90%;line-height:1.35">{head}{body}{more}</div>'


def _card(found: ClusterExplanation, cluster: Cluster, max_features: int) -> str:
    columns = found.columns
    features = np.argsort(-cluster.relevance, kind="stable")[:max_features]
    scale = BAR_WIDTH / (np.abs(cluster.relevance).max(initial=0.0) or 1.0)
    others = columns.others(cluster.rows)
    header = ("", "mean relevance", "", "inside", "elsewhere")
    lines = "".join(
        _line(
            escape(elide(columns.names[feature])),
            _bar(cluster.relevance[feature] * scale),
            number(cluster.relevance[feature]),
            escape(columns.typical(feature).usual(cluster.rows)),
            escape(columns.typical(feature).usual(others)),
        )
        for feature in features
    )
    members = [
        f"{word}: {escape(elide(', '.join(map(str, rows)), 80))}"
        for word, rows in (("typical rows", cluster.typical), ("borderline", cluster.borderline))
    ]
    table = '<table style="font-size:inherit;border-collapse:collapse;margin:.2em 0;border:none">'
    return (
        f'<div style="margin:.6em 0"><div>{escape(cluster.sentence)}</div>'
        f"{table}{_line(*header, tag='th')}{lines}</table>"
        f'<div style="opacity:.65">{" · ".join(members)}</div></div>'
    )


def _line(*cells: str, tag: str = "td") -> str:
    style = "padding:1px 10px 1px 0;border:none;white-space:nowrap;font-weight:normal;text-align:left"
    return "<tr>" + "".join(f'<{tag} style="{style}">{cell}</{tag}>' for cell in cells) + "</tr>"


def _bar(pixels: float) -> str:
    color = RED if pixels >= 0 else BLUE
    return f'<span style="display:inline-block;height:.7em;width:{abs(pixels):.1f}px;background:{color}"></span>'
