"""The rules of the AND unit against brute force, by every way of computing them."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import neon
from neon.nn.trees import EqualShare, Forest, Interventional, Path, Shapley, TreeEnsemble, Trees, engine, tree_layers
from tests.trees import textbook

KINDS = {
    "plain": {},
    "strict float32": {"strict": True, "precision": "float32", "missing": True},
    "float32": {"precision": "float32"},
    "categorical": {"categorical": True, "missing": True},
    "categorical strict": {"categorical": True, "strict": True, "precision": "float32", "missing": True},
    "zero cover": {"zero_cover": True},
    "outputs": {"n_outputs": 3, "n_trees": 7},
    "vector leaves": {"n_outputs": 3, "vector": True},
    "stumps": {"max_depth": 1, "n_trees": 6},
    "single leaves": {"max_depth": 0},
    "deep": {"max_depth": 9, "n_trees": 2, "grow": 0.85},
    "two features": {"n_features": 2, "max_depth": 7},
}


def without_numba(monkeypatch):
    monkeypatch.setattr(engine, "has_numba", lambda: False)


@pytest.fixture(params=["compiled", "torch"])
def way(request, monkeypatch):
    """With numba, and as if it were not installed."""
    if request.param == "torch":
        without_numba(monkeypatch)
    elif not engine.has_numba():
        pytest.skip("numba is not installed")
    return request.param


def phi(trees, rule, X, reference=None, *, dtype=torch.float64):
    """(n_samples, n_features, n_outputs), one output at a time."""
    forest = Forest(trees)
    codes = engine.encode(forest, torch.as_tensor(X))
    rows = None if reference is None else engine.encode(forest, torch.as_tensor(reference))
    out = np.zeros((len(X), trees.n_features, trees.n_outputs))
    for k in range(trees.n_outputs):
        slope = torch.zeros(len(X), trees.n_outputs, dtype=dtype)
        slope[:, k] = 1
        out[:, forest.paths.codes.used, k] = engine.relevance(forest, rule, codes, slope, rows).t().numpy()
    return out


def close(actual, expected, tolerance=1e-11):
    scale = max(np.abs(expected).max(), 1e-3) if expected.size else 1.0
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max(initial=0) <= tolerance * scale


@pytest.mark.parametrize("kind", KINDS)
def test_forward_is_the_walk(kind, way):
    trees = textbook.random_trees(1, **KINDS[kind])
    X = textbook.random_rows(trees, 80, 2)
    close(TreeEnsemble(trees)(torch.as_tensor(X)).numpy(), textbook.predict(trees, X))


@pytest.fixture(params=["kernel", "tables"])
def by(request):
    return request.param


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [3, 4])
def test_shapley_is_brute_force(kind, seed, way, by):
    trees = textbook.random_trees(seed, **KINDS[kind])
    X = textbook.random_rows(trees, 4, seed + 10)
    expected = np.array([
        textbook.shapley(lambda s, x=x: textbook.mean_given(trees, x, s), trees.n_features) for x in X
    ])  # fmt: skip
    close(phi(trees, Shapley(engine=by), X), expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("zero_cover", [False, True])
def test_a_row_by_itself_is_one_of_a_block(kind, zero_cover):
    options = {"n_features": 30, "n_trees": 6, "missing": True, **KINDS[kind], "zero_cover": zero_cover}
    if kind == "deep":
        options |= {"max_depth": 26, "grow": 0.75}
    trees = textbook.random_trees(17, **options)
    X = textbook.random_rows(trees, 12, 18)
    together = phi(trees, Shapley(engine="kernel"), X)
    for rows in (X[:1], X[:3]):
        close(phi(trees, Shapley(engine="kernel"), rows), together[: len(rows)], 1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_interventional_is_brute_force(kind, way, by):
    trees = textbook.random_trees(5, **KINDS[kind])
    X, reference = textbook.random_rows(trees, 3, 6), textbook.random_rows(trees, 5, 7)
    expected = np.array([
        textbook.shapley(lambda s, x=x: textbook.mixed(trees, x, s, reference), trees.n_features) for x in X
    ])  # fmt: skip
    close(phi(trees, Interventional(engine=by), X, reference), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_path_and_equal_are_the_textbook(kind, way):
    trees = textbook.random_trees(8, path_value=True, **KINDS[kind])
    X = textbook.random_rows(trees, 20, 9)
    close(phi(trees, Path(), X), np.array([textbook.path(trees, x, trees.path_value) for x in X]))
    close(phi(trees, EqualShare(), X), np.array([textbook.equal(trees, x) for x in X]))
    plain = textbook.random_trees(8, **KINDS[kind])
    close(phi(plain, Path(), X), np.array([textbook.path(plain, x, plain.value) for x in X]))


@pytest.mark.parametrize("rule", [Shapley(), Interventional(), Path(), EqualShare()], ids=repr)
def test_single_precision(rule, way):
    """Within 1e-5 of the largest value: sums of as many float32 as there are leaves."""
    trees = textbook.random_trees(11, n_trees=30, max_depth=6)
    X = textbook.random_rows(trees, 40, 12)
    exact = phi(trees, rule, X, X[:7])
    close(phi(trees, rule, X, X[:7], dtype=torch.float32), exact, 1e-5)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10**6), depth=st.integers(0, 14), features=st.integers(1, 7), grow=st.floats(0.5, 0.9),
    flags=st.tuples(*[st.booleans()] * 5), outputs=st.integers(1, 3), precision=st.sampled_from(["float32", "float64"]),
)  # fmt: skip
def test_random_ensembles(seed, depth, features, grow, flags, outputs, precision):
    """Every way of computing a rule gives the same values, and they add up to f minus the rule's base."""
    missing, categorical, zero_cover, strict, vector = flags
    trees = textbook.random_trees(
        seed, n_trees=3, max_depth=depth, n_features=features, grow=grow if depth < 9 else min(grow, 0.7),
        missing=missing, categorical=categorical, zero_cover=zero_cover, strict=strict, vector=vector,
        n_outputs=outputs, precision=precision,
    )  # fmt: skip
    X, reference = textbook.random_rows(trees, 6, seed), textbook.random_rows(trees, 3, seed + 1)
    forest = Forest(trees)
    f = textbook.predict(trees, X)
    close(TreeEnsemble(trees)(torch.as_tensor(X)).numpy(), f)
    for rule in (Shapley, Interventional):
        values = phi(trees, rule(engine="kernel"), X, reference)
        close(phi(trees, rule(engine="tables"), X, reference), values)
        base = engine.base_of(forest, rule(), torch.as_tensor(reference), torch.float64).numpy()
        close(base + values.sum(1), f)
        with pytest.MonkeyPatch.context() as patch:
            without_numba(patch)
            close(phi(trees, rule(engine="kernel"), X, reference), values)
    for rule in (Path(), EqualShare()):
        base = engine.base_of(forest, rule, None, torch.float64).numpy()
        close(base + phi(trees, rule, X).sum(1), f)


