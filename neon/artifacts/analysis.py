"""``spray(explanations)``: which strategies a model has, found by clustering what its predictions rest on."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.cluster import KMeans
from sklearn.manifold import TSNE

from neon.artifacts.relevance_rows import RelevanceRows
from neon.artifacts.scores import ClusterScores, cosines_to_mean, scored
from neon.artifacts.spectrum import eigengap, spectrum

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

__all__ = ["Spray", "spray"]

_NEIGHBORS = 15  # `benchmarks/artifacts.py`: with fewer, clusters fall to pieces


@dataclass(frozen=True, eq=False, repr=False)
class Spray:
    """Clusters of explanations, those that look most like artifacts first.

    Attributes
    ----------
    labels : ndarray of int (n_rows,)
        The cluster of each row; cluster 0 has the highest score.
    eigenvalues : ndarray
        The smallest of the graph's Laplacian: a gap behind the k-th speaks for k clusters.
    coordinates : ndarray (n_rows, n_eigenvalues)
        The spectral embedding: each row in the eigenvectors.
    prototypes : tuple of ndarray of int
        For each cluster the rows that are most typical of it, by the cosine to its mean, most typical first.
    scores : tuple of ClusterScores
        What `summary` shows.
    relevance : RelevanceRows
        The normalized relevance that was clustered.
    embed_by, seed
        How `embedding` is computed.
    """

    labels: np.ndarray
    eigenvalues: np.ndarray
    coordinates: np.ndarray
    prototypes: tuple[np.ndarray, ...]
    scores: tuple[ClusterScores, ...]
    relevance: RelevanceRows
    embed_by: Any = "tsne"
    seed: int = 0

    @property
    def n_clusters(self) -> int:
        """How many clusters there are."""
        return len(self.scores)

    @functools.cached_property
    def embedding(self) -> np.ndarray:
        """Each row as a point, (n_rows, 2): by t-SNE, spectral, or as was asked for; computed when it is looked at."""
        if isinstance(self.embed_by, str) and self.embed_by == "spectral":
            points = self.coordinates[:, 1:3]
            return points if points.shape[1] == 2 else np.column_stack([points, np.zeros(len(points))])
        if isinstance(self.embed_by, str) and self.relevance.alike:
            return np.zeros((len(self.relevance), 2))
        if isinstance(self.embed_by, str):
            perplexity = min(30.0, (len(self.relevance) - 1) / 3)
            made: Any = TSNE(2, perplexity=perplexity, init="pca", random_state=self.seed)
        else:
            made = self.embed_by
        return np.asarray(made.fit_transform(self.relevance.values))

    def rows(self, cluster: int) -> np.ndarray:
        """The positions of a cluster's rows."""
        if not 0 <= cluster < self.n_clusters:
            raise ValueError(f"no cluster {cluster}; there are {self.n_clusters}, from 0")
        return np.flatnonzero(self.labels == cluster)

    def mean(self, cluster: int) -> np.ndarray:
        """The mean normalized relevance of a cluster's rows, (n_features,) or (height, width)."""
        mean: np.ndarray = self.relevance.values[self.rows(cluster)].mean(0)
        return mean.reshape(self.relevance.shape)

    @property
    def summary(self) -> pandas.DataFrame:
        """One row a cluster, the highest score first; `neon.artifacts.ClusterScores` says what the columns are."""
        import pandas as pd

        frame = pd.DataFrame([scores._asdict() for scores in self.scores])
        return frame.rename_axis(index="cluster")

    def plot(self, *, max_clusters: int = 5) -> Figure:
        """Draw the embedding, the eigenvalues, and the mean relevance of the clusters with the highest scores."""
        from neon.artifacts.drawing import panels

        return panels(self, max_clusters)

    def __repr__(self) -> str:
        frame = self.summary.to_string(float_format="{:.3g}".format)
        return f"<Spray: {self.n_clusters} clusters of {len(self.labels):,} explanations>\n{frame}"

    def _repr_html_(self) -> str:
        return self.summary.to_html(float_format="{:.3g}".format)


