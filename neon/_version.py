"""The version, which stands here alone, and pickles that are bound to it."""

from __future__ import annotations

import pickle
from typing import Any, TypeVar

__all__ = ["__version__", "bound_to_version"]

__version__ = "0.1.0"

T = TypeVar("T")


def bound_to_version(instance: object, state: dict[str, Any]) -> tuple:
    """What ``__reduce__`` returns of an object whose pickle only the version that wrote it can read.

    The version is compared before anything of the state is read: another version may lack the classes in it.
    """
    return _empty, (type(instance), __version__), state


def _empty(cls: type[T], version: str) -> T:
    """An instance to be filled with its state.

    Raises
    ------
    pickle.UnpicklingError
        If another version of neon wrote the pickle.
    """
    if version != __version__:
        raise pickle.UnpicklingError(
            f"this {cls.__name__} was pickled by neon {version} and cannot be read by neon {__version__}: layers "
            "change between versions. Save the fitted model itself and make a new one of it, by neon.neuralize(model) "
            f"or neon.Explainer(model); or read the pickle with neon {version}"
        )
    return cls.__new__(cls)
