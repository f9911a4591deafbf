"""How faithful each rule is, family by family: symmetric relevance gain relative to KernelSHAP.

    python -m benchmarks.faithfulness --write     # the table in docs/evaluation.md; about half an hour on two cores
    python -m benchmarks.faithfulness --quick     # two data sets, 12 rows: one or two minutes
    python -m benchmarks.faithfulness --families SVC KernelDensity

Models are fitted on scikit-learn's bundled data sets, standardised, without the rows that are explained. What is
measured is kept, a line for each family, data set and method, in a file that the next run goes on from; after a change
of the rules start anew with ``--fresh``.
"""

from __future__ import annotations

import argparse
import os
import textwrap
import time
import warnings
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"  # before numpy is imported: processes share the cores

import numpy as np  # noqa: E402
import torch  # noqa: E402

from benchmarks import defaults  # noqa: E402
from benchmarks.cases import BUNDLED, FAMILIES, KIN, OUTLIERS, split  # noqa: E402
from benchmarks.pages import write_section  # noqa: E402
from benchmarks.records import gathered, known, rounded  # noqa: E402
from neon import evaluate  # noqa: E402

DOCS = Path(__file__).resolve().parents[1] / "docs" / "evaluation.md"
BEGIN = "<!-- faithfulness: made by python -m benchmarks.faithfulness --write -->"
METHODS = ("neon", "shapley", "expected", "kernel_shap", "gradient_x_input", "abs_z", "random")
OURS = METHODS[:3]
REFILLS = ("rows", "conditional", "mean")
PLANTED = ("auroc", "hit_at_k")


def abs_z(model: Any, X: np.ndarray, target: Any = None, background: Any = None) -> np.ndarray:
    """How far each feature is from its mean, in standard deviations (of rows that are standardised): no model asked."""
    return np.abs(X)


KNOWN = {**evaluate.methods, **defaults.CANDIDATES, "abs_z": abs_z}


QUICK = ("wine", "diabetes")
MODELS = FAMILIES | KIN


def measured(family: str, data: str, methods: Iterable[str], n_rows: int, n_draws: int) -> list[dict[str, Any]]:
    """One record a method: the rows' gains under each refill and the seconds, or the reason why there are none.

    Of models of outliers also how well it finds two shifted columns in rows of their own.
    """
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    part = split(data, n_rows)
    made, kind = MODELS[family], {"family": family, "data": data}
    try:
        model = made.fitted(part)
        f = evaluate.Explained(model, made.output)
        labels = f.labels(part.explained)
    except Exception as error:
        return [{**kind, "method": method, "skipped": in_words(error)} for method in methods]
    rows_of = partial(evaluate.Rows, n_draws=n_draws)
    refills = (rows_of(part.fitted), evaluate.Conditional(part.fitted, n_draws=n_draws), evaluate.Mean(part.fitted))
    planted = evaluate.plant_outliers(part.explained, n_rows=len(part.explained)) if family in OUTLIERS else None
    records = []
    for method in methods:
        record: dict[str, Any] = {**kind, "method": method}
        try:
            start = time.process_time()
            relevance = KNOWN[method](f, part.explained, labels, part.fitted)
            record["seconds"] = (time.process_time() - start) / len(part.explained)
            for refill in refills:
                scores = evaluate.flipping(f, part.explained, relevance, refill=refill, target=labels)
                record[refill.name] = rounded(scores["srg"])
            if planted is not None:
                relevance = KNOWN[method](f, planted.X, None, part.fitted)
                record["auroc"] = rounded(evaluate.auroc(planted.X, relevance, planted.truth)["auroc"])
                record["hit_at_k"] = rounded(evaluate.hit_at_k(planted.X, relevance, planted.truth)["hit_at_k"])
        except Exception as error:
            record = {**kind, "method": method, "skipped": in_words(error)}
        records.append(record)
    return records


