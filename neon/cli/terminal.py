"""Words: control characters in names are escaped, a closed pipe is no error, and mistyped ones have neighbours."""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Iterable

__all__ = ["near", "say", "visible"]

# Control characters, and those that change the direction of text. A terminal acts on them: they move the cursor, erase
# text, change the title of the window.
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    """The text with control characters escaped, except ends of lines."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


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
