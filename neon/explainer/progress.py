"""A progress bar that shows where the work takes long."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any

__all__ = ["Progress"]

_SLOW = 2.0  # seconds of expected work from which a bar shows


class Progress:
    """A bar over rows.

    Parameters
    ----------
    n_rows : int
    show : bool, optional
        Default: once the work left is expected to take longer than about two seconds.
    """

    def __init__(self, n_rows: int, show: bool | None) -> None:
        self.n_rows, self.show = n_rows, show
        self._began, self._done = time.perf_counter(), 0
        self._bar: Any = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def reach(self, done: int) -> None:
        """Say that so many rows are done; the first ones, which take longer than others, tell nothing of the rest."""
        left = (time.perf_counter() - self._began) * (self.n_rows / max(done, 1) - 1)
        if self._bar is None and (self.show or (self.show is None and left > _SLOW and self._done > 0)):
            from tqdm.auto import tqdm

            self._bar = tqdm(total=self.n_rows, unit="rows", desc="neon")
        if self._bar is not None:
            self._bar.update(done - self._bar.n)
        self._done = done
