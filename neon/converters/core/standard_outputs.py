"""What models can be asked for by one name: ``"probability"`` and ``"log_odds"`` of classifiers, ``"predict"``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import expit

from neon.converters.core import answers
from neon.converters.core.conversion import Conversion
from neon.errors import UnknownOutputError, UnsupportedModelError

__all__ = ["STANDARD", "check_coupled", "standard"]

STANDARD = ("probability", "log_odds", "predict")


def standard(model: Any, output: str, of: Callable[[str | None], Conversion]) -> Conversion | None:
    """The answer of this name, behind the scores of another output; None where it does not follow from them.

    Parameters
    ----------
    output : str
        One of `STANDARD`: what ``predict_proba`` gives, or its log-odds, ``log P / (1 - P)``; of a regressor that is
        explained by its score, such as a logarithm, what ``predict`` gives.
    of : callable
        An output's name, None for the default one -> conversion.

    Raises
    ------
    UnsupportedModelError
        If the model's own probabilities are none that can be computed exactly.
    """
    if output == "predict":
        return _predicted(model, of(None))
    if not hasattr(model, "predict_proba"):
        return None
    check_coupled(model)
    for asked in ("log_odds", None) if output == "probability" else (None,):
        try:
            part = of(asked)
        except UnknownOutputError:
            continue
        head = _head(part, output)
        if head is not None:
            what = "class" if part.classes is not None else "component" if "component" in part.explains else "label"
            return replace(
                part,
                head=head,
                explains=f"{'probability' if output == 'probability' else 'log-odds'} of a {what}",
                own=lambda X: np.asarray(model.predict_proba(X), dtype=np.float64),
                link=None if output == "probability" else expit,
                family="composed" if part.family and output == "probability" else part.family,
                stated=(),
            )
    return None


def _predicted(model: Any, part: Conversion) -> Conversion | None:
    if hasattr(model, "classes_") or not hasattr(model, "fit") or "predict" not in part.answers:
        return None
    return replace(
        part,
        head=part.answers["predict"],
        explains="predicted value",
        own=lambda X: np.asarray(model.predict(X), dtype=np.float64).reshape(-1, len(part.output_names)),
        link=None,
        family="composed" if part.family else "",
        stated=(),
    )


def check_coupled(model: Any) -> None:
    """Refuse probabilities that libsvm couples by an iteration of its own."""
    if np.size(getattr(model, "_probA", ())):
        raise UnsupportedModelError(
            f"predict_proba of {type(model).__name__}(probability=True): libsvm couples its pairs by an iteration that "
            "it stops early; use CalibratedClassifierCV(SVC(), ensemble=False), which is exact, or another output"
        )


def _head(part: Conversion, output: str) -> tuple[Any, ...] | None:
    """From the scores to the answer."""
    odds = part.answers.get("log_odds")
    if output == "log_odds":
        return odds
    if "predict_proba" in part.answers:
        return part.answers["predict_proba"]
    if odds is None and part.link is expit and not part.answers:  # of labels, each by itself
        odds = part.head
    return None if odds is None else (*odds, answers.sigmoid())
