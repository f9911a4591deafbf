"""Whether a change of the code changed any relevance: stores those of every contract case, or compares with a store.

python -m benchmarks.same store before.npz     # with the old code
python -m benchmarks.same compare before.npz   # with the new code
python -m benchmarks.same compare before.npz --only svc,kmeans   # the cases whose names contain one of these words
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from sklearn.base import clone

import neon
from tests.contract import CASES

N_ROWS = 40


def explanations(only: list[str]) -> Iterator[tuple[str, neon.Explanation]]:
    for name, case in CASES.items():
        if not named(name, only):
            continue
        model = clone(case.estimator).fit(case.X, case.y)
        rows = case.X.iloc[:N_ROWS] if hasattr(case.X, "iloc") else case.X[:N_ROWS]
        options = {**case.options, **({"data": case.X} if case.labelled else {})}
        network = neon.Explainer(model, **options).network
        published = {"composite": "interventional" if "reference" in options else network.one_pass}
        for composite in composites_of(network):
            yield f"{name}|{composite}", neon.Explainer(model, **{**published, **options, **composite})(rows, "all")


def named(name: str, only: list[str]) -> bool:
    return not only or any(word in name.lower() for word in only)


def composites_of(network: Any) -> list[dict[str, Any]]:
    """None named stands for the one-pass rule."""
    trees = any("Tree" in type(module).__name__ for module in network.modules())
    return [{}, {"composite": "path"}, {"composite": "equal"}] if trees else [{}]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["store", "compare"])
    parser.add_argument("file")
    parser.add_argument("--only", default="", help="words, separated by commas")
    given = parser.parse_args()
    only = [word for word in given.only.lower().split(",") if word]
    torch.set_num_threads(1)
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, explanation in explanations(only):
            found[f"{name}|values"] = explanation.values
            found[f"{name}|base"] = explanation.base_values
            found.update({f"{name}|{key}": amount for key, amount in explanation.residuals.items()})
    if given.what == "store":
        np.savez_compressed(given.file, **found)
        print(f"{len(found)} arrays stored")
        return 0
    with np.load(given.file) as before:
        stored = {key for key in before.files if named(key.split("|")[0], only)}
        missing, new = stored - found.keys(), found.keys() - before.keys()
        same, worst = 0, []
        for key in stored & found.keys():
            a, b = before[key], found[key]
            if a.shape == b.shape and np.array_equal(a, b, equal_nan=True):
                same += 1
            elif a.shape != b.shape:
                worst.append((np.inf, key))
            else:
                whole = before[key.rsplit("|", 1)[0] + "|values"]  # a residual that cancels is rounding of larger terms
                size = max(np.nanmax(np.abs(a)), np.nanmax(np.abs(whole), initial=0.0), 1e-300)
                worst.append((float(np.nanmax(np.abs(a - b)) / size), key))
    print(f"{same} arrays bit for bit the same, {len(worst)} not; missing: {sorted(missing)}; new: {sorted(new)}")
    for difference, key in sorted(worst, reverse=True)[:20]:
        print(f"{difference:.1e}  {key}")
    return int(bool(missing or new) or any(difference > 1e-12 for difference, _ in worst))


if __name__ == "__main__":
    sys.exit(main())
