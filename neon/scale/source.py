"""Rows of files, folders and partitioned data sets, in their order, a batch at a time."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Source"]

_KINDS = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv"}


class Source:
    """The rows of one file or of all files in a folder, sorted by their paths.

    Parameters
    ----------
    where : path, or sequence of paths
        Parquet or CSV files, or a folder of them; folders named ``key=value`` give a column each. Files and folders
        whose name begins with "." or "_" are left out.

    Attributes
    ----------
    schema : pyarrow.Schema
        Of all files together: whole numbers in one and decimals in another are decimals.
    files : list of list
        The path and the size of each.

    Raises
    ------
    ImportError
        Without pyarrow.
    ValueError
        If there is no such file, no file at all, or one that cannot be read; if files hold different columns, or a
        column that is of numbers in one and of text in another.
    """

    def __init__(self, where: Any) -> None:
        try:
            import pyarrow.csv
            import pyarrow.dataset as ds
        except ImportError as error:
            raise ImportError("explaining files needs pyarrow: pip install 'neon-xai[cli]'") from error
        paths, root = _files(where)
        self.kind, self._root = _kind(paths), root
        partitioning: Any = "hive" if root is not None else None
        of_lines = ds.CsvFileFormat(pyarrow.csv.ParseOptions(newlines_in_values=True))
        kind = of_lines if self.kind == "csv" else self.kind
        options = {"format": kind, "partitioning": partitioning, "partition_base_dir": root}
        try:
            self._dataset = ds.dataset(paths, **options)
            self.schema = _together(list(self._dataset.get_fragments()), self._dataset.schema)
            self._dataset = ds.dataset(paths, schema=self.schema, **options)
            self._states = [_state(path) for path in paths]
        except (OSError, UnicodeDecodeError, _arrow_error()) as error:
            raise ValueError(f"cannot read {where}: {_line(error)}") from error
        other = [field.name for field in self.schema if field.type == "binary"] if self.kind == "csv" else []
        if other:
            raise ValueError(f"cannot read {where}: column {other[0]!r} is not UTF-8; save the file in that encoding")

    @property
    def files(self) -> list[list[Any]]:
        return [list(state[:2]) for state in self._states]

    @property
    def n_rows(self) -> int | None:
        """How many rows there are; None where nothing but reading them tells."""
        if self.kind == "csv":
            return None
        return sum(fragment.metadata.num_rows for fragment in self._dataset.get_fragments())

    def check_apart(self, destination: Path) -> None:
        """Refuse to write where these files are: they would be overwritten, or read along the next time.

        Raises
        ------
        ValueError
            If the destination is one of the files or a folder that holds some, or if it is in the folder of them.
        """
        to = destination.resolve()
        read = [Path(path).resolve() for path, *_ in self._states]
        found = [file for file in read if to == file or to in file.parents]
        if self._root is not None and (root := Path(self._root).resolve()) in to.parents and _seen(to, root):
            found = [root]
        if found:
            raise ValueError(f"{destination} cannot be written to, as {found[0]} is read: name a place apart from it")

    def batches(self, columns: Sequence[str], size: int, start: int = 0) -> Iterator[pa.Table]:
        """Tables of ``size`` rows, the last one of fewer, from row ``start`` on. One table at a time is held.

        Raises
        ------
        ValueError
            If some rows cannot be read.
        """
        import pyarrow as pa

        held: list[pa.Table] = []
        count = 0
        for batch in self._from(columns, size, start):
            while count + len(batch) >= size:
                held.append(batch.slice(0, size - count))
                batch = batch.slice(size - count)
                yield pa.concat_tables(held).combine_chunks()
                held, count = [], 0
            if len(batch):
                held.append(batch)
                count += len(batch)
        if held:
            yield pa.concat_tables(held).combine_chunks()

    def _from(self, columns: Sequence[str], size: int, start: int) -> Iterator[pa.Table]:
        """Tables of at most so many rows, those before ``start`` left out; row groups of these are not read."""
        for fragment, state in zip(self._dataset.get_fragments(), self._states, strict=True):
            place = ""
            try:
                parts = self._row_groups(fragment) if self.kind == "parquet" else [(0, "", fragment.to_batches)]
                for n_rows, where, read in parts:
                    place = where
                    if n_rows and start >= n_rows:
                        start -= n_rows
                        continue
                    held = [name for name in columns if name in fragment.physical_schema.names]
                    for batch in read(batch_size=size, columns=held):
                        _check_unchanged(state)
                        skipped = min(start, len(batch))
                        start -= skipped
                        if skipped < len(batch):
                            yield self._table(batch.slice(skipped), fragment, columns)
            except (OSError, _arrow_error()) as error:
                _check_unchanged(state)
                raise ValueError(
                    f"cannot read {fragment.path}{place}: {_line(error)}; all whole batches before are explained "
                    "and written: mend the file, or leave it out, and call again"
                ) from error

    def _row_groups(self, fragment: Any) -> Iterator[tuple[int, str, Callable[..., Iterator[pa.RecordBatch]]]]:
        """The rows of each row group, its name, and how to read it: a piece at a time, however large it is."""
        import pyarrow.parquet as pq

        with pq.ParquetFile(fragment.path, pre_buffer=False, buffer_size=2**16) as file:
            for k in range(file.num_row_groups):
                read = functools.partial(file.iter_batches, row_groups=[k])
                yield file.metadata.row_group(k).num_rows, f", row group {k}", read

    def _table(self, batch: pa.RecordBatch, fragment: Any, columns: Sequence[str]) -> pa.Table:
        """The columns in the types that they have in all files, and those that are in the names of folders."""
        import pyarrow as pa
        import pyarrow.dataset as ds

        keys = ds.get_partition_keys(fragment.partition_expression)
        found = {
            name: batch.column(name) if name in batch.schema.names else pa.repeat(keys[name], len(batch))
            for name in columns
        }
        return pa.table(found).cast(pa.schema([self.schema.field(name) for name in columns]).remove_metadata())


def _state(path: str) -> tuple[str, int, int]:
    """The path, the size and when it was last changed, in ns."""
    found = os.stat(path)
    return path, found.st_size, found.st_mtime_ns


def _check_unchanged(state: tuple[str, int, int]) -> None:
    """Refuse a file that is not what it was, so that no output is of two versions of it."""
    path = state[0]
    if not os.path.exists(path) or _state(path) != state:
        raise ValueError(
            f"{path} was changed or removed while it was read; what is written is of the file as it was: put that "
            "back and call again, or explain the new one with resume=False"
        )


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def _arrow_error() -> type[Exception]:
    import pyarrow as pa

    return pa.ArrowException


def _files(where: Any) -> tuple[list[str], str | None]:
    """The files to read, sorted, and the folder that they were found in."""
    if not isinstance(where, str | os.PathLike):
        listed = [str(path) for path in where]
        absent = [path for path in listed if not Path(path).is_file()]
        if absent:
            raise ValueError(f"{absent[0]}: no such file; a list names files, a folder stands alone")
        return listed, None
    path = Path(where)
    if path.is_file():
        return [str(path)], None
    if not path.is_dir():
        raise ValueError(f"{where}: no such file or folder")
    found = [file for file in sorted(path.rglob("*")) if file.is_file() and _seen(file, path)]
    return [str(file) for file in found], str(path)


def _seen(file: Path, folder: Path) -> bool:
    """Whether neither the file nor a folder on the way to it has a name that is left out."""
    return not any(part[0] in "._" for part in file.relative_to(folder).parts)


def _kind(paths: Sequence[str]) -> str:
    kinds = {Path(path).suffix.lower() for path in paths}
    found = {_KINDS.get(kind) for kind in kinds}
    if not paths:
        raise ValueError("there is no file to explain: expected .parquet or .csv files")
    if None in found or len(found) > 1:
        raise ValueError(f"expected .parquet files or .csv files, got {', '.join(sorted(kinds))}")
    return str(found.pop())


def _together(fragments: Sequence[Any], declared: pa.Schema) -> pa.Schema:
    """The columns of all files, whose names must be the same and whose types must have one in common."""
    import pyarrow as pa

    first = fragments[0].physical_schema
    _check_unique(fragments[0].path, first)
    merged = first
    for fragment in fragments[1:]:
        here = fragment.physical_schema
        _check_unique(fragment.path, here)
        for lacking, holding, path in ((here, first, fragment.path), (first, here, fragments[0].path)):
            missing = [name for name in holding.names if name not in lacking.names]
            if missing:
                raise ValueError(f"{path} has no column {', '.join(map(repr, missing))}, which other files have")
        for name in first.names:
            a, b = first.field(name).type, here.field(name).type
            if a != b and not (_is_number(a) and _is_number(b)) and not pa.types.is_null(a) and not pa.types.is_null(b):
                raise ValueError(
                    f"column {name!r} is of type {a} in {fragments[0].path} and of type {b} in {fragment.path}; "
                    "write it in one type"
                )
        merged = pa.unify_schemas([merged, here], promote_options="permissive")
    partitions = [field for field in declared if field.name not in merged.names]
    return pa.schema([*merged, *partitions])


def _check_unique(path: str, schema: pa.Schema) -> None:
    twice = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if twice:
        raise ValueError(f"{path} has more than one column called {', '.join(map(repr, twice))}; rename them")


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))
