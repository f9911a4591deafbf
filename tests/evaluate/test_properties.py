"""The properties of linear functions are known; captum computes sensitivity and infidelity as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.svm import SVC

import neon
from neon import evaluate

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 3))
WEIGHTS = np.array([3.0, 0.0, -4.0])


def linear(rows: np.ndarray) -> np.ndarray:
    return rows @ WEIGHTS + 2


def contributions(model: Any, rows: np.ndarray, target: Any, background: Any) -> np.ndarray:
    return rows * WEIGHTS


def test_conservation_of_an_array_by_hand() -> None:
    relevance = X * WEIGHTS
    assert evaluate.conservation(linear, X, relevance)["conservation"] == pytest.approx(0, abs=1e-12)
    assert evaluate.conservation(linear, X, relevance, base=0.0)["conservation"] == pytest.approx(2)
    lost = evaluate.conservation(linear, X, np.zeros(X.shape), base=2.0)["conservation"]
    np.testing.assert_allclose(lost, np.abs(X @ WEIGHTS))


def test_conservation_of_an_explanation_counts_residuals() -> None:
    iris, y = load_iris(return_X_y=True)
    model = SVC().fit(iris, y)
    explanation = neon.Explainer(model)(iris)
    scores = evaluate.conservation(model, iris, explanation)
    assert scores["conservation"].max() <= 1e-9
    taken = sum(np.abs(part) for part in explanation.residuals.values())
    np.testing.assert_allclose(scores["residual_share"], taken / (taken + np.abs(explanation.values).sum(1)))


def test_positivity_by_hand() -> None:
    scores = evaluate.positivity(np.zeros((3, 2)), np.array([[1.0, 3.0], [3.0, -1.0], [0.0, 0.0]]))
    np.testing.assert_allclose(scores["positivity"], [1, 0.75, 1])


def test_continuity_of_a_linear_function() -> None:
    """R = w x changes by w δ: at most max |w| per step, and never more than the norm of w would let f."""
    scores = evaluate.continuity(linear, X, contributions, background=np.array([[-1.0] * 3, [1.0] * 3]), n_samples=2000)
    assert (scores["continuity"] <= 4 + 1e-9).all()
    assert (scores["continuity"] >= 3.9).all()
    np.testing.assert_allclose(scores["continuity_per_change"], 4 / 5, rtol=0.03)


def test_continuity_is_in_standard_deviations() -> None:
    background = np.array([[-10.0] * 3, [10.0] * 3])
    small = evaluate.continuity(linear, X, contributions, background=background / 10)
    large = evaluate.continuity(linear, X, contributions, background=background)
    np.testing.assert_allclose(large["continuity"], 10 * small["continuity"])


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2)).double()


def as_captum(perturb: Callable[[np.ndarray, np.random.Generator], Any]) -> Callable[..., Any]:
    def moved(x: Any) -> Any:
        x = x[0] if isinstance(x, tuple) else x
        found = perturb(x.detach().numpy(), np.random.default_rng(5))
        return tuple(map(torch.from_numpy, found)) if isinstance(found, tuple) else (torch.from_numpy(found),)

    return moved


def test_max_sensitivity_is_captums() -> None:
    metrics = pytest.importorskip("captum.metrics")
    model = network()

    def perturb(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return rows + rng.uniform(-0.1, 0.1, rows.shape)

    def gradients(inputs: Any, target: Any) -> Any:
        x = inputs[0] if isinstance(inputs, tuple) else inputs
        return (neon.baselines.GradientXInput(model)(x, target),)

    theirs = metrics.sensitivity_max(
        gradients, torch.from_numpy(X), perturb_func=as_captum(perturb), n_perturb_samples=7, target=1
    )
    ours = evaluate.max_sensitivity(
        model, X, evaluate.methods["gradient_x_input"], target=1, perturb=perturb, n_samples=7, seed=5
    )
    np.testing.assert_allclose(ours["max_sensitivity"], theirs.numpy(), rtol=1e-6)


@pytest.mark.parametrize("normalize", [False, True])
def test_infidelity_is_captums(normalize: bool) -> None:
    metrics = pytest.importorskip("captum.metrics")
    model = network()

    def perturb(rows: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        noise = rng.normal(0, 0.3, rows.shape)
        return noise, rows - noise

    gradient = neon.baselines.Gradient(model)(torch.from_numpy(X), 1)
    theirs = metrics.infidelity(
        model,
        as_captum(perturb),
        torch.from_numpy(X),
        gradient,
        target=1,
        n_perturb_samples=9,
        normalize=normalize,
    )
    ours = evaluate.infidelity(
        model, X, gradient.numpy(), target=1, perturb=perturb, n_samples=9, normalize=normalize, seed=5
    )
    np.testing.assert_allclose(ours["infidelity"], theirs.numpy(), rtol=1e-6)


def test_infidelity_of_what_is_taken_away() -> None:
    """Contributions to a linear function foretell it exactly; nothing at all is off by the drop."""
    zero = np.zeros((1, 3))
    right = evaluate.infidelity(linear, X, X * WEIGHTS, background=zero, refill="mean")
    np.testing.assert_allclose(right["infidelity"], 0, atol=1e-20)
    one = np.array([[2.0]])
    nothing = evaluate.infidelity(lambda z: 3 * z[:, 0], one, np.zeros((1, 1)), background=one * 0, refill="mean")
    assert nothing["infidelity"] == pytest.approx(36)
    # Of two features the first is among those taken away with probability (1/2 + 1) / 2.
    two = np.array([[2.0, 1.0]])
    often = evaluate.infidelity(
        lambda z: 3 * z[:, 0], two, two * 0, background=two * 0, refill="mean", n_samples=20_000
    )
    assert often["infidelity"] == pytest.approx(0.75 * 36, rel=0.03)


def test_randomization() -> None:
    iris, y = load_iris(return_X_y=True)
    model = SVC(gamma=0.5).fit(iris, y)
    before = model.dual_coef_.copy()
    noise = evaluate.randomized(model, iris, y)
    np.testing.assert_array_equal(model.dual_coef_, before)
    same = evaluate.randomization(model, model, iris, evaluate.methods["neon"])
    np.testing.assert_allclose(same["randomization"], 1)
    other = evaluate.randomization(model, noise, iris, evaluate.methods["neon"])
    assert other["randomization"].mean() < 0.9
    assert not torch.equal(evaluate.randomized(network())[0].weight, network()[0].weight)
    with pytest.raises(ValueError, match="give the rows"):
        evaluate.randomized(model)
