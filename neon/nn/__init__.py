"""The layers that neuralized models are made of, as functions that join the tape and as modules."""

from neon.nn.basic import Affine, Kernel, Linear, TwoClass, plain_linear
from neon.nn.distance import SquaredDistance, squared_distance
from neon.nn.effective import EffectiveDistance, effective_distance
from neon.nn.evidence import Evidence, evidence
from neon.nn.log_ratio import LogRatio, LogSumExp, log_ratio, log_ratio_layers, log_sum_exp
from neon.nn.pairs import PairwiseDifference, PooledMinimum, pooled_minimum, relu_minimum
from neon.nn.softmin import SoftMin, softmin

__all__ = [
    "Affine",
    "EffectiveDistance",
    "Evidence",
    "Kernel",
    "Linear",
    "LogRatio",
    "LogSumExp",
    "PairwiseDifference",
    "PooledMinimum",
    "SoftMin",
    "SquaredDistance",
    "TwoClass",
    "effective_distance",
    "evidence",
    "log_ratio",
    "log_ratio_layers",
    "log_sum_exp",
    "plain_linear",
    "pooled_minimum",
    "relu_minimum",
    "softmin",
    "squared_distance",
]
