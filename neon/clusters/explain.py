"""``explain_clusters``: from a fitted clustering, or labels from anywhere, to what its clusters are."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from neon.clusters.cluster import clusters_of
from neon.clusters.columns import RawColumns
from neon.clusters.encoding import encoder_of, readable
from neon.clusters.evidence import ClusterEvidence
from neon.clusters.labels import Labels
from neon.clusters.result import ClusterExplanation
from neon.clusters.sentences import sentence
from neon.converters import Network
from neon.converters.cluster.labels import Clusters
from neon.converters.core.containers import as_rows, column_names, numeric, take
from neon.converters.core.registry import innermost, steps_run, takes_data

__all__ = ["explain_clusters"]


def explain_clusters(
    model_or_labels: Any,
    X: Any,
    *,
    encoder: Any = None,
    gamma: float | None = None,
    max_rows: int = 2000,
    n_members: int = 5,
    **options: Any,
) -> ClusterExplanation:
    """Explain what the clusters of a data set are: what sets each apart, in raw units, and its closest rival.

    Of a fitted clustering its own evidence is explained, as by `neon.Explainer`. Of labels from anywhere, and of
    clusterings without ``predict``, it is how much closer a cluster's rows are than those of the nearest other one, in
    soft squared distance ``-(1/γ) log mean_j exp(-γ ‖x - u_j‖²)`` (kernel k-means evidence, Kauffmann et al. 2022, From
    Clustering to Cluster Explanations via Neural Networks); `ClusterExplanation.agreement` is the share of the labels
    that it gives by other rows. Relevance is of the caller's own columns, whatever scales or encodes them on the way.

    Parameters
    ----------
    model_or_labels : estimator, Pipeline or array-like (n_rows,)
        A fitted clustering, with or without ``predict``, or a Pipeline that ends in one. Or labels: numbers, strings,
        or both. Negative numbers are noise, None and NaN are missing labels: such rows are in no cluster. A pandas
        Series is matched to a DataFrame X by its index, whatever its order; rows that it does not name have no label.
    X : array-like (n_rows, n_features) or DataFrame
        The rows as the model takes them, or those that have the labels. Of a clustering without ``predict``: those that
        it was fitted on.
    encoder : transformer, Pipeline or "passthrough", optional
        Of labels alone: what makes numbers of X whose distances mean something, best the one that the clustering was
        made with; fitted on X where it is not fitted (a copy of it). "passthrough": X as it is. Default: numbers,
        booleans and dates (as days) divided by their standard deviation, missing numbers and dates replaced by the
        median; strings and other categories as one-hot codes, missing ones as a category, at most 20 a column of which
        the last one stands for all that are rarer. Two categories that differ are then as far apart as numbers that
        differ by √2 standard deviations.
    gamma : float, optional
        Of labels alone. Large: the nearest rows of each cluster count; small: their mean. Default: the smallest of
        ``2^k / mean ‖u_i - u_j‖²``, k = 0...12, that gives as many rows their own label, while they are left out
        themselves, as the best one, but for one standard error.
    max_rows : int
        Of labels and clusterings without ``predict``: the cost is that of all rows times the rows that clusters are
        known by. Of more rows so many are drawn at random, of each cluster in proportion and at least 10, to stand for
        all; ``explanation.explains`` says so. All rows are explained.
    n_members : int
        Typical and borderline rows to name for each cluster.
    **options
        For `neon.Explainer`: ``composite=``, ``reference=``, ...

    Returns
    -------
    ClusterExplanation
        ``.explanation`` is the `neon.Explanation` of all rows; ``.explainer`` explains new ones.

    Raises
    ------
    ValueError
        If X has no rows, X and labels do not fit together, there are fewer than two clusters, or the model has none.

    Examples
    --------
    >>> found = neon.explain_clusters(pipeline, customers)
    >>> print(found)                    # a sentence for each cluster
    >>> found.to_frame()                # each cluster's features, in raw units
    >>> found.plot.matrix()
    >>> found.plot.separation(0, 2)     # what separates cluster 0 from cluster 2
    >>> found.explainer(new_customers)  # an Explanation of other rows
    """
    for option, value, least in (("max_rows", max_rows, 20), ("n_members", n_members, 1)):
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
            raise ValueError(f"{option} must be a whole number, at least {least}; got {value!r}")
    X = X if hasattr(X, "shape") else as_rows(X)
    if not X.shape[0]:
        raise ValueError("X has no rows, by which clusters are told: pass those that were clustered, or new ones")
    if _is_model(model_or_labels):
        if encoder is not None or gamma is not None:
            raise ValueError(
                "encoder= and gamma= go with labels; a model comes with its own steps: make a Pipeline of both"
            )
        clustering = _of_model(model_or_labels, X, int(max_rows))
    else:
        clustering = _of_labels(Labels.read(model_or_labels, X, X.shape[0]), X, encoder, gamma, int(max_rows))
    return _explained(clustering, X, int(n_members), options)


@dataclass(frozen=True, eq=False)
class _Clustering:
    """What is to be explained.

    model, data : for `Explainer`; rows : to explain, as it reads them; labels : of the rows, where they do not follow
    from the model; drawn : positions of the rows that clusters are known by, where not of all; words : what was done.
    """

    model: Any
    rows: Any
    data: Any = None
    labels: Labels | None = None
    drawn: np.ndarray | None = None
    words: list[str] = field(default_factory=list)


def _is_model(given: Any) -> bool:
    return isinstance(given, Network) or (hasattr(given, "fit") and not hasattr(given, "__array__"))


def _of_model(model: Any, X: Any, max_rows: int) -> _Clustering:
    if isinstance(model, Network) or not takes_data(model):
        return _Clustering(model, X)
    last, n_rows = innermost(model), int(X.shape[0])
    given = getattr(last, "labels_", getattr(last, "row_labels_", None))
    if given is None or len(given) != n_rows:
        raise ValueError(
            f"{type(last).__name__} has no predict: X must be the rows that it was fitted on"
            + ("" if given is None else f", {len(given):,} of them, got {n_rows:,}")
        )
    labels = Labels.read(np.asarray(given), X, n_rows)
    if n_rows <= max_rows:
        return _Clustering(model, X, data=X, labels=labels)
    while not hasattr(model, "steps") and model is not last:  # searches, frozen estimators
        model = getattr(model, "best_estimator_", getattr(model, "estimator", None))
    steps = steps_run(model)[:-1] if hasattr(model, "steps") else []
    return _of_labels(labels, X, Pipeline(steps) if steps else "passthrough", None, max_rows)


def _of_labels(labels: Labels, X: Any, encoder: Any, gamma: float | None, max_rows: int) -> _Clustering:
    rows = readable(X)
    fitted, words = encoder_of(rows, encoder)
    if fitted is None:
        rows = numeric(rows) if column_names(rows) is None else rows
    drawn = _representatives(labels.codes, max_rows)
    said = [f"distances {words}", *labels.left_out()]
    some = len(drawn) < np.count_nonzero(labels.codes >= 0)
    if some:
        said.append(f"clusters known by {len(drawn):,} of their rows, drawn at random")
    names = column_names(rows) if fitted is None else None
    width = rows.shape[1] if fitted is None else numeric(fitted.transform(take(rows, drawn[:1]))).shape[1]
    clusters = Clusters(
        labels.codes[drawn], width, gamma, None if names is None else np.array(names, dtype=object), labels.classes
    )
    model = clusters if fitted is None else Pipeline([("encoder", fitted), ("clusters", clusters)])
    return _Clustering(model, rows, take(rows, drawn), labels, drawn if some else None, said)


def _representatives(codes: np.ndarray, max_rows: int) -> np.ndarray:
    """Positions of rows that stand for the clusters: all, or so many drawn at random, of each in proportion."""
    known = np.flatnonzero(codes >= 0)
    if len(known) <= max_rows:
        return known
    rng = np.random.default_rng(0)
    parts = []
    for code in np.unique(codes[known]):
        rows = np.flatnonzero(codes == code)
        count = min(len(rows), max(10, round(max_rows * len(rows) / len(known))))
        parts.append(rng.choice(rows, count, replace=False))
    return np.sort(np.concatenate(parts))


def _explained(clustering: _Clustering, X: Any, n_members: int, options: dict[str, Any]) -> ClusterExplanation:
    evidence = ClusterEvidence(clustering.model, clustering.data, clustering.rows, options)
    for_all = evidence.for_all()
    if clustering.labels is None:
        explanation = evidence.for_own(None)
        membership = np.array(explanation.target)
    else:
        membership = _membership(clustering.labels, evidence.classes)
        explanation = evidence.for_own(np.where(membership >= 0, membership, for_all.argmax(1)))
    agreement = _agreement(clustering, evidence, membership, for_all)
    words = [explanation.explains, *clustering.words]
    if clustering.drawn is not None:
        words.append(f"of the other rows in a cluster {agreement:.1%} have most evidence for their own")
    explanation = replace(explanation, explains="; ".join(words))
    own = np.arange(len(evidence.classes)) == membership[:, None]
    rivals = np.where(own, -np.inf, for_all).argmax(1)
    columns = RawColumns(X, explanation)
    clusters = clusters_of(explanation, membership, rivals, evidence, n_members)
    by_label = {cluster.label: cluster for cluster in clusters}
    told = (replace(one, sentence=sentence(one, by_label.get(one.rival), columns)) for one in clusters)
    return ClusterExplanation(explanation, tuple(told), evidence, agreement, columns)


def _agreement(
    clustering: _Clustering, evidence: ClusterEvidence, membership: np.ndarray, for_all: np.ndarray
) -> float:
    """As in `ClusterExplanation`."""
    if clustering.labels is not None and clustering.drawn is None:
        network: Any = evidence.explainer.network
        return float(network.agreement)  # of rows that are left out themselves
    asked = membership >= 0
    if clustering.drawn is not None:
        asked[clustering.drawn] = False
    return float(np.mean(for_all[asked].argmax(1) == membership[asked])) if asked.any() else np.nan


def _membership(labels: Labels, classes: np.ndarray) -> np.ndarray:
    """Each row's output, (n_rows,); -1 where its label has none, as of a cluster without a core sample."""
    places = {label: place for place, label in enumerate(classes.tolist())}
    outputs = [places.get(label, -1) for label in labels.classes.tolist()]
    return np.append(outputs, -1)[labels.codes]
