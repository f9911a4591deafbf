"""The engine: layer-wise relevance propagation through any eager torch model. Knows torch, nothing of scikit-learn."""

from neon.lrp import composites, deep_taylor, operations, rules, targets
from neon.lrp.lrp import LRP
from neon.lrp.plan import Plan
from neon.lrp.recorded import Recording

__all__ = ["LRP", "Plan", "Recording", "composites", "deep_taylor", "operations", "rules", "targets"]
