"""``report(model, X)``: the methods that apply to a model, measured on the same rows."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from neon.errors import UnsupportedOperationError
from neon.evaluate.all_subsets import exact_shapley, rank_agreement
from neon.evaluate.explained import Explained
from neon.evaluate.flipping import flipping
from neon.evaluate.infidelity import infidelity
from neon.evaluate.methods import methods as known_methods
from neon.evaluate.properties import conservation, continuity, max_sensitivity, positivity
from neon.evaluate.refills import Refill, refill_of
from neon.evaluate.relevance import Method
from neon.evaluate.scores import Key, Scores

__all__ = ["report"]

_DEFAULT_METHODS = (
    "default",
    "neon",
    "shapley",
    "expected",
    "gradient_x_input",
    "integrated_gradients",
    "occlusion",
    "random",
)
_METRICS = ("flipping", "conservation", "positivity", "infidelity", "continuity", "max_sensitivity", "rank_agreement")


def report(
    model: Any,
    X: Any,
    *,
    methods: Sequence[str] | Mapping[str, Method] | None = None,
    background: Any = None,
    target: Any = None,
    refills: Sequence[str | Refill] = ("rows", "mean", "conditional"),
    metrics: Sequence[str] = ("flipping", "conservation", "positivity", "infidelity"),
    groups: np.ndarray | None = None,
    seed: int = 0,
    progress: bool | None = None,
) -> Scores:
    """Explain rows by several methods and measure each.

    Parameters
    ----------
    model : fitted estimator, Network, torch.nn.Module, callable or Explained
    X : array-like (n_rows, ...)
        Rows to explain, that the model was not fitted on.
    methods : sequence of names, or mapping of names to callables, optional
        Of `neon.evaluate.methods`, or ``(model, X, target, background) -> relevance``. Default: neon's default and its
        composites, gradient × input, integrated gradients, occlusion and random; those of them that do not apply to the
        model are named in ``skipped``, with the reason. A method that you name and that does not apply is an error.
    background : array-like, optional
        Rows that stand for the data, such as the training rows. Default: X itself, of which every row then knows
        itself.
    target : optional
        As `neon.Explainer` takes it: by default the predicted output of each row.
    refills : sequence
        What takes the place of features that are taken away; see `flipping`. Infidelity takes the first.
    metrics : sequence of str
        Of "flipping", "conservation", "positivity", "infidelity"; "continuity" and "max_sensitivity", which explain
        every row eleven times; "rank_agreement" with exact Shapley values, of at most 10 features.
    groups : ndarray, optional
        Features that are taken away together; see `flipping`.
    seed : int
    progress : bool, optional
        Show a progress bar. Default: yes.

    Returns
    -------
    Scores
        The table (`Scores.to_frame`) and plots (`Scores.plot`, `Scores.plot_curves`); with seconds per 1,000 rows, of
        a second call: the first, which loads what a method needs, explains one row and is not counted.
    """
    from tqdm.auto import tqdm

    f = Explained.of(model)
    rows, given = f.rows(X, background)
    background = rows if given is None else given
    labels = f.labels(rows, target)
    chosen = _chosen(methods)
    unknown = [metric for metric in metrics if metric not in _METRICS]
    if unknown:
        raise ValueError(f"unknown metric {unknown[0]!r}; choose from {list(_METRICS)}")
    filled = [refill_of(refill, background, seed) for refill in refills]
    measures = _measures(metrics, f, rows, labels, background, filled, groups, seed)
    found = Scores({})
    with tqdm(total=len(chosen), unit="method", desc="neon.evaluate", disable=progress is False) as bar:
        for name, explain in chosen.items():
            bar.set_postfix_str(name)
            try:
                explain(f, rows[:1], labels[:1], background)  # loads and compiles what only the first call needs
                start = time.perf_counter()
                relevance = explain(f, rows, labels, background)
            except (ValueError, UnsupportedOperationError) as error:
                if methods is not None:
                    raise
                found |= Scores({}, skipped={name: str(error)})
            else:
                seconds = (time.perf_counter() - start) / len(rows) * 1000
                found |= Scores({Key(name, "seconds"): np.array([seconds])})
                for measure in measures:
                    found |= measure(relevance, explain).named(name)
            bar.update()
    return found


def _chosen(methods: Sequence[str] | Mapping[str, Method] | None) -> dict[str, Method]:
    if isinstance(methods, Mapping):
        return dict(methods)
    names = _DEFAULT_METHODS if methods is None else methods
    unknown = [name for name in names if name not in known_methods]
    if unknown:
        raise ValueError(f"unknown method {unknown[0]!r}; choose from {list(known_methods)}, or give a mapping")
    return {name: known_methods[name] for name in names}


def _measures(
    metrics: Sequence[str],
    f: Explained,
    X: np.ndarray,
    labels: np.ndarray,
    background: np.ndarray,
    refills: list[Refill],
    groups: np.ndarray | None,
    seed: int,
) -> list[Callable[[Any, Method], Scores]]:
    """The functions of ``(relevance, explain)`` that were asked for."""
    moving: dict[str, Any] = {"background": background, "target": labels, "seed": seed}
    exact = exact_shapley(f, X, labels, background) if "rank_agreement" in metrics else None
    measures: dict[str, list[Callable[[Any, Method], Scores]]] = {
        "flipping": [
            functools.partial(_flipped, f, X, refill=refill, target=labels, groups=groups, seed=seed)
            for refill in refills
        ],
        "conservation": [lambda r, _: conservation(f, X, r, target=labels)],
        "positivity": [lambda r, _: positivity(X, r)],
        "infidelity": [lambda r, _: infidelity(f, X, r, refill=refills[0], target=labels, seed=seed)],
        "continuity": [lambda _, explain: continuity(f, X, explain, **moving)],
        "rank_agreement": [lambda r, _: rank_agreement(f, X, r, exact=exact)],
        "max_sensitivity": [lambda _, explain: max_sensitivity(f, X, explain, **moving)],
    }
    return [measure for metric in metrics for measure in measures[metric]]


def _flipped(f: Explained, X: np.ndarray, relevance: Any, _: Method, **options: Any) -> Scores:
    return flipping(f, X, relevance, **options)
