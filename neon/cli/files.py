"""Files that are read, and files that are written as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas

__all__ = ["check_writable", "existing", "words", "write_csv", "write_whole"]


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


def write_csv(frame: pandas.DataFrame, path: Path) -> None:
    """Write what ``frame.to_csv`` writes, read as the same: by pyarrow, which takes a tenth of the time, where it can.

    Dates and other objects are written by pandas, in its words; so is everything without pyarrow.
    """
    columns = [frame.index.get_level_values(level) for level in range(frame.index.nlevels)]
    columns += [frame.iloc[:, place] for place in range(frame.shape[1])]
    names = ["" if name is None else str(name) for name in (*frame.index.names, *frame.columns)]
    try:
        import pyarrow as pa
        from pyarrow import csv
    except ImportError:
        frame.to_csv(path)
        return
    if not all(_is_plain(column) for column in columns):
        frame.to_csv(path)
        return
    arrays = [pa.array(column.to_numpy(), from_pandas=True) for column in columns]
    csv.write_csv(pa.table(arrays, names=names), path)


def _is_plain(column: Any) -> bool:
    """Whether it holds floating-point numbers, whole numbers, or strings."""
    if column.dtype.kind in "fiu":
        return isinstance(column.dtype, np.dtype)
    held = set(map(type, column))
    return bool(column.dtype.kind == "O" and held <= {str}) or str(column.dtype) in ("str", "string")


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


def existing(path: str) -> Path:
    """The path of a file to read.

    Raises
    ------
    ValueError
        If there is none.
    """
    file = Path(path)
    if not file.is_file():
        raise ValueError(f"{path}: {'a folder, not a file' if file.is_dir() else 'no such file'}")
    return file


def words(error: Exception) -> str:
    """An error's message, or its type where it has none."""
    return str(error) or type(error).__name__
