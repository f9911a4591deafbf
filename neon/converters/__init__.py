"""Fitted models rewritten as networks, one file a family; `neuralize` is the door."""

import importlib.util

from neon.converters import cluster, density, kernel, pipeline
from neon.converters.base import Conversion
from neon.converters.network import Network, neuralize
from neon.converters.registry import convert, register, supported

__all__ = ["Conversion", "Network", "convert", "neuralize", "register", "supported"]

for _name in ("linear", "mlp", "preprocessing", "decomposition"):
    if importlib.util.find_spec(f"neon.converters.{_name}"):
        importlib.import_module(f"neon.converters.{_name}")
