"""Explaining files of more rows than memory holds: rows a second beside those in memory, peak memory, kills.

    python -m benchmarks.scale                       # two million rows
    python -m benchmarks.scale --rows 20000000 --kills 10
    python -m benchmarks.scale --wide                # text, many columns, many classes, many support vectors

Makes its own rows (30 columns of normal numbers) in a folder that it removes. Each run is a process of its own, whose
peak memory is what the system counted; rows a second in memory are those of 200,000 rows in the same process, once
warm. With --kills, one run of the first model is killed at so many random moments and called again; its output is
compared, byte by byte, with that of a run that nothing interrupted.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

N_FEATURES = 30
IN_MEMORY = 200_000
GROUP = 100_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--models", nargs="*", default=list(models()))
    parser.add_argument("--folder", help="where the rows and what is found are written for a while")
    parser.add_argument("--run", nargs=3, metavar=("MODEL", "SOURCE", "DESTINATION"), help=argparse.SUPPRESS)
    parser.add_argument("--wide", nargs="*", metavar="CASE", choices=list(wide_cases()), help="instead of files")
    parser.add_argument("--wide-run", metavar="CASE", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.wide_run:
        print(json.dumps(wide_run(options.wide_run)))
        return
    if options.wide is not None:
        print("| case | rows/s | rows, MiB | what is found, MiB | peak beside rows and model, MiB | / rows |")
        print("|---|---|---|---|---|---|")
        for case in options.wide or wide_cases():
            print(wide_row(case), flush=True)
        return
    if options.run:
        print(json.dumps(one_run(*options.run)))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        source = Path(folder) / "rows.parquet"
        write_rows(source, options.rows)
        print(f"{options.rows:,} rows of {N_FEATURES} columns, {source.stat().st_size / 2**30:.2f} GiB\n")
        print("| model | rows/s in memory | rows/s from file to file | share | peak memory, MiB |")
        print("|---|---|---|---|---|")
        for name in options.models:
            print(row(name, source, Path(folder) / "out"), flush=True)
        if options.kills:
            print(f"\n{options.models[0]}: {killed(options.models[0], source, Path(folder), options.kills)}")


def models() -> dict[str, Any]:
    """Each with the options of its explainer."""
    from sklearn.cluster import KMeans
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from xgboost import XGBClassifier

    return {
        "scaler and logistic regression": (make_pipeline(StandardScaler(), LogisticRegression()), {}),
        "k-means, one pass": (KMeans(8, n_init=1, random_state=0), {"composite": "neon"}),
        "k-means, by default": (KMeans(8, n_init=1, random_state=0), {}),
        "XGBoost, 100 trees of depth 6": (XGBClassifier(n_estimators=100, max_depth=6, n_jobs=1), {}),
    }


def write_rows(path: Path, n_rows: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = [f"x{i}" for i in range(N_FEATURES)]
    schema = pa.schema([(name, pa.float64()) for name in names])
    with pq.ParquetWriter(path, schema, use_dictionary=False) as writer:
        for k in range(0, n_rows, GROUP):
            values = np.random.default_rng(k).normal(size=(N_FEATURES, min(GROUP, n_rows - k)))
            writer.write_table(pa.table(list(values), schema=schema))


def row(name: str, source: Path, out: Path) -> str:
    """One line of the table."""
    found = json.loads(subprocess.run(command(name, source, out), capture_output=True, text=True, check=True).stdout)
    shutil.rmtree(out)
    memory, stream = found["in_memory"], found["stream"]
    return f"| {name} | {memory:,.0f} | {stream:,.0f} | {stream / memory:.0%} | {found['peak'] / 2**20:,.0f} |"


def command(name: str, source: Path, out: Path) -> list[str]:
    return [sys.executable, "-m", "benchmarks.scale", "--run", name, str(source), str(out)]


def one_run(name: str, source: str, out: str) -> dict[str, float]:
    """Rows a second in memory and from file to file, and the peak of memory in bytes."""
    import pandas as pd
    import pyarrow.parquet as pq

    import neon

    columns = [f"x{i}" for i in range(N_FEATURES)]
    X = pd.DataFrame(np.random.default_rng(1).normal(size=(2000, N_FEATURES)), columns=columns)
    model, options = models()[name]
    explainer = neon.Explainer(model.fit(X, (X["x0"] + X["x1"] * X["x2"] > 0).astype(int)), progress=False, **options)
    file = pq.ParquetFile(source)
    rows = file.read_row_groups(list(range(min(IN_MEMORY // GROUP, file.num_row_groups)))).to_pandas()
    explainer(rows[:1000])
    start = time.perf_counter()
    explainer(rows)
    in_memory = len(rows) / (time.perf_counter() - start)
    start = time.perf_counter()
    neon.explain_parquet(source, out, explainer, progress=False)
    stream = file.metadata.num_rows / (time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"in_memory": in_memory, "stream": stream, "peak": float(peak)}


def killed(name: str, source: Path, folder: Path, n_kills: int) -> str:
    """Kill a run at random moments, let it end, and compare."""
    whole, cut = folder / "whole", folder / "cut"
    start = time.perf_counter()
    subprocess.run(command(name, source, whole), check=True, capture_output=True)
    length = time.perf_counter() - start
    moments = random.Random(0)
    for _ in range(n_kills):
        before = len(list(cut.glob("part-*")))
        run = subprocess.Popen(command(name, source, cut), stdout=subprocess.DEVNULL)
        while run.poll() is None and len(list(cut.glob("part-*"))) == before:
            time.sleep(0.01)  # what comes before the first batch writes nothing
        time.sleep(moments.uniform(0, 0.5) * length / n_kills)
        run.kill()
        run.wait()
    there = len(list(cut.glob("part-*")))
    subprocess.run(command(name, source, cut), check=True, capture_output=True)
    same = contents(whole) == contents(cut)
    ended = "the same bytes" if same else "OTHER BYTES"
    return f"killed {n_kills} times, {there} batches were there then; {ended} at the end"


def wide_cases() -> dict[str, Callable[[], tuple[Any, Any, dict[str, Any]]]]:
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


def wide_run(case: str) -> dict[str, float]:
    """Rows a second; bytes of the rows, of what is found, and of the peak beside rows and model."""
    import neon

    model, X, how = wide_cases()[case]()
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


def wide_row(case: str) -> str:
    run = [sys.executable, "-m", "benchmarks.scale", "--wide-run", case]
    found = json.loads(subprocess.run(run, capture_output=True, text=True, check=True).stdout)
    rows, values, peak = (found[name] / 2**20 for name in ("rows", "found", "peak"))
    return f"| {case} | {found['speed']:,.0f} | {rows:,.1f} | {values:,.1f} | {peak:,.1f} | {peak / rows:.2f} |"


def contents(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


if __name__ == "__main__":
    main()
