"""Models and tables on disk."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

__all__ = ["load_model", "read_table", "write_whole"]


def load_model(path: str, *, trust: Sequence[str] = (), trust_pickle: bool = False) -> Any:
    """Load a fitted model; only ``.skops`` is safe, because loading a pickle runs whatever code it names.

    Raises
    ------
    ValueError
        For a pickle without ``trust_pickle``, unknown types in a ``.skops`` file, or a file that cannot be read.
    """
    file = _existing(path)
    if file.suffix == ".skops":
        try:
            import skops.io
        except ImportError as error:
            raise ImportError("reading .skops needs skops: pip install 'neon-xai[cli]'") from error
        try:
            unknown = [name for name in skops.io.get_untrusted_types(file=file) if name not in trust]
            if unknown:
                allow = " ".join(f"--trust {name}" for name in unknown)
                raise ValueError(f"{path} holds types that are not trusted: {', '.join(unknown)}; allow with {allow}")
            return skops.io.load(file, trusted=list(trust))
        except (KeyError, OSError, EOFError) as error:
            raise ValueError(f"{path} is not a readable .skops file: {error}") from error
        except Exception as error:
            if isinstance(error, ValueError):
                raise
            raise ValueError(f"{path} is not a readable .skops file: {error}") from error
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
        raise ValueError(f"{path} is not a readable pickle: {error}") from error


def read_table(path: str) -> pd.DataFrame:
    """A ``.csv`` or ``.parquet`` file."""
    file = _existing(path)
    if file.suffix not in (".csv", ".parquet"):
        raise ValueError(f"{path}: data is a .csv or .parquet file")
    try:
        table = pd.read_csv(file) if file.suffix == ".csv" else pd.read_parquet(file)
    except ImportError:
        raise
    except Exception as error:
        raise ValueError(f"{path} is not a readable {file.suffix} file: {error}") from error
    if not len(table):
        raise ValueError(f"{path} has no rows")
    return table


def write_whole(path: str | Path, write: Callable[[Path], Any]) -> None:
    """Call ``write`` on a temporary name beside ``path``, then rename: no half-written file is ever left."""
    target = Path(path)
    if not target.parent.is_dir():
        raise ValueError(f"cannot write {path}: the folder {target.parent} does not exist")
    handle, name = tempfile.mkstemp(dir=target.parent, suffix=target.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _existing(path: str) -> Path:
    file = Path(path)
    if not file.is_file():
        raise ValueError(f"{path}: no such file")
    return file
