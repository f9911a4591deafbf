"""The estimators that the contract test runs over, one file a family."""

from tests.contract import (
    bayes,
    clusters,
    decompositions,
    ground,
    imbalanced,
    manifold,
    meta,
    neighbor_graph,
    neighbors,
    preprocessing,
    processes,
    text,
    topics,
    trees,
)
from tests.contract.case import Case, unseen

__all__ = ["CASES", "Case", "unseen"]

CASES: dict[str, Case] = {
    **bayes.cases(),
    **clusters.cases(),
    **decompositions.cases(),
    **ground.cases(),
    **imbalanced.cases(),
    **manifold.cases(),
    **meta.cases(),
    **neighbor_graph.cases(),
    **neighbors.cases(),
    **preprocessing.cases(),
    **processes.cases(),
    **text.cases(),
    **topics.cases(),
    **trees.cases(),
}
