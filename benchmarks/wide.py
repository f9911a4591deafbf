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

Case = tuple[Any, Any, dict[str, Any], str | None]  # a model, rows, options of its explainer, the target


def table(chosen: Sequence[str]) -> None:
    """Print the chosen cases, or all."""
    print("| case | rows/s | rows, MiB | what is found, MiB | peak beside rows and model, MiB | / rows |")
    print("|---|---|---|---|---|---|")
    for case in chosen or cases():
        print(row(case), flush=True)


ONE_PASS = {"composite": "neon"}


def cases() -> dict[str, Callable[[], Case]]:
    """Each with a function that makes a fitted model and rows, and says how they are explained."""
    return {
        "100,000 documents of 50,000 words, logistic regression": lambda: text(100_000, "logistic"),
        "100,000 documents of 50,000 words, linear SVM": lambda: text(100_000, "svm"),
        "100,000 documents of 50,000 words, naive Bayes": lambda: text(100_000, "bayes"),
        "100,000 documents of 50,000 words, TF-IDF and logistic regression": lambda: text(100_000, "tf-idf"),
        "100,000 documents of 100,000 words, logistic regression": lambda: text(100_000, "logistic", n_words=100_000),
        "500 rows of 100,000 columns, ridge": many_columns,
        "20 documents of 2,000 words, all of 1,000 classes, linear SVM": lambda: many_classes(20, 2000, sparse=True),
        "200 rows of 100 columns, all of 1,000 classes, linear SVM": lambda: many_classes(200, 100, sparse=False),
        "200 rows of 30 columns, all of 1,000 clusters, one pass": many_clusters,
        "200 rows, 20,000 support vectors, SVC": lambda: many_vectors("SVC"),
        "200 rows, 20,000 support vectors, SVC, one pass": lambda: many_vectors("SVC", **ONE_PASS),
        "200 rows, 20,000 support vectors, SVR": lambda: many_vectors("SVR"),
        "200 rows, 20,000 support vectors, OneClassSVM": lambda: many_vectors("OneClassSVM"),
        "200 rows, 20,000 support vectors, OneClassSVM, one pass": lambda: many_vectors("OneClassSVM", **ONE_PASS),
    }


def text(n_rows: int, kind: str, n_words: int = 50_000) -> Case:
    """Documents of some hundred words, as often as in a language."""
    from scipy import sparse
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.linear_model import SGDClassifier
    from sklearn.naive_bayes import MultinomialNB
    from sklearn.pipeline import make_pipeline

    random_numbers = np.random.default_rng(0)
    lengths = random_numbers.poisson(120, n_rows)
    words = np.minimum(random_numbers.pareto(0.6, lengths.sum()) * 20, n_words - 1).astype(np.int32)
    ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    X = sparse.csr_matrix((np.ones(len(words)), words, ends), shape=(n_rows, n_words))
    X.sum_duplicates()
    X.data, X.indices = X.data.copy(), X.indices.copy()
    y = random_numbers.integers(0, 2, 2000)
    models = {
        "logistic": SGDClassifier(loss="log_loss", max_iter=5, tol=None),
        "svm": SGDClassifier(max_iter=5, tol=None),
        "tf-idf": make_pipeline(TfidfTransformer(), SGDClassifier(loss="log_loss", max_iter=5, tol=None)),
    }
    return models.get(kind, MultinomialNB()).fit(X[:2000], y[:n_rows]), X, {}, None


def many_columns() -> Case:
    from sklearn.linear_model import Ridge

    X = np.random.default_rng(0).normal(size=(500, 100_000))
    return Ridge().fit(X, X[:, 0]), X, {}, None


def many_classes(n_rows: int, n_columns: int, *, sparse: bool) -> Case:
    from sklearn.linear_model import SGDClassifier

    model = SGDClassifier()
    model.classes_, model.n_features_in_ = np.arange(1000), n_columns
    model.coef_ = np.random.default_rng(0).normal(size=(1000, n_columns))
    model.intercept_, model.loss_function_ = np.zeros(1000), None
    if sparse:
        return model, text(n_rows, "bayes", n_columns)[1], {}, "all"
    return model, np.random.default_rng(1).normal(size=(n_rows, n_columns)), {}, "all"


def many_clusters() -> Case:
    from sklearn.cluster import KMeans

    X = np.random.default_rng(0).normal(size=(2000, 30))
    return KMeans(1000, n_init=1, max_iter=1, random_state=0).fit(X), X[:200], ONE_PASS, "all"


def many_vectors(name: str, **options: Any) -> Case:
    """Each row of the fit is a support vector."""
    from sklearn import svm

    X = np.random.default_rng(0).normal(size=(20_000, 20))
    y = np.arange(20_000) % 2
    models = {"SVC": svm.SVC(C=0.01), "SVR": svm.SVR(C=0.01, epsilon=0.0), "OneClassSVM": svm.OneClassSVM(nu=0.9999)}
    return models[name].fit(X, y), X[:200], options, None


def run(case: str) -> dict[str, float]:
    """Rows a second; bytes of the rows, of what is found, and of the peak beside rows and model."""
    import neon

    model, X, options, target = cases()[case]()
    explainer = neon.Explainer(model, progress=False, **options)
    explainer(X[:8], target)
    held = resident()
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak is counted from here on
    start = time.perf_counter()
    found = explainer(X, target)
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
