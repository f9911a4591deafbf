"""Models and tables on disk."""

from __future__ import annotations

import contextlib
import csv
import os
import signal
import stat
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from neon.converters import model_files

__all__ = ["check_writable", "load_model", "read_table", "write_whole"]

_SUFFIXES = (".csv", ".parquet", ".npy")


def load_model(path: str, *, trust: Sequence[str] = (), trust_pickle: bool = False) -> Any:
    """Load a fitted model: ``.skops``, or a boosting library's own file; loading a pickle runs whatever code it names.

    Raises
    ------
    ValueError
        For a pickle without ``trust_pickle``, unknown types in a ``.skops`` file, or a file that cannot be read.
    """
    file = _existing(path)
    if file.suffix == ".skops":
        return _load_skops(file, trust)
    if file.suffix in model_files.SUFFIXES:
        return model_files.load_model(path)
    if file.suffix not in (".pkl", ".pickle", ".joblib"):
        raise ValueError(
            f"{path}: a model is a .skops, .pkl, .pickle or .joblib file, or one that XGBoost, LightGBM or CatBoost "
            f"wrote: {', '.join(model_files.SUFFIXES)}"
        )
    if not trust_pickle:
        raise ValueError(
            f"{path} is a pickle, and loading one runs any code it names; save the model with skops.io.dump, or give "
            "--trust-pickle if you made the file yourself"
        )
    import joblib

    try:
        return joblib.load(file)
    except Exception as error:
        raise ValueError(f"{path} is not a readable pickle: {_words(error)}") from error


def _load_skops(file: Path, trust: Sequence[str]) -> Any:
    try:
        import skops.io
    except ImportError as error:
        raise ImportError("reading .skops needs skops: pip install 'neon-xai[cli]'") from error
    try:
        unknown = [name for name in skops.io.get_untrusted_types(file=file) if name not in trust]
        if not unknown:
            return skops.io.load(file, trusted=list(trust))
    except Exception as error:
        raise ValueError(f"{file} is not a readable .skops file: {_words(error)}") from error
    allow = " ".join(f"--trust {name}" for name in unknown)
    raise ValueError(f"{file} holds types that are not trusted: {', '.join(unknown)}; allow with {allow}")


def read_table(path: str, *, drop: Sequence[str] = (), missing: Sequence[str] = ()) -> pd.DataFrame | np.ndarray:
    """Read rows of a ``.csv``, ``.parquet`` or ``.npy`` file, without the columns named in ``drop``.

    In a column of text of a ``.csv`` file only an empty field and the words in ``missing`` are missing values: "NA" may
    be the code of Namibia there. In a column of numbers all words are that pandas reads as missing.

    Raises
    ------
    ValueError
        If the file cannot be read, is no table, or has no rows or no such columns.
    """
    file = _existing(path)
    if file.suffix not in _SUFFIXES:
        raise ValueError(f"{path}: data is a {', '.join(_SUFFIXES)} file")
    try:
        if file.suffix == ".csv":
            table = _read_csv(file, missing)
        elif file.suffix == ".parquet":
            table = pd.read_parquet(file)
        else:
            table = np.load(file, allow_pickle=False)
    except ImportError:
        raise
    except Exception as error:
        raise ValueError(f"{path} is not a readable {file.suffix} file: {_words(error)}") from error
    if table.ndim != 2:
        raise ValueError(f"{path}: expected a table (n_samples, n_features), got shape {table.shape}")
    if not len(table):
        raise ValueError(f"{path} has no rows")
    if not drop:
        return table
    absent = [name for name in drop if name not in getattr(table, "columns", ())]
    if absent:
        raise ValueError(f"{path} has no column to drop called {', '.join(map(repr, absent))}")
    return table.drop(columns=list(drop))


