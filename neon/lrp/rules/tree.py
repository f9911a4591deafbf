"""The rules of the AND unit: how the relevance of a leaf is shared among the literals on its path; see `neon.nn.trees`.

A leaf with value v is active where all its literals hold, one for each feature on its path. Notation: o_j ∈ {0, 1} says
whether x satisfies literal j, z_j is its probability under the covers, D the number of literals, V_n the mean value of
the leaves below node n. All rules are relative to a base: ``Σ_i φ_i(x) = f(x) - base``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from neon.lrp.rules.base import KindRule

__all__ = ["EngineName", "EqualShare", "Interventional", "Path", "Shapley", "TreeRule"]

EngineName = Literal["auto", "tables", "kernel"]


@dataclass(frozen=True, kw_only=True)
class TreeRule(KindRule):
    """A rule for tree ensembles."""

    kind, meant_for = "tree", "tree ensembles"


@dataclass(frozen=True, kw_only=True)
class _Engined(TreeRule):
    """A rule that two engines can compute.

    Parameters
    ----------
    engine : "auto", "tables" or "kernel"
        Look-up tables (shallow trees, many rows), or a walk over all edges (deep trees, few rows). Both are exact;
        "auto" takes the one expected to be faster, and against reference rows may count their patterns at each leaf.
    """

    engine: EngineName = "auto"

    def __post_init__(self) -> None:
        if self.engine not in ("auto", "tables", "kernel"):
            raise ValueError(f'engine must be "auto", "tables" or "kernel", got {self.engine!r}')


@dataclass(frozen=True, kw_only=True)
class Shapley(_Engined):
    """``φ_i = v (o_i - z_i) ∫₀¹ Π_{k≠i} (z_k + (o_k - z_k) t) dt``, by Gauss-Legendre quadrature.

    The integral of gradient × (input − reference) along the diagonal from the covers to the input. Equal to
    path-dependent TreeSHAP (Lundberg et al. 2020); the quadrature as in Wettenstein, Mitchell and Yu,
    "Quadrature-TreeSHAP" (2026). Relative to the mean of f under the covers.
    """


@dataclass(frozen=True, kw_only=True)
class Interventional(_Engined):
    """The same integral from each reference row to the input, averaged: interventional TreeSHAP.

    Where x satisfies the literals S and the reference row T, a leaf with ``S ∪ T`` = all literals, ``p = |S∖T|`` and
    ``q = |T∖S|`` gives ``v (p-1)! q! / (p+q)!`` to each of S∖T and ``-v p! (q-1)! / (p+q)!`` to each of T∖S. Relative
    to the mean of f over the reference rows, all of which are used, with their weights.

    Time grows with rows plus reference rows: what reference rows miss of each leaf's literals is counted, in ``2^D``
    numbers a leaf that are held for some leaves at a time, up to 32 MB. Of paths too long for that (about D > 13 for a
    thousand rows, always for D > 20) the different patterns of rows and reference rows meet one by one; for that, 8
    bytes are held for each reference row and level of a tree. Few rows, and leaves with D > 64, are walked to with each
    reference row. Values are the same to rounding.
    """

    takes_reference: ClassVar[bool] = True
    needs_reference: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class Path(TreeRule):
    """``φ_i = Σ_n (V_n - V_parent)`` over the nodes that x passes below splits on i.

    Saabas (2014), xgboost's ``approx_contribs``. Relative to the mean of f under the covers; where an ensemble has
    ``path_value``, V is read from there.
    """


@dataclass(frozen=True, kw_only=True)
class EqualShare(TreeRule):
    """``φ_i = (v - V_root) / D`` for each feature on the path of the active leaf: z⁺ through the AND unit.

    Relative to the mean of f under the covers. The least faithful of the rules: it does not ask which literal matters.
    """
