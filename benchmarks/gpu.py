"""On a device: the same relevance as on the CPU in double precision, and what it costs there.

    python -m benchmarks.gpu                            # with CUDA: under five minutes
    python -m benchmarks.gpu --device cpu --quick       # small models, to see that everything runs

Needs torch and scikit-learn alone. Of every model the relevance on the device in float64 is compared with that on the
CPU in float64 first. Then it is timed on the device in float32: fitted models beside their own function, which runs on
the CPU; networks (own definitions of `tests/architectures`, random weights) beside one gradient on the same device.
Times are medians of alternating runs, of wall-clock time, the device being waited for. What has not begun after
``--seconds`` is left out, and the table says so.
"""

from __future__ import annotations

import argparse
import platform
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sklearn
import torch
from sklearn.cluster import KMeans
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.neighbors import KernelDensity
from sklearn.svm import SVC, OneClassSVM

import neon
from benchmarks.deep import gradient, relevance
from benchmarks.measure import paired_seconds, peak_bytes
from tests.architectures import ZOO, Example, strongest

NETWORKS = {"vgg16": "epsilon_gamma_box", "resnet50": "epsilon_plus", "vit": "attn_lrp", "llama": "attn_lrp"}


@dataclass(frozen=True)
class Size:
    """How large everything is."""

    fitted: int  # rows that models are fitted on
    rows: int  # rows that are explained and timed
    features: int
    compared: int  # rows that are compared with the CPU
    trees: int
    batch: int  # images or texts

    @staticmethod
    def of(quick: bool) -> Size:
        return Size(200, 100, 6, 20, 5, 2) if quick else Size(2000, 10_000, 64, 50, 100, 8)


@dataclass(frozen=True)
class Task:
    """A fitted model, what is asked of `neon.Explainer`, and the model's own function."""

    name: str
    fit: Callable[[np.ndarray, np.ndarray], Any]
    own: str
    options: Callable[[np.ndarray], dict[str, Any]] = lambda X: {}


def tasks(size: Size) -> list[Task]:
    def boosting(X: np.ndarray, y: np.ndarray) -> Any:
        return GradientBoostingRegressor(n_estimators=size.trees, max_depth=6, subsample=0.5, random_state=0).fit(X, y)

    def one_pass(X: np.ndarray) -> dict[str, Any]:
        return {"composite": "neon"}

    def shapley(X: np.ndarray) -> dict[str, Any]:
        return {"composite": "shapley", "reference": X[:100]}

    return [
        Task("k-means", lambda X, y: KMeans(10, n_init=1, random_state=0).fit(X), "predict", one_pass),
        Task("SVC rbf", lambda X, y: SVC().fit(X, y > 0), "decision_function", one_pass),
        Task("one-class SVM", lambda X, y: OneClassSVM(nu=0.2).fit(X), "decision_function", one_pass),
        Task("KDE", lambda X, y: KernelDensity(bandwidth=2.0).fit(X), "score_samples", one_pass),
        Task("SVC rbf, Shapley values", lambda X, y: SVC().fit(X, y > 0), "decision_function", shapley),
        Task(f"boosting {size.trees} x d6, covers", boosting, "predict"),
        Task(f"boosting {size.trees} x d6, 100 rows", boosting, "predict", lambda X: {"reference": X[:100]}),
        Task(f"boosting {size.trees} x d6, path rule", boosting, "predict", lambda X: {"composite": "path"}),
    ]


def data(size: Size) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(max(size.fitted, size.rows), size.features)).astype(np.float32).astype(np.float64)
    return X, X[:, 0] * X[:, 1] + np.sin(2 * X[:, 2]) + 0.5 * X[:, 3] + 0.3 * rng.normal(size=len(X))


def fitted_line(task: Task, size: Size, device: str, repeats: int) -> str:
    X, y = data(size)
    model = task.fit(X[: size.fitted], y[: size.fitted])
    options = {"progress": False, **task.options(X)}
    on_cpu = neon.Explainer(model, **options)(X[: size.compared]).values
    on_device = neon.Explainer(model, device=device, dtype=torch.float64, **options)(X[: size.compared]).values
    explainer = neon.Explainer(model, device=device, dtype=torch.float32, **options)
    rows, own = X[: size.rows], getattr(model, task.own)
    theirs, ours, ratio = paired_seconds(lambda: own(rows), lambda: explainer(rows), repeats)
    held = peak_bytes(lambda: explainer(rows))
    return line(task.name, f"{len(rows):,} rows", apart(on_device, on_cpu), theirs, ours, ratio, held)


def network_line(name: str, composite: str, size: Size, device: str, repeats: int, quick: bool) -> str:
    example = ZOO[name](full=not quick)
    first = Example(example.model, tuple(x[:1] for x in example.inputs), example.explained)
    on_cpu = explained(first.double(), composite, "cpu")
    on_device = explained(first.double(), composite, device)
    batch = moved(example, device, size.batch)
    work = relevance(batch, composite)
    theirs, ours, ratio = paired_seconds(gradient(batch), work, repeats)
    cells = f"batch {size.batch}, {composite}"
    return line(name, cells, apart(on_device, on_cpu), theirs, ours, ratio, peak_bytes(work))


def explained(example: Example, composite: str, device: str) -> np.ndarray:
    """Relevance of the largest output, on the device."""
    example = moved(example, device, 1)
    return neon.LRP(example.model, composite)(example.inputs[0], strongest).cpu().numpy()


def moved(example: Example, device: str, batch: int) -> Example:
    """On the device, its inputs repeated to a batch."""
    inputs = tuple(x.repeat(-(-batch // len(x)), *[1] * (x.ndim - 1))[:batch].to(device) for x in example.inputs)
    return Example(example.model.to(device), inputs, example.explained)


def apart(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, relative to the largest value."""
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def line(name: str, what: str, error: float, theirs: float, ours: float, ratio: float, held: int) -> str:
    times = f"{1e3 * theirs:.1f} | {1e3 * ours:.1f} | {ratio:.2f}"
    return f"| {name} | {what} | {error:.0e} | {times} | {held / 2**20:,.0f} |"


def lines(size: Size, options: argparse.Namespace) -> Iterator[str]:
    """The table's rows, while there is time."""
    begun = time.monotonic()
    works: dict[str, Callable[[], str]] = {
        task.name: lambda task=task: fitted_line(task, size, options.device, options.repeats) for task in tasks(size)
    }
    for name, composite in NETWORKS.items():
        works[name] = lambda name=name, composite=composite: network_line(
            name, composite, size, options.device, options.repeats, options.quick
        )
    for name, work in works.items():
        if options.only and not any(word in name for word in options.only):
            continue
        if time.monotonic() - begun > options.seconds:
            yield f"| {name} | left out: {options.seconds:.0f} s were over | | | | | |"
        else:
            yield work()


def where(device: str) -> str:
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true", help="small models, few rows")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="models whose name holds such a word")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=240.0)
    options = parser.parse_args(arguments)
    torch.manual_seed(0)
    warnings.simplefilter("ignore", RuntimeWarning)  # where relevance of random networks grows
    print(f"{where(options.device)}; torch {torch.__version__}, scikit-learn {sklearn.__version__}, float32\n")
    print("| model | | differs from the CPU, float64 | own or gradient ms | neon ms | ratio | MiB |")
    print("|---|---|---|---|---|---|---|")
    for row in lines(Size.of(options.quick), options):
        print(row, flush=True)


if __name__ == "__main__":
    main()
