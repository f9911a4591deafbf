"""What a row costs, and how much memory, as models grow: features, support vectors, clusters, trees, and rows of files.

    python -m benchmarks.growth [--only clusters,trees] [--quick] [--write]

Each size is a process of its own on one core, whose processor time counts, so that other work on the machine is not
counted; its peak memory is what Linux counts beside the rows and the model. Growth with rows is the exponent b of
cost ~ rows^b, from n to 4 n rows (of files: from the size before); 1 is linear. About ten minutes; ``--quick`` takes
small sizes in this process, which takes seconds. ``--write`` puts the table into docs/scale.md.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks import scale
from benchmarks.pages import table, write_section
from benchmarks.wide import resident

__all__ = ["SERIES", "Cost", "in_memory", "of_files"]

PAGE = Path(__file__).parent.parent / "docs/scale.md"
BEGIN = "<!-- growth: made by python -m benchmarks.growth --write -->"
LINEAR = 1.1  # the largest exponent that counts as linear
LEAST, MOST = 0.5, 2**26  # processor seconds of n rows, and numbers that they hold
HEADER = ["growing", "size", "rows", "rows/s of one core", "growth with rows", "peak memory, MiB"]
Made = tuple[Any, int]  # a fitted model, and the columns that it reads


class Cost(NamedTuple):
    """What n rows cost: seconds of the processor, bytes at the peak; and the exponent of the growth with rows."""

    n_rows: int
    seconds: float
    peak: float
    growth: float = math.nan


class Series(NamedTuple):
    """A model of each size."""

    sizes: Sequence[int]
    make: Callable[[int], Made]
    quick: Sequence[int]


def _normal(n_rows: int, n_columns: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n_rows, n_columns))


def _logistic(n_features: int) -> Made:
    from sklearn.linear_model import LogisticRegression

    X = _normal(200, n_features)
    return LogisticRegression(max_iter=20, tol=1.0).fit(X, X[:, 0] > 0), n_features


def _kmeans(n_clusters: int, n_features: int = 30) -> Made:
    from sklearn.cluster import KMeans

    X = _normal(max(200, 4 * n_clusters), n_features)
    return KMeans(n_clusters, n_init=1, max_iter=5, random_state=0).fit(X), n_features


def _svc(n_vectors: int) -> Made:
    """Labels that rows do not tell: each becomes a support vector."""
    from sklearn.svm import SVC

    return SVC(C=0.01, gamma=0.05).fit(_normal(n_vectors, 30), np.arange(n_vectors) % 2), 30


def _boosted(n_trees: int) -> Made:
    from xgboost import XGBClassifier

    X = _normal(5000, 30)
    y = X[:, 0] + X[:, 1] * X[:, 2] + _normal(5000, 31)[:, 30] > 0
    return XGBClassifier(n_estimators=n_trees, max_depth=6, learning_rate=0.05, n_jobs=1).fit(X, y), 30


SERIES: dict[str, Series] = {
    "features, logistic regression": Series((10, 100, 1000, 10_000), _logistic, (3, 20)),
    "features, k-means": Series((10, 100, 1000, 10_000), lambda n: _kmeans(8, n), (3, 20)),
    "support vectors, SVC": Series((100, 1000, 5000, 20_000), _svc, (20, 60)),
    "clusters, k-means": Series((2, 10, 100, 1000), _kmeans, (2, 9)),
    "trees of depth 6, XGBoost": Series((10, 100, 500, 2000), _boosted, (2, 5)),
}
FILES = "rows of a file, scaler and logistic regression"
N_ROWS = (1000, 10_000, 100_000, 1_000_000, 10_000_000)


def in_memory(model: Any, n_features: int, least: float = LEAST, repeats: int = 3) -> Cost:
    """Explain n rows and 4 n in turns, n so many that they take a while; the cost is that of 4 n."""
    import neon

    explainer = neon.Explainer(model, progress=False)
    explainer(_normal(64, n_features))
    held, n = resident(), 64
    _count_peak()
    while (spent := _seconds(explainer, _normal(n, n_features))) < least and n * n_features * 8 <= MOST:
        n *= 2
    X = _normal(4 * n, n_features)
    if spent > 10 * least:
        repeats = 1
    pairs = [(_seconds(explainer, X[:n]), _seconds(explainer, X)) for _ in range(repeats)]
    ratio = statistics.median(four / one for one, four in pairs)
    peak = max(0, resident("VmHWM") - held - X.nbytes)
    return Cost(len(X), statistics.median(four for _, four in pairs), float(peak), math.log(ratio, 4))


def of_files(n_rows: int) -> Cost:
    """Explain so many rows from one Parquet file to a folder."""
    import neon

    explainer = scale.fitted(next(iter(scale.models())))
    with tempfile.TemporaryDirectory() as folder:
        source, first = Path(folder) / "rows.parquet", Path(folder) / "first.parquet"
        scale.write_rows(first, 100)
        neon.explain_parquet(first, f"{folder}/warm", explainer, progress=False)
        held = resident()
        scale.write_rows(source, n_rows)  # what is not given back of it counts as well
        _count_peak()
        start = time.process_time()
        neon.explain_parquet(source, f"{folder}/out", explainer, progress=False)
        return Cost(n_rows, time.process_time() - start, float(resident("VmHWM") - held))


def costs(name: str, quick: bool) -> Iterator[tuple[int, Cost]]:
    """Each size of a series, and what its rows cost."""
    if name != FILES:
        for size in SERIES[name].quick if quick else SERIES[name].sizes:
            yield size, cost(name, size, quick)
        return
    before = None
    for size in (50, 100) if quick else N_ROWS:
        found = cost(name, size, quick)
        if before is not None:
            growth = math.log(found.seconds / before.seconds) / math.log(size / before.n_rows)
            yield size, found._replace(growth=growth)
        else:
            yield size, found
        before = found


def cost(name: str, size: int, quick: bool) -> Cost:
    if not quick:
        run = [sys.executable, "-m", "benchmarks.growth", "--run", name, str(size)]
        return Cost(*json.loads(subprocess.run(run, capture_output=True, text=True, check=True).stdout))
    return of_files(size) if name == FILES else in_memory(*SERIES[name].make(size), least=0.0, repeats=1)


def lines(name: str, quick: bool) -> Iterator[list[str]]:
    """Rows of the table, and one that says whether cost is linear in rows."""
    exponents = []
    for size, found in costs(name, quick):
        growth = "" if math.isnan(found.growth) else f"{found.growth:.2f}"
        speed, peak = found.n_rows / found.seconds, found.peak / 2**20
        yield [name, f"{size:,}", f"{found.n_rows:,}", f"{speed:,.0f}", growth, f"{peak:,.0f}"]
        exponents.append(found.growth)
    worst = np.nanmax(exponents)
    yield [name, "", "", "", f"{'linear' if worst <= LINEAR else '**not linear**'}: at most {worst:.2f}", ""]


def text(rows: list[list[str]]) -> str:
    return "\n".join([
        "`python -m benchmarks.growth --write`: what a row costs as models grow, on one core, by the processor's time;",
        "peak memory beside the rows and the model. Growth with rows is the exponent b of cost ~ rows^b, from n rows",
        "to 4 n (of a file: from the size above); k-means over features has 8 clusters, other models read 30 columns.",
        "",
        *table(HEADER, rows),
        "",
    ])  # fmt: skip


def _seconds(explainer: Any, X: np.ndarray) -> float:
    start = time.process_time()
    explainer(X)
    return time.process_time() - start


def _count_peak() -> None:
    """Have Linux count this process's peak memory from here on."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def main(given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="words in the names of series, separated by commas")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs")
    parser.add_argument("--write", action="store_true", help=f"write the table into docs/{PAGE.name}")
    parser.add_argument("--run", nargs=2, metavar=("SERIES", "SIZE"), help=argparse.SUPPRESS)
    options = parser.parse_args(given)
    torch.set_num_threads(1)
    if options.run:
        name, size = options.run[0], int(options.run[1])
        print(json.dumps(of_files(size) if name == FILES else in_memory(*SERIES[name].make(size))))
        return
    found = []
    print("\n".join(table(HEADER, [])))
    for name in (FILES, *SERIES):
        if any(word in name for word in options.only.split(",")):
            for line in lines(name, options.quick):
                found.append(line)
                print(table(line, [])[0], flush=True)
    if options.write:
        write_section(PAGE, BEGIN, text(found))


if __name__ == "__main__":
    main()
