"""Other people's tests: each has a case whose answer is known, and random attributions are at chance."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.others import functional, gaussians, occlusions, tetrominoes, toolkit
from neon import evaluate

RNG = np.random.default_rng(0)


class TestFunctional:
    @pytest.mark.parametrize("name", list(functional.TESTS))
    def test_shapley_values(self, name: str) -> None:
        """They have the answer everywhere but where features are distributed differently, by their definition."""
        pytest.importorskip("xgboost", reason="xgboost is not installed")
        test = functional.TESTS[name]
        found = functional.answers(test, {"exact_shapley": evaluate.exact_shapley})
        # Of x0 + x1 they are x - mean: the means are 11/33 and 23/33, 4/16 and 12/16.
        short = {"x0_plus_x1, not uniform, dependent": 12 / 33, "x0_plus_x1, not uniform, independent": 0.5}
        for (_, score), row in found.items():
            expected = 1 - short.get(name, 0) if score == "attribution" else 1
            assert row["exact_shapley"] == pytest.approx(expected, abs=1e-3)

    def test_random_is_at_chance(self) -> None:
        pytest.importorskip("xgboost", reason="xgboost is not installed")
        random = {"random": functional.METHODS["random"]}
        (row, _) = functional.answers(functional.TESTS["a_and_b_or_c"], random).values()
        assert row["random"] == pytest.approx(0.5, abs=0.2)
        (row,) = functional.answers(functional.TESTS["counterexample_dummy_axiom"], random).values()
        assert row["random"] < 0.2


class TestGaussians:
    WEIGHTS = np.array([4.0, 3.0, 2.0, 1.0, 0.0])

    def test_interventional_values_of_a_linear_function(self) -> None:
        gaussian = gaussians.Gaussian(0.5, conditional=False)
        X = gaussian.rows(4)
        found = gaussians.true_shapley(gaussians.linear, X, gaussian, 4000)
        np.testing.assert_allclose(found, self.WEIGHTS * X, atol=0.25)
        assert gaussians.correlations(found, self.WEIGHTS * X) > 0.99

    def test_conditional_values_of_a_linear_function(self) -> None:
        """Of a feature without weight they are what it tells of the others; they add up to f(x), whose mean is 0."""
        gaussian = gaussians.Gaussian(0.5)
        X = gaussian.rows(6)
        found = gaussians.true_shapley(gaussians.linear, X, gaussian, 4000)
        np.testing.assert_allclose(found.sum(1), X @ self.WEIGHTS, atol=0.25)
        # The same by the means alone, which a linear function needs: v(S) = w_S x_S + w_rest E[x_rest | x_S].
        marginal = gaussians.true_shapley(gaussians.linear, X, gaussians.Gaussian(0.5, conditional=False), 4000)
        assert gaussians.correlations(found, marginal) < 0.99
        kept = np.array([True, False, False, False, False])
        mean, covariance = gaussian.given(X, kept)
        np.testing.assert_allclose(mean, 0.5 * np.repeat(X[:, :1], 4, 1))
        np.testing.assert_allclose(covariance, 0.5 - 0.25 + 0.5 * np.eye(4))

    def test_draws_have_the_conditional_distribution(self) -> None:
        gaussian = gaussians.Gaussian(0.5)
        kept = np.array([True, False, True, False, False])
        X = gaussian.rows(1)
        drawn = gaussian.completed(X, kept, 20_000)[0]
        mean, covariance = gaussian.given(X, kept)
        np.testing.assert_array_equal(drawn[:, kept], np.repeat(X[:, kept], 20_000, axis=0))
        np.testing.assert_allclose(drawn[:, ~kept].mean(0), mean[0], atol=0.03)
        np.testing.assert_allclose(np.cov(drawn[:, ~kept].T), covariance, atol=0.03)

    def test_remove_and_retrain(self) -> None:
        """To take away what matters hurts more than to take away what does not; random is between."""
        gaussian = gaussians.Gaussian(0.0)
        X = gaussian.rows(300)
        y, model = gaussians.targets(gaussians.linear, X), gaussians.MODELS["linear"]
        truth = self.WEIGHTS * X
        best, null, worst = (
            gaussians.roar(model, X, y, relevance, gaussian, 200)
            for relevance in (truth, RNG.normal(size=X.shape), 1 / (np.abs(truth) + 0.01))
        )
        assert best > null > worst

    def test_random_has_no_correlation(self) -> None:
        rows = RNG.normal(size=(2000, 5))
        assert gaussians.correlations(RNG.normal(size=rows.shape), rows) == pytest.approx(0, abs=0.05)
        assert gaussians.correlations(rows, rows) == pytest.approx(1)
        assert gaussians.correlations(np.ones_like(rows), rows) == 0


class TestTetrominoes:
    @pytest.mark.parametrize("scenario", list(tetrominoes.ALPHA))
    def test_precision(self, scenario: str) -> None:
        data = tetrominoes.images(scenario, smooth=False, n=1000)
        k = 4 if scenario == "rigid" else 8
        assert set(data.truth.sum(1)) == {k}
        np.testing.assert_array_equal(tetrominoes.precision(data.truth * 1.0, data.truth), 1)
        random = tetrominoes.precision(RNG.normal(size=data.X.shape), data.truth)
        assert evaluate.mean_interval(random)[0] == pytest.approx(k / 64, abs=0.02)

    def test_where_the_classes_differ_is_the_truth(self) -> None:
        """Their means differ at the pattern's pixels alone; of xor they do not differ, but the products do."""
        linear = tetrominoes.images("linear", smooth=False)
        apart = linear.X[linear.y == 1].mean(0) - linear.X[linear.y == 0].mean(0)
        assert tetrominoes.precision(apart[None], linear.truth[:1]) == 1
        xor = tetrominoes.images("xor", smooth=False)
        signs = np.sign(xor.X[:, xor.truth[0]])
        agree = (signs[:, :4].sum(1) * signs[:, 4:].sum(1)) > 0
        assert agree[xor.y == 0].mean() > 0.6 > 0.4 > agree[xor.y == 1].mean()

    def test_a_network_learns_it(self) -> None:
        data = tetrominoes.images("linear", smooth=False, n=1000)
        trained = tetrominoes.fitted("MLP", data, n_epochs=15)
        assert trained.accuracy > 0.8
        rows = tetrominoes.correct(trained, 20)
        relevance = evaluate.methods["gradient_x_input"](trained.network, rows.X)
        assert tetrominoes.precision(relevance, rows.truth).mean() > 0.3


