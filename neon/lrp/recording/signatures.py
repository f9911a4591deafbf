"""The arguments of a torch function, under torch's own names and with its defaults."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch

from neon.errors import UnsupportedOperationError

__all__ = ["with_arguments_of"]


def with_arguments_of(function: Callable[..., Any], takes: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator: what takes one namespace is called as a Python function of torch is, which fills the namespace.

    Parameters
    ----------
    takes : str
        The arguments that are read, or that change no value, by name. Of all others, such as those of a newer torch,
        only the defaults are taken.
    """
    signature, known = inspect.signature(function), frozenset(takes.split())
    unread = [parameter for name, parameter in signature.parameters.items() if name not in known]

    def join(spelled: Callable[[SimpleNamespace], Any]) -> Callable[..., Any]:
        @functools.wraps(spelled)
        def run(*args: Any, **kwargs: Any) -> Any:
            given = signature.bind(*args, **kwargs)
            given.apply_defaults()
            for parameter in unread:
                if not _is_default(given.arguments[parameter.name], parameter):
                    raise UnsupportedOperationError(
                        f"{function.__name__} with {parameter.name}={given.arguments[parameter.name]!r}: what this "
                        f"argument does in torch {torch.__version__} is not known here; leave it out"
                    )
            return spelled(SimpleNamespace(**given.arguments))

        return run

    return join


def _is_default(value: Any, parameter: inspect.Parameter) -> bool:
    default = parameter.default
    return value is default or (
        not isinstance(value, torch.Tensor) and type(value) is type(default) and value == default
    )
