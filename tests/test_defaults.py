"""Which composite explains a model where nobody names one: the table in the code, and what was measured."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.ensemble import BaggingRegressor, RandomForestClassifier, StackingRegressor, VotingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KernelDensity, KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.svm import SVC, SVR, OneClassSVM

import neon
from benchmarks import defaults
from benchmarks.cases import FAMILIES, KIN, split
from neon.converters.core.defaults import DEFAULTS, STARTS
from tests.contract import CASES
from tests.test_path_rules import NAMES

PAGE = Path(__file__).resolve().parents[1] / "docs" / "evaluation.md"
X, Y = load_wine(return_X_y=True)
X = StandardScaler().fit_transform(X)


@pytest.mark.parametrize("family", [*FAMILIES, *KIN])
def test_the_table_is_what_models_do(family: str) -> None:
    if family == "XGBRegressor":
        pytest.importorskip("xgboost")
    part, made = split("wine", 8), (FAMILIES | KIN)[family]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = neon.neuralize(made.fitted(part), output=made.output)
    found = {"rows given": network.reference_composite, "nothing given": network.composite}
    for state, composite in found.items():
        name = "neon" if composite in (network.one_pass, "interventional") else composite
        assert defaults.default_of(family, state).partition(",")[0] == name


@pytest.mark.parametrize("name", [name for name in NAMES if "SpectralEmbedding" not in name])
def test_it_explains_every_kind_of_model(name: str) -> None:
    """A few rows, by the rule that is taken where none is named."""
    case = CASES[name]
    options = {key: value for key, value in case.options.items() if key != "composite"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = clone(case.estimator).fit(case.X, case.y)
        explainer = neon.Explainer(model, **options, **({"data": case.X} if case.labelled else {}))
    rows = case.X.iloc[:2] if hasattr(case.X, "iloc") else case.X[:2]
    found = explainer(rows, explainer.network.output_names[0])
    scale = max(1.0, np.abs(found.prediction).max())
    assert np.isfinite(found.values).all()
    assert found.conservation_error() <= 1e-9 * scale


def used(model: Any, **options: Any) -> tuple[str, str]:
    """The composite that explains a model unasked, and the words of what it does."""
    explainer = neon.Explainer(model, **options)
    name = re.search("composite='([^']*)'", repr(explainer))
    assert name is not None
    return name.group(1), explainer(X[:2]).explains


def test_it_follows_the_rows_that_there_are() -> None:
    svm = SVC(gamma=0.1).fit(X, Y)
    held, given, few = used(svm), used(svm, reference=X), used(svm, reference=X[::20])
    assert held[0] == given[0] == few[0] == "expected"
    assert f"from {STARTS} rows of the support vectors" in held[1]
    assert f"from {STARTS} of {len(X)} reference rows" in given[1]
    assert f"from {len(X[::20])} reference rows" in few[1]
    whole = neon.Explainer(svm, composite="expected", reference=X[::3])(X[:1]).explains
    assert f"from {len(X[::3])} reference rows" in whole  # by its name it takes all that it is given
    network = MLPClassifier((4,), max_iter=5, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network.fit(X, Y)
    assert used(network)[0] == "neon"
    assert used(network, reference=X)[0] == "expected"


def test_estimators_around_a_model_follow_it() -> None:
    svm = SVC(gamma=0.1)
    pipeline = make_pipeline(StandardScaler(), PCA(5), svm).fit(X, Y)
    search = GridSearchCV(svm, {"C": [1.0]}, cv=2).fit(X, Y)
    rest = OneVsRestClassifier(svm).fit(X, Y)
    assert {used(model)[0] for model in (pipeline, search, rest)} == {"expected"}
    forest = make_pipeline(StandardScaler(), RandomForestClassifier(3, random_state=0)).fit(X, Y)
    assert (used(forest)[0], used(forest, reference=X)[0]) == ("shapley", "interventional")
    linear = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)
    assert (used(linear)[0], used(linear, reference=X)[0]) == ("neon", "expected")


@pytest.mark.parametrize("form", ["layers", "relu"])
def test_other_forms_take_the_rule_that_does_not_depend_on_them(form: str) -> None:
    network = neon.neuralize(KMeans(3, n_init=1, random_state=0).fit(X), form=form)
    assert network.composite == network.one_pass == "neon"


@pytest.mark.parametrize(
    "model", [SVR(), KMeans(3, n_init=1, random_state=0), SVC(gamma=0.1), KNeighborsRegressor()], ids=str
)
def test_targets_of_ones_own(model: Any) -> None:
    """A callable tells how much relevance each output has: that of an index is the index's explanation."""
    explainer = neon.Explainer(model.fit(X, Y))
    single = explainer(X[:3], 0)
    ours = explainer(X[:3], lambda output: output[:, 0])
    whole = explainer(X[:3], lambda output: output * (output == output[:, :1]))
    size = np.abs(single.values).max()
    assert np.abs(ours.values - single.values).max() <= 1e-9 * size
    assert np.abs(whole.values.sum(1) + sum(whole.residuals.values()) - single.prediction).max() <= 1e-9 * size


