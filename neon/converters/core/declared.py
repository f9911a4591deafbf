"""What callers have declared of estimators of their own goes with the pickles of networks that were made by it."""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any

__all__ = ["note", "noted", "packed", "unpack"]

Packed = tuple[tuple[str, Any, bytes | None], ...]

_NOTED: ContextVar[dict[Any, Any] | None] = ContextVar("noted", default=None)
_BY = {"ByColumns": "register_encoder", "convert_linear": "register_linear"}


def note(target: Any, by: Any) -> None:
    """Write down that a model was converted by what was declared of a class, by its name, or of a function."""
    found = _NOTED.get()
    if found is not None:
        found[target] = by


@contextlib.contextmanager
def noted() -> Iterator[dict[Any, Any]]:
    """A context in which it is written down, and where."""
    found: dict[Any, Any] = {}
    token = _NOTED.set(found)
    try:
        yield found
    finally:
        _NOTED.reset(token)


def packed(found: Mapping[Any, Any]) -> Packed:
    """Of each thing noted the call that declares it, in words, a class's name, and a pickle where there can be one."""
    return tuple(
        (_words(target, by), target if isinstance(target, str) else None, _pickled((target, by)))
        for target, by in found.items()
    )


def unpack(held: Packed, declare: Callable[[Any, Any], bool]) -> None:
    """Declare it again.

    Parameters
    ----------
    held : as `packed` gives it
    declare : callable
        From a target and what was declared of it; whether there is now, or was before, a declaration.

    Raises
    ------
    pickle.UnpicklingError
        Where something was not pickled, or is found no more, and this process has not declared it itself.
    """
    missing = []
    for words, target, pickled in held:
        by = None
        try:
            target, by = (target, None) if pickled is None else pickle.loads(pickled)
        except Exception as error:  # whatever importing somebody's module raises
            words = f"{words} ({type(error).__name__}: {error})"
        if not declare(target, by):
            missing.append(words)
    if missing:
        raise pickle.UnpicklingError(
            f"this was made of a model that neon knows by what you declared, and this process has not: "
            f"{'; '.join(missing)}. Declare it before loading, in a module that both processes import"
        )


def _words(target: Any, by: Any) -> str:
    convert = getattr(by, "convert", by)
    kind = _BY.get(type(convert).__name__, _BY.get(getattr(convert, "__name__", ""), "register"))
    name = repr(target) if isinstance(target, str) else getattr(target, "__qualname__", repr(target))
    return f"neon.extend.{kind}({name}{', by=...' if kind == 'register' else ''})"


def _pickled(thing: Any) -> bytes | None:
    try:
        return pickle.dumps(thing)
    except Exception:  # pickle raises what it likes: PicklingError, AttributeError, TypeError
        return None
