"""A slow walk of `Trees`, row by row and node by node, that shares nothing with the engine."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from neon.converters import Conversion
from neon.nn.trees import Trees


def floor_to(threshold: float, precision: str) -> float:
    """The largest float of this precision that is not above the threshold."""
    if precision == "float64" or math.isinf(threshold):
        return threshold
    with np.errstate(over="ignore"):
        rounded = np.float32(threshold)
    return float(rounded if float(rounded) <= threshold else np.nextafter(rounded, np.float32(-np.inf)))


def goes_left(trees: Trees, node: int, value: float) -> bool:
    with np.errstate(over="ignore"):
        value = float(np.dtype(trees.precision).type(value))
    if math.isnan(value):
        return bool(trees.missing_left[node])
    if node in trees.categories:
        return math.isfinite(value) and math.trunc(value) in trees.categories[node]
    threshold = floor_to(float(trees.threshold[node]), trees.precision)
    return value < threshold if trees.strict else value <= threshold


def leaves(trees: Trees, X: np.ndarray) -> np.ndarray:
    """The node that each row reaches in each tree, counted from the tree's root: (n_samples, n_trees)."""
    found = np.empty((len(X), trees.n_trees), dtype=np.int64)
    for i, row in enumerate(np.asarray(X, dtype=np.float64)):
        for t, root in enumerate(trees.roots):
            node = int(root)
            while trees.left[node] >= 0:
                left = goes_left(trees, node, row[trees.feature[node]])
                node = int(trees.left[node] if left else trees.right[node])
            found[i, t] = node - root
    return found


def predict(trees: Trees, X: np.ndarray) -> np.ndarray:
    """``base + Σ_t value[leaf]``: (n_samples, n_outputs)."""
    reached = leaves(trees, X) + trees.roots
    scores = np.tile(np.asarray(trees.base, dtype=np.float64), (len(X), 1))
    for t in range(trees.n_trees):
        value = trees.value[reached[:, t]]
        if trees.output is None:
            scores += value
        else:
            scores[:, trees.output[t]] += value[:, 0]
    return scores


def edge_rows(trees: Trees, X: np.ndarray, rng: np.random.Generator, *, missing: bool) -> np.ndarray:
    """Rows whose values lie on thresholds, next to them in float32 and float64, at zeros, far out, or are missing."""
    rows = np.tile(X, (3, 1)).astype(np.float64)
    for feature in range(trees.n_features):
        thresholds = trees.threshold[(trees.feature == feature) & np.isfinite(trees.threshold)]
        if not len(thresholds):
            continue
        chosen = rng.choice(thresholds, len(rows))
        with np.errstate(over="ignore", under="ignore"):
            single = chosen.astype(np.float32)
            up, down = np.nextafter(single, np.float32(np.inf)), np.nextafter(single, np.float32(-np.inf))
        choices = [
            chosen,
            np.nextafter(chosen, np.inf),
            np.nextafter(chosen, -np.inf),
            single.astype(np.float64),
            up.astype(np.float64),
            down.astype(np.float64),
            (single.astype(np.float64) + up) / 2,  # half-way: rounds to the even one
            (single.astype(np.float64) + down) / 2,
            np.full(len(rows), -0.0),
            np.full(len(rows), 5e-324),
            np.full(len(rows), -1e-46),
            np.full(len(rows), 1e30),
            np.full(len(rows), -1e30),
            rows[:, feature],
            np.full(len(rows), np.nan if missing else 0.0),
        ]
        rows[:, feature] = np.stack(choices)[rng.integers(len(choices), size=len(rows)), np.arange(len(rows))]
    return rows


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    """``‖found - expected‖ / ‖expected‖``."""
    expected = np.asarray(expected, dtype=np.float64)
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def trees_of(conversion: Conversion) -> Trees:
    return conversion.layers[0].trees


def numbers(conversion: Conversion, rows: Any) -> Any:
    """Rows as the trees take them."""
    return rows if conversion.encoding is None else conversion.encoding(rows)


def walked(conversion: Conversion, rows: Any) -> np.ndarray:
    """What the trees of a conversion say, by the slow walk; of two classes ``[-f, f]``."""
    scores = predict(trees_of(conversion), numbers(conversion, rows))
    return np.concatenate([-scores, scores], axis=1) if len(conversion.layers) == 2 else scores
