"""Files as they come from a damaged disk, or from somebody who damages them."""

from __future__ import annotations

import numpy as np

__all__ = ["damaged"]


def damaged(whole: bytes, number: int, rng: np.random.Generator) -> bytes:
    """Every fourth one cut, the others with a few other bytes."""
    if number % 4 == 0:
        return whole[: rng.integers(len(whole))]
    changed = bytearray(whole)
    for place in rng.integers(len(whole), size=rng.integers(1, 8)):
        changed[place] = rng.integers(256)
    return bytes(changed)
