"""What neon explains of scikit-learn, measured on the models of the contract test.

    python -m benchmarks.coverage

Writes docs/coverage.md, and the words of `neon.supported` to neon/converters/core/coverage.csv. Of pipelines each step
is measured by itself as well, on the rows that reach it.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import math
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
import torch
from scipy import sparse
from sklearn import linear_model
from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes, load_wine
from sklearn.decomposition import IncrementalPCA
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import _safe_indexing, all_estimators

import neon
from neon.converters.core.coverage import MEANING, Support
from neon.converters.core.registry import declined, public_name, steps_run, takes_data
from tests.contract import CASES, Case

ROOT = Path(__file__).resolve().parents[1]
PAGE, WORDS = ROOT / "docs" / "coverage.md", ROOT / "neon" / "converters" / "core" / "coverage.csv"
EXPERIMENTAL = ("HalvingGridSearchCV", "HalvingRandomSearchCV", "IterativeImputer")
AS_INSIDE = ("FrozenEstimator", "GridSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV", "Pipeline", "RFE",
             "RFECV", "RandomizedSearchCV", "SelfTrainingClassifier")  # fmt: skip
STATUSES = {status: MEANING[status] for status in ("exact", "surrogate", "layers", "encoding")} | {
    "not explained": "the table says why, and so does the error message"
}


@dataclass(frozen=True)
class Measure:
    """One fitted estimator beside its network.

    Attributes
    ----------
    output : str, optional
        What was asked for.
    status, explains : str
        As in `neon.converters.core.coverage.Support`.
    error : float
        The largest difference of the network to the model's own function, relative to the largest output.
    agreement : tuple of float and str, optional
        Of a surrogate: the share that it reproduces, and of what: the labels, the variance of what ``transform`` gives.
    """

    name: str
    output: str | None
    status: str
    explains: str
    error: float
    agreement: tuple[float, str] | None


def estimators() -> dict[str, type]:
    """Every class that scikit-learn lists, experimental ones included: public dotted name -> class."""
    for name in ("enable_halving_search_cv", "enable_iterative_imputer"):
        importlib.import_module(f"sklearn.experimental.{name}")
    return {public_name(cls): cls for _, cls in all_estimators()}


def measure(cases: Iterable[Case]) -> dict[str, list[Measure]]:
    """Fit the models of the cases, and measure them and what is inside them: by name."""
    found: dict[str, list[Measure]] = {}
    for case in cases:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for model, rows, output in parts(clone(case.estimator).fit(case.X, case.y), case.X, case.options):
                result = compare(model, rows, output, rows if case.labelled and takes_data(model) else None)
                found.setdefault(result.name, []).append(result)
    return found


def parts(model: Any, rows: Any, options: Mapping[str, Any]) -> Iterator[tuple[Any, Any, str | None]]:
    """A fitted model and the steps inside it, each with the rows that reach it, and the output that is asked of it."""
    yield model, rows, options.get("output")
    if isinstance(model, Pipeline):
        steps = [step for _, step in steps_run(model)]
        for i, step in enumerate(steps):
            last = i == len(steps) - 1
            yield from parts(step, rows, options if last else {})
            rows = rows if last else step.transform(rows)
    elif isinstance(model, FeatureUnion):
        for _, part in model.transformer_list:
            if isinstance(part, BaseEstimator):
                yield from parts(part, rows, {})
    elif isinstance(model, ColumnTransformer):
        for _, part, columns in model.transformers_:
            if isinstance(part, BaseEstimator):
                yield from parts(part, _safe_indexing(rows, columns, axis=1), {})


def compare(model: Any, rows: Any, output: str | None, data: Any) -> Measure:
    """The network of a fitted model beside the model."""
    network = neon.neuralize(model, output=output, data=data)
    with torch.no_grad():
        values = network(network.encode(rows)).numpy()
    scale = max(1.0, float(np.abs(values[np.isfinite(values)]).max(initial=0.0)))
    agreement = None if network.agreement is None else (network.agreement, "labels")
    transformer = hasattr(type(model), "transform") and not hasattr(type(model), "predict")
    if transformer and output is None:
        agreement = variance_reproduced(values, model.transform(rows))
    if agreement is not None:
        status = "surrogate"
    elif transformer:
        status = "layers" if len(network.layers) else "encoding"
    else:
        status = "exact"
    name = public_name(type(model))
    inside = short(name) in AS_INSIDE
    words = "what the estimator inside explains" if inside else headline(network.explains)
    return Measure(name, output, status, words, network.verify(rows) / scale, agreement)


def variance_reproduced(values: np.ndarray, own: Any) -> tuple[float, str] | None:
    """The share of the variance of a transformer's own values; None where the values are the same."""
    own = np.asarray(own.toarray() if sparse.issparse(own) else own, dtype=np.float64).reshape(values.shape)
    difference = np.nan_to_num(values - own)
    if np.abs(difference).max(initial=0.0) <= 1e-9 * max(1.0, float(np.abs(np.nan_to_num(own)).max(initial=0.0))):
        return None
    return float(1 - (difference**2).sum() / ((own - own.mean(0)) ** 2).sum()), "variance"