def spray(
    explanations: Any,
    *,
    n_clusters: int | None = None,
    shape: tuple[int, ...] | None = None,
    pool: int = 1,
    normalize: str | None = "l1",
    n_neighbors: int | None = None,
    embedding: Any = "tsne",
    max_clusters: int = 10,
    n_prototypes: int = 5,
    seed: int = 0,
) -> Spray:
    """Spectral relevance analysis: cluster explanations, and look for a cluster that rests on an artifact.

    A model that is right for the wrong reason (Clever Hans) explains some of its rows by something that they should not
    be told by: a watermark, a leaking column. Such rows are explained alike, and unlike the others. Lapuschkin et al.
    2019, Unmasking Clever Hans Predictors; Anders et al. 2022, Finding and Removing Clever Hans.

    Relevance of each row is normalized; rows are joined with their nearest neighbours; the eigenvectors of this graph's
    Laplacian, clustered by k-means, give the clusters (spectral clustering). Whether a cluster is an artifact, no score
    knows: look at its prototypes.

    Parameters
    ----------
    explanations : Explanation, or array or Tensor (n_rows, ...)
        Of one class at a time: rows of several classes cluster by their class. Tables (n_rows, n_features), whose
        columns ``explanation.group`` adds up where they belong together, or images (n_rows, [channels,] height, width),
        whose channels are added up.
    n_clusters : int, optional
        Default: where the largest gap between two eigenvalues is, from 2 to ``max_clusters``; 1 where all rows are
        explained alike.
    shape : tuple of int, optional
        Shape of an image whose pixels are the features, such as (8, 8).
    pool : int
        Images: the side of squares of pixels whose relevance is added up, so that a small shift does not matter.
    normalize : "l1", "l2", "max" or None
        What each row's relevance is divided by: by default the sum of its magnitudes, so that rows are compared by
        where their relevance is and not by how much it is.
    n_neighbors : int, optional
        Default: 15, or a quarter of the rows where these are fewer.
    embedding : "tsne", "spectral" or an object with ``fit_transform``, such as ``umap.UMAP()``
        What places rows in the plot; clusters do not depend on it.
    max_clusters, n_prototypes : int
    seed : int
        Of k-means and t-SNE.

    Returns
    -------
    Spray

    Raises
    ------
    ValueError
        If there are fewer than three rows, relevance is not finite or of all outputs, or an option does not fit.

    Examples
    --------
    >>> ships = neon.explain(model, X, target="ship")[y == "ship"]
    >>> found = neon.spray(ships)
    >>> found.summary               # clusters, those that look most like artifacts first
    >>> found.plot()
    >>> X[y == "ship"][found.prototypes[0]]
    """
    rows = RelevanceRows.read(explanations, shape, pool, normalize)
    if isinstance(embedding, str) and embedding not in ("tsne", "spectral"):
        raise ValueError(f'embedding must be "tsne", "spectral" or have fit_transform, got {embedding!r}')
    if not isinstance(embedding, str) and not hasattr(embedding, "fit_transform"):
        raise ValueError(f'embedding must be "tsne", "spectral" or have fit_transform, got {type(embedding).__name__}')
    n = len(rows)
    neighbors = max(2, min(_NEIGHBORS, n // 4)) if n_neighbors is None else n_neighbors
    for name, value, most in (
        ("n_neighbors", neighbors, n - 1),
        ("n_clusters", 1 if n_clusters is None else n_clusters, n - 1),
        ("max_clusters", max_clusters, None),
        ("n_prototypes", n_prototypes, None),
    ):
        if not isinstance(value, int | np.integer) or not 1 <= value <= (value if most is None else most):
            bound = "" if most is None else f" and at most {most}, one less than there are rows"
            raise ValueError(f"{name} must be a whole number, at least 1{bound}; got {value!r}")
    most = max_clusters if n_clusters is None else n_clusters
    eigenvalues, coordinates = spectrum(rows.values, neighbors, min(most + 1, n))
    k = n_clusters or (1 if rows.alike else eigengap(eigenvalues))
    found = KMeans(k, n_init=10, random_state=seed).fit_predict(coordinates[:, :k])
    labels, scores = scored(rows, found)
    return Spray(
        labels=labels,
        eigenvalues=eigenvalues,
        coordinates=coordinates,
        prototypes=tuple(_typical(rows.values, labels == cluster)[:n_prototypes] for cluster in range(len(scores))),
        scores=scores,
        relevance=rows,
        embed_by=embedding,
        seed=seed,
    )


def _typical(values: np.ndarray, member: np.ndarray) -> np.ndarray:
    """Positions of the members, by their cosine to the members' mean, largest first."""
    rows = np.flatnonzero(member)
    return rows[np.argsort(-cosines_to_mean(values[rows]), kind="stable")]
