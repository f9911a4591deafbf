"""An explanation as text: a line for `repr`, a few lines for `print`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neon.explanation.text import elide, elide_all, feature_order, number

if TYPE_CHECKING:
    from neon.explanation import Explanation

__all__ = ["line", "lines"]

STRONGEST = 3  # features that `print` names


def line(explanation: Explanation) -> str:
    """What is explained and of how much, without the method: for `repr`."""
    return f"<Explanation of {_explained(explanation)[0]}: {_size(explanation)}{_residuals(explanation)}>"


def lines(explanation: Explanation) -> str:
    """What is explained; how; from where; which features are strongest: for `print`."""
    explained, method = _explained(explanation)
    written = [f"Explanation of {explained}", f"{_size(explanation)}{_residuals(explanation)}"]
    for name, words in (("method", method), ("base value", explanation.base_in_words), ("unit", explanation.unit)):
        if words:
            written.append(f"{name}: {words}")
    if explanation.feature_names and explanation.target is not None and explanation.values.size:
        alone = len(explanation) == 1
        means = (explanation.values if alone else np.abs(explanation.values)).mean(0).ravel()
        shown = feature_order(np.abs(means), STRONGEST)[0][:STRONGEST]
        names = elide_all([explanation.feature_names[feature] for feature in shown])
        each = [f"{name} {number(means[feature], signed=alone)}" for name, feature in zip(names, shown, strict=True)]
        written.append(f"strongest ({'relevance' if alone else 'mean |relevance|'}): {', '.join(each)}")
    return "\n".join(written)


def _explained(explanation: Explanation) -> tuple[str, str]:
    """What is explained, and the method, which `explains` has behind it where it names one."""
    explained, _, method = explanation.explains.partition("; ")
    return elide(explained, 100), method


def _size(explanation: Explanation) -> str:
    features = " × ".join(map(str, explanation.feature_shape))
    outputs = f", {len(explanation.output_names)} outputs" if explanation.target is None else ""
    samples = "1 sample" if len(explanation) == 1 else f"{len(explanation)} samples"
    return f"{samples}, {features} features{outputs}"


def _residuals(explanation: Explanation) -> str:
    return f", residuals: {', '.join(explanation.residuals)}" if explanation.residuals else ""
