"""Explanations of more rows than memory holds, from files to files."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from neon._version import __version__
from neon.explainer import Explainer
from neon.explainer.columns import columns_read, present
from neon.explainer.progress import progress_bar
from neon.explanation import Explanation
from neon.explanation.layout import Layout
from neon.scale.destination import Destination, destination_of
from neon.scale.source import Source
from neon.scale.summary import StreamSummary
from neon.scale.table import table_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["explain_parquet"]

_PROBED = 8  # rows by which an explainer that goes on is held to the one that began


def explain_parquet(
    source: Any,
    destination: Any,
    explainer: Any,
    *,
    target: Any = None,
    features: Sequence[str] | None = None,
    columns: Sequence[str] = (),
    batch_rows: int = 100_000,
    resume: bool = True,
    progress: bool | None = None,
    n_top: int = 10,
) -> StreamSummary:
    """Explain the rows of files, write what was found to files, and hold one batch at a time in memory.

    A run that was killed goes on where it stopped when the same call is made again: no row is lost or repeated, and
    the output has the bits of a run that nothing interrupted.

    Parameters
    ----------
    source : path, or sequence of paths
        Parquet or CSV files, or a folder of them, also partitioned (folders named ``key=value`` give a column each).
        They are read in the order of their paths.
    destination : path
        A folder, to which a Parquet file ``part-00000000.parquet``, ... is written for each batch, and
        ``_summary.json`` at the end; or a name ending in ``.csv``. The columns, by name: ``row`` (its number in the
        source), those that are kept, ``target``, ``prediction``, ``base_value``, the relevance of each feature,
        ``residual`` (the sum of what no feature owns) and, but for CSV, ``residuals`` (each by its name).
    explainer : Explainer, estimator, Pipeline or Network
        A model is explained by its default.
    target : optional
        As for `Explainer`: a label, an index, or "all", which gives a line for each output of each row.
    features : sequence of str, optional
        The columns that the model reads, in its order. Default: those that it was fitted on, by name; or else all that
        are not kept.
    columns : sequence of str
        Columns that are kept beside the explanation, such as names of the rows.
    batch_rows : int
        Rows at a time. Memory: about ten times what a batch takes as numbers, beside the network.
    resume : bool
        False: what an earlier run wrote to ``destination`` is removed first.
    progress : bool, optional
        Show a progress bar. Default: where the work takes longer than about two seconds.
    n_top : int
        How many rows with the largest predictions the summary holds.

    Returns
    -------
    StreamSummary

    Raises
    ------
    ImportError
        Without pyarrow.
    ValueError
        If files cannot be read, differ in their columns or do not have those that are asked for; if a column name
        stands twice; if ``destination`` holds something else, is where ``source`` is, is full or is written to by
        another process; if some rows cannot be explained, with the model's own error as the cause.
    """
    if isinstance(batch_rows, bool) or not isinstance(batch_rows, int | np.integer) or batch_rows < 1:
        raise ValueError(f"batch_rows must be a whole number, at least 1, got {batch_rows!r}")
    if isinstance(n_top, bool) or not isinstance(n_top, int | np.integer) or n_top < 0:
        raise ValueError(f"n_top must be a whole number, at least 0, got {n_top!r}")
    if target is not None and not isinstance(target, str | int | np.integer):
        raise ValueError(f"target must be one for all rows: a label, an index or 'all', got {target!r}")
    explainer = explainer if isinstance(explainer, Explainer) else Explainer(explainer, progress=False)
    rows, to = Source(source), destination_of(destination)
    rows.check_apart(to.path)
    kept = present(rows.schema.names, columns, "columns")
    read = columns_read(explainer.network, rows.schema.names, kept, features)
    plan = {
        "version": __version__,
        "files": rows.files,
        "features": list(read),
        "columns": list(kept),
        "batch_rows": int(batch_rows),
        "target": None if target is None else str(target),
        "explains": repr(explainer),
    }
    work = _Work(rows, to, explainer, target, read, kept, int(batch_rows), n_top)
    with to.begun(plan, resume=resume):
        work.go_on()
        with progress_bar(rows.n_rows or 0, progress if rows.n_rows else False) as reach:
            for n_rows in work:
                reach(n_rows)
        to.finish(work.done, work.summary.to_json())
    return work.summary


class _Work:
    """The batches that are left, one after the other. Made by explaining the first rows."""

    def __init__(
        self,
        source: Source,
        to: Destination,
        explainer: Explainer,
        target: Any,
        features: Sequence[str],
        kept: Sequence[str],
        size: int,
        n_top: int,
    ) -> None:
        self.source, self.to, self.explainer, self.target = source, to, explainer, target
        self.features, self.size = list(features), size
        self.kept = list(kept)
        self.done = 0
        rows = next(source.batches(self._columns, min(_PROBED, size)), None)
        if rows is None:
            raise ValueError("there are no rows to explain")
        found = self._explanation(rows)
        self.layout = Layout(found.feature_names, tuple(kept), found.target is None)
        self.summary = StreamSummary(found.feature_names, n_top)
        self.first = table_of(self.layout, found, rows, 0, named=to.named)
        to.check_holds(self.first.schema)

    def go_on(self) -> None:
        """Add up what is there.

        Raises
        ------
        ValueError
            If a batch is none of ours, or the first rows have another explanation now.
        """
        for table in self.to.batches():
            if table.column_names != self.first.column_names:
                raise ValueError(
                    f"batch {self.done} in {self.to.path} was written by others: it has the columns "
                    f"{table.column_names}; remove it and call again, or resume=False to write all anew"
                )
            if self.done == 0:
                self._check_same(table)
            self.summary.add(table, self.layout.relevance)
            self.done += 1

    def __iter__(self) -> Iterator[int]:
        """Explain, and count how many rows are done. A batch is written while the next one is explained."""
        start, written = self.done * self.size, None
        with ThreadPoolExecutor(1) as writer:
            try:
                for rows in self.source.batches(self._columns, self.size, start):
                    explanation = self._batch(rows, start)
                    if written is not None:
                        written.result()
                    written = writer.submit(self._write, self.done, explanation, rows, start)
                    self.done, start = self.done + 1, start + len(rows)
                    yield start
            finally:  # a batch that is not written comes before the next one, which could not be read or explained
                if written is not None:
                    written.result()

    def _batch(self, rows: pa.Table, start: int) -> Explanation:
        try:
            return self._explanation(rows)
        except MemoryError:
            raise
        except Exception as error:  # the model's own as well
            raise ValueError(
                f"rows {start} to {start + len(rows) - 1} of the source (X, whose row 0 is row {start} of the source): "
                f"{error}. All rows before are explained and written"
            ) from error

    def _write(self, k: int, explanation: Explanation, rows: pa.Table, start: int) -> None:
        """Batch number k, and what the summary takes of it."""
        table = table_of(self.layout, explanation, rows, start, named=self.to.named)
        try:
            self.to.write(k, table)
        except FileNotFoundError as error:
            raise ValueError(f"{self.to.path} was removed while explanations were written to it; call again") from error
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise ValueError(
                    f"no space is left for {self.to.path}: the first {k * self.size} rows are explained and written; "
                    "make space and call again to go on"
                ) from error
            raise
        self.summary.add(table, self.layout.relevance)

    @property
    def _columns(self) -> list[str]:
        return list(dict.fromkeys([*self.features, *self.kept]))

    def _explanation(self, rows: pa.Table) -> Explanation:
        return self.explainer(
            rows.select(self.features).to_pandas(ignore_metadata=True, split_blocks=True), self.target
        )

    def _check_same(self, there: pa.Table) -> None:
        n, rounding = min(len(there), len(self.first)), 1e-6 if self.explainer.dtype == torch.float64 else 1e-3
        for name in (*self.layout.relevance, "prediction", "base_value"):
            before, now = (table.column(name).to_numpy()[:n] for table in (there, self.first))
            size = np.abs(before[np.isfinite(before)]).max(initial=0.0)
            if not np.allclose(before, now, rtol=rounding, atol=rounding * size, equal_nan=True):
                raise ValueError(
                    f"{self.to.path} holds explanations of another model or by other options: in its first rows "
                    f"{name!r} was another; give another destination, or resume=False to write it anew"
                )
