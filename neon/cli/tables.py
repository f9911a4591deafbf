"""Tables on disk, read as their owner means them."""

from __future__ import annotations

import csv
import itertools
import re
import warnings
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from neon.cli.files import existing, words
from neon.cli.terminal import near

__all__ = ["Reading", "dates_in"]

_SUFFIXES = (".csv", ".tsv", ".parquet", ".npy")
_SEPARATORS = {"tab": "\t", "\\t": "\t"}  # as they are written on the command line
_TRIED = (",", ";", "\t", "|")
_TRIED_ROWS = 200
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+|[+-]?\d{1,3}(\.\d{3})+,\d+")
_DATE = re.compile(r"\d{4}-\d\d-\d\d.*|\d{1,2}[./]\d{1,2}[./]\d{4}.*")


class _WrongOptions(ValueError):
    """A file that can be read, but otherwise."""


@dataclass(frozen=True)
class Reading:
    """How tables are read.

    Parameters
    ----------
    drop : sequence of str
        Columns to leave out, several in one string with commas between; where a table has them.
    index : str, optional
        The column that names the rows; it is no feature.
    sep, decimal, encoding : str, optional
        Of ``.csv`` files: what stands between fields, what in front of decimals, how letters are bytes. Default: what
        fits the first lines, the point, UTF-8.
    dates : sequence of str
        Columns of dates, of which a ``.csv`` file knows nothing; several in one string as well.
    missing : sequence of str
        Words for a missing value. In a column of text of a ``.csv`` file only these and an empty field mean one: "NA"
        may be the code of Namibia there. In a column of numbers all words do that pandas reads so.
    """

    drop: Sequence[str] = ()
    index: str | None = None
    sep: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    dates: Sequence[str] = ()
    missing: Sequence[str] = ()

    @classmethod
    def of(cls, options: Namespace) -> Reading:
        """What the command line says."""
        sep = options.sep and _SEPARATORS.get(options.sep, options.sep)
        if sep is not None and len(sep) != 1:
            raise ValueError(f"--sep {options.sep}: expected one character, such as ';', or tab")
        return cls(options.drop, options.index, sep, options.decimal, options.encoding, options.dates, options.missing)

    def tables(self, *paths: str | None) -> list[pd.DataFrame | np.ndarray | None]:
        """The tables in these files, None for a file that was not given.

        Raises
        ------
        ValueError
            If a file cannot be read, is no table, or has no rows; if no table has a column that is named in an option,
            or the first one not that of `index`.
        """
        tables = [None if path is None else self.table(path) for path in paths]
        first, *_ = (path for path in paths if path is not None) if any(paths) else ("",)
        self._check_names([table for table in tables if table is not None], first)
        return [None if table is None else self._chosen(table) for table in tables]

    def dropped(self, path: str, names: Sequence[str]) -> list[str]:
        """The columns of a file that are left out.

        Raises
        ------
        ValueError
            If it has no column that is named in an option.
        """
        found = _listed(self.drop, names)
        absent = [name for name in [*found, *filter(None, [self.index])] if name not in names]
        if absent:
            raise ValueError(f"{path} has no column called {_unknown(absent, names)}")
        return found

    def table(self, path: str) -> pd.DataFrame | np.ndarray:
        """A table as the file has it, all of its columns."""
        file = existing(path)
        if file.suffix not in _SUFFIXES:
            raise ValueError(f"{path}: data is a {', '.join(_SUFFIXES)} file")
        with _named(path, file.suffix):
            if file.suffix in (".csv", ".tsv"):
                table = self._csv(file)
            elif file.suffix == ".parquet":
                table = pd.read_parquet(file)
            else:
                table = np.load(file, allow_pickle=False)
        if table.ndim != 2:
            raise ValueError(f"{path}: expected a table (n_samples, n_features), got shape {table.shape}")
        if not len(table):
            raise ValueError(f"{path} has no rows")
        return table

    def _check_names(self, tables: list[Any], first: str) -> None:
        known = {str(name) for table in tables for name in getattr(table, "columns", ())}
        for option, asked in (("drop", self.drop), ("dates", self.dates)):
            absent = [name for name in _listed(asked, known) if name not in known]
            if absent:
                what = "drop" if option == "drop" else "read as dates"
                raise ValueError(f"{first} has no column to {what} called {_unknown(absent, known)}")
        if self.index is not None and tables and self.index not in (columns := getattr(tables[0], "columns", ())):
            raise ValueError(f"{first} has no column to name the rows called {_unknown([self.index], columns)}")

    def _chosen(self, table: Any) -> Any:
        """Without the columns that are no features; those of dates as dates."""
        if isinstance(table, np.ndarray):
            return table
        names = list(map(str, table.columns))
        for name in set(_listed(self.dates, names)) & set(names):
            try:
                table[name] = pd.to_datetime(table[name])
            except (ValueError, TypeError) as error:
                raise ValueError(f"the column {name!r} does not hold dates: {words(error)}") from error
        dropped = set(_listed(self.drop, names))
        table = table[[name for name in table.columns if str(name) not in dropped or str(name) == self.index]]
        return table.set_index(self.index) if self.index in table.columns else table

    def _csv(self, file: Path) -> pd.DataFrame:
        """A name for every column, numbers without rounding, words such as NA as words in columns of text."""
        how = replace(self, encoding=self.encoding or _encoding(file))
        how = replace(how, sep=self.sep or how._separator(file))
        how._check_fields(file)
        read: dict[str, Any] = {
            "index_col": False, "sep": how.sep, "decimal": how.decimal or ".", "encoding": how.encoding,
        }  # fmt: skip
        if tuple(map(int, pd.__version__.split(".")[:2])) < (3, 1):  # from then on it is always so
            read["float_precision"] = "round_trip"
        table = pd.read_csv(file, **read, na_values=list(self.missing))
        left_out = {self.index, *_listed([*self.drop, *self.dates], table.columns)}
        text = [name for name in table if not pd.api.types.is_numeric_dtype(table[name]) and name not in left_out]
        names = [self.index] if self.index in table.columns else []
        if text or names:
            strings = dict.fromkeys([*text, *names], str)
            literal = pd.read_csv(file, **read, keep_default_na=False, na_values=["", *self.missing], dtype=strings)
            for name in names:
                table[name] = literal[name]
            for name in text:
                table[name] = self._text(file, table[name], literal[name])
        return table

    def _text(self, file: Path, column: Any, literal: Any) -> Any:
        """A column of text, whose words are words."""
        held = literal.dropna().astype(str)
        if self.decimal is None and len(held) and held.str.fullmatch(_DECIMAL_COMMA).all():
            raise _WrongOptions(
                f"the column {literal.name!r} holds numbers with decimal commas, such as {held.iloc[0]}: give "
                "--decimal , (or --decimal . where they are no numbers)"
            )
        found = sorted(set(held[column.isna() & literal.notna()]))
        if not found:
            return column
        warnings.warn(
            f"{file}: in the column of text {literal.name!r}, {', '.join(map(repr, found))} is taken as it stands; "
            f"where it means that the value is missing, give {' '.join(f'--missing {word}' for word in found)}",
            stacklevel=2,
        )
        return literal

    def _rows(self, file: Path, sep: str) -> Iterator[tuple[int, list[str]]]:
        """Lines that hold something: the number of each, and its fields."""
        limit = csv.field_size_limit(2**31 - 1)
        try:
            with file.open(newline="", encoding=self.encoding) as lines:
                rows = csv.reader(lines, delimiter=sep)
                yield from ((rows.line_num, row) for row in rows if row)
        finally:
            csv.field_size_limit(limit)

    def _separator(self, file: Path) -> str:
        """What gives the first lines as many fields as the header, more than one.

        Raises
        ------
        ValueError
            If several do.
        """
        if file.suffix == ".tsv":
            return "\t"
        widths = {}
        for sep in _TRIED:
            rows = [row for _, row in itertools.islice(self._rows(file, sep), _TRIED_ROWS)]
            if rows and len(rows[0]) > 1 and {len(row) for row in rows} == {len(rows[0])}:
                widths[sep] = len(rows[0])
        if len(widths) > 1:
            ways = " or ".join(f"{sep!r} ({n} columns)" for sep, n in widths.items())
            raise _WrongOptions(f"fields may be separated by {ways}: give --sep")
        if widths:
            return next(iter(widths))
        _, header = next(self._rows(file, ","), (1, [""]))  # an uneven table, or one of a single column
        line = ",".join(header)
        return max(_TRIED, key=lambda sep: (line.count(sep), sep == ","))

    def _check_fields(self, file: Path) -> None:
        """Refuse rows with more or fewer fields than the header has names: values would get another column's name."""
        assert self.sep is not None
        rows = self._rows(file, self.sep)
        first, header = next(rows, (1, []))
        others = [sep for sep in _TRIED if sep != self.sep and any(sep in name for name in header)]
        if len(header) == 1 and others:
            raise _WrongOptions(
                f"with {self.sep!r} between fields, line {first} is one field, {header[0][:60]!r}: give --sep "
                f"'{others[0]}', or leave --sep out"
            )
        for number, row in rows:
            if len(row) != len(header):
                name = {",": "a comma", "\t": "a tab"}.get(self.sep, f"{self.sep!r}")
                raise ValueError(
                    f"line {number} has {len(row)} fields, and the header {len(header)} names ({name} at the end of a "
                    "line is one field more, and so is a column of row numbers without a name)"
                )


