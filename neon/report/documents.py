"""Documents word by word, with the relevance of each word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neon.report.packing import packed

if TYPE_CHECKING:
    from neon.explanation import Explanation

__all__ = ["documents"]

MOST_WORDS = 500_000  # some 8 MB of the file


def documents(explanation: Explanation, n_rows: int) -> dict[str, Any]:
    """The first rows' documents, where the model read any: words in one list, and the relevance of each output.

    Where they have too many words in all, the last rows have no document; the page says so where they are opened.
    """
    if tokens_of(explanation) is None:
        return {}
    words: list[str] = []
    ends, relevance = [], []
    for row in range(n_rows):
        pieces, shares = explanation.text(row)
        words += pieces
        ends.append(len(words))
        relevance.append(shares.reshape(len(pieces), -1))
        if len(words) > MOST_WORDS:
            break
    return {"words": words, "ends": packed(np.array(ends)), "wordRelevance": packed(np.concatenate(relevance).T)}


def tokens_of(explanation: Explanation) -> Explanation | None:
    """The explanation whose features are tokens; None where the model read no text."""
    found = explanation if explanation.texts is not None or explanation.encoded is None else explanation.encoded
    return None if found.texts is None else found
