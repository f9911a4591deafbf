"""What exact Shapley values of a kernel machine cost: beside its own function, the one-pass rule and KernelSHAP.

    python -m benchmarks.shapley
    python -m benchmarks.shapley --shapiq /path/to/python   # an interpreter with shapiq >= 1.5 and scikit-learn

One thread. SVR on random data, every training row a support vector; 200 of them are the reference rows. Calls of 1, 100
and 10,000 rows, the last ones once and only up to a million features times units. KernelSHAP: 2 d + 2048 evaluations,
50 background rows, three rows timed, one where there are 10,000 units. shapiq's ProductKernelExplainer (another game:
an absent feature has the factor 1): as many rows, in its own process, models and rows handed over by file. Both are
left out ("-") above a million features times units.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import warnings
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"  # before numpy is imported

import joblib  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from sklearn.svm import SVR  # noqa: E402

import neon  # noqa: E402
from benchmarks.measure import paired_seconds, seconds  # noqa: E402

LARGEST = 1_000_000  # features times units, of calls of 10,000 rows and of the peers

SHAPIQ = """
import sys, time, joblib
from shapiq.explainer.product_kernel.explainer import ProductKernelExplainer
model, rows = joblib.load(sys.argv[1])
explainer = ProductKernelExplainer(model=model, max_order=1, index="SV")
explainer.explain(rows[0])
start = time.perf_counter()
for row in rows:
    explainer.explain(row)
print((time.perf_counter() - start) / len(rows))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--features", type=int, nargs="*", default=[10, 30, 64, 200, 784])
    parser.add_argument("--units", type=int, nargs="*", default=[100, 1000, 10_000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--shapiq", help="a Python that has shapiq")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    print(
        "| features | units | predict ms/row | shapley ms/row | ratio | ratio, 10,000 rows | one row ms | "
        "one pass ms/row | KernelSHAP / shapley | shapiq / shapley | quadrature error |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for d in options.features:
        for units in options.units:
            print(row(d, units, options.repeats, options.shapiq), flush=True)


def row(d: int, units: int, repeats: int, python: str | None) -> str:
    """One line of the table."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(units, d))
    model = SVR(C=1e-3, epsilon=0.0, gamma=1 / d).fit(X, X[:, 0] + rng.normal(size=units))
    rows, reference = rng.normal(size=(100, d)), X[:200]
    exact = neon.Explainer(model, composite="shapley", reference=reference, progress=False)
    one_pass = neon.Explainer(model, composite="neon", reference=reference, progress=False)
    own, ours, ratio = paired_seconds(lambda: model.predict(rows), lambda: exact(rows), repeats)
    single = min(seconds(lambda: exact(rows[:1])) for _ in range(5))
    _, passes, _ = paired_seconds(lambda: model.predict(rows), lambda: one_pass(rows), repeats)
    error = exact(rows).conservation_error() / np.abs(exact(rows).values).max()
    many, kernel_shap, shapiq = "-", "-", "-"
    if d * units <= LARGEST:
        timed = rows[: 1 if units >= 10_000 else 3]
        thousands = rng.normal(size=(10_000, d))
        many = f"{seconds(lambda: exact(thousands)) / seconds(lambda: model.predict(thousands)):.1f}"
        kernel_shap = beside_kernel_shap(model, X, timed, ours / 100)
        shapiq = "-" if python is None else beside_shapiq(model, timed, ours / 100, python)
    cells = [d, units, f"{10 * own:.3f}", f"{10 * ours:.3f}", f"{ratio:.1f}", many, f"{1e3 * single:.2f}"]
    cells += [f"{10 * passes:.3f}", kernel_shap, shapiq, f"{error:.0e}"]
    return "| " + " | ".join(map(str, cells)) + " |"


def beside_kernel_shap(model: Any, X: np.ndarray, rows: np.ndarray, ours: float) -> str:
    import shap

    explainer = shap.KernelExplainer(model.predict, X[:50])
    theirs = seconds(lambda: explainer.shap_values(rows, nsamples=2 * X.shape[1] + 2048, silent=True))
    return f"{theirs / len(rows) / ours:,.0f}"


def beside_shapiq(model: Any, rows: np.ndarray, ours: float, python: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.joblib"
        joblib.dump((model, rows), file)
        try:
            found = subprocess.run(
                [python, "-c", SHAPIQ, str(file)], capture_output=True, text=True, timeout=300, check=True
            )
        except subprocess.TimeoutExpired:
            return f"> {300 / len(rows) / ours:,.0f}"
    return f"{float(found.stdout) / ours:,.0f}"


if __name__ == "__main__":
    main()