class TestOcclusions:
    def test_a_linear_function(self) -> None:
        """Its terms are the best order under every occlusion by one value, pixel by pixel; random is near 0."""
        random = np.random.default_rng(0)
        weights = random.normal(size=64)
        f = evaluate.Explained(lambda X: X @ weights)
        background, X = random.random((50, 64)), random.random((20, 64))
        terms = weights * (X - background.mean(0))
        said = {"terms": terms, "against": -terms, "random": random.normal(size=X.shape)}
        found = occlusions.gains(f, X, said, background)
        assert len(found) == len(occlusions.PATCHES) * len(occlusions.REFILLS)
        row = found["1×1, mean"]
        assert row["terms"] == pytest.approx(-row["against"])
        assert abs(row["random"]) < row["terms"] / 3
        assert all(row["terms"] > row["random"] > row["against"] for row in found.values())


@pytest.mark.filterwarnings("ignore")  # of Quantus' own
def test_quantus() -> None:
    pytest.importorskip("quantus", reason="Quantus is not installed")
    data = tetrominoes.images("linear", smooth=False, n=1000)
    found = toolkit.measured(tetrominoes.fitted("MLP", data, n_epochs=5), 4)
    assert {group for group, _ in found} == {group for group, *_ in toolkit.GROUPS}
    assert all({"neon", "expected", "random"} <= set(row) for row in found.values())


def test_where_quantus_is_not_installed_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolkit, "fitted", lambda *_: None)
    monkeypatch.setattr(toolkit, "images", lambda *_, **__: None)
    monkeypatch.setitem(__import__("sys").modules, "quantus", None)
    assert "Not measured: Quantus is not installed" in "\n".join(toolkit.section())


def test_torch_networks_are_what_scikit_learn_fitted() -> None:
    X, y = RNG.random((60, 64)), np.arange(60) % 3
    with pytest.warns(Warning, match="converge"):
        network = occlusions.network(X, y)
    assert network(torch.from_numpy(X)).shape == (60, 3)
