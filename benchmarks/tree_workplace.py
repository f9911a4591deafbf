"""Where the peers of `benchmarks.trees` work: a process of another interpreter each, and what is installed there."""

from __future__ import annotations

import json
import select
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import tree_peers

__all__ = ["Workplace", "check_newest"]

_SECONDS = 120.0  # that an answer may take


class Workplace:
    """A process of `benchmarks.tree_peers`, started with its first order, and anew after one that took too long."""

    def __init__(self, python: str) -> None:
        self.python = python
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Workplace:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def ask(self, order: str, **details: Any) -> Any:
        """The answer to an order.

        Raises
        ------
        NotOffered
            If it is an error in words, or none comes in time.
        """
        if self._process is None:
            self._process = subprocess.Popen(
                [self.python, str(Path(tree_peers.__file__))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"order": order, **details}) + "\n")
        self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], _SECONDS)[0]:
            self.stop()
            raise tree_peers.NotOffered(f"no answer in {_SECONDS:.0f} s")
        line = self._process.stdout.readline()
        if not line:
            self.stop()
            raise tree_peers.NotOffered("its process ended")
        answer = json.loads(line)
        if isinstance(answer, str) and answer.startswith("error: "):
            raise tree_peers.NotOffered(answer.removeprefix("error: "))
        return answer


def check_newest(python: str, releases: Mapping[str, Sequence[str]]) -> None:
    """Ask pip of that interpreter whether something newer would install there.

    Parameters
    ----------
    releases : mapping of a peer to (distribution, release)

    Raises
    ------
    SystemExit
        If a peer is absent or older, or pip does not tell.
    """
    absent = [name for name in tree_peers.DISTRIBUTIONS if name not in releases]
    if absent:
        raise SystemExit(f"{python} has no {', '.join(absent)}")
    for peer in tree_peers.PEERS:
        distribution, release = releases[peer]
        asked = [python, "-m", "pip", "index", "versions", distribution]
        told = subprocess.run(asked, capture_output=True, text=True, timeout=120, check=False)
        listed = [line for line in told.stdout.splitlines() if line.startswith("Available versions:")]
        if not listed:
            raise SystemExit(f"pip does not tell the releases of {distribution}; --offline leaves the question out")
        newest = listed[0].partition(":")[2].split(",")[0].strip()
        if newest != release:
            raise SystemExit(f"{python} has {distribution} {release}, and {newest} installs there: install that first")
