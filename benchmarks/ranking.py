"""What Shapley values are worth as a ranking: joint insertion and deletion, beside the best ranking there is.

    python -m benchmarks.ranking --write    # the section in docs/evaluation.md; some four minutes on two cores

The game is ``v(S) = mean_r f(x_S, r_rest)`` over reference rows r. It is computed for all 2^d sets of features, so that
every method is exact. A ranking with the sets ``T_1 ⊂ T_2 ⊂ ...`` of its first features has insertion ``Σ_k v(T_k)``,
deletion ``Σ_k v(N - T_k)`` and SRG, their difference: the mean of ``g(T) = v(T) - v(N - T)`` along a chain of sets. The
best chain is found by dynamic programming over all sets.
"""

from __future__ import annotations

import argparse
import math
import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"  # before numpy is imported: processes share the cores

import joblib  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from tqdm import tqdm  # noqa: E402

import neon  # noqa: E402
from benchmarks.cases import FAMILIES, Missing, split  # noqa: E402
from benchmarks.pages import table, write_section  # noqa: E402
from neon import evaluate  # noqa: E402

PAGE = Path(__file__).resolve().parents[1] / "docs" / "evaluation.md"
BEGIN = "<!-- ranking: made by python -m benchmarks.ranking --write -->"
TREES = ("RandomForestClassifier", "GradientBoostingClassifier", "XGBRegressor")
KERNELS = ("SVC", "SVR", "GaussianProcessRegressor", "KernelDensity")
OTHERS = ("MLPRegressor", "KNeighborsClassifier")
DATA = ("diabetes", "friedman", "rentals", "wine")
N_STEPS, STEP = 10, 0.05


def game(f: evaluate.Explained, row: np.ndarray, index: int, reference: np.ndarray) -> np.ndarray:
    """``v(S)`` of all sets of features, (2, 2, ..., 2): place 1 of axis i where feature i is present."""
    d = len(row)
    present = np.indices((2,) * d).reshape(d, -1).T.astype(bool)
    mixed = np.where(present[:, None], row, reference).reshape(-1, d)
    values = f(mixed, np.full(len(mixed), index))
    return values.reshape(len(present), -1).mean(1).reshape((2,) * d)


