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
import json
import os
import textwrap
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"  # before numpy is imported: processes share the cores

import joblib  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from sklearn import datasets  # noqa: E402
from sklearn.cluster import Birch, KMeans  # noqa: E402
from sklearn.covariance import EllipticEnvelope  # noqa: E402
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis  # noqa: E402
from sklearn.ensemble import GradientBoostingClassifier, IsolationForest, RandomForestClassifier  # noqa: E402
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor  # noqa: E402
from sklearn.gaussian_process.kernels import RBF  # noqa: E402
from sklearn.kernel_ridge import KernelRidge  # noqa: E402
from sklearn.mixture import GaussianMixture  # noqa: E402
from sklearn.naive_bayes import GaussianNB  # noqa: E402
from sklearn.neighbors import (  # noqa: E402
    KernelDensity,
    KNeighborsClassifier,
    KNeighborsRegressor,
    LocalOutlierFactor,
    NearestCentroid,
)
from sklearn.neural_network import MLPRegressor  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.svm import SVC, SVR, OneClassSVM  # noqa: E402
from tqdm import tqdm  # noqa: E402

from neon import evaluate  # noqa: E402

DOCS = Path(__file__).resolve().parents[1] / "docs" / "evaluation.md"
BEGIN, END = "<!-- faithfulness: made by python -m benchmarks.faithfulness --write -->", "<!-- end -->"
METHODS = ("neon", "shapley", "expected", "kernel_shap", "gradient_x_input", "abs_z", "random")
OURS = METHODS[:3]
REFILLS = ("rows", "conditional", "mean")
PLANTED = ("auroc", "hit_at_k")


def abs_z(model: Any, X: np.ndarray, target: Any = None, background: Any = None) -> np.ndarray:
    """How far each feature is from its mean, in standard deviations (of rows that are standardised): no model asked."""
    return np.abs(X)


KNOWN = {**evaluate.methods, "abs_z": abs_z}


@dataclass(frozen=True)
class Family:
    """Models of one kind.

    make : from the number of features, an estimator; fits : what it is fitted to, "" for nothing; output : see neon.
    """

    make: Callable[[int], Any]
    fits: str = ""
    output: str | None = None


FAMILIES = {
    "OneClassSVM": Family(lambda d: OneClassSVM(gamma=1 / d, nu=0.1)),
    "KernelDensity": Family(lambda d: KernelDensity(bandwidth=(d / 2) ** 0.5)),
    "LocalOutlierFactor": Family(lambda d: LocalOutlierFactor(novelty=True)),
    "EllipticEnvelope": Family(lambda d: EllipticEnvelope(random_state=0)),
    "IsolationForest": Family(lambda d: IsolationForest(n_estimators=50, random_state=0)),
    "KMeans (4)": Family(lambda d: KMeans(4, n_init=4, random_state=0)),
    "Birch": Family(lambda d: Birch(n_clusters=4, threshold=d**0.5)),
    "GaussianMixture (4)": Family(lambda d: GaussianMixture(4, covariance_type="diag", reg_covar=0.05, random_state=0)),
    "NearestCentroid": Family(lambda d: NearestCentroid(), "classes"),
    "KNeighborsClassifier": Family(lambda d: KNeighborsClassifier(), "classes"),
    "KNeighborsRegressor": Family(lambda d: KNeighborsRegressor(), "values"),
    "SVC": Family(lambda d: SVC(gamma=1 / d), "classes"),
    "SVC, log-ratio": Family(lambda d: SVC(gamma=1 / d), "classes", "log_ratio"),
    "SVR": Family(lambda d: SVR(gamma=1 / d), "values"),
    "KernelRidge": Family(lambda d: KernelRidge(alpha=0.5, kernel="rbf", gamma=1 / d), "values"),
    "GaussianProcessRegressor": Family(
        lambda d: GaussianProcessRegressor(RBF(d**0.5), alpha=0.3, optimizer=None, normalize_y=True), "values"
    ),
    "GaussianProcessClassifier": Family(
        lambda d: GaussianProcessClassifier(4 * RBF(d**0.5), optimizer=None), "classes"
    ),
    "QDA": Family(lambda d: QuadraticDiscriminantAnalysis(solver="eigen", shrinkage=0.3), "classes"),
    "GaussianNB": Family(lambda d: GaussianNB(var_smoothing=0.05), "classes"),
    "MLPRegressor": Family(
        lambda d: MLPRegressor(hidden_layer_sizes=(32,), solver="lbfgs", alpha=1.0, max_iter=500, random_state=0),
        "values",
    ),
    "RandomForestClassifier": Family(
        lambda d: RandomForestClassifier(50, min_samples_leaf=3, random_state=0), "classes"
    ),
    "GradientBoostingClassifier": Family(
        lambda d: GradientBoostingClassifier(n_estimators=50, random_state=0), "classes"
    ),
}
OUTLIERS = ("OneClassSVM", "KernelDensity", "LocalOutlierFactor", "EllipticEnvelope", "IsolationForest")
DATA = {
    "wine": datasets.load_wine,
    "diabetes": datasets.load_diabetes,
    "breast cancer": datasets.load_breast_cancer,
    "iris": datasets.load_iris,
    "digits": datasets.load_digits,
}
QUICK = ("wine", "diabetes")


