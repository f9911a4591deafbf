"""Composites: which rule explains which operation of a network, by name or built."""

from neon.lrp.composites import *
from neon.lrp.composites import __all__ as __all__
