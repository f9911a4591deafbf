"""The layers that neuralized models are made of, as functions that join the tape and as modules."""

from neon.nn.basic import Affine, Kernel, Linear, TwoClass, plain_linear
from neon.nn.distance import SquaredDistance, squared_distance
from neon.nn.effective import EffectiveDistance, effective_distance
from neon.nn.evidence import Evidence, evidence
from neon.nn.featurewise import Featurewise, featurewise
from neon.nn.log_ratio import LogRatio, LogSumExp, log_ratio, log_ratio_layers, log_sum_exp
from neon.nn.manhattan import ManhattanDistance, manhattan_distance
from neon.nn.maximum import PooledMaximum, SoftMaximum, pooled_maximum, soft_maximum
from neon.nn.pairs import PairwiseDifference, PooledMinimum, pooled_minimum, relu_minimum
from neon.nn.plain import (
    Abs,
    Difference,
    DistanceLayers,
    Square,
    SquaredLength,
    Sum,
    distance_layers,
    manhattan_layers,
    squared_length,
    total,
)
from neon.nn.power import Power
from neon.nn.side_by_side import SideBySide
from neon.nn.softmin import SoftMin, softmin
from neon.nn.step import Step, step

__all__ = [
    "Abs",
    "Affine",
    "Difference",
    "DistanceLayers",
    "EffectiveDistance",
    "Evidence",
    "Featurewise",
    "Kernel",
    "Linear",
    "LogRatio",
    "LogSumExp",
    "ManhattanDistance",
    "PairwiseDifference",
    "PooledMaximum",
    "PooledMinimum",
    "Power",
    "SideBySide",
    "SoftMaximum",
    "SoftMin",
    "Square",
    "SquaredDistance",
    "SquaredLength",
    "Step",
    "Sum",
    "TwoClass",
    "distance_layers",
    "effective_distance",
    "evidence",
    "featurewise",
    "log_ratio",
    "log_ratio_layers",
    "log_sum_exp",
    "manhattan_distance",
    "manhattan_layers",
    "plain_linear",
    "pooled_maximum",
    "pooled_minimum",
    "relu_minimum",
    "soft_maximum",
    "softmin",
    "squared_distance",
    "squared_length",
    "step",
    "total",
]
