"""What fits the memory of the machine: what cannot is refused before it is allocated."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Sequence
from pathlib import Path

__all__ = ["check_fits"]

_GROUP = Path("/sys/fs/cgroup/memory.max")  # of a container; "max" where it has no limit of its own


def check_fits(shape: Sequence[int], what: str, advice: str, *, n_bytes: int = 8) -> None:
    """Refuse an array that is larger than the memory of the machine, or of the container.

    The system hands out memory that it does not have, and ends the process when it is written to.

    Raises
    ------
    MemoryError
        With the size that it would have.
    """
    needed, held = math.prod(map(int, shape)) * n_bytes, machine()
    if needed > held:
        raise MemoryError(
            f"{what} of {' × '.join(f'{size:,}' for size in shape)} numbers takes {needed / 2**30:,.1f} GiB, and this "
            f"machine has {held / 2**30:,.1f} GiB: {advice}"
        )


@functools.cache
def machine() -> float:
    """Bytes of memory that this process may have at most; infinite where the system does not tell."""
    try:
        total = float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):
        return math.inf
    try:
        return min(total, float(_GROUP.read_text()))
    except (OSError, ValueError):
        return total
