"""Tree ensembles: relevance side by side with the tools that people use today, in one run.

    python benchmarks/trees.py [--rows 10000] [--threads 1 4] [--models xgb-500x6 ...] [--peer-rows 100]

Prints markdown. A row's time is the median of three runs in microseconds; slow peers explain fewer rows (their time
per row does not depend on the number). Compiling and building tables is timed apart.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import resource
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor

import neon
import neon.converters.trees
from neon.nn.trees import Interventional, Shapley, TreeEnsemble, interactions

N_FEATURES = 30


def data(n: int = 10_000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, N_FEATURES)).astype(np.float32).astype(np.float64)
    y = X[:, 0] * X[:, 1] + np.sin(2 * X[:, 2]) + 0.3 * X[:, 3:10].sum(1) + (X[:, 10] > 0) * X[:, 11]
    return X, y + 0.5 * rng.normal(size=n)


def models() -> dict[str, Callable[[np.ndarray, np.ndarray], Any]]:
    found: dict[str, Callable[[np.ndarray, np.ndarray], Any]] = {
        "rf-100x8": lambda X, y: RandomForestRegressor(100, max_depth=8, random_state=0, n_jobs=-1).fit(X, y),
        "rf-100-unlimited": lambda X, y: RandomForestRegressor(100, random_state=0, n_jobs=-1).fit(X, y),
        "histgb-200x31": lambda X, y: HistGradientBoostingRegressor(max_iter=200).fit(X, y),
    }
    if importlib.util.find_spec("xgboost"):
        import xgboost

        for trees, depth in ((500, 6), (200, 12)):
            options = {"max_depth": depth, "eta": 0.1}
            found[f"xgb-{trees}x{depth}"] = lambda X, y, o=options, t=trees: xgboost.train(o, xgboost.DMatrix(X, y), t)
    if importlib.util.find_spec("lightgbm"):
        import lightgbm

        found["lgbm-200x31"] = lambda X, y: lightgbm.LGBMRegressor(n_estimators=200, verbose=-1).fit(X, y)
    return found


def microseconds(work: Callable[[np.ndarray], Any], X: np.ndarray, repeats: int = 3) -> float:
    """Per row: the median of some runs, the first apart."""
    work(X[: min(len(X), 2)])
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        work(X)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken) / len(X) * 1e6


def ours(network: torch.nn.Module, reference: np.ndarray, rows: int) -> dict[str, tuple[Callable[..., Any], int]]:
    ensemble = next(module for module in network.modules() if isinstance(module, TreeEnsemble))
    others = torch.as_tensor(reference)
    target = 0

    def by(composite: Any, rows_of_reference: torch.Tensor | None = None) -> Callable[[np.ndarray], Any]:
        lrp = neon.LRP(ensemble, composite)

        def work(X: np.ndarray) -> Any:
            # As the Explainer does: reference rows go through the network once, and rows in blocks.
            recording = lrp.record(torch.as_tensor(X), reference=rows_of_reference, names=False)
            return recording.propagate(target)

        return work

    longest = int(ensemble.forest.paths.n_literals.max())
    few = max(rows // 50, 10)
    found: dict[str, tuple[Callable[..., Any], int]] = {
        "neon predict": (lambda X: ensemble(torch.as_tensor(X)), rows),
        "neon path": (by("path"), rows),
        "neon shapley, kernel": (by(Shapley(engine="kernel")), rows // 5),
        "neon shapley": (by("shapley"), rows),
        "neon shapley, 1 row": (by("shapley"), 1),
        "neon shapley, float32": (_single(by("shapley")), rows),
        "neon interventional": (by("interventional", others), rows if longest <= 8 else few),
        "neon interactions": (lambda X: interactions(X, ensemble), few),
    }
    if longest <= 8:
        found["neon shapley, tables"] = (by(Shapley(engine="tables")), rows)
        found["neon interventional, tables"] = (by(Interventional(engine="tables"), others), rows)
    return found


def _single(work: Callable[[np.ndarray], Any]) -> Callable[[np.ndarray], Any]:
    return lambda X: work(X.astype(np.float32))


def peers(model: Any, reference: np.ndarray, few: int, threads: int) -> dict[str, tuple[Callable[..., Any], int]]:
    found: dict[str, tuple[Callable[..., Any], int]] = {}
    kind = type(model).__module__.split(".")[0]
    if kind == "xgboost":
        import xgboost

        model.set_param({"nthread": threads})

        def predict(**options: bool) -> Callable[[np.ndarray], Any]:
            return lambda X: model.predict(xgboost.DMatrix(X, nthread=threads), **options)

        found["xgboost predict"] = predict(), 10_000
        found["xgboost pred_contribs"] = predict(pred_contribs=True), few
        found["xgboost approx_contribs"] = predict(pred_contribs=True, approx_contribs=True), 2_000
        found["xgboost pred_interactions"] = predict(pred_interactions=True), max(few // 30, 2)
    else:
        if hasattr(model, "n_jobs"):
            model.n_jobs = threads
        found[f"{kind} predict"] = model.predict, 10_000
    if kind == "lightgbm":
        found["lightgbm pred_contrib"] = lambda X: model.predict(X, pred_contrib=True, num_threads=threads), few
    if importlib.util.find_spec("shap") and threads == 1:  # shap's own code runs on one core
        import shap

        explainer = shap.TreeExplainer(model, feature_perturbation="tree_path_dependent")
        if kind != "xgboost":  # shap forwards to xgboost there
            found["shap path-dependent"] = lambda X: explainer.shap_values(X, check_additivity=False), few
        masker = shap.maskers.Independent(reference, max_samples=10**6)
        other = shap.TreeExplainer(model, masker, feature_perturbation="interventional")
        found["shap interventional"] = lambda X: other.shap_values(X, check_additivity=False), max(few // 5, 2)
        if kind != "xgboost":
            found["shap interactions"] = explainer.shap_interaction_values, max(few // 50, 2)
    if importlib.util.find_spec("fasttreeshap"):
        import fasttreeshap

        fast = fasttreeshap.TreeExplainer(model, algorithm="v2", n_jobs=threads)
        found["fasttreeshap v2"] = lambda X: fast.shap_values(X, check_additivity=False), few
    if importlib.util.find_spec("woodelf"):
        import woodelf

        wood = woodelf.WoodelfExplainer(model)
        found["woodelf"] = wood.shap_values, 10_000
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--peer-rows", type=int, default=100)
    parser.add_argument("--reference-rows", type=int, default=100)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, os.cpu_count() or 1])
    parser.add_argument("--models", nargs="+", default=None)
    arguments = parser.parse_args()
    X, y = data(max(arguments.rows, 10_000))
    reference = X[-arguments.reference_rows :]
    chosen = {name: fit for name, fit in models().items() if arguments.models is None or name in arguments.models}
    print(f"{N_FEATURES} features, {len(reference)} reference rows; µs per row\n")
    for name, fit in chosen.items():
        model = fit(X, y)
        few = arguments.peer_rows if "unlimited" not in name else max(arguments.peer_rows // 20, 2)
        start = time.perf_counter()
        network = neon.neuralize(model)
        start, read = time.perf_counter(), time.perf_counter() - start
        neon.LRP(network, "shapley")(torch.as_tensor(X[:1]), 0)
        first = time.perf_counter() - start
        columns: dict[str, dict[int, float]] = {}
        for threads in arguments.threads:
            torch.set_num_threads(threads)
            rows = arguments.rows if "unlimited" not in name else arguments.rows // 10
            for label, (work, n) in {**ours(network, reference, rows), **peers(model, reference, few, threads)}.items():
                try:
                    columns.setdefault(label, {})[threads] = microseconds(work, X[:n], 3 if "neon" in label else 1)
                except Exception as error:  # a peer that does not support the model is a cell of the table
                    columns.setdefault(label, {})[threads] = float("nan")
                    print(f"<!-- {name}, {label}: {type(error).__name__}: {str(error)[:120]} -->")
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"**{name}**: reading {read:.2f} s, first row {first:.2f} s (compiled code cached), peak {memory:.1f} GiB\n"
        )
        print("| | " + " | ".join(f"{t} thread{'s' * (t > 1)}" for t in arguments.threads) + " |")
        print("|---" * (len(arguments.threads) + 1) + "|")
        for label, times in columns.items():
            print(
                f"| {label} | " + " | ".join(f"{times[t]:,.1f}" if t in times else "" for t in arguments.threads) + " |"
            )
        print(flush=True)


if __name__ == "__main__":
    main()
