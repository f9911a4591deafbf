"""Simulate the customers of a shop in four known segments: ``python data/make_customers.py``.

The segments, what they are like and in which shares stand in `SEGMENTS`; everything else is the same for all. The last
column names the segment: an explanation of a clustering should find these columns, and leave `height` and `shoe_size`
alone. Arithmetic is exact: the same bytes come out every time.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import NamedTuple

from numpy.random import RandomState
from sklearn.utils import check_random_state

N_ROWS = 1200
REGIONS = ("rural", "suburb", "urban")
CHANNELS = ("app", "branch", "web")


class Segment(NamedTuple):
    """Middles of the numbers, and shares in percent of `REGIONS` and `CHANNELS`, of newsletters and of gaps."""

    share: int
    age: int
    spend: int  # € a month
    orders: int  # a year
    returns: int  # percent of orders
    region: tuple[int, int, int]
    channel: tuple[int, int, int]
    newsletter: int


SEGMENTS = {
    "students": Segment(30, 23, 60, 14, 12, (10, 20, 70), (75, 5, 20), 40),
    "families": Segment(30, 39, 320, 26, 12, (20, 65, 15), (30, 20, 50), 55),
    "regulars": Segment(25, 62, 140, 10, 4, (55, 30, 15), (5, 75, 20), 80),
    "returners": Segment(15, 34, 260, 30, 55, (15, 35, 50), (55, 5, 40), 30),
}


def around(random: RandomState, middle: int, percent: int) -> int:
    """A whole number: the middle, moved by up to three times so many percent of it, mostly by less."""
    moved = int(random.randint(-percent, percent + 1, size=3).sum())
    return max(0, (2 * middle * (100 + moved) + 100) // 200)


def pick(random: RandomState, names: tuple[str, ...], shares: tuple[int, ...]) -> str:
    """One of several names, by shares in percent."""
    at, total = int(random.randint(100)), 0
    for name, share in zip(names, shares, strict=True):
        total += share
        if at < total:
            return name
    return names[-1]


def row(random: RandomState, number: int) -> tuple[int | str, ...]:
    """One customer."""
    name = pick(random, tuple(SEGMENTS), tuple(segment.share for segment in SEGMENTS.values()))
    segment = SEGMENTS[name]
    spend = around(random, segment.spend, 22)
    return (
        f"C-{number:04d}",
        around(random, segment.age, 10),
        "" if random.randint(100) < 4 else spend,
        around(random, segment.orders, 15),
        min(100, around(random, segment.returns, 20)),
        pick(random, REGIONS, segment.region),
        pick(random, CHANNELS, segment.channel),
        "yes" if random.randint(100) < segment.newsletter else "no",
        around(random, 172, 4),
        around(random, 41, 5),
        name,
    )


def main(folder: Path) -> None:
    """Write ``customers.csv`` into an existing folder."""
    random = check_random_state(0)  # the legacy generator: its stream is the same in every version of numpy
    with (folder / "customers.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        numbers = ("age", "spend", "orders", "returns")
        writer.writerow(("customer", *numbers, "region", "channel", "newsletter", "height", "shoe_size", "segment"))
        writer.writerows(row(random, number) for number in range(N_ROWS))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Simulate the customers.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder (default: this one)")
    main(parser.parse_args().out)
