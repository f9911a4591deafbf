"""The spelled-out forms: the same function, the same relevance."""

import numpy as np
import pytest
import torch

import neon
from neon.nn import forms
from neon.nn.trees import TreeEnsemble, Trees, relu_layers, tree_layers
from tests.trees import textbook
from tests.trees.test_engine import KINDS, close


@pytest.mark.parametrize("kind", KINDS)
def test_layers_are_the_walk(kind):
    trees = textbook.random_trees(41, **KINDS[kind])
    X = textbook.random_rows(trees, 120, 42)
    close(tree_layers(trees)(torch.as_tensor(X)).numpy(), textbook.predict(trees, X), 1e-14)


def finite_rows(trees, n, seed):
    X = textbook.random_rows(trees, n, seed, missing=False)
    rng = np.random.default_rng(seed)
    # Ties of the rounding to float32, and their neighbours.
    own = trees.threshold[np.isfinite(trees.threshold)].astype(np.float32)
    for next_one in (np.float32(9), np.float32(-9)):
        middle = (own.astype(np.float64) + np.nextafter(own, next_one)) / 2
        for value in (middle, np.nextafter(middle, 9), np.nextafter(middle, -9)):
            if len(value):
                X[rng.random(X.shape) < 0.1] = rng.choice(value)
    X[~np.isfinite(X)] = 1e30
    return np.where(np.abs(X) < 1e-270, 0.0, X)


@pytest.mark.parametrize("kind", [k for k in KINDS if "categorical" not in k])
def test_relu_form_is_the_walk(kind):
    for seed in range(4):
        trees = textbook.random_trees(43 + seed, **KINDS[kind])
        X = finite_rows(trees, 300, 44 + seed)
        network = relu_layers(trees)
        assert {type(layer) for layer in network} <= {torch.nn.Linear, torch.nn.ReLU}
        close(network(torch.as_tensor(X)).numpy(), textbook.predict(trees, X), 1e-14)


@pytest.mark.parametrize("composite", ["shapley", "path", "equal", "interventional"])
@pytest.mark.parametrize("kind", KINDS)
def test_layers_give_the_relevance_of_the_fused_form(kind, composite):
    trees = textbook.random_trees(45, **KINDS[kind])
    X = torch.as_tensor(textbook.random_rows(trees, 25, 46))
    reference = torch.as_tensor(textbook.random_rows(trees, 6, 47)) if composite == "interventional" else None
    target = torch.arange(25) % trees.n_outputs
    walks = [
        neon.LRP(network, composite).record(X, reference=reference).propagate(target, account=True)
        for network in (TreeEnsemble(trees), tree_layers(trees))
    ]
    fused, layers = (walk.relevance[0].numpy() for walk in walks)
    close(layers, fused)
    f = TreeEnsemble(trees)(X).gather(1, target[:, None])[:, 0]
    absorbed = sum(walks[1].ledger.absorbed.values())
    if composite != "interventional":
        close((walks[1].relevance[0].sum(1) + absorbed).numpy(), f.numpy())


def test_an_ensemble_is_asked_for_its_forms():
    trees = textbook.random_trees(43)
    X = torch.as_tensor(finite_rows(trees, 20, 44))
    asked = forms.relu([TreeEnsemble(trees)], trees.n_features)
    assert torch.equal(asked(X), relu_layers(trees)(X))
    asked = forms.spelled_out([TreeEnsemble(trees)], trees.n_features)
    assert torch.equal(asked(X), tree_layers(trees)(X))


def test_relu_form_takes_the_classic_rules():
    trees = textbook.random_trees(48)
    X = torch.as_tensor(finite_rows(trees, 20, 49))
    assert neon.LRP(relu_layers(trees), "epsilon_plus")(X, 0).isfinite().all()


def test_no_relu_form():
    with pytest.raises(ValueError, match="categorical splits have no ReLU form"):
        relu_layers(textbook.random_trees(50, categorical=True, max_depth=9, grow=1.0, n_trees=1))


def test_too_large():
    n = 1 << 14
    inner = np.arange(n) * 2
    left, right = np.full(2 * n + 1, -1), np.full(2 * n + 1, -1)
    left[inner], right[inner] = inner + 1, inner + 2
    chain = Trees.make(
        n_features=1, roots=[0], left=left, right=right, feature=np.where(left >= 0, 0, -1),
        threshold=np.where(left >= 0, -np.arange(2.0 * n + 1), np.nan), cover=np.ones(2 * n + 1),
        value=np.ones(2 * n + 1),
    )  # fmt: skip
    for form in (relu_layers, tree_layers):
        with pytest.raises(ValueError, match="use the fused form"):
            form(chain)
