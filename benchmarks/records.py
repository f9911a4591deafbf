"""What a benchmark measured, kept line by line in a file that the next run goes on from."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from tqdm import tqdm

__all__ = ["Key", "Record", "gathered", "known", "rounded"]

Record = dict[str, Any]
Key = tuple[Any, ...]


def known(file: Path, fields: Sequence[str], fresh: bool = False) -> dict[Key, Record]:
    """The records of a file by these fields of theirs; fresh : forget the file."""
    if fresh:
        file.unlink(missing_ok=True)
    lines = file.read_text().splitlines() if file.exists() else []
    return {tuple(record[field] for field in fields): record for record in map(json.loads, lines)}


def gathered(
    measure: Callable[..., list[Record]],
    jobs: Sequence[Iterable[Any]],
    file: Path,
    n_jobs: int,
    seconds: float = float("inf"),
) -> None:
    """Write the records of ``measure(*job)`` behind those of the file, job by job as they end.

    seconds : jobs that would begin later than that are left for the next run.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    end = time.time() + seconds
    work = joblib.Parallel(n_jobs=n_jobs, return_as="generator_unordered")(
        joblib.delayed(before)(end, measure, job) for job in jobs
    )
    with file.open("a") as out:
        for records in tqdm(work, total=len(jobs), unit="model"):
            out.writelines(json.dumps(record) + "\n" for record in records)
            out.flush()


def before(end: float, measure: Callable[..., list[Record]], job: Iterable[Any]) -> list[Record]:
    """The records of a job, none after the end."""
    return measure(*job) if time.time() < end else []


def rounded(scores: np.ndarray) -> list[float]:
    """Six digits of each."""
    return [float(f"{score:.6g}") for score in scores]
