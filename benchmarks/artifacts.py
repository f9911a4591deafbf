"""How well `neon.spray` finds a planted mark: digits with a mark on half of one class, SVMs, several seeds.

    python -m benchmarks.artifacts

For numbers of neighbours and normalizations: in how many of the cases at least nine in ten rows of the cluster with the
highest score have the mark, which share of the marked rows it holds, and how many clusters there are.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.svm import SVC

import neon


def with_mark(rows: np.ndarray) -> np.ndarray:
    marked = rows.copy().reshape(-1, 8, 8)
    marked[:, :2, :2] = 1.5
    return marked.reshape(-1, 64)


def cases(n_cases: int) -> Iterator[tuple[neon.Explanation, np.ndarray]]:
    """Explanations of one class, and which of its rows have the mark."""
    digits, y = load_digits(return_X_y=True)
    for seed in range(n_cases):
        rng, of_class = np.random.default_rng(seed), seed % 10
        images = np.clip(digits / 16 + rng.normal(0, 0.3, digits.shape), 0, 1.5)
        marked = (y == of_class) & (rng.random(len(y)) < 0.5)
        X = np.where(marked[:, None], with_mark(images), images)
        rows, _, labels, _, has, _ = train_test_split(X, y, marked, test_size=0.4, random_state=seed)
        model = SVC(gamma=0.02).fit(rows, labels)
        yield neon.explain(model, rows[labels == of_class], target=of_class), has[labels == of_class]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=20)
    found = list(cases(parser.parse_args().cases))
    print("| normalize | neighbours | found | of the marked rows | clusters |\n|---|---|---|---|---|")
    for normalize in ("l1", "l2"):
        for n_neighbors in (5, 10, 15, 20):
            pure, held, counts = [], [], []
            for explanation, has in found:
                spray = neon.spray(explanation, shape=(8, 8), normalize=normalize, n_neighbors=n_neighbors)
                first = has[spray.rows(0)]
                pure.append(first.mean() >= 0.9)
                held.append(first.sum() / has.sum())
                counts.append(spray.n_clusters)
            share = np.mean(np.array(held)[pure]) if any(pure) else 0.0
            many = f"{min(counts)}-{max(counts)}"
            print(f"| {normalize} | {n_neighbors} | {sum(pure)} of {len(pure)} | {share:.0%} | {many} |")


if __name__ == "__main__":
    main()
