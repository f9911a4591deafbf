"""Whether the network of a fitted model is exact, refused, wrong or a crash, on rows that the model was fitted on."""

from __future__ import annotations

import copy
import traceback
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import is_regressor

import neon
from neon.converters.core.containers import take
from neon.converters.core.registry import takes_data

__all__ = ["Passed", "judged", "place"]

ROWS, CELLS, OUTPUTS = 40, 2_000_000, 500  # a transformer of more columns is explained at the first
ROUNDING = 1e-6  # relative to the largest number; models of float32 rows differ by 1e-7


class Passed(Exception):
    """A model that cannot be judged: it refuses its own rows, or they are too many."""

    def __init__(self, why: object) -> None:
        super().__init__(f"{type(why).__name__}: {' '.join(str(why).split())[:200]}" if why is not str(why) else why)


def judged(model: Any, X: Any) -> tuple[str, str]:
    """The kind of what comes of a model on rows that it was fitted on, and why."""
    data = X
    try:
        n = X.shape[0] if hasattr(X, "shape") else len(X)
        rows = _first(X, min(n, ROWS))
    except (TypeError, IndexError) as error:
        raise Passed(error) from error
    if n == 0 or int(np.prod(getattr(rows, "shape", (1,)))) > CELLS or (hasattr(X, "shape") and np.prod(X.shape) > 1e8):
        raise Passed("no rows, or too many")
    before, own = copy.deepcopy(rows), _answers(model, rows)
    options = {"data": data} if takes_data(model) else {}
    try:
        network = neon.neuralize(model, **options)
        explainer = neon.Explainer(model, **options)
        several = network.classes is None and len(network.output_names) > 1
        target = "all" if len(network.output_names) <= OUTPUTS else 0
        explanation = explainer(rows, target) if several else explainer(rows)
        given = network.intake.given(rows)[0]
        error = network.verify(rows) / max(1.0, _size(network.own(given)))
    except Exception as error:
        raised = traceback.extract_tb(error.__traceback__)[-1].filename
        if "/sklearn/" in raised and "/tests/" in raised:  # of a model that a test has made to check its input
            raise Passed(error) from error
        inside = raised.startswith(str(Path(neon.__file__).parent))
        spoken = isinstance(error, (ValueError, TypeError, ImportError)) and inside
        words = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        if "differs from the model by" in words and "inherits from" not in words and _differs(explainer, rows):
            return "wrong", words
        return ("refused", words) if spoken else ("crash", f"{words} ({place(error)})")
    rounding = ""
    for what, difference in (
        ("verify", error),
        ("conservation", _conservation(explanation)),
        ("prediction", _against(own, explanation, network)),
        ("model or rows changed", float(not (_same(before, rows) and _alike(own, _answers(model, rows))))),
    ):
        if not difference <= ROUNDING:
            rounding = f"{what}: {difference:.1e} ({explanation.explains})"
            if not _is_rounding(what, difference, network, given, explanation):
                return "wrong", rounding
    return "exact", rounding and f"within the model's own rounding, {rounding}"


def _differs(explainer: neon.Explainer, rows: Any) -> bool:
    """Whether what neon finds to differ is its own doing; some transformers take sparse rows otherwise than dense."""
    if not sparse.issparse(rows):
        return True
    try:
        explainer(rows.toarray(), "all")
    except (ValueError, TypeError) as error:
        return "differs from the model by" in str(error)
    return False


def _first(X: Any, n: int) -> Any:
    if isinstance(X, (list, tuple)):
        return X[:n]
    return take(X.tocsr() if sparse.issparse(X) else X, slice(0, n)) if hasattr(X, "shape") else X[:n]


def _answers(model: Any, rows: Any) -> dict[str, Any]:
    """What the model itself says of the rows."""
    found = {}
    for method in ("predict", "decision_function", "predict_proba", "transform"):
        if hasattr(model, method):
            try:
                found[method] = getattr(copy.deepcopy(model), method)(copy.deepcopy(rows))
            except Exception as error:  # tests fit models of rows that they cannot predict, too
                if method == "predict" or not hasattr(model, "predict"):
                    raise Passed(error) from error
    return found


