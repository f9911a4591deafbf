"""Models and tables on disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["check_writable", "load_model", "read_table", "write_whole"]

_READERS: dict[str, Callable[[Path], Any]] = {
    ".csv": pd.read_csv,
    ".parquet": pd.read_parquet,
    ".npy": lambda file: np.load(file, allow_pickle=False),
}


def load_model(path: str, *, trust: Sequence[str] = (), trust_pickle: bool = False) -> Any:
    """Load a fitted model; only ``.skops`` is safe, because loading a pickle runs whatever code it names.

    Raises
    ------
    ValueError
        For a pickle without ``trust_pickle``, unknown types in a ``.skops`` file, or a file that cannot be read.
    """
    file = _existing(path)
    if file.suffix == ".skops":
        return _load_skops(file, trust)
    if file.suffix not in (".pkl", ".pickle", ".joblib"):
        raise ValueError(f"{path}: a model is a .skops, .pkl, .pickle or .joblib file")
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


def read_table(path: str, *, drop: Sequence[str] = ()) -> pd.DataFrame | np.ndarray:
    """Read rows of a ``.csv``, ``.parquet`` or ``.npy`` file, without the columns named in ``drop``.

    Raises
    ------
    ValueError
        If the file cannot be read, is no table, or has no rows or no such columns.
    """
    file = _existing(path)
    read = _READERS.get(file.suffix)
    if read is None:
        raise ValueError(f"{path}: data is a {', '.join(_READERS)} file")
    try:
        table = read(file)
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


def check_writable(path: str | Path, suffixes: Sequence[str]) -> None:
    """Refuse, before any work is done, a file that could not be written.

    Raises
    ------
    ValueError
        If the suffix is another, or the place is none for a file.
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


def write_whole(path: str | Path, write: Callable[[Path], Any]) -> None:
    """Call ``write`` on a temporary name beside ``path``, then rename: no half-written file is ever left.

    Raises
    ------
    ValueError
        If the file system refuses.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.stem}-{os.getpid()}{target.suffix}")
    try:
        write(temporary)
        temporary.replace(target)
    except OSError as error:
        raise ValueError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _existing(path: str) -> Path:
    file = Path(path)
    if not file.is_file():
        raise ValueError(f"{path}: {'a folder, not a file' if file.is_dir() else 'no such file'}")
    return file


def _words(error: Exception) -> str:
    """What went wrong; errors that say nothing, by their kind."""
    return str(error) or type(error).__name__