def test_narrow_kernels_leave_little_behind() -> None:
    """A far outlier: the density that a single feature brings is next to nothing, and its logarithm has no bound."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(200, 5))
    far = rows[:20].copy()
    far[:, 0] += 6
    for model in (KernelDensity(bandwidth=0.3), OneClassSVM(gamma=1.0, nu=0.1)):
        found = neon.explain(model.fit(rows), far)
        missed = np.abs(found.residuals.get("quadrature", 0.0)).sum()
        assert missed <= 0.05 * np.abs(found.values).sum()
        assert np.mean(found.values.argmax(1) == 0) >= 0.9


def test_votes_of_neighbours_keep_the_published_rule() -> None:
    name, words = used(KNeighborsClassifier().fit(X, Y))
    assert name == "neon with overrides"
    assert "neighbours" in words


def _nearness(d: np.ndarray) -> np.ndarray:
    return 1 / (1 + d)


@pytest.mark.parametrize(
    ("before", "model", "composite"),
    [
        ([], KNeighborsRegressor(2, weights="distance"), "expected"),
        ([PCA(2)], KNeighborsRegressor(2), "expected"),
        ([PCA(2)], KNeighborsRegressor(2, weights="distance"), "neon"),
        ([PCA(2)], KNeighborsRegressor(2, metric="manhattan"), "neon"),
        ([PCA(2)], BaggingRegressor(KNeighborsRegressor(2), 2, random_state=0), "neon"),
        ([PolynomialFeatures()], KNeighborsRegressor(1), "neon"),
        ([PolynomialFeatures()], KNeighborsRegressor(2, weights=_nearness), "neon"),
        ([], StackingRegressor([("svr", SVR())], KNeighborsRegressor(2), cv=2), "neon"),
        ([], VotingRegressor([("near", KNeighborsRegressor(2)), ("svr", SVR())]), "neon"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_neighbours_that_change_where_no_slope_tells_take_the_one_pass_rule(
    before: list[Any], model: Any, composite: str
) -> None:
    """Along a way behind steps that bend, or beside functions that do, no formula says when another point is near."""
    model = make_pipeline(*before, clone(model)).fit(X[:, :4], X[:, 4])
    explainer = neon.Explainer(model)
    found = explainer(X[:6, :4] + 0.01)
    assert explainer.composite == composite == explainer.network.composite
    assert found.conservation_error() < 1e-10
    assert explainer(X[:0, :4]).values.shape == (0, 4)


CELL = re.compile(r"([-\d.]+) \(([-+\d.]+) ± ([\d.]+)\)")


def rows_of(state: str) -> list[list[str]]:
    """The cells of the page's table, line by line, without its head."""
    text = PAGE.read_text().partition(defaults.HEADING)[2]
    text = text.partition(f"#### {state[0].upper()}{state[1:]}\n")[2].partition("\n#")[0]
    lines = [line for line in text.splitlines() if line.startswith("| ")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize("state", defaults.STATES)
def test_the_page_and_the_table_agree(state: str) -> None:
    """The default is bold, and no rule beside it is better by more than the margin and its interval."""
    rows, names = rows_of(state), defaults.STATES[state]
    assert {family for default in DEFAULTS.values() for family in default.measured} <= {family for family, *_ in rows}
    for family, *cells in rows:
        (bold,) = [name for name, cell in zip(names, cells, strict=True) if cell.startswith("**")]
        assert bold == defaults.default_of(family, state), family
        for cell in cells:
            found = CELL.match(cell)
            more, half = (0.0, 0.0) if found is None else (float(found.group(2)), float(found.group(3)))
            assert more <= max(defaults.MARGIN, half) or family in defaults.KEPT, f"{family}: {cell}"
