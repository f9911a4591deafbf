"""Whether the composites that `neon.tune` chooses are better than the defaults, on rows that it has not seen.

    python -m benchmarks.tune --write    # the table in docs/evaluation.md; some four minutes on two cores

Rows of each data set are parted in three: those that the model is fitted on, which are the background as well, those
that `neon.tune` is given, and those that the gain is measured on.
"""

from __future__ import annotations

import argparse
import itertools
import os
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"  # before numpy is imported: processes share the cores

import joblib  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from tqdm import tqdm  # noqa: E402

import neon  # noqa: E402
from benchmarks.cases import FAMILIES, split  # noqa: E402
from benchmarks.pages import table, write_section  # noqa: E402
from neon import evaluate  # noqa: E402

PAGE = Path(__file__).resolve().parents[1] / "docs" / "evaluation.md"
BEGIN = "<!-- tune: made by python -m benchmarks.tune --write -->"
REFILLS = ("rows", "conditional", "mean")
CASES = [
    ("SVC", "wine"),
    ("GaussianNB", "wine"),
    ("KNeighborsClassifier", "wine"),
    ("torch MLP", "wine"),
    ("SVR", "diabetes"),
    ("MLPRegressor", "diabetes"),
    ("KNeighborsRegressor", "diabetes"),
    ("LocalOutlierFactor", "diabetes"),
    ("SVC, log-ratio", "breast cancer"),
    ("OneClassSVM", "breast cancer"),
    ("KernelDensity", "breast cancer"),
    ("RandomForestClassifier", "breast cancer"),
    ("GradientBoostingClassifier", "breast cancer"),
    ("torch MLP", "breast cancer"),
    ("MLPClassifier", "digits"),
    ("torch CNN", "digits"),
]


def torch_model(family: str, X: np.ndarray, classes: np.ndarray) -> torch.nn.Module:
    """A small network of standardised rows (n_rows, n_features), or of images (n_rows, 1, 8, 8), trained on them."""
    torch.manual_seed(0)
    n_classes = int(classes.max()) + 1
    if family == "torch MLP":
        sizes = (X.shape[1], 32, 32)
        first = [layer for a, b in itertools.pairwise(sizes) for layer in (torch.nn.Linear(a, b), relu())]
        model = torch.nn.Sequential(*first, torch.nn.Linear(32, n_classes))
    else:
        model = torch.nn.Sequential(
            torch.nn.Conv2d(1, 8, 3, padding=1), relu(), torch.nn.MaxPool2d(2), torch.nn.Conv2d(8, 16, 3, padding=1),
            relu(), torch.nn.Flatten(), torch.nn.Linear(16 * 16, n_classes),
        )  # fmt: skip
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, weight_decay=1e-4)
    rows, labels = torch.as_tensor(X, dtype=torch.float32), torch.as_tensor(classes)
    for _ in range(200):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(rows), labels).backward()
        optimizer.step()
    return model.eval()


def relu() -> torch.nn.Module:
    return torch.nn.ReLU()


@dataclass(frozen=True)
class Result:
    """What one case gave; gains : refill -> (n_rows,), of rows that `tune` has not seen; scores : of the default."""

    family: str
    data: str
    tuning: evaluate.Tuning
    default: str
    gains: dict[str, np.ndarray]
    scores: dict[str, np.ndarray]
    seconds: float


def measured(family: str, data: str, n_rows: int) -> Result:
    """Tune a model on ``n_rows`` rows and measure the choice on up to as many others."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    part = split(data, 2 * n_rows)
    fitted, rows, options = part.fitted, part.explained, {}
    if family.startswith("torch"):
        if family == "torch CNN":
            fitted, rows = (X.reshape(-1, 1, 8, 8) for X in (fitted, rows))
            options = {"groups": evaluate.patches(8, 8, 2)}
        classes = part.targets["classes"]
        assert classes is not None
        f = evaluate.Explained(torch_model(family, fitted, classes))
    else:
        f = evaluate.Explained(FAMILIES[family].fitted(part), FAMILIES[family].output)
    seen, unseen = rows[:n_rows], rows[n_rows:]
    start = time.perf_counter()
    tuning = neon.tune(f, seen, background=fitted, progress=False, **options)
    seconds = time.perf_counter() - start
    labels = f.labels(unseen)
    default = neon.Explainer(f.model, output=f.output, progress=False)
    both = [explainer(unseen, labels).values for explainer in (default, tuning.explainer(progress=False))]
    gains, scores = {}, {}
    for refill in REFILLS:
        if refill == "conditional" and unseen.ndim > 2:
            continue
        theirs, ours = (
            evaluate.flipping(f, unseen, values, background=fitted, refill=refill, target=labels, seed=1, **options)[
                "srg"
            ]
            for values in both
        )
        gains[refill], scores[refill] = ours - theirs, theirs
    return Result(family, data, tuning, default_name(default), gains, scores, seconds)


def default_name(explainer: neon.Explainer) -> str:
    """The name of its composite."""
    return repr(explainer).partition("composite=")[2].partition(", explains")[0].strip("'")


INTRODUCTION = """## What tuning gains

