"""Estimators around others: the formulas of their heads, against slow textbook forms, and what is refused."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import expit, logit
from sklearn import ensemble, multiclass, multioutput
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Perceptron, Ridge, RidgeClassifier
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

import neon
from neon.converters.core import members
from neon.converters.core.ask import Ask
from neon.errors import UnsupportedModelError
from neon.nn.kernels.elementwise import elementwise
from neon.nn.pooling.mean_log_odds import mean_log_odds
from neon.nn.pooling.normalized import normalized
from neon.nn.pooling.weighted_median import weighted_median
from neon.nn.pooling.winner import winner

pytestmark = pytest.mark.usefixtures("one_pass")

random = np.random.default_rng(0)


def tensor(values: Any) -> torch.Tensor:
    return torch.as_tensor(np.asarray(values, dtype=np.float64))


def scaled(estimator: Any) -> Any:
    return make_pipeline(StandardScaler(), estimator)


def close(found: Any, wanted: Any, tolerance: float = 1e-9) -> None:
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert np.linalg.norm(found - wanted) <= tolerance * max(np.linalg.norm(wanted), 1e-12)


def relevance(function: Any, x: np.ndarray, target: int, reference: np.ndarray | None = None) -> tuple[Any, Any]:
    """Relevance of the columns of x, and what the ledger holds."""
    lrp = neon.LRP(function, "neon")
    rows = None if reference is None else tensor(reference)
    walk = lrp.record(tensor(x), reference=rows).propagate(torch.full((len(x),), target), account=True)
    return walk.relevance[0].numpy(), {name: part.numpy() for name, part in walk.ledger.absorbed.items()}


def test_mean_log_odds_of_members() -> None:
    h, w = random.normal(size=(20, 3, 4)) * 3, np.array([0.2, 0.5, 0.3])
    p = np.einsum("m,nmc->nc", w, expit(h))
    close(mean_log_odds(tensor(h.reshape(20, 12)), tensor(np.log(w))), logit(p))


@pytest.mark.parametrize("with_reference", [False, True])
def test_members_share_by_what_they_add_to_the_mean_probability(with_reference: bool) -> None:
    h, w, c = random.normal(size=(20, 3, 4)) * 3, np.array([0.2, 0.5, 0.3]), 2
    r = random.normal(size=(1, 3, 4)) if with_reference else np.zeros((1, 3, 4))
    module = lambda x: mean_log_odds(x, tensor(np.log(w)))  # noqa: E731
    found, _ = relevance(module, h.reshape(20, 12), c, r.reshape(1, 12) if with_reference else None)
    added = w[:, None] * (expit(h) - expit(r))
    g, g_ref = logit((w @ expit(h))[:, c]), logit((w @ expit(r))[:, c])
    wanted = np.zeros((20, 3, 4))
    wanted[:, :, c] = added[:, :, c] * ((g - g_ref) / added[:, :, c].sum(1))[:, None]
    close(found, wanted.reshape(20, 12))


def test_certain_members_keep_their_relevance() -> None:
    """Where σ(h) is 1 to rounding, its derivative is 0; the members' shares are not."""
    h = np.array([[50.0, 40.0], [700.0, 700.0], [30.0, -30.0]])
    module = lambda x: mean_log_odds(x, tensor(np.log([0.5, 0.5])))  # noqa: E731
    found, _ = relevance(module, h, 0)
    close(found.sum(1)[:2], [-np.log((np.exp(-50) + np.exp(-40)) / 2), 700.0])
    assert (found[:2] > 10).all()
    close(found[2], [1.0, -1.0])  # even odds: what one adds the other takes