def _read_csv(file: Path, missing: Sequence[str]) -> pd.DataFrame:
    """Read a table: a name for every column, numbers without rounding, words such as NA as words in columns of text."""
    _check_fields(file)
    read: dict[str, Any] = {"index_col": False}
    if tuple(map(int, pd.__version__.split(".")[:2])) < (3, 1):  # from then on it is always so
        read["float_precision"] = "round_trip"
    table = pd.read_csv(file, **read, na_values=list(missing))
    text = [name for name in table if not pd.api.types.is_numeric_dtype(table[name])]
    if not text:
        return table
    literal = pd.read_csv(file, **read, keep_default_na=False, na_values=["", *missing], dtype=dict.fromkeys(text, str))
    for name in text:
        found = sorted(set(literal.loc[table[name].isna() & literal[name].notna(), name].astype(str)))
        if not found:
            continue
        table[name] = literal[name]
        warnings.warn(
            f"{file}: in the column of text {name!r}, {', '.join(map(repr, found))} is taken as it stands; where it "
            f"means that the value is missing, give {' '.join(f'--missing {word}' for word in found)}",
            stacklevel=2,
        )
    return table


def _check_fields(file: Path) -> None:
    """Refuse rows with more or fewer fields than the header has names: values would get another column's name."""
    limit = csv.field_size_limit(2**31 - 1)
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            rows = csv.reader(lines)
            header = next((row for row in rows if row), [])
            for row in rows:
                if row and len(row) != len(header):
                    raise ValueError(
                        f"line {rows.line_num} has {len(row)} fields, and the header {len(header)} names (a comma at "
                        "the end of a line is one field more, and so is a column of row numbers without a name)"
                    )
    finally:
        csv.field_size_limit(limit)


def check_writable(path: str | Path, suffixes: Sequence[str], inputs: Sequence[str | None] = ()) -> None:
    """Refuse, before any work is done, a file that could not be written, or that is read.

    Raises
    ------
    ValueError
        If the suffix is not one of these, no file can be written there, or the file is one of ``inputs``.
    """
    target = Path(path)
    if target.suffix not in suffixes:
        raise ValueError(f"{path}: expected one of {', '.join(suffixes)}")
    if target.is_dir():
        raise ValueError(f"cannot write {path}: it is a folder")
    if not target.parent.is_dir():
        raise ValueError(f"cannot write {path}: the folder {target.parent} does not exist")
    if not os.access(target.parent, os.W_OK):
        raise ValueError(f"cannot write {path}: no permission to write in {target.parent.resolve()}")
    for read in inputs:
        if read is not None and target.exists() and Path(read).exists() and target.samefile(read):
            raise ValueError(f"cannot write {path}: it is read as {read}, which would be lost; name another file")


def write_whole(path: str | Path, write: Callable[[Path], Any]) -> None:
    """Call ``write`` on a name in a folder of our own beside ``path``, then rename: no half-written file is ever left.

    Nobody else can put anything into that folder. Links are followed; a file that is replaced keeps its permissions.

    Raises
    ------
    ValueError
        If the file system refuses.
    """
    try:
        target = Path(path).resolve()
        with _leaving_in_order(), tempfile.TemporaryDirectory(prefix=".neon-", dir=target.parent) as folder:
            temporary = Path(folder) / target.name
            write(temporary)
            if target.exists():
                temporary.chmod(stat.S_IMODE(target.stat().st_mode))
            temporary.replace(target)
    except OSError as error:
        raise ValueError(f"cannot write {path}: {error.strerror or error}") from error


@contextlib.contextmanager
def _leaving_in_order() -> Iterator[None]:
    """A context in which SIGTERM and SIGHUP raise SystemExit, so that temporary files are removed."""
    if threading.current_thread() is not threading.main_thread():  # Python handles signals in the main thread only
        yield
        return

    def leave(number: int, _: Any) -> None:
        raise SystemExit(128 + number)

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, leave) for number in numbers if signal.getsignal(number) == signal.SIG_DFL}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _existing(path: str) -> Path:
    file = Path(path)
    if not file.is_file():
        raise ValueError(f"{path}: {'a folder, not a file' if file.is_dir() else 'no such file'}")
    return file


def _words(error: Exception) -> str:
    """An error's message, or its type where it has none."""
    return str(error) or type(error).__name__
