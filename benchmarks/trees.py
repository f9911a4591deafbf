"""Tree ensembles beside the peers of today: CPU time a row, and whether the values agree.

    python -m benchmarks.trees --peers PYTHON [--write]    # under ten minutes on one core
    python -m benchmarks.trees --peers PYTHON --quick      # small models, to see that everything runs

PYTHON is an interpreter that has the newest xgboost, shap, shapiq, woodelf-explainer and treelite, which need Python
3.12, and the scikit-learn that runs here. The peers run there (`benchmarks.tree_peers`): models and rows are handed
over by file, calls take turns, one thread each, and medians of CPU time are compared. A peer that takes longer than
some seconds explains fewer rows of the same batch. It is an error that a peer is not the newest release that installs
there; ``--offline`` leaves that question out, and the page says so.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[variable] = "1"  # before numpy is imported, and for the peers

import joblib  # noqa: E402
import numpy as np  # noqa: E402
import sklearn  # noqa: E402
import torch  # noqa: E402
from sklearn.ensemble import RandomForestRegressor  # noqa: E402

import neon  # noqa: E402
from benchmarks import tree_peers  # noqa: E402
from benchmarks.tree_workplace import Workplace, check_newest  # noqa: E402
from neon.evaluate import exact_shapley  # noqa: E402

PAGE = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- trees: made by python -m benchmarks.trees --write -->", "<!-- end of trees -->"
N_FEATURES = 30
PEERS = tuple(tree_peers.PEERS)
GAMES = {"covers": "path-dependent", "rows": "interventional", "pairs": "pairs", "path": "path rule"}


@dataclass(frozen=True)
class Case:
    """One row of the table.

    Attributes
    ----------
    model : str
        A key of `models`.
    game : str
        A key of `GAMES`.
    n_reference : int
        Background rows of the game "rows".
    n_rows : int
        In a batch, or each by itself where ``apart``.
    behind : str
        The reason to print where neon is behind a peer.
    """

    model: str
    game: str
    n_reference: int = 0
    n_rows: int = 10_000
    apart: bool = False
    behind: str = ""

    def __str__(self) -> str:
        against = f", {self.n_reference:,} reference rows" if self.n_reference else ""
        return f"{'one row, ' if self.apart else ''}{self.model}, {GAMES[self.game]}{against}"


_CALL = "what a call costs at all: rows are read and checked, and the answer is compared with the model's own"
CASES = (
    Case("XGB 100 x d6", "covers"),
    Case("XGB 100 x d6", "rows", 100),
    Case("XGB 100 x d6", "rows", 1000),
    Case("XGB 100 x d6", "pairs", n_rows=1000),
    Case("XGB 100 x d6", "path", behind="steps of the walk, and the same call with its checks"),
    Case("RF 100 x d8", "covers"),
    Case("XGB 20 x d12", "covers", n_rows=4000),
    Case("XGB 20 x d12", "rows", 100, n_rows=4000),
    Case("XGB 20 x d12", "rows", 1000, n_rows=4000),
    Case("XGB 10 x d15", "rows", 100, n_rows=2000),
    Case("XGB 100 x d6", "covers", n_rows=200, apart=True, behind=_CALL),
    Case("XGB 500 x d6", "covers", n_rows=100, apart=True, behind=_CALL),
    Case("RF 30 unlimited", "covers", n_rows=30, apart=True, behind=_CALL),
)


@dataclass
class Measured:
    """What was found of a case.

    Attributes
    ----------
    micros : mapping of a tool to float
        Median CPU microseconds a row.
    rows : mapping of a peer to int
        How many rows it explained, where not all.
    notes : mapping of a peer to str
        Why there is no figure.
    differences : mapping of a peer to float
        Of its values from neon's: the largest, relative to the largest value.
    """

    case: Case
    micros: dict[str, float] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    differences: dict[str, float] = field(default_factory=dict)

    @property
    def best_peer(self) -> str | None:
        return min((name for name in self.micros if name != "neon"), key=self.micros.__getitem__, default=None)


def data(n: int = 10_000) -> tuple[np.ndarray, np.ndarray]:
    """Rows of float32 numbers, and what is fitted to them."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, N_FEATURES)).astype(np.float32).astype(np.float64)
    y = X[:, 0] * X[:, 1] + np.sin(2 * X[:, 2]) + 0.3 * X[:, 3:10].sum(1) + (X[:, 10] > 0) * X[:, 11]
    return X, y + 0.5 * rng.normal(size=n)


