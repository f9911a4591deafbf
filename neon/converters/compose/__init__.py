"""Pipelines and columns side by side: how networks follow one another."""

from neon.converters.compose import columns, pipeline

__all__ = ["columns", "pipeline"]
