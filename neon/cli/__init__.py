"""``neon demo``, ``neon explain`` and ``neon show``."""

from __future__ import annotations

import argparse
import io
import sys
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

from neon._version import __version__
from neon.cli.terminal import visible

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    The exit code is 2 where the user's input is at fault, with one line on standard error; 1 where the work was done,
    and the network gave other numbers than the model.
    """
    options = _parser().parse_args(arguments)
    from neon.cli import commands as run

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # bars and signs that a terminal cannot show are no reason to stop
    shown = warnings.showwarning
    warnings.showwarning = _one_line
    try:
        return int(getattr(run, options.command)(options))
    except KeyboardInterrupt:
        print("neon: interrupted", file=sys.stderr)
        return 130
    except (OSError, ValueError, TypeError, ImportError, RuntimeError, AttributeError, MemoryError) as error:
        text = visible(" ".join(str(error).split())) or type(error).__name__
        print(f"neon: {text}", file=sys.stderr)
        return 2
    finally:
        warnings.showwarning = shown


_OUT = (
    "write the explanation to this .csv or .parquet file; names and labels are written as they stand, so do not open "
    "it in a spreadsheet, which runs text that starts with =, +, - or @, where they come from strangers"
)

_MODEL = "a fitted model: .skops, .json/.ubj/.txt/.cbm of a boosting library, or .pkl/.joblib with --trust-pickle"


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong with the arguments, and where to read how they are."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"neon: {message} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="neon", description="Explain fitted models.")
    parser.add_argument("--version", action="version", version=f"neon {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="explain a k-means, an SVM and a one-class SVM pipeline")
    demo.add_argument("--out", default="neon-demo", help="folder for plots and tables (default: %(default)s)")
    explain = commands.add_parser("explain", help="explain a fitted model's predictions on data")
    show = commands.add_parser("show", help="print the equivalent network of a fitted model")
    tables = ".csv, .parquet or .npy"
    for command in (explain, show):
        command.add_argument("model", help=_MODEL)
        command.add_argument("--output", help='which function of the model, e.g. "decision_function"')
        command.add_argument(
            "--trust", action="append", default=[], metavar="TYPE", help="allow a type in a .skops file"
        )
        command.add_argument("--trust-pickle", action="store_true", help="load a pickle, which may run any code")
        command.add_argument(
            "--fitted-on", metavar="FILE", help=f"the rows that a clustering without predict was fitted on: {tables}"
        )
        command.add_argument(
            "--drop", action="append", default=[], metavar="COLUMN", help="leave out a column that is no feature"
        )
        command.add_argument(
            "--missing",
            action="append",
            default=[],
            metavar="WORD",
            help="a word that means a missing value; in .csv columns of text the empty field alone does",
        )
    explain.add_argument("data", help=f"rows to explain: {tables}")
    explain.add_argument("--target", help='a class, a cluster or "all" (default: the predicted one)')
    explain.add_argument("--reference", help=f"background rows: {tables}")
    explain.add_argument("--composite", metavar="NAME", help="LRP rules (default: the model's own)")
    explain.add_argument("-o", "--out", help=_OUT)
    explain.add_argument("--plot", metavar="FILE", help="write a plot to this .png, .pdf or .svg file")
    explain.add_argument(
        "--plot-kind",
        choices=("bar", "beeswarm", "waterfall", "heatmap"),
        help="what --plot draws: mean relevance (bar, the default); a dot a row; the first row's steps; all rows",
    )
    explain.add_argument("--device", help='"cpu" (default), "cuda"')
    show.add_argument("--data", help=f"rows to check the equivalence and follow the relevance on: {tables}")
    return parser


def _one_line(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"neon: warning: {visible(' '.join(str(message).split()))}", file=sys.stderr)
