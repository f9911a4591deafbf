"""``tune(model, X)``: the composite that explains a model best, chosen on one half of the rows and judged on the other.

Of many candidates the best on some rows is partly the luckiest. Its gain there is biased, and more candidates make it
more so. Therefore one half of the rows chooses one candidate, and the other half, which had no part in it, makes one
test of that one: its error does not grow with the number of candidates.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from neon.errors import UnsupportedOperationError
from neon.evaluate.candidates import Candidate, candidates_of
from neon.evaluate.explained import Explained
from neon.evaluate.intervals import mean_interval
from neon.evaluate.metrics import METRICS
from neon.evaluate.refills import Refill, refill_of
from neon.evaluate.report import report
from neon.evaluate.scores import Key, Scores
from neon.evaluate.tuning import DEFAULT, Tuning

if TYPE_CHECKING:
    import pandas

__all__ = ["tune"]

FEWEST = 12  # rows: of fewer than 6 in a half not even a gain of each is significant (sign test, 2 / 2^5 > 0.05)
_POWER = 0.8  # with which `rows_needed` finds a gain
_FLIPPING = ("srg", "aopc", "aufc", "deletion", "insertion")
_MEASURED_BY = {
    **dict.fromkeys(_FLIPPING, "flipping"),
    "infidelity": "infidelity",
    "continuity": "continuity",
    "max_sensitivity": "max_sensitivity",
    "rank_agreement": "rank_agreement",
    "positivity": "positivity",
    "conservation": "conservation",
    "residual_share": "conservation",
}


def tune(
    model: Any,
    X: Any,
    *,
    metric: str = "srg",
    refill: str | Refill = "rows",
    background: Any = None,
    candidates: Mapping[str, Any] | None = None,
    target: Any = None,
    output: str | None = None,
    groups: np.ndarray | None = None,
    random_state: int = 0,
    progress: bool | None = None,
) -> Tuning:
    """Choose the composite and the parameters of its rules that explain a model best, by a metric that you name.

    One half of the rows, drawn at random, chooses one candidate: the best by its mean, or a cheaper one that ties with
    it (the 95 % interval of their paired difference holds 0) and is better than the default by its own interval. The
    other half judges it: only if the 95 % interval of its gain over the default (paired t) leaves out 0 is it chosen,
    and otherwise the default is kept. One test is made, so that a useless candidate is chosen in 2.5 % of all cases,
    however many there are.

    Parameters
    ----------
    model : fitted estimator, Network, or torch.nn.Module
    X : array-like (n_rows, ...)
        At least 12 rows that the model was not fitted on, and that stand for those to be explained.
    metric : str
        "srg", "aopc", "aufc", "deletion", "insertion", "infidelity", "continuity",
        "max_sensitivity", "rank_agreement" (≤ 10 features), "positivity", "conservation" or "residual_share"; see
        `neon.evaluate.METRICS`. A composite that is best by one is not best by all.
    refill : "rows", "mean", "conditional" or Refill
        What takes the place of features that are taken away, for the metrics that take some away; see
        `neon.evaluate.flipping`.
    background : array-like (n_rows, ...), optional
        Rows that stand for the data, such as the training rows, and are none of X: refills by name draw from them, and
        candidates take their reference rows from them. Without, there are no candidates with reference rows.
    candidates : mapping of str to composite or options of `neon.Explainer`, optional
        By name, cheapest first: ``{"gamma": neon.rules.Gamma(0.5), "few": {"composite": "expected", "reference": r}}``.
        Default: what applies of

        - fitted models: "neon", of trees "path" and "equal", where the one-pass rule is a `Hybrid` its η 0, 0.5, 1;
        - networks of several layers: ε, ε of 0.1 and 0.5 root mean squares, z⁺, γ of 0.1, 0.25 and 1, γ in the lower
          third or two thirds and ε above, α2β1; with convolutions ε-z⁺ and z^B-γ-ε with each γ, z^B from the smallest
          to the largest value of the background;
        - tables: "shapley" from what the model holds; with a background "neon" (of trees "interventional") relative to
          24 rows of it, "shapley" from 100, "expected" from 8 and from 24. Rows are chosen by `neon.summarize`.
    target : optional
        As `neon.Explainer` takes it: by default the predicted output of each row.
    output : str, optional
        As `neon.Explainer` takes it.
    groups : ndarray, optional
        Features that are taken away together, such as ``evaluate.patches(28, 28, 4)``; see `neon.evaluate.flipping`.
    random_state : int
        Of the halves and of everything that is drawn: the same number gives the same choice.
    progress : bool, optional
        Show a progress bar. Default: yes.

    Returns
    -------
    Tuning
        ``chosen`` is for `neon.Explainer`. Its ``table`` has one line a candidate: mean of the metric and gain over the
        default (positive: better) on the choosing half, low and high of the gain's interval, which holds for all
        candidates together (Bonferroni, 95 %); seconds a row, of the default and the judged one on the other half, when
        all is compiled; ``held_out``, the judged one's gain there;
        ``same_as``, an earlier candidate with the same scores, which is not counted.

    Raises
    ------
    ValueError
        If there are fewer than 12 rows: in a half of fewer than 6 not even a gain of every row is significant. If there
        is no such metric, or no background for a refill by name; if a candidate that you name does not apply.

    Examples
    --------
    >>> tuning = neon.tune(model, X_validation, background=X_train)
    >>> tuning                              # what was chosen, and the table
    >>> neon.Explainer(model, **tuning.chosen)(X_test)
    """
    if metric not in _MEASURED_BY:
        raise ValueError(f"unknown metric {metric!r}; choose from {list(_MEASURED_BY)}")
    f = Explained.of(model) if output is None else Explained(model, output)
    if f.network is None:
        raise ValueError("a plain function has no composite to choose: this takes a fitted model or a torch module")
    rows, background = f.rows(X, background)
    if len(rows) < FEWEST:
        raise ValueError(
            f"{len(rows)} rows are too few to choose by: one half chooses and the other judges, and of fewer than "
            f"{FEWEST // 2} rows not even a gain of every one is significant. Give at least {FEWEST}, better 100"
        )
    labels = f.labels(rows, target)
    options = candidates_of(f, rows[:1], background) if candidates is None else _as_options(candidates)
    measuring: dict[str, Any] = {
        "metrics": [_MEASURED_BY[metric]],
        "refills": [refill_of(refill, background, random_state)],
        "background": background,
        "groups": groups,
        "seed": random_state,
    }

    def measured(some: np.ndarray, names: list[str], progress: bool | None) -> Scores:
        methods = {name: offered[name] for name in names}
        return report(f, rows[some], methods=methods, target=labels[some], progress=progress, **measuring)

    choosing, judging = _halves(len(rows), random_state)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of residuals: those of the default and the judged one tell
        offered, skipped = _applicable(f, options, rows[:1], labels[:1], strict=candidates is not None)
        found = measured(choosing, list(offered), progress)
    gains, table = _table(found, metric)
    judged = _preferred(gains)
    gain, needed = (0.0, 0.0, 0.0), None
    if judged != DEFAULT:
        needed = _rows_needed(gains[judged])
        after = measured(judging, [DEFAULT, judged], False)
        gain = mean_interval(_gains(after, metric)[judged])
        table.loc[judged, "held_out"] = gain[0]
        for name in (DEFAULT, judged):  # what is compiled when it first runs has been by now
            table.loc[name, "seconds_per_row"] = _seconds(after, name)
    significant = gain[1] > 0
    name = judged if significant else DEFAULT
    chosen = dict(offered[name].options)
    if f.output is not None:
        chosen["output"] = f.output
    name_of_refill = next((key.refill for key in found.values if key.metric == metric), "")
    return Tuning(
        chosen, name, significant, judged, gain, needed, metric, name_of_refill, (choosing, judging), table, skipped, f
    )


def _as_options(candidates: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The caller's candidates as options of the explainer."""
    if not isinstance(candidates, Mapping) or not candidates:
        raise ValueError(f"candidates must map names to composites or to options of neon.Explainer, got {candidates!r}")
    if DEFAULT in candidates:
        raise ValueError(f"{DEFAULT!r} is what neon.Explainer does unasked; give your candidate another name")
    return {
        name: dict(given) if isinstance(given, Mapping) else {"composite": given} for name, given in candidates.items()
    }


