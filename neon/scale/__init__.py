"""Explaining more rows than memory holds."""

from neon.scale.stream import explain_parquet
from neon.scale.summary import StreamSummary

__all__ = ["StreamSummary", "explain_parquet"]
