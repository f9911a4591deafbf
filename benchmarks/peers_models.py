"""The models that scikit-learn's own tests fit, each sent through neon.

    python -m benchmarks.peers_models sklearn.tests.test_multiclass sklearn.linear_model.tests.test_ridge
    python -m benchmarks.peers_models --at-most 1000 sklearn.svm.tests.test_svm
    python -m benchmarks.peers_models --at-most 1 --out found          # every module, each in a process of its own
    python -m benchmarks.peers_models --table found/*.jsonl

The tests run as they are; every model that one of them fits is explained on rows that it was fitted on, right after
``fit``, and judged:

- exact: the network gives what the model's own function gives, targets are what it predicts, relevance adds up;
- refused: neon says in words of its own why not;
- wrong: anything else than the model's numbers, or the model or the rows were changed;
- crash: an error that neon did not raise;
- passed: the model refuses its own rows, or they are too many;
- late: the test's time was over while its model was judged.

Of the models of one class in one test function, with whatever parameters, `--at-most` are judged, and the rest of its
cases are passed over after `--idle` in a row that had no model to judge. A test ends after `--seconds`. `--out` keeps a file for each module, whose last line says how many tests have run, and passes over modules
that have theirs; `--table` makes a table of such files.
"""

from __future__ import annotations

import argparse
import collections
import copy
import functools
import json
import re
import resource
import signal
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn
import torch
from scipy import sparse
from sklearn.base import is_regressor
from sklearn.utils import all_estimators
from threadpoolctl import threadpool_limits

import neon
from neon.converters.core.intake import take
from neon.converters.core.registry import takes_data

ROWS, CELLS, OUTPUTS = 40, 2_000_000, 500  # a transformer of more columns is explained at the first
ROUNDING = 1e-6  # relative to the largest number; models of float32 rows differ by 1e-7
FITS = ("fit", "fit_transform", "fit_predict", "partial_fit")
KINDS = ("exact", "refused", "wrong", "crash", "passed", "late")


@dataclass(frozen=True)
class Judgement:
    """What came of one model."""

    kind: str
    estimator: str
    test: str
    why: str = ""
    model: str = ""


class Recorder:
    """A pytest plugin that judges each model after its ``fit``."""

    def __init__(self, at_most: int, idle: int, seconds: float, out: Path | None) -> None:
        self.at_most, self.idle, self.seconds, self.out = at_most, idle, seconds, out
        self.test, self.found, self.tests, self.ended = "", list[Judgement](), 0, 0
        self.count: collections.Counter[tuple[str, str]] = collections.Counter()
        self.in_vain: collections.Counter[str] = collections.Counter()  # cases of a function, in a row
        self.busy, self.began = threading.local(), time.monotonic()

    def pytest_configure(self) -> None:
        for cls in {base for _, one in all_estimators() for base in one.__mro__}:
            for name in FITS:
                if cls.__module__.startswith("sklearn.") and name in vars(cls):
                    setattr(cls, name, self.recorded(vars(cls)[name]))

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        self.test, self.tests = item.nodeid.rsplit("/", 1)[-1], self.tests + 1
        threadpool_limits(1)  # models are small: threads would wait for one another
        if self.in_vain[self.function] >= self.idle:
            pytest.skip("all its models are known")
        self.in_vain[self.function] += 1

    @property
    def function(self) -> str:
        return self.test.split("[")[0]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Generator[None, object, object]:
        signal.signal(signal.SIGALRM, self.end)
        signal.setitimer(signal.ITIMER_REAL, self.seconds)
        try:
            return (yield)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def pytest_sessionfinish(self) -> None:
        took = time.monotonic() - self.began
        self.write(Judgement("done", "", "", f"{self.tests} tests, {self.ended} ended early, {took:.0f} s"))

    def end(self, *_: object) -> None:
        self.ended += 1
        raise _Late

    def recorded(self, fit: Callable[..., Any]) -> Callable[..., Any]:
        if not callable(fit):  # available_if: fit_transform of a pipeline
            return fit

        @functools.wraps(fit)
        def wrapped(model: Any, *args: Any, **kwargs: Any) -> Any:
            if getattr(self.busy, "fitting", False) or threading.current_thread() is not threading.main_thread():
                return fit(model, *args, **kwargs)
            self.busy.fitting = True
            try:
                fitted = fit(model, *args, **kwargs)
                X = args[0] if args else kwargs.get("X", kwargs.get("raw_documents"))
                if not isinstance(model, type) and X is not None:
                    self.judge(model, X)
                return fitted
            finally:
                self.busy.fitting = False

        return wrapped

    def judge(self, model: Any, X: Any) -> None:
        cls = type(model)
        if not cls.__module__.startswith("sklearn.") or ".tests." in cls.__module__:
            return
        key = (self.function, cls.__name__)
        self.count[key] += 1
        if self.count[key] > self.at_most:
            return
        self.in_vain[self.function] = 0
        kept = np.random.get_state(), torch.random.get_rng_state()  # noqa: NPY002 (tests seed it)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                kind, why = judged(model, X)
            except _Passed as passed:
                kind, why = "passed", str(passed)
            except _Late as late:
                self.write(Judgement("late", cls.__name__, self.test, _place(late), _shown(model)))
                raise
        np.random.set_state(kept[0])  # noqa: NPY002
        torch.random.set_rng_state(kept[1])
        self.write(Judgement(kind, cls.__name__, self.test, why, _shown(model)))

    def write(self, judgement: Judgement) -> None:
        """As it comes: a run may be ended."""
        if judgement.kind != "done":
            self.found.append(judgement)
        if self.out is not None:
            with self.out.open("a") as file:
                file.write(json.dumps(asdict(judgement)) + "\n")