def test_a_vote_is_shared_by_the_lead_of_the_winner() -> None:
    h, r = np.array([[3.0, 1.0, 0.0], [0.0, 2.0, 1.5]]), np.array([[1.0, 0.5, -1.0]])
    assert winner(tensor(h)).tolist() == [[1, 0, 0], [0, 1, 0]]
    assert winner(tensor([[1.0, 1.0]])).tolist() == [[1, 0]]  # of equals the first
    matrix = tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    votes = lambda x: torch.nn.functional.linear(winner(x), matrix)  # noqa: E731
    found, ledger = relevance(votes, h, 0, r)
    lead, lead_ref = 3.0 - 1.0, 1.0 - 0.5  # the same winner: the lead against that of the reference
    close(found[0].sum(), (lead - lead_ref) / (lead + lead_ref))
    close(ledger["margin"][0], -(lead - lead_ref) / (lead + lead_ref))
    close(found[1].sum(), -1.0)  # the vote of the reference was for class 0
    assert abs(ledger["margin"][1]) < 1e-12
    found, ledger = relevance(votes, h, 0)
    close(found[0], [3 / (2 + 1), -1 / (2 + 1), 0])
    close(ledger["margin"][0], 1 - 2 / 3)


def test_votes_of_scores_that_tie_to_rounding_go_to_the_margin() -> None:
    h, r = np.array([[0.3, 0.1 + 0.2, 0.1 * 3]]), np.array([[0.3, 0.7 - 1e-16, 0.7]])  # votes for 1 and for 2
    found, ledger = relevance(winner, h, 1, r)
    assert np.abs(found).max() <= 10.0
    close(found[0].sum() + ledger["margin"][0], winner(tensor(h))[0, 1] - winner(tensor(r))[0, 1])


def test_leads_of_next_to_nothing_are_no_evidence() -> None:
    """Shared by its lead, a vote would share out the rounding of scores a million times: they are not told apart."""
    h, r = np.array([[0.5, 0.5 + 1e-9, 0.2]]), np.array([[0.5 + 1e-9, 0.5, 0.2]])
    found, ledger = relevance(winner, h, 1, r)
    close(found[0], 0.0)
    close(ledger["margin"][0], 1.0)
    beside, ledger = relevance(winner, h, 1, np.array([[0.7, 0.5, 0.2]]))  # there the other class is clearly ahead
    assert abs(beside[0].sum() - 1.0) < 1e-6
    close(beside[0].sum() + ledger["margin"][0], 1.0)


def test_weighted_median() -> None:
    h, w = random.normal(size=(50, 7)), random.random(7)
    wanted = []
    for row in h:
        order = np.argsort(row)
        wanted.append(row[order][np.searchsorted(np.cumsum(w[order]), 0.5 * w.sum())])
    close(weighted_median(tensor(h), tensor(w))[:, 0], wanted)
    found, _ = relevance(lambda x: weighted_median(x, tensor(w)), h, 0)
    close(found.sum(1), wanted)
    assert (np.count_nonzero(found, axis=1) == 1).all()


def test_normalized_shares() -> None:
    p, r = random.random((10, 3)), random.random((1, 3))
    close(normalized(tensor(p)), p / p.sum(1, keepdims=True))
    close(normalized(tensor([[0.0, 0.0]])), [[0.5, 0.5]])
    found, _ = relevance(normalized, p, 1, r)
    S, S_r = p.sum(1), r.sum()
    numerator = (p[:, 1] - r[:, 1]) * (1 / S + 1 / S_r) / 2  # Shapley value of the score, the other player is 1 / S
    divisor = (1 / S - 1 / S_r) * (p[:, 1] + r[:, 1]) / 2
    wanted = divisor[:, None] * (p - r) / (S - S_r)[:, None]
    wanted[:, 1] += numerator
    close(found, wanted)


def test_anchored_is_relative_to_the_anchor() -> None:
    x, weight = random.normal(size=(10, 3)), tensor([[1.0, -2.0, 0.5]])
    found, ledger = relevance(lambda t: torch.nn.functional.linear(elementwise(t, torch.sigmoid, 0.0), weight), x, 0)
    close(found, (expit(x) - 0.5) * weight.numpy())
    close(ledger["offset"], np.full(10, 0.5 * float(weight.sum())))


