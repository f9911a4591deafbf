"""Several targets: one estimator for each, side by side or in a chain."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch
from scipy.special import expit

from neon.converters.compose.names import column_names
from neon.converters.core import Ask, Conversion, answers, convert, converter
from neon.converters.core.members import binary_score, handed_on, predicted, probability
from neon.converters.meta.mean_of_members import Members
from neon.converters.meta.side_by_side import beside, common, shared_reference, shared_words
from neon.errors import UnsupportedModelError
from neon.nn.linear.chain import Chain

__all__ = ["convert_chain", "convert_multi_output_classifier", "convert_multi_output_regressor"]


@converter("sklearn.multioutput.MultiOutputRegressor")
def convert_multi_output_regressor(model: Any, ask: Ask) -> Conversion:
    """The predicted value of each target."""
    ask.choose("predict")
    members = Members.numbered(model, ask)
    together = members.side_by_side(members.parts(predicted))
    names = tuple(f"target {i}" for i in range(len(members.held)))
    own = lambda X: np.asarray(model.predict(X), dtype=np.float64)  # noqa: E731
    return dataclasses.replace(
        together, explains="predicted value", answers=answers.prediction(), output_names=names, own=own
    )


@converter("sklearn.multioutput.MultiOutputClassifier")
def convert_multi_output_classifier(model: Any, ask: Ask) -> Conversion:
    """What each target's classifier is explained by, for each of its classes."""
    parts = [convert(member, ask.inside(f"estimators_[{i}]", ask.output)) for i, member in enumerate(model.estimators_)]
    together = beside(parts, given=column_names(model))
    words = list(dict.fromkeys(part.explains for part in parts))
    return dataclasses.replace(
        together,
        explains=f"for each target: {', or '.join(words)}",
        stated=tuple(dict.fromkeys(state for part in parts for state in part.stated)),
        output_names=tuple(f"target {i}: {name}" for i, part in enumerate(parts) for name in part.output_names),
        own=_Each(parts, 0),
        link=_Each(parts, 1) if any(part.link is not None for part in parts) else None,
    )


class _Each:
    """The members' own functions of rows (which 0), or links of their columns (1)."""

    def __init__(self, parts: list[Conversion], which: int) -> None:
        self.parts, self.which = parts, which

    def __call__(self, X: Any) -> np.ndarray:
        if self.which == 0:
            return np.concatenate([part.own(X) for part in self.parts], axis=1)
        ends = np.cumsum([len(part.output_names) for part in self.parts])[:-1]
        columns = zip(self.parts, np.split(X, ends, axis=1), strict=True)
        return np.concatenate([held if part.link is None else part.link(held) for part, held in columns], axis=1)


@converter("sklearn.multioutput.ClassifierChain", "sklearn.multioutput.RegressorChain")
def convert_chain(model: Any, ask: Ask) -> Conversion:
    """Each member reads the features and what the members before it gave; relevance goes back through all of them.

    Classifiers: the decision function in favour of a label, or its log-odds; a label is predicted where it is above 0.
    As ``output="probability"`` what ``predict_proba`` gives.
    Members hand on what ``chain_method`` says: labels, whose votes are hard, or scores.
    """
    regresses = not hasattr(model, "classes_")
    probable = ask.choose(*(("predict",) if regresses else ("score", "probability"))) == "probability"
    members, n = model.estimators_, int(model.n_features_in_)
    method = getattr(model, "chain_method_", "predict")
    scores, hands = [], []
    kinds = set()
    for i, member in enumerate(members):
        asked = ask.inside(f"estimators_[{i}]")
        if regresses:
            part, kind = predicted(member, asked), "predict"
            handed = part
        else:
            if len(member.classes_) != 2:
                raise UnsupportedModelError(
                    f"a chain of {len(member.classes_)}-class members; the converter takes two labels"
                )
            part, kind = (
                (probability(member, asked, odds=False)[0].second(), "predict_proba")
                if probable
                else binary_score(member, asked)
            )
            handed = handed_on(member, method, asked)
        if part.encoding is not None:
            raise UnsupportedModelError(
                f"{type(model).__name__} of a pipeline that encodes columns (at step {asked.path!r}); put the encoder "
                "before the chain",
                path=asked.path,
            )
        kinds.add(kind)
        scores.append(part)
        hands.append(handed)
    if len(kinds) > 1:
        raise UnsupportedModelError(f"{type(model).__name__} of members with different scores: {sorted(kinds)}")
    kind = kinds.pop()
    places = [int(np.flatnonzero(np.asarray(model.order_) == target)[0]) for target in range(len(members))]
    chain = Chain([part.layers for part in scores], [part.layers for part in hands], places)
    parts = [*scores, *hands]
    traits = common(parts) | {"single": ""}  # columns of predictions make them all floating-point numbers
    references = [None if part.reference is None else np.atleast_2d(part.reference)[:, :n] for part in parts]
    words, method = _ASKED[kind]
    own = lambda X: np.asarray(getattr(model, method)(X), dtype=np.float64)  # noqa: E731
    return Conversion(
        torch.nn.Sequential(chain),
        words if regresses else f"{words} of a label",
        tuple(f"target {i}" for i in range(len(members))),
        own,
        answers=answers.prediction() if regresses else {},
        link=expit if kind == "log_odds" else None,
        reference=shared_reference(references) if traits["takes_reference"] else None,
        reference_words=shared_words(parts),
        **traits,
    )


_ASKED = {
    "predict": ("predicted value", "predict"),
    "decision_function": ("decision function", "decision_function"),
    "log_odds": ("log-odds", "predict_proba"),
    "predict_proba": ("probability", "predict_proba"),
}
