"""Feature selection: the other columns have no relevance."""

from __future__ import annotations

from typing import Any

from neon.converters.compose.pipeline import chain
from neon.converters.core import Ask, Conversion, convert, converter
from neon.converters.preprocessing.encoders import convert_encoder, register_encoder

__all__ = ["convert_elimination"]


def chosen(model: Any) -> Any:
    """The columns that a selector keeps."""
    return model.get_support(indices=True)


@converter("sklearn.feature_selection.RFE", "sklearn.feature_selection.RFECV", transforms=True)
def convert_elimination(model: Any, ask: Ask) -> Conversion:
    """RFE, RFECV: the model on the columns that are left; before other models, the selection of these columns."""
    selection = convert_encoder(model, chosen(model))
    if ask.output == "transform":
        return selection
    inner = convert(model.estimator_, ask.inside("estimator_", ask.output))
    return chain([selection, inner])


register_encoder(
    *(
        f"sklearn.feature_selection.{name}"
        for name in (
            "VarianceThreshold", "SelectKBest", "SelectPercentile", "SelectFpr", "SelectFdr", "SelectFwe",
            "GenericUnivariateSelect", "SelectFromModel", "SequentialFeatureSelector",
        )
    ),
    source=chosen,
)  # fmt: skip
