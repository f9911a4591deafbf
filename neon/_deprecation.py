"""What callers of an old name are told, while it still works."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, ParamSpec, TypeVar

__all__ = ["renamed_argument", "renamed_names"]

P = ParamSpec("P")
T = TypeVar("T")


def renamed_argument(old: str, new: str, *, removed_in: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """A decorator: a keyword argument that is called otherwise now still works under its old name, with a warning.

    Parameters
    ----------
    old, new : str
    removed_in : str
        The version that knows the new name alone.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(function)
        def accepting(*args: P.args, **kwargs: P.kwargs) -> T:
            if old in kwargs:
                if new in kwargs:
                    raise TypeError(f"{function.__qualname__}() was given both {new}= and {old}=, its old name")
                _warn(f"the argument {old}= of {function.__qualname__}()", f"{new}=", removed_in)
                kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return accepting

    return decorate


def renamed_names(module: str, names: Mapping[str, str], *, removed_in: str) -> Callable[[str], Any]:
    """A module's ``__getattr__``, for names that stand somewhere else now.

    Parameters
    ----------
    module : str
        ``__name__`` of the module.
    names : mapping of str to str
        Old name to the dotted name of what it means: ``{"evidence": "neon.nn.softmin"}``.
    removed_in : str
        The version that knows the new names alone.
    """

    def find(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        _warn(f"{module}.{name}", names[name], removed_in)
        home, _, new = names[name].rpartition(".")
        return getattr(import_module(home), new)

    return find


def _warn(old: str, new: str, removed_in: str) -> None:
    message = f"{old} is called {new} now; the old name will be gone in neon {removed_in}"
    warnings.warn(message, FutureWarning, stacklevel=3)
