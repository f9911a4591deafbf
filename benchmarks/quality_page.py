"""The page of `benchmarks.quality`: what its records say, in tables and a figure."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import BUNDLED, DATA, FAMILIES
from benchmarks.pages import table
from benchmarks.quality_results import GRADIENT, JUDGED, OURS, REFILLS, TREES, Block, Results
from benchmarks.records import Record
from neon import evaluate

__all__ = ["figure", "page", "summary"]

NEIGHBOURS = "which neighbours decide changes while features are taken away; one pass takes those of the row"
CLOSEST = "which class is the closest rival changes while features are taken away; only `expected` follows it"
POOLED = (
    "evidence is pooled over components; `neon` shares it about a fixed point, `shapley` to first order in the spread"
)
NO_ROWS = "the model holds no rows: without `reference=` relevance starts from 0 in every layer"
# Why a composite loses, where the reason is known.
REASONS = {
    "KNeighborsClassifier": NEIGHBOURS,
    "KNeighborsRegressor": NEIGHBOURS,
    "LocalOutlierFactor": f"{NEIGHBOURS}, and the neighbours of neighbours are held fixed",
    "NearestCentroid": CLOSEST,
    "KMeans (4)": CLOSEST.replace("class", "cluster"),
    "SVC": CLOSEST,
    "SVC, log-ratio": POOLED,
    "GaussianMixture (4)": POOLED,
    "GaussianNB": POOLED,
    "QDA": POOLED,
    "MLPRegressor": NO_ROWS,
    "MLPClassifier": NO_ROWS,
    "OneClassSVM": "the published rule shares distances to support vectors, also of inliers, where they say little",
}
ORIGINS = {
    "election": "a survey, of statsmodels",
    "affairs": "a survey, of statsmodels",
    "rentals": "a simulation, of neon",
    "sensors": "a simulation, of neon",
    "reviews": "made-up texts, of neon",
    "clusters": "a generator with planted truth",
    "friedman": "a generator with planted truth",
}
PROPERTIES = (
    ("conservation", "conservation"),
    ("residual_share", "residual share"),
    ("positivity", "positivity"),
    ("continuity", "continuity"),
    ("continuity_per_change", "continuity per change"),
)


def page(records: Iterable[Record]) -> str:
    """All sections."""
    results = Results(records)
    parts = [introduction, ranks, duels, families, losses, properties, planted, missing]
    return "\n\n".join("\n".join(part(results)) for part in parts) + "\n"


def introduction(results: Results) -> list[str]:
    blocks = results.blocks(["random"])
    sets = sorted({data for _, data in blocks}, key=list(DATA).index)
    outside = [data for data in sets if data not in BUNDLED]
    n_rows = [len(results.gains[block]["random"]["rows"]) for block in blocks]
    n_starts = inspect.signature(evaluate.methods["expected"]).parameters["n_rows"].default
    origins = ", ".join(f"{data} ({ORIGINS[data]})" for data in outside) or "none here"
    return [
        "## What was measured",
        "",
        f"{len({family for family, _ in blocks})} model families on {len(sets)} data sets ({', '.join(sets)}): "
        f"{len(blocks)} pairs, each with up to {results.n_seeds} seeds of split, fit and draws, {min(n_rows)} to "
        f"{max(n_rows)} rows in all, that the models were not fitted on. Fidelity: symmetric relevance gain (SRG, "
        "[definition](evaluation.md)) under three refills. `default_rows` is the default of "
        "`neon.Explainer(model, reference=X_train)`, `default` that of `neon.Explainer(model)`, `neon` the published "
        f"one-pass rule; `shapley` has the rows of the fit as reference, `expected` {n_starts} of them. "
        "KernelSHAP: 10 k-means points, 2 d + 400 calls; permutation SHAP: 10 orders, 10 rows; LIME: 1,000 samples; "
        "exact Shapley: 10 rows, 10 features at most; "
        "`random` is the null row.",
        "",
        f"Rules of neon were chosen on scikit-learn's bundled sets ({', '.join(BUNDLED)}); *held out* are {origins}.",
        "",
        "Seconds are CPU time, one thread, for 1,000 rows, once warm, in batches of 100, or of 10 or 30 for what takes "
        "long; KernelSHAP, permutation SHAP, LIME and exact Shapley, which go row by row, on the rows explained.",
    ]


def ranks(results: Results) -> list[str]:
    """A table of mean ranks for each group of models that the same methods apply to."""
    lines = [
        "## Mean rank of fidelity",
        "",
        "1 is the best. In brackets the 95 % interval by the bootstrap over data sets, all families of one together. "
        "Bold: the best, and what is not worse than it by the interval of the difference.",
    ]
    for name, methods in results.groups().items():
        blocks = results.blocks(methods)
        if not blocks:
            continue
        outside = [block for block in blocks if block[1] not in BUNDLED]
        found = {refill: results.ranks(blocks, methods, [refill]) for refill in REFILLS}
        found["held out"] = results.ranks(outside, methods, REFILLS) if outside else {}
        found["all"] = results.ranks(blocks, methods, REFILLS)
        order = sorted(methods, key=lambda method: found["all"][method].mean)
        rows = [
            [
                method,
                *[str(column[method]) if column else "-" for column in found.values()],
                results.cost(method, blocks),
            ]
            for method in order
        ]
        n_sets, n_outside = len({data for _, data in blocks}), len(outside)
        lines += [
            "",
            f"### {name}",
            "",
            f"{len(blocks)} pairs of {n_sets} data sets, {n_outside} of them held out.",
            "",
        ]
        lines += table(["method", *REFILLS, "held out, three refills", "all", "s / 1,000 rows"], rows)
    return lines


def duels(results: Results) -> list[str]:
    """Wins, ties and losses of each composite against each competitor."""
    lines = [
        "## Wins, ties and losses",
        "",
        "Of a composite of neon against a method, pair by pair of model and data set: a win or a loss where the 95 % "
        "interval of the difference over the same rows leaves out 0, else a tie.",
        "",
    ]
    rows = []
    for method in results.methods:
        counts = [
            "-" if mine == method else shown(results.duel(mine, method, [refill]))
            for mine in JUDGED
            for refill in REFILLS
        ]
        rows.append([method, *counts])
    return lines + table(["against", *[f"{mine}, {refill}" for mine in JUDGED for refill in REFILLS]], rows)


def families(results: Results) -> list[str]:
    """Accuracy and cost of every method, family by family."""
    lines = [
        "## Family by family: accuracy / cost",
        "",
        "The share of the best method's SRG, mean over data sets and refills where the best is above 0 by its "
        "interval, / seconds for 1,000 rows. Frontier: methods that no cheaper one equals, from cheap to dear.",
        "",
        "![Cost and fidelity of every method](quality.svg)",
        "",
    ]
    rows = []
    for family in results.families:
        blocks = [block for block in results.gains if block[0] == family]
        shares = {method: results.share(method, blocks) for method in results.methods}
        cells = [
            f"{share:.2f} / {results.cost(method, blocks)}" if np.isfinite(share) else "-"
            for method, share in shares.items()
        ]
        rows.append([family, " → ".join(frontier(results, shares, blocks)), *cells])
    return lines + table(["model", "frontier", *results.methods], rows)


def frontier(results: Results, shares: dict[str, float], blocks: list[Block]) -> list[str]:
    """Methods that are better than every cheaper one, by half a percent at least."""
    best, chosen = 0.0, []
    for method in sorted((m for m in shares if np.isfinite(shares[m])), key=lambda m: results.seconds(m, blocks)):
        if shares[method] > best + 0.005:
            best = shares[method]
            chosen.append(method)
    return chosen


def losses(results: Results) -> list[str]:
    """For each family the methods that a composite loses to more often than it wins."""
    lines = [
        "## Losses",
        "",
        "Methods that win more often than they lose against a composite: wins/ties/losses of the composite, over data "
        "sets and refills. A method that starts from the mean (occlusion, integrated gradients) is asked under the "
        "refill `mean` for just what it computes, one that starts from rows (`expected`, permutation SHAP) under "
        "`rows`: that alone explains many of the losses of the other kind.",
        "",
    ]
    rows = []
    for family in results.families:
        cells = []
        for mine in JUDGED:
            found = {method: results.duel(mine, method, REFILLS, family) for method in results.methods}
            worse = sorted((m for m in found if found[m][2] > found[m][0]), key=lambda m: found[m][0] - found[m][2])
            lost = [f"{method} {shown(found[method])}" for method in worse]
            cells.append(", ".join(lost) or "none")
        if any(cell != "none" for cell in cells):
            rows.append([family, *cells, REASONS.get(family, "not known")])
    return lines + table(["model", *[f"{mine} loses to" for mine in JUDGED], "reason"], rows)


def properties(results: Results) -> list[str]:
    """The four properties of every method."""
    lines = [
        "## Properties",
        "",
        "Medians over rows, models and data sets. Conservation is what is left of f(x) - base - Σ R - Σ residuals, and "
        "continuity the change of R per standard deviation, both over the standard deviation of f; of arrays, which "
        "state no base, the constant is taken that suits them best. Per change: over the change of f. Selectivity: the "
        "mean share of the best SRG. A method's numbers are of the models that it applies to.",
        "",
    ]
    rows = []
    for method in results.methods:
        cells = [results.median(method, name) for name, _ in PROPERTIES]
        share = results.share(method, list(results.gains))
        rows.append([method, *["-" if np.isnan(cell) else f"{cell:.2g}" for cell in cells], f"{share:.2f}"])
    return lines + table(["method", *[words for _, words in PROPERTIES], "selectivity"], rows)


def planted(results: Results) -> list[str]:
    """Whether what is known to matter is found."""
    lines = [
        "## Planted truth",
        "",
        "AUROC of the features that matter by relevance, mean over rows and models ± half a 95 % interval: the spoilt "
        "sensor of outlier models (`sensors`), the features of the cluster (`clusters`), the five that matter of ten, "
        "by magnitude (`friedman`).",
        "",
    ]
    names = [name for name in ("sensors", "clusters", "friedman") if any(data == name for _, data in results.gains)]
    if not names:
        return ["## Planted truth", "", "No data set with planted truth was measured."]
    rows = []
    for method in results.methods:
        cells = []
        for name in names:
            mean, _, high = evaluate.mean_interval(
                results.scores(method, "auroc", [b for b in results.gains if b[1] == name])
            )
            cells.append("-" if np.isnan(mean) else f"{mean:.3f} ± {high - mean:.3f}")
        rows.append([method, *cells])
    return lines + table(["method", *names], rows)


def missing(results: Results) -> list[str]:
    """What was not measured and why, once for methods that lack the same; reasons may differ in numbers."""
    by_reason: dict[tuple[str, str], set[Block]] = defaultdict(set)
    for (method, reason), found in results.skipped.items():
        by_reason[method, re.sub(r"\(\d+,\)|<class '[^']*'>|-?\d+\.\d+(e[-+]?\d+)?", "...", reason)] |= found
    together: dict[tuple[str, tuple[Block, ...]], list[str]] = defaultdict(list)
    for (method, reason), found in by_reason.items():
        together[reason, tuple(sorted(found))].append(method)
    lines = ["## Not measured", ""]
    for (reason, found), methods in together.items():
        who = sorted({family for family, _ in found}, key=list(FAMILIES).index)
        lines.append(f"- {', '.join(methods)}, {len(found)} pairs ({', '.join(who)}): {reason}")
    return lines


def summary(records: Iterable[Record]) -> str:
    """README's table: rank, cost and conservation of the general methods."""
    results = Results(records)
    methods = results.groups()["Every model"]
    blocks = results.blocks(methods)
    found = results.ranks(blocks, methods, REFILLS)
    outside = [block for block in blocks if block[1] not in BUNDLED]
    held_out = results.ranks(outside, methods, REFILLS) if outside else {}
    rows = [
        [
            method,
            str(found[method]),
            str(held_out[method]) if held_out else "-",
            results.cost(method, blocks),
            f"{results.median(method, 'conservation'):.1g}",
        ]
        for method in sorted(methods, key=lambda method: found[method].mean)
    ]
    n_families, n_sets = len({family for family, _ in blocks}), len({data for _, data in blocks})
    words = (
        f"Measured on {n_families} model families and {n_sets} data sets, three refills: mean rank of fidelity (SRG) "
        f"among these {len(methods)}, CPU seconds for 1,000 rows, and what is left over of the prediction, in standard "
        "deviations of it. Losses, family by family: [docs/quality.md](docs/quality.md)."
    )
    head = ["method", "rank (95 %)", "on held-out data", "s / 1,000 rows", "left over"]
    return textwrap.fill(words, 120) + "\n\n" + "\n".join(table(head, rows)) + "\n"