class _Late(BaseException):
    """The time of a test is over."""


class _Passed(Exception):
    """A model that cannot be judged: it refuses its own rows, or they are too many."""

    def __init__(self, why: object) -> None:
        super().__init__(f"{type(why).__name__}: {' '.join(str(why).split())[:200]}" if why is not str(why) else why)


def judged(model: Any, X: Any) -> tuple[str, str]:
    """The kind of what comes of a model on rows that it was fitted on, and why."""
    data = X
    try:
        n = X.shape[0] if hasattr(X, "shape") else len(X)
        rows = _first(X, min(n, ROWS))
    except (TypeError, IndexError) as error:
        raise _Passed(error) from error
    if n == 0 or int(np.prod(getattr(rows, "shape", (1,)))) > CELLS or (hasattr(X, "shape") and np.prod(X.shape) > 1e8):
        raise _Passed("no rows, or too many")
    before, own = copy.deepcopy(rows), _answers(model, rows)
    options = {"reference": data} if takes_data(model) else {}
    try:
        network = neon.neuralize(model, **options)
        explainer = neon.Explainer(model, **options)
        several = network.classes is None and len(network.output_names) > 1
        target = "all" if len(network.output_names) <= OUTPUTS else 0
        explanation = explainer(rows, target) if several else explainer(rows)
        given = network.intake.given(rows)[0]
        error = network.verify(rows) / max(1.0, _size(network.own(given)))
    except Exception as error:
        raised = traceback.extract_tb(error.__traceback__)[-1].filename
        if "/sklearn/" in raised and "/tests/" in raised:  # of a model that a test has made to check its input
            raise _Passed(error) from error
        inside = raised.startswith(str(Path(neon.__file__).parent))
        spoken = isinstance(error, (ValueError, TypeError, ImportError)) and inside
        words = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        return ("refused", words) if spoken else ("crash", f"{words} ({_place(error)})")
    rounding = ""
    for what, difference in (
        ("verify", error),
        ("conservation", _conservation(explanation)),
        ("prediction", _against(own, explanation, network)),
        ("model or rows changed", float(not (_same(before, rows) and _alike(own, _answers(model, rows))))),
    ):
        if not difference <= ROUNDING:
            rounding = f"{what}: {difference:.1e} ({explanation.explains})"
            if not _is_rounding(what, difference, network, given, explanation):
                return "wrong", rounding
    return "exact", rounding and f"within the model's own rounding, {rounding}"


def _first(X: Any, n: int) -> Any:
    if isinstance(X, (list, tuple)):
        return X[:n]
    return take(X.tocsr() if sparse.issparse(X) else X, slice(0, n)) if hasattr(X, "shape") else X[:n]


def _answers(model: Any, rows: Any) -> dict[str, Any]:
    """What the model itself says of the rows."""
    found = {}
    for method in ("predict", "decision_function", "predict_proba", "transform"):
        if hasattr(model, method):
            try:
                found[method] = getattr(copy.deepcopy(model), method)(copy.deepcopy(rows))
            except Exception as error:  # tests fit models of rows that they cannot predict, too
                if method == "predict" or not hasattr(model, "predict"):
                    raise _Passed(error) from error
    return found


