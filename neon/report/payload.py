"""The data of the page, ready for JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neon.explanation.fields import labels_of
from neon.explanation.rows_like_arrays import SparseRows
from neon.report.columns import Column, read_column
from neon.report.documents import documents
from neon.report.excerpt import STRONGEST, Excerpt, by_output
from neon.report.overview import overview
from neon.report.packing import label, packed
from neon.report.pictures import pictures
from neon.report.residuals import residual_in_words

if TYPE_CHECKING:
    from neon.explanation import Explanation

_AT_ONCE = 4_000_000  # numbers of sparse rows that are made dense

__all__ = ["payload"]


def payload(explanation: Explanation, chosen: Excerpt) -> dict[str, Any]:
    """Everything that the page draws. Axes stand in the order (output, feature, row): a column lies in one piece."""
    n, what = chosen.n_rows, explanation.explains.partition("; ")[0]
    found: dict[str, Any] = {
        "kind": chosen.kind,
        "n": n,
        "explains": what,
        "scale": _scale(what),
        "features": int(np.prod(explanation.feature_shape)),
        "unit": explanation.unit,
        "base": explanation.base_in_words,
        "labels": [label(each) for each in labels_of(explanation)[:n]],
        "outputs": list(explanation.output_names),
        "target": None if explanation.target is None else packed(explanation.target[:n]),
        "prediction": _parts(explanation.prediction, n),
        "start": _parts(explanation.base_values, n),
        "residuals": [
            {"name": name, "words": residual_in_words(name), "values": _parts(part, n)}
            for name, part in explanation.residuals.items()
        ],
    }
    found |= documents(explanation, n)
    return found | (pictures if chosen.kind == "image" else _table)(explanation, chosen)


def _scale(what: str) -> str:
    """How an amount of relevance is told: as a factor of the odds, as percentage points, or as it stands."""
    return "odds" if what.startswith("log-odds") else "share" if what.startswith("probability") else "amount"


def _parts(part: np.ndarray, n: int) -> dict[str, Any]:
    """Numbers (output, row); one for each output where all rows have the same."""
    each = part[:n].reshape(n, -1)
    return packed((each[:1] if (each == each[0]).all() else each).T)


def _table(explanation: Explanation, chosen: Excerpt) -> dict[str, Any]:
    values, shown = [part[: chosen.n_rows] for part in by_output(explanation)], chosen.features
    every = [np.asarray(part[:, shown]) for part in by_output(explanation)]
    relevance = np.stack([part[: chosen.n_rows].T for part in every])
    found: dict[str, Any] = {"relevance": packed(relevance), "overview": overview(every, explanation.target)}
    read = _reader(explanation, chosen)
    columns = [read(feature) for feature in shown]
    found["columns"] = [column.about | {"values": packed(column.numbers)} for column in columns]
    if chosen.wide:
        place = {feature: position for position, feature in enumerate(shown.tolist())}
        strongest, rare = _strongest(values, place)
        columns += [read(feature) for feature in rare]
        found["columns"] += [column.about for column in columns[len(shown) :]]
        numbers = np.stack([column.numbers for column in columns])  # (column, row)
        taken = numbers[strongest["place"], np.arange(chosen.n_rows)[:, None]]
        found["strongest"] = {name: packed(part) for name, part in {**strongest, "values": taken}.items()}
    return found


def _reader(explanation: Explanation, chosen: Excerpt) -> Any:
    """A function that reads a column. Words of documents are their own description."""
    data, units, imputed = explanation.data, explanation.feature_units, explanation.imputed
    by_column = data.matrix.tocsc() if isinstance(data, SparseRows) else None

    def read(feature: int) -> Column:
        name = explanation.feature_names[feature]
        if chosen.kind == "text":
            return Column({"name": name}, np.full(chosen.n_rows, np.nan))
        values = data[:, feature] if by_column is None else by_column[:, [feature]].toarray()[:, 0]
        filled = imputed is not None and bool(imputed[:, feature].any())
        return read_column(name, values, unit=units.get(name, ""), imputed=filled, n_rows=chosen.n_rows)

    return read


def _strongest(values: list[Any], place: dict[int, int]) -> tuple[dict[str, np.ndarray], list[int]]:
    """Each row's strongest features, (output, row, STRONGEST), and features that have no place yet.

    Their places, relevance, and what all others add up to ("rest").
    """
    n_rows, n_features = values[0].shape
    size = max(1, _AT_ONCE // n_features)  # sparse rows are made dense a few at a time
    parts = [[_strongest_of(np.asarray(part[i : i + size])) for i in range(0, n_rows, size)] for part in values]
    whole = [[np.concatenate(each) for each in zip(*part, strict=True)] for part in parts]
    top, relevance, rest = (np.stack(each) for each in zip(*whole, strict=True))
    rare = [feature for feature in np.unique(top).tolist() if feature not in place]
    places = np.full(n_features, -1)
    places[list(place)] = list(place.values())
    places[rare] = np.arange(len(place), len(place) + len(rare))
    return {"place": places[top], "relevance": relevance, "rest": rest}, rare


def _strongest_of(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of rows (n_rows, n_features): which features, their relevance, and the sum of all others."""
    size = np.abs(np.nan_to_num(values))
    top = np.argpartition(-size, STRONGEST - 1, axis=1)[:, :STRONGEST]
    top = np.take_along_axis(top, np.argsort(-np.take_along_axis(size, top, 1), axis=1, kind="stable"), 1)
    relevance = np.take_along_axis(values, top, 1)
    return top, relevance, values.sum(axis=1, dtype=np.float64) - relevance.sum(axis=1, dtype=np.float64)
