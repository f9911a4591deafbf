"""New explanations from one, by linear changes: the equation that each sample adds up to holds again."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from neon.explanation.as_numbers import column_means
from neon.explanation.fields import labels_of
from neon.explanation.rows_like_arrays import SparseRows

if TYPE_CHECKING:
    from neon.explanation import Explanation

__all__ = [
    "SEVERAL_OUTPUTS",
    "averaged",
    "grouped",
    "magnitudes",
    "pick_features",
    "pick_output",
    "pick_rows",
    "positions",
    "summed",
    "totals",
]

OTHER_FEATURES = "other features"
SEVERAL_OUTPUTS = "several outputs"


def summed(explanation: Explanation, values: Any, dtype: Any = None) -> np.ndarray:
    """Values of the explanation, or others of its shape, added up over features, (n_samples[, n_outputs])."""
    found: np.ndarray = values.sum(axis=tuple(range(1, 1 + len(explanation.feature_shape))), dtype=dtype)
    return found


def totals(explanation: Explanation) -> np.ndarray:
    """``base + Σ values + Σ residuals``, in double precision: what predictions are, but for rounding."""
    relevance = summed(explanation, explanation.values, np.float64)
    with np.errstate(invalid="ignore"):  # of infinite predictions
        found: np.ndarray = explanation.base_values + relevance + sum(explanation.residuals.values())
    return found


def magnitudes(explanation: Explanation) -> Explanation:
    """Magnitudes, which add up to a prediction of their own."""
    values = np.abs(explanation.values)
    total = summed(explanation, values)
    return replace(
        explanation,
        values=values,
        base_values=np.zeros_like(total),
        prediction=total,
        residuals={},
        explains=f"summed magnitude of the relevance for: {explanation.explains}",
        base_in_words="zero: magnitudes are summed",
        encoded=None,
        interactions=None,
    )


def pick_rows(explanation: Explanation, rows: slice | np.ndarray) -> Explanation:
    """Some samples, by a slice, a mask or positions (n_picked,)."""
    pick = operator.itemgetter(rows)
    return replace(
        explanation,
        **_each(explanation, pick),
        data=explanation.data[rows],
        target=_given(explanation.target, pick),
        encoded=_given(explanation.encoded, lambda encoded: pick_rows(encoded, rows)),
        imputed=_given(explanation.imputed, pick),
        texts=_given(explanation.texts, pick),
        index=pick(labels_of(explanation)),
    )


def pick_features(explanation: Explanation, features: Any) -> Explanation:
    """Some features; the others add up in a residual."""
    names = _columns(explanation)
    keep = positions(features, names)
    if len(set(keep)) < len(keep):
        raise ValueError("a feature is picked twice; its relevance would count twice")
    drop = np.setdiff1d(np.arange(len(names)), keep)
    residuals = dict(explanation.residuals)
    if drop.size:
        residuals[OTHER_FEATURES] = explanation.values[:, drop].sum(axis=1) + residuals.get(OTHER_FEATURES, 0.0)
    return replace(
        explanation,
        values=explanation.values[:, keep],
        data=explanation.data[:, keep],
        feature_names=tuple(names[position] for position in keep),
        feature_units=_of_names(explanation.feature_units, {names[position] for position in keep}),
        residuals=residuals,
        encoded=None,
        imputed=_given(explanation.imputed, lambda imputed: imputed[:, keep]),
        texts=None,
        # What is kept would no longer add up to its relevance.
        interactions=None if drop.size else _on_each_axis(explanation, lambda array, axis: array.take(keep, axis)),
    )


def pick_output(explanation: Explanation, output: str | int) -> Explanation:
    """One of all outputs."""
    if explanation.target is not None:
        raise ValueError("each sample explains one output already; rows are picked by explanation[mask]")
    names = explanation.output_names
    index = (names.index(output) if output in names else None) if isinstance(output, str) else operator.index(output)
    if index is None or not -len(names) <= index < len(names):
        raise ValueError(f"no output {output!r}; expected an index below {len(names)} or one of {list(names)}")
    return replace(
        explanation,
        **_each(explanation, lambda array: array[..., index]),
        target=np.full(len(explanation), index % len(names)),
        encoded=_given(explanation.encoded, lambda encoded: pick_output(encoded, output)),
    )


def averaged(explanation: Explanation) -> Explanation:
    """The mean of the samples, as one row."""
    if not len(explanation):
        raise ValueError("no samples to average")
    target, names = explanation.target, explanation.output_names
    if target is not None and (target != target[0]).any():
        target, names = np.zeros_like(target), (SEVERAL_OUTPUTS,)
    return replace(
        explanation,
        **_each(explanation, lambda array: array.mean(axis=0, keepdims=True, dtype=np.float64)),
        data=_column_means(explanation.data),
        target=_given(target, lambda target: target[:1]),
        output_names=names,
        encoded=None,
        imputed=None,
        texts=None,
        index=None,
    )


def grouped(explanation: Explanation, groups: Mapping[str, Iterable[str | int]]) -> Explanation:
    """Features of a group added up."""
    names, added = _group_positions(groups, _columns(explanation))
    data = explanation.data[:, [members[0] for members in added]]
    merged = [column for column, members in enumerate(added) if len(members) > 1]
    if merged:
        data = data.astype(object)
        data[:, merged] = ""

    def total(array: Any, axis: int) -> Any:
        if isinstance(array, SparseRows):
            return SparseRows(array.matrix @ _membership(added, array.shape[1]))
        return np.stack([array.take(members, axis).sum(axis=axis) for members in added], axis=axis)

    return replace(
        explanation,
        values=total(explanation.values, 1),
        data=data,
        feature_names=names,
        feature_units=_of_names(explanation.feature_units, set(names) - set(groups)),
        encoded=None,
        imputed=None,
        texts=None,
        interactions=_on_each_axis(explanation, total),
    )


def _membership(added: list[list[int]], n_features: int) -> sparse.csr_matrix:
    """1 where a feature, a row, is in a group, a column."""
    groups = np.repeat(np.arange(len(added)), [len(members) for members in added])
    features = np.concatenate([np.array(members, dtype=int) for members in added])
    return sparse.csr_matrix((np.ones(len(features)), (features, groups)), (n_features, len(added)))


def _column_means(data: Any) -> np.ndarray:
    if isinstance(data, SparseRows) and np.isfinite(data.matrix.data).all():
        return np.asarray(data.mean(axis=0, keepdims=True))
    return column_means(np.asarray(data))


def positions(features: Any, names: tuple[str, ...]) -> np.ndarray:
    """Positions of features, from a name, position, slice or mask, or a sequence of names and positions.

    Raises
    ------
    ValueError
        If there is no such feature, or several have the name.
    """
    everything = np.arange(len(names))
    if isinstance(features, slice):
        return everything[features]
    features = [features] if isinstance(features, str | int | np.integer) else list(features)
    if np.asarray(features).dtype == bool:
        return everything[np.asarray(features)]
    return np.array([_position(feature, names) for feature in features], dtype=int)


def _position(feature: str | int, names: tuple[str, ...]) -> int:
    if isinstance(feature, str):
        if names.count(feature) == 1:
            return names.index(feature)
        problem = "several features are" if feature in names else "no feature is"
        raise ValueError(f"{problem} called {feature!r}; expected one of {list(names)}, or a position")
    if not -len(names) <= operator.index(feature) < len(names):
        raise ValueError(f"no feature {feature}; expected a position below {len(names)}, or a name")
    return operator.index(feature) % len(names)


def _group_positions(
    groups: Mapping[str, Iterable[str | int]], names: tuple[str, ...]
) -> tuple[tuple[str, ...], list[list[int]]]:
    """Names and positions of groups, each in the place of its first feature, and of the features in none."""
    group_of: dict[int, str] = {}
    for name, members in groups.items():
        found = positions(members, names).tolist()
        if not found:
            raise ValueError(f"group {name!r} is empty")
        for position in found:
            if position in group_of:
                first = group_of[position]
                raise ValueError(f"feature {names[position]!r} is picked twice: by {first!r} and {name!r}")
            group_of[position] = str(name)
    columns: dict[int | str, list[int]] = {}  # by position of the feature, or name of the group
    for position in range(len(names)):
        columns.setdefault(group_of.get(position, position), []).append(position)
    clash = set(group_of.values()) & {names[key] for key in columns if isinstance(key, int)}
    if clash:
        raise ValueError(f"group has the name of a feature outside it: {sorted(clash)}")
    return tuple(key if isinstance(key, str) else names[key] for key in columns), list(columns.values())


def _each(explanation: Explanation, change: Callable[[Any], Any]) -> dict[str, Any]:
    """Change the parts of the equation alike: a linear change keeps it true."""
    return {
        "values": change(explanation.values),
        "base_values": change(explanation.base_values),
        "prediction": change(explanation.prediction),
        "residuals": {name: change(part) for name, part in explanation.residuals.items()},
        "interactions": _given(explanation.interactions, change),
    }


def _on_each_axis(explanation: Explanation, change: Callable[[np.ndarray, int], np.ndarray]) -> np.ndarray | None:
    """Interactions with every axis of features changed."""
    found = explanation.interactions
    if found is not None:
        for axis in range(1, found.ndim - (explanation.target is None)):
            found = change(found, axis)
    return found


def _columns(explanation: Explanation) -> tuple[str, ...]:
    """Names of the features, where each is a column of a table."""
    if len(explanation.feature_shape) > 1:
        raise ValueError(f"features of shape {explanation.feature_shape} cannot be picked or grouped")
    return explanation.feature_names


def _of_names(units: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    """The units of the features that have these names."""
    return {name: unit for name, unit in units.items() if name in names}


def _given(value: Any, change: Callable[[Any], Any]) -> Any:
    """``change(value)``; None stays None."""
    return None if value is None else change(value)
