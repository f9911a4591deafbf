"""`Explanation.save` and `Explanation.load`: every field to a file and back."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from neon._version import __version__
from neon.explanation.archive import Reader, Writer, reading, writing
from neon.explanation.rows_like_arrays import MixedRows, SparseRows

if TYPE_CHECKING:
    from neon.converters.core.intake import Texts
    from neon.explanation import Explanation

__all__ = ["load", "save"]

_FORMAT, _VERSION = "neon explanation", 1
_WORDS = ("explains", "base_in_words", "unit")
_NAMES = ("feature_names", "output_names")
_ARRAYS = ("base_values", "prediction", "target", "imputed", "interactions", "index")


def save(explanation: Explanation, path: str | os.PathLike[str]) -> None:
    """See `Explanation.save`."""
    with writing(path) as writer:
        about = {"format": _FORMAT, "version": _VERSION, "neon": __version__}
        writer.describe(about | {"explanation": _fields(explanation, writer)})


def load(path: str | os.PathLike[str], make: Callable[..., Explanation]) -> Explanation:
    """See `Explanation.load`; make : the constructor."""
    with reading(path) as reader:
        about = reader.description
        if about["format"] != _FORMAT:
            raise ValueError(f"it says that it is {about['format']!r}")
        if about["version"] != _VERSION:
            raise ValueError(
                f"it has version {about['version']} of the format, written by neon {about['neon']}; this is neon "
                f"{__version__}, which reads version {_VERSION}"
            )
        return _explanation(about["explanation"], reader, make)


def _fields(explanation: Explanation, writer: Writer) -> dict[str, Any]:
    found: dict[str, Any] = {name: getattr(explanation, name) for name in _WORDS}
    found |= {name: list(getattr(explanation, name)) for name in _NAMES}
    found["feature_units"] = dict(explanation.feature_units)
    arrays = {name: getattr(explanation, name) for name in _ARRAYS}
    found |= {name: None if array is None else writer.put(array) for name, array in arrays.items()}
    found["residuals"] = {name: writer.put(part) for name, part in explanation.residuals.items()}
    encoded, texts = explanation.encoded, explanation.texts
    found |= {"values": _put_data(explanation.values, writer), "data": _put_data(explanation.data, writer)}
    found["encoded"] = None if encoded is None else _fields(encoded, writer)
    found["texts"] = None if texts is None else _put_texts(texts, len(explanation), writer)
    return found


def _explanation(found: dict[str, Any], reader: Reader, make: Callable[..., Explanation]) -> Explanation:
    fields: dict[str, Any] = {name: _of_type(str, found[name]) for name in _WORDS}
    fields |= {name: [_of_type(str, each) for each in _of_type(list, found[name])] for name in _NAMES}
    fields["feature_units"] = _of_type(dict, found["feature_units"])
    fields |= {name: None if found[name] is None else reader.get(found[name]) for name in _ARRAYS}
    fields["residuals"] = {name: reader.get(part) for name, part in found["residuals"].items()}
    encoded, texts = found["encoded"], found["texts"]
    fields |= {name: _get_data(found[name], reader) for name in ("values", "data")}
    fields["encoded"] = None if encoded is None else _explanation(encoded, reader, make)
    fields["texts"] = None if texts is None else _get_texts(texts, reader, len(fields["values"]))
    return make(**fields)


def _of_type(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"expected a {kind.__name__}, got {value!r}")
    return value


def _put_data(data: np.ndarray | SparseRows | MixedRows, writer: Writer) -> dict[str, Any]:
    if isinstance(data, SparseRows):
        return _put_sparse(data.matrix, writer)
    if isinstance(data, MixedRows):
        return {"numbers": writer.put(data.numbers), "boolean": writer.put(data.boolean)}
    return writer.put(data)


def _get_data(place: dict[str, Any], reader: Reader) -> np.ndarray | SparseRows | MixedRows:
    if "indptr" in place:
        return SparseRows(_get_sparse(place, reader))
    if "boolean" not in place:
        return reader.get(place)
    numbers, boolean = reader.get(place["numbers"]), reader.get(place["boolean"])
    if numbers.dtype.kind != "f" or numbers.ndim != 2 or boolean.dtype != bool or boolean.shape != numbers.shape[1:]:
        raise ValueError("its data are no columns of numbers and of booleans")
    return MixedRows(numbers, boolean)


def _put_sparse(matrix: sparse.csr_matrix, writer: Writer) -> dict[str, Any]:
    parts = {name: writer.put(getattr(matrix, name)) for name in ("data", "indices", "indptr")}
    return {**parts, "shape": list(matrix.shape)}


def _get_sparse(place: dict[str, Any], reader: Reader) -> sparse.csr_matrix:
    data, indices, indptr = (reader.get(place[name]) for name in ("data", "indices", "indptr"))
    matrix = sparse.csr_matrix((data, indices, indptr), shape=tuple(place["shape"]))
    matrix.check_format(full_check=True)  # what points outside would be read as if it were inside
    return matrix


def _put_texts(texts: Texts, n_rows: int, writer: Writer) -> dict[str, Any]:
    """The pieces of all documents one after the other, how many each has, and their shares below each other."""
    read = [texts.of(row) for row in range(n_rows)]
    pieces = np.array([piece for text in read for piece in text.pieces], dtype=object)
    shares = sparse.vstack([text.shares for text in read], format="csr") if read else sparse.csr_matrix((0, 0))
    sizes = np.array([len(text.pieces) for text in read], dtype=np.int64)
    return {"pieces": writer.put(pieces), "sizes": writer.put(sizes), "shares": _put_sparse(shares, writer)}


class _Saved:
    """Reads documents that were taken to pieces when they were saved."""

    def __init__(self, pieces: np.ndarray, sizes: np.ndarray, shares: sparse.csr_matrix) -> None:
        self.pieces, self.shares = pieces, shares
        self.ends = np.cumsum(sizes)

    def __call__(self, rows: np.ndarray) -> list[Any]:
        from neon.converters.core.encoded_columns import Text

        starts = np.concatenate([[0], self.ends[:-1]])
        spans = [slice(int(starts[row]), int(self.ends[row])) for row in rows]
        return [Text(tuple(self.pieces[span].tolist()), self.shares[span]) for span in spans]


def _get_texts(place: dict[str, Any], reader: Reader, n_rows: int) -> Texts:
    from neon.converters.core.intake import Texts

    pieces, sizes, shares = (
        reader.get(place["pieces"]),
        reader.get(place["sizes"]),
        _get_sparse(place["shares"], reader),
    )
    fits = sizes.dtype == np.int64 and sizes.shape == (n_rows,) and (sizes >= 0).all()
    if not (fits and sizes.sum() == len(pieces) == shares.shape[0]):
        raise ValueError(f"its texts are not the pieces of {n_rows} documents")
    return Texts(_Saved(pieces, sizes, shares), np.arange(n_rows))
