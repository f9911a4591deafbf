"""What one row tells of a fitted model's network, which runs the same operations on any rows."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from neon.explainer.chunks import rows_of_network
from neon.lrp import LRP
from neon.lrp.paths.integral import NODES, Integral

__all__ = ["Probe"]


@dataclass(frozen=True, eq=False)
class Probe:
    """What is found once and holds for every chunk of rows.

    Attributes
    ----------
    references : dict of int to Tensor, optional
        Every value of the network at the reference rows, which go through it once.
    chunk_rows : int
        How many rows to explain at a time.
    words : str
        What the path rule does, where there is one.
    relative : bool
        Whether any rule is relative to reference rows.
    """

    references: dict[int, Tensor] | None
    chunk_rows: int
    words: str
    relative: bool

    @classmethod
    def of(cls, lrp: LRP, row: Tensor, reference: Tensor | Integral | None) -> Probe:
        """Send a row, (1, n_encoded), through the network."""
        found = lrp.record(row, reference=reference)
        per_row, words = found.tape.bytes_per_sample(), ""
        if found.integral is not None:
            x, output = found.tape.inputs[0], found.tape.output
            words = found.integral.words(found.steps, x, output, found.tape.values[x])
            per_row *= NODES
        relative = any(step.rule is not None and step.rule.takes_reference for step in found.steps)
        return cls(found.references, rows_of_network(per_row), words, relative or found.integral is not None)
