"""One cluster: its rows, what sets it apart, its rival."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from neon._visible import visible
from neon.clusters.evidence import ClusterEvidence
from neon.explanation import Explanation

__all__ = ["MOST_SEEN", "Cluster", "clusters_of", "evenly", "told_by"]

MOST_SEEN = 1000  # members of a cluster that are asked what separates it from another


@dataclass(frozen=True, eq=False, repr=False)
class Cluster:
    """What makes the rows of a cluster belong to it.

    Attributes
    ----------
    label : object
        As the model or the caller has it.
    name : str
        "cluster 2".
    rows : ndarray of int (size,)
        Positions of its members.
    share : float
        Of all rows.
    relevance : ndarray (n_features,)
        Mean over the members: above 0 for features that set them apart from the nearest other cluster.
    spread : ndarray (n_features,)
        Standard deviation of the members' relevance.
    rival : object
        The label of the cluster that most members are closest to otherwise; None where it is the only one with rows.
    rival_share : float
        Which share of the members that is.
    from_rival : ndarray (n_features,)
        Mean relevance, over the members, of the evidence against the rival: what separates the two.
    typical : tuple
        Labels of the rows whose relevance is nearest to the cluster's mean, the nearest first: members for the usual
        reasons.
    borderline : tuple
        Labels of the rows with the least evidence, the least first; below 0 they look like another cluster's.
    sentence : str
        The cluster in plain words.
    """

    label: Any
    name: str
    rows: np.ndarray
    share: float
    relevance: np.ndarray
    spread: np.ndarray
    rival: Any
    rival_share: float
    from_rival: np.ndarray
    typical: tuple[Any, ...]
    borderline: tuple[Any, ...]
    sentence: str = ""

    @property
    def size(self) -> int:
        """How many rows it has."""
        return len(self.rows)

    def __repr__(self) -> str:
        return visible(f"<Cluster: {self.sentence}>")


def clusters_of(
    explanation: Explanation,
    membership: np.ndarray,
    rivals: np.ndarray,
    evidence: ClusterEvidence,
    n_members: int,
) -> tuple[Cluster, ...]:
    """Every cluster that has rows, without its sentence.

    Parameters
    ----------
    explanation : Explanation
        Of all rows.
    membership, rivals : ndarray of int (n_rows,)
        Each row's cluster and the one that it is closest to otherwise: outputs; -1 for none.
    evidence : ClusterEvidence
    n_members : int
        Typical and borderline rows to name.
    """
    labels = np.arange(len(explanation)) if explanation.index is None else explanation.index
    return tuple(
        _cluster(explanation, np.flatnonzero(membership == output), output, rivals, evidence, labels, n_members)
        for output in np.unique(membership[membership >= 0])
    )


def _cluster(
    explanation: Explanation,
    rows: np.ndarray,
    output: int,
    rivals: np.ndarray,
    evidence: ClusterEvidence,
    labels: np.ndarray,
    n_members: int,
) -> Cluster:
    values = np.asarray(explanation.values[rows])
    relevance = values.mean(0)
    votes = np.bincount(rivals[rows], minlength=len(evidence.classes))
    rival = int(votes.argmax())
    some = evenly(rows, MOST_SEEN)
    usual = np.argsort(((values - relevance) ** 2).sum(1), kind="stable")
    doubtful = np.argsort(explanation.prediction[rows], kind="stable")
    return Cluster(
        label=_plain(evidence.classes[output]),
        name=explanation.output_names[output],
        rows=rows,
        share=len(rows) / len(explanation),
        relevance=relevance,
        spread=values.std(0),
        rival=_plain(evidence.classes[rival]),
        rival_share=float(votes[rival] / len(rows)),
        from_rival=np.asarray(evidence.against(some, np.full(len(some), rival)).values.mean(0)),
        typical=tuple(map(_plain, labels[rows[usual[:n_members]]])),
        borderline=tuple(map(_plain, labels[rows[doubtful[:n_members]]])),
    )


def evenly(rows: np.ndarray, most: int) -> np.ndarray:
    """At most so many of some positions, evenly spaced."""
    return rows[:: -(-len(rows) // most)]


def _plain(label: Any) -> Any:
    return label.item() if isinstance(label, np.generic) else label


def told_by(relevance: np.ndarray, part: float, most: int) -> np.ndarray:
    """Positions of the features with most relevance: as few as have this part of what is above 0, at most so many."""
    order = np.argsort(-relevance, kind="stable")
    positive = np.maximum(relevance[order], 0.0)
    if not positive.any():
        return order[:0]
    enough = int(np.searchsorted(np.cumsum(positive), part * positive.sum())) + 1
    return order[: min(enough, most, int(np.count_nonzero(positive)))]
