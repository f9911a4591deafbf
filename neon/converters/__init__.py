"""Fitted models rewritten as networks: one file a family, folders named as scikit-learn's; `neuralize` is the door."""

import importlib
import pkgutil

from neon.converters.core import Ask, Conversion, Encoding, convert, converter
from neon.converters.core.coverage import supported
from neon.converters.core.network import Network, neuralize
from neon.converters.core.registry import close, register
from neon.converters.model_files import load_model
from neon.converters.preprocessing.encoders import register_encoder, register_linear

__all__ = [
    "Ask",
    "Conversion",
    "Encoding",
    "Network",
    "convert",
    "converter",
    "load_model",
    "neuralize",
    "register",
    "register_encoder",
    "register_linear",
    "supported",
]

for _file in pkgutil.walk_packages(__path__, f"{__name__}."):
    importlib.import_module(_file.name)  # every converter registers itself where its file is imported

close()
