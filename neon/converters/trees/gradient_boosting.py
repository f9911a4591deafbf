"""scikit-learn's gradient boosting on float32 rows: GradientBoostingClassifier, GradientBoostingRegressor."""

from __future__ import annotations

from typing import Any

import numpy as np

from neon.converters.core import Ask, Conversion, answers, converter
from neon.converters.trees.build import RawScores, convert_stages, convert_trees, join
from neon.converters.trees.decision_trees import read_tree
from neon.converters.trees.probabilities import OUTPUTS, answered
from neon.errors import UnsupportedModelError

__all__ = ["convert_boosting"]


@converter("sklearn.ensemble.GradientBoostingClassifier", "sklearn.ensemble.GradientBoostingRegressor")
def convert_boosting(model: Any, ask: Ask) -> Conversion:
    """The raw decision function ``init + learning_rate Σ_t tree_t(x)``, one for each of more than two classes."""
    classifies = hasattr(model, "classes_")
    output = ask.choose(*(("decision_function", *OUTPUTS) if classifies else ("predict",)))
    stages, n_scores = model.estimators_.shape
    trees = join(
        [read_tree(m.tree_, model.learning_rate * m.tree_.value[:, 0]) for m in model.estimators_.reshape(-1)],
        n_features=model.n_features_in_,
        base=_start(model),
        output=np.tile(np.arange(n_scores), stages),
        precision="float32",
    )
    if not classifies:
        return convert_trees(trees, RawScores("predicted value", answers.prediction(), ["prediction"]), model.predict)
    if model.loss == "log_loss":
        part = convert_stages(model, trees, "log-odds of a class", answers.log_odds())
    else:
        part = convert_stages(model, trees, "raw score of a class, half its log-odds", answers.half_log_odds())
    return answered(part, output, own="decision_function")


def _start(model: Any) -> np.ndarray:
    """What boosting starts from, (n_scores,)."""
    first = model.init_
    if not isinstance(first, str):
        constant = getattr(first, "strategy", None) not in (None, "stratified", "uniform")
        if not type(first).__name__.startswith("Dummy") or not constant:
            raise UnsupportedModelError(
                f"{type(model).__name__} that starts from init={first!r}; the converter takes init=None, init='zero' "
                "and constant dummies. Boost the residuals of the first model instead, and explain both"
            )
    return model._raw_predict_init(np.zeros((1, model.n_features_in_), dtype=np.float32))[0]
