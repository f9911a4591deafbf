"""An explanation as a small HTML table, for notebooks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from neon.explanation.rows_like_arrays import without_infinite
from neon.explanation.text import BLUE, RED, elide, feature_order, number
from neon.explanation.text_html import words_html

if TYPE_CHECKING:
    from neon.explanation import Explanation

BAR_WIDTH = 160  # pixels
DOCUMENTS = 3  # shown of texts


def table(explanation: Explanation, *, max_features: int = 8) -> str:
    """Write HTML: what is explained; mean |relevance| of the top features; residuals; conservation.

    The red and the blue part of a bar are what positive and negative relevance add to it. Text is escaped.
    """
    features = " × ".join(map(str, explanation.feature_shape))
    outputs = escape(elide(", ".join(explanation.output_names), 60))
    size = f"{len(explanation):,} samples · {features} features · {outputs}"
    residuals = ", ".join(f"<code>{escape(name)}</code>" for name in explanation.residuals) or "none"
    return (
        '<div style="font-size:90%;line-height:1.35">'
        f"<div><b>Explanation</b> of {escape(explanation.explains)} "
        f'<span style="opacity:.65">· {size}</span></div>'
        f"{_features(explanation, max_features)}"
        f'<div style="opacity:.75">residuals: {residuals} · largest conservation error: '
        f"{number(explanation.conservation_error())}</div>{_documents(explanation)}</div>"
    )


def _documents(explanation: Explanation) -> str:
    """Write the first documents of a text, word by word; none where all outputs are explained."""
    tokens = explanation if explanation.texts is not None or explanation.encoded is None else explanation.encoded
    if tokens.texts is None or explanation.target is None:
        return ""
    texts = (explanation.text(row) for row in range(min(len(explanation), DOCUMENTS)))
    written = "".join(f'<div style="margin-top:.6em">{words_html(*text)}</div>' for text in texts)
    rest = len(explanation) - DOCUMENTS
    return written + (f'<div style="opacity:.65">and {rest:,} more documents</div>' if rest > 0 else "")


def _features(explanation: Explanation, max_features: int) -> str:
    """Write the table; none where samples have several axes, or there is nothing to average."""
    values = explanation.values
    if values.size == 0 or len(explanation.feature_shape) > 1:
        return ""
    if explanation.target is None:
        values = np.moveaxis(np.asarray(values), 1, -1).reshape(-1, values.shape[1])
    columns = without_infinite(values)
    positive, negative = np.maximum(columns, 0).mean(axis=0), np.maximum(-columns, 0).mean(axis=0)
    magnitude = positive + negative
    shown, others = feature_order(magnitude, max_features)
    scale = BAR_WIDTH / (magnitude.max() or 1.0)
    rows = "".join(
        _row(
            escape(elide(explanation.feature_names[feature])),
            _bar(positive[feature] * scale, RED) + _bar(negative[feature] * scale, BLUE),
            number(magnitude[feature]),
        )
        for feature in shown
    )
    if others.size:
        name = f'<span style="opacity:.65">{others.size} other features</span>'
        rows += _row(name, "", number(magnitude[others].sum()))
    caption = '<caption style="text-align:left;opacity:.65;caption-side:top">mean |relevance|</caption>'
    return f'<table style="border-collapse:collapse;margin:.3em 0;border:none">{caption}{rows}</table>'


def _row(name: str, bars: str, value: str) -> str:
    style = "padding:1px 8px 1px 0;border:none;white-space:nowrap;text-align:"
    cells = zip((name, bars, value), ("left", "left", "right"), strict=True)
    return "<tr>" + "".join(f'<td style="{style}{align}">{cell}</td>' for cell, align in cells) + "</tr>"


def _bar(pixels: float, color: str) -> str:
    style = f"display:inline-block;height:.7em;width:{pixels:.1f}px;background:{color}"
    return f'<span style="{style}"></span>'
