"""Nearest neighbours, kernel densities, outlier factors, label spreading, manifolds."""
