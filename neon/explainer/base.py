"""What base values are, in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from neon.converters import Network
from neon.lrp.paths.integral import Integral
from neon.lrp.paths.mean_slopes import kind_of
from neon.lrp.recorded import Recording
from neon.lrp.rules.tree import Interventional
from neon.lrp.targets import Contrast, LogOdds

__all__ = ["of_target", "rows_in_words", "start_in_words", "words_of"]

ZERO = "zero: relevance and residuals make up the whole prediction"
COUNTED = "the training rows that its trees counted"


Outputs = Callable[[Tensor], Tensor]


def words_of(recording: Recording, source: str, outputs: Outputs | None = None) -> str:
    """What relevance is relative to.

    Parameters
    ----------
    source : str
        What the reference rows are.
    outputs : callable, optional
        The network, which tells whether the base value is a mean of predictions. Default: nobody asks.
    """
    if recording.integral is not None:
        return _of_integral(recording, recording.integral, source, outputs)
    if recording.references is None:
        return ZERO
    rows = recording.references[recording.tape.inputs[0]]
    assert recording.base is not None
    if any(step.kind == "tree" and not isinstance(step.rule, Interventional) for step in recording.steps):
        return _by_covers(recording, source)
    weights = rows.new_full((len(rows),), 1 / len(rows))
    return _at_rows(recording.base, rows, weights, source, outputs)


def _of_integral(recording: Recording, integral: Integral, source: str, outputs: Outputs | None) -> str:
    (x,) = recording.tape.inputs
    way = recording.steps, x, recording.tape.output, recording.tape.values[x][:1]
    kind = integral.kind_of_start(*way)
    if kind == "covers":
        return _by_covers(recording, source)
    if kind == "each row":
        return f"mean prediction of {source}" if len(integral.rows) > 1 else f"prediction at {source}"
    if kind == "held choice":
        outputs = None
    words = _at_rows(integral.at_start(*way), integral.rows, integral.weights, source, outputs)
    return f"{words}, of the alternative that is closest at the explained row" if kind == "held choice" else words


def _at_rows(base: Tensor, rows: Tensor, weights: Tensor, source: str, outputs: Outputs | None) -> str:
    """The base value, (1, n_outputs), by what it is equal to."""
    if len(rows) == 1:
        return f"prediction at {source}"
    if outputs is not None:
        with torch.no_grad():
            base = base.reshape(1, -1)
            if _same(base, weights[None] @ outputs(rows).reshape(len(rows), -1)):
                return f"mean prediction of {source}"
            if _same(base, outputs(weights[None] @ rows).reshape(1, -1)):
                return f"prediction at the mean of {source}"
    return f"prediction with the model's inner numbers at their mean over {source}"


def _same(base: Tensor, other: Tensor) -> bool:
    size = max(float(base.abs().max()), float(other.abs().max()))
    return bool(((base - other).abs() <= 1e-6 * size).all())


def _by_covers(recording: Recording, source: str) -> str:
    """Relative to the rows that trees counted; other estimators, if the input reaches any, to `source`."""
    reached = set(recording.tape.inputs)  # on ways that go through no tree
    for step in recording.steps:
        if step.kind != "tree" and reached.intersection(step.call.inputs):
            reached.update(step.call.operation.outputs)
    curved = any(step.kind != "tree" and kind_of(step) != "linear" for step in recording.steps)
    others = f", other estimators at {source}" if recording.tape.output in reached else ""
    return f"{'prediction at the mean' if curved else 'mean prediction'} over {COUNTED}{others}"


def rows_in_words(network: Network | torch.nn.Module, given: Any, rows: Any) -> str:
    """What reference rows, as `reference_of` gives them, are: the caller's, those that the model holds, the origin."""
    if rows is None:
        return ""
    n = len(rows.rows if isinstance(rows, Integral) else rows[0] if isinstance(rows, tuple) else rows)
    if isinstance(rows, Integral) and rows.start:
        return rows.start if rows.chosen_of is None else f"{n} rows of {rows.start}"
    if given is not None:
        of = f" of {rows.chosen_of}" if isinstance(rows, Integral) and rows.chosen_of else ""
        weights = rows.weights if isinstance(rows, Integral) else rows[1] if isinstance(rows, tuple) else None
        weighted = " weighted" if weights is not None and bool((weights != weights[0]).any()) else ""
        return "the reference row" if n == 1 else f"{n}{of}{weighted} reference rows"
    if not isinstance(network, Network) or network.reference is None:
        return "the origin"
    words = str(network.reference_words) or "the points that the model holds"
    if n > 1 and ("," in words or not words.endswith("s")):
        return f"the {n} reference points of the estimators inside"
    return words if n == 1 else words.replace("the ", f"the {n} ", 1)


def start_in_words(base: str, source: str) -> str:
    """The rows that a base value, in words, is of: those that trees counted, the reference rows, or none."""
    if COUNTED in base:
        return base[base.index(COUNTED) :]
    return source if source in base else ""


def of_target(target: Any, words: str) -> str:
    """The base value of what a target makes of several outputs."""
    if isinstance(target, Contrast):
        return f"difference of both outputs: {words}"
    if isinstance(target, LogOdds):
        return f"difference of the logits: {words}"
    return "zero: a callable tells nothing of its value at a reference" if callable(target) else words
