"""What base values are, in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from neon.converters import Network
from neon.lrp.paths.integral import Integral
from neon.lrp.paths.mean_slopes import kind_of
from neon.lrp.propagate import BackwardStep
from neon.lrp.recorded import Recording
from neon.lrp.rules.tree import Interventional
from neon.lrp.targets import Contrast, LogOdds

__all__ = ["of_target", "rows_in_words", "words_of"]

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
    by_covers = [step for step in recording.steps if step.kind == "tree" and not isinstance(step.rule, Interventional)]
    if by_covers:
        curved = any(step.kind != "tree" and kind_of(step) != "linear" for step in recording.steps)
        what = "prediction at the mean" if curved else "mean prediction"
        others = f", other estimators at {source}" if _avoids(recording.steps, recording) else ""
        return f"{what} over {COUNTED}{others}"
    weights = rows.new_full((len(rows),), 1 / len(rows))
    return _at_rows(recording.base, rows, weights, source, outputs)


def _of_integral(recording: Recording, integral: Integral, source: str, outputs: Outputs | None) -> str:
    (x,) = recording.tape.inputs
    way = recording.steps, x, recording.tape.output, recording.tape.values[x][:1]
    if integral.from_covers(*way):
        curved = any(step.kind != "tree" and kind_of(step) != "linear" for step in recording.steps)
        return f"{'prediction at the mean' if curved else 'mean prediction'} over {COUNTED}"
    if integral.from_each(*way):
        return f"mean prediction of {source}" if len(integral.rows) > 1 else f"prediction at {source}"
    return _at_rows(integral.at_start(*way), integral.rows, integral.weights, source, outputs)


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
    return f"prediction where each distance, kernel and score is its mean over {source}"


def _same(base: Tensor, other: Tensor) -> bool:
    size = max(float(base.abs().max()), float(other.abs().max()))
    return bool(((base - other).abs() <= 1e-6 * size).all())


def _avoids(steps: list[BackwardStep], recording: Recording) -> bool:
    """Whether the output depends on the input on a way that goes through no tree."""
    reached = set(recording.tape.inputs)
    for step in steps:
        if step.kind != "tree" and reached.intersection(step.call.inputs):
            reached.update(step.call.operation.outputs)
    return recording.tape.output in reached


def rows_in_words(network: Network | torch.nn.Module, given: Any, rows: Any) -> str:
    """What reference rows, as `reference_of` gives them, are: the caller's, those that the model holds, the origin."""
    if rows is None:
        return ""
    n = len(rows.rows if isinstance(rows, Integral) else rows[0] if isinstance(rows, tuple) else rows)
    if isinstance(rows, Integral) and rows.start:
        return rows.start if rows.chosen_of is None else f"{n} rows of {rows.start}"
    if given is not None:
        of = f" of {rows.chosen_of}" if isinstance(rows, Integral) and rows.chosen_of else ""
        return "the reference row" if n == 1 else f"{n}{of} reference rows"
    own = getattr(network, "reference", None)
    if own is None:
        return "the origin"
    return "the model's own reference" if n == 1 else f"the {n} points that the model holds"


def of_target(target: Any, words: str) -> str:
    """The base value of what a target makes of several outputs."""
    if isinstance(target, Contrast):
        return f"difference of both outputs: {words}"
    if isinstance(target, LogOdds):
        return f"difference of the logits: {words}"
    return "zero: a callable tells nothing of its value at a reference" if callable(target) else words
