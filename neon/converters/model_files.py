"""Models from the files that boosting libraries write themselves, tried first in a process that may crash."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

__all__ = ["SUFFIXES", "load_model"]

SUFFIXES = (".json", ".ubj", ".txt", ".cbm")

# What a trial may use: far more than any model takes that its library wrote.
_MEMORY = 4 * 2**30, 30  # bytes, and bytes for each byte of the file
_SECONDS = 20, 2**-20  # of the processor, likewise


def load_model(path: str | PathLike[str], *, trial: bool = True) -> Any:
    """Load a model that XGBoost, LightGBM or CatBoost saved; such files hold numbers and run no code.

    Parameters
    ----------
    path : str or path
        ``.json`` of XGBoost or CatBoost, ``.ubj`` of XGBoost, ``.txt`` of LightGBM, ``.cbm`` of CatBoost.
    trial : bool
        Read the file in a process of its own first, with a limit of memory and time: the libraries' readers, written
        in C++, end the process of a damaged file. It takes as long as importing the library and reading the file, about
        a second; False for a file that you trust. Windows has no such limits: there only crashes are caught.

    Returns
    -------
    xgboost.Booster, lightgbm.Booster, catboost.CatBoost or catboost.CatBoostClassifier
        What the library itself makes of the file, for `neon.Explainer` and `neon.neuralize`. A file of XGBoost or
        LightGBM does not hold the labels of classes: they are numbers. A booster explains all the rounds that it holds.

    Raises
    ------
    ValueError
        If there is no such file, or the library cannot read it, or crashes.
    ImportError
        If the library is not installed.
    """
    file = Path(path)
    if not file.is_file():
        raise ValueError(f"{path}: {'a folder, not a file' if file.is_dir() else 'no such file'}")
    if file.suffix not in SUFFIXES:
        raise ValueError(f"{path}: expected a file of XGBoost, LightGBM or CatBoost: {', '.join(SUFFIXES)}")
    library, read = _reader(file)
    if trial:
        _try(file, library)
    try:
        return read(str(file))
    except ImportError as error:
        raise ImportError(f"{path} is a model of {library}, which is not installed") from error
    except Exception as error:  # of classes of the libraries' own
        raise ValueError(f"{path} is no model that {library} can read: {_line(error)}") from error


def _try(file: Path, library: str) -> None:
    """Read a file in another process, which finds modules where this one does.

    Raises
    ------
    ValueError
        If that process does not end well.
    """
    command = [sys.executable, "-I", __file__, str(file.absolute()), json.dumps([str(entry) for entry in sys.path])]
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}  # the stacks of many threads, and their waiting, reach the limits
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, env=alone)
    except OSError as error:
        raise ValueError(f"{file} cannot be tried in another process ({error}): trial=False reads it here") from error
    if done.returncode == 0:
        return
    if done.returncode == 1:
        *_, said = done.stderr.decode(errors="replace").strip().splitlines() or [""]
        raise ValueError(f"{file} is no model that {library} can read: {said}")
    number = -done.returncode
    how = signal.Signals(number).name if number in set(signal.Signals) else f"exit code {done.returncode}"
    if how == "SIGXCPU":
        raise ValueError(
            f"{file} is no model that {library} can read: reading it takes more time than any such file does"
        )
    raise ValueError(
        f"{file} is no model that {library} can read: {library} itself crashed while reading it ({how}), in a process "
        "of its own; the file is damaged, or was made to do that"
    )


def _read_alone(path: str) -> str | None:
    """What a trial does: read a file under limits. What was wrong with it, in a line; None if it can be read."""
    file = Path(path)
    try:
        import resource

        size = file.stat().st_size
        for kind, (least, each) in ((resource.RLIMIT_DATA, _MEMORY), (resource.RLIMIT_CPU, _SECONDS)):
            most = resource.getrlimit(kind)[1]
            limit = int(least + each * size)
            resource.setrlimit(kind, (limit if most == resource.RLIM_INFINITY else min(limit, most), most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    except ImportError:
        pass  # Windows
    try:
        _reader(file)[1](path)
    except ImportError:
        return None  # for the process that asked to say
    except Exception as error:
        return _line(error)
    return None


def _line(error: Exception) -> str:
    return " ".join(str(error).split("Stack trace:")[0].split()) or type(error).__name__


def _reader(file: Path) -> tuple[str, Callable[[str], Any]]:
    """The library that wrote a file, and how to read it."""
    if file.suffix == ".cbm":
        return "CatBoost", lambda path: _catboost(path, "cbm")
    if file.suffix == ".ubj":
        return "XGBoost", _xgboost
    if file.suffix == ".txt":
        with file.open("rb") as lines:
            if lines.readline().strip() != b"tree":
                raise ValueError(f"{file} is no model that LightGBM wrote: its first line is not 'tree'")
        return "LightGBM", _lightgbm
    try:
        held = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file} is not a readable .json file: {error}") from error
    keys = set(held) if isinstance(held, dict) else set()
    if "learner" in keys:
        return "XGBoost", _xgboost
    if "features_info" in keys:
        return "CatBoost", lambda path: _catboost(path, "json")
    advice = "expected what XGBoost's or CatBoost's save_model writes"
    if "tree_info" in keys:
        advice = "it is a dump of LightGBM, which cannot read it back; use booster.save_model('model.txt')"
    raise ValueError(f"{file} holds no model: {advice}")


def _xgboost(path: str) -> Any:
    from xgboost import Booster

    return Booster(model_file=path)


def _lightgbm(path: str) -> Any:
    from lightgbm import Booster

    return Booster(model_file=path)


def _catboost(path: str, kind: str) -> Any:
    from catboost import CatBoost, CatBoostClassifier

    model = CatBoost().load_model(path, format=kind)
    return CatBoostClassifier().load_model(path, format=kind) if len(model.classes_) else model


if __name__ == "__main__":
    sys.path[:] = json.loads(sys.argv[2])
    sys.exit(_read_alone(sys.argv[1]))
