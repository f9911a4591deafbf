"""What was explained and what was checked, as a record that JSON holds."""

from __future__ import annotations

import datetime
import platform
import sys
from typing import Any

import numpy as np
import sklearn
import torch

from neon._version import __version__
from neon.explainer.fingerprint import fingerprint
from neon.explanation import Explanation

__all__ = ["record"]


def record(model: Any, explanation: Explanation, *, composite: str, reference: str, difference: float | None) -> dict:
    """A record of one explanation; keys as `neon.Explainer.audit` says.

    Parameters
    ----------
    reference : str
        What the reference rows are, in words.
    difference : float or None
        The largest difference between network and model, where there is a network.
    """
    kind = type(model)
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "model": {"class": f"{kind.__module__}.{kind.__qualname__}", "sha256": fingerprint(model)},
        "versions": _versions(kind),
        "explains": explanation.explains,
        "composite": composite,
        "reference": reference or None,
        "base_in_words": explanation.base_in_words,
        "unit": explanation.unit or None,
        "n_samples": len(explanation),
        "feature_names": list(explanation.feature_names),
        "output_names": list(explanation.output_names),
        "equivalence_error": _number(difference),
        "conservation_error": _number(explanation.conservation_error()),
        "largest_prediction": _number(np.abs(explanation.prediction).max(initial=0.0)),
        "total_relevance": _number(np.abs(explanation.values).sum()),
        "total_residuals": {name: _number(np.abs(part).sum()) for name, part in sorted(explanation.residuals.items())},
    }


def _versions(kind: type) -> dict[str, str]:
    """Of neon, what it computes with, and the library of the model."""
    versions = {
        "python": platform.python_version(),
        "neon": __version__,
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
        "torch": str(torch.__version__),
    }
    library = kind.__module__.partition(".")[0]
    own = getattr(sys.modules.get(library), "__version__", None)
    return versions if own is None or library == "sklearn" else {**versions, library: str(own)}


def _number(value: Any) -> float | None:
    """A finite number as JSON has it; None for others."""
    return None if value is None or not np.isfinite(value) else float(value)
