"""What says of a cluster of explanations that it may be an artifact."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

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
    effective_features : float
        On how many features their mean relevance is, ``1 / Σ s_i²`` with the shares ``s_i`` of its magnitude.
    score : float
        ``coherence / effective_features``: near 1 where all rows rest on one feature. An artifact is mostly the same
        few pixels, or the same column, in every row; objects differ.
    top_feature : str
        Where the mean has its largest magnitude; of images (y, x).
    output : str
        What most of its rows explain, if that is known.
    """

    rows: int
    share: float
    separation: float
    coherence: float
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
    magnitude = np.abs(values.mean(0))
    total = magnitude.sum()
    shares = magnitude / total if total > 0 else np.full(len(magnitude), 1 / len(magnitude))
    effective = float(1 / (shares**2).sum())
    coherence = float(cosines_to_mean(values).mean())
    outputs = [] if rows.outputs is None else Counter(rows.outputs[member].tolist()).most_common(1)
    return ClusterScores(
        rows=len(values),
        share=len(values) / len(member),
        separation=_separation(values, rows.values[~member]),
        coherence=coherence,
        effective_features=effective,
        score=coherence / effective,
        top_feature=rows.name_of(int(magnitude.argmax())),
        output=str(outputs[0][0]) if outputs else "",
    )


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
