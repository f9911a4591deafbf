"""A progress bar that shows where the work takes long."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

_SLOW = 2.0  # seconds of expected work from which a bar shows


@contextlib.contextmanager
def progress_bar(n_rows: int, show: bool | None) -> Iterator[Callable[[int], None]]:
    """A bar over rows, and what to call with how many are done; None: shown once much work is left."""
    began, before = time.perf_counter(), 0
    bar: Any = None

    def reach(done: int) -> None:
        """The first rows, which take longer than others, tell nothing of the rest."""
        nonlocal before, bar
        left = (time.perf_counter() - began) * (n_rows / max(done, 1) - 1)
        if bar is None and (show or (show is None and left > _SLOW and before > 0)):
            from tqdm.auto import tqdm

            bar = tqdm(total=n_rows, unit="rows", desc="neon")
        if bar is not None:
            bar.update(done - bar.n)
        before = done

    try:
        yield reach
    finally:
        if bar is not None:
            bar.close()
