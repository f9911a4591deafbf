"""Fitted models rewritten as networks, one file a family; `neuralize` is the door."""

from neon.converters import (
    cluster,
    compose,
    decomposition,
    density,
    encoders,
    kernel,
    linear,
    mlp,
    pipeline,
    preprocessing,
)
from neon.converters.base import Conversion
from neon.converters.encoding import Encoding
from neon.converters.network import Network, neuralize
from neon.converters.registry import convert, register, supported

__all__ = [
    "Conversion",
    "Encoding",
    "Network",
    "cluster",
    "compose",
    "convert",
    "decomposition",
    "density",
    "encoders",
    "kernel",
    "linear",
    "mlp",
    "neuralize",
    "pipeline",
    "preprocessing",
    "register",
    "supported",
]
