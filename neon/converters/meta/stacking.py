"""Stacking: a last estimator on what others say."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch

from neon.converters.compose.names import column_names, numbered
from neon.converters.compose.pipeline import chain
from neon.converters.core import Ask, Conversion, convert, converter, dense
from neon.converters.core.members import handed_on
from neon.converters.meta.side_by_side import beside

__all__ = ["convert_stacking"]


@converter("sklearn.ensemble.StackingClassifier", "sklearn.ensemble.StackingRegressor")
def convert_stacking(model: Any, ask: Ask) -> Conversion:
    """What the final estimator is explained by, sent through it and on through the members below.

    Members give probabilities (of two classes, that of the second), decision functions or predictions, as the model
    chose; with ``passthrough`` the features stand beside them.
    """
    ask = ask.as_last()
    fitted = [name for name, member in model.estimators if not (isinstance(member, str) and member == "drop")]
    parts = [
        handed_on(member, method, ask.inside(name))
        for name, member, method in zip(fitted, model.estimators_, model.stack_method_, strict=True)
    ]
    given, known = column_names(model), next((part.n_features for part in parts if part.n_features), None)
    if known is not None and not hasattr(model, "n_features_in_"):  # which the first member would have to tell
        given = numbered(known)
    if model.passthrough:
        parts.append(Conversion(torch.nn.Sequential(), "features", given, np.asarray, takes_reference=True))
    n_outputs = [len(part.output_names) for part in parts]
    columns = tuple(f"column {i}" for i in range(sum(n_outputs)))
    front = dataclasses.replace(beside(parts, given=given), output_names=columns)
    head = convert(model.final_estimator_, ask.inside("final_estimator_", ask.output))
    whole = chain([dataclasses.replace(front, own=lambda X: dense(model.transform(X))), head])
    return dataclasses.replace(
        whole,
        composite=front.composite if head.composite == "neon" else head.composite,
        family="composed" if head.family else "",
        classes=getattr(model, "classes_", None) if head.classes is not None else None,
        output_names=tuple(map(str, model.classes_)) if head.classes is not None else head.output_names,
        reference=front.reference,
        reference_words=front.reference_words,
        takes_reference=front.takes_reference and head.takes_reference,
        missing=front.missing,
        single=front.single,
    )
