"""How good explanations are: every method of neon.evaluate, on many models and data sets, beside each other.

    python -m benchmarks.quality --write    # docs/quality.md, its figure, README's table: half an hour on two cores
    python -m benchmarks.quality --quick    # a look in less than two minutes
    python -m benchmarks.quality --full --write    # five times the rows, twice the draws: some hours

What is measured is kept, a line for each family, data set, seed and method, in a file that the next run goes on from;
after a change of the rules start anew with ``--fresh``. Jobs that would begin after ``--minutes`` are left for the next
run; they are the last seeds of the costliest models.
"""

from __future__ import annotations

import argparse
import os
import textwrap
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[variable] = "1"  # before numpy is imported: processes share the cores

import numpy as np  # noqa: E402
import torch  # noqa: E402

import neon  # noqa: E402
from benchmarks.cases import DATA, FAMILIES, OUTLIERS, Missing, Split, split  # noqa: E402
from benchmarks.pages import write_section  # noqa: E402
from benchmarks.quality_page import figure, page, summary  # noqa: E402
from benchmarks.records import Record, gathered, known, rounded  # noqa: E402
from neon import evaluate  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
BEGIN = "<!-- quality: made by python -m benchmarks.quality --write -->"
FIELDS = ("family", "data", "seed", "method")
QUICK = {"families": ["KMeans (4)", "SVC", "RandomForestClassifier"], "data": ["wine", "clusters"], "seeds": 1}
ROW_BY_ROW = ("kernel_shap", "permutation_shap", "lime", "exact_shapley")
BATCHES = (10, 30, 100)  # rows that methods are timed on, the larger batch where the smaller took less than
ENOUGH = 0.5  # seconds


def few_rows(model: Any, X: np.ndarray, target: Any = None, background: Any = None, *, n_rows: int = 10) -> np.ndarray:
    """Exact Shapley values relative to so many random rows: all subsets of all rows would be too many."""
    chosen = background[np.random.default_rng(0).permutation(len(background))[:n_rows]]
    return evaluate.exact_shapley(model, X, target, chosen)


def default_rows(model: Any, X: np.ndarray, target: Any = None, background: Any = None) -> Any:
    """The default of `neon.Explainer` where it is given reference rows."""
    f = evaluate.Explained.of(model)
    return neon.Explainer(f.model, output=f.output, reference=background, progress=False)(X, target)


METHODS: dict[str, Callable[..., Any]] = {
    "default_rows": default_rows,
    **evaluate.methods,
    "exact_shapley": few_rows,
}


def applies(family: str, data: str) -> bool:
    """Whether a family is measured on a data set: where there is something to learn of it."""
    fits = FAMILIES[family].fits
    if family in OUTLIERS:
        return data not in ("reviews", "clusters", "friedman")
    if data == "sensors":
        return False
    return data not in {"": ("reviews", "friedman"), "classes": (), "values": ("election", "clusters")}[fits]