def _is_rounding(what: str, difference: float, network: Any, given: Any, explanation: neon.Explanation) -> bool:
    """Whether the model's own answers differ as much where the numbers of its rows are rounded otherwise.

    Where whitening divides by deviations of 1e-12, or variances are as small, no two ways to compute a sum agree. On a
    step of its function a model jumps for single rows, which is no rounding: half of the rows must differ.
    """
    if what not in ("verify", "conservation") or not isinstance(given, np.ndarray) or given.dtype.kind != "f":
        return False
    random, own = np.random.default_rng(0), np.asarray(network.own(given), dtype=float).reshape(len(given), -1)
    eps, gaps = np.finfo(given.dtype).eps, np.zeros_like(own)
    for _ in range(4):
        moved = given * (1 + eps * random.choice([-1.0, 1.0], given.shape)).astype(given.dtype)
        gaps = np.maximum(gaps, np.abs(np.asarray(network.own(moved), dtype=float).reshape(own.shape) - own))
    if what == "verify":
        return difference <= 10 * float(np.median(gaps.max(1))) / max(1.0, _size(own))
    if np.ndim(explanation.target) == 1:
        gaps = np.take_along_axis(gaps, np.asarray(explanation.target)[:, None], 1)
    return all(
        _conservation(explanation[i : i + 1]) <= max(ROUNDING, 10 * gaps[i].max()) for i in range(len(explanation))
    )


def _against(own: dict[str, Any], explanation: neon.Explanation, network: Any) -> float:
    """The difference from the model's own labels and values, found without the converter."""
    predicted, n = own.get("predict"), len(explanation)
    if predicted is None or sparse.issparse(predicted):
        return 0.0
    predicted = np.asarray(predicted)
    if network.classes is not None and np.ndim(explanation.target) == 1 and predicted.size == n:
        labels = np.asarray(network.classes)[np.asarray(explanation.target)]
        return float((labels.astype(str) != predicted.ravel().astype(str)).mean())
    if is_regressor(network.model) and explanation.explains.startswith("predicted value"):
        values = np.asarray(explanation.prediction, dtype=float)
        if values.size == predicted.size:
            return _size(values.reshape(predicted.shape) - predicted) / max(1.0, _size(predicted))
    return 0.0


def _conservation(explanation: neon.Explanation) -> float:
    finite = np.isfinite(np.asarray(explanation.prediction, dtype=float)).reshape(len(explanation), -1).all(axis=1)
    kept = explanation[finite]
    parts = _size(kept.values) * max(1, kept.values.shape[1]) + sum(map(_size, kept.residuals.values()))
    return float(kept.conservation_error()) / max(1.0, parts) if len(kept) else 0.0


def _size(values: Any) -> float:
    values = np.asarray(values, dtype=float)
    return float(np.max(np.abs(values[np.isfinite(values)]), initial=0.0))


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return all(_same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(_same, a, b))
    if sparse.issparse(a):
        return a.shape == b.shape and _same(a.toarray(), b.toarray())
    if hasattr(a, "equals"):
        return bool(a.equals(b))
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype == object and a.shape == b.shape:  # NaN among strings
        return all(x is y or x == y or (x != x and y != y) for x, y in zip(a.flat, b.flat, strict=True))
    return bool(np.array_equal(a, b, equal_nan=a.dtype.kind in "fcmM"))


def _alike(own: dict[str, Any], again: dict[str, Any]) -> bool:
    """Whether a model answers the same, but for the order in which threads add up."""
    return all(
        _same(own[key], again[key])
        or (np.asarray(own[key]).dtype.kind == "f" and np.allclose(own[key], again[key], rtol=1e-12, equal_nan=True))
        for key in own
    )


