"""Clusterings: evidence for a cluster against its rivals."""
