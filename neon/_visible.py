"""Text for a terminal, which obeys no name in it."""

from __future__ import annotations

import re

__all__ = ["visible"]

# Control characters, and those that change the direction of text. A terminal acts on them: they move the cursor, erase
# text, change the title of the window.
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    """The text with control characters escaped, except ends of lines."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
