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
cases are passed over after `--idle` in a row that had no model to judge. A test ends after
`--seconds`. `--out` keeps a file for each module, whose last line says how many tests have run, and passes over modules
that have theirs; `--table` makes a table of such files.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import functools
import json
import multiprocessing
import os
import re
import resource
import signal
import threading
import time
import warnings
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import sklearn
import torch
from sklearn.utils import all_estimators
from threadpoolctl import threadpool_limits

from benchmarks.peers_judge import Passed, judged, place

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
            with joblib.parallel_config("sequential"):  # workers would import everything first
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
            except Passed as passed:
                kind, why = "passed", str(passed)
            except _Late as late:
                self.write(Judgement("late", cls.__name__, self.test, place(late), _shown(model)))
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
        if file.exists() and '{"kind": "done"' in file.read_text():
            continue
        file.unlink(missing_ok=True)
        process = multiprocessing.get_context("fork").Process(target=_alone, args=(module, options, file))
        process.start()
        process.join(60 * options.minutes)
        if process.is_alive():
            print(f"{module}: ended after {options.minutes} minutes")
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # and the workers that it started
        print(file.read_text().splitlines()[-1] if file.exists() else f"{module}: nothing", flush=True)


def _alone(module: str, options: argparse.Namespace, out: Path) -> None:
    os.setsid()
    _run([module], options, out)
    os._exit(0)  # without waiting for workers of tests


def _run(modules: list[str], options: argparse.Namespace, out: Path | None) -> list[Judgement]:
    """What comes of the models of these modules, in this process."""
    resource.setrlimit(resource.RLIMIT_AS, (int(options.gigabytes * 2**30),) * 2)
    recorder = Recorder(options.at_most, options.idle, options.seconds, out)
    quiet = ["-q", "--no-header", "--tb=no", "-p", "no:cacheprovider", "-W", "ignore", "-c", "/dev/null"]
    pytest.main([*quiet, "--rootdir=/", "--disable-warnings", "-r", "N", "--pyargs", *modules], [recorder])
    return recorder.found


def _table(files: list[str]) -> str:
    """Counts for each folder of test modules that fit models, and why these are wrong, crash or are refused."""
    folders: dict[str, list[Judgement]] = collections.defaultdict(list)
    ended = []
    for file in map(Path, files):
        found = [Judgement(**json.loads(line)) for line in file.read_text().splitlines()]
        folders[file.stem.removeprefix("sklearn.").split("tests.")[0].rstrip(".") or "tests"] += found
        if not any(one.kind == "done" for one in found):
            ended.append(file.stem)
    every = [one for found in folders.values() for one in found]
    lines = [f"| folder | {' | '.join(KINDS)} |", f"|---|{'---|' * len(KINDS)}"]
    for name, found in [*sorted(folders.items()), ("all", every)]:
        count = collections.Counter(one.kind for one in found)
        if any(count[kind] for kind in KINDS):
            lines.append(f"| {name} | {' | '.join(f'{count[kind]:,}' for kind in KINDS)} |")
    if ended:
        lines += ["", f"Ended before their last test: {', '.join(ended)}."]
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
    parser.add_argument("--table", action="store_true", help="print what such files hold, as a table")
    options = parser.parse_args()
    if options.table:
        print(_table(options.modules))
        return
    modules = options.modules or _modules()
    if options.out is not None:
        _each(modules, options)
        return
    for line in _report(_run(modules, options, None)):
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
