"""A cluster in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from neon.clusters.cluster import Cluster, told_by
from neon.clusters.columns import RawColumns
from neon.explanation.text import elide
from neon.explanation.typical import percent

__all__ = ["sentence"]

_PART, _MOST = 2 / 3, 3  # features are named until they have this part of the relevance above 0, at most so many
_PART_OF_RIVAL, _MOST_OF_RIVAL = 1 / 2, 2


def sentence(cluster: Cluster, rival: Cluster | None, columns: RawColumns) -> str:
    """Its size, what sets it apart, and its rival.

    "Cluster 2, 120 of 600 rows (20 %): spend 410 € against 120 € elsewhere and region 82 % 'urban' against 30 %
    elsewhere; closest to cluster 0 (85 % of its rows), from which visits (9 against 2) tell it apart."
    """
    name = cluster.name[:1].upper() + cluster.name[1:]
    size = f"{name}, {cluster.size:,} of {columns.n_rows:,} rows ({percent(cluster.share)})"
    elsewhere = columns.others(cluster.rows)
    features = told_by(cluster.relevance, _PART, _MOST)
    if rival is None:
        return f"{size}: {_apart(columns, features, cluster.rows, elsewhere)}."
    there = ~columns.others(rival.rows)
    told = told_by(cluster.from_rival, _PART_OF_RIVAL, _MOST_OF_RIVAL)
    # What is higher than the rival's and lower than elsewhere matters because of the rival: there alone it is told.
    mine = [feature for feature in features if not (feature in told and _turns(columns, feature, cluster.rows, there))]
    apart = f"{_apart(columns, mine, cluster.rows, elsewhere)}; " if mine or not len(told) else ""
    close = f"closest to {rival.name} ({percent(cluster.rival_share)} of its rows)"
    between = [f"{_name(columns, f)} ({columns.typical(f).against(cluster.rows, there, where='')})" for f in told]
    tell = f", from which {listed(between)} {'tells' if len(between) == 1 else 'tell'} it apart" if between else ""
    return f"{size}: {apart}{close}{tell}."


def _apart(columns: RawColumns, features: Any, rows: np.ndarray, others: np.ndarray) -> str:
    told = [columns.typical(feature) for feature in features]
    words = [one.against(rows, others) if others.any() else one.usual(rows) for one in told]
    found = [f"{_name(columns, feature)} {text}" for feature, text in zip(features, words, strict=True)]
    return listed(found) if found else "no feature sets it apart"


def _turns(columns: RawColumns, feature: int, rows: np.ndarray, there: np.ndarray) -> bool:
    """Whether a column differs from the rival in the other direction than from all rows elsewhere."""
    others = (columns.others(rows), there)
    one, other = (columns.compare(feature, rows, mask).direction.split(" ", 1) for mask in others)
    return one[0] != other[0] and one[1:] == other[1:]


def _name(columns: RawColumns, feature: int) -> str:
    return elide(columns.names[feature], 40)


def listed(parts: Sequence[str]) -> str:
    """Parts after each other: "a, b and c"."""
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))