def test_soft_vote_of_svm_and_logistic_regression() -> None:
    """The brief's case: an SVM with probabilities and a logistic regression, mean of their predict_proba."""
    X, y = load_breast_cancer(return_X_y=True)
    svm = CalibratedClassifierCV(scaled(SVC()), ensemble=False, cv=2)
    model = ensemble.VotingClassifier([("a", scaled(LogisticRegression())), ("b", svm)], voting="soft").fit(X, y)
    explanation = neon.explain(model, X, "all")
    p = sum(member.predict_proba(X) for member in model.estimators_) / 2
    close(expit(explanation.prediction), p)
    assert explanation.explains == "log-odds of a class, of the members' mean probability"
    sure = p.max(1) > 0.999
    assert sure.sum() > 50
    size = np.abs(explanation.values).sum(1).max(1)
    assert (size[sure] > 1).all()  # it does not vanish where probabilities saturate


def test_sigmoid_calibration_is_linear_in_the_score() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    model = CalibratedClassifierCV(scaled(LinearSVC()), ensemble=False, cv=2).fit(X, y)
    (fold,) = model.calibrated_classifiers_
    a, b = fold.calibrators[0].a_, fold.calibrators[0].b_
    explanation = neon.explain(model, X, 1)
    scaler, machine = fold.estimator
    wanted = -a * machine.coef_[0] * (X - scaler.mean_) / scaler.scale_
    close(explanation.values, wanted)
    close(explanation.base_values, np.full(len(X), -a * machine.intercept_[0] - b))


def test_threshold_of_probabilities_is_one_of_log_odds() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    inner = scaled(LogisticRegression())
    model = FixedThresholdClassifier(inner, threshold=0.9).fit(X, y)
    explanation = neon.explain(model, X, 1)
    close(explanation.prediction, model.estimator_.decision_function(X) - logit(0.9))
    np.testing.assert_array_equal(explanation.prediction > 0, model.predict(X) == 1)
    first = FixedThresholdClassifier(inner, threshold=0.9, pos_label=0).fit(X, y)
    explanation = neon.explain(first, X, 0)
    close(explanation.prediction, -first.estimator_.decision_function(X) - logit(0.9))
    np.testing.assert_array_equal(explanation.prediction > 0, first.predict(X) == 0)


def test_a_bag_of_columns_leaves_the_others_without_relevance() -> None:
    X, y = load_wine(return_X_y=True)
    model = ensemble.BaggingClassifier(LinearSVC(), n_estimators=2, max_features=3, random_state=0).fit(X, y)
    used = np.unique(np.concatenate(model.estimators_features_))
    values = neon.explain(model, X).values
    assert not np.delete(values, used, axis=1).any()
    assert values[:, used].any()


def test_members_that_have_not_seen_a_class() -> None:
    X, y = load_wine(return_X_y=True)
    bag = {"n_estimators": 5, "max_samples": 4, "random_state": 0}
    model = ensemble.BaggingClassifier(scaled(LogisticRegression()), **bag).fit(X, y)
    assert {len(member.classes_) for member in model.estimators_} == {2, 3}  # else nothing is tested
    network = neon.neuralize(model)
    assert network.verify(X) <= 1e-12
    assert neon.explain(model, X, "all").conservation_error() <= 1e-9 * 20


def test_output_codes_of_trees() -> None:
    X, y = load_wine(return_X_y=True)
    model = multiclass.OutputCodeClassifier(DecisionTreeClassifier(max_depth=2, random_state=0), random_state=1)
    explanation = neon.explain(model.fit(X, y), X)
    np.testing.assert_array_equal(model.classes_[explanation.target], model.predict(X))
    assert explanation.conservation_error() <= 1e-9
    bits = np.stack([member.predict_proba(X)[:, 1] for member in model.estimators_], axis=1)
    d = ((bits[:, None] - model.code_book_) ** 2).sum(2)
    close(explanation.prediction, np.sort(d, axis=1)[:, 1] - d.min(1))