def explain(trees, composite, X, reference=None, layers=()):
    network = torch.nn.Sequential(*layers, TreeEnsemble(trees))
    recording = neon.LRP(network, composite).record(X, reference=reference)
    return recording, recording.propagate(0, account=True)


@pytest.mark.parametrize("composite", ["shapley", "path", "equal"])
def test_on_the_tape_without_reference(composite):
    """The base stands in the account as ``expectation``."""
    trees = textbook.random_trees(13, n_outputs=2, vector=True)
    X = torch.as_tensor(textbook.random_rows(trees, 30, 14))
    recording, walk = explain(trees, composite, X)
    values = phi(trees, {"shapley": Shapley(), "path": Path(), "equal": EqualShare()}[composite], X.numpy())
    close(walk.relevance[0].numpy(), values[:, :, 0])
    close(walk.ledger.absorbed["expectation"].numpy(), np.full(30, trees.expectation[0]))
    close((walk.relevance[0].sum(1) + walk.ledger.absorbed["expectation"]).numpy(), recording.output[:, 0].numpy())


def test_on_the_tape_with_reference():
    trees = textbook.random_trees(15)
    X, reference = (torch.as_tensor(textbook.random_rows(trees, n, 16 + n)) for n in (20, 9))
    recording, walk = explain(trees, "interventional", X, reference)
    close(walk.relevance[0].numpy(), phi(trees, Interventional(), X.numpy(), reference.numpy())[:, :, 0])
    close(recording.base.numpy(), textbook.predict(trees, reference.numpy()).mean(0, keepdims=True))
    close((recording.base + walk.relevance[0].sum(1, keepdim=True)).numpy(), recording.output.numpy())


def test_behind_a_scaling():
    trees = textbook.random_trees(17, missing=True)
    X = torch.as_tensor(textbook.random_rows(trees, 20, 18))
    halved = neon.nn.Affine(np.full(5, 0.5), np.ones(5))
    _, walk = explain(trees, "shapley", X, layers=[halved])
    close(walk.relevance[0].numpy(), phi(trees, Shapley(), halved(X).numpy())[:, :, 0])


