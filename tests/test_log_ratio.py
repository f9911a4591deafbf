"""The log-ratio of kernel classifiers against its formulas, written out term by term."""

from __future__ import annotations

import itertools
import math
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse
from scipy.spatial.distance import pdist
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.decomposition import PCA
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, NuSVC

import neon
from neon import composites, nn, rules
from neon.lrp import LRP

pytestmark = pytest.mark.usefixtures("one_pass")

CANCER, WINE = load_breast_cancer(return_X_y=True), load_wine(return_X_y=True)
MODELS: dict[str, Any] = {
    "binary": (SVC(), CANCER),
    "binary-flipped": (SVC(), (CANCER[0], 1 - CANCER[1])),
    "binary-nu": (NuSVC(nu=0.2), CANCER),
    "binary-words": (SVC(C=10.0), (CANCER[0], np.array(["malignant", "benign"])[CANCER[1]])),
    "multi": (SVC(), WINE),
    "multi-nu": (NuSVC(nu=0.3, gamma=0.2), WINE),
    "multi-ovo": (SVC(C=0.1, decision_function_shape="ovo", gamma=0.02), WINE),
}
every_model = pytest.mark.parametrize("name", MODELS)


def fit(name: str) -> tuple[Any, np.ndarray]:
    """A pipeline of a scaler and the model, and the rows."""
    model, (X, y) = MODELS[name]
    return make_pipeline(StandardScaler(), model).fit(X, y), X


def machines(model: SVC) -> dict[tuple[int, int], list[tuple[float, np.ndarray | None]]]:
    """For each pair of classes (i, j) the terms (α, u) of a machine that is positive for i; u is None for the bias."""
    n_classes, sv = len(model.classes_), model.support_vectors_
    owner = np.repeat(np.arange(n_classes), model.n_support_)
    found = {}
    for number, (i, j) in enumerate(itertools.combinations(range(n_classes), 2)):
        sign = -1.0 if n_classes == 2 else 1.0
        terms: list[tuple[float, np.ndarray | None]] = [(sign * model.intercept_[number], None)]
        for v, c in enumerate(owner):
            if c in (i, j):
                rival = j if c == i else i
                terms.append((sign * model.dual_coef_[rival - 1 if rival > c else rival, v], sv[v]))
        found[i, j] = terms
    return found


def textbook(
    terms: list[tuple[float, np.ndarray | None]], x: np.ndarray, gamma: float, middle: np.ndarray
) -> dict[str, Any]:
    """One machine, one row: g, gradient × input about a middle, midpoint relevance and what each of them leaves."""
    sides = []
    for sign in (1.0, -1.0):
        own = [(sign * alpha, x if u is None else u) for alpha, u in terms if sign * alpha > 0]
        log = [math.log(alpha) - gamma * sum((x - u) ** 2) for alpha, u in own]
        top = max(log)
        total = top + math.log(math.fsum(math.exp(value - top) for value in log))
        p = [math.exp(value - total) for value in log]
        pairs = list(zip(p, own, strict=True))
        sides.append(
            {
                "log": total,
                "squares": sum(w * (x - u) ** 2 for w, (_, u) in pairs),
                "mean": sum(w * u for w, (_, u) in pairs),
                "lengths": sum(w * ((u - middle) @ (u - middle) - (x - middle) @ (x - middle)) for w, (_, u) in pairs),
                "log_weight": sum(w * math.log(alpha) for w, (alpha, _) in pairs),
                "entropy": -sum(w * math.log(w) for w in p if w > 0),
            }
        )
    plus, minus = sides
    return {
        "g": plus["log"] - minus["log"],
        "midpoint": gamma * (minus["squares"] - plus["squares"]),
        "gi": 2 * gamma * (x - middle) * (plus["mean"] - minus["mean"]),
        "origin": gamma * (minus["lengths"] - plus["lengths"]),
        "log_weight": plus["log_weight"] - minus["log_weight"],
        "entropy": plus["entropy"] - minus["entropy"],
    }


