"""Clusterings: evidence for a cluster against its rivals."""

from neon.converters.cluster import birch, bisecting, centers, dbscan, labels

__all__ = ["birch", "bisecting", "centers", "dbscan", "labels"]
