"""Explaining more rows than memory holds, or than one process should."""

from neon.scale.engines import explain_dask, explain_ray
from neon.scale.stream import explain_parquet
from neon.scale.summary import StreamSummary

__all__ = ["StreamSummary", "explain_dask", "explain_parquet", "explain_ray"]
