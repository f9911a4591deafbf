"""How numbers of a stream are spread, in a few kilobytes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["Sketch"]

_MANTISSA = 52  # bits of a double
_BITS = 6  # of these tell the bin: 64 for each power of two, none wider than a 64th of what is in it
_SHIFT = _MANTISSA - _BITS
_TINY = 1e-300  # smaller numbers count as 0


class Sketch:
    """Counts in bins whose width is relative (DDSketch, Masson, Rim and Lee 2019), and from which quantiles are told.

    The number of a bin is read off the bits of a double: its exponent and the first bits of its mantissa, which grow
    with it. Counts are whole numbers, so that the order in which numbers come does not matter. Memory: 1 KiB for each
    power of two between the smallest and the largest size.
    """

    def __init__(self) -> None:
        self._zeros = 0
        self._first = 0  # number of the first bin
        self._counts = np.zeros((0, 2), dtype=np.int64)  # of positive and of negative numbers

    def add(self, values: np.ndarray) -> None:
        """Count finite numbers, (n,)."""
        values = np.asarray(values, dtype=np.float64)  # CSV files that are read again may hold whole numbers
        sized = np.abs(values) >= _TINY
        n_sized = int(np.count_nonzero(sized))
        self._zeros += len(values) - n_sized
        if not n_sized:
            return
        bits = (values if n_sized == len(values) else values[sized]).view(np.uint64)
        signed = (bits >> np.uint64(_SHIFT)).astype(np.int64)
        code = signed & ((1 << 63 - _SHIFT) - 1)
        first, last = int(code.min()), int(code.max())
        self._widen(first, last)
        code -= first
        code <<= 1
        code |= signed >> 63 - _SHIFT
        found = np.bincount(code, minlength=2 * (last - first + 1)).reshape(-1, 2)
        self._counts[first - self._first : last + 1 - self._first] += found

    def quantiles(self, q: Sequence[float]) -> np.ndarray:
        """The numbers below which these parts are, (len(q),), to one hundredth of their size; NaN where none came."""
        codes = np.arange(self._first, self._first + len(self._counts), dtype=np.int64)
        middle = ((codes << _SHIFT) + (1 << _SHIFT - 1)).view(np.float64)
        values = np.concatenate([-middle[::-1], [0.0], middle])
        upto = np.cumsum(np.concatenate([self._counts[::-1, 1], [self._zeros], self._counts[:, 0]]))
        if not upto[-1]:
            return np.full(len(q), np.nan)
        return values[np.searchsorted(upto, np.asarray(q) * (upto[-1] - 1), side="right")]

    def _widen(self, first: int, last: int) -> None:
        """Make room for these bins."""
        if not len(self._counts):
            self._first = first
        before = max(self._first - first, 0)
        after = max(last + 1 - self._first - len(self._counts), 0)
        if before or after:
            self._counts = np.pad(self._counts, ((before, after), (0, 0)))
            self._first -= before