def _is_rounding(what: str, difference: float, network: Any, given: Any, explanation: neon.Explanation) -> bool:
    """Whether the model's own answers differ as much where the numbers of its rows are rounded otherwise.

    Where whitening divides by deviations of 1e-12, or variances are as small, no two ways to compute a sum agree; where
    terms are 1e10 times as large as their sum the network says so (`rounding`). On a step of its function a model jumps
    for single rows, which is no rounding: half of the rows must differ.
    """
    said = 4 * network.rounding / max(1.0, _size(network.own(given)))
    if what in ("verify", "conservation", "prediction") and network.classes is None and difference <= said:
        return True
    if what not in ("verify", "conservation") or not isinstance(given, np.ndarray) or given.dtype.kind != "f":
        return False
    random, own = np.random.default_rng(0), np.asarray(network.own(given), dtype=float).reshape(len(given), -1)
    eps, gaps = np.finfo(given.dtype).eps, np.zeros_like(own)
    for _ in range(4):
        moved = given * (1 + eps * random.choice([-1.0, 1.0], given.shape)).astype(given.dtype)
        gaps = np.maximum(gaps, np.abs(np.asarray(network.own(moved), dtype=float).reshape(own.shape) - own))
    if what == "verify":
        return difference <= 10 * float(np.median(gaps.max(1))) / max(1.0, _size(own))
    if np.ndim(explanation.target) == 1:
        gaps = np.take_along_axis(gaps, np.asarray(explanation.target)[:, None], 1)
    return all(
        _conservation(explanation[i : i + 1]) <= max(ROUNDING, 10 * gaps[i].max()) for i in range(len(explanation))
    )


def _against(own: dict[str, Any], explanation: neon.Explanation, network: Any) -> float:
    """The difference from the model's own labels and values, found without the converter."""
    predicted, n = own.get("predict"), len(explanation)
    if predicted is None or sparse.issparse(predicted):
        return 0.0
    predicted = np.asarray(predicted)
    if network.classes is not None and np.ndim(explanation.target) == 1 and predicted.size == n:
        labels = np.asarray(network.classes)[np.asarray(explanation.target)]
        return float((labels.astype(str) != predicted.ravel().astype(str)).mean())
    if is_regressor(network.model) and explanation.explains.startswith("predicted value"):
        values = np.asarray(explanation.prediction, dtype=float)
        if values.size == predicted.size:
            return _size(values.reshape(predicted.shape) - predicted) / max(1.0, _size(predicted))
    return 0.0


def _conservation(explanation: neon.Explanation) -> float:
    finite = np.isfinite(np.asarray(explanation.prediction, dtype=float)).reshape(len(explanation), -1).all(axis=1)
    kept = explanation[finite]
    parts = _size(kept.values) * max(1, kept.values.shape[1]) + sum(map(_size, kept.residuals.values()))
    return float(kept.conservation_error()) / max(1.0, parts) if len(kept) else 0.0


def _size(values: Any) -> float:
    values = np.asarray(values, dtype=float)
    return float(np.max(np.abs(values[np.isfinite(values)]), initial=0.0))


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return all(_same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(_same, a, b))
    if sparse.issparse(a):
        return a.shape == b.shape and _same(a.toarray(), b.toarray())
    if hasattr(a, "equals"):
        return bool(a.equals(b))
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype == object and a.shape == b.shape:  # NaN among strings
        return all(x is y or x == y or (x != x and y != y) for x, y in zip(a.flat, b.flat, strict=True))
    return bool(np.array_equal(a, b, equal_nan=a.dtype.kind in "fcmM"))


def _alike(own: dict[str, Any], again: dict[str, Any]) -> bool:
    """Whether a model answers the same, but for the order in which threads add up."""
    return all(
        _same(own[key], again[key])
        or (np.asarray(own[key]).dtype.kind == "f" and np.allclose(own[key], again[key], rtol=1e-12, equal_nan=True))
        for key in own
    )


def place(error: BaseException) -> str:
    """The last line of neon that ran, and the last of all."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/neon/" in frame.filename]
    named = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in (*ours[-1:], frames[-1])]
    return " → ".join(dict.fromkeys(named))
