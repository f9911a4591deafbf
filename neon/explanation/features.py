"""Features as callers name them: by name, position, slice or mask, and in groups."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

__all__ = ["group_positions", "positions"]


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


def group_positions(
    groups: Mapping[str, Iterable[str | int]], names: tuple[str, ...]
) -> tuple[tuple[str, ...], list[list[int]]]:
    """Names and positions of groups, each in the place of its first feature, and of the features in none.

    Raises
    ------
    ValueError
        If a feature is unknown or picked twice, or a group is empty or has the name of another feature.
    """
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