def multilinear(v: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
    """``F(p)``: the mean of v(S), each feature i being in S with probability p_i (Owen 1972)."""
    for share in p:
        v = torch.lerp(v[0], v[1], share)
    return v


def slopes(v: np.ndarray, p: np.ndarray) -> np.ndarray:
    """``∂/∂p`` of ``F(p) - F(1 - p)``, the joint objective's multilinear extension."""
    game, at = torch.from_numpy(v), torch.from_numpy(p).requires_grad_()
    (multilinear(game, at) - multilinear(game, 1 - at)).backward()
    assert at.grad is not None
    return at.grad.numpy()


def shapley(v: np.ndarray) -> np.ndarray:
    """``∫₀¹ ∂F/∂p_i (t, ..., t) dt``, by Gauss and Legendre with enough nodes to be exact."""
    nodes, weights = np.polynomial.legendre.leggauss(math.ceil(v.ndim / 2))
    game, total = torch.from_numpy(v), np.zeros(v.ndim)
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        at = torch.full((v.ndim,), node, dtype=torch.float64, requires_grad=True)
        multilinear(game, at).backward()
        assert at.grad is not None
        total += weight * at.grad.numpy()
    return total


def banzhaf(v: np.ndarray) -> np.ndarray:
    """``∂F/∂p_i (1/2, ..., 1/2)``."""
    return slopes(v, np.full(v.ndim, 0.5)) / 2


def ranker(v: np.ndarray) -> np.ndarray:
    """Mean slopes of the joint objective while it is climbed from 1/2, as by TreeGrad-Ranker (Li et al. 2026).

    Ten steps of 0.05 along the slopes over their largest.
    """
    p, total = np.full(v.ndim, 0.5), np.zeros(v.ndim)
    for _ in range(N_STEPS):
        slope = slopes(v, p)
        total += slope / N_STEPS
        p = np.clip(p + STEP * slope / max(np.abs(slope).max(), 1e-300), 0, 1)
    return total


def greedy(v: np.ndarray) -> np.ndarray:
    """Next, each time, the feature with which ``g(T) = v(T) - v(N - T)`` is largest."""
    g, chosen, found = joint(v), np.zeros(v.ndim, dtype=int), np.zeros(v.ndim)
    for place in range(v.ndim):
        free = np.flatnonzero(chosen == 0)
        gain = [g[tuple(np.where(np.arange(v.ndim) == i, 1, chosen))] for i in free]
        best = free[int(np.argmax(gain))]
        chosen[best], found[best] = 1, v.ndim - place
    return found


def joint(v: np.ndarray) -> np.ndarray:
    """``g(T) = v(T) - v(N - T)`` of all sets."""
    return v - v[(slice(None, None, -1),) * v.ndim]


def chain(v: np.ndarray, relevance: np.ndarray) -> np.ndarray:
    """``g(T_k)``, k = 0 ... d, of the ranking."""
    order, kept, g = np.argsort(-relevance, kind="stable"), np.zeros(v.ndim, dtype=int), joint(v)
    found = [g[tuple(kept)]]
    for i in order:
        kept[i] = 1
        found.append(g[tuple(kept)])
    return np.array(found)


def area(along: np.ndarray) -> float:
    """SRG, by the trapezoid rule over the share of features, as `neon.evaluate.flipping`."""
    return float(np.trapezoid(along, dx=1 / (len(along) - 1)))


def best_area(v: np.ndarray) -> float:
    """The largest SRG of any ranking: ``B(T) = g(T) + max_{i in T} B(T - i)`` over all sets."""
    g, d = joint(v).ravel(), v.ndim
    best, sizes = g.copy(), np.array([n.bit_count() for n in range(2**d)])
    for size in range(1, d + 1):
        for n in np.flatnonzero(sizes == size):
            best[n] = g[n] + max(best[n ^ (1 << i)] for i in range(d) if n >> i & 1)
    return float((best[-1] - (g[0] + g[-1]) / 2) / d)


OF_GAMES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "shapley": shapley,
    "banzhaf": banzhaf,
    "ranker": ranker,
    "greedy": greedy,
}
METHODS = (*OF_GAMES, "default", "expected", "random")
Found = dict[str, np.ndarray]


def measured(family: str, data: str, n_rows: int, n_references: int) -> Found | None:
    """Method -> (n_rows, 2): its SRG, and the largest g of its sets; "best" has the largest there are.

    None where a library is not installed.
    """
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    part, made = split(data, n_rows), FAMILIES[family]
    try:
        f = evaluate.Explained(made.fitted(part), made.output)
    except Missing:
        return None
    X, reference = part.explained, neon.summarize(part.fitted, n_references)[0]
    index, labels = f.index(X), f.labels(X)
    explained = {
        "default": neon.Explainer(f.model, output=f.output)(X, labels).values,
        "expected": neon.Explainer(f.model, output=f.output, composite="expected", reference=reference)(
            X, labels
        ).values,
        "random": np.random.default_rng(0).normal(size=X.shape),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in (*METHODS, "best")}
    for place, (row, output) in enumerate(zip(X, index, strict=True)):
        v = game(f, row, output, reference)
        for name in METHODS:
            along = chain(v, OF_GAMES[name](v) if name in OF_GAMES else explained[name][place])
            found[name].append((area(along), along.max()))
        found["best"].append((best_area(v), joint(v).max()))
    return {name: np.array(rows) for name, rows in found.items()}


