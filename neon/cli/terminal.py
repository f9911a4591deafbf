"""Words: control characters in names are escaped, a closed pipe is no error, and mistyped ones have neighbours."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterable

from neon._visible import visible

__all__ = ["near", "say", "visible"]


def say(text: str = "", *, end: str = "\n") -> None:
    """Print to standard output; once the pipe is closed (``| head``), nothing more is printed, and work goes on."""
    try:
        print(visible(text), end=end, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def near(word: str, known: Iterable[str]) -> str:
    """A question whether another word was meant; "" where none is near."""
    found = difflib.get_close_matches(word, list(known), 1, 0.6)
    return f"did you mean {found[0]}?" if found else ""
