"""The arguments of a torch function, under torch's own names and with its defaults."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

__all__ = ["with_arguments_of"]


def with_arguments_of(function: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator: what takes one namespace is called as a Python function of torch is, which fills the namespace."""
    signature = inspect.signature(function)

    def join(spelled: Callable[[SimpleNamespace], Any]) -> Callable[..., Any]:
        @functools.wraps(spelled)
        def run(*args: Any, **kwargs: Any) -> Any:
            given = signature.bind(*args, **kwargs)
            given.apply_defaults()
            return spelled(SimpleNamespace(**given.arguments))

        return run

    return join
