"""Artifacts that a model relies on: found among its explanations, and taken out of the model."""

from neon.artifacts.analysis import Spray, spray
from neon.artifacts.scores import ClusterScores

__all__ = ["ClusterScores", "Spray", "spray"]
