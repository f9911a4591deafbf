"""Slow forms: a tree walked in plain Python, Shapley values over all subsets, and random ensembles to try them on."""

import itertools
import math

import numpy as np

from neon.nn.trees import Trees


def goes_left(trees, node, value):
    """The docstring of `Trees`, word for word."""
    if np.isnan(value):
        return bool(trees.missing_left[node])
    if node in trees.categories:
        category = int(value) if abs(value) < 2**53 else -1
        return category in trees.categories[node]
    kind = np.float32 if trees.precision == "float32" else np.float64
    with np.errstate(over="ignore"):
        x, t = kind(value), kind(trees.threshold[node])
    return bool(x < t if trees.strict else x <= t)


def leaf_of(trees, tree, row):
    node = trees.roots[tree]
    while trees.left[node] >= 0:
        side = trees.left if goes_left(trees, node, row[trees.feature[node]]) else trees.right
        node = side[node]
    return node


def add(trees, tree, out, value):
    out[slice(None) if trees.output is None else trees.output[tree]] += value if trees.output is None else value[0]


def predict(trees, X):
    out = np.tile(trees.base, (len(X), 1))
    for i, row in enumerate(X):
        for t in range(trees.n_trees):
            add(trees, t, out[i], trees.value[leaf_of(trees, t, row)])
    return out


def mean_given(trees, row, known):
    """The mean of f under the covers where the features outside ``known`` are not: follow both children there."""

    def below(node):
        if trees.left[node] < 0:
            return trees.value[node]
        a, b, f = trees.left[node], trees.right[node], trees.feature[node]
        if f in known:
            return below(a if goes_left(trees, node, row[f]) else b)
        whole = trees.cover[a] + trees.cover[b]
        share = trees.cover[a] / whole if whole > 0 else 0.5
        return share * below(a) + (1 - share) * below(b)

    out = trees.base.copy()
    for t in range(trees.n_trees):
        add(trees, t, out, below(trees.roots[t]))
    return out


def mixed(trees, row, known, reference):
    """The mean of f over the reference rows with the features of ``known`` replaced by the row's."""
    rows = reference.copy()
    rows[:, list(known)] = row[list(known)]
    return predict(trees, rows).mean(0)


def subsets(players):
    return itertools.chain.from_iterable(itertools.combinations(players, k) for k in range(len(players) + 1))


def shapley(game, n_features):
    """Shapley values (n_features, n_outputs) of ``game(set of features)``."""
    worth = {s: game(s) for s in subsets(range(n_features))}
    phi = []
    for i in range(n_features):
        rest = [j for j in range(n_features) if j != i]
        phi.append(
            sum(
                math.factorial(len(s)) * math.factorial(n_features - len(s) - 1) / math.factorial(n_features)
                * (worth[tuple(sorted((*s, i)))] - worth[s])
                for s in subsets(rest)
            )
        )  # fmt: skip
    return np.array(phi)


def banzhaf(game, n_features):
    """Banzhaf values (n_features, n_outputs): what a feature adds, averaged over all sets of others."""
    worth = {s: game(s) for s in subsets(range(n_features))}
    return np.array([
        np.mean([worth[tuple(sorted((*s, i)))] - worth[s] for s in worth if i not in s], axis=0)
        for i in range(n_features)
    ])  # fmt: skip


def interactions(game, n_features):
    """Shapley interaction values as shap defines them: half the index off the diagonal, main effects on it."""
    worth = {s: game(s) for s in subsets(range(n_features))}
    n_outputs = len(worth[()])
    phi = np.zeros((n_features, n_features, n_outputs))
    for i, j in itertools.combinations(range(n_features), 2):
        rest = [k for k in range(n_features) if k not in (i, j)]
        for s in subsets(rest):
            weight = math.factorial(len(s)) * math.factorial(n_features - len(s) - 2)
            weight /= 2 * math.factorial(n_features - 1)
            both, one, other = (tuple(sorted((*s, *more))) for more in ((i, j), (i,), (j,)))
            phi[i, j] += weight * (worth[both] - worth[one] - worth[other] + worth[s])
        phi[j, i] = phi[i, j]
    diagonal = np.arange(n_features)
    phi[diagonal, diagonal] = shapley(game, n_features) - phi.sum(1)
    return phi


