"""The least effort of moving the rows of one set to those of another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial.distance import cdist

from neon.shift.plans import TransportPlan, plan_of
from neon.shift.samples import Sample, scale_of

__all__ = ["Moved", "Transport"]


class Moved(NamedTuple):
    """The plan; what features were divided by, (n_features,); the Wasserstein distance."""

    plan: TransportPlan
    scale: np.ndarray
    distance: float


@dataclass(frozen=True)
class Transport:
    """``W = (min_γ Σ_kl γ_kl ‖(y_l - x_k) / s‖_q^p)^(1/p)``; options as `neon.explain_shift` takes them."""

    p: float
    q: float
    scale: Any
    solver: str | None
    regularization: float | None

    def __call__(self, a: Sample, b: Sample) -> Moved:
        scale = scale_of(self.scale, a, b)
        metric: dict[str, Any] = {"metric": "chebyshev"} if np.isinf(self.q) else {"metric": "minkowski", "p": self.q}
        cost = cdist(a.rows / scale, b.rows / scale, **metric) ** self.p
        plan = plan_of(cost, a.weights, b.weights, self.solver, self.regularization)
        effort = float((plan.mass * cost[plan.first, plan.second]).sum())
        return Moved(plan, scale, effort ** (1 / self.p))
