"""XAI-TRIS, 8×8: tetrominoes in noise, whose place is the truth that an explanation should find.

Clark, Wilming, Haufe (2024), XAI-TRIS: Non-linear image benchmarks to quantify false positive post-hoc attribution of
feature importance, Machine Learning 113; https://github.com/braindatalab/xai-tris.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from scipy import ndimage

from benchmarks.others.attributions import IMAGES, attributions, cell, in_order
from benchmarks.pages import table
from neon import evaluate

__all__ = ["ALPHA", "Images", "fitted", "images", "precision", "section"]

SIZE = 8
T = np.array([[1, 0], [1, 1], [1, 0]], dtype=float)
L = np.array([[1, 0], [1, 0], [1, 1]], dtype=float)
PLACES = ((1, 1), (4, 5))
# How strong the signal is, in white and in smoothed noise.
ALPHA = {"linear": (0.18, 0.0125), "multiplicative": (0.7, 0.1), "rigid": (0.65, 0.2), "xor": (0.35, 0.15)}


class Images(NamedTuple):
    """Flat images X (n, 64), classes y, truth bool (n, 64)."""

    X: np.ndarray
    y: np.ndarray
    truth: np.ndarray


def images(scenario: str, smooth: bool, n: int = 10_000, seed: int = 0) -> Images:
    """Patterns P in noise N: ``x = α P + (1 - α) N``, or ``(1 - α P) N``, each scaled to unit Frobenius norm before.

    linear, multiplicative : a T in one corner or an L in the other; rigid : either one anywhere, turned; xor : both,
    of equal or of different signs. The truth is both places, where patterns have places, else that of the pattern.
    """
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    patterns = np.stack([pattern(scenario, label, rng) for label in y])
    noise = rng.normal(0, 0.5, (n, SIZE, SIZE))
    noise = ndimage.gaussian_filter(noise, (0, 3, 3)) if smooth else noise
    alpha = ALPHA[scenario][int(smooth)]
    if scenario == "multiplicative":
        X = unit(1 - alpha * patterns) * unit(noise)
    else:
        X = alpha * unit(patterns) + (1 - alpha) * unit(noise)
    both = sum(placed(shape, place) for shape, place in zip((T, L), PLACES, strict=True)) > 0
    truth = patterns != 0 if scenario == "rigid" else np.broadcast_to(both, X.shape)
    return Images((X / np.abs(X).max()).reshape(n, -1), y, truth.reshape(n, -1))


def pattern(scenario: str, label: int, rng: np.random.Generator) -> np.ndarray:
    """(8, 8)."""
    if scenario == "xor":
        first = rng.choice([-1, 1])
        second = -first if label else first
        return first * placed(T, PLACES[0]) + second * placed(L, PLACES[1])
    shape, place = (T, L)[label], PLACES[label]
    if scenario == "rigid":
        shape = np.rot90(shape, rng.integers(4))
        place = tuple(rng.integers(SIZE - np.array(shape.shape) + 1))
    return placed(shape, place)


def placed(shape: np.ndarray, place: tuple[int, ...]) -> np.ndarray:
    whole = np.zeros((SIZE, SIZE))
    whole[place[0] : place[0] + shape.shape[0], place[1] : place[1] + shape.shape[1]] = shape
    return whole


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x)


@dataclass(frozen=True)
class Trained:
    """A network, the images it was fitted on, those it was not, and the share of these that it has right."""

    network: torch.nn.Module
    fitted: Images
    test: Images
    accuracy: float


def perceptron() -> torch.nn.Module:
    """64, 32, 16, 8, 2 units."""
    sizes = itertools.pairwise((64, 32, 16, 8))
    hidden = [layer for n, m in sizes for layer in (torch.nn.Linear(n, m), torch.nn.ReLU())]
    return torch.nn.Sequential(*hidden, torch.nn.Linear(8, 2))


def convolutional() -> torch.nn.Module:
    """Four convolutions of four channels, each behind it a maximum over 2×2 pixels."""
    layers: list[torch.nn.Module] = [torch.nn.Unflatten(1, (1, SIZE, SIZE))]
    for channels in (1, 4, 4, 4):
        layers += [torch.nn.Conv2d(channels, 4, 2, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2)]
    return torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(4, 2))


NETWORKS = {"MLP": perceptron, "CNN": convolutional}


def fitted(kind: str, data: Images, n_epochs: int = 40, seed: int = 0) -> Trained:
    """Nine tenths of the images are fitted, by Adam."""
    n = len(data.X) * 9 // 10
    train, test = (Images(*(part[some] for part in data)) for some in (slice(n), slice(n, None)))
    torch.manual_seed(seed)
    network = NETWORKS[kind]().double()
    X, y = torch.from_numpy(train.X), torch.from_numpy(train.y)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(n_epochs):
        for some in torch.randperm(n).split(256):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(X[some]), y[some]).backward()
            optimizer.step()
    with torch.no_grad():
        right = network(torch.from_numpy(test.X)).argmax(1).numpy() == test.y
    return Trained(network.eval(), train, test, float(right.mean()))


def precision(relevance: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The share of true pixels among the k of largest |relevance|, k the number of true ones; (n,)."""
    order = np.argsort(-np.abs(relevance), axis=1, kind="stable")
    found = np.take_along_axis(truth, order, 1)
    k = truth.sum(1)
    return np.array([row[:n].mean() for row, n in zip(found, k, strict=True)])


def correct(trained: Trained, n: int) -> Images:
    """Images of the test that the network has right."""
    with torch.no_grad():
        right = trained.network(torch.from_numpy(trained.test.X)).argmax(1).numpy() == trained.test.y
    return Images(*(part[right][:n] for part in trained.test))


def section(n_images: int = 10_000, n_rows: int = 20) -> list[str]:
    found: dict[tuple[str, ...], dict[str, float]] = {}
    for scenario, smooth, kind in itertools.product(ALPHA, (False, True), NETWORKS):
        trained = fitted(kind, images(scenario, smooth, n_images))
        rows = correct(trained, n_rows)
        said = attributions(evaluate.Explained(trained.network), rows.X, None, trained.fitted.X[:400], IMAGES)
        chance = rows.truth.mean()
        key = (scenario, "smooth" if smooth else "white", kind, f"{trained.accuracy:.2f}", f"{chance:.2f}")
        found[key] = {method: float(precision(relevance, rows.truth).mean()) for method, relevance in said.items()}
    names = in_order({method for row in found.values() for method in row})
    rows = [[*key, *[cell(row.get(name)) for name in names]] for key, row in found.items()]
    lines = [
        "### XAI-TRIS, 8×8: tetrominoes in noise",
        "",
        "Clark et al. (2024). Precision: the share of the pattern's pixels among as many of largest |relevance|, of "
        f"{n_rows} images that the network has right; half the width of a 95 % interval is up to 0.1. Chance is what "
        "a random order has. A network that is not much better than 0.5 has not found the pattern. Not rebuilt: 64×64 "
        "images, photographs behind the patterns, the earth mover's distance.",
        "",
    ]
    return lines + table(["scenario", "noise", "network", "accuracy", "chance", *names], rows)