def models(*, quick: bool = False) -> dict[str, Callable[[np.ndarray, np.ndarray], Any]]:
    def boosting(trees: int, depth: int) -> Callable[[np.ndarray, np.ndarray], Any]:
        def fit(X: np.ndarray, y: np.ndarray) -> Any:
            import xgboost

            options = {"max_depth": min(depth, 3) if quick else depth, "eta": 0.1, "nthread": 1}
            return xgboost.train(options, xgboost.DMatrix(X, y, nthread=1), 3 if quick else trees)

        return fit

    def forest(trees: int, depth: int | None) -> Callable[[np.ndarray, np.ndarray], Any]:
        return RandomForestRegressor(3 if quick else trees, max_depth=3 if quick else depth, random_state=0).fit

    return {
        **{f"XGB {t} x d{d}": boosting(t, d) for t, d in ((100, 6), (500, 6), (20, 12), (10, 15))},
        "RF 100 x d8": forest(100, 8),
        "RF 30 unlimited": forest(30, None),
    }


def ours(model: Any, case: Case, reference: np.ndarray | None) -> Callable[[np.ndarray], np.ndarray]:
    """What users call."""
    rule = {"rows": "interventional", "path": "path"}.get(case.game, "shapley")
    explainer = neon.Explainer(model, composite=rule, reference=reference, progress=False)
    if case.game == "pairs":
        return lambda X: np.asarray(explainer(X, interactions=True).interactions)
    return lambda X: explainer(X).values


def measured(
    case: Case, model: Any, X: np.ndarray, workplaces: Mapping[str, Workplace], seconds: float, repeats: int
) -> Measured:
    """Compare the values of a case's first rows, and time it, calls in turns."""
    found = Measured(case)
    reference = X[-case.n_reference :] if case.n_reference else None
    work = ours(model, case, reference)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first = min(case.n_rows, 20)
        values = work(X[:first])  # the first call apart: compiled code is read, tables are built
        n_rows = {"neon": case.n_rows}
        for peer, theirs in peers_values(workplaces, case, handed_over(folder, model, X, reference), first, found):
            found.differences[peer] = difference(theirs, values, pairs=case.game == "pairs")
            try:
                n_rows[peer] = affordable(workplaces[peer], case, seconds)
            except tree_peers.NotOffered as error:
                found.notes[peer] = str(error)
        taken: dict[str, list[float]] = {tool: [] for tool in n_rows}
        for _ in range(repeats):
            for tool, n in n_rows.items():
                if sum(taken[tool]) > 1.5 * seconds:
                    continue  # slow enough to be sure of
                if tool == "neon":
                    taken[tool].append(tree_peers.cpu_seconds(work, X[:n], apart=case.apart))
                elif tool not in found.notes:
                    try:
                        taken[tool].append(workplaces[tool].ask("run", rows=n, apart=case.apart))
                    except tree_peers.NotOffered as error:
                        found.notes[tool] = str(error)
    found.micros = {tool: 1e6 * statistics.median(times) / n_rows[tool] for tool, times in taken.items() if times}
    found.rows = {tool: n_rows[tool] for tool in found.micros if n_rows[tool] < case.n_rows}
    return found


def peers_values(
    workplaces: Mapping[str, Workplace], case: Case, files: dict[str, str | None], n_rows: int, found: Measured
) -> Iterator[tuple[str, np.ndarray]]:
    """Each peer that plays this game, ready for it, and the values of the first rows; of the others, why not."""
    for peer, workplace in workplaces.items():
        file = Path(str(files["rows"])).with_name(f"{peer}.npy")
        try:
            workplace.ask("prepare", peer=peer, game=case.game, **files)
            workplace.ask("values", rows=n_rows, file=str(file))
        except tree_peers.NotOffered as error:
            found.notes[peer] = str(error)
        else:
            yield peer, np.load(file)


