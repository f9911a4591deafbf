"""Means, votes and outlier factors of nearest neighbours."""
