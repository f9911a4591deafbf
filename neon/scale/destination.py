"""Where explanations are written, a batch at a time: what is there is complete, whenever the run ends."""

from __future__ import annotations

import abc
import contextlib
import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["CsvFile", "Destination", "ParquetFolder", "destination_of"]


class Destination(abc.ABC):
    """Batches in their order. A batch is there as a whole, on the disk, once `write` returns, or not at all.

    Parameters
    ----------
    path : Path
    """

    named = True  # whether residuals can have names

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    @abc.abstractmethod
    def journal(self) -> Path:
        """The file that says what is being written."""

    @abc.abstractmethod
    def check_free(self, *, resume: bool) -> None:
        """Refuse what no run of ours has begun."""

    def check_holds(self, schema: pa.Schema) -> None:
        """Refuse columns that cannot be written."""

    @abc.abstractmethod
    def clear(self) -> None:
        """Take away what earlier runs wrote, but for the journal, which is locked."""

    @abc.abstractmethod
    def batches(self) -> Iterator[pa.Table]:
        """The batches that are there, read again; parts of others are taken away."""

    @abc.abstractmethod
    def write(self, k: int, table: pa.Table) -> None:
        """Batch number k."""

    @abc.abstractmethod
    def finish(self, n_batches: int, summary: str) -> None:
        """Everything is written.

        Raises
        ------
        ValueError
            If some of it is no longer there.
        """

    @contextlib.contextmanager
    def begun(self, plan: dict[str, Any], *, resume: bool) -> Iterator[None]:
        """Held for this process alone while a plan is worked on, from where the last run stopped or anew.

        Raises
        ------
        ValueError
            If another process writes here, or what is there follows another plan.
        """
        self.check_free(resume=resume)
        self.journal.parent.mkdir(parents=True, exist_ok=True)
        with open(self.journal, "a+", encoding="utf-8") as file, _locked(file, self.path):
            file.seek(0)
            text = file.read()
            if resume and next(self.batches(), None) is not None:
                _check_plan(text, plan, self.path)
            else:  # new, or the first batch is not there, and the plan may be half written
                self.clear()
                file.truncate(0)
                file.write(json.dumps(plan, ensure_ascii=False) + "\n")
                _sync(file)
            yield


class ParquetFolder(Destination):
    """A folder with a file of one row group for each batch, which readers take as one table."""

    @property
    def journal(self) -> Path:
        return self.path / "_plan.json"

    @property
    def _summary(self) -> Path:
        return self.path / "_summary.json"

    def check_free(self, *, resume: bool) -> None:
        if self.path.exists() and not self.journal.exists() and any(self.path.iterdir()):
            raise ValueError(f"{self.path} holds other files; give a folder that is new or empty")

    def clear(self) -> None:
        for file in [*self.path.glob("part-*.parquet"), self._summary]:
            file.unlink(missing_ok=True)

    def batches(self) -> Iterator[pa.Table]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        for file in self.path.glob(".*.writing"):
            file.unlink()
        k = 0
        while self._part(k).exists():
            try:
                table = pq.ParquetFile(self._part(k)).read()
            except (OSError, pa.ArrowException) as error:
                raise ValueError(
                    f"{self._part(k)} cannot be read again ({error}); remove it, and call again to write it anew"
                ) from error
            yield table
            k += 1

    def write(self, k: int, table: pa.Table) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        words = [field.name for field in table.schema if not pa.types.is_floating(field.type) and field.name != "row"]
        with _whole(self._part(k)) as file:
            # Relevance, and the row, are never twice the same: a dictionary of them costs time and saves no space.
            pq.write_table(table, file, row_group_size=max(len(table), 1), use_dictionary=words)

    def finish(self, n_batches: int, summary: str) -> None:
        removed = [self._part(k) for k in range(n_batches) if not self._part(k).exists()]
        if removed:
            raise ValueError(_taken_away(removed[0]))
        with _whole(self._summary) as file:
            file.write(summary.encode())

    def _part(self, k: int) -> Path:
        return self.path / f"part-{k:08}.parquet"