def of_class(model: SVC, x: np.ndarray, c: int) -> dict[str, Any]:
    """The textbook's account of a class: of its machine against the rival that is closest."""
    rivals = []
    for (i, j), terms in machines(model).items():
        if c in (i, j):
            sign = 1.0 if c == i else -1.0
            account = textbook(terms, x, model._gamma, model.support_vectors_.mean(0))
            rivals.append({key: sign * value for key, value in account.items()})
    return min(rivals, key=lambda account: account["g"])


def heuristic(model: SVC) -> float:
    decades = math.log10(model._gamma * np.median(pdist(model.support_vectors_) ** 2))
    return 0.0 if decades < -0.5 else 1.0 if decades > 1.5 else 0.4 * decades + 0.4


def hybrid(eta: float) -> composites.Composite:
    return composites.neon().override(composites.kind("distance"), rules.Hybrid(eta))


def close(found: np.ndarray, expected: np.ndarray, tolerance: float = 1e-9) -> None:
    assert np.linalg.norm(found - expected) <= tolerance * np.linalg.norm(expected)


def check_conservation(explanation: neon.Explanation) -> None:
    total = explanation.values.sum(1) + sum(explanation.residuals.values())
    size = np.maximum(1.0, np.abs(explanation.values).sum(1))
    assert np.isfinite(explanation.values).all()
    assert not explanation.base_values.any()
    np.testing.assert_array_less(np.abs(total - explanation.prediction), 1e-9 * size)


@every_model
@pytest.mark.parametrize("eta", [None, 0.0, 0.3, 1.0])
def test_relevance_and_residuals(name: str, eta: float | None) -> None:
    pipeline, X = fit(name)
    model, rows = pipeline[-1], X[::23]
    explainer = neon.Explainer(pipeline, output="log_ratio", composite=None if eta is None else hybrid(eta))
    explanation = explainer(rows, "all")
    check_conservation(explanation)
    if eta is None:
        eta = heuristic(model)
        assert 0.2 <= eta < 1
    scaled = pipeline[0].transform(rows)
    accounts = [[of_class(model, x, c) for c in range(len(model.classes_))] for x in scaled]

    def table(key: str) -> np.ndarray:
        return np.array([[account[key] for account in row] for row in accounts])

    close(explanation.prediction, table("g"))
    relevance = (1 - eta) * table("gi") + eta * table("midpoint")
    close(explanation.values, relevance.transpose(0, 2, 1))
    assert set(explanation.residuals) == {"entropy", "log_weight"} | ({"origin"} if eta < 1 else set())
    close(explanation.residuals["entropy"], table("entropy"))
    close(explanation.residuals["log_weight"], table("log_weight"))
    if eta < 1:
        close(explanation.residuals["origin"], (1 - eta) * table("origin"))


@every_model
def test_same_sign_as_the_decision_function(name: str) -> None:
    """``tanh(g / 2) (A + B) = f`` for every machine; of more than two classes, where the second of a pair wins."""
    pipeline, X = fit(name)
    model = pipeline[-1]
    network = neon.neuralize(model, output="log_ratio")
    rng = np.random.default_rng(0)
    scaled = pipeline[0].transform(X)
    scaled = np.concatenate([scaled, scaled + rng.normal(size=scaled.shape)])
    assert network.verify(scaled) <= 1e-9
    g = network.layers[:2](torch.as_tensor(scaled)).numpy()
    shape = model.decision_function_shape
    f = model.set_params(decision_function_shape="ovo").decision_function(scaled).reshape(len(scaled), -1)
    f = f if len(model.classes_) == 2 else -f  # libsvm's own are above 0 where the first wins
    model.set_params(decision_function_shape=shape)
    for number, terms in enumerate(machines(model).values()):
        mass = np.zeros(len(scaled))
        for alpha, u in terms:
            mass += abs(alpha) * (1.0 if u is None else rbf_kernel(scaled, u[None], gamma=model._gamma)[:, 0])
        close(np.tanh(g[:, number] / 2) * mass, f[:, number])
        np.testing.assert_array_equal(np.sign(g[:, number]), np.sign(f[:, number]))