def dates_in(table: Any) -> list[str]:
    """The columns of text that hold dates."""
    found = []
    for name in getattr(table, "columns", ()):
        column = table[name]
        if not (pd.api.types.is_object_dtype(column) or pd.api.types.is_string_dtype(column)):
            continue
        held = column.dropna()
        if len(held) and held.astype(str).str.fullmatch(_DATE).all():
            found.append(str(name))
    return found


def _encoding(file: Path) -> str:
    """UTF-8, unless the first two bytes say that it is UTF-16."""
    with file.open("rb") as held:
        return "utf-16" if held.read(2) in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def _listed(asked: Sequence[str], known: Any) -> list[str]:
    """Names, of which several may stand in one string with commas between; a name may hold a comma itself."""
    return [name for word in asked for name in ([word] if word in known else word.split(","))]


def _unknown(names: Sequence[str], known: Any) -> str:
    """Names that are not there, and what may have been meant."""
    return "; ".join([", ".join(map(repr, names)), *filter(None, [near(name, map(str, known)) for name in names])])


@contextmanager
def _named(path: str, suffix: str) -> Iterator[None]:
    """What goes wrong while a file is read is said with its name."""
    try:
        yield
    except ImportError:
        raise
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not a readable {suffix} file: it is not written in {error.encoding} (byte "
            f"{error.object[error.start]:#x}); save it as UTF-8, or give --encoding, such as cp1252 of Windows"
        ) from error
    except _WrongOptions as error:
        raise ValueError(f"{path}: {error}") from error
    except Exception as error:
        raise ValueError(f"{path} is not a readable {suffix} file: {words(error)}") from error
