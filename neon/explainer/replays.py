"""Recordings of a fitted model's network, which runs the same operations on any rows: recorded once, then replayed."""

from __future__ import annotations

import threading
from typing import Any

import torch
from torch import Tensor

from neon.lrp import LRP
from neon.lrp.paths.integral import Integral
from neon.lrp.prepared import Prepared
from neon.lrp.recorded import Recording

__all__ = ["Replays"]

_UNSEEN: Any = object()
_SIZES = 8  # numbers of rows whose recordings are kept at a time


class Replays:
    """Recordings of rows: what is recorded of the first so many rows is replayed on the next as many.

    Networks in which a mask, an index or a branch is computed from the rows are recorded each time. Pickles and copies
    without what was recorded.

    Parameters
    ----------
    lrp : LRP
    reference : Tensor, Integral or None
    references : dict of int to Tensor, optional
        As `LRP.record` takes both.
    """

    def __init__(self, lrp: LRP, reference: Tensor | Integral | None, references: dict[int, Tensor] | None) -> None:
        self._lrp, self._reference, self._references = lrp, reference, references
        self._lock = threading.Lock()
        self._known: dict[int, Prepared | None] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"lrp": self._lrp, "reference": self._reference, "references": self._references}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def of(self, x: Tensor, *, compare: bool = False) -> Recording:
        """The recording of rows (n_rows, n_encoded).

        compare : whether to run the network as well, and to replay it no more where it gives something else.
        """
        prepared = self._known.get(len(x), _UNSEEN)
        if isinstance(prepared, Prepared) and not compare:
            return prepared.on(x)
        recorded = self._lrp.record(x, reference=self._reference, references=self._references, names=False)
        prepared = Prepared.of(recorded) if prepared is _UNSEEN else prepared
        # The first rows are replayed as well: every answer is then computed in the same way.
        replayed = recorded if prepared is None else prepared.on(x)
        same = _equal(replayed.output, recorded.output)
        self._keep(len(x), prepared if same else None)
        return replayed if same else recorded

    def _keep(self, n_rows: int, prepared: Prepared | None) -> None:
        with self._lock:
            self._known[n_rows] = prepared
            while len(self._known) > _SIZES:
                self._known.pop(next(iter(self._known)))


def _equal(found: Tensor, expected: Tensor) -> bool:
    """Up to rounding."""
    size = expected.nan_to_num(posinf=0.0, neginf=0.0).abs().max() if expected.numel() else 0.0
    eps = 64 * torch.finfo(expected.dtype).eps
    return torch.allclose(found, expected, rtol=eps, atol=eps * float(size), equal_nan=True)