def _place(error: BaseException) -> str:
    """The last line of neon that ran, and the last of all."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/neon/" in frame.filename]
    named = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in (*ours[-1:], frames[-1])]
    return " → ".join(dict.fromkeys(named))


def _shown(model: Any) -> str:
    return " ".join(repr(model).split())[:300]


def _modules() -> list[str]:
    """Every test module of scikit-learn, as a dotted name."""
    root = Path(sklearn.__file__).parent
    return sorted(
        ".".join(file.relative_to(root.parent).with_suffix("").parts) for file in root.glob("**/tests/test_*.py")
    )


def _each(modules: list[str], options: argparse.Namespace) -> None:
    """A process for each module; one whose file ends with "done" is passed over."""
    options.out.mkdir(parents=True, exist_ok=True)
    for module in modules:
        file = options.out / f"{module}.jsonl"
        if file.exists() and file.read_text().splitlines()[-1:][0].startswith('{"kind": "done"'):
            continue
        file.unlink(missing_ok=True)
        command = [sys.executable, "-m", "benchmarks.peers_models", module, "--file", str(file)]
        names = ("at_most", "idle", "seconds", "gigabytes")
        limits = [f"--{name.replace('_', '-')}={getattr(options, name)}" for name in names]
        try:
            subprocess.run(
                [*command, *limits],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=60 * options.minutes,
            )
        except subprocess.TimeoutExpired:
            print(f"{module}: ended after {options.minutes} minutes")
        print(file.read_text().splitlines()[-1] if file.exists() else f"{module}: nothing", flush=True)


def _table(files: list[str]) -> str:
    """Counts for each module that has fitted a model, and why models are wrong, crash or are refused."""
    found = {
        Path(file).stem: [Judgement(**json.loads(line)) for line in Path(file).read_text().splitlines()]
        for file in files
    }
    every = [one for judgements in found.values() for one in judgements]
    lines = [f"| module | {' | '.join(KINDS)} |", f"|---|{'---|' * len(KINDS)}"]
    for name, judgements in [*sorted(found.items()), ("all", every)]:
        count = collections.Counter(one.kind for one in judgements)
        if any(count[kind] for kind in KINDS):
            name = name.removeprefix("sklearn.") + ("" if count["done"] else " †")
            lines.append(f"| {name} | {' | '.join(f'{count[kind]:,}' for kind in KINDS)} |")
    for kind in ("wrong", "crash", "late", "refused"):
        whys = collections.Counter(f"{one.estimator}: {_plain(one.why)}" for one in every if one.kind == kind)
        if whys:
            lines += ["", f"## {kind.capitalize()}", ""]
            lines += [f"- {n} × {why}" for why, n in sorted(whys.items(), key=lambda item: (-item[1], item[0]))]
    return "\n".join(lines)


def _plain(why: str) -> str:
    """Why, without the addresses of functions, on one line of a list."""
    why = re.sub(r" at 0x[0-9a-f]+", "", why).replace("|", "/")
    return why if len(why) <= 160 else why[:160].rsplit(" ", 1)[0] + " …"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", help="test modules or packages, as dotted names; with --table, files")
    parser.add_argument("--at-most", type=int, default=8, help="models of one class in one test function")
    parser.add_argument("--idle", type=int, default=1000, help="cases of one test function, in a row, without a model")
    parser.add_argument("--seconds", type=float, default=60, help="a test ends after these")
    parser.add_argument("--minutes", type=float, default=20, help="with --out: a module ends after these")
    parser.add_argument("--gigabytes", type=float, default=9, help="of addresses: what needs more crashes")
    parser.add_argument("--out", type=Path, help="a folder: each module in a process of its own, a file for each")
    parser.add_argument("--file", type=Path, help="add each judgement to this file, a line of JSON")
    parser.add_argument("--table", action="store_true", help="print what such files hold, as a table")
    options = parser.parse_args()
    if options.table:
        print(_table(options.modules))
        return
    modules = options.modules or _modules()
    if options.out is not None:
        _each(modules, options)
        return
    resource.setrlimit(resource.RLIMIT_AS, (int(options.gigabytes * 2**30),) * 2)
    recorder = Recorder(options.at_most, options.idle, options.seconds, options.file)
    quiet = ["-q", "--no-header", "--tb=no", "-p", "no:cacheprovider", "-W", "ignore", "-c", "/dev/null"]
    pytest.main([*quiet, "--rootdir=/", "--disable-warnings", "-r", "N", "--pyargs", *modules], [recorder])
    for line in _report(recorder.found):
        print(line)


def _report(found: list[Judgement]) -> list[str]:
    """Counts for each class, and an example of a test for what is wrong or crashes."""
    table: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for one in found:
        table[one.estimator][one.kind] += 1
        table["all"][one.kind] += 1
    lines = [f"\n| estimator | {' | '.join(KINDS)} |", f"|---|{'---|' * len(KINDS)}"]
    for name in sorted(table, key=lambda name: (name == "all", name)):
        lines.append(f"| {name} | {' | '.join(str(table[name][kind]) for kind in KINDS)} |")
    for kind in ("wrong", "crash", "refused"):
        lines.append(f"\n{kind}")
        whys = collections.Counter((one.estimator, one.why) for one in found if one.kind == kind)
        tests = {(one.estimator, one.why): one.test for one in found}
        for (estimator, why), count in whys.most_common():
            example = f" [{tests[estimator, why]}]" if kind != "refused" else ""
            lines.append(f"- {count} × {estimator}: {why}{example}")
    return lines


if __name__ == "__main__":
    main()
