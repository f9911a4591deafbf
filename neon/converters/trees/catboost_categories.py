"""What CatBoost's splits ask of categories: one value, or statistics of the target over rows of the same categories.

A split on a statistic ("CTR") asks whether a number is above a border that the labels of one or several columns decide
alone. So all questions to one set of columns have finitely many patterns of answers, each a code of that set: splits on
codes are splits on categories. The patterns follow from the tables that the model writes down; which of them a row has,
the model itself is asked through the leaves that the row reaches, because labels are kept as hashes only.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from neon.errors import UnsupportedModelError

__all__ = ["LabelCodes", "Place", "Question", "Questions"]

_EMPTY = str(2**64 - 1)  # the hash of an empty slot of a table
_PATTERNS = 1 << 16


class Question(NamedTuple):
    """A split that labels answer.

    Attributes
    ----------
    columns : tuple of int
        All columns that the answer depends on.
    projection : str
        What is looked up: questions of one projection are answered by one table entry.
    key : tuple
        The hashed value that is asked for, or the number of the statistic and its border.
    """

    columns: tuple[int, ...]
    projection: str
    key: tuple[Any, ...]


class Place(NamedTuple):
    """Where the answer to a question stands: bit ``bit`` of the number of the leaf in tree ``tree``."""

    tree: int
    bit: int


class Questions:
    """The questions to categories, as the trees of a model hold them.

    Attributes
    ----------
    asked : mapping of columns to {question: place}
    """

    def __init__(self, features: Mapping[str, Any], tables: Mapping[str, Any]) -> None:
        self._statistics, self._tables = features.get("ctrs") or [], tables
        categorical = features.get("categorical_features") or []
        floats = features.get("float_features") or []
        self._categorical = {f["feature_index"]: f["flat_feature_index"] for f in categorical}
        self._floats = {f["feature_index"]: f["flat_feature_index"] for f in floats}
        self._borders = [(number, b) for number, ctr in enumerate(self._statistics) for b in ctr["borders"]]
        n_others = sum(len(f.get("borders") or []) for f in floats) + sum(len(f.get("values", [])) for f in categorical)
        self._first = n_others  # statistics are numbered after all borders of numbers and all values
        self.asked: dict[tuple[int, ...], dict[Question, Place]] = {}

    def of(self, split: Mapping[str, Any]) -> Question:
        """The question of a split."""
        if split["split_type"] == "OneHotFeature":
            column = self._categorical[split["cat_feature_index"]]
            return Question((column,), "value", (split["value"],))
        number, border = self._borders[split["split_index"] - self._first]
        if border != split["border"]:
            raise UnsupportedModelError(
                "CatBoost numbers target statistics in another way than release 1.2; encode categories before the model"
            )
        elements = self._statistics[number]["elements"]
        columns = {
            (self._floats if "float_feature_index" in e else self._categorical)[
                e.get("float_feature_index", e.get("cat_feature_index"))
            ]
            for e in elements
        }
        return Question(tuple(sorted(columns)), json.dumps(elements), (number, border))

    def note(self, question: Question, place: Place) -> None:
        """Keep where a question is answered, the first time that it is met."""
        self.asked.setdefault(question.columns, {}).setdefault(question, place)

    def patterns(self, columns: tuple[int, ...]) -> np.ndarray:
        """All patterns of answers to the questions to these columns, bool (n_codes, n_questions)."""
        questions = list(self.asked[columns])
        projections = list(dict.fromkeys(q.projection for q in questions))
        places = [[i for i, q in enumerate(questions) if q.projection == p] for p in projections]
        found = [self._answers([questions[i] for i in some]) for some in places]
        if np.prod([len(part) for part in found], dtype=float) > _PATTERNS:
            raise UnsupportedModelError(
                f"CatBoost asks for more than {_PATTERNS} patterns of the columns {columns} together; fit with "
                "max_ctr_complexity=1"
            )
        whole = np.concatenate([np.concatenate(parts)[None] for parts in itertools.product(*found)])
        return whole[:, np.argsort(np.concatenate(places))]

    def _answers(self, questions: Sequence[Question]) -> np.ndarray:
        """The patterns of one projection, bool (n_patterns, n_questions): also what an unknown label answers."""
        if questions[0].projection == "value":
            return np.eye(len(questions) + 1, len(questions), dtype=bool)
        tables = [_Table.of(self._statistics[q.key[0]], self._tables) for q in questions]
        hashes = [None, *dict.fromkeys(h for table in tables for h in table.counts)]
        answers = [
            [table.value(h) > np.float32(q.key[1]) for q, table in zip(questions, tables, strict=True)] for h in hashes
        ]
        return np.unique(np.array(answers, dtype=bool), axis=0)


@dataclass(frozen=True, eq=False)
class _Table:
    """A statistic: ``scale ((count + prior) / (total + weight) + shift)`` of each hash, in float32 as CatBoost has it.

    Attributes
    ----------
    counts : mapping of a hash to (count, total)
    none : (count, total)
        Of unknown labels.
    """

    statistic: Mapping[str, Any]
    counts: Mapping[str, tuple[float, float]]
    none: tuple[float, float]

    @staticmethod
    def of(statistic: Mapping[str, Any], tables: Mapping[str, Any]) -> _Table:
        table, kind, border = tables[statistic["identifier"]], statistic["ctr_type"], statistic["target_border_idx"]
        held, width = table["hash_map"], table["hash_stride"]
        rows = [(held[i], held[i + 1 : i + width]) for i in range(0, len(held), width)]
        n_all = float(table["counter_denominator"])

        def count(values: Sequence[float]) -> tuple[float, float]:
            if kind in ("Counter", "FeatureFreq"):
                return values[0], n_all
            if kind in ("BinarizedTargetMeanValue", "FloatTargetMeanValue"):
                return values[0], values[1]
            return (values[border] if kind == "Buckets" else sum(values[border + 1 :])), sum(values)

        none = (0.0, n_all if kind in ("Counter", "FeatureFreq") else 0.0)
        return _Table(statistic, {h: count(values) for h, values in rows if h != _EMPTY}, none)

    def value(self, label: str | None) -> np.float32:
        """The statistic of a hash; of one that it does not know, or None, that of unknown labels."""
        count, total = map(np.float32, self.none if label is None else self.counts.get(label, self.none))
        prior, weight = np.float32(self.statistic["prior_numerator"]), np.float32(self.statistic["prior_denomerator"])
        mean = (count + prior) / (total + weight)
        return np.float32((mean + np.float32(self.statistic["shift"])) * np.float32(self.statistic["scale"]))


@dataclass(frozen=True, eq=False)
class LabelCodes:
    """Rows in, float64 array out: numbers as they are, a code for each set of columns whose labels are asked about.

    Attributes
    ----------
    n_columns : int
        Of the rows; sets of several columns stand after them.
    places : mapping of an encoded column to its places
    patterns : mapping of an encoded column to bool (n_codes, n_questions)
    labels : frozenset of int
        Columns that hold labels.
    """

    model: Any
    n_columns: int
    labels: frozenset[int]
    places: dict[int, list[Place]] = field(default_factory=dict)
    patterns: dict[int, np.ndarray] = field(default_factory=dict)

    def __call__(self, rows: Any) -> np.ndarray:
        import pandas as pd

        frame = rows if hasattr(rows, "iloc") else pd.DataFrame(rows)
        numbers = np.zeros((len(frame), max(self.n_columns, *(1 + column for column in self.places))))
        for i in range(self.n_columns):
            if i not in self.labels:
                numbers[:, i] = np.asarray(frame.iloc[:, i], dtype=np.float64)
        leaves = np.asarray(self.model.calc_leaf_indexes(frame)).astype(np.int64)
        for column, places in self.places.items():
            answers = np.stack([leaves[:, place.tree] >> place.bit & 1 for place in places], axis=1).astype(bool)
            numbers[:, column] = self._codes(answers, self.patterns[column])
        return numbers

    @staticmethod
    def _codes(answers: np.ndarray, patterns: np.ndarray) -> np.ndarray:
        """The place of each row's answers among the patterns."""
        known = {pattern.tobytes(): float(code) for code, pattern in enumerate(patterns)}
        found, place = np.unique(answers, axis=0, return_inverse=True)
        codes = [known.get(pattern.tobytes()) for pattern in found]
        if None in codes:
            raise ValueError("CatBoost answers in another way than the tables say that it wrote down")
        return np.array(codes, dtype=np.float64)[place.ravel()]
