"""Explaining files of more rows than memory holds: rows a second beside those in memory, peak memory, kills.

    python -m benchmarks.scale                       # two million rows
    python -m benchmarks.scale --rows 20000000 --kills 10
    python -m benchmarks.scale --processes           # two processes beside one (benchmarks/processes.py)
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
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import wide
from benchmarks.processes import ENGINES, table

N_FEATURES = 30
IN_MEMORY = 200_000
GROUP = 100_000
SLOW = ("k-means, by default", "XGBoost, 100 trees of depth 6")  # tens of thousands of rows a second


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--models", nargs="*", default=list(models()))
    parser.add_argument("--folder", help="where the rows and what is found are written for a while")
    parser.add_argument("--run", nargs=3, metavar=("MODEL", "SOURCE", "DESTINATION"), help=argparse.SUPPRESS)
    parser.add_argument("--processes", nargs="*", metavar="ENGINE", choices=list(ENGINES), help="two beside one")
    parser.add_argument("--wide", nargs="*", metavar="CASE", choices=list(wide.cases()), help="instead of files")
    options = parser.parse_args()
    if options.wide is not None:
        wide.table(options.wide)
        return
    if options.processes is not None:
        for line in side_by_side(options.models, options.processes or ENGINES, options.folder):
            print(line, flush=True)
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


def fitted(name: str) -> Any:
    """The explainer of a model, fitted to rows of the table."""
    import pandas as pd

    import neon

    columns = [f"x{i}" for i in range(N_FEATURES)]
    X = pd.DataFrame(np.random.default_rng(1).normal(size=(2000, N_FEATURES)), columns=columns)
    model, options = models()[name]
    return neon.Explainer(model.fit(X, (X["x0"] + X["x1"] * X["x2"] > 0).astype(int)), progress=False, **options)


def side_by_side(names: list[str], engines: Iterable[str], folder: str | None) -> Iterator[str]:
    """Two processes beside one, for files of twelve parts, which one process works on for seconds."""
    with tempfile.TemporaryDirectory(dir=folder) as made:
        cases = {}
        for name in names:
            part = 20_000 if name in SLOW else GROUP
            cases[name] = fitted(name), Path(made) / f"{part}.parquet"
            if not cases[name][1].exists():
                write_rows(cases[name][1], 12 * part, part)
        yield from table(cases, Path(made), engines)


def write_rows(path: Path, n_rows: int, group: int = GROUP) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = [f"x{i}" for i in range(N_FEATURES)]
    schema = pa.schema([(name, pa.float64()) for name in names])
    with pq.ParquetWriter(path, schema, use_dictionary=False) as writer:
        for k in range(0, n_rows, group):
            values = np.random.default_rng(k).normal(size=(N_FEATURES, min(group, n_rows - k)))
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
    import pyarrow.parquet as pq

    import neon

    explainer = fitted(name)
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


def contents(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


if __name__ == "__main__":
    main()
