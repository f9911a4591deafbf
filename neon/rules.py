"""LRP rules: how a linear map, or a product, shares relevance among its inputs."""

from neon.lrp.rules import *
from neon.lrp.rules import __all__ as __all__
