"""What is printed: names that files bring along are shown, not obeyed, and a reader may leave."""

from __future__ import annotations

import os
import re
import sys

__all__ = ["say", "visible"]

# Control characters, and those that turn the direction of writing. A terminal obeys them: they move, erase, rename.
_OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    """The text with everything that a terminal would obey spelled out, except ends of lines."""
    return _OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def say(text: str = "", *, end: str = "\n") -> None:
    """Print to standard output; where its reader has left (``| head``), nothing more is printed, and work goes on."""
    try:
        print(visible(text), end=end, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
