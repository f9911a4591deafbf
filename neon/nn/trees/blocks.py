"""Row blocks in threads.

The compiled loops release the interpreter's lock. They share no thread pool with torch, whose threads wait by spinning
and would take the cores from ours; between two of our loops, nothing large runs in torch.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

__all__ = ["has_numba", "in_threads"]


@functools.cache
def has_numba() -> bool:
    """Whether the compiled loops can be used; they are imported at the first call."""
    try:
        import neon.nn.trees.compiled  # noqa: F401
    except ImportError:
        return False
    return True


def in_threads(tasks: Sequence[Callable[[], Any]], workers: int) -> list[Any]:
    """What each task returns, in order."""
    if len(tasks) == 1 or workers == 1:
        return [task() for task in tasks]
    with ThreadPoolExecutor(workers) as pool:
        return [future.result() for future in [pool.submit(task) for task in tasks]]
