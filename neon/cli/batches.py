"""Rows that do not fit memory, or that stand in a folder: explained from file to file."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from neon.cli import summary
from neon.cli.tables import Reading
from neon.cli.terminal import say
from neon.explainer import Explainer
from neon.scale import explain_parquet
from neon.scale.source import Source

__all__ = ["check_options", "explain_files", "in_batches"]

LARGE = 2**30  # bytes of a file, from which on it is read in batches
_READ = (".parquet", ".csv")
_BATCH = 100_000
_OF_TABLES = ("sep", "decimal", "encoding", "dates", "missing")
_DRAWN = ("plot", "report")


def in_batches(options: Namespace) -> bool:
    """Whether the rows are a folder or a large file, or batches are asked for."""
    path = Path(options.data)
    large = path.is_file() and path.suffix in _READ and path.stat().st_size > LARGE
    return path.is_dir() or large or options.batch_rows is not None or options.restart


def check_options(options: Namespace) -> None:
    """Refuse, before any work is done, options that are not for rows in batches.

    Raises
    ------
    ValueError
        If one is given, or no place to write to.
    """
    why = f"{options.data} is explained in batches, as a folder or a file of more than 1 GiB is"
    for name in _OF_TABLES:
        if getattr(options, name):
            raise ValueError(f"{why}: leave --{name} out; batches are read from .parquet and plain .csv files")
    for name in _DRAWN:
        if getattr(options, name) is not None:
            raise ValueError(f"{why}: --{name} is of rows in memory; write some of them to a file and explain that")
    if options.out is None or Path(options.out).suffix not in ("", ".csv"):
        raise ValueError(f"{why}: give --out a folder, to which .parquet files are written, or a .csv file")


def explain_files(options: Namespace, explainer: Explainer, target: Any) -> int:
    """Explain the rows of files by `neon.explain_parquet`, and say what was found."""
    names = Source(options.data).schema.names
    network = explainer.network
    drop = Reading(options.drop, options.index).dropped(options.data, names)
    kept = [] if options.index is None else [options.index]
    own = getattr(network.intake, "feature_names", None)
    features = None if own is not None else [name for name in names if name not in drop and name not in kept]
    found = explain_parquet(
        options.data,
        options.out,
        explainer,
        target=target,
        features=features,
        columns=kept,
        batch_rows=options.batch_rows or _BATCH,
        resume=not options.restart,
    )
    say(f"explains: {network.explains}")
    for line in summary.of_stream(found, target):
        say(line)
    left = f", of which {found.not_finite} have no finite relevance" if found.not_finite else ""
    say(f"rows: {found.n_rows}{left}; the network was compared with the model in the first 64 rows of each batch")
    say(f"wrote {options.out}")
    return 0