@dataclass(frozen=True)
class Split:
    """Standardised rows to fit and to explain; targets as classes and as values."""

    fitted: np.ndarray
    explained: np.ndarray
    targets: dict[str, np.ndarray | None]


def split(name: str, n_rows: int, n_fitted: int = 400) -> Split:
    """At most a third of a data set is explained; classes of diabetes are thirds, values of others class numbers."""
    X, y = DATA[name](return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))
    n_rows = min(n_rows, len(X) // 3)
    explained, fitted = order[:n_rows], order[n_rows : n_rows + n_fitted]
    scaler = StandardScaler().fit(X[fitted])
    classes = np.digitize(y, np.quantile(y, [1 / 3, 2 / 3])) if name == "diabetes" else y
    values = (y - y.mean()) / y.std()
    targets = {"": None, "classes": classes[fitted], "values": values[fitted]}
    return Split(scaler.transform(X[fitted]), scaler.transform(X[explained]), targets)


def measured(family: str, data: str, methods: Iterable[str], n_rows: int, n_draws: int) -> list[dict[str, Any]]:
    """One record a method: the rows' gains under each refill and the seconds, or the reason why there are none.

    Of models of outliers also how well it finds two shifted columns in rows of their own.
    """
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    part = split(data, n_rows)
    made, kind = FAMILIES[family], {"family": family, "data": data}
    try:
        model = made.make(part.fitted.shape[1]).fit(part.fitted, part.targets[made.fits])
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
            start = time.perf_counter()
            relevance = KNOWN[method](f, part.explained, labels, part.fitted)
            record["seconds"] = (time.perf_counter() - start) / len(part.explained)
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


def rounded(scores: np.ndarray) -> list[float]:
    return [float(f"{score:.6g}") for score in scores]


def in_words(error: Exception) -> str:
    return f"{type(error).__name__}: {textwrap.shorten(str(error), 140)}"


def run(options: argparse.Namespace) -> dict[tuple[str, str, str], dict[str, Any]]:
    """All records, of which those that the file has are not measured again."""
    options.cache.parent.mkdir(parents=True, exist_ok=True)
    if options.fresh:
        options.cache.unlink(missing_ok=True)
    lines = options.cache.read_text().splitlines() if options.cache.exists() else []
    found = {(r["family"], r["data"], r["method"]): r for r in map(json.loads, lines)}
    jobs = [
        (family, data, missing)
        for data in options.data
        for family in options.families
        if (missing := [method for method in METHODS if (family, data, method) not in found])
    ]
    work = joblib.Parallel(n_jobs=options.jobs, return_as="generator_unordered")(
        joblib.delayed(measured)(*job, options.rows, options.draws) for job in jobs
    )
    with options.cache.open("a") as file:
        for records in tqdm(work, total=len(jobs), unit="model"):
            for record in records:
                found[record["family"], record["data"], record["method"]] = record
                file.write(json.dumps(record) + "\n")
            file.flush()
    return found


def page(found: dict[tuple[str, str, str], dict[str, Any]], options: argparse.Namespace) -> str:
    """The section of the documentation: a table a refill, what they sum up to, what could not be measured."""
    lines = [
        f"{len(options.data)} data sets ({', '.join(options.data)}), up to {options.rows} rows of each that the models "
        "were not fitted on. A cell is SRG over that of KernelSHAP (10 k-means background points, 2 d + 400 "
        "evaluations): the mean of this ratio over the data sets where KernelSHAP's SRG is above 0 by its interval, "
        "with a 95 % bootstrap interval over rows. Bold: the best of neon, shapley and expected is at or above "
        "KernelSHAP within its interval. neon is the default, which is given no rows; shapley and expected have the "
        "fitted rows as reference; abs_z is |x| of the standardised row, which asks no model. Outlier models explain "
        "rows as they come, most of them inliers.",
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


def write(section: str) -> None:
    """Put the section into the documentation, in place of the one before."""
    text = DOCS.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    DOCS.write_text(f"{before.rstrip()}\n\n{BEGIN}\n## Faithfulness of the rules\n\n{section}{END}\n{after.lstrip()}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=f"12 rows of {' and '.join(QUICK)}")
    parser.add_argument("--families", nargs="*", default=list(FAMILIES), choices=list(FAMILIES), metavar="NAME")
    parser.add_argument("--data", nargs="*", choices=list(DATA), metavar="NAME")
    parser.add_argument("--rows", type=int, help="rows to explain of each data set (100)")
    parser.add_argument("--draws", type=int, help="draws of a refill for each row (8)")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--cache", type=Path, help="file of what was measured (build/faithfulness-ROWS-DRAWS.jsonl)")
    parser.add_argument("--fresh", action="store_true", help="forget what was measured before")
    parser.add_argument("--write", action="store_true", help=f"write the section into docs/{DOCS.name}")
    options = parser.parse_args()
    options.rows = options.rows or (12 if options.quick else 100)
    options.draws = options.draws or (4 if options.quick else 8)
    options.data = options.data or list(QUICK if options.quick else DATA)
    options.cache = options.cache or Path(f"build/faithfulness-{options.rows}-{options.draws}.jsonl")
    section = page(run(options), options)
    print(section)
    if options.write:
        write(section)


if __name__ == "__main__":
    main()