def _applicable(
    f: Explained, options: Mapping[str, Mapping[str, Any]], row: np.ndarray, label: np.ndarray, *, strict: bool
) -> tuple[dict[str, Candidate], dict[str, str]]:
    """The default and the candidates that explain a row, in their order; the reasons why the others do not."""
    found, skipped = {DEFAULT: Candidate({})}, {}
    found[DEFAULT](f, row, label, None)
    for name, given in options.items():
        candidate = Candidate(given)
        try:
            candidate(f, row, label, None)
        except (ValueError, UnsupportedOperationError) as error:
            if strict:
                raise
            skipped[name] = str(error)
        else:
            found[name] = candidate
    return found, skipped


def _halves(n: int, random_state: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows that choose and rows that judge, drawn at random."""
    order = np.random.default_rng(random_state).permutation(n)
    return np.sort(order[: n // 2]), np.sort(order[n // 2 :])


def _gains(found: Scores, metric: str) -> dict[str, np.ndarray]:
    """By how much each candidate is better than the default, row by row."""
    sign = 1.0 if METRICS[metric].better == "higher" else -1.0
    scores = {key.method: rows for key, rows in found.values.items() if key.metric == metric}
    return {name: sign * (rows - scores[DEFAULT]) for name, rows in scores.items()}


def _table(found: Scores, metric: str) -> tuple[dict[str, np.ndarray], pandas.DataFrame]:
    """Gains of the candidates that differ from those before them, and the table of all."""
    import pandas as pd

    every = _gains(found, metric)
    kept: dict[str, np.ndarray] = {}
    same: dict[str, str] = {}
    for name, gain in every.items():
        same[name] = next((other for other, rows in kept.items() if np.array_equal(gain, rows, equal_nan=True)), "")
        if not same[name]:
            kept[name] = gain
    level = 1 - 0.05 / max(len(kept) - 1, 1)
    lines = {}
    for name, gain in every.items():
        mean, low, high = mean_interval(gain, level)
        score = next(rows for key, rows in found.values.items() if key.method == name and key.metric == metric)
        lines[name] = (float(np.nanmean(score)), mean, low, high, _seconds(found, name), np.nan, same[name])
    columns = ["mean", "gain", "low", "high", "seconds_per_row", "held_out", "same_as"]
    return kept, pd.DataFrame.from_dict(lines, orient="index", columns=columns)


def _seconds(found: Scores, name: str) -> float:
    """Of explaining a row."""
    return float(found.values[Key(name, "seconds")][0]) / 1000


def _preferred(gains: Mapping[str, np.ndarray]) -> str:
    """The first, that is the cheapest, that ties with the best and is itself better than the default by its interval.

    If there is none, the best by its mean, which may be the default.
    """
    best = max(gains, key=lambda name: float(np.nanmean(gains[name])))
    for name, gain in gains.items():
        if mean_interval(gain)[1] > 0 and mean_interval(gains[best] - gain)[1] <= 0:
            return name
    return best


def _rows_needed(gain: np.ndarray) -> int:
    """Rows in both halves with which a gain of this mean and spread is significant in four of five times.

    ``n = 2 ((z_0.975 + z_0.8) s / m)²``, the usual sample size of a paired test.
    """
    effect = float(np.nanstd(gain, ddof=1) / np.nanmean(gain))
    needed = 2 * ((stats.norm.ppf(0.975) + stats.norm.ppf(_POWER)) * effect) ** 2
    return max(FEWEST, 2 * math.ceil(needed / 2))
