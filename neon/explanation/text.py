"""Names and numbers as text, the order of features and the colours of relevance: what tables and plots share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np

from neon.explanation.as_numbers import in_words, is_date, is_duration, is_missing

# A red and a blue that differ in lightness too, and stay apart for all common kinds of colour blindness.
RED = "#cc3340"
BLUE = "#2f74b8"
GREY = "#8c8c8c"


def elide(text: str, width: int = 32) -> str:
    """Shorten long text in the middle: both ends of a name tell it from its neighbours."""
    text = " ".join(str(text).split())
    if len(text) <= width:
        return text
    tail = (width - 1) // 3
    return f"{text[: width - 1 - tail].rstrip()}…{text[len(text) - tail :].lstrip()}"


def elide_all(names: Sequence[str], width: int = 32) -> list[str]:
    """Shorten long names; where several come out the same, from a little before the first letter that differs."""
    names = [" ".join(str(name).split()) for name in names]
    short = [elide(name, width) for name in names]
    for same in [text for text, count in Counter(short).items() if count > 1]:
        alike = [i for i, text in enumerate(short) if text == same]
        letters = enumerate(zip(*(names[i] for i in alike), strict=False))
        start = next((place for place, column in letters if len(set(column)) > 1), 0) - width // 4
        for i in alike if start > 0 else ():
            rest = names[i][start:].lstrip()
            short[i] = f"…{rest}" if len(rest) < width else f"…{rest[: width - 2].rstrip()}…"
    return short


def number(value: float, *, signed: bool = False) -> str:
    """Three significant digits, with a proper minus sign: −0.0123, 1,234, 4.56e−07."""
    value = float(value) + 0.0  # no negative zero
    if not np.isfinite(value):
        text = {np.inf: "∞", -np.inf: "-∞"}.get(value, "nan")
    elif value == 0 or 1e-3 <= abs(value) < 1e6:
        decimals = 0 if value == 0 else max(0, 2 - int(np.floor(np.log10(abs(value)))))
        text = f"{value:,.{decimals}f}"
    else:
        text = f"{value:.2e}"
    plus = "+" if signed and value > 0 else ""
    return plus + text.replace("-", "−")


def named_value(name: str, value: Any) -> str:
    """`name = value`: a feature of one sample, its name short already; only the name where the value is empty text."""
    if is_missing(value):
        return f"{name}: missing"
    if is_date(value) or is_duration(value):
        shown = in_words(value)
    elif isinstance(value, bool | np.bool_):
        shown = "yes" if value else "no"
    elif isinstance(value, Real):
        value = float(value)
        digits = ".0f" if value.is_integer() and abs(value) < 1e15 else ".4g"
        shown = f"{value:{digits}}".replace("-", "−")
    else:
        shown = elide(value, 16)
    return f"{name} = {shown}" if shown else name


def feature_order(importance: np.ndarray, max_features: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the most important features, most important first, and of the others.

    A single other feature is shown by its name: its line is needed anyway.
    """
    if max_features < 1:
        raise ValueError(f"max_features: expected at least 1, got {max_features}")
    order = np.argsort(-np.nan_to_num(importance), kind="stable")
    shown = len(order) if len(order) <= max_features + 1 else max_features
    return order[:shown], order[shown:]