INTRODUCTION = """## What a Shapley value is not for

A Shapley value says what a feature adds, averaged over all orders in which features come. It does not say which
features to keep or to take away *together*: one number a feature cannot tell of sets. Of `s_1 s_2 s_3 - (s_1 + s_2
+ s_3) / 3`, with s_i = 1 where feature i is present and -1 where it is absent, all Shapley values are 0, and yet
one of the three, kept alone, brings 4/3. Li, Yu and Low (2026, TreeGrad-Ranker) show that no values that are linear
in the game, Shapley's or Banzhaf's, solve insertion and deletion at once reliably, `max_T v(T) - v(N - T)`, and
climb the multilinear extension of this objective instead.

How far from the best are they on fitted models? {n_data} data sets ({data}: 8-13 features), up to {n_rows} rows of
each, {n_references} reference rows. With so few features all sets can be asked for: every method is exact, and the
best of all rankings is known. A cell is SRG (insertion less deletion) over that of the best ranking, with a 95 %
bootstrap interval over rows; behind the stroke the largest `v(T) - v(N - T)` of the ranking's first features T over
the largest of any set. The ranker is the mean slope of the multilinear extension along ten steps of 0.05 from 1/2,
our reading of the paper; greedy adds, each time, the feature with which the objective is largest; neon default is
given no rows, neon expected the reference rows.
"""
CONCLUSION = """The worst case is not the usual one: exact Shapley values reach {shapley:.1%} of the best SRG (less
than 90 % in {rare:.1%} of the rows), Banzhaf values {banzhaf:.1%}, the ranker {ranker:.1%}, greedy {greedy:.1%} and
a random order {random:.1%}. neon offers no ranker: its scores do not add up to the prediction, and little is left
to gain. Where a set of features is asked for, add features greedily: some d² completions of a row. Where a
prediction is to be shared among features, take Shapley values.
"""
NAMES = {
    "shapley": "exact Shapley",
    "banzhaf": "exact Banzhaf",
    "default": "neon default",
    "expected": "neon expected",
}


def page(found: dict[tuple[str, str], Found], n_rows: int, n_references: int) -> str:
    """The section of the documentation."""
    games = list(found.values())
    data = list(dict.fromkeys(data for _, data in found))
    rows = []
    for family in dict.fromkeys(family for family, _ in found):
        of_family = [part for (other, _), part in found.items() if other == family]
        rows.append([family, *(cell(of_family, method) for method in METHODS)])
    rows.append(["**all**", *(cell(games, method) for method in METHODS)])
    reached = {method: ratio(games, method, 0)[0] for method in METHODS}
    each = np.concatenate([part["shapley"][:, 0] / part["best"][:, 0] for part in games])
    begin = INTRODUCTION.format(n_data=len(data), data=", ".join(data), n_rows=n_rows, n_references=n_references)
    lines = table(["model", *(NAMES.get(method, method) for method in METHODS)], rows)
    return "\n".join([begin, *lines, "", CONCLUSION.format(rare=np.mean(each < 0.9), **reached)])


def ratio(games: Sequence[Found], method: str, column: int) -> tuple[float, float, float]:
    """The mean over data sets of the ratio to the best, with its interval."""
    return evaluate.ratio_interval([(part[method][:, column], part["best"][:, column]) for part in games])


def cell(games: Sequence[Found], method: str) -> str:
    mean, low, high = ratio(games, method, 0)
    return f"{mean:.3f} ({low:.3f}, {high:.3f}) / {ratio(games, method, 1)[0]:.3f}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the section into docs/evaluation.md")
    parser.add_argument("--rows", type=int, default=20)
    parser.add_argument("--references", type=int, default=16)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--families", nargs="+", default=[*TREES, *KERNELS, *OTHERS])
    parser.add_argument("--data", nargs="+", default=DATA)
    options = parser.parse_args(arguments)
    cases = [(family, data) for family in options.families for data in options.data]
    work = joblib.Parallel(n_jobs=options.jobs, return_as="generator")(
        joblib.delayed(measured)(*case, options.rows, options.references) for case in cases
    )
    done = zip(cases, tqdm(work, total=len(cases), unit="model"), strict=True)
    found = {case: part for case, part in done if part is not None}
    text = page(found, options.rows, options.references)
    if options.write:
        write_section(PAGE, BEGIN, text)
    else:
        print(text)


if __name__ == "__main__":
    main()
