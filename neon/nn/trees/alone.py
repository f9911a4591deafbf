"""Trees that are a whole network: a few rows without torch, whose calls take longer than they do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from neon.lrp.recorded import Recording
from neon.lrp.rules.tree import Shapley
from neon.nn.trees import engine
from neon.nn.trees.forest import Forest
from neon.nn.trees.operation import tree_ensemble

__all__ = ["TreesAlone"]


@dataclass(frozen=True, eq=False)
class TreesAlone:
    """An ensemble that is explained by Shapley values against its covers, and nothing else.

    Attributes
    ----------
    forest : Forest
    start : ndarray (n_outputs,)
        What relevance is relative to.
    """

    forest: Forest
    start: np.ndarray

    @classmethod
    def of(cls, recording: Recording) -> TreesAlone | None:
        """None where the network computes something else as well, or is explained otherwise or by other loops."""
        steps, integral, tape = recording.steps, recording.integral, recording.tape
        if integral is None or not integral.against_covers or len(steps) != 1:
            return None
        (step,), x = steps, tape.values[tape.inputs[0]]
        by_tables = isinstance(step.rule, Shapley) and step.rule.engine == "tables"
        if step.call.operation.function is not tree_ensemble or by_tables:
            return None
        if x.dtype != torch.float64 or not engine.compiles(x.device):
            return None
        forest: Forest = step.call.operation.args[1]
        return cls(forest, engine.base_of(forest, Shapley(), None, torch.float64)[0].numpy())

    def fits(self, rows: object) -> bool:
        """Whether these are a few rows of numbers."""
        from neon.nn.trees import compiled

        return isinstance(rows, np.ndarray) and rows.dtype == np.float64 and 0 < len(rows) <= compiled.FEW

    def run(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Codes of the rows (n_used, n_samples), and ``f`` (n_samples, n_outputs)."""
        from neon.nn.trees import compiled

        codes = compiled.codes_of(self.forest, rows)
        return codes, self.forest.trees.base + compiled.sums_of(self.forest, codes)

    def relevance(self, codes: np.ndarray, slope: np.ndarray) -> np.ndarray:
        """``Σ_k slope_k φ_k``, (n_samples, n_features); slope (n_samples, n_outputs)."""
        from neon.nn.trees import compiled

        phi, used = compiled.shapley_of_few(self.forest, codes, slope), self.forest.paths.codes.used
        if len(used) == self.forest.trees.n_features:
            return phi
        found = np.zeros((len(phi), self.forest.trees.n_features))
        found[:, used] = phi
        return found