def figure(records: Iterable[Record], path: Path) -> None:
    """How far methods are from the best SRG against what they cost: models with a gradient, and trees."""
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    results = Results(records)
    with mpl.rc_context({"svg.hashsalt": "neon", "svg.fonttype": "none", "font.size": 8}):
        plane, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
        for ax, name, needed in zip(axes, ("Models with a gradient", "Trees"), (GRADIENT, TREES), strict=True):
            blocks = results.blocks(["random", *[method for method in needed if method in results.methods]])
            draw(ax, results, blocks)
            ax.set_title(f"{name}: {len(blocks)} models and data sets", fontsize=9)
        axes[0].set_ylabel("SRG short of the best, mean share (up is better)")
        plane.savefig(path, metadata={"Date": None})
        plt.close(plane)


def draw(ax: Any, results: Results, blocks: list[Block]) -> None:
    """One mark a method, those of neon full; names in a column beside the axes, the best above."""
    places = {m: (results.seconds(m, blocks), 1 - results.share(m, blocks)) for m in results.methods}
    known = sorted((m for m in places if np.isfinite(places[m]).all()), key=lambda m: places[m][1])
    for line, method in enumerate(known):
        ours = method in OURS
        seconds, short = places[method][0], max(places[method][1], 1e-3)
        ax.plot(seconds, short, "o", color="C3" if ours else "C0", mfc="C3" if ours else "none", markersize=5)
        ax.annotate(
            method,
            (seconds, short),
            (1.03, 0.98 - line / max(len(known), 12)),
            textcoords="axes fraction",
            verticalalignment="center",
            color="C3" if ours else "black",
            arrowprops={"arrowstyle": "-", "color": "0.75", "linewidth": 0.5},
        )
    ax.set(xscale="log", yscale="log", xlabel="CPU seconds for 1,000 rows")
    ax.yaxis.set_major_formatter("{x:g}")
    ax.invert_yaxis()
    ax.grid(color="0.93")
    ax.set_axisbelow(True)


def shown(counts: Sequence[int]) -> str:
    return "/".join(map(str, counts)) if sum(counts) else "-"
