"""Time and memory, measured side by side."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

__all__ = ["paired_seconds", "peak_bytes", "seconds"]

Work = Callable[[], Any]


def seconds(work: Work, pause: float = 0.0) -> float:
    """Wall-clock seconds of one run, after a pause."""
    time.sleep(pause)
    start = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def paired_seconds(one: Work, other: Work, repeats: int, pause: float = 0.0) -> tuple[float, float, float]:
    """Median seconds of two pieces of work that take turns, and the median of their ratios, other to one.

    pause : seconds before each run, in which thread pools that wait by spinning fall asleep.
    """
    pairs = [(seconds(one, pause), seconds(other, pause)) for _ in range(repeats + 1)][1:]
    first, second = (statistics.median(column) for column in zip(*pairs, strict=True))
    return first, second, statistics.median(b / a for a, b in pairs)


def peak_bytes(work: Work) -> int:
    """The most memory that tensors hold during ``work``, above what they held before: exact, by torch's profiler."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        return torch.cuda.max_memory_allocated() - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as run:
        work()
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        run.export_chrome_trace(file.name)
        with open(file.name) as trace:
            events = json.load(trace)["traceEvents"]
    held = [
        (event["ts"], event["args"]["Total Allocated"], event["args"]["Bytes"])
        for event in events
        if event.get("name") == "[memory]"
    ]
    held.sort(key=lambda event: event[0])
    start = held[0][1] - held[0][2]
    return max(total for _, total, _ in held) - start
