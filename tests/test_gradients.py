"""Every network can be differentiated by autograd: slopes are those that finite differences find."""

from __future__ import annotations

import re
import warnings

import pytest
import torch
from sklearn.base import clone

import neon
from tests.contract import CASES

# Networks without slopes, in the order in which a name is looked up, and why.
WITHOUT = {
    r".*(Tree|Forest|Boost|XGB|LGBM|CatBoost|EasyEnsemble|BalancedBagging).*": "trees are steps",
    r".*-(tree|hard|votes|labels|shares).*|KBins.*|RandomTreesEmbedding.*": "counts are steps",
    r"BaggingClassifier(-binary)?|AdaBoost.*|BaggingRegressor": "of trees, which are steps",
    r".*Isomap.*": "the search takes the shortest ways as given",
    r"(K|Radius)Neighbors(Classifier|Regressor|Transformer).*|Label(Propagation|Spreading)-knn": "votes are steps, "
    "their weights taken as given",
    r"Normalizer-kmeans": "the norm of a row is held fixed",
    r"KernelDensity-tophat": "who is near is a step",
}
# One of each family, but of some with several kinds of layers more.
FAMILIES = {name.split("-")[0]: name for name in reversed(CASES)}
MORE = (
    "KNeighborsClassifier-nearness-manhattan", "TransformedTargetRegressor-predict", "SelectKBest-after-PCA",
    "LocalOutlierFactor-manhattan", "OneClassSVM-layers", "SVC-log-ratio",
)  # fmt: skip
NAMES = sorted({*FAMILIES.values(), *(name for name in MORE if name in CASES)})


@pytest.mark.parametrize("name", NAMES)
def test_slopes_are_those_of_finite_differences(name: str) -> None:
    case = CASES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = clone(case.estimator).fit(case.X, case.y)
    network = neon.neuralize(model, output=case.options.get("output"), **({"data": case.X} if case.labelled else {}))
    random = torch.Generator().manual_seed(0)
    x = network.encode(case.X[:3] if not hasattr(case.X, "iloc") else case.X.iloc[:3]).double().nan_to_num()
    # Zeros stay: counts are no numbers below 0.
    drawn = torch.randn(2, *x.shape, generator=random, dtype=torch.float64)
    x, moved = x * (1 + 1e-3 * drawn[0]), x * drawn[1]
    leaf = x.clone().requires_grad_()
    output = network(leaf)
    reason = next((why for pattern, why in WITHOUT.items() if re.fullmatch(pattern, name)), None)
    if not output.requires_grad:
        assert reason is not None, "no slopes, and no reason why"
        pytest.skip(reason)
    weights = torch.randn(output.shape, generator=random, dtype=torch.float64).masked_fill(~output.isfinite(), 0.0)

    def values(rows: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return (network(rows).nan_to_num(0.0, 0.0, 0.0) * weights).sum(1)

    (slopes,) = torch.autograd.grad((output.nan_to_num(0.0, 0.0, 0.0) * weights).sum(), leaf)
    assert slopes.isfinite().all()
    found = (slopes * moved).sum(1)
    scale = (slopes * moved).abs().sum(1) + 1e-7 * values(x).abs()
    steps = [(values(x + h * moved) - values(x - h * moved)) / (2 * h) for h in (1e-6, 1e-5)]
    smooth = (steps[0] - steps[1]).abs() <= 1e-4 * scale + 1e-9 * values(x).abs()  # away from kinks
    error = torch.minimum(*((found - step).abs() for step in steps))
    assert smooth.any()
    assert (error <= 1e-4 * scale + 1e-9 * values(x).abs())[smooth].all()
