"""Planted outliers that a model was fitted on: whether the column that makes a row unusual has the most relevance.

    python -m benchmarks.anomalies [--write] [--seeds 4]

Rows of three kinds of data (one Gaussian, four clusters, ten columns that follow four causes), 400 of 10 standardised
columns; in the first 16 one column is moved by 6 standard deviations. One-class SVMs and kernel densities are fitted on
all rows, or on those without the 16, and explain the 16 by several composites, by the default with their own points
counted as well. Apart from these: three clusters far apart, not standardised. --write puts the table into
docs/anomalies.md.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from sklearn.base import clone
from sklearn.neighbors import KernelDensity
from sklearn.svm import OneClassSVM

import neon
from benchmarks.pages import table, write_section
from neon.nn.pooling import softmin

KINDS = ("one Gaussian", "four clusters", "four causes")
FAR = ("three clusters far apart",)
MODELS = [
    *(OneClassSVM(nu=nu, gamma=gamma) for gamma in ("scale", 0.3, 1.0) for nu in (0.01, 0.05, 0.3)),
    *(KernelDensity(bandwidth=bandwidth) for bandwidth in (0.2, 0.5, 1.0, "scott")),
    KernelDensity(bandwidth=0.5, kernel="exponential"),
]
COMPOSITES = (None, "neon", "shapley")
N_ROWS, N_COLUMNS, N_OUTLIERS, SHIFT = 400, 10, 16, 6.0
PAGE = Path(__file__).parent.parent / "docs/anomalies.md"
BEGIN = "<!-- anomalies: made by python -m benchmarks.anomalies --write -->"


def planted(kind: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows, the first of them outliers, and the column of each that was moved."""
    random = np.random.default_rng(seed)
    if kind == "one Gaussian":
        X = random.normal(size=(N_ROWS, N_COLUMNS))
    elif kind in FAR:
        X = random.normal(size=(N_ROWS, N_COLUMNS)) + 4 * random.normal(size=(3, N_COLUMNS))[np.arange(N_ROWS) % 3]
    elif kind == "four clusters":
        centers = 2 * random.normal(size=(4, N_COLUMNS))
        X = centers[random.integers(0, 4, N_ROWS)] + 0.6 * random.normal(size=(N_ROWS, N_COLUMNS))
    else:
        causes = random.normal(size=(N_ROWS, 4))
        X = causes @ random.normal(size=(4, N_COLUMNS)) + 0.4 * random.normal(size=(N_ROWS, N_COLUMNS))
    X = X if kind in FAR else (X - X.mean(0)) / X.std(0)
    column = random.integers(0, N_COLUMNS, N_OUTLIERS)
    X[np.arange(N_OUTLIERS), column] += SHIFT * random.choice([-1, 1], N_OUTLIERS)
    return X, column


def measured(
    model: Any, composite: Any, n_seeds: int, *, with_them: bool = True, kinds: Sequence[str] = KINDS
) -> tuple[float, float, float]:
    """Shares of planted columns with the most relevance, and of relevance that is missed; conservation error."""
    hits, missed, errors = [], [], []
    for kind in kinds:
        found = []
        for seed in range(n_seeds):
            X, column = planted(kind, seed)
            fitted = clone(model).fit(X if with_them else X[N_OUTLIERS:])
            explanation = neon.explain(fitted, X[:N_OUTLIERS], composite=composite)
            total = np.abs(explanation.values).sum()
            found.append(explanation.values.argmax(1) == column)
            missed.append(np.abs(explanation.residuals.get("quadrature", np.zeros(1))).sum() / total)
            errors.append(explanation.conservation_error() / np.abs(explanation.values).max())
        hits.append(np.mean(found))
    return float(np.mean(hits)), float(np.mean(missed)), float(max(errors))


def lines(n_seeds: int) -> Iterator[Sequence[str]]:
    for model in MODELS:
        line, missed, error = [f"`{model}`"], 0.0, 0.0
        for composite in COMPOSITES:
            hit, miss, wrong = measured(model, composite, n_seeds)
            line.append(f"{hit:.3f}")
            missed, error = (miss if composite is None else missed), max(error, wrong)
        hit, _, wrong = measured(model, None, n_seeds, with_them=False)
        with patch.object(softmin, "own_points", return_value=None):
            counted = measured(model, None, n_seeds)[0]
        far = [f"{measured(model, composite, n_seeds, kinds=FAR)[0]:.2f}" for composite in (None, "neon")]
        yield [*line, f"{counted:.3f}", f"{hit:.3f}", " / ".join(far), f"{missed:.1%}", f"{max(error, wrong):.0e}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--write", action="store_true", help="write docs/anomalies.md")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", "the integral along")
    header = (
        "model", "default", "neon", "shapley", "default, own points counted", "default, fitted without them",
        "far clusters: default / neon", "missed", "conservation",
    )  # fmt: skip
    found = table(header, lines(arguments.seeds))
    n = len(KINDS) * arguments.seeds * N_OUTLIERS
    words = (
        f"One column of a row moved by {SHIFT:.0f} standard deviations, {N_OUTLIERS} such rows of {N_ROWS}, "
        f"{N_COLUMNS} columns, three kinds of data, {arguments.seeds} seeds each: {n} rows, models fitted on all. The "
        "share of them whose moved column has the most relevance, by the default, the one-pass rule and the rule that "
        "draws each feature by itself; by the default with own points counted, and of a model that never saw them; in "
        "three clusters far apart; what the default's integral misses, of all relevance; the largest conservation "
        "error, relative to the largest relevance.\n\n"
    )
    text = words + "\n".join(found) + "\n"
    print(text)
    if arguments.write:
        write_section(PAGE, BEGIN, text)


if __name__ == "__main__":
    main()
