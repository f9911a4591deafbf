"""What explaining clusters returns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from neon._visible import visible
from neon.clusters.cluster import MOST_SEEN, Cluster, evenly
from neon.clusters.columns import RawColumns
from neon.clusters.evidence import ClusterEvidence
from neon.explainer import Explainer
from neon.explanation import Explanation

if TYPE_CHECKING:
    import pandas

    from neon.clusters.plots import ClusterPlots

__all__ = ["ClusterExplanation"]


@dataclass(frozen=True, eq=False, repr=False)
class ClusterExplanation:
    """The clusters of a data set, and what makes them what they are.

    `found[label]` is one cluster, `len(found)` how many have rows, and iterating goes through them.

    Attributes
    ----------
    explanation : Explanation
        Of all rows, each for its own cluster; rows that are in none for the cluster with most evidence.
    clusters : tuple of Cluster
        Those that have rows, in the order of their labels.
    agreement : float
        The share of the rows that are in a cluster whose own cluster has most evidence: how far the explained function
        is the clustering. 1 for models that predict by it. Of labels, and of clusterings known by their rows, by the
        other rows alone: each row is left out itself, or, where some were drawn to stand for all, those are not asked.
    """

    explanation: Explanation
    clusters: tuple[Cluster, ...]
    _evidence: ClusterEvidence
    agreement: float
    columns: RawColumns

    @property
    def explainer(self) -> Explainer:
        """Explains other rows: ``found.explainer(X_new)``."""
        return self._evidence.explainer

    @property
    def explains(self) -> str:
        """What is explained, in words, with what was done to labels and rows."""
        return self.explanation.explains

    def __len__(self) -> int:
        return len(self.clusters)

    def __iter__(self) -> Iterator[Cluster]:
        return iter(self.clusters)

    def __getitem__(self, label: Any) -> Cluster:
        """One cluster, by its label or its name.

        Raises
        ------
        KeyError
            If no cluster with rows is called so.
        """
        for cluster in self.clusters:
            if label in (cluster.label, cluster.name):
                return cluster
        raise KeyError(f"no cluster {label!r} with rows; there are {[cluster.label for cluster in self.clusters]}")

    def to_frame(self) -> pandas.DataFrame:
        """One row a cluster and feature, most relevant first.

        Columns: cluster; feature; relevance, the mean over the members; relevance_spread, its standard deviation;
        inside and elsewhere, what is usual among the members and all other rows, in raw units ("410 ± 90 €");
        direction ("higher", "more 'urban'"); words ("410 € against 120 €"); value, value_elsewhere, the medians
        (dates: days since 1970), or the shares of the category that direction names; low, high, the ends of the middle
        68 % of the members; rival; relevance_to_rival, the mean over the members of
        `separation` from it.
        """
        import pandas as pd

        rows = []
        for cluster in self.clusters:
            others = self.columns.others(cluster.rows)
            for feature in np.argsort(-cluster.relevance, kind="stable"):
                compared = self.columns.compare(feature, cluster.rows, others)
                rows.append(
                    {
                        "cluster": cluster.label,
                        "feature": self.columns.names[feature],
                        "relevance": cluster.relevance[feature],
                        "relevance_spread": cluster.spread[feature],
                        **{name: getattr(compared, name) for name in ("inside", "elsewhere", "direction", "words")},
                        **{name: getattr(compared, name) for name in ("value", "value_elsewhere", "low", "high")},
                        "rival": cluster.rival,
                        "relevance_to_rival": cluster.from_rival[feature],
                    }
                )
        return pd.DataFrame(rows)

    def summary(self) -> pandas.DataFrame:
        """One row a cluster: size, share, rival, rival_share, typical and borderline members, the sentence."""
        import pandas as pd

        names = ("size", "share", "rival", "rival_share", "typical", "borderline", "sentence")
        rows = [[getattr(cluster, name) for name in names] for cluster in self.clusters]
        index = pd.Index([cluster.label for cluster in self.clusters], name="cluster")
        return pd.DataFrame(rows, index=index, columns=list(names))

    def separation(self, a: Any, b: Any) -> Explanation:
        """What separates two clusters: why the rows of either are not the other's.

        Of each row of a, the evidence against b (what it is explained by with b as target, with the sign turned), and
        the other way round: how much closer it is to its own cluster than to the other, in the units of the evidence,
        where its own is the nearest. At most 1,000 members of each, evenly spaced. Where no composite was named, by the
        published one-pass rule, which is relative to the middle between the two clusters.

        Parameters
        ----------
        a, b : int or str
            Labels or names of clusters.

        Returns
        -------
        Explanation
            Of two outputs, "a rather than b" and "b rather than a"; for all plots and tables.
        """
        one, other = self[a], self[b]
        if one is other:
            raise ValueError(f"expected two different clusters, got {a!r} and {b!r}")
        groups = [evenly(cluster.rows, MOST_SEEN) for cluster in (one, other)]
        sides = np.repeat([0, 1], [len(group) for group in groups])
        rows = np.concatenate(groups)
        names = self.explanation.output_names
        found = self._evidence.against(rows, np.array([names.index(other.name), names.index(one.name)])[sides])
        index = self.explanation.index
        return replace(
            found,
            output_names=(f"{one.name} rather than {other.name}", f"{other.name} rather than {one.name}"),
            target=sides,
            index=rows if index is None else index[rows],
        )

    @property
    def plot(self) -> ClusterPlots:
        """Plots: .matrix(), .separation(a, b), .clusters()."""
        from neon.clusters.plots import ClusterPlots

        return ClusterPlots(self)

    def __repr__(self) -> str:
        plural = "s" * (len(self) != 1)
        lines = [f"{len(self)} cluster{plural} of {len(self.explanation):,} rows · {self.explains}"]
        return visible("\n".join([*lines, *(f"- {cluster.sentence}" for cluster in self.clusters)]))

    def _repr_html_(self) -> str:
        from neon.clusters.html import cards

        return cards(self)
