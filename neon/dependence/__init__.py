"""Partial dependence: what a model predicts on average with some features held at a value."""

from neon.dependence.partial import Effect, PartialDependence, partial_dependence

__all__ = ["Effect", "PartialDependence", "partial_dependence"]
