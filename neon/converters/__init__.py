"""Fitted models rewritten as networks: one file a family, folders named as scikit-learn's; `neuralize` is the door."""

from neon.converters import (
    bayes,
    cluster,
    compose,
    declined,
    decomposition,
    kernels,
    linear_model,
    meta,
    neighbors,
    preprocessing,
    trees,
)
from neon.converters.core.ask import Ask
from neon.converters.core.conversion import Conversion
from neon.converters.core.coverage import supported
from neon.converters.core.encoding import Encoding
from neon.converters.core.network import Network, neuralize
from neon.converters.core.registry import convert, converter, register
from neon.converters.preprocessing.encoders import register_encoder, register_linear

__all__ = [
    "Ask",
    "Conversion",
    "Encoding",
    "Network",
    "bayes",
    "cluster",
    "compose",
    "convert",
    "converter",
    "declined",
    "decomposition",
    "kernels",
    "linear_model",
    "meta",
    "neighbors",
    "neuralize",
    "preprocessing",
    "register",
    "register_encoder",
    "register_linear",
    "supported",
    "trees",
]
