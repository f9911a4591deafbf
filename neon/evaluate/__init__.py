"""How good an explanation is: properties, flipping, planted truth, and methods to compare with.

Explanations are measured by what they are of: every score asks the model's own function, with the explained output of
each row held fixed. Scores come row by row, with 95 % intervals over rows.
"""

from neon.evaluate.all_subsets import exact_shapley, rank_agreement
from neon.evaluate.explained import Explained
from neon.evaluate.flipping import flipping
from neon.evaluate.infidelity import infidelity
from neon.evaluate.intervals import mean_interval, ratio_interval
from neon.evaluate.methods import methods
from neon.evaluate.metrics import METRICS
from neon.evaluate.planted import Planted, auroc, hit_at_k, plant_clusters, plant_outliers
from neon.evaluate.properties import conservation, continuity, max_sensitivity, positivity
from neon.evaluate.quantus import explain_func
from neon.evaluate.randomization import randomization, randomized
from neon.evaluate.refills import Blurred, Conditional, Mean, PatchMean, Refill, Rows, patches
from neon.evaluate.report import report
from neon.evaluate.scores import Curve, Key, Scores
from neon.evaluate.tune import tune
from neon.evaluate.tuning import Tuning

selectivity = flipping

__all__ = [
    "METRICS",
    "Blurred",
    "Conditional",
    "Curve",
    "Explained",
    "Key",
    "Mean",
    "PatchMean",
    "Planted",
    "Refill",
    "Rows",
    "Scores",
    "Tuning",
    "auroc",
    "conservation",
    "continuity",
    "exact_shapley",
    "explain_func",
    "flipping",
    "hit_at_k",
    "infidelity",
    "max_sensitivity",
    "mean_interval",
    "methods",
    "patches",
    "plant_clusters",
    "plant_outliers",
    "positivity",
    "randomization",
    "randomized",
    "rank_agreement",
    "ratio_interval",
    "report",
    "selectivity",
    "tune",
]