def headline(explains: str) -> str:
    """Words without the figures of one fit."""
    return re.sub(r" \(gamma=[^)]*\)|, a function that gives .*|(?<=the )\d+ (?=nearest)", "", explains)


def everything() -> dict[str, list[Measure]]:
    """The contract's cases; and what these leave out: deprecated models, which warn, and a default output."""
    wine, diabetes = load_wine(return_X_y=True), load_diabetes(return_X_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        left_out = [
            Case(linear_model.PassiveAggressiveClassifier(random_state=0), *wine),
            Case(linear_model.PassiveAggressiveRegressor(random_state=0), *diabetes),
            Case(IncrementalPCA(4), *wine),
        ]
    return measure([*CASES.values(), *left_out])


def default(measures: list[Measure]) -> Measure:
    """The first measure of the default output, or of any where it was named."""
    return next((of for of in measures if of.output is None), measures[0])


def support(found: Mapping[str, list[Measure]]) -> list[Support]:
    """How each estimator is taken where nothing is asked for."""
    chosen = {name: default(of) for name, of in sorted(found.items())}
    return [Support(name, of.status, of.explains) for name, of in chosen.items()]


def others() -> dict[str, dict[str, str]]:
    """What other libraries take, and by what: library and version -> estimator -> by."""
    found: dict[str, dict[str, str]] = {}
    with (ROOT / "data" / "coverage_others.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(f"{row['library']} {row['version']}", {})[row["estimator"]] = row["by"]
    return found


def page(found: Mapping[str, list[Measure]]) -> str:
    """The three libraries side by side, in Markdown."""
    beside, classes = others(), estimators()
    records = {record.name: record for record in support(found)}
    records |= {name: Support(name, "not explained", why) for name, why in declined().items()}
    names = sorted(classes, key=lambda name: short(name).lower())
    listed = [name for name in names if short(name) not in EXPERIMENTAL]
    counts = Counter(records[name].status for name in listed)
    by_status = ", ".join(f"{counts[status]} {status}" for status in STATUSES)
    summary = [(f"neon {neon.__version__}", str(len(listed) - counts["not explained"]), by_status)]
    for library, taken in beside.items():
        by_kind = ", ".join(f"{count} {by}" for by, count in Counter(taken.values()).items())
        summary.append((library, str(len(taken)), by_kind))
    rows = []
    for name in names:
        of = found.get(name, [])
        rows.append((
            short(name) + " (experimental)" * (name not in listed),
            records[name].status,
            records[name].explains,
            str(len(of) or ""),
            below(max(m.error for m in of)) if of else "",
            agreement_of(of) if records[name].status == "surrogate" else "",
            *(taken.get(short(name), "") for taken in beside.values()),
        ))  # fmt: skip
    without = [name for name in listed if name in declined() and transforms_features(classes[name])]
    return "\n".join([
        "# Coverage of scikit-learn",
        "",
        f"The {len(listed)} estimators that `sklearn.utils.all_estimators()` names in scikit-learn",
        f"{sklearn.__version__}, and {len(EXPERIMENTAL)} experimental ones, which it names once they are enabled.",
        "Written by `python -m benchmarks.coverage`; `neon.supported()` gives the same list.",
        "",
        *table(("library", f"of {len(listed)}", "how"), summary),
        "",
        *(f"- **{status}**: {meaning}." for status, meaning in STATUSES.items()),
        "",
        f"Of those not explained, {len(without) or 'none'} transforms features of new rows.",
        "",
        "*Models*: those fitted for the contract test, alone or as a step. *Error*: the largest difference of",
        "any one's network to the model's own function, relative to the largest output; 0 for encodings, which",
        "scikit-learn computes. *Agreement*: the least share of labels, or of the variance of the transform, that",
        "a surrogate reproduces. The words are those of a typical model. `data/README.md` says where the other",
        "libraries' names are from.",
        "",
        *table(("estimator", "neon", "what is explained, or why not", "models", "error", "agreement", *beside), rows),
        "",
    ])  # fmt: skip


def short(name: str) -> str:
    return name.rsplit(".", 1)[-1]


def transforms_features(cls: type) -> bool:
    """Whether new rows are transformed to features, not targets to codes or images to rows."""
    return hasattr(cls, "transform") and hasattr(cls, "get_feature_names_out")


def agreement_of(measures: list[Measure]) -> str:
    share, of = min(m.agreement for m in measures if m.agreement is not None)
    return f"{share:.1%} of labels" if of == "labels" else f"all but {1 - share:.0e} of {of}"


def below(error: float) -> str:
    """The next power of ten, which is the same on most machines."""
    return "0" if error == 0 else f"< 1e{max(-15, math.floor(math.log10(error)) + 1)}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table."""
    return [f"| {' | '.join(cells)} |" for cells in (head, ("---",) * len(head), *rows)]


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    found = everything()
    with WORDS.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Support._fields)
        writer.writerows(support(found))
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(found), encoding="utf-8")


if __name__ == "__main__":
    main()
