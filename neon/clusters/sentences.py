"""A cluster in one sentence."""

from __future__ import annotations

from collections.abc import Sequence

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
    apart = _compared(columns, told_by(cluster.relevance, _PART, _MOST), cluster.rows, columns.others(cluster.rows))
    what = listed(apart) if apart else "no feature sets it apart"
    if rival is None:
        return f"{size}: {what}."
    close = f"closest to {rival.name} ({percent(cluster.rival_share)} of its rows)"
    mask = ~columns.others(rival.rows)
    between = _compared(
        columns, told_by(cluster.from_rival, _PART_OF_RIVAL, _MOST_OF_RIVAL), cluster.rows, mask, where=""
    )
    told = f", from which {listed(between)} {'tells' if len(between) == 1 else 'tell'} it apart" if between else ""
    return f"{size}: {what}; {close}{told}."


def _compared(
    columns: RawColumns, features: np.ndarray, rows: np.ndarray, others: np.ndarray, where: str = "elsewhere"
) -> list[str]:
    words = [columns.typical(feature).against(rows, others, where=where) for feature in features]
    names = [elide(columns.names[feature], 40) for feature in features]
    return [f"{name} {text}" if where else f"{name} ({text})" for name, text in zip(names, words, strict=True)]


def listed(parts: Sequence[str]) -> str:
    """Parts after each other: "a, b and c"."""
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))
