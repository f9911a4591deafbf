"""Trees of every library, read from the fitted object itself; optional libraries are never imported."""

from neon.converters.trees import (
    catboost,
    decision_trees,
    embedding,
    gradient_boosting,
    hist_boosting,
    isolation,
    lightgbm,
    voting,
    xgboost,
)

__all__ = [
    "catboost",
    "decision_trees",
    "embedding",
    "gradient_boosting",
    "hist_boosting",
    "isolation",
    "lightgbm",
    "voting",
    "xgboost",
]
