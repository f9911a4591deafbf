"""Row blocks in threads.

The compiled loops release the interpreter's lock. They share no thread pool with torch, whose threads wait by spinning
and would take the cores from ours; between two of our loops, nothing large runs in torch.
"""

from __future__ import annotations

import contextvars
import functools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

__all__ = ["in_blocks", "in_threads", "row_blocks"]


def row_blocks(n: int, least: int, most: int | None = None) -> list[slice]:
    """N rows in blocks of ``least`` to ``most``, one for each of torch's threads if that lies between."""
    size = max(least, -(-n // torch.get_num_threads()))
    size = size if most is None else min(size, most)
    return [slice(i, min(i + size, n)) for i in range(0, n, size)]


def in_threads(tasks: Sequence[Callable[[], Any]], workers: int) -> list[Any]:
    """What each task returns, in order; each runs in a copy of the caller's context."""
    if len(tasks) == 1 or workers == 1:
        return [task() for task in tasks]
    with ThreadPoolExecutor(workers) as pool:
        return [future.result() for future in [pool.submit(contextvars.copy_context().run, task) for task in tasks]]


def in_blocks(task: Callable[[slice], Any], n: int, least: int, most: int | None = None) -> None:
    """Run over N rows in `row_blocks`."""
    if 0 < n <= least:
        task(slice(0, n))
        return
    in_threads([functools.partial(task, part) for part in row_blocks(n, least, most)], torch.get_num_threads())
