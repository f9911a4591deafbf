"""The words of the command line: read without what takes long to import, so that typos are answered at once."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from neon._version import __version__
from neon.cli.terminal import near

__all__ = ["parsed"]

_MODEL_FILES = (".skops", ".json", ".ubj", ".txt", ".cbm", ".pkl", ".pickle", ".joblib")

_OUT = (
    "write the explanation to this .csv or .parquet file; names and labels are written as they stand, so do not open "
    "it in a spreadsheet, which runs text that starts with =, +, - or @, where they come from strangers"
)

_MODEL = "a fitted model: .skops, .json/.ubj/.txt/.cbm of a boosting library, or .pkl/.joblib with --trust-pickle"
_TABLES = ".csv, .tsv, .parquet or .npy"


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong with the arguments, and where to read how they are."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"neon: {message} (see {self.prog} --help)\n")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        advice = near(value, action.choices) or f"choose from {', '.join(action.choices)}"
        what = f"unknown value {value!r} of {'/'.join(action.option_strings)}"
        if action.dest == "command":
            what = f"unknown command {value!r}"
            advice = f"did you mean neon explain {value}?" if Path(value).suffix in _MODEL_FILES else advice
        raise argparse.ArgumentError(None, f"{what}; {advice}")


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """What the arguments say; SystemExit, with a line on standard error, where they say nothing."""
    parser, commands = _parsers()
    options, left = parser.parse_known_args(arguments)
    if options.command is None and not left:
        parser.error(f"a command is required: {', '.join(commands)}")
    if left:
        command = commands.get(options.command, parser)
        unknown = next((word.partition("=")[0] for word in left if word.startswith("-")), None)
        if unknown is None:
            command.error(f"more arguments than there is use for: {' '.join(left)}")
        advice = near(unknown, (name for action in command._actions for name in action.option_strings))
        command.error("; ".join([f"unknown option {unknown}", *filter(None, [advice])]))
    return options


def _parsers() -> tuple[_Parser, dict[str, _Parser]]:
    """The parser, and that of each command."""
    parser = _Parser(prog="neon", description="Explain fitted models.")
    parser.add_argument("--version", action="version", version=f"neon {__version__}")
    commands = parser.add_subparsers(dest="command")
    demo = commands.add_parser("demo", help="explain a k-means, an SVM and a one-class SVM pipeline")
    demo.add_argument("--out", default="neon-demo", help="folder for plots and tables (default: %(default)s)")
    explain = commands.add_parser("explain", help="explain a fitted model's predictions on data")
    show = commands.add_parser("show", help="print the equivalent network of a fitted model")
    for command in (explain, show):
        _add_model(command)
    explain.add_argument("data", help=f"rows to explain: {_TABLES}, or a folder of .parquet or .csv files")
    explain.add_argument("--target", help='a class, a cluster or "all" (default: the predicted one)')
    explain.add_argument("--reference", help=f"background rows: {_TABLES}")
    explain.add_argument("--composite", metavar="NAME", help="LRP rules (default: the model's own)")
    explain.add_argument("-o", "--out", help=_OUT)
    explain.add_argument("--plot", metavar="FILE", help="write a plot to this .png, .pdf or .svg file")
    explain.add_argument(
        "--plot-kind",
        choices=("bar", "beeswarm", "waterfall", "heatmap"),
        help="what --plot draws: mean relevance (bar, the default); a dot a row; the first row's steps; all rows",
    )
    explain.add_argument(
        "--report", metavar="FILE", help="write a report to this .html file, for people who know no Python"
    )
    explain.add_argument(
        "--batch-rows",
        type=_rows,
        metavar="N",
        help="explain so many rows at a time, from file to file: --out is a folder or a .csv file; done anyway with "
        "100000 for a folder and for a file of more than 1 GiB; the same command goes on where a stopped one was",
    )
    explain.add_argument("--restart", action="store_true", help="with batches: write anew what a stopped run wrote")
    explain.add_argument("--device", help='"cpu" (default), "cuda"')
    show.add_argument("--data", help=f"rows to check the equivalence and follow the relevance on: {_TABLES}")
    return parser, {"demo": demo, "explain": explain, "show": show}


def _rows(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"expected a whole number of rows, got {text!r}")
    return int(text)


def _add_model(command: _Parser) -> None:
    """The model file, and how it and tables are read."""
    command.add_argument("model", help=_MODEL)
    command.add_argument("--output", help='which function of the model, e.g. "decision_function"')
    command.add_argument("--trust", action="append", default=[], metavar="TYPE", help="allow a type in a .skops file")
    command.add_argument("--trust-pickle", action="store_true", help="load a pickle, which may run any code")
    command.add_argument(
        "--fitted-on", metavar="FILE", help=f"the rows that a clustering without predict was fitted on: {_TABLES}"
    )
    command.add_argument(
        "--register",
        action="append",
        default=[],
        metavar="MODULE:FUNCTION",
        help="import a module, from this folder too, and call a function of it that registers converters",
    )
    read = command.add_argument_group("how tables are read")
    read.add_argument("--index", metavar="COLUMN", help="the column that names the rows; it is no feature")
    read.add_argument(
        "--drop", action="append", default=[], metavar="COLUMN,...", help="leave out columns that are no features"
    )
    read.add_argument("--sep", metavar="CHARACTER", help="between fields of .csv files (default: what fits), or tab")
    read.add_argument("--decimal", metavar="CHARACTER", help="in front of decimals in .csv files (default: .)")
    read.add_argument("--encoding", metavar="NAME", help="of .csv files (default: UTF-8)")
    read.add_argument(
        "--dates", action="append", default=[], metavar="COLUMN,...", help="columns of dates, of .csv files"
    )
    read.add_argument(
        "--missing",
        action="append",
        default=[],
        metavar="WORD",
        help="a word that means a missing value; in .csv columns of text the empty field alone does",
    )
