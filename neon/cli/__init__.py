"""``neon demo``, ``neon explain`` and ``neon show``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is 2 where the user's input is at fault."""
    parser = argparse.ArgumentParser(prog="neon", description="Explain fitted models.")
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="explain a k-means, an SVM and a one-class SVM pipeline")
    demo.add_argument("--out", default="neon-demo", help="folder for plots and tables (default: %(default)s)")
    explain = commands.add_parser("explain", help="explain a fitted model's predictions on data")
    show = commands.add_parser("show", help="print the equivalent network of a fitted model")
    for command in (explain, show):
        command.add_argument("model", help="a fitted model: .skops, or .pkl/.joblib with --trust-pickle")
        command.add_argument("--output", help='which function of the model, e.g. "decision_function"')
        command.add_argument(
            "--trust", action="append", default=[], metavar="TYPE", help="allow a type in a .skops file"
        )
        command.add_argument("--trust-pickle", action="store_true", help="load a pickle, which may run any code")
    explain.add_argument("data", help="rows to explain: .csv or .parquet")
    explain.add_argument("--target", help='a class, a cluster or "all" (default: the predicted one)')
    explain.add_argument("--reference", help="background rows: .csv or .parquet")
    explain.add_argument("-o", "--out", help="write the explanation to this .csv or .parquet file")
    explain.add_argument("--plot", help="write a plot of the mean relevance to this .png file")
    explain.add_argument("--device", help='"cpu" (default), "cuda"')
    show.add_argument("--data", help="rows on which to check the equivalence: .csv or .parquet")
    options = parser.parse_args(arguments)
    from neon.cli import commands as run

    try:
        getattr(run, options.command)(options)
    except (OSError, ValueError, TypeError, ImportError, NotImplementedError, AttributeError) as error:
        text = " ".join(str(error).split()) or type(error).__name__
        print(f"neon: {text}", file=sys.stderr)
        return 2
    return 0
