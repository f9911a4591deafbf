"""The LRP rules: how the relevance of a linear map's outputs is shared among its inputs.

Notation of Montavon et al., "Layer-Wise Relevance Propagation: An Overview" (2019): ``z_k = Σ_i x_i w_ik + b_k``,
``v⁺ = max(v, 0)``, ``v⁻ = min(v, 0)``, and the stabilised denominator ``st(z) = z + ε sgn(z)`` with ``sgn(0) = 1``.
The overview's four steps stand in `LinearRule`; a rule overrides what differs. Where what is known of the inputs or
outputs spares a pass, the rule has a method ``fast`` beside its formula, which gives the same.
"""

from neon.lrp.rules.alpha_beta import AlphaBeta, ZPlus
from neon.lrp.rules.base import KindRule, LinearCall, LinearRule, Rule, stabilize
from neon.lrp.rules.distance import Hybrid
from neon.lrp.rules.epsilon import Epsilon, Zero
from neon.lrp.rules.flat import Flat, WSquare
from neon.lrp.rules.gamma import Gamma
from neon.lrp.rules.pass_through import Pass
from neon.lrp.rules.product import Halves, SignalTakesAll
from neon.lrp.rules.reference import Reference
from neon.lrp.rules.tree import EqualShare, Interventional, Path, Shapley, TreeRule
from neon.lrp.rules.z_box import ZBox

__all__ = [
    "AlphaBeta",
    "Epsilon",
    "EqualShare",
    "Flat",
    "Gamma",
    "Halves",
    "Hybrid",
    "Interventional",
    "KindRule",
    "LinearCall",
    "LinearRule",
    "Pass",
    "Path",
    "Reference",
    "Rule",
    "Shapley",
    "SignalTakesAll",
    "TreeRule",
    "WSquare",
    "ZBox",
    "ZPlus",
    "Zero",
    "stabilize",
]
