"""Two processes beside one: explaining a Parquet file, part by part, to a folder.

    python -m benchmarks.scale --processes                 # both engines; five minutes
    python -m benchmarks.scale --processes dask --models "k-means, one pass"

Of each engine, one process and two are both there and warm, and take turns: one, two, one, two. The ratio is the median
over the pairs, so that what else the machine does meets both. `plain` has processes of Python alone, one thread each,
which is what the machine can do; a loop of Python, which hardly touches memory, is what its cores can.
"""

from __future__ import annotations

import os
import shutil
import statistics
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks.measure import seconds

__all__ = ["ENGINES", "paired", "table"]

Run = Callable[[], Any]


def table(cases: dict[str, tuple[Any, Path]], folder: Path, engines: Iterable[str], repeats: int = 3) -> Iterator[str]:
    """Lines of the table: an explainer and a file of rows in each case."""
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that begin from here on
    yield "| model | engine | rows | rows/s, one process | rows/s, two | ratio |"
    yield "|---|---|---|---|---|---|"
    with ExitStack() as stack:
        one, two = (stack.enter_context(plain(n)) for n in (1, 2))
        _, _, ratio = paired(lambda: one(_count, [_LOOP] * 8), lambda: two(_count, [_LOOP] * 8), repeats)
    yield f"| none: a loop of Python | plain | | | | {ratio:.2f} |"
    for engine in engines:
        for name, (explainer, source) in cases.items():
            n_rows = pq.ParquetFile(source).metadata.num_rows
            with ExitStack() as stack:
                runs = [stack.enter_context(ENGINES[engine](explainer, source, folder / f"{n}", n)) for n in (1, 2)]
                first, second, ratio = paired(*runs, repeats)
            yield f"| {name} | {engine} | {n_rows:,} | {n_rows / first:,.0f} | {n_rows / second:,.0f} | {ratio:.2f} |"


def paired(one: Run, two: Run, repeats: int) -> tuple[float, float, float]:
    """Median seconds of each, and the median of how often the second is done in the time of the first."""
    one(), two()  # what is compiled, imported or sent is, once
    pairs = [(seconds(one), seconds(two)) for _ in range(repeats)]
    first, second = (statistics.median(column) for column in zip(*pairs, strict=True))
    return first, second, statistics.median(a / b for a, b in pairs)


@contextmanager
def plain(n_processes: int, *given: Any) -> Iterator[Callable[..., list[Any]]]:
    with ProcessPoolExecutor(n_processes, get_context("spawn"), _alone, given) as pool:
        yield lambda work, parts: list(pool.map(work, parts))


@contextmanager
def plain_files(explainer: Any, source: Path, out: Path, n_processes: int) -> Iterator[Run]:
    parts = range(pq.ParquetFile(source).num_row_groups)
    with plain(n_processes, explainer, source, out) as run:
        yield lambda: (_emptied(out), run(_explain_part, parts))


@contextmanager
def dask_files(explainer: Any, source: Path, out: Path, n_processes: int) -> Iterator[Run]:
    import dask.dataframe as dd
    import distributed

    from neon.scale import explain_dask

    options = {"threads_per_worker": 1, "dashboard_address": ":0", "silence_logs": 50}
    with (
        distributed.LocalCluster(n_workers=n_processes, **options) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):

        def run() -> None:
            _emptied(out)
            rows = dd.read_parquet(source, split_row_groups=1)
            client.compute(explain_dask(rows, explainer).to_parquet(out, compute=False), sync=True)

        yield run


ENGINES = {"plain": plain_files, "dask": dask_files}

_LOOP = 3_000_000
_held: tuple[Any, ...] = ()


def _alone(*given: Any) -> None:
    """Begin a process of `plain`: one thread, and what it works with."""
    global _held
    import torch

    torch.set_num_threads(1)
    _held = given


def _count(n: int) -> int:
    return sum(i & 1 for i in range(n))


def _explain_part(part: int) -> None:
    explainer, source, out = _held
    frame = pq.ParquetFile(source).read_row_group(part).to_pandas()
    explainer.explain_frame(frame).to_parquet(out / f"part-{part}.parquet")


def _emptied(out: Path) -> None:
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
