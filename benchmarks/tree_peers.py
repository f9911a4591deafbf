"""The peers of `benchmarks.trees`, run by an interpreter of their own: neither neon nor torch is imported here.

Orders come on standard input and answers go to standard output, one line of JSON each. What the peers print goes to
standard error.

- ``{"order": "versions"}``: the installed release of every distribution.
- ``{"order": "prepare", "peer", "game", "model", "rows", "reference"}``: files; a model is XGBoost's ``.json``, or a
  ``.joblib`` of ``(release of scikit-learn, forest)``.
- ``{"order": "run", "rows", "apart"}``: explain so many rows, in one call or each in a call of its own; CPU seconds.
- ``{"order": "values", "rows", "file"}``: write the values of so many rows, at least two: ``(n_rows, n_features)``, or
  pairs ``(n_rows, n_features, n_features)``, whose diagonal is not compared.

An answer that begins with "error" says in words why a peer could not do it.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

DISTRIBUTIONS = {
    "xgboost": ("xgboost", "xgboost-cpu"),
    "shap": ("shap",),
    "shapiq": ("shapiq",),
    "woodelf": ("woodelf-explainer",),
    "scikit-learn": ("scikit-learn",),
}

Explain = Callable[[np.ndarray], Any]  # rows to what the peer itself returns
Dense = Callable[[Any, int], np.ndarray]  # that, and the number of features, to an array


class NotOffered(Exception):
    """The peer does not play this game."""


def load(path: str) -> Any:
    if path.endswith(".json"):
        import xgboost

        booster = xgboost.Booster(model_file=path)
        booster.set_param({"nthread": 1})
        return booster
    import joblib
    import sklearn

    release, model = joblib.load(path)
    if release != sklearn.__version__:
        raise NotOffered(f"the forest is of scikit-learn {release}, and here is {sklearn.__version__}")
    return model


def with_xgboost(model: Any, game: str, reference: np.ndarray | None) -> tuple[Explain, Dense]:
    if type(model).__name__ != "Booster" or game == "rows":
        raise NotOffered("explains its own models, relative to the covers")
    import xgboost

    options: dict[str, dict[str, bool]] = {
        "covers": {"pred_contribs": True},
        "path": {"pred_contribs": True, "approx_contribs": True},
        "pairs": {"pred_interactions": True},
    }
    cut = (slice(None), slice(-1), slice(-1)) if game == "pairs" else (slice(None), slice(-1))
    return (
        lambda X: model.predict(xgboost.DMatrix(X, nthread=1), **options[game]),
        lambda found, n_features: found[cut],
    )


def with_shap(model: Any, game: str, reference: np.ndarray | None) -> tuple[Explain, Dense]:
    if game == "path" or (game != "rows" and type(model).__name__ == "Booster"):
        raise NotOffered("asks XGBoost itself" if game != "path" else "does not compute the path rule")
    import shap

    if game == "rows":
        masker = shap.maskers.Independent(reference, max_samples=10**6)
        explainer = shap.TreeExplainer(model, masker, feature_perturbation="interventional")
    else:
        explainer = shap.TreeExplainer(model, feature_perturbation="tree_path_dependent")
    if game == "pairs":
        return explainer.shap_interaction_values, lambda found, n_features: found
    return lambda X: explainer.shap_values(X, check_additivity=False), lambda found, n_features: found


def with_shapiq(model: Any, game: str, reference: np.ndarray | None) -> tuple[Explain, Dense]:
    if game == "path":
        raise NotOffered("does not compute the path rule")
    from shapiq import TreeExplainer

    order, index = (2, "k-SII") if game == "pairs" else (1, "SV")
    mode = "interventional" if game == "rows" else "pathdependent"
    explainer = TreeExplainer(model, mode=mode, reference_dataset=reference, max_order=order, index=index)

    def explain(X: np.ndarray) -> Any:
        return explainer.explain_X(X) if len(X) > 1 else explainer.explain(X[0])

    def dense(found: Any, n_features: int) -> np.ndarray:
        held = {features: value for features, value in found.values.items() if len(features) == order}
        array = np.zeros((len(next(iter(held.values()))), *[n_features] * order))
        for features, value in held.items():
            if order == 1:
                array[:, features[0]] = value
            else:  # the whole interaction of a pair, of which others give each feature half
                array[:, features[0], features[1]] = array[:, features[1], features[0]] = np.asarray(value) / 2
        return array

    return explain, dense


def with_woodelf(model: Any, game: str, reference: np.ndarray | None) -> tuple[Explain, Dense]:
    if game == "path":
        raise NotOffered("does not compute the path rule")
    import pandas as pd
    from woodelf import WoodelfExplainer

    background = None if reference is None else pd.DataFrame(reference)
    perturbation = "interventional" if game == "rows" else "tree_path_dependent"
    explainer = WoodelfExplainer(model, background, feature_perturbation=perturbation)
    if game == "pairs":

        def pairs(X: np.ndarray) -> Any:
            return explainer.shap_interaction_values(
                pd.DataFrame(X), include_interaction_with_itself=False, verbose=False
            )

        return pairs, lambda found, n_features: found
    return lambda X: explainer.shap_values(pd.DataFrame(X), verbose=False), lambda found, n_features: found


PEERS: dict[str, Callable[[Any, str, np.ndarray | None], tuple[Explain, Dense]]] = {
    "xgboost": with_xgboost,
    "shap": with_shap,
    "shapiq": with_shapiq,
    "woodelf": with_woodelf,
}


def versions() -> dict[str, tuple[str, str]]:
    """The distribution and the release of what is installed."""
    found = {}
    for name, distributions in DISTRIBUTIONS.items():
        for distribution in distributions:
            try:
                found[name] = (distribution, importlib.metadata.version(distribution))
            except importlib.metadata.PackageNotFoundError:
                continue
            break
    return found


def cpu_seconds(explain: Callable[[np.ndarray], Any], X: np.ndarray, *, apart: bool) -> float:
    start = time.process_time()
    if apart:
        for i in range(len(X)):
            explain(X[i : i + 1])
    else:
        explain(X)
    return time.process_time() - start


class Worker:
    def __init__(self) -> None:
        self.explain: Explain | None = None
        self.dense: Dense | None = None
        self.X = np.empty((0, 0))

    def answer(self, order: dict[str, Any]) -> Any:
        if order["order"] == "versions":
            return versions()
        if order["order"] == "prepare":
            self.X = np.load(order["rows"])
            reference = None if order["reference"] is None else np.load(order["reference"])
            self.explain, self.dense = PEERS[order["peer"]](load(order["model"]), order["game"], reference)
            return "ready"
        assert self.explain is not None
        assert self.dense is not None
        X = self.X[: order["rows"]]
        if order["order"] == "run":
            return cpu_seconds(self.explain, X, apart=order["apart"])
        np.save(order["file"], np.asarray(self.dense(self.explain(X), X.shape[1]), dtype=np.float64))
        return "written"


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # libraries print
    sys.stdout = sys.stderr
    worker = Worker()
    for line in sys.stdin:
        try:
            answer = worker.answer(json.loads(line))
        except Exception as error:  # a peer that cannot do it is a cell of the table
            answer = f"error: {error}" if isinstance(error, NotOffered) else f"error: {type(error).__name__}: {error}"
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
