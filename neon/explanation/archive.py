"""A file of named arrays and a description of them: Parquet and JSON in an uncompressed zip, and never code."""

from __future__ import annotations

import contextlib
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from neon.explanation.entries import as_text, of_text

__all__ = ["Reader", "Writer", "reading", "writing"]

_DESCRIPTION = "explanation.json"
_NUMBERS = {
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64"
}  # fmt: skip

# What an archive raises that somebody cut, or wrote by hand.
_FAULTS = (
    zipfile.BadZipFile,
    EOFError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    RuntimeError,
    ArithmeticError,
)


class Writer:
    """Writes arrays, and says where each went: what the description holds in place of it."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file
        self._count = 0

    def put(self, array: np.ndarray) -> dict[str, Any]:
        """Write an array of numbers or objects of any shape.

        Raises
        ------
        TypeError
            If an entry is of no kind that can be saved.
        """
        pa, parquet = _pyarrow()
        member, kind = f"{self._count}.parquet", str(array.dtype)
        self._count += 1
        if array.dtype == object:
            column = pa.array([as_text(value) for value in array.flat], type=pa.large_string())
        elif kind in _NUMBERS:
            flat = array.ravel()
            column = pa.array(flat.astype(np.float32) if kind == "float16" else flat)
        else:
            raise TypeError(f"numbers of type {kind} cannot be saved; expected one of {sorted(_NUMBERS)}")
        buffer = io.BytesIO()
        parquet.write_table(pa.table({"entries": column}), buffer, compression="zstd")
        self._file.writestr(member, buffer.getvalue())
        return {"member": member, "dtype": kind, "shape": list(array.shape)}

    def describe(self, description: dict[str, Any]) -> None:
        self._file.writestr(_DESCRIPTION, json.dumps(description, indent=1))


class Reader:
    """Reads what a `Writer` wrote, and believes nothing of it."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file
        self.description: Any = json.loads(self._bytes(_DESCRIPTION))

    def get(self, place: dict[str, Any]) -> np.ndarray:
        pa, parquet = _pyarrow()
        kind, shape = place["dtype"], tuple(place["shape"])
        if kind not in _NUMBERS | {"object"} or not all(isinstance(size, int) and size >= 0 for size in shape):
            raise ValueError(f"no array has entries {kind!r} and shape {shape}")
        try:
            found = parquet.ParquetFile(pa.BufferReader(self._bytes(place["member"])))
            if found.metadata.num_rows != prod(shape):
                raise ValueError(f"{found.metadata.num_rows} entries do not make an array of shape {shape}")
            column = found.read().column("entries")
            if column.null_count:
                raise ValueError("an array has no entry without a value")
            entries = column.to_pylist() if kind == "object" else column.to_numpy()
        except pa.ArrowException as error:
            raise ValueError(str(error)) from error
        if kind != "object":
            return np.asarray(entries).astype(kind, casting="same_kind" if kind == "float16" else "no").reshape(shape)
        array = np.empty(len(entries), dtype=object)
        array[:] = [of_text(text) for text in entries]
        return array.reshape(shape)

    def _bytes(self, member: str) -> bytes:
        info = self._file.getinfo(member)
        if info.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"{member} is compressed by the archive, which neon does not do")
        return self._file.read(info)


@contextlib.contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[Writer]:
    """A new file, which takes the place of an old one when all is written."""
    _pyarrow()
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; give the name of a file")
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as file:
            yield Writer(file)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(part, 0o666 & ~umask)  # a temporary file is its owner's alone
        os.replace(part, path)
    except BaseException:
        os.unlink(part)
        raise


@contextlib.contextmanager
def reading(path: str | os.PathLike[str]) -> Iterator[Reader]:
    """A file that was written.

    Raises
    ------
    ValueError
        If it is another file, incomplete or changed.
    """
    _pyarrow()
    try:
        with zipfile.ZipFile(path) as file:
            yield Reader(file)
    except _FAULTS as error:
        raise ValueError(f"{os.fspath(path)} is no explanation that neon saved, or not all of one: {error}") from error


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise ImportError("saving and loading explanations needs pyarrow: pip install 'neon-xai[parquet]'") from error
    return pa, parquet
