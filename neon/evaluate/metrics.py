"""What each score measures: its unit, which direction is better, and in one line what it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["METRICS", "Metric"]


@dataclass(frozen=True)
class Metric:
    """The unit of a score, the direction that is better, and what is measured in words."""

    unit: str
    better: Literal["higher", "lower"]
    words: str


METRICS = {
    "conservation": Metric("prediction", "lower", "|f(x) - base - Σ R - Σ residuals|"),
    "residual_share": Metric("share", "lower", "Σ |residuals| / (Σ |R| + Σ |residuals|)"),
    "positivity": Metric("share", "higher", "Σ max(R, 0) / Σ |R|"),
    "continuity": Metric("prediction / std", "lower", "max ‖R(x+δ) - R(x)‖ / ‖δ‖"),
    "continuity_per_change": Metric("1", "lower", "max ‖R(x+δ) - R(x)‖ / ‖δ‖ over max |f(x+δ) - f(x)| / ‖δ‖"),
    "max_sensitivity": Metric("1", "lower", "max ‖R(x+δ) - R(x)‖ / ‖R(x)‖"),
    "srg": Metric("prediction", "higher", "symmetric relevance gain: area, least less most relevant first"),
    "aopc": Metric("prediction", "higher", "mean drop, most relevant first"),
    "aufc": Metric("1", "lower", "area, most relevant first, over the mean of |f(x)|"),
    "deletion": Metric("prediction", "lower", "area, most relevant taken away first"),
    "insertion": Metric("prediction", "higher", "area, most relevant put in first"),
    "infidelity": Metric("prediction²", "lower", "E [(Iᵀ R - (f(x) - f(x')))²]"),
    "randomization": Metric("rank correlation", "lower", "|Spearman| between R of the model and of a random one"),
    "hit_at_k": Metric("share", "higher", "planted features among the k most relevant"),
    "auroc": Metric("probability", "higher", "that a planted feature is more relevant than another one"),
    "rank_agreement": Metric("rank correlation", "higher", "Spearman with the exact Shapley values"),
    "seconds": Metric("s / 1,000 rows", "lower", "wall-clock time, once warm"),
}
