"""Rules for products of two values that both depend on the input; `neon.lrp.operations.products` computes them."""

from __future__ import annotations

from dataclasses import dataclass

from neon.lrp.rules.base import KindRule

__all__ = ["Halves", "SignalTakesAll"]


@dataclass(frozen=True)
class _ProductRule(KindRule):
    kind, meant_for = "product", "products of two explained values"
    epsilon: float = 1e-6


@dataclass(frozen=True)
class Halves(_ProductRule):
    """For products: half of the relevance to each factor (AttnLRP, Achtibat et al. 2024, eq. 14).

    A scale gets nothing, and what it multiplies all: an exponential or softplus, such as the decays and step sizes of
    state-space models (MambaLRP, Rezaei Jafari et al. 2024). It is never 0, and its exponent may be a sum that
    cancels, in which relevance would explode.
    """


@dataclass(frozen=True)
class SignalTakesAll(_ProductRule):
    """For products: a gate (what a sigmoid, softmax or scale gives) gets nothing, the signal all (Arras et al. 2017).

    With attention weights as gates this is CP-LRP (Ali et al. 2022). Products without a gate are halved.
    """