def measured(family: str, data: str, seed: int, methods: list[str], n_rows: int, n_draws: int) -> list[Record]:
    """One record a method, or the reason why it has no scores. Costs and continuity are measured of seed 0 alone."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    kind = {"family": family, "data": data, "seed": seed}
    try:
        part = split(data, n_rows, seed=seed)
        f = evaluate.Explained(FAMILIES[family].fitted(part, seed), FAMILIES[family].output)
        labels = f.labels(part.explained)
    except Exception as error:
        return [{**kind, "method": method, "skipped": in_words(error)} for method in methods]
    refills = (
        evaluate.Rows(part.fitted, n_draws=n_draws, seed=seed),
        evaluate.Conditional(part.fitted, n_draws=n_draws, seed=seed),
        evaluate.Mean(part.fitted),
    )
    records = []
    for method in methods:
        try:
            scores = scored(METHODS[method], f, part, labels, refills, seed)
            if (truth := found_truth(family, data)) and part.truth is not None:
                scores["auroc"] = truth(part, METHODS[method](f, part.explained, labels, part.fitted))
            if seed == 0:
                scores |= costs(METHODS[method], f, part, labels, by_row=method in ROW_BY_ROW)
        except Exception as error:
            scores = {"skipped": in_words(error)}
        records.append({**kind, "method": method, **scores})
    return records


def scored(
    explain: Callable[..., Any], f: evaluate.Explained, part: Split, labels: Any, refills: Any, seed: int
) -> Record:
    """Fidelity under each refill, conservation and positivity, row by row."""
    X = part.explained
    relevance = explain(f, X, labels, part.fitted)
    scores: Record = {"srg": {}, "features": X.shape[1]}
    for refill in refills:
        options = {"refill": refill, "target": labels, "n_steps": min(X.shape[1], 16), "seed": seed}
        scores["srg"][refill.name] = rounded(evaluate.flipping(f, X, relevance, **options)["srg"])
    kept = evaluate.conservation(f, X, relevance, target=labels)
    scores["conservation"] = rounded(kept["conservation"] / spread(f, part, labels))
    if any(key.metric == "residual_share" for key in kept.values):
        scores["residual_share"] = rounded(kept["residual_share"])
    scores["positivity"] = rounded(evaluate.positivity(X, relevance)["positivity"])
    return scores


def costs(explain: Callable[..., Any], f: evaluate.Explained, part: Split, labels: Any, *, by_row: bool) -> Record:
    """Seconds of CPU time for 1,000 rows, once warm; how steep the explanation is, at two rows."""
    few = part.explained[:2]
    options = {"background": part.fitted, "target": labels[:2], "n_samples": 3}
    steep = evaluate.continuity(f, few, explain, **options)
    rows = part.explained if by_row else np.resize(part.fitted, (BATCHES[-1], part.fitted.shape[1]))
    targets = f.labels(rows)
    for n_rows in BATCHES:
        X, start = rows[:n_rows], time.process_time()
        explain(f, X, targets[:n_rows], part.fitted)
        seconds = time.process_time() - start
        if seconds > ENOUGH:
            break
    return {
        "seconds": float(f"{seconds / len(X) * 1000:.3g}"),
        "continuity": rounded(steep["continuity"] / spread(f, part, labels)),
        "continuity_per_change": rounded(steep["continuity_per_change"]),
    }


def spread(f: evaluate.Explained, part: Split, labels: Any) -> float:
    """The standard deviation, over the rows of the fit, of the output that is explained of the first row."""
    rows = part.fitted
    return float(f(rows, f.index(rows, np.resize(labels[:1], len(rows)))).std()) or 1.0


def found_truth(family: str, data: str) -> Callable[[Split, Any], list[float]] | None:
    """The probability that a feature that matters is more relevant than another, where that is known.

    The sensor that was spoilt, of outliers; the features of a cluster, of its evidence; Friedman's features, by the
    magnitude of relevance.
    """
    fits = FAMILIES[family].fits

    def signed(part: Split, relevance: Any) -> list[float]:
        return rounded(evaluate.auroc(part.explained, relevance, part.truth)["auroc"])

    def unsigned(part: Split, relevance: Any) -> list[float]:
        return signed(part, np.abs(getattr(relevance, "values", relevance)))

    if data == "sensors" or (data == "clusters" and fits != "values"):
        return signed
    return unsigned if data == "friedman" and fits else None


def in_words(error: Exception) -> str:
    name = "" if isinstance(error, Missing) else f"{type(error).__name__}: "
    return name + textwrap.shorten(str(error), 140)


def run(options: argparse.Namespace) -> list[Record]:
    """All records, of which those that the file has are not measured again."""
    found = known(options.cache, FIELDS, options.fresh)
    jobs = [
        (family, data, seed, missing, options.rows, options.draws)
        for seed in range(options.seeds)
        for data in options.data
        for family in options.families
        if applies(family, data)
        and (missing := [method for method in METHODS if (family, data, seed, method) not in found])
    ]
    gathered(measured, jobs, options.cache, options.jobs, 60 * options.minutes)
    wanted = known(options.cache, FIELDS).values()
    return [
        record
        for record in wanted
        if record["family"] in options.families and record["data"] in options.data and record["seed"] < options.seeds
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three families on two data sets, one seed")
    parser.add_argument("--full", action="store_true", help="40 rows, 8 draws")
    parser.add_argument("--families", nargs="*", choices=list(FAMILIES), metavar="NAME")
    parser.add_argument("--data", nargs="*", choices=list(DATA), metavar="NAME")
    parser.add_argument("--rows", type=int, help="rows to explain of each data set, for each seed (8)")
    parser.add_argument("--draws", type=int, help="draws of a refill for each row (4)")
    parser.add_argument("--seeds", type=int, help="splits, fits and draws (3)")
    parser.add_argument("--minutes", type=float, help="begin no job after (27; with --full never)")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--cache", type=Path, help="file of what was measured (build/quality-ROWS-DRAWS.jsonl)")
    parser.add_argument("--fresh", action="store_true", help="forget what was measured before")
    parser.add_argument("--write", action="store_true", help="write docs/quality.md, docs/quality.svg, README.md")
    options = parser.parse_args()
    options.families = options.families or (QUICK["families"] if options.quick else list(FAMILIES))
    options.data = options.data or (QUICK["data"] if options.quick else list(DATA))
    options.seeds = options.seeds or (QUICK["seeds"] if options.quick else 3)
    options.rows = options.rows or (40 if options.full else 8)
    options.draws = options.draws or (8 if options.full else 4)
    options.minutes = options.minutes or (float("inf") if options.full else 27)
    options.cache = options.cache or Path(f"build/quality-{options.rows}-{options.draws}.jsonl")
    records = run(options)
    text = page(records)
    print(text)
    if options.write:
        write_section(ROOT / "docs" / "quality.md", BEGIN, text)
        write_section(ROOT / "README.md", BEGIN, summary(records))
        figure(records, ROOT / "docs" / "quality.svg")


if __name__ == "__main__":
    main()
