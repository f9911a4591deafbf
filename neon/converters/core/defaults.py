"""Which composite explains a model where nobody names one: for each family the rule that won where it was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["DEFAULTS", "STARTS", "Default", "family_of_all"]

STARTS = 20  # rows that the default "expected" starts from, chosen by herding; by name it takes all that are given


@dataclass(frozen=True)
class Default:
    """The composites of a family.

    Attributes
    ----------
    given : str
        From the caller's reference rows.
    held : str
        From what the model holds of the rows that it was fitted on; "": the one-pass rule, as where it holds none.
    measured : tuple of str
        The rows of "Defaults" in docs/evaluation.md that decided it; kin that were not measured follow.
    """

    given: str
    held: str
    measured: tuple[str, ...]


# A rule that costs more is taken where it is better by more than the interval of the difference, see the docs' page.
DEFAULTS: Mapping[str, Default] = MappingProxyType(
    {
        "kernel expansion": Default(
            "shapley",
            "shapley",
            ("SVR", "KernelRidge", "GaussianProcessRegressor", "GaussianProcessClassifier"),
        ),
        "kernel margin": Default("expected", "expected", ("SVC",)),
        "log-ratio": Default("expected", "expected", ("SVC, log-ratio",)),
        "one-class machine": Default("expected", "expected", ("OneClassSVM",)),
        "kernel density": Default("expected", "expected", ("KernelDensity",)),  # "shapley" misses much of far outliers
        "mixture": Default("shapley", "shapley", ("GaussianMixture (4)",)),
        "discriminant": Default("expected", "expected", ("QDA",)),
        "logits": Default("expected", "", ("LogisticRegression", "LinearDiscriminantAnalysis")),  # of several classes
        "naive Bayes": Default("shapley", "shapley", ("GaussianNB",)),
        "covariance": Default("shapley", "shapley", ("EllipticEnvelope",)),
        "nearest center": Default("expected", "expected", ("KMeans (4)", "NearestCentroid")),
        "subclusters": Default("shapley", "shapley", ("Birch",)),
        "nearest neighbours": Default("expected", "expected", ("KNeighborsRegressor",)),
        # From rows hundreds of times the one-pass rule's cost.
        "outlier factor": Default("expected", "", ("LocalOutlierFactor",)),
        "votes of neighbours": Default("expected", "", ("KNeighborsClassifier",)),  # jumps, which slopes do not see
        "perceptron": Default("expected", "", ("MLPRegressor", "MLPClassifier")),
        "composed": Default("expected", "expected", ("OneVsRestClassifier of SVC", "VotingClassifier, soft")),
        "trees from rows": Default("expected", "", ()),  # with curves or linear functions: no other rule takes rows
        "trees": Default(
            "interventional",
            "",
            ("IsolationForest", "RandomForestClassifier", "GradientBoostingClassifier"),
        ),
    }
)


def family_of_all(families: Sequence[str]) -> str:
    """The family of estimators side by side: "" where one of them is in none."""
    return families[0] if len(families) == 1 else "composed" if all(families) else ""
