"""Targets: what relevance starts from at the output of a network."""

from neon.lrp.targets import *
from neon.lrp.targets import __all__ as __all__
