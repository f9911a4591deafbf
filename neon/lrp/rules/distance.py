"""A rule for distance layers."""

from __future__ import annotations

from dataclasses import dataclass

from neon.lrp.rules.base import KindRule

__all__ = ["Hybrid"]


@dataclass(frozen=True)
class Hybrid(KindRule):
    """For distance layers: ``(1 - η)`` gradient × input plus ``η`` squared-distance shares (Bley et al. 2025).

    The input is counted from the middle of the centers, so that it does not matter where the data lie.
    """

    kind, meant_for = "distance", "distance layers"
    eta: float = 1.0