def handed_over(folder: Path, model: Any, X: np.ndarray, reference: np.ndarray | None) -> dict[str, str | None]:
    """The model and the rows as files."""
    names: dict[str, str | None] = {"rows": str(folder / "rows.npy"), "reference": None}
    np.save(folder / "rows.npy", X)
    if reference is not None:
        names["reference"] = str(folder / "reference.npy")
        np.save(folder / "reference.npy", reference)
    if hasattr(model, "save_model"):
        names["model"] = str(folder / "model.json")
        model.save_model(names["model"])
    else:
        names["model"] = str(folder / "model.joblib")
        joblib.dump((sklearn.__version__, model), folder / "model.joblib")
    return names


def affordable(workplace: Workplace, case: Case, seconds: float) -> int:
    """How many rows a peer explains in so many seconds, from its times for more and more rows.

    A time that hardly grows with the rows is what a call costs at all: then more rows are fairer to the peer.
    """
    n = 2
    before = workplace.ask("run", rows=n, apart=case.apart)
    if case.apart:
        return int(np.clip(n * seconds / before, n, case.n_rows))
    while n < case.n_rows:
        more = case.n_rows if before > seconds else min(8 * n, case.n_rows)
        then = workplace.ask("run", rows=more, apart=case.apart)
        if then > max(seconds / 8, 1.5 * before):
            each = (then - before) / (more - n)
            return int(np.clip(more + (seconds - then) / each, more, case.n_rows))
        n, before = more, then
    return case.n_rows


def difference(theirs: np.ndarray, ours: np.ndarray, *, pairs: bool) -> float:
    """The largest, relative to the largest value; of pairs, off the diagonal."""
    if pairs:
        off = 1 - np.eye(ours.shape[1])
        theirs, ours = theirs * off, ours * off
    return float(np.abs(theirs - ours).max() / np.abs(ours).max())


def on_the_grid(workplaces: Mapping[str, Workplace], *, quick: bool = False) -> Iterator[str]:
    """Rows on a grid of decimals: thresholds of scikit-learn lie between a float32 number and its float64 neighbours.

    All 2^8 subsets are asked of the forest's own ``predict``. A row is wrong where a value is off by more than 1e-5 of
    the largest.
    """
    rng = np.random.default_rng(1)
    X = rng.integers(0, 60, size=(2000, 8)) / 20
    y = X[:, 0] * X[:, 1] + np.sin(3 * X[:, 2]) + (X[:, 3] > X[:, 4]) + 0.3 * rng.normal(size=len(X))
    model = RandomForestRegressor(3 if quick else 30, max_depth=8, random_state=0).fit(X, y)
    rows, reference = X[: 3 if quick else 40], X[-20:]
    exact = exact_shapley(model, rows, background=reference)
    case = Case("RF 30 x d8", "rows", len(reference))
    found = {"neon": ours(model, case, reference)(rows)}
    with tempfile.TemporaryDirectory() as folder:
        files = handed_over(Path(folder), model, rows, reference)
        found.update(peers_values(workplaces, case, files, len(rows), Measured(case)))
    yield from ("| | rows with wrong values | largest error |", "|---|---|---|")
    for name, values in found.items():
        off = np.abs(values - exact).max(1) / np.abs(exact).max()
        yield f"| {name} | {(off > 1e-5).sum()} of {len(rows)} | {off.max():.0e} |"


def table(found: Sequence[Measured]) -> Iterator[str]:
    """CPU microseconds a row; the best peer's in front of its ratio to neon's."""
    yield f"| CPU µs a row | rows | neon | {' | '.join(PEERS)} | best peer / neon |"
    yield "|---" * (len(PEERS) + 4) + "|"
    for one in found:
        best = one.best_peer
        cells = [str(one.case), f"{one.case.n_rows:,}", f"{one.micros['neon']:,.0f}"]
        for peer in PEERS:
            cell = f"{one.micros[peer]:,.0f}" if peer in one.micros else "-"
            cells.append(f"{cell} ({one.rows[peer]:,} rows)" if peer in one.rows else cell)
        cells.append("-" if best is None else f"{one.micros[best] / one.micros['neon']:.2f} ({best})")
        yield f"| {' | '.join(cells)} |"


