"""Loops compiled by numba: a word while it takes its seconds, and compiled code kept where there is room for it."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

__all__ = ["has_numba", "njit", "silently"]

_AGAIN = 60.0  # seconds after which loops that are compiled are spoken of again
_LAST = [-_AGAIN]  # when that was, on the clock of `time.monotonic`
_SILENT: ContextVar[bool] = ContextVar("silent", default=False)


@functools.cache
def has_numba() -> bool:
    """Whether the compiled loops can be used: numba is there, compiles, and takes the NumPy that is installed.

    Without it torch computes the same, many times more slowly, of which a warning tells once.
    """
    why = ""
    try:
        import numba

        if getattr(numba.config, "DISABLE_JIT", False):
            why = "NUMBA_DISABLE_JIT is set"
    except ImportError as error:
        why = f"numba cannot be imported ({error})"
    if why:
        remedy = "unset it" if "DISABLE" in why else "pip install --upgrade numba numpy"
        warnings.warn(
            f"{why}: trees and kernel machines are explained without compiled loops, with the same results, in up to "
            f"ten times the time; {remedy}",
            RuntimeWarning,
            stacklevel=2,
        )
    return not why


def njit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """``numba.njit``, that says when it compiles.

    With ``cache=True`` compiled code is kept in the folder NUMBA_CACHE_DIR, if it is set, or beside the source, or
    where that cannot be written in the user's folder for caches; where none of them can be, in none.
    """
    import numba

    _listen()

    def decorate(function: Callable[..., Any]) -> Any:
        try:
            return numba.njit(**options)(function)
        except RuntimeError as error:
            if "cannot cache" not in str(error):
                raise
            return numba.njit(**{**options, "cache": False})(function)

    return decorate


@contextlib.contextmanager
def silently(yes: bool = True) -> Iterator[None]:
    """A context in which compiling is not spoken of; threads of `neon.nn.trees.threads.in_threads` are in it, too."""
    token = _SILENT.set(yes or _SILENT.get())
    try:
        yield
    finally:
        _SILENT.reset(token)


@functools.cache
def _listen() -> None:
    """Have numba tell of every function that it compiles, not of those that it finds kept."""
    from numba.core import event

    class Announcer(event.Listener):
        """Says so on standard error, in a line for all that is compiled in one go; workers leave it to their parent."""

        def on_start(self, found: Any) -> None:
            dispatcher = found.data["dispatcher"]
            ours = dispatcher.py_func.__module__.partition(".")[0] == "neon"
            if not ours or _SILENT.get() or multiprocessing.parent_process() is not None:
                return
            now = time.monotonic()
            if now - _LAST[0] >= _AGAIN:
                print(f"neon: {_words(dispatcher.stats.cache_path)}", file=sys.stderr, flush=True)
            _LAST[0] = now

        def on_end(self, found: Any) -> None:
            """Nothing to say."""

    event.register("numba:compile", Announcer())


def _words(folder: str | None) -> str:
    if folder is None:
        return (
            "compiling loops, which takes some seconds in every process: no folder to keep them in can be written; set "
            "NUMBA_CACHE_DIR to one"
        )
    return f"compiling loops, once, which takes some seconds; they are kept in {folder}"
