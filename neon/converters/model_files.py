"""Models from the files that boosting libraries write themselves."""

from __future__ import annotations

import json
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

__all__ = ["SUFFIXES", "load_model"]

SUFFIXES = (".json", ".ubj", ".txt", ".cbm")


def load_model(path: str | PathLike[str]) -> Any:
    """Load a model that XGBoost, LightGBM or CatBoost saved; such files hold numbers and run no code.

    Parameters
    ----------
    path : str or path
        ``.json`` of XGBoost or CatBoost, ``.ubj`` of XGBoost, ``.txt`` of LightGBM, ``.cbm`` of CatBoost.

    Returns
    -------
    xgboost.Booster, lightgbm.Booster, catboost.CatBoost or catboost.CatBoostClassifier
        What the library itself makes of the file, for `neon.Explainer` and `neon.neuralize`. A file of XGBoost or
        LightGBM does not hold the labels of classes: they are numbers. A booster explains all the rounds that it holds.

    Raises
    ------
    ValueError
        If there is no such file, or the library cannot read it.
    ImportError
        If the library is not installed.
    """
    file = Path(path)
    if not file.is_file():
        raise ValueError(f"{path}: {'a folder, not a file' if file.is_dir() else 'no such file'}")
    if file.suffix not in SUFFIXES:
        raise ValueError(f"{path}: expected a file of XGBoost, LightGBM or CatBoost: {', '.join(SUFFIXES)}")
    library, read = _reader(file)
    try:
        return read(str(file))
    except ImportError as error:
        raise ImportError(f"{path} is a model of {library}, which is not installed") from error
    except Exception as error:  # of classes of the libraries' own
        words = " ".join(str(error).split("Stack trace:")[0].split())
        raise ValueError(f"{path} is no model that {library} can read: {words or type(error).__name__}") from error


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
    except ValueError as error:
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
