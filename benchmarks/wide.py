"""Explaining wide and sparse rows, many classes and many support vectors: rows a second, and what memory it takes.

    python -m benchmarks.scale --wide                # all cases
    python -m benchmarks.scale --wide "500 rows of 100,000 columns, ridge"

Each case is a process of its own. Its peak is what the system counted beside the rows, the model and its network.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np


def table(chosen: Sequence[str]) -> None:
    """Print the chosen cases, or all."""
    print("| case | rows/s | rows, MiB | what is found, MiB | peak beside rows and model, MiB | / rows |")
    print("|---|---|---|---|---|---|")
    for case in chosen or cases():
        print(row(case), flush=True)


def cases() -> dict[str, Callable[[], tuple[Any, Any, dict[str, Any]]]]:
    """Each with a function that makes a fitted model, rows, and how they are explained."""
    return {
        "100,000 documents of 50,000 words, logistic regression": lambda: text(100_000, "logistic"),
        "100,000 documents of 50,000 words, linear SVM": lambda: text(100_000, "svm"),
        "100,000 documents of 50,000 words, naive Bayes": lambda: text(100_000, "bayes"),
        "500 rows of 100,000 columns, ridge": many_columns,
        "2,000 rows of 30 columns, all of 1,000 classes": many_classes,
        "200 rows, 20,000 support vectors": many_vectors,
    }


def text(n_rows: int, kind: str) -> tuple[Any, Any, dict[str, Any]]:
    """Documents of some hundred words, as often as in a language."""
    from scipy import sparse
    from sklearn.linear_model import SGDClassifier
    from sklearn.naive_bayes import MultinomialNB

    random_numbers = np.random.default_rng(0)
    lengths = random_numbers.poisson(120, n_rows)
    words = np.minimum(random_numbers.pareto(0.6, lengths.sum()) * 20, 49_999).astype(np.int32)
    ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    X = sparse.csr_matrix((np.ones(len(words)), words, ends), shape=(n_rows, 50_000))
    X.sum_duplicates()
    X.data, X.indices = X.data.copy(), X.indices.copy()
    y = random_numbers.integers(0, 2, 2000)
    losses = {
        "logistic": SGDClassifier(loss="log_loss", max_iter=5, tol=None),
        "svm": SGDClassifier(max_iter=5, tol=None),
    }
    return losses.get(kind, MultinomialNB()).fit(X[:2000], y), X, {}


def many_columns() -> tuple[Any, Any, dict[str, Any]]:
    from sklearn.linear_model import Ridge

    X = np.random.default_rng(0).normal(size=(500, 100_000))
    return Ridge().fit(X, X[:, 0]), X, {}


def many_classes() -> tuple[Any, Any, dict[str, Any]]:
    from sklearn.naive_bayes import GaussianNB

    X = np.random.default_rng(0).normal(size=(4000, 30))
    return GaussianNB().fit(X, np.arange(4000) % 1000), X[:2000], {"target": "all"}


def many_vectors() -> tuple[Any, Any, dict[str, Any]]:
    from sklearn.svm import SVC

    X = np.random.default_rng(0).normal(size=(20_000, 20))
    return SVC(C=0.01).fit(X, np.arange(20_000) % 2), X[:200], {}


def run(case: str) -> dict[str, float]:
    """Rows a second; bytes of the rows, of what is found, and of the peak beside rows and model."""
    import neon

    model, X, how = cases()[case]()
    explainer = neon.Explainer(model, progress=False)
    explainer(X[:8], **how)
    held = resident()
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak is counted from here on
    start = time.perf_counter()
    found = explainer(X, **how)
    seconds = time.perf_counter() - start
    peak = resident("VmHWM") - held
    values = getattr(found.values, "matrix", found.values)
    sizes = {"rows": n_bytes(X), "found": n_bytes(values), "peak": float(peak)}
    return sizes | {"speed": X.shape[0] / seconds, "error": found.conservation_error()}


def n_bytes(rows: Any) -> float:
    parts = (rows.data, rows.indices, rows.indptr) if hasattr(rows, "indptr") else (rows,)
    return float(sum(part.nbytes for part in parts))


def resident(what: str = "VmRSS") -> int:
    """Bytes of memory that this process holds, as Linux counts them."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(what))
    return int(line.split()[1]) * 1024


def row(case: str) -> str:
    alone = [sys.executable, "-m", "benchmarks.wide", case]
    found = json.loads(subprocess.run(alone, capture_output=True, text=True, check=True).stdout)
    rows, values, peak = (found[name] / 2**20 for name in ("rows", "found", "peak"))
    return f"| {case} | {found['speed']:,.0f} | {rows:,.1f} | {values:,.1f} | {peak:,.1f} | {peak / rows:.2f} |"


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1])))
