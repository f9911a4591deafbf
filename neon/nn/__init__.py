"""The layers that neuralized models are made of, as functions that join the tape and as modules."""

from neon.nn.codes.featurewise import Featurewise, featurewise
from neon.nn.codes.step import Step, step
from neon.nn.codes.topics import TopicShares, topic_shares, topic_weights
from neon.nn.distances.additive import AdditiveDistance, additive_distance
from neon.nn.distances.effective import EffectiveDistance, effective_distance
from neon.nn.distances.geodesic import SquaredGeodesic, squared_geodesic
from neon.nn.distances.layers import (
    Abs,
    Difference,
    Square,
    SquaredLength,
    Total,
    distance_layers,
    manhattan_layers,
    squared_length,
    total,
)
from neon.nn.distances.manhattan import ManhattanDistance, manhattan_distance
from neon.nn.distances.squared import SquaredDistance, squared_distance
from neon.nn.distances.transport import MinkowskiNorm, Wasserstein, minkowski_norm
from neon.nn.gaussians.energy import GaussianEnergy, gaussian_energy
from neon.nn.kernels.elementwise import Elementwise, elementwise
from neon.nn.kernels.log_ratio import LogRatio, log_ratio
from neon.nn.kernels.product import balanced_product
from neon.nn.linear.count_sketch import CountSketch, count_sketch
from neon.nn.linear.energy import LinearEnergy, linear_energy
from neon.nn.linear.layers import Affine, Linear, TwoClass, plain_linear
from neon.nn.linear.monomials import Monomials, monomials
from neon.nn.linear.projection import Projection, projection
from neon.nn.linear.side_by_side import SideBySide
from neon.nn.neighbors.barycenter import Barycenter, barycenter
from neon.nn.neighbors.graph import NeighborGraph, neighbor_graph
from neon.nn.neighbors.mean import NeighborMean, neighbor_mean
from neon.nn.neighbors.outlier_factor import LocalOutlierFactor, local_outlier_factor
from neon.nn.neighbors.search import Neighborhood, neighbors_of
from neon.nn.neighbors.votes import MajorityEvidence, VoteOdds, majority_evidence, vote_odds
from neon.nn.pooling.evidence import Evidence, evidence
from neon.nn.pooling.log_sum_exp import LogSumExp, log_sum_exp
from neon.nn.pooling.maximum import PooledMaximum, SoftMaximum, pooled_maximum, soft_maximum
from neon.nn.pooling.minimum import PairwiseDifference, PooledMinimum, pooled_minimum, relu_minimum
from neon.nn.pooling.softmin import SoftMin, softmin

__all__ = [
    "Abs",
    "AdditiveDistance",
    "Affine",
    "Barycenter",
    "CountSketch",
    "Difference",
    "EffectiveDistance",
    "Elementwise",
    "Evidence",
    "Featurewise",
    "GaussianEnergy",
    "Linear",
    "LinearEnergy",
    "LocalOutlierFactor",
    "LogRatio",
    "LogSumExp",
    "MajorityEvidence",
    "ManhattanDistance",
    "MinkowskiNorm",
    "Monomials",
    "NeighborGraph",
    "NeighborMean",
    "Neighborhood",
    "PairwiseDifference",
    "PooledMaximum",
    "PooledMinimum",
    "Projection",
    "SideBySide",
    "SoftMaximum",
    "SoftMin",
    "Square",
    "SquaredDistance",
    "SquaredGeodesic",
    "SquaredLength",
    "Step",
    "TopicShares",
    "Total",
    "TwoClass",
    "VoteOdds",
    "Wasserstein",
    "additive_distance",
    "balanced_product",
    "barycenter",
    "count_sketch",
    "distance_layers",
    "effective_distance",
    "elementwise",
    "evidence",
    "featurewise",
    "gaussian_energy",
    "linear_energy",
    "local_outlier_factor",
    "log_ratio",
    "log_sum_exp",
    "majority_evidence",
    "manhattan_distance",
    "manhattan_layers",
    "minkowski_norm",
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
