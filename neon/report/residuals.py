"""Residuals by name, in a few words for people who do not know the method; docs/residuals.md says more."""

from __future__ import annotations

__all__ = ["RESIDUALS", "residual_in_words"]

RESIDUALS = {
    "bias": "constants of the model, such as its intercept",
    "stabilizer": "what the rule keeps back so that nothing is divided by zero",
    "entropy": "what mixing several alternatives adds, such as classes or components",
    "log_weight": "the weights of the alternatives that are mixed",
    "log_prior": "how common each class or component was to begin with",
    "log_det": "how wide the distribution of each class or component is",
    "pooling": "the step from all competing clusters or classes to the nearest one",
    "origin": "what distances owe to where the origin of the data lies",
    "off_subspace": "the part of the row that an earlier step, such as a PCA, takes away",
    "exact_hit": "the row is itself one of the points that the model was fitted on",
    "own_point": "how much less the value is because the row is itself one of the points of the fit",
    "training_mean": "the mean of all training values",
    "neighbors_mean": "the mean place of the neighbours",
    "no_competitor": "no other point competes with those that decide",
    "no_neighbor": "the row has no neighbours, and gets what the model gives such rows",
    "neighbors": "neighbours of the reference that are not those of the row",
    "reachability": "distances that are held at a neighbour's own radius",
    "threshold": "the threshold of the model's decision",
    "margin": "a whole vote against the lead that it was won by",
    "offset": "the value of a curve at the point it is seen from",
    "uniform": "equal shares, where all scores are zero",
    "quadrature": "what a sum over a few points misses of an integral",
    "banzhaf": "by how much Banzhaf values do not add up, by their definition",
    "penalty": "what a penalty takes away",
    "active_set": "other parts are in use at the row than at the reference",
    "prior": "the prior count of a topic",
    "claims": "what other topics claim of the words",
    "held": "what is held fixed while the row is explained",
    "spread": "a mean over reference rows against the value at their mean",
    "expectation": "two ways to take the value to start from",
    "constant": "columns that are made from no column of the data",
    "statistics": "what the row changes of a normalization's own mean and width",
    "softmax": "what a softmax adds to the sum of its parts",
    "correction": "what was taken out of the model on purpose",
    "other_channels": "channels of the network that were left out on purpose",
    "other features": "features that were left out on purpose",
}


def residual_in_words(name: str) -> str:
    """What a residual holds, in plain words; layers of one's own may name others."""
    return RESIDUALS.get(name, "a part of the prediction that no feature owns")
