"""The estimators that the contract test runs over, one file a family."""

from tests.contract import (
    bayes,
    clusters,
    decompositions,
    ground,
    meta,
    neighbors,
    preprocessing,
    processes,
    text,
    trees,
)
from tests.contract.case import Case, unseen

__all__ = ["CASES", "Case", "unseen"]

CASES: dict[str, Case] = {
    **bayes.cases(),
    **clusters.cases(),
    **decompositions.cases(),
    **ground.cases(),
    **meta.cases(),
    **neighbors.cases(),
    **preprocessing.cases(),
    **processes.cases(),
    **text.cases(),
    **trees.cases(),
}
