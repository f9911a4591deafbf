"""Machines that each tell two groups of classes apart: their scores, side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.base import is_regressor

from neon.converters.compose.names import column_names
from neon.converters.core import Ask, Conversion
from neon.converters.core.members import NEVER, binary_score, predicted
from neon.converters.meta.dummy import NO_COLUMN
from neon.converters.meta.side_by_side import beside, on_arrays
from neon.errors import UnsupportedModelError
from neon.nn import Linear

__all__ = ["Machines", "is_constant"]

_PROBABLE = {"log_odds": "log-odds", "predict_proba": "probability"}


@dataclass(frozen=True, eq=False)
class Machines:
    """The machines of a model.

    Attributes
    ----------
    model : estimator
        The model around them.
    parts : sequence of Conversion
        The score of each, one column.
    kind : str
        What the scores are: "decision_function", "log_odds", "predict_proba", or "predict" of regressors.
    """

    model: Any
    parts: Sequence[Conversion]
    kind: str

    @staticmethod
    def of(model: Any, ask: Ask, *, odds: bool = True) -> Machines:
        """Those that a model holds.

        odds : whether those without a decision function are read by log-odds, where they have them.

        Raises
        ------
        UnsupportedModelError
            If their scores differ in kind.
        """
        found = {
            i: _score(machine, ask.inside(f"estimators_[{i}]"), odds)
            for i, machine in enumerate(model.estimators_)
            if not is_constant(machine)
        }
        kinds = {kind for _, kind in found.values()}
        if len(kinds) > 1:
            raise UnsupportedModelError(f"{type(model).__name__} of machines with different scores: {sorted(kinds)}")
        kind = kinds.pop() if kinds else "decision_function"
        numeric = all(part.encoding is None and not part.missing for part, _ in found.values())
        n_columns = len(column_names(model)) if numeric else None
        parts = [
            found[i][0] if i in found else _constant(float(np.ravel(machine.y_)[0]), kind, n_columns)
            for i, machine in enumerate(model.estimators_)
        ]
        return Machines(model, parts, kind)

    @property
    def probable(self) -> bool:
        """Whether the scores are probabilities or their log-odds."""
        return self.kind in _PROBABLE

    @property
    def words(self) -> str:
        """What the scores are, in words."""
        return _PROBABLE.get(self.kind, "decision function")

    def side_by_side(self, *, on_all: bool = False) -> Conversion:
        """All scores; ``on_all``: of machines that were fitted on an array of all the caller's columns."""
        given = column_names(self.model)
        return beside([on_arrays(part, given) for part in self.parts] if on_all else self.parts, given=given)

    def own(self, X: Any) -> np.ndarray:
        """The machines' own scores (n_samples, n_machines); of log-odds the probabilities."""
        return np.stack([_own(machine, X) for machine in self.model.estimators_], axis=1)


def is_constant(machine: Any) -> bool:
    """Whether a machine had one class alone to learn."""
    return type(machine).__name__ == "_ConstantPredictor"


def _score(machine: Any, ask: Ask, odds: bool) -> tuple[Conversion, str]:
    if is_regressor(machine):
        return predicted(machine, ask), "predict"
    return binary_score(machine, ask, odds=odds)


def _constant(value: float, kind: str, n_columns: int | None) -> Conversion:
    """The score of a machine that says the same everywhere; it reads the columns, or where these are encoded none."""
    value = math.copysign(NEVER, value - 0.5) if kind == "log_odds" else value
    layers = torch.nn.Sequential(Linear(np.zeros((1, n_columns or 1)), [value]))
    encoding = NO_COLUMN if n_columns is None else None
    return Conversion(layers, "", ("",), np.asarray, takes_reference=True, encoding=encoding)


def _own(machine: Any, X: Any) -> np.ndarray:
    if is_constant(machine):
        return np.full(X.shape[0], float(np.ravel(machine.y_)[0]))
    if is_regressor(machine):
        return np.asarray(machine.predict(X), dtype=np.float64).ravel()
    if hasattr(machine, "decision_function"):
        return np.asarray(machine.decision_function(X), dtype=np.float64).ravel()
    return np.asarray(machine.predict_proba(X), dtype=np.float64)[:, 1]
