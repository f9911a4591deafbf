"""The estimators that the contract test runs over, one file a family."""

from tests.contract import ground, preprocessing
from tests.contract.case import Case, unseen

__all__ = ["CASES", "Case", "unseen"]

CASES: dict[str, Case] = {**ground.cases(), **preprocessing.cases()}
