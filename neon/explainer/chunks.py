"""Chunks of rows: how many at a time, what explaining one finds, and all of them put together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neon.converters import Network
from neon.explainer.base import words_of
from neon.explanation.memory import check_fits
from neon.explanation.rows_like_arrays import SparseRows
from neon.lrp import LRP
from neon.lrp.paths.integral import Integral
from neon.lrp.paths.mean_slopes import NODES
from neon.nn.trees.alone import TreesAlone

__all__ = ["FIRST_ROWS", "Chunk", "Collected", "Probe", "rows_within"]

FIRST_ROWS = 64  # of a torch module, whose size per row is not known before
_MEMORY = 128 * 2**20  # bytes of recorded values a chunk may hold
_CACHE = 4 * 2**20  # for fitted models: what stays in the processor's cache is not fetched twice ...
_SOME_ROWS = 256  # ... but a chunk has this many rows, where memory allows: each costs about a millisecond by itself
_SMALL = 4096  # numbers that are copied sooner than threads are asked to

_WHAT = {"values": "relevance"}
_ADVICE = (
    "explain fewer rows at a time, a single output of each (target=), or files by neon.explain_parquet, which holds a "
    "batch at a time"
)


def rows_within(per_row: int) -> int:
    """How many rows a chunk may have, of so many bytes each."""
    return max(1, _MEMORY // per_row)


@dataclass(frozen=True, eq=False)
class Probe:
    """What one row tells of a fitted model's network, which runs the same operations on any rows.

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
    alone : TreesAlone, optional
        The trees, where there is nothing else.
    base_in_words : str
        What base values are.
    """

    references: dict[int, Tensor] | None
    chunk_rows: int
    words: str
    relative: bool
    alone: TreesAlone | None
    base_in_words: str

    @classmethod
    def of(cls, lrp: LRP, row: Tensor, reference: Tensor | Integral | None, source: str) -> Probe:
        """Send a row, (1, n_encoded), through the network.

        source : what the reference rows are, in words
        """
        found = lrp.record(row, reference=reference)
        per_row, words = found.tape.bytes_per_sample(), ""
        if found.integral is not None:
            x, output = found.tape.inputs[0], found.tape.output
            words = found.integral.words(found.steps, x, output, found.tape.values[x])
            per_row *= NODES
        relative = any(step.rule is not None and step.rule.takes_reference for step in found.steps)
        some = min(
            _SOME_ROWS, _CACHE // (row.element_size() * row.shape[1])
        )  # of wide rows it is their work that costs
        chunk_rows = min(max(_CACHE // per_row, some, 1), rows_within(per_row))
        relative = relative or found.integral is not None
        base = words_of(found, source, lrp.model)
        return cls(found.references, chunk_rows, words, relative, TreesAlone.of(found), base)

    def rows_for(self, network: Network, every: bool, order: int) -> int:
        """How many rows to explain at a time; every : all outputs of each, order : of interactions, 0 for none."""
        size, n_encoded, n_outputs = self.chunk_rows, network.intake.n_encoded, len(network.output_names)
        if every:  # each output's relevance, and all of them beside each other
            size = min(size, rows_within(16 * n_encoded * n_outputs))
        if order:  # in use at a time: each output's square or cube, and its copies while columns are added up
            squares = 3 + (2 * n_outputs if every else 0)
            size = min(size, rows_within(8 * squares * n_encoded**order))
        return size


@dataclass(frozen=True, eq=False)
class Chunk:
    """The parts of an explanation of a few rows.

    Attributes
    ----------
    values : Tensor (n_rows, *input_shape[, n_outputs]), or of the entries of sparse rows (n_entries,)
    base, prediction : Tensor (n_rows[, n_outputs])
    residuals : mapping of str to Tensor (n_rows[, n_outputs])
    target : Tensor of int (n_rows,), or None where every output is explained
    n_outputs : int, or None where a callable chose what is explained
    interactions : Tensor (n_rows, n_features, n_features[, n_outputs]), optional
    logits : bool
        Whether what is explained stands in front of a final sigmoid or softmax of a torch module.
    """

    values: Tensor
    base: Tensor
    prediction: Tensor
    residuals: Mapping[str, Tensor]
    target: Tensor | None
    n_outputs: int | None = None
    interactions: Tensor | None = None
    logits: bool = False


class Collected:
    """Chunks written into arrays that are allocated once; fresh memory costs more than the arithmetic."""

    def __init__(self, n_rows: int, rows: Any = None) -> None:
        self.n_rows = n_rows
        # Sparse rows, in whose places relevance is held while it is 0 in all others.
        self._held = rows if isinstance(rows, SparseRows) else None
        self._entries = np.zeros(0 if self._held is None else self._held.matrix.nnz)
        self.parts: dict[str, np.ndarray] = {}
        self.residuals: dict[str, np.ndarray] = {}
        self.n_outputs: int | None = None
        self.logits = False
        self.base_in_words = ""
        self.finite = True

    def add(self, start: int, chunk: Chunk) -> None:
        """Take the chunk whose first row is ``start``."""
        for name in ("values", "base", "prediction", "target", "interactions"):
            part = getattr(chunk, name)
            if part is not None and not (name == "values" and self._in_places(start, part)):
                self._write(self.parts, name, start, part)
        for name, amount in chunk.residuals.items():
            self._write(self.residuals, name, start, amount)
        self.n_outputs, self.logits = chunk.n_outputs, chunk.logits
        total = sum(part.sum() for part in (chunk.values, chunk.base, *chunk.residuals.values()))
        self.finite &= math.isfinite(total)  # while the chunk is in the processor's cache

    def close(self) -> None:
        """Make the arrays read-only: an explanation then shares them and does not copy."""
        for array in (*self.parts.values(), *self.residuals.values()):
            array.flags.writeable = False

    @property
    def values(self) -> np.ndarray | SparseRows:
        """Relevance of all rows."""
        return self.parts["values"] if self._held is None else self._held.with_entries(self._entries)

    def _in_places(self, start: int, values: Tensor) -> bool:
        """Take relevance in the places of sparse rows, unless it is elsewhere as well."""
        if self._held is None:
            return False
        matrix = self._held.matrix
        if values.ndim == 1:
            places = slice(int(matrix.indptr[start]), int(matrix.indptr[start]) + len(values))
            self._entries[places] = values.numpy()
            return True
        if values.ndim == 2:
            ends = matrix.indptr[start : start + len(values) + 1]
            places = slice(int(ends[0]), int(ends[-1]))
            rows = torch.from_numpy(np.arange(len(values)).repeat(np.diff(ends)))
            columns = torch.from_numpy(matrix.indices[places].astype(np.int64))
            found = values[rows.to(values.device), columns.to(values.device)]
            if int(found.count_nonzero()) == int(values.count_nonzero()):
                self._entries[places] = found.cpu().numpy()
                return True
        held, self._held = self._held, None
        if start:
            self._write(self.parts, "values", 0, torch.from_numpy(np.asarray(held.with_entries(self._entries))))
        return False

    def _write(self, arrays: dict[str, np.ndarray], name: str, start: int, tensor: Tensor) -> None:
        if name not in arrays:
            check_fits((self.n_rows, *tensor.shape[1:]), _WHAT.get(name, name), _ADVICE)
            dtype = np.float64 if tensor.is_floating_point() else np.int64
            arrays[name] = np.zeros((self.n_rows, *tensor.shape[1:]), dtype)
        here = arrays[name][start : start + len(tensor)]
        if tensor.numel() <= _SMALL and tensor.is_cpu:
            here[...] = tensor.numpy()
        else:
            torch.from_numpy(here).copy_(tensor)  # in threads
