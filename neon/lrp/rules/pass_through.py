"""Relevance handed on as it is."""

from __future__ import annotations

from dataclasses import dataclass

from neon.lrp.message import Ledger, Message
from neon.lrp.rules.base import LinearCall, Rule

__all__ = ["Pass"]


@dataclass(frozen=True)
class Pass(Rule):
    """Relevance passes unchanged: for maps of one input to one output each (scaling, batch normalization)."""

    def propagate(self, call: LinearCall, message: Message, ledger: Ledger) -> tuple[Message, ...]:
        raise TypeError("Pass() fits elementwise maps only; this map mixes its inputs")