def test_a_linear_chain_is_one_linear_map() -> None:
    X, y = load_diabetes(return_X_y=True)
    Y = np.stack([y, y * X[:, 2], -y], axis=1)
    model = multioutput.RegressorChain(Ridge(0.1), order=[1, 2, 0]).fit(X, Y)
    n, total = X.shape[1], []
    for member in model.estimators_:  # in the chain's order
        own, before = member.coef_[:n].copy(), member.coef_[n:]
        total.append(own + sum(c * w for c, w in zip(before, total, strict=True)))
    explanation = neon.explain(model, X, "all")
    for place, target in enumerate(model.order_):
        close(explanation.values[:, :, target], X * total[place])
    close(explanation.prediction, model.predict(X))


def test_scores_of_several_targets_say_what_is_predicted() -> None:
    X, y = load_diabetes(return_X_y=True)
    L = (np.stack([y, y * X[:, 2], -y], axis=1) > 0.0).astype(int)
    L[:, 0], L[:, 2] = y > 140, y < 100
    for make in (multioutput.ClassifierChain, multiclass.OneVsRestClassifier):
        model = make(scaled(LogisticRegression())).fit(X, L)
        np.testing.assert_array_equal(neon.explain(model, X, "all").prediction > 0, model.predict(X))
    model = multioutput.MultiOutputClassifier(scaled(LogisticRegression())).fit(X, L)
    scores = neon.explain(model, X, "all").prediction.reshape(len(X), 3, 2)
    np.testing.assert_array_equal(scores.argmax(2), model.predict(X))


def test_tied_votes_of_pairs() -> None:
    X = random.normal(size=(60, 2))
    y = np.array(list("abcde"))[random.integers(5, size=60)]
    model = multiclass.OneVsOneClassifier(SVC(gamma=3.0, C=100.0)).fit(X, y)
    rows = random.normal(size=(400, 2))
    explanation = neon.explain(model, rows)
    assert (explanation.prediction <= 0).any()  # otherwise this test would test nothing
    np.testing.assert_array_equal(model.classes_[explanation.target], model.predict(rows))


def test_memory_of_pairs_grows_with_their_number() -> None:
    rows = np.random.default_rng(1).normal(size=(60, 2))
    model = multiclass.OneVsOneClassifier(RidgeClassifier()).fit(rows, np.arange(60) % 20)
    network = neon.neuralize(model)
    assert max(buffer.numel() for buffer in network.buffers()) <= 2 * 20 * 19
    assert network.verify(rows[:5]) < 1e-9


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_tied_pairs_inside_calibration_agree_or_are_said(method: str) -> None:
    """A pair that ties votes as the rounding of libsvm falls, which moves a probability by whole hundredths."""
    said = 0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        X, y = rng.integers(0, 3, (60, 2)).astype(float), rng.integers(0, 3, 60)
        model = CalibratedClassifierCV(SVC(kernel="linear"), cv=3, method=method).fit(X, y)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            neon.explain(model, X, "all")
        told = any("lie on a step of the model's function" in str(w.message) for w in caught)
        assert told or neon.neuralize(model).verify(X) < 1e-5
        said += told
    assert said


