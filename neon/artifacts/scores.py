"""What says of a cluster of explanations that it may be an artifact."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import numpy as np

from neon.artifacts.relevance_rows import RelevanceRows

__all__ = ["ClusterScores", "cosines_to_mean", "scored"]


class ClusterScores(NamedTuple):
    """A cluster of explanations in numbers.

    Attributes
    ----------
    rows : int
    share : float
        Of all rows.
    separation : float
        Fisher's criterion between its rows and all others, along the difference of their means: ``(m - m')² / s²``, s²
        the mean of the variances, by rows. NaN where there is one cluster.
    coherence : float
        The mean cosine of its rows to their mean: 1 where all are explained alike.
    distinct : float
        The share of its mean relevance, in magnitude, that it has in excess of the mean of all others, feature by
        feature: ``Σ e_i / Σ |m_i|``, ``e_i = max(|m_i| - |m'_i|, 0)``.
    effective_features : float
        On how many features that excess is, ``1 / Σ s_i²`` with the shares ``s_i = e_i / Σ e_i``.
    score : float
        ``coherence · distinct / effective_features``: near 1 where all of its rows, and no others, rest on one feature.
        An artifact is mostly the same few pixels, or the same column, in every row; objects differ.
    top_feature : str
        Where the excess is largest; of images (y, x).
    output : str
        What most of its rows explain, if that is known.
    """

    rows: int
    share: float
    separation: float
    coherence: float
    distinct: float
    effective_features: float
    score: float
    top_feature: str
    output: str


def scored(rows: RelevanceRows, found: np.ndarray) -> tuple[np.ndarray, tuple[ClusterScores, ...]]:
    """Labels (n_rows,) numbered by score, highest first, and the scores of each cluster."""
    clusters = np.unique(found)
    scores = [_scores(rows, found == cluster) for cluster in clusters]
    order = sorted(range(len(clusters)), key=lambda i: -scores[i].score)
    labels = np.empty(len(found), dtype=np.int64)
    for place, i in enumerate(order):
        labels[found == clusters[i]] = place
    return labels, tuple(scores[i] for i in order)


def _scores(rows: RelevanceRows, member: np.ndarray) -> ClusterScores:
    values = rows.values[member]
    outside = rows.values[~member]
    magnitude = np.abs(values.mean(0))
    excess = np.maximum(magnitude - np.abs(outside.mean(0)), 0.0) if len(outside) else magnitude
    distinct = float(_ratio(excess.sum(), magnitude.sum()))
    concentration = float((_ratio(excess, excess.sum()) ** 2).sum())
    coherence = float(cosines_to_mean(values).mean())
    outputs = [] if rows.outputs is None else Counter(rows.outputs[member].tolist()).most_common(1)
    return ClusterScores(
        rows=len(values),
        share=len(values) / len(member),
        separation=_separation(values, outside),
        coherence=coherence,
        distinct=distinct,
        effective_features=float(_ratio(1.0, concentration)),
        score=coherence * distinct * concentration,
        top_feature=rows.name_of(int(excess.argmax())),
        output=str(outputs[0][0]) if outputs else "",
    )


def _ratio(part: Any, whole: Any) -> np.ndarray:
    """``part / whole``, and 0 where the whole is 0."""
    return np.asarray(part / whole if whole > 0 else np.zeros_like(part))


def _separation(inside: np.ndarray, outside: np.ndarray) -> float:
    if not len(outside):
        return float("nan")
    apart = inside.mean(0) - outside.mean(0)
    variances = [(part @ apart).var() for part in (inside, outside)]
    within = np.average(variances, weights=[len(inside), len(outside)])
    between = float(apart @ apart) ** 2
    return between / float(within) if within > 0 else float("inf") if between > 0 else 0.0


def cosines_to_mean(values: np.ndarray) -> np.ndarray:
    """The cosine of each row to the mean of all, (n_rows,); 0 where either is 0."""
    mean = values.mean(0)
    lengths = np.linalg.norm(values, axis=1) * np.linalg.norm(mean)
    return np.divide(values @ mean, lengths, out=np.zeros(len(values)), where=lengths > 0)
