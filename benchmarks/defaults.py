"""Which rule explains a family best from what it has: the figures that `neon.converters.core.defaults` follows.

Measured by ``python -m benchmarks.faithfulness``; a candidate is a rule with what absent features are drawn from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

import neon
from benchmarks.pages import table
from benchmarks.records import Key, Record
from neon import evaluate
from neon.converters.core.defaults import DEFAULTS, STARTS
from neon.explainer.summarize import fewer

__all__ = ["CANDIDATES", "HEADING", "KEPT", "MARGIN", "STATES", "default_of", "section", "standings"]

HEADING = "### Defaults"
MARGIN = 0.02  # of KernelSHAP's gain: by how much a rule that costs more must be better
STATES = {
    "rows given": ("neon, rows", "shapley", "expected"),
    "nothing given": ("neon", "shapley, held", "expected, held"),
}
KEPT = {  # where nothing is given
    "LocalOutlierFactor": "Densities of neighbours, and of theirs, all along the ways from 20 rows: `expected` takes "
    "hundreds of times as long as the one-pass rule. By its name, or from rows that are given, it is there.",
    "KNeighborsClassifier": "Votes jump where a neighbour is overtaken by one of another class: the slopes that "
    "`expected` integrates do not see it, and a fifth of the relevance would stay with the residual `quadrature`.",
}
_REFILLS = ("rows", "conditional", "mean")
_N_RESAMPLES = 2000
_WORDS = f"""\
What `neon.Explainer(model)` takes where no composite is named, **bold**: of the rules that a family has, the cheapest
that is not beaten by more than {MARGIN} and more than the 95 % interval of the difference. A cell is the mean over
refills and data sets of SRG over KernelSHAP's, in brackets how much more that is than the default's ± half an interval
(bootstrap over the same rows), then the seconds, as multiples of the one-pass rule's. `neon` is the published one-pass
rule, relative to the given rows where it takes any; `shapley` draws each absent feature by itself from all rows;
`expected` draws them together from at most {STARTS} rows, which herding chooses. Where nothing is given these are what
the model holds: support vectors, stored points, centers by size, points that have a mixture's moments. Models without
such columns hold none: they are explained from the origin, or from what a pipeline's steps take to it, which here is
the mean of the data, and elsewhere may be far from all of them: give rows."""


def neon_from_rows(f: Any, X: np.ndarray, target: Any = None, background: Any = None) -> Any:
    """The one-pass rule relative to the background, trees' included."""
    return _explained(f, X, target, composite="interventional", reference=background)


def shapley_held(f: Any, X: np.ndarray, target: Any = None, background: Any = None) -> Any:
    """ "shapley" from what the model holds."""
    return _explained(f, X, target, composite="shapley", reference=_held(f))


def expected_held(f: Any, X: np.ndarray, target: Any = None, background: Any = None) -> Any:
    """ "expected" from a few rows of what the model holds."""
    return _explained(f, X, target, composite="expected", reference=fewer(*_held(f), STARTS))


CANDIDATES: Mapping[str, evaluate.Method] = {
    "neon, rows": neon_from_rows,
    "shapley, held": shapley_held,
    "expected, held": expected_held,
}


def _held(f: Any) -> tuple[np.ndarray, np.ndarray]:
    if f.network.background is None:
        raise ValueError("the model holds nothing of the rows that it was fitted on")
    return f.network.background.rows, f.network.background.weights


def _explained(f: Any, X: np.ndarray, target: Any, **options: Any) -> Any:
    return neon.Explainer(f.model, output=f.output, progress=False, **options)(X, target)


def default_of(family: str, state: str) -> str:
    """The candidate that is the default of a benchmark's family."""
    default = next((default for default in DEFAULTS.values() if family in default.measured), None)
    rule = "" if default is None else default.given if state == "rows given" else default.held
    first, *others = STATES[state]
    return next((name for name in others if name.partition(",")[0] == rule), first)


Draws = tuple[float, np.ndarray]


def gain(found: Mapping[Key, Record], family: str, method: str, data: Iterable[str]) -> Draws | None:
    """The mean ratio to KernelSHAP's gain over data sets and refills, and what it is for rows drawn again.

    All methods of a family get the same draws. None: not measured on all of them.
    """
    rng, point, drawn, count = np.random.default_rng(0), 0.0, np.zeros(_N_RESAMPLES), 0
    for name in data:
        theirs, ours = found.get((family, name, "kernel_shap"), {}), found.get((family, name, method), {})
        if "rows" not in theirs:
            continue
        n = len(theirs["rows"])
        again = rng.integers(n, size=(_N_RESAMPLES, n))
        for refill in _REFILLS:
            mean, low, _ = evaluate.mean_interval(np.array(theirs[refill]))
            if not low > 0:
                continue
            if refill not in ours:
                return None
            rows = np.array(ours[refill]) / mean
            point, drawn, count = point + rows.mean(), drawn + rows[again].mean(1), count + 1
    return (point / count, drawn / count) if count else None


def standings(
    found: Mapping[Key, Record], family: str, state: str, data: Sequence[str]
) -> dict[str, tuple[float, float, float, float]]:
    """Of each candidate the ratio, how much more it is than the default's, half the interval of that, and the cost."""
    gains = {name: kept for name in STATES[state] if (kept := gain(found, family, name, data)) is not None}
    if default_of(family, state) not in gains:
        return {}
    point, drawn = gains[default_of(family, state)]
    result = {}
    for name, (value, draws) in gains.items():
        low, high = np.percentile(draws - drawn, [2.5, 97.5])
        result[name] = value, value - point, (high - low) / 2, _cost(found, family, name, data)
    return result


def _cost(found: Mapping[Key, Record], family: str, method: str, data: Iterable[str]) -> float:
    """Seconds over those of the one-pass rule, the median over data sets."""
    pairs = [(found.get((family, name, method), {}), found.get((family, name, "neon"), {})) for name in data]
    return float(np.median([a["seconds"] / b["seconds"] for a, b in pairs if "seconds" in a and "seconds" in b]))


def section(found: Mapping[Key, Record], families: Iterable[str], data: Sequence[str]) -> list[str]:
    """The lines of the page: a table for each state of what there is to start from."""
    lines = ["", HEADING, "", *_WORDS.splitlines()]
    for state, names in STATES.items():
        rows = []
        for family in families:
            cells = standings(found, family, state, data)
            if cells:
                rows.append([family, *(_shown(cells.get(name), name == default_of(family, state)) for name in names)])
        lines += ["", f"#### {state[0].upper()}{state[1:]}", "", *table(("model", *names), rows)]
    return [*lines, "", "Kept against the figures:", "", *(f"- {family}: {why}" for family, why in KEPT.items())]


def _shown(cell: tuple[float, float, float, float] | None, is_default: bool) -> str:
    if cell is None:
        return "-"
    ratio, more, half, cost = cell
    return f"**{ratio:.2f}**, {cost:.1f} ×" if is_default else f"{ratio:.2f} ({more:+.3f} ± {half:.3f}), {cost:.1f} ×"
