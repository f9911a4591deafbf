"""The layers that neuralized models are made of, as functions that join the tape and as modules."""

from neon.nn.additive import AdditiveDistance, additive_distance
from neon.nn.barycenter import Barycenter, barycenter
from neon.nn.basic import Affine, Kernel, Linear, TwoClass, plain_linear
from neon.nn.class_sums import ClassSums, class_sums
from neon.nn.count_sketch import CountSketch, count_sketch
from neon.nn.curve import Curve, balanced_product, curve
from neon.nn.distance import SquaredDistance, squared_distance
from neon.nn.effective import EffectiveDistance, effective_distance
from neon.nn.evidence import Evidence, evidence
from neon.nn.featurewise import Featurewise, featurewise
from neon.nn.gaussian import GaussianEnergy, gaussian_energy
from neon.nn.geodesic import SquaredGeodesic, squared_geodesic
from neon.nn.linear_energy import LinearEnergy, linear_energy
from neon.nn.log_ratio import LogRatio, LogSumExp, log_ratio, log_ratio_layers, log_sum_exp
from neon.nn.manhattan import ManhattanDistance, manhattan_distance
from neon.nn.maximum import PooledMaximum, SoftMaximum, pooled_maximum, soft_maximum
from neon.nn.monomials import Monomials, monomials
from neon.nn.neighbor_graph import NeighborGraph, neighbor_graph
from neon.nn.neighbors import NeighborMean, neighbor_mean
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
from neon.nn.projection import Projection, projection
from neon.nn.reachability import LocalOutlierFactor, local_outlier_factor
from neon.nn.search import Neighborhood, neighbors_of
from neon.nn.side_by_side import SideBySide
from neon.nn.softmin import SoftMin, softmin
from neon.nn.step import Step, step
from neon.nn.topics import TopicShares, topic_shares, topic_weights
from neon.nn.votes import MajorityEvidence, VoteOdds, majority_evidence, vote_odds

__all__ = [
    "Abs",
    "AdditiveDistance",
    "Affine",
    "Barycenter",
    "ClassSums",
    "CountSketch",
    "Curve",
    "Difference",
    "DistanceLayers",
    "EffectiveDistance",
    "Evidence",
    "Featurewise",
    "GaussianEnergy",
    "Kernel",
    "Linear",
    "LinearEnergy",
    "LocalOutlierFactor",
    "LogRatio",
    "LogSumExp",
    "MajorityEvidence",
    "ManhattanDistance",
    "Monomials",
    "NeighborGraph",
    "NeighborMean",
    "Neighborhood",
    "PairwiseDifference",
    "PooledMaximum",
    "PooledMinimum",
    "Power",
    "Projection",
    "SideBySide",
    "SoftMaximum",
    "SoftMin",
    "Square",
    "SquaredDistance",
    "SquaredGeodesic",
    "SquaredLength",
    "Step",
    "Sum",
    "TopicShares",
    "TwoClass",
    "VoteOdds",
    "additive_distance",
    "balanced_product",
    "barycenter",
    "class_sums",
    "count_sketch",
    "curve",
    "distance_layers",
    "effective_distance",
    "evidence",
    "featurewise",
    "gaussian_energy",
    "linear_energy",
    "local_outlier_factor",
    "log_ratio",
    "log_ratio_layers",
    "log_sum_exp",
    "majority_evidence",
    "manhattan_distance",
    "manhattan_layers",
    "monomials",
    "neighbor_graph",
    "neighbor_mean",
    "neighbors_of",
    "plain_linear",
    "pooled_maximum",
    "pooled_minimum",
    "projection",
    "relu_minimum",
    "soft_maximum",
    "softmin",
    "squared_distance",
    "squared_geodesic",
    "squared_length",
    "step",
    "topic_shares",
    "topic_weights",
    "total",
    "vote_odds",
]
