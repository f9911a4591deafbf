"""Whether the tests pass whatever their order and whatever else the machine does.

    python -m benchmarks.steady                          # own order, shuffled, loaded: three times each
    python -m benchmarks.steady --only shuffled --times 1 -- tests/lrp -k gamma

Two workers run the whole suite in its own order, shuffled, and beside four processes that keep the processor busy; the
time of every run is printed and the tests that failed.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import re
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

__all__ = ["Run", "busy", "main", "run"]

BUSY = 4  # processes that compute nothing, without a pause
WORKERS = 2
KINDS = ("own", "shuffled", "loaded")


class Run(NamedTuple):
    """One run of the tests: what it was, how long it took, what failed, and pytest's last line."""

    name: str
    seconds: float
    failed: tuple[str, ...]
    summary: str


@contextlib.contextmanager
def busy(n_processes: int) -> Iterator[None]:
    """Processes that keep the processor busy, for as long as the block runs."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(n_processes)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def run(name: str, options: Sequence[str]) -> Run:
    """The tests, in a process of their own."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "pytest", "-q", "-rfE", "--tb=no", "-p", "no:cacheprovider", *options]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", answer.stdout, re.MULTILINE)
    lines = (answer.stdout + answer.stderr).strip().splitlines()
    if answer.returncode and not failed:
        failed = [f"pytest ended with {answer.returncode}"]
    return Run(name, time.perf_counter() - began, tuple(failed), lines[-1] if lines else "")


def runs(kinds: Collection[str], times: int, seed: int, options: Sequence[str], n_busy: int) -> Iterator[Run]:
    """In its own order, shuffled, and loaded."""
    options = [*options, "-n", str(WORKERS)]
    for i in range(times if "own" in kinds else 0):
        yield run(f"own order {i + 1}", options)
    for i in range(times if "shuffled" in kinds else 0):
        yield run(f"shuffled, seed {seed + i}", [*options, f"--shuffle={seed + i}"])
    for i in range(times if "loaded" in kinds else 0):
        with busy(n_busy):
            yield run(f"beside {n_busy} busy processes {i + 1}", options)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=3, help="runs of each kind")
    parser.add_argument("--busy", type=int, default=BUSY, help="processes beside a loaded run; less where others run")
    parser.add_argument("--only", nargs="+", choices=KINDS, default=KINDS, help="kinds of runs")
    parser.add_argument("--seed", type=int, help="of the first shuffled run; the next ones count up. Default: any")
    parser.add_argument("options", nargs="*", help="for pytest, after --")
    options = parser.parse_args(arguments)
    seed = random.randrange(10**6) if options.seed is None else options.seed
    unsteady: dict[str, list[str]] = {}
    for found in runs(options.only, options.times, seed, options.options, options.busy):
        print(f"{found.name:<36} {found.seconds:7.0f} s   {found.summary}", flush=True)
        for test in found.failed:
            unsteady.setdefault(test, []).append(found.name)
    for test, names in unsteady.items():
        print(f"{test}: failed in {', '.join(names)}")
    return int(bool(unsteady))


if __name__ == "__main__":
    sys.exit(main())
