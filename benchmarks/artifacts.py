"""How well `neon.spray` finds a planted mark: digits with a mark on half of one class, SVMs, several seeds.

    python -m benchmarks.artifacts

For numbers of neighbours and normalizations, of explanations by the default and by the one-pass rule "neon": in how
many of the cases at least nine in ten rows of the cluster with the highest score have the mark, which share of the
marked rows it holds, and how many clusters there are.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.svm import SVC

import neon
from benchmarks.pages import table


def with_mark(rows: np.ndarray) -> np.ndarray:
    marked = rows.copy().reshape(-1, 8, 8)
    marked[:, :2, :2] = 1.5
    return marked.reshape(-1, 64)


COMPOSITES = (None, "neon")
Case = tuple[neon.Explanation, np.ndarray]
"""An explanation, and which of its rows have the mark."""


def cases(n_cases: int) -> Iterator[tuple[Case, ...]]:
    """Rows of one class, explained by each composite."""
    digits, y = load_digits(return_X_y=True)
    for seed in range(n_cases):
        rng, of_class = np.random.default_rng(seed), seed % 10
        images = np.clip(digits / 16 + rng.normal(0, 0.3, digits.shape), 0, 1.5)
        marked = (y == of_class) & (rng.random(len(y)) < 0.5)
        X = np.where(marked[:, None], with_mark(images), images)
        rows, _, labels, _, has, _ = train_test_split(X, y, marked, test_size=0.4, random_state=seed)
        model = SVC(gamma=0.02).fit(rows, labels)
        chosen = labels == of_class
        yield tuple(
            (neon.explain(model, rows[chosen], target=of_class, composite=composite), has[chosen])
            for composite in COMPOSITES
        )


def cells(found: Sequence[Case], normalize: str, n_neighbors: int) -> list[str]:
    """How many were found, the share of the marked rows then, the least and the largest number of clusters."""
    held, counts = [], []
    for explanation, has in found:
        spray = neon.spray(explanation, shape=(8, 8), normalize=normalize, n_neighbors=n_neighbors)
        first = has[spray.rows(0)]
        held += [first.sum() / has.sum()] if first.mean() >= 0.9 else []
        counts.append(spray.n_clusters)
    return [f"{len(held)} of {len(found)}", f"{np.mean(held or [0.0]):.0%}", f"{min(counts)}-{max(counts)}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=20)
    by_composite = list(zip(*cases(parser.parse_args().cases), strict=True))
    rows = [
        [normalize, str(n), *(cell for found in by_composite for cell in cells(found, normalize, n))]
        for normalize in ("l1", "l2")
        for n in (5, 10, 15, 20)
    ]
    words = ["found", "of the marked rows", "clusters"]
    print("\n".join(table(["normalize", "neighbours", *words, *(f"neon: {word}" for word in words)], rows)))


if __name__ == "__main__":
    main()
