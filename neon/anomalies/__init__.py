"""The most unusual rows of a data set, and what makes each one so: in raw units, beside what is usual, in words."""

from neon.anomalies.explain import explain_anomalies
from neon.anomalies.result import AnomalyExplanation

__all__ = ["AnomalyExplanation", "explain_anomalies"]