@every_model
def test_target_is_the_prediction(name: str) -> None:
    pipeline, X = fit(name)
    explanation = neon.explain(pipeline, X, output="log_ratio")
    np.testing.assert_array_equal(pipeline.classes_[explanation.target], pipeline.predict(X))
    assert (explanation.prediction > 0).all()
    assert explanation.explains.startswith("log-ratio")


@pytest.mark.parametrize(("name", "sign"), [("binary", -1), ("binary-flipped", 1)])
def test_intercepts_of_both_signs_are_tested(name: str, sign: int) -> None:
    pipeline, _ = fit(name)
    assert sign * pipeline[-1].intercept_[0] > 0.1


@every_model
def test_layers_form(name: str) -> None:
    pipeline, X = fit(name)
    fused = neon.Explainer(pipeline, output="log_ratio")(X, "all")
    network = neon.neuralize(pipeline, output="log_ratio", form="layers")
    assert not any(isinstance(layer, nn.LogRatio) for layer in network.layers)
    assert sum(isinstance(layer, nn.LogSumExp) for layer in network.layers) == 1
    layers = neon.Explainer(network)(X, "all")
    close(layers.prediction, fused.prediction)
    close(layers.values, fused.values)
    assert set(layers.residuals) == set(fused.residuals)
    for key, amount in fused.residuals.items():
        close(layers.residuals[key], amount)


def test_gradient_times_input() -> None:
    """At η = 0 the relevance is the gradient of g times the input, from the middle of the support vectors."""
    pipeline, X = fit("binary-flipped")
    model = pipeline[-1]
    assert model.intercept_[0] > 0
    x = torch.tensor(pipeline[0].transform(X), requires_grad=True)
    alpha, u = torch.as_tensor(model.dual_coef_[0]), torch.as_tensor(model.support_vectors_)
    k = torch.exp(-model._gamma * ((x[:, None] - u) ** 2).sum(2))
    g = torch.log(k @ alpha.clamp(min=0) + model.intercept_[0]) - torch.log(k @ (-alpha).clamp(min=0))
    (gradient,) = torch.autograd.grad(g.sum(), x)
    explanation = neon.Explainer(pipeline, output="log_ratio", composite=hybrid(0.0))(X, 1)
    close(explanation.values, (gradient * (x - u.mean(0))).detach().numpy())