class CsvFile(Destination):
    """One file, called ``.writing`` until it is complete; a line of its journal says where each batch ends."""

    named = False
    _end = 0  # bytes of the batches that are there

    @property
    def journal(self) -> Path:
        return self.path.with_name(self.path.name + ".plan")

    @property
    def _ends(self) -> Path:
        return self.path.with_name(self.path.name + ".ends")

    @property
    def _file(self) -> Path:
        return self.path.with_name(self.path.name + ".writing")

    @property
    def _summary(self) -> Path:
        return self.path.with_name(self.path.name + ".summary.json")

    def check_free(self, *, resume: bool) -> None:
        if resume and self.path.exists() and not self.journal.exists():
            raise ValueError(f"{self.path} exists; name another file, or resume=False to write it anew")

    def check_holds(self, schema: pa.Schema) -> None:
        import pyarrow as pa

        nested = [field.name for field in schema if pa.types.is_nested(field.type)]
        if nested:
            raise ValueError(
                f"no CSV file holds nested columns such as {nested[0]!r}: name a folder, for Parquet files"
            )

    def clear(self) -> None:
        for file in (self.path, self._file, self._ends, self._summary):
            file.unlink(missing_ok=True)

    def batches(self) -> Iterator[pa.Table]:
        import pyarrow as pa
        import pyarrow.csv

        if self.path.exists() and not self._file.exists():  # the last run ended between its last two steps
            os.replace(self.path, self._file)
        ends = self._known_ends()
        self._end = ends[-1] if ends else 0
        if self._file.exists():
            os.truncate(self._file, self._end)
        if not ends:
            return
        names, parsing = None, pa.csv.ParseOptions(newlines_in_values=True)
        with self._file.open("rb") as file:
            for end in ends:
                part = pa.BufferReader(file.read(end - file.tell()))
                table = pa.csv.read_csv(part, pa.csv.ReadOptions(column_names=names), parsing)
                names = table.column_names  # which stand in the first batch alone
                yield table

    def write(self, k: int, table: pa.Table) -> None:
        import pyarrow.csv

        with self._file.open("ab") as file:
            if file.tell() != self._end:
                raise ValueError(_taken_away(self._file))
            options = pyarrow.csv.WriteOptions(include_header=k == 0)
            pyarrow.csv.write_csv(table, file, options)
            _sync(file)
            self._end = file.tell()
        with self._ends.open("a") as ends:
            ends.write(f"{self._end}\n")
            _sync(ends)

    def finish(self, n_batches: int, summary: str) -> None:
        if not self._file.exists() or self._file.stat().st_size != self._end:
            raise ValueError(_taken_away(self._file))
        with _whole(self._summary) as file:
            file.write(summary.encode())
        os.replace(self._file, self.path)
        self.journal.unlink()  # from here on it is a whole file
        self._ends.unlink()

    def _known_ends(self) -> list[int]:
        """Where the batches end that are there; others are forgotten."""
        lines = self._ends.read_text().splitlines(keepends=True) if self._ends.exists() else []
        size = self._file.stat().st_size if self._file.exists() else 0
        whole = [line for line in lines if line.endswith("\n") and int(line) <= size]
        if len(whole) < len(lines):
            self._ends.write_text("".join(whole))
        return [int(line) for line in whole]


def destination_of(path: Any) -> Destination:
    """By the name: a CSV file, or a folder of Parquet files."""
    where = Path(path)
    kind: type[Destination] = CsvFile if where.suffix.lower() == ".csv" else ParquetFolder
    if kind is ParquetFolder and where.exists() and not where.is_dir():
        raise ValueError(f"{where} is a file: explanations are written to a folder of Parquet files; name another")
    if kind is CsvFile and where.is_dir():
        raise ValueError(f"{where} is a folder, and a CSV file is to be written: name another")
    return kind(where)


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[IO[bytes]]:
    """A file that has its name once it is complete, and on the disk."""
    writing = path.with_name(f".{path.name}.writing")
    try:
        with open(writing, "wb") as file:
            yield file
            _sync(file)
    except BaseException:
        writing.unlink(missing_ok=True)
        raise
    os.replace(writing, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _taken_away(path: Path) -> str:
    return f"{path} was removed or changed by others while explanations were written; call again to write what is lost"


def _sync(file: IO[Any]) -> None:
    file.flush()
    os.fsync(file.fileno())


@contextlib.contextmanager
def _locked(file: IO[str], path: Path) -> Iterator[None]:
    """The lock ends with the process, however that ends."""
    try:
        import fcntl
    except ImportError:  # no such locks on Windows
        yield
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise ValueError(f"another process writes to {path}; wait for it, or name another destination") from error
    yield


def _check_plan(text: str, plan: dict[str, Any], path: Path) -> None:
    try:
        there = dict(json.loads(text))
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"what says which work {path} holds is damaged ({error}); give another destination, or resume=False to "
            "write it anew"
        ) from error
    other = [name for name in plan if there.get(name) != plan[name]]
    if other:
        name = other[0]
        before, now = there.get(name), plan[name]
        if isinstance(before, list):  # of which one entry tells enough
            before, now = next(pair for pair in itertools.zip_longest(before, now) if pair[0] != pair[1])
        raise ValueError(
            f"{path} holds part of other work: {name} was {before!r}, now {now!r}; give another destination, or "
            "resume=False to write it anew"
        )
