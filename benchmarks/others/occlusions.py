"""Symmetric relevance gain over many ways to occlude: how much the verdict on a method hangs on the occlusion.

Blücher, Vielhaben, Strodthoff (2024), Decoupling Pixel Flipping and Occlusion Strategy for Consistent XAI Benchmarks.
"""

from __future__ import annotations

import itertools

import numpy as np
import torch
from scipy.stats import rankdata, spearmanr
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from benchmarks.others.attributions import IMAGES, attributions, cell, in_order
from benchmarks.pages import table
from neon import evaluate

__all__ = ["REFILLS", "gains", "network", "section"]

SIZE = 8
PATCHES = (1, 2, 4)


class Flat(evaluate.Refill):
    """A refill of images, for images that are flat."""

    def __init__(self, inner: evaluate.Refill) -> None:
        self.inner = inner

    def __call__(self, X: np.ndarray, kept: np.ndarray) -> np.ndarray:
        square = (len(X), 1, SIZE, SIZE)
        filled = self.inner(X.reshape(square), kept.reshape(square))
        return filled.reshape(len(X), filled.shape[1], -1)


def refills(rows: np.ndarray, patch: int) -> dict[str, evaluate.Refill]:
    return {
        "rows": evaluate.Rows(rows),
        "conditional": evaluate.Conditional(rows),
        "mean": evaluate.Mean(rows),
        "black": evaluate.Mean(np.zeros((1, rows.shape[1]))),
        "blur": Flat(evaluate.Blurred(2.0)),
        "patch mean": Flat(evaluate.PatchMean(evaluate.patches(SIZE, SIZE, max(patch, 2)))),
    }


REFILLS = tuple(refills(np.zeros((2, 64)), 1))


def network(X: np.ndarray, y: np.ndarray) -> torch.nn.Module:
    """A perceptron of scikit-learn, as a torch module."""
    model = MLPClassifier((64,), max_iter=60, random_state=0).fit(X, y)
    layers: list[torch.nn.Module] = []
    for weights, bias in zip(model.coefs_, model.intercepts_, strict=True):
        linear = torch.nn.Linear(*weights.shape).double()
        linear.weight.data, linear.bias.data = torch.from_numpy(weights.T.copy()), torch.from_numpy(bias)
        layers += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def gains(
    f: evaluate.Explained, X: np.ndarray, said: dict[str, np.ndarray], background: np.ndarray
) -> dict[str, dict[str, float]]:
    """{occlusion: {method: mean SRG}}, for every size of patch and every refill."""
    target, found = f.index(X), {}
    for patch in PATCHES:
        for name, refill in refills(background, patch).items():
            found[f"{patch}×{patch}, {name}"] = {
                method: evaluate.flipping(
                    f, X, relevance, refill=refill, target=target, groups=evaluate.patches(SIZE, SIZE, patch).ravel()
                )["srg"].mean()
                for method, relevance in said.items()
            }
    return found


def section(n_rows: int = 20) -> list[str]:
    X, y = load_digits(return_X_y=True)
    X = X / 16
    order = np.random.default_rng(0).permutation(len(X))
    test, train = X[order[:n_rows]], order[n_rows:]
    f = evaluate.Explained(network(X[train], y[train]))
    background = X[train][:400]
    found = gains(f, test, attributions(f, test, None, background, IMAGES), background)
    names = in_order(set(next(iter(found.values()))))
    scores = np.array([[row[name] for name in names] for row in found.values()])
    ranks = rankdata(-scores, axis=1)
    agreement = np.mean([spearmanr(a, b).statistic for a, b in itertools.combinations(scores, 2)])
    rows = [
        [occlusion, *[cell(share) for share in row / row.max()]] for occlusion, row in zip(found, scores, strict=True)
    ]
    rows.append(["**mean rank**", *[f"**{rank:.1f}**" for rank in ranks.mean(0)]])
    lines = [
        "### SRG over many occlusions",
        "",
        f"Blücher et al. (2024). Digits (8×8), a perceptron of 64 units, {n_rows} images; superpixels of three sizes, "
        "six refills. The share of the best method's SRG. Spearman's correlation of the methods' order between two "
        f"occlusions is {agreement:.2f} on average.",
        "",
    ]
    return lines + table(["occlusion", *names], rows)
