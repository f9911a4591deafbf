"""What is said of work that takes long: a bar over rows, and a word of loops that are compiled."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec, TypeVar

from neon._compilation import silently

__all__ = ["progress_bar", "silent_if_asked"]

P = ParamSpec("P")
T = TypeVar("T")
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


def silent_if_asked(method: Callable[P, T]) -> Callable[P, T]:
    """A decorator of an explainer's methods: with ``progress=False``, nothing is said of loops that are compiled."""

    @functools.wraps(method)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        with silently(kwargs.get("progress", getattr(args[0], "progress", None)) is False):
            return method(*args, **kwargs)

    return run
