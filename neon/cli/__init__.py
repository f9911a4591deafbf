"""``neon demo``, ``neon explain`` and ``neon show``."""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Sequence
from typing import Any

from neon.cli.parser import parsed
from neon.cli.terminal import visible

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    The exit code is 2 where the user's input is at fault, with one line on standard error; 1 where the work was done,
    and the network gave other numbers than the model.
    """
    options = parsed(arguments)
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


def _one_line(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"neon: warning: {visible(' '.join(str(message).split()))}", file=sys.stderr)
