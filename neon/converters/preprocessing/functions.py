"""Functions inside a FunctionTransformer: which of its input columns each of their output columns is made from."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from neon.converters.core import Ask, Conversion, Transform, converter, transformer
from neon.converters.core.arrays import unchanged
from neon.converters.core.declared import note
from neon.converters.core.registry import FUNCTIONS
from neon.converters.preprocessing.encoders import convert_encoder, one_to_one
from neon.errors import UnsupportedModelError

__all__ = ["convert_function"]

_ROWS = 12
_KINDS = ("numbers", "dates", "words", "positive numbers")
_MIXED = 4  # columns that are tried with a kind each; more get the same kind


@converter("sklearn.preprocessing.FunctionTransformer")
def convert_function(model: Any, ask: Ask) -> Conversion:
    """FunctionTransformer whose output columns each depend on one input column, or that was declared.

    NumPy's and SciPy's universal functions of one argument compute every entry by itself. Other functions are asked
    with rows of numbers (dates, words) in which one column after the other changes: an output column that only ever
    changes with one of them is made from it. The caller's rows are compared again when they are explained.
    """
    function = model.func
    if function is None:
        return transformer(model, [], "features", int(model.n_features_in_), inverse=unchanged, missing=True)
    if _in(FUNCTIONS, function):
        note(function, FUNCTIONS[function])
        return FUNCTIONS[function](model, ask)
    if isinstance(function, np.ufunc) and (function.nin, function.nout) == (1, 1) and not model.kw_args:
        return convert_encoder(model, one_to_one(model))
    return convert_encoder(model, _sources(model), declared=True)


def _sources(model: Any) -> np.ndarray:
    """The input column of each output column, -1 for none.

    Raises
    ------
    UnsupportedModelError
        If one depends on several, or the function takes none of the rows that it is asked with.
    """
    name, n = getattr(model.func, "__name__", repr(model.func)), int(model.n_features_in_)
    advice = (
        "Explain the model from the made features: neon.explain(pipe[1:], pipe[:1].transform(X)); or declare the "
        f"function, if it works column by column or is linear: neon.extend.register_encoder({name}) or "
        f"neon.extend.register_linear({name})"
    )
    for rows in _probes(model, n):
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                before = _answer(model, rows)
                alone = _answer(model, rows.iloc[:3])
                moves = [_moved(model, rows, before, column) for column in range(n)]
            except Exception:  # a function of other kinds of columns
                continue
        if not _same(alone, before[:3]).all():
            raise UnsupportedModelError(
                f"FunctionTransformer({name}) makes other numbers of a row where other rows stand beside it, and so "
                f"does the model: there is no function of one row to explain. {advice}"
            )
        depends = np.stack(moves)  # (n_inputs, n_outputs)
        several = np.flatnonzero(depends.sum(0) > 1)
        if len(several):
            names = _names(model, n)
            owners = [names[i] for i in np.flatnonzero(depends[:, several[0]])]
            raise UnsupportedModelError(
                f"FunctionTransformer({name}) makes column {several[0]} of its output from several columns "
                f"({', '.join(owners)}), as a ratio does: how much of its relevance is whose is not told. {advice}"
            )
        if n == 1:
            return np.zeros(depends.shape[1], dtype=np.int64)  # whatever entries it looks for
        return np.where(depends.any(0), depends.argmax(0), -1)
    raise UnsupportedModelError(
        f"FunctionTransformer({name}) takes neither numbers, dates nor words as neon makes them, so that it cannot be "
        f"told which column each of its outputs is made from. {advice}"
    )


def _moved(model: Any, rows: Any, before: np.ndarray, column: int) -> np.ndarray:
    """Which outputs change where one column gets other rows' entries, (n_outputs,)."""
    moved = rows.copy()
    moved.isetitem(column, rows.iloc[np.roll(np.arange(len(rows)), 1), column].set_axis(rows.index))
    return np.asarray(~_same(before, _answer(model, moved)).all(0))


def _answer(model: Any, rows: Any) -> np.ndarray:
    """What the function makes of rows, (n_rows, n_outputs)."""
    found = Transform(model)(rows if hasattr(model, "feature_names_in_") else rows.to_numpy())
    return np.asarray(found).reshape(len(rows), -1)


def _same(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.equal(a, b).astype(bool) | (np.not_equal(a, a) & np.not_equal(b, b)).astype(
        bool
    )  # NaN, of objects as well


def _probes(model: Any, n: int) -> Iterator[Any]:
    """Rows of numbers, else of dates, words, and of a few columns with kinds of their own."""
    import pandas as pd

    random = np.random.default_rng(0)
    made = {
        "numbers": lambda: random.normal(size=_ROWS) * np.resize([1.0, 30.0, 1000.0], _ROWS),
        "positive numbers": lambda: random.uniform(0.5, 2.0, _ROWS),
        "dates": lambda: pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 10**8, _ROWS), unit="s"),
        "words": lambda: np.array([f"{'word ' * (i % 5)}{i}" for i in range(_ROWS)], dtype=object),
    }
    kinds = itertools.product(_KINDS, repeat=n) if n <= _MIXED else ((kind,) * n for kind in _KINDS)
    for chosen in kinds:
        yield pd.DataFrame({name: made[kind]() for name, kind in zip(_names(model, n), chosen, strict=True)})


def _names(model: Any, n: int) -> list[str]:
    return list(map(str, getattr(model, "feature_names_in_", [f"column {i}" for i in range(n)])))


def _in(table: dict[Any, Any], key: Any) -> bool:
    try:
        return key in table
    except TypeError:  # not hashable
        return False
