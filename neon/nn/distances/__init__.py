"""Distances to centers, fused and layer by layer."""
