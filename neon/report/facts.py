"""What was explained, and which checks it passed, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neon._version import __version__
from neon.converters import Network
from neon.explanation.text import elide, number
from neon.report.excerpt import Excerpt
from neon.report.residuals import residual_in_words

if TYPE_CHECKING:
    from neon.explanation import Explanation

__all__ = ["Check", "Facts", "facts", "headline"]

ROUNDING = 1e-6  # relative; libraries that compute in float32 differ by 1e-7


@dataclass(frozen=True)
class Check:
    """One check: passed, failed, or None where it was not made."""

    passed: bool | None
    text: str


@dataclass(frozen=True)
class Facts:
    """Names and texts of what was explained; checks; residuals as (name, words, mean |residual|)."""

    explained: list[tuple[str, str]]
    checks: list[Check]
    residuals: list[tuple[str, str, str]]
    left_out: str


def headline(explanation: Explanation) -> str:
    """What is explained, without how."""
    return f"Explanation of {explanation.explains.partition('; ')[0]}"


def facts(explanation: Explanation, explainer: Any, chosen: Excerpt) -> Facts:
    """Collect them; explainer : Explainer or None."""
    what, _, how = explanation.explains.partition("; ")
    network = None if explainer is None else explainer.network
    model = network.model if isinstance(network, Network) else network
    shape = " × ".join(map(str, explanation.feature_shape))
    explained = [
        ("Model", "" if model is None else _named(model)),
        ("Explained", what + (f", in {explanation.unit}" if explanation.unit else "")),
        ("Outputs", _outputs(explanation)),
        ("Method", how),
        ("Composite", "" if explainer is None else explainer.composite),
        ("Rows", f"{len(explanation):,}"),
        ("Features", shape if len(explanation.feature_shape) > 1 else f"{int(shape):,}"),
        ("Base value", _base(explanation)),
        ("Written by", f"neon {__version__}"),
    ]
    left_out = ""
    if chosen.n_rows < len(explanation):
        left_out = (
            f"The table shows the first {chosen.n_rows:,} of {len(explanation):,} rows ({chosen.why}); the overview "
            "is of all rows."
        )
    checks = [_sums(explanation), _equivalence(explanation, explainer)]
    return Facts([(name, text) for name, text in explained if text], checks, _residuals(explanation), left_out)


def _named(model: Any) -> str:
    steps = getattr(model, "steps", None)
    names = [type(step).__name__ for _, step in steps] if steps else [type(model).__name__]
    return ", then ".join(names)


def _outputs(explanation: Explanation) -> str:
    names = explanation.output_names
    if explanation.target is not None:
        names = tuple(names[target] for target in np.unique(explanation.target))
    shown = ", ".join(elide(name, 80) for name in names[:10])
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    own = "; of each row its own" if explanation.target is not None and len(names) > 1 else ""
    return f"{shown}{more}{own}"


def _base(explanation: Explanation) -> str:
    base = explanation.base_values
    low, high = np.nanmin(base), np.nanmax(base)
    unit = f" {explanation.unit}" if explanation.unit else ""
    shown = number(low) + unit if number(low) == number(high) else f"{number(low)} to {number(high)}{unit}"
    words = explanation.base_in_words or "the value that the explanation starts from"
    return f"{shown} ({words})"


def _sums(explanation: Explanation) -> Check:
    error, size = explanation.conservation_error(), _size(explanation)
    parts = "base value, relevance of all features and residuals" if explanation.residuals else "base and relevance"
    text = f"{parts} add up to the prediction: largest gap {number(error)}, predictions up to {number(size)}"
    return Check(error <= ROUNDING * max(1.0, size), text[0].upper() + text[1:])


def _equivalence(explanation: Explanation, explainer: Any) -> Check:
    if explainer is None:
        return Check(None, "Whether the network gives what the model gives was not checked again for this report")
    network = explainer.network
    if not isinstance(network, Network):
        return Check(True, "The model is a network itself: nothing was rewritten")
    try:
        error = float(network.verify(np.asarray(explanation.data)))
    except (TypeError, ValueError) as problem:
        return Check(None, f"The network could not be compared with the model once more: {elide(str(problem), 200)}")
    text = f"The network gives what the model gives, in all rows: largest difference {number(error)}"
    return Check(error <= ROUNDING * max(1.0, _size(explanation)), text)


def _size(explanation: Explanation) -> float:
    prediction = explanation.prediction
    return float(np.abs(prediction[np.isfinite(prediction)]).max(initial=0.0))


def _residuals(explanation: Explanation) -> list[tuple[str, str, str]]:
    found = []
    for name, part in explanation.residuals.items():
        finite = np.abs(part[np.isfinite(part)])
        found.append((name, residual_in_words(name), number(finite.mean() if finite.size else 0.0)))
    return found