def path(trees, row, values):
    """Value differences along the path, (n_features, n_outputs)."""
    phi = np.zeros((trees.n_features, trees.n_outputs))
    for t in range(trees.n_trees):
        node = trees.roots[t]
        while trees.left[node] >= 0:
            f = trees.feature[node]
            child = (trees.left if goes_left(trees, node, row[f]) else trees.right)[node]
            add(trees, t, phi[f], values[child] - values[node])
            node = child
    return phi


def equal(trees, row):
    """Each active leaf's difference to its root, in equal shares to the features on its path."""
    phi = np.zeros((trees.n_features, trees.n_outputs))
    for t in range(trees.n_trees):
        node, features = trees.roots[t], set()
        while trees.left[node] >= 0:
            features.add(trees.feature[node])
            node = (trees.left if goes_left(trees, node, row[trees.feature[node]]) else trees.right)[node]
        for f in features:
            add(trees, t, phi[f], (trees.value[node] - trees.value[trees.roots[t]]) / len(features))
    return phi


def random_trees(
    seed, *, n_trees=4, max_depth=5, n_features=5, n_outputs=1, vector=False, strict=False, precision="float64",
    missing=False, categorical=False, zero_cover=False, grow=0.8, path_value=False,
):  # fmt: skip
    """An ensemble drawn at random: repeated features, grid-valued thresholds, stumps and single leaves included."""
    rng = np.random.default_rng(seed)
    rows, roots, categories = [], [], {}
    cats = {n_features - 1: np.arange(6)} if categorical else {}
    thresholds = np.concatenate([np.arange(-3, 3.5, 0.5), [0.1, 0.7, -0.3, 1e-40, -0.0, 0.0, np.inf]])

    def build(depth):
        me = len(rows)
        rows.append(None)
        if depth == max_depth or (depth and rng.random() > grow):
            cover = 0.0 if zero_cover and rng.random() < 0.3 else float(rng.integers(1, 30))
            rows[me] = (-1, -1, -1, np.nan, False, cover)
            return me
        f = int(rng.integers(n_features))
        threshold = rng.choice(thresholds)
        if f in cats:
            threshold, categories[me] = np.nan, rng.choice(6, rng.integers(1, 5), replace=False)
        left = build(depth + 1)
        right = build(depth + 1)
        rows[me] = (left, right, f, threshold, missing and rng.random() < 0.5, 0.0)
        return me

    for t in range(n_trees):
        roots.append(len(rows))
        build(max_depth if t and rng.random() < 0.1 else 0)
    left, right, feature, threshold, missing_left, cover = map(np.array, zip(*rows, strict=True))
    value = rng.normal(size=(len(rows), n_outputs if vector else 1))
    return Trees.make(
        n_features=n_features,
        roots=roots,
        left=left,
        right=right,
        feature=feature,
        threshold=threshold,
        missing_left=missing_left,
        cover=cover,
        value=value,
        base=rng.normal(size=n_outputs),
        output=None if vector else rng.integers(n_outputs, size=n_trees),
        strict=strict,
        precision=precision,
        categories=categories,
        path_value=rng.normal(size=value.shape) if path_value else None,
    )


def random_rows(trees, n, seed, *, missing=True):
    """Rows on thresholds, next to them, at infinity, and missing."""
    rng = np.random.default_rng(seed)
    own = trees.threshold[np.isfinite(trees.threshold)]
    pool = np.concatenate([own, np.nextafter(own, np.inf), np.nextafter(own, -np.inf), rng.normal(size=20) * 2])
    near = own.astype(np.float32)
    pool = np.concatenate([pool, np.nextafter(near, np.float32(9)), np.nextafter(near, np.float32(-9))])
    pool = np.concatenate([pool, [0.0, -0.0, 5e-324, 1e-40, 1e30, -1e30, np.inf, -np.inf, *([np.nan] * 3 * missing)]])
    X = rng.choice(pool, (n, trees.n_features))
    for f in {int(trees.feature[node]) for node in trees.categories}:
        X[:, f] = rng.choice([0, 1, 2, 3, 4, 5, 6, 99, 2.7, -1, *([np.nan] * missing)], n)
    return X
