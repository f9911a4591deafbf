"""What makes the clusters of a data set what they are: in raw units, against the other clusters, in words."""

from neon.clusters.cluster import Cluster
from neon.clusters.explain import explain_clusters
from neon.clusters.result import ClusterExplanation

__all__ = ["Cluster", "ClusterExplanation", "explain_clusters"]
