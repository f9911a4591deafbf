"""Text word by word on colours of relevance, as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from neon.explanation.text import BLUE, RED, number

__all__ = ["words_html"]

STRONGEST = 0.6  # of the colour over the page's own background, light or dark: text stays readable on both


def words_html(words: Sequence[str], relevance: np.ndarray, *, limit: float | None = None, title: str = "") -> str:
    """Write a text with the relevance of each word behind it; all text is escaped.

    Parameters
    ----------
    words : sequence of str (n_words,)
    relevance : ndarray (n_words,)
        Red positive, blue negative; not finite: underlined. A word's own number shows when it is pointed at.
    limit : float, optional
        The relevance with the strongest colour. Default: the largest magnitude.
    title : str
        What stands above the text.
    """
    finite = np.abs(relevance[np.isfinite(relevance)])
    limit = (finite.max(initial=0.0) if limit is None else limit) or 1.0
    spans = " ".join(_word(word, value, limit) for word, value in zip(words, relevance.tolist(), strict=True))
    head = f'<div style="opacity:.75;margin-bottom:.3em"><bdi>{escape(title)}</bdi></div>' if title else ""
    ends = f"{_span(number(-limit), -1.0)} {number(0)} {_span(number(limit, signed=True), 1.0)}"
    scale = f'<div style="opacity:.85;font-size:85%;margin-top:.4em">relevance {ends}</div>'
    return f'<div style="line-height:1.8;max-width:60em">{head}<div dir="auto">{spans}</div>{scale}</div>'


def _word(word: str, value: float, limit: float) -> str:
    if not np.isfinite(value):
        return f'<span style="text-decoration:underline dotted" title="{number(value)}">{escape(word)}</span>'
    strength = float(np.clip(value / limit, -1.0, 1.0))
    # Too faint to be seen: no colour, which keeps long texts short.
    return _span(word, strength, number(value, signed=True)) if abs(strength) >= 0.005 else escape(word)


def _span(word: str, strength: float, hint: str = "") -> str:
    """A word on its colour; strength : from -1, the strongest blue, to 1, the strongest red."""
    alpha = f"{round(255 * STRONGEST * abs(strength)):02x}"
    color = (RED if strength > 0 else BLUE) + alpha
    tip = f' title="{escape(hint)}"' if hint else ""
    return f'<span style="background:{color};border-radius:3px;padding:1px 2px"{tip}>{escape(word)}</span>'