def in_words(error: Exception) -> str:
    return f"{type(error).__name__}: {textwrap.shorten(str(error), 140)}"


def run(options: argparse.Namespace) -> dict[tuple[str, str, str], dict[str, Any]]:
    """All records, of which those that the file has are not measured again."""
    fields = ("family", "data", "method")
    found = known(options.cache, fields, options.fresh)
    jobs = [
        (family, data, missing, options.rows, options.draws)
        for data in options.data
        for family in options.families
        if (missing := [method for method in (*METHODS, *defaults.CANDIDATES) if (family, data, method) not in found])
    ]
    gathered(measured, jobs, options.cache, options.jobs)
    return known(options.cache, fields)


def page(found: dict[tuple[str, str, str], dict[str, Any]], options: argparse.Namespace) -> str:
    """The section of the documentation: a table a refill, what they sum up to, what could not be measured."""
    lines = [
        f"{len(options.data)} data sets ({', '.join(options.data)}), up to {options.rows} rows of each that the models "
        "were not fitted on. A cell is SRG over that of KernelSHAP (10 k-means background points, 2 d + 400 "
        "evaluations): the mean of this ratio over the data sets where KernelSHAP's SRG is above 0 by its interval, "
        "with a 95 % bootstrap interval over rows. Bold: the best of neon, shapley and expected is at or above "
        "KernelSHAP within its interval. neon is the published one-pass rule, which is given no rows; shapley has the "
        f"fitted rows as reference, expected {defaults.STARTS} of them, which herding chooses; abs_z is |x| of the "
        "standardised row, which asks no model. Outlier models explain rows as they come, most of them inliers.",
    ]
    if options.quick:
        lines += ["", "A quick run: few rows, wide intervals, and seconds that are mostly those of the first call."]
    others = [method for method in METHODS if method != "kernel_shap"]
    for refill in REFILLS:
        cells = {family: ratios(found, family, refill, options.data) for family in options.families}
        held = sum(reaches(cells[family]) for family in cells if cells[family])
        measured_families = sum(bool(cells[family]) for family in cells)
        lines += ["", f"### Refill: {refill}", "", "| model | data sets | " + " | ".join(others) + " |"]
        lines += ["|---|---|" + "---|" * len(others)]
        for family, row in cells.items():
            n_sets = max((n for n, _ in row.values()), default=0)
            mark = "**" if row and reaches(row) else ""
            texts = [shown(row[method]) if method in row else "-" for method in others]
            lines.append(f"| {mark}{family}{mark} | {n_sets} | " + " | ".join(texts) + " |")
        lines += ["", f"At or above KernelSHAP within the interval: {held} of {measured_families} families."]
    lines += defaults.section(found, options.families, options.data)
    lines += planted_section(found, options)
    lines += ["", "### Cost", "", cost(found, options), ""]
    without = [record for record in found.values() if "skipped" in record and wanted(record, options)]
    skipped = sorted({f"{r['family']}, {r['method']}: {r['skipped']}" for r in without})
    return "\n".join([*lines, *(["Not measured:", "", *[f"- {line}" for line in skipped]] if skipped else [])]) + "\n"


def planted_section(found: dict[tuple[str, str, str], dict[str, Any]], options: argparse.Namespace) -> list[str]:
    """The table of planted outliers."""
    lines = [
        "",
        "### Planted outliers",
        "",
        "Two columns of each row shifted by 2-4 standard deviations: AUROC of the shifted columns by relevance, ± half "
        "a 95 % interval over rows, and the share of them among the two most relevant. Means over data sets.",
        "",
        "| model | " + " | ".join(METHODS) + " |",
        "|---|" + "---|" * len(METHODS),
    ]
    for family in options.families:
        if family not in OUTLIERS:
            continue
        cells = []
        for method in METHODS:
            records = [found.get((family, name, method), {}) for name in options.data]
            auroc, hits = (np.concatenate([r.get(score, []) for r in records]) for score in PLANTED)
            mean, _, high = evaluate.mean_interval(auroc)
            cells.append(f"{mean:.3f} ± {high - mean:.3f} / {hits.mean():.2f}" if len(auroc) else "-")
        lines.append(f"| {family} | " + " | ".join(cells) + " |")
    return lines


