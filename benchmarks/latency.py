"""One row at a time: how long an answer takes, beside the model's own, alone and in sixteen threads.

    python -m benchmarks.latency [--calls 1000] [--only k-means,SVC] [--write]

Single calls of a prepared explainer, each for another row; those of the model itself are taken in between, so that both
see the same machine. Before, the explainer has explained 64 rows, which it compared with the model. Every answer is
held to that of the batch. About three minutes; ``--write`` puts the table into benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import xgboost
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KernelDensity, KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR, OneClassSVM

import neon
from benchmarks.pages import table, write_section

PAGE = Path(__file__).with_name("README.md")
BEGIN = "<!-- latency: made by python -m benchmarks.latency --write -->"
THREADS, PREPARED = 16, 64


class Family(NamedTuple):
    """A model, the rows that it is fitted on, what it is fitted to, and the target of a row's median time."""

    model: Any
    n_rows: int
    fitted_to: str
    target: float | None  # milliseconds, of the published rule
    composite: str | None = "neon"


def _boosted(n_trees: int) -> xgboost.XGBRegressor:
    return xgboost.XGBRegressor(n_estimators=n_trees, max_depth=6, n_jobs=1)


FAMILIES: dict[str, Family] = {
    "k-means, 8 clusters": Family(KMeans(8, n_init=1, random_state=0), 10_000, "", 1.0),
    "logistic regression": Family(LogisticRegression(), 10_000, "label", 1.0),
    "scaler and logistic regression": Family(
        make_pipeline(StandardScaler(), LogisticRegression()), 10_000, "label", 1.0
    ),
    "SVC, 500 vectors": Family(SVC(C=1e-3, gamma=0.03), 500, "label", 3.0),
    'SVR, 1,000 vectors, composite="shapley"': Family(SVR(gamma=0.03, epsilon=0.0), 1_000, "value", 5.0, "shapley"),
    "one-class SVM, 500 vectors": Family(OneClassSVM(gamma=0.03, nu=0.5), 1_000, "", 3.0),
    "kernel density, 500 points": Family(KernelDensity(), 500, "", 3.0),
    "5 nearest of 1,000": Family(KNeighborsClassifier(), 1_000, "label", None),
    "perceptron (100)": Family(MLPClassifier((100,), max_iter=20, random_state=0), 10_000, "label", None),
    "XGBoost, 100 trees of depth 6": Family(_boosted(100), 10_000, "value", 0.5, None),
    "XGBoost, 500 trees of depth 6": Family(_boosted(500), 10_000, "value", 2.7, None),
    "random forest, 30 unlimited trees": Family(RandomForestRegressor(30, random_state=0), 10_000, "value", 11.0, None),
}
# By the default composites, which start from several rows.
FAMILIES |= {
    f"{name}, by default": FAMILIES[name]._replace(composite=None)
    for name in ("k-means, 8 clusters", "SVC, 500 vectors", "one-class SVM, 500 vectors", "kernel density, 500 points")
}


class Times(NamedTuple):
    """Milliseconds of each call, neon's and the model's own: of the thread's processor time, and by the clock."""

    ours: np.ndarray
    own: np.ndarray
    ours_by_clock: np.ndarray
    own_by_clock: np.ndarray


def data() -> dict[str, np.ndarray]:
    """Rows, and what is fitted to them."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(12_000, 30)).astype(np.float32).astype(np.float64)
    value = X[:, 0] * X[:, 1] + np.sin(2 * X[:, 2]) + 0.3 * X[:, 3:10].sum(1) + (X[:, 10] > 0) * X[:, 11]
    value = value + 0.5 * rng.normal(size=len(X))
    return {"rows": X, "value": value, "label": (value > np.median(value)).astype(int)}


def measure(family: Family, known: dict[str, np.ndarray], n_calls: int) -> tuple[Times, Times, float]:
    """Alone, in threads, and by how much an answer differs from the batch's, relative to the largest relevance."""
    fitted = known["rows"][: family.n_rows]
    y = known[family.fitted_to][: family.n_rows] if family.fitted_to else None
    model = clone(family.model).fit(fitted, y)
    own = getattr(model, "predict", None) or model.score_samples
    rows = known["rows"][-n_calls:]
    explainer = neon.Explainer(model, composite=family.composite)
    batch = explainer(rows)
    explainer(rows[:PREPARED])
    worst = np.zeros(n_calls)

    def one(i: int) -> list[float]:
        row = rows[i : i + 1]
        found, *ours = timed(lambda: explainer(row))
        worst[i] = np.abs(found.values[0] - batch.values[i]).max()
        _, *theirs = timed(lambda: own(row))
        return [ours[0], theirs[0], ours[1], theirs[1]]

    for i in range(min(20, n_calls)):
        one(i)
    alone = np.array([one(i) for i in range(n_calls)])
    with ThreadPoolExecutor(THREADS) as pool:
        together = np.array(list(pool.map(one, range(n_calls))))
    return Times(*alone.T), Times(*together.T), float(worst.max() / np.abs(batch.values).max())


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """What it gives, and the milliseconds that it takes, of this thread's processor time and by the clock."""
    start, busy = time.perf_counter(), time.thread_time()
    found = work()
    return found, 1e3 * (time.thread_time() - busy), 1e3 * (time.perf_counter() - start)


def line(name: str, family: Family, alone: Times, together: Times, worst: float) -> list[str]:
    parts = (*alone, *together[2:])
    cells = [name, *(f"{np.median(part):.2f} / {np.quantile(part, 0.99):.2f}" for part in parts)]
    if family.target is None:
        return [*cells, "", f"{worst:.0e}"]
    missed = "" if float(np.median(alone.ours)) <= family.target else ", **missed**"
    return [*cells, f"{family.target:g}{missed}", f"{worst:.0e}"]


def text(lines: list[list[str]], n_calls: int) -> str:
    header = [
        "model", "neon", "predict", "neon by the clock", "predict by the clock", f"neon, {THREADS} threads",
        f"predict, {THREADS} threads", "target", "from the batch",
    ]  # fmt: skip
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return "\n".join([
        "### One row at a time",
        "",
        "`python -m benchmarks.latency --write`",
        "",
        *table(header, lines),
        "",
        f"Milliseconds, median / 99th percentile of {n_calls:,} calls of one row with 30 features; torch on one",
        'thread. By `composite="neon"`, which the targets are for, where the name says nothing else; of trees the',
        "default. The first two columns are processor time of the calling thread, to which other work on the same",
        "cores and caches adds as well, to predict's as to neon's; targets are for its median. By the clock,",
        f"calls waited for others: this machine has {cores} cores, with other work on them. In threads, they wait",
        "for Python's lock as well. The last column is the largest difference from the answer that the batch gave",
        "for the row, in units of the largest relevance.",
        "",
    ])  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--only", default="", help="words in the names of families, separated by commas")
    parser.add_argument("--write", action="store_true", help=f"write the table into benchmarks/{PAGE.name}")
    given = parser.parse_args()
    torch.set_num_threads(1)
    warnings.showwarning = lambda *args, **kwargs: None  # filters are put back by whichever thread comes last
    words, known, lines = given.only.split(","), data(), []
    for name, family in FAMILIES.items():
        if any(word.lower() in name.lower() for word in words):
            lines.append(line(name, family, *measure(family, known, given.calls)))
            print(lines[-1], flush=True)
    page = text(lines, given.calls)
    print(page)
    if given.write:
        write_section(PAGE, BEGIN, page)


if __name__ == "__main__":
    main()