@pytest.mark.parametrize(
    ("fitted", "rows"),
    [
        (DummyClassifier().fit(np.zeros((6, 2, 3)), np.arange(6) % 2), np.zeros((6, 2, 3))),
        (DummyRegressor().fit(np.zeros((6, 2, 3)), np.arange(6)), np.zeros((6, 2, 3))),
        (
            ensemble.AdaBoostClassifier(DummyClassifier()).fit(np.zeros((6, 2, 3)), np.arange(6) // 4),
            np.zeros((6, 2, 3)),
        ),
        (DummyClassifier().fit(np.zeros(6), np.arange(6) % 2), np.zeros(6)),
        (DummyClassifier().fit(list("abcdef"), np.arange(6) % 2), list("abcdef")),
        (DummyRegressor().fit(None, np.arange(6)), np.zeros((6, 1))),
    ],
)
def test_rows_that_are_no_table_are_refused_in_words(fitted: Any, rows: Any) -> None:
    """Models that do not look at their rows take anything."""
    fitted.predict(rows)
    words = r"np.reshape\(X, \(len\(X\), -1\)\)|fit it on X of shape"
    with pytest.raises((ValueError, UnsupportedModelError), match=words):
        neon.explain(fitted, rows)


def test_target_transformers() -> None:
    X, y = load_diabetes(return_X_y=True)
    log = TransformedTargetRegressor(Ridge(), func=np.log, inverse_func=np.exp).fit(X, y)
    close(neon.explain(log, X).prediction, log.regressor_.predict(X).ravel())
    close(neon.explain(log, X, output="predict").prediction, log.predict(X))
    scaler = TransformedTargetRegressor(Ridge(), transformer=StandardScaler()).fit(X, y)
    close(neon.explain(scaler, X).values, X * scaler.regressor_.coef_ * scaler.transformer_.scale_)
    far = TransformedTargetRegressor(KNeighborsRegressor(3), transformer=StandardScaler()).fit(X, y + 1000)
    explanation = neon.explain(far, X)  # the mean of the targets is no feature's
    close(explanation.values, neon.explain(far.regressor_, X).values * far.transformer_.scale_)
    close(explanation.residuals["bias"], np.full(len(X), far.transformer_.mean_))


@pytest.mark.parametrize(
    ("model", "error", "words"),
    [
        (DummyClassifier(strategy="uniform"), UnsupportedModelError, "at random"),
        (GridSearchCV(LogisticRegression(), {"C": [1.0]}, refit=False, cv=2), ValueError, "refit=False"),
        (multiclass.OneVsOneClassifier(Ridge()), UnsupportedModelError, "regressors"),
        (FixedThresholdClassifier(LogisticRegression(), threshold=1.5), ValueError, "always predicts"),
        (
            multiclass.OneVsOneClassifier(FixedThresholdClassifier(LogisticRegression(), threshold=0.2)),
            UnsupportedModelError,
            "thresholds of their own",
        ),
    ],
)
def test_refusals(model: Any, error: type[Exception], words: str) -> None:
    X, y = load_breast_cancer(return_X_y=True)
    model.fit(StandardScaler().fit_transform(X), y)
    with pytest.raises(error, match=words):
        neon.neuralize(model)


@pytest.mark.parametrize(
    ("step", "last"),
    [
        (ensemble.VotingRegressor([("a", Ridge()), ("b", Ridge(10.0))]), Ridge()),
        (ensemble.VotingClassifier([("a", LogisticRegression())], voting="soft"), LogisticRegression()),
        (ensemble.StackingRegressor([("a", Ridge())], cv=2), Ridge()),
        (ensemble.StackingClassifier([("a", LogisticRegression())], cv=2), LogisticRegression()),
    ],
    ids=lambda model: type(model).__name__,
)
def test_what_members_hand_on_to_a_further_step_is_not_what_they_predict(step: Any, last: Any) -> None:
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    with pytest.raises(UnsupportedModelError, match=r"what its transform gives has none.*\(at step "):
        neon.neuralize(make_pipeline(step, last).fit(X, y))
    assert neon.neuralize(make_pipeline(step).fit(X, y)).verify(X) < 1e-9


def test_calibrated_perceptrons_are_not_refused() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    model = CalibratedClassifierCV(Perceptron(), cv=2).fit(StandardScaler().fit_transform(X), y)
    assert neon.neuralize(model).verify(StandardScaler().fit_transform(X)) <= 1e-9


@pytest.mark.filterwarnings("ignore:The `probability`:FutureWarning")
def test_probabilities_that_libsvm_couples_are_refused() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    members = [("a", LogisticRegression(max_iter=5000)), ("b", SVC(probability=True, random_state=0))]
    model = ensemble.VotingClassifier(members, voting="soft").fit(StandardScaler().fit_transform(X), y)
    with pytest.raises(UnsupportedModelError, match=r"CalibratedClassifierCV\(SVC\(\), ensemble=False\)"):
        neon.neuralize(model)


@pytest.mark.parametrize("output", [None, "probability"])
def test_soft_vote_of_trees_against_the_rest(output: str | None) -> None:
    X, y = load_wine(return_X_y=True)
    members = [
        ("a", multiclass.OneVsRestClassifier(DecisionTreeClassifier(max_depth=2, random_state=0))),
        ("b", scaled(LogisticRegression())),
    ]
    model = ensemble.VotingClassifier(members, voting="soft").fit(X, y)
    close(neon.explain(model, X, "all", output=output).prediction, model.predict_proba(X))
    with pytest.raises(ValueError, match="may be certain"):
        neon.neuralize(model, output="log_odds")


@pytest.mark.parametrize(
    "member",
    [
        make_pipeline(PCA(1), GaussianNB()),
        make_pipeline(PCA(1), LogisticRegression()),
        DecisionTreeClassifier(max_depth=3, random_state=0),
    ],
)
def test_votes_of_pairs_break_ties_by_what_their_machines_say(member: Any) -> None:
    """Around it, one against one gives votes and scores, of probabilities as they are: the model's own."""
    rng = np.random.default_rng(3)
    X, rows = rng.normal(size=(80, 2)), 3 * rng.normal(size=(2000, 2))
    y = np.array(list("abcd"))[rng.integers(4, size=80)]
    model = multiclass.OneVsOneClassifier(member).fit(X, y)
    votes = model.decision_function(rows).round()
    assert ((votes == votes.max(1, keepdims=True)).sum(1) > 1).any()  # otherwise this test would test nothing
    encoded = neon.neuralize(model).encode(rows)
    close(members.decision(model, Ask()).layers(encoded), model.decision_function(rows))
    cast = members.vote(model, Ask()).layers(encoded).numpy()
    np.testing.assert_array_equal(model.classes_[cast.argmax(1)], model.predict(rows))


@pytest.mark.parametrize(
    "around", [multiclass.OutputCodeClassifier(None, random_state=1), multiclass.OneVsRestClassifier(None)]
)
def test_a_machine_with_one_class_to_learn_reads_no_column(around: Any) -> None:
    """Not even one of strings: the code gives both classes the same bit; a label that every row has."""
    X = pd.DataFrame({"a": random.normal(size=60), "b": np.resize(["u", "v", "w"], 60)})
    label = (X["a"] + (X["b"] == "u") > 0).astype(int)
    coded = isinstance(around, multiclass.OutputCodeClassifier)
    y = label if coded else np.stack([label, np.ones(60, dtype=int)], axis=1)
    columns = make_column_transformer((StandardScaler(), ["a"]), (OneHotEncoder(), ["b"]))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Label .* is present in all")
        model = around.set_params(estimator=make_pipeline(columns, LogisticRegression())).fit(X, y)
    constant = [not hasattr(member, "steps") for member in model.estimators_]
    assert any(constant)
    assert not all(constant)
    explanation = neon.explain(model, X, "all")
    assert neon.neuralize(model).verify(X) <= 1e-9
    assert explanation.conservation_error() <= 1e-9 * np.abs(explanation.prediction).max()
    if not coded:
        assert not explanation.values[:, :, constant.index(True)].any()


def test_a_pipeline_that_starts_with_passthrough() -> None:
    """It does not know what it was fitted on; its next step does."""
    X, y = load_wine(return_X_y=True)
    X = pd.DataFrame(X[:, :4], columns=list("abcd"))
    model = make_pipeline("passthrough", StandardScaler(), LogisticRegression())
    search = GridSearchCV(model, {"passthrough": ["passthrough"]}, cv=2).fit(X, y)
    for fitted in (model.fit(X, y), search):
        explanation = neon.explain(fitted, X, "all")
        assert explanation.feature_names == ("a", "b", "c", "d")
        close(explanation.values, neon.explain(model[1:], X, "all").values)
        assert neon.neuralize(fitted).verify(X) <= 1e-9


def test_trees_beside_and_before_models_with_rules_of_their_own() -> None:
    X, y = load_wine(return_X_y=True)
    leaves = ensemble.RandomTreesEmbedding(4, max_depth=2, random_state=0)
    members = [("a", KNeighborsClassifier(3)), ("b", DecisionTreeClassifier(max_depth=2, random_state=0))]
    before = make_pipeline(leaves, MLPClassifier((4,), max_iter=200, tol=0.01, random_state=0))
    for model in (before, ensemble.VotingClassifier(members)):
        explanation = neon.explain(model.fit(X, y), X, "all")
        assert neon.neuralize(model).verify(X) <= 1e-9
        assert explanation.conservation_error() <= 1e-9 * np.abs(explanation.prediction).max()


def test_documents() -> None:
    texts = ["good film", "bad film", "great fun", "awful mess", "good fun film", "bad awful mess"] * 5
    y = np.array([1, 0, 1, 0, 1, 0] * 5)
    members = [
        ("a", make_pipeline(TfidfVectorizer(), LogisticRegression())),
        ("b", make_pipeline(CountVectorizer(), MultinomialNB())),
    ]
    model = ensemble.VotingClassifier(members, voting="soft").fit(texts, y)
    explanation = neon.explain(model, texts, "all")
    close(expit(explanation.prediction), model.predict_proba(texts))
    assert explanation.conservation_error() <= 1e-9


class Nameless(Ridge):
    """A member that does not say how many features it takes."""

    def fit(self, X: Any, y: Any) -> Nameless:
        super().fit(X, y)
        del self.n_features_in_
        return self


@pytest.mark.parametrize("passthrough", [False, True])
def test_a_stack_of_members_that_do_not_count_their_features(passthrough: bool) -> None:
    X, y = load_diabetes(return_X_y=True)
    members = [("a", Nameless()), ("b", Nameless(10.0))]
    model = ensemble.StackingRegressor(members, Ridge(), cv=2, passthrough=passthrough).fit(X, y)
    assert not hasattr(model, "n_features_in_")
    explanation = neon.explain(model, X)
    assert explanation.values.shape == X.shape
    close(explanation.prediction, model.predict(X))
    with pytest.raises(ValueError, match="9 features, but the model was fitted with 10"):
        neon.explain(model, X[:, 1:])


@pytest.mark.parametrize("voting", ["hard", "soft"])
def test_trees_beside_densities_are_relative_to_nothing(voting: Any) -> None:
    """The rule of trees does not fit the whole; then it asks for no reference rows, which densities have no use for."""
    X, y = load_wine(return_X_y=True)
    members = [("tree", DecisionTreeClassifier(max_depth=2)), ("nb", GaussianNB())]
    explanation = neon.explain(ensemble.VotingClassifier(members, voting=voting).fit(X, y), X[:9])
    assert explanation.conservation_error() < 1e-9


@pytest.mark.parametrize(
    ("around", "output"),
    [
        (lambda trees: ensemble.VotingRegressor([("trees", trees), ("ridge", Ridge())]), None),
        (lambda trees: ensemble.VotingRegressor([("trees", trees), ("ridge", Ridge())]), "variance"),
        (lambda trees: ensemble.BaggingRegressor(trees, n_estimators=2, random_state=0), None),
        (lambda trees: ensemble.RandomForestRegressor(10, random_state=0), "variance"),
    ],
)
def test_scaled_rows_on_thresholds_of_members_go_where_the_model_sends_them(around: Any, output: str | None) -> None:
    draw = np.random.default_rng(0).integers
    even, odd = 2.0 * draw(0, 50, (400, 3)), 2.0 * draw(0, 49, (400, 3)) + 1  # thresholds are midpoints
    trees = ensemble.HistGradientBoostingRegressor(max_iter=10)
    model = make_pipeline(StandardScaler(), around(trees)).fit(even, 1.7 * even[:, 0] + np.sin(even[:, 1]))
    assert neon.neuralize(model, output=output).verify(odd) <= 1e-9


def test_a_member_whose_classes_tie_votes_for_the_first() -> None:
    """Log-odds of scores that are equal differ by rounding, in another place for each class."""
    X, y = np.full((6, 1), 3.0), np.array([0, 1, 2, 0, 1, 2])
    members = [("a", LogisticRegression()), ("b", DecisionTreeClassifier(max_depth=2))]
    model = make_pipeline(MinMaxScaler(), ensemble.VotingClassifier(members)).fit(X, y)
    np.testing.assert_array_equal(neon.explain(model, X, "all").prediction, [[2, 0, 0]] * 6)