def losses(found: Sequence[Measured]) -> Iterator[str]:
    """Every row of the table in which a peer is ahead, and why."""
    for one in found:
        for peer, time in one.micros.items():
            if time < one.micros["neon"]:
                ours, why = one.micros["neon"], one.case.behind or "no reason known yet"
                yield f"{one.case}: {peer} is {ours / time:.1f} times as fast ({time:,.0f}, not {ours:,.0f} µs): {why}."


def agreement(found: Sequence[Measured]) -> Iterator[str]:
    """The largest difference of a peer's values from neon's, relative to the largest value, for each peer."""
    for peer in PEERS:
        differences = [one.differences[peer] for one in found if peer in one.differences]
        if differences:
            yield f"{peer} {max(differences):.0e}"


def section(found: Sequence[Measured], grid: Sequence[str], releases: dict[str, Sequence[str]], checked: bool) -> str:
    """The words and tables of the page."""
    named = ", ".join(f"{distribution} {release}" for distribution, release in releases.values())
    newest = "the newest that install" if checked else "not checked to be the newest (--offline)"
    behind = list(losses(found))
    notes = sorted({f"{peer}: {note}" for one in found for peer, note in one.notes.items()})
    about = (
        f"One thread each, {N_FEATURES} features; peers in a Python of their own, with {named}: {newest}. neon: "
        "`Explainer(model)(rows)`, as users call it, with all of its checks. Calls take turns; medians of CPU time. A "
        "number of rows in brackets: a slow peer explained so many."
    )
    words = [textwrap.fill(about, 120), "", *table(found), ""]
    words += ["**Behind** in these rows:" if behind else "Ahead of every peer in every row.", ""]
    words += [textwrap.fill(f"- {line}", 120, subsequent_indent="  ") for line in behind]
    words += ["", "No figure, in the peers' words or ours:", ""] if notes else []
    words += [textwrap.fill(f"- {note[:300]}", 120, subsequent_indent="  ") for note in notes]
    apart = ", ".join(agreement(found))
    agreed = f"Values of the first 20 rows differ from neon's, relative to the largest value, by at most: {apart}."
    exact = "Interventional values on a grid of decimals, against all subsets by the forest's own `predict`:"
    words += ["", textwrap.fill(agreed, 120), "", exact, "", *grid]
    return "\n".join(words) + "\n"


def write(text: str) -> None:
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{text}{END}{after}", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", default=sys.executable, metavar="PYTHON", help="an interpreter that has the peers")
    parser.add_argument("--offline", action="store_true", help="do not ask pip whether the peers are the newest")
    parser.add_argument("--quick", action="store_true", help="small models, few rows")
    parser.add_argument("--only", nargs="+", default=None, metavar="WORD", help="cases whose name holds such a word")
    parser.add_argument("--seconds", type=float, default=2.0, help="that a peer may take for a call, about")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--write", action="store_true", help=f"write the tables into benchmarks/{PAGE.name}")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    chosen = [c for c in CASES if options.only is None or any(word in str(c) for word in options.only)]
    X, y = data(1000 if options.quick else 12_000)
    if options.quick:
        options.seconds, options.repeats = 0.05, 1
        chosen = [
            Case(c.model, c.game, min(c.n_reference, 10), 3 if c.apart else 40, c.apart, c.behind) for c in chosen
        ]
    fitted: dict[str, Any] = {}
    with contextlib.ExitStack() as stack:
        workplaces = {peer: stack.enter_context(Workplace(options.peers)) for peer in PEERS}
        releases = workplaces[PEERS[0]].ask("versions")
        if not options.offline:
            check_newest(options.peers, releases)
        found = []
        for case in chosen:
            if case.model not in fitted:
                fitted[case.model] = models(quick=options.quick)[case.model](X, y)
            found.append(measured(case, fitted[case.model], X, workplaces, options.seconds, options.repeats))
            print("\n".join(list(table(found))[-1:]), flush=True)
        text = section(found, list(on_the_grid(workplaces, quick=options.quick)), releases, not options.offline)
    print(f"\n{text}")
    if options.write:
        write(text)


if __name__ == "__main__":
    main()
