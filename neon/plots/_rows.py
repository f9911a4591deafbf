"""Which samples are drawn: of one output, in groups, or some of very many."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from neon.explanation import Explanation
from neon.explanation.algebra import pick_output, positions
from neon.explanation.as_numbers import as_numbers, date_at, in_words, is_date
from neon.explanation.picking import row_position
from neon.explanation.rows_like_arrays import SparseRows

__all__ = ["By", "Group", "groups_of", "of_output", "sample_of", "sampled", "table_of", "targets_of"]

By = str | Sequence[Any] | np.ndarray | None
FEW = 8  # different values of a column, up to which each is a group of its own
QUARTERS = 4


@dataclass(frozen=True)
class Group:
    """Samples that are drawn apart from the others.

    Parameters
    ----------
    name : str
    values : ndarray or sparse rows of shape (n_rows, n_features)
        Their relevance.
    rows : ndarray of int of shape (n_rows,)
        Where they are in the explanation.
    """

    name: str
    values: np.ndarray | SparseRows
    rows: np.ndarray


def table_of(explanation: Explanation, output: str | int | None = None) -> Explanation:
    """The explanation, if it can be drawn feature by feature and output by output: of one output, no images, some rows.

    `output` picks one.
    """
    explanation = _table(explanation, output)
    targets_of(explanation)
    return explanation


def targets_of(explanation: Explanation) -> np.ndarray:
    """Return which output each sample explains; raise if it explains all of them."""
    if explanation.target is None:
        first = (explanation.output_names or (0,))[0]
        raise ValueError(f"select an output first: output={first!r}, or explanation.select({first!r})")
    return explanation.target


def of_output(explanation: Explanation, output: str | int | None) -> Explanation:
    """One output of all, or the samples that explain it; None: as it is."""
    if output is None:
        return explanation
    if explanation.target is None:
        return pick_output(explanation, output)
    names = explanation.output_names
    place = names.index(output) if output in names else output
    if isinstance(place, str) or not -len(names) <= place < len(names):
        raise ValueError(f"no output {output!r}; expected an index below {len(names)} or one of {list(names)}")
    rows = np.flatnonzero(explanation.target == place % len(names))
    if not len(rows):
        raise ValueError(f"no sample explains output {output!r}; explain with target={output!r}")
    return explanation if len(rows) == len(explanation) else explanation[rows]


def groups_of(explanation: Explanation, by: By, output: str | int | None = None) -> tuple[Explanation, list[Group]]:
    """The table that is drawn, and its groups: of one output each, or as `by` says; a single one where nothing differs.

    Of an explanation of all outputs, the groups by "target" are all samples each, with their relevance for an output.
    """
    explanation = _table(explanation, output)
    names = explanation.output_names
    everyone = np.arange(len(explanation))
    if explanation.target is None:
        if not (isinstance(by, str) and by == "target"):
            targets_of(explanation)
        return explanation, [Group(name, explanation.values[..., k], everyone) for k, name in enumerate(names)]
    if by is None:
        return explanation, [Group("", explanation.values, everyone)]
    if isinstance(by, str) and by == "target":
        codes, labels = explanation.target, list(names)
    else:
        codes, labels = _codes(_column(explanation, by))
    found = []
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        values = explanation.values if len(rows) == len(codes) else explanation.values[rows]
        found.append(Group(labels[code], values, rows))
    return explanation, found


def sample_of(explanation: Explanation, row: Hashable, output: str | int | None = None) -> Explanation:
    """A single sample, by its position or label, and one output of it.

    Raises
    ------
    IndexError, KeyError
        If there is no such row.
    ValueError
        If it explains another output.
    """
    if not isinstance(explanation, Explanation):
        raise TypeError(f"expected a neon.Explanation, got {type(explanation).__name__}")
    if 0 in explanation.values.shape:
        raise ValueError(f"nothing to draw: values have shape {explanation.values.shape}")
    sample = of_output(explanation[row_position(explanation, row)], output)
    targets_of(sample)
    return sample


def sampled(count: int, most: int) -> tuple[np.ndarray, str]:
    """Positions of the samples that are drawn of `count`, in their order, and words for how many are not."""
    if count <= most:
        return np.arange(count), ""
    drawn = np.random.default_rng(0).choice(count, most, replace=False)  # the same at every call
    return np.sort(drawn), f"{most:,} of them drawn, at random"


def _table(explanation: Explanation, output: str | int | None) -> Explanation:
    if not isinstance(explanation, Explanation):
        raise TypeError(f"expected a neon.Explanation, got {type(explanation).__name__}")
    if len(explanation.feature_shape) > 1:
        raise ValueError(f"no plot for features of shape {explanation.feature_shape} but plot.heatmap(row)")
    if 0 in explanation.values.shape:
        raise ValueError(f"nothing to draw: values have shape {explanation.values.shape}")
    return of_output(explanation, output)


def _column(explanation: Explanation, by: Any) -> np.ndarray:
    """The values that group the samples, (n_samples,)."""
    if isinstance(by, str):
        return np.asarray(explanation.data[:, positions(by, explanation.feature_names)[0]])
    column = np.asarray(by)
    if column.shape != (len(explanation),):
        wanted = "'target', the name of a feature, or one value for each of the"
        raise ValueError(f"by: expected {wanted} {len(explanation)} samples, got shape {column.shape}")
    return column


def _codes(column: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Which group each value belongs to, and the groups' names: values, or quarters of many numbers or dates."""
    numbers = as_numbers(column)
    missing = np.array([value is None or value != value for value in column.tolist()], dtype=bool)
    known = column[~missing]
    is_number = np.isfinite(numbers[~missing]).all()
    values = np.unique(numbers[~missing]) if is_number else np.array(sorted({str(value) for value in known}))
    codes = np.full(len(column), len(values))
    if is_number and len(values) > FEW:
        values = np.unique(np.quantile(numbers[~missing], np.linspace(0, 1, QUARTERS + 1)))
        dates = any(map(is_date, known[:1]))
        ends = [in_words(date_at(end)).split(" ")[0] if dates else f"{end:.3g}" for end in values]
        labels = [f"{low} to {high}".replace("-", "−" if not dates else "-") for low, high in pairwise(ends)]
        codes[~missing] = np.clip(np.searchsorted(values, numbers[~missing], side="left") - 1, 0, len(labels) - 1)
    else:
        found = numbers[~missing] if is_number else np.array([str(value) for value in known])
        codes[~missing] = np.searchsorted(values, found)
        labels = [_name_of(known[found == value][0]) for value in values]
    codes[missing] = len(labels)
    return codes, [*labels, "missing"]


def _name_of(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if is_date(value):
        return in_words(value)
    return value if isinstance(value, str) else f"{value:.4g}".replace("-", "−")