`neon.tune` with its default candidates, by SRG under the refill "rows", on {n_rows} rows, in {n_cases} cases. Gains
are of up to as many further rows, which it has not seen: per cent of the default's SRG, with a 95 % interval
(paired t). The other two refills had no part in the choice. Bold: the interval leaves out 0.
"""


def page(results: Sequence[Result], n_rows: int) -> str:
    """The section of the documentation."""
    verdicts = {refill: [verdict(r, refill) for r in results if refill in r.gains] for refill in REFILLS}
    lines = [INTRODUCTION.format(n_rows=n_rows, n_cases=len(results))]
    gains = [f"gain, {refill}" for refill in REFILLS]
    header = ["model", "data", "default", "chosen", *gains, "seconds a row", "tuning s"]
    rows = []
    for r in results:
        lines_of = r.tuning.table
        seconds = [lines_of.loc[name, "seconds_per_row"] for name in ("default", r.tuning.name)]
        cost = f"{seconds[0]:.2g} → {seconds[1]:.2g}" if r.tuning.significant else f"{seconds[0]:.2g}"
        rows.append([
            r.family, r.data, r.default, r.tuning.name if r.tuning.significant else "the default",
            *(cell(r, refill) for refill in REFILLS), cost, f"{r.seconds:.0f}",
        ])  # fmt: skip
    lines += table(header, rows)
    better, harmed = verdicts["rows"].count("better"), verdicts["rows"].count("worse")
    half = "met" if 2 * better >= len(results) else "**missed**"
    none = "met" if not harmed else "**missed**"
    lines += [
        "",
        f"Better than the default by the interval in {better} of {len(results)} cases (target: half of them, {half}); "
        f"worse by the interval in {harmed} (target: none, {none}). Under refills that had no part in the choice: "
        + "; ".join(
            f"{refill}, better in {found.count('better')}, worse in {found.count('worse')} of {len(found)}"
            for refill, found in verdicts.items()
            if refill != "rows"
        )
        + f". What was chosen takes {np.median(costs(results)):.0f} times as long as the default, in the median.",
        "",
    ]
    return "\n".join(lines)


def costs(results: Sequence[Result]) -> list[float]:
    """How many times as long as the default each choice takes that is not the default."""
    tables = [(r.tuning.table["seconds_per_row"], r.tuning.name) for r in results if r.tuning.significant]
    return [seconds[name] / seconds["default"] for seconds, name in tables]


def verdict(r: Result, refill: str) -> str:
    _, low, high = evaluate.mean_interval(r.gains[refill])
    return "better" if low > 0 else "worse" if high < 0 else "same"


def cell(r: Result, refill: str) -> str:
    if refill not in r.gains:
        return "-"
    if not r.tuning.significant:
        return "0"
    scale = 100 / abs(r.scores[refill].mean())
    mean, low, high = (scale * x for x in evaluate.mean_interval(r.gains[refill]))
    mark = "" if verdict(r, refill) == "same" else "**"
    return f"{mark}{mean:+.0f} %{mark} ({low:+.0f}, {high:+.0f})"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the table into docs/evaluation.md")
    parser.add_argument("--rows", type=int, default=40, help="that tune is given")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--data", nargs="+", default=["wine", "diabetes", "breast cancer", "digits"])
    options = parser.parse_args(arguments)
    jobs = [case for case in CASES if case[1] in options.data]
    work = joblib.Parallel(n_jobs=options.jobs, return_as="generator")(
        joblib.delayed(measured)(*case, options.rows) for case in jobs
    )
    text = page(list(tqdm(work, total=len(jobs), unit="case")), options.rows)
    if options.write:
        write_section(PAGE, BEGIN, text)
    else:
        print(text)


if __name__ == "__main__":
    main()