@pytest.mark.parametrize("gamma", [1e-3, 0.03, 0.5, 3.0, 30.0])
@pytest.mark.parametrize("data", [CANCER, WINE], ids=["binary", "multi"])
def test_narrow_and_wide_kernels(gamma: float, data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = data
    pipeline = make_pipeline(StandardScaler(), SVC(gamma=gamma)).fit(X, y)
    rows = np.concatenate([X, 3 * X[:40], -5 * X[:40]])
    explainer = neon.Explainer(pipeline, output="log_ratio")
    explanation = explainer(rows, "all")
    check_conservation(explanation)
    own = explainer.network._own(rows)
    np.testing.assert_array_less(np.abs(explanation.prediction - own), 1e-9 * np.maximum(1.0, np.abs(own)))
    layers = neon.Explainer(neon.neuralize(pipeline, output="log_ratio", form="layers"))(rows, "all")
    close(layers.values, explanation.values)
    assert np.isfinite(neon.Explainer(pipeline, output="log_ratio", dtype=torch.float32)(rows).values).all()


@pytest.mark.parametrize(("width", "expected"), [(0.3, 0.0), (1.0, 0.4), (10.0, 0.8), (32.0, 1.0)])
def test_eta_follows_the_heuristic(width: float, expected: float) -> None:
    """``width = γ median ‖u - u'‖²``, below 10^-0.5, between, above 10^1.5; all support vectors kept by a small C."""
    X = StandardScaler().fit_transform(WINE[0])[:130]
    gamma = width / np.median(pdist(X) ** 2)
    model = SVC(gamma=gamma, C=1e-3).fit(X, np.arange(130) % 2)
    assert len(model.support_) == 130
    (_, rule), *_ = neon.neuralize(model, output="log_ratio").composite.rules
    assert isinstance(rule, rules.Hybrid)
    assert abs(rule.eta - expected) <= 1e-12


def test_a_machine_on_its_boundary() -> None:
    """At g = 0 nothing is divided: contributions are there and cancel."""
    layers = nn.SquaredDistance(np.eye(2)), nn.LogRatio([[1.0, -1.0]], [0.0], 0.5), nn.Linear([[-1.0], [1.0]])
    model = torch.nn.Sequential(*layers)
    x = torch.tensor([[2.0, 2.0]], dtype=torch.float64)
    assert not model(x).any()
    torch.testing.assert_close(LRP(model, "neon")(x, 1), torch.tensor([[1.5, -1.5]], dtype=torch.float64))


def test_weights_of_any_size() -> None:
    """Random machines: some coefficients 0, biases of all signs and none, 600 decades of weights, far rows."""
    rng = np.random.default_rng(0)
    centers, gamma = rng.normal(size=(12, 3)), 0.7
    alpha = rng.normal(size=(5, 12)) * 10.0 ** rng.uniform(-300, 300, size=(5, 12)) * (rng.random((5, 12)) > 0.3)
    bias = np.array([1e250, -1e-200, 0.0, 1e-300, -3.0])
    model = torch.nn.Sequential(nn.SquaredDistance(centers), nn.LogRatio(alpha, bias, gamma))
    x = np.concatenate([centers[:3], 30 * rng.normal(size=(20, 3))])
    recording = LRP(model, hybrid(0.6)).record(torch.as_tensor(x))
    for o in range(5):
        terms = [(a, u) for a, u in zip(alpha[o], centers, strict=True) if a] + [(bias[o], None)] * bool(bias[o])
        accounts = [textbook(terms, row, gamma, centers.mean(0)) for row in x]
        walk = recording.propagate(o, account=True)
        close(recording.output[:, o].numpy(), np.array([a["g"] for a in accounts]))
        close(walk.relevance[0].numpy(), np.array([0.4 * a["gi"] + 0.6 * a["midpoint"] for a in accounts]))
        total = walk.relevance[0].sum(1) + sum(walk.ledger.absorbed.values())
        close(total.numpy(), recording.output[:, o].numpy())


def test_relevance_of_several_outputs_adds_up() -> None:
    rng = np.random.default_rng(1)
    layers = nn.SquaredDistance(rng.normal(size=(8, 3))), nn.LogRatio(rng.normal(size=(4, 8)), rng.normal(size=4), 0.5)
    lrp, x = LRP(torch.nn.Sequential(*layers), hybrid(0.5)), torch.as_tensor(rng.normal(size=(6, 3)))
    start = torch.as_tensor(rng.normal(size=(6, 4))) * torch.as_tensor(rng.random((6, 4)) > 0.4)
    g = lrp.model(x)
    parts = [lrp(x, o) * (start[:, o] / g[:, o])[:, None] for o in range(4)]
    torch.testing.assert_close(lrp(x, start), sum(parts), rtol=1e-9, atol=1e-12)


def test_behind_a_projection() -> None:
    X, y = WINE
    pipeline = make_pipeline(StandardScaler(), PCA(4), SVC()).fit(X, y)
    explainer = neon.Explainer(pipeline, output="log_ratio")
    explanation = explainer(X, "all")
    check_conservation(explanation)
    assert explainer.network.verify(X) <= 1e-9
    # Gradient × input and squared distances in the metric of the projection, for the class predicted.
    model, eta = pipeline[-1], heuristic(pipeline[-1])
    z, projection = pipeline[:-1].transform(X[:5]), pipeline[1].components_
    scaled = pipeline[0].transform(X[:5])
    for row, (x, latent) in enumerate(zip(scaled, z, strict=True)):
        c = int(explanation.prediction[row].argmax())
        account = of_class(model, latent, c)
        middle = model.support_vectors_.mean(0)
        gradient = (account["gi"] / (latent - middle)) @ projection
        gi = gradient * (x - pipeline[1].mean_ - np.linalg.pinv(projection) @ middle)
        found = neon.Explainer(pipeline, output="log_ratio", composite=hybrid(0.0))(X[[row]], c).values[0]
        close(found, gi)
        whole = (1 - eta) * gi.sum() + eta * account["midpoint"].sum()
        assert abs(explanation.values[row, :, c].sum() - whole) <= 1e-9 * max(1.0, abs(whole))


def test_fitted_on_a_sparse_matrix() -> None:
    X, y = StandardScaler().fit_transform(WINE[0]), WINE[1]
    model = SVC().fit(sparse.csr_matrix(X), y)
    explanation = neon.explain(model, sparse.csr_matrix(X), "all", output="log_ratio")
    close(explanation.values, neon.explain(SVC().fit(X, y), X, "all", output="log_ratio").values, 1e-6)
    check_conservation(explanation)


def test_fitted_on_a_frame() -> None:
    X, y = load_wine(return_X_y=True, as_frame=True)
    explainer = neon.Explainer(SVC().fit(X, y), output="log_ratio")
    assert explainer.network.verify(X) <= 1e-9
    assert explainer(X).feature_names == tuple(X.columns)


@pytest.mark.parametrize("name", ["binary", "multi"])
def test_same_answer_in_batches_and_copies(name: str) -> None:
    pipeline, X = fit(name)
    explainer = neon.Explainer(pipeline, output="log_ratio")
    whole = explainer(X)
    again = pickle.loads(pickle.dumps(explainer))
    np.testing.assert_array_equal(again(X).values, whole.values)
    assert again.network.verify(X) <= 1e-9
    assert explainer(X[:0]).values.shape == (0, X.shape[1])
    close(explainer(X[[3]]).values, whole.values[[3]])
    close(neon.Explainer(pipeline, output="log_ratio", batch_size=7)(X).values, whole.values)


@pytest.mark.parametrize("kernel", ["linear", "poly", "sigmoid"])
def test_other_kernels_have_no_log_ratio(kernel: str) -> None:
    model = SVC(kernel=kernel).fit(*WINE)
    with pytest.raises(ValueError, match=f"squared distances.*kernel='{kernel}' use output=\"decision_function\""):
        neon.neuralize(model, output="log_ratio")


def test_refusals() -> None:
    pipeline, X = fit("binary")
    with pytest.raises(ValueError, match="no exact ReLU form"):
        neon.neuralize(pipeline, output="log_ratio", form="relu")
    with pytest.raises(ValueError, match=r"choose from \['decision_function', 'log_ratio'\]"):
        neon.neuralize(pipeline, output="log_odds")
    with pytest.raises(ValueError, match="not relative to a reference point"):
        neon.Explainer(pipeline, output="log_ratio", reference=X[:3])


def test_a_machine_with_one_sign_is_refused() -> None:
    X, y = WINE
    model = SVC().fit(X, np.array(["red", "white", "rose"])[y])
    model.dual_coef_[1, : model.n_support_[0]] = 0.0  # the coefficients of class red against white
    model.intercept_[1] = -0.1
    with pytest.raises(ValueError, match="machine of classes 'red' and 'white' has no support vector"):
        neon.neuralize(model, output="log_ratio")
    model.intercept_[1] = model._intercept_[1] = 0.1  # the virtual support vector stands in
    explanation = neon.Explainer(model, output="log_ratio")(X, "all")
    check_conservation(explanation)
