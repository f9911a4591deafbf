"""Artifacts that a model relies on: found among its explanations, and taken out of the model."""

from neon.artifacts.analysis import Spray, spray
from neon.artifacts.columns import ColumnReplacer, DirectionRemover
from neon.artifacts.projection import Projected
from neon.artifacts.repair import project_out, replace_columns
from neon.artifacts.scores import ClusterScores

__all__ = [
    "ClusterScores",
    "ColumnReplacer",
    "DirectionRemover",
    "Projected",
    "Spray",
    "project_out",
    "replace_columns",
    "spray",
]