def test_any_target():
    """A target in relevance: Σ_k slope_k φ_k with slope_k = R_k / f_k, and the rest of R in the base."""
    trees = textbook.random_trees(19, n_outputs=3, n_trees=6)
    X = torch.as_tensor(textbook.random_rows(trees, 10, 20))
    network = TreeEnsemble(trees)
    start = torch.randn(10, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    slope = (start / network(X)).numpy()
    expected = np.einsum("nfk,nk->nf", phi(trees, Shapley(), X.numpy()), slope)
    for form in (network, tree_layers(trees)):
        walk = neon.LRP(form, "shapley").record(X).propagate(start, account=True)
        close(walk.relevance[0].numpy(), expected, 1e-9)
        absorbed = sum(walk.ledger.absorbed.values())
        close((walk.relevance[0].sum(1) + absorbed).numpy(), start.sum(1).numpy(), 1e-9)


def test_rules_by_name_and_their_errors():
    trees = textbook.random_trees(21)
    X = torch.as_tensor(textbook.random_rows(trees, 3, 22))
    plan = neon.LRP(TreeEnsemble(trees), "shapley").plan(X)
    assert "Shapley" in repr(plan)
    with pytest.raises(ValueError, match="no rule for tree"):
        neon.LRP(TreeEnsemble(trees), "epsilon")(X)
    with pytest.raises(ValueError, match="needs reference rows"):
        neon.LRP(TreeEnsemble(trees), "interventional")(X)
    with pytest.raises(ValueError, match="engine must be"):
        Shapley(engine="gpu")
    with pytest.raises(ValueError, match=r"n_samples, 5"):
        TreeEnsemble(trees)(X[:, :4])


def test_copies_pickles_and_threads():
    trees = textbook.random_trees(23, n_trees=20)
    X = torch.as_tensor(textbook.random_rows(trees, 300, 24))
    network = TreeEnsemble(trees)
    expected = neon.LRP(network, "shapley")(X)
    for other in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert torch.equal(neon.LRP(other, "shapley")(X), expected)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: neon.LRP(network, "shapley")(X), range(8)):
            assert torch.equal(found, expected)


@pytest.mark.parametrize("n", [0, 1])
@pytest.mark.parametrize("composite", ["shapley", "path", "equal"])
def test_few_rows(n, composite, way):
    trees = textbook.random_trees(25)
    assert neon.LRP(TreeEnsemble(trees), composite)(torch.zeros(n, 5, dtype=torch.float64)).shape == (n, 5)


def test_flushed_denormals():
    """Thresholds of 0 and at denormal numbers tell x apart also where arithmetic does not."""
    tiny = 5e-324
    trees = Trees.make(
        n_features=1, roots=[0], left=[1, -1, 3, -1, -1], right=[2, -1, 4, -1, -1], feature=[0, -1, 0, -1, -1],
        threshold=[0.0, np.nan, tiny, np.nan, np.nan], cover=[0, 1, 0, 1, 1], value=[0, 1, 0, 2, 3],
    )  # fmt: skip
    X = torch.tensor([[-0.0], [0.0], [tiny], [2 * tiny], [-tiny]], dtype=torch.float64)
    torch.set_flush_denormal(True)
    try:
        f = TreeEnsemble(trees)(X)
    finally:
        torch.set_flush_denormal(False)
    assert f.flatten().tolist() == [1, 1, 2, 3, 1]


def test_additivity_at_depth_129():
    """A chain of 129 splits on 90 features, on which TreeSHAP's polynomial loses all digits (shap issue 4042)."""
    rng = np.random.default_rng(0)
    depth = 129
    inner = np.arange(depth) * 2
    left, right = np.full(2 * depth + 1, -1), np.full(2 * depth + 1, -1)
    left[inner], right[inner] = inner + 1, inner + 2
    feature = np.full(2 * depth + 1, -1)
    feature[inner] = rng.permutation(np.arange(depth) % 90)
    trees = Trees.make(
        n_features=90, roots=[0], left=left, right=right, feature=feature,
        threshold=np.where(left >= 0, rng.normal(size=2 * depth + 1), np.nan),
        cover=rng.integers(1, 9, 2 * depth + 1), value=rng.normal(size=2 * depth + 1),
    )  # fmt: skip
    X = rng.normal(size=(50, 90)) + 2
    f = TreeEnsemble(trees)(torch.as_tensor(X))[:, 0].numpy()
    values = phi(trees, Shapley(), X)[:, :, 0]
    close(trees.expectation + values.sum(1), f, 1e-12)