Interval = tuple[float, float, float]


def ratios(
    found: dict[tuple[str, str, str], dict[str, Any]], family: str, refill: str, data: Iterable[str]
) -> dict[str, tuple[int, Interval]]:
    """For each method the number of data sets and the mean ratio to KernelSHAP with its interval."""
    gains = {
        (method, name): np.array(record[refill])
        for name in data
        for method in METHODS
        if refill in (record := found.get((family, name, method), {}))
    }
    theirs = {name: rows for (method, name), rows in gains.items() if method == "kernel_shap"}
    comparable = [name for name, rows in theirs.items() if evaluate.mean_interval(rows)[1] > 0]
    row = {}
    for method in METHODS:
        pairs = [(gains[method, n], gains["kernel_shap", n]) for n in comparable if (method, n) in gains]
        if pairs:
            row[method] = (len(pairs), evaluate.ratio_interval(pairs))
    return row


def reaches(row: dict[str, tuple[int, Interval]]) -> bool:
    """Whether the best of ours is at or above KernelSHAP within its interval."""
    best = max((row[method][1] for method in OURS if method in row), default=(0.0, 0.0, 0.0))
    return best[2] >= 1


def shown(cell: tuple[int, Interval]) -> str:
    ratio, low, high = cell[1]
    return f"{ratio:.2f} ({low:.2f}, {high:.2f})"


def cost(found: dict[tuple[str, str, str], dict[str, Any]], options: argparse.Namespace) -> str:
    """How many times faster than KernelSHAP each method is, the median over models."""
    parts = []
    for method in METHODS:
        factors = [
            found[family, data, "kernel_shap"]["seconds"] / record["seconds"]
            for (family, data, name), record in found.items()
            if name == method and wanted(record, options) and "seconds" in record
            and "seconds" in found.get((family, data, "kernel_shap"), {})
        ]  # fmt: skip
        if factors and method not in ("kernel_shap", "abs_z", "random"):
            parts.append(f"{method} {np.median(factors):,.0f} ×")
    return (
        f"Median over models and data sets, KernelSHAP's seconds over a method's, batches of rows: {', '.join(parts)}."
    )


def wanted(record: dict[str, Any], options: argparse.Namespace) -> bool:
    return record["family"] in options.families and record["data"] in options.data


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=f"12 rows of {' and '.join(QUICK)}")
    parser.add_argument("--families", nargs="*", default=list(MODELS), choices=list(MODELS), metavar="NAME")
    parser.add_argument("--data", nargs="*", choices=list(BUNDLED), metavar="NAME")
    parser.add_argument("--rows", type=int, help="rows to explain of each data set (100)")
    parser.add_argument("--draws", type=int, help="draws of a refill for each row (8)")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--cache", type=Path, help="file of what was measured (build/faithfulness-ROWS-DRAWS.jsonl)")
    parser.add_argument("--fresh", action="store_true", help="forget what was measured before")
    parser.add_argument("--write", action="store_true", help=f"write the section into docs/{DOCS.name}")
    options = parser.parse_args()
    options.rows = options.rows or (12 if options.quick else 100)
    options.draws = options.draws or (4 if options.quick else 8)
    options.data = options.data or list(QUICK if options.quick else BUNDLED)
    options.cache = options.cache or Path(f"build/faithfulness-{options.rows}-{options.draws}.jsonl")
    section = page(run(options), options)
    print(section)
    if options.write:
        write_section(DOCS, BEGIN, f"## Faithfulness of the rules\n\n{section}")


if __name__ == "__main__":
    main()
