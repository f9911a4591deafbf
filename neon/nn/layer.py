"""What functions of neon need to be one step of a tape each, and modules that hold the arguments of such a function."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable
from typing import Any, ClassVar, Literal, ParamSpec, TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from neon.errors import no_relu_form

__all__ = ["Layer", "fixed", "operation"]

P = ParamSpec("P")
R = TypeVar("R")


def operation(function: Callable[P, R]) -> Callable[P, R]:
    """Make a function of tensors one step of a tape, for which `neon.lrp.operations.treat` registers a treatment.

    It joins torch's override protocol: while a tape records, or where an argument is of a class that overrides torch
    functions, these are called with the function. They see all of its arguments in the order of its signature, those
    left out as the defaults that they have, so that ``Call.bound`` gives a treatment one value for each parameter.

    Raises
    ------
    TypeError
        If a parameter cannot be given both by its place and by its name.
    """
    signature = inspect.signature(function)
    for parameter in signature.parameters.values():
        if parameter.kind is not parameter.POSITIONAL_OR_KEYWORD:
            raise TypeError(
                f"{function.__name__}{signature}: the parameter {parameter.name!r} of an operation is "
                f"{parameter.kind.description}; a treatment gets the arguments in their order, so declare it without "
                "* and /"
            )
    n_parameters = len(signature.parameters)

    @functools.wraps(function)
    def overridable(*args: P.args, **kwargs: P.kwargs) -> R:
        if not has_torch_function((*args, *kwargs.values())):
            return function(*args, **kwargs)
        every: tuple[Any, ...] = args
        if kwargs or len(args) < n_parameters:
            given = signature.bind(*args, **kwargs)
            given.apply_defaults()
            every = given.args
        found: R = handle_torch_function(overridable, every, *every)  # type: ignore[call-arg]
        return found

    return overridable


def fixed(values: ArrayLike | Tensor) -> Tensor:
    """A float64 tensor of its own, for a buffer."""
    if not isinstance(values, Tensor):
        values = np.array(values, dtype=np.float64)
    return torch.as_tensor(values, dtype=torch.float64).detach().clone()


class _OfClass:
    """The signature of a class; its instances do not have it, as they are called with other arguments."""

    def __init__(self, signature: inspect.Signature) -> None:
        self.signature = signature

    def __get__(self, instance: object | None, owner: type) -> inspect.Signature:
        if instance is not None:
            raise AttributeError("__signature__")
        return self.signature


class Layer(torch.nn.Module):
    """A module that runs a function, and holds its arguments but for the first, the values that come from below.

    ``class ManhattanDistance(Layer, of=manhattan_distance)`` is complete: the constructor takes the other parameters of
    the function, by their names and with their defaults, and ``forward`` runs it. What the function takes as tensors is
    kept as float64 buffers (those of ``index_names`` as they are), all else as attributes, lists as tuples, under the
    parameters' names. Buffers that are read elsewhere are annotated in the class, for type checkers.

    A layer without such a function has a constructor and a ``forward`` of its own.
    """

    __signature__: ClassVar[_OfClass]
    operation: ClassVar[Callable[..., Any]]
    takes: ClassVar[inspect.Signature] = inspect.Signature()
    buffer_names: ClassVar[frozenset[str]] = frozenset()
    index_names: ClassVar[tuple[str, ...]] = ()  # tensors of whole numbers
    option_names: ClassVar[tuple[str, ...]] = ()  # what the constructor takes by name only
    n_values: ClassVar[int] = 1  # how many arguments come from below
    no_relu: ClassVar[str] = ""  # why there is no ReLU form, in words
    jumps: ClassVar[bool] = False  # whether slopes miss by how much it changes

    def __init_subclass__(cls, of: Callable[..., Any] | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if of is not None:
            cls.operation = staticmethod(of)
            taken = list(inspect.signature(of).parameters.values())[cls.n_values :]
            cls.takes = inspect.Signature(
                [each.replace(kind=each.KEYWORD_ONLY) if each.name in cls.option_names else each for each in taken]
            )
            hints = typing.get_type_hints(of)
            cls.buffer_names = frozenset(name for name in cls.takes.parameters if _is_tensor(hints.get(name)))
        own = list(inspect.signature(cls.__init__).parameters.values())[1:]
        named = [parameter for parameter in own if parameter.kind is parameter.POSITIONAL_OR_KEYWORD]
        if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in own):  # the others are handed on
            names = {parameter.name for parameter in named}
            own = named + [parameter for name, parameter in cls.takes.parameters.items() if name not in names]
        cls.__signature__ = _OfClass(inspect.Signature(own))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        try:
            given = self.takes.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{type(self).__name__}{self.takes}: {error}") from None
        given.apply_defaults()
        for name, value in given.arguments.items():
            if name not in self.buffer_names:
                setattr(self, name, tuple(value) if isinstance(value, list) else value)
            elif value is None:
                self.register_buffer(name, None)
            elif name in self.index_names:
                self.register_buffer(name, torch.as_tensor(value).detach().clone())
            else:
                self.register_buffer(name, fixed(value))

    def held(self) -> tuple[Any, ...]:
        """The arguments of the function that the layer holds."""
        return tuple(getattr(self, name) for name in self.takes.parameters)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.operation(x, *self.held())
        return found

    def extra_repr(self) -> str:
        parts = []
        for name, value in zip(self.takes.parameters, self.held(), strict=True):
            if isinstance(value, Tensor):
                parts.append(f"{name}={tuple(value.shape)}")
            elif value is not None:
                parts.append(f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}")
        return ", ".join(parts)

    def spelled_out(self, n_inputs: int) -> list[torch.nn.Module]:
        """The same function, relevance and residuals, each step a layer; n_inputs : how many columns it reads."""
        return [self]

    def relu(self, n_inputs: int) -> list[torch.nn.Module]:
        """The same function as `torch.nn.Linear` and `torch.nn.ReLU` alone.

        Raises
        ------
        ValueError
            If there is none.
        """
        raise no_relu_form(self.no_relu or f"{type(self).__name__} is not made of Linear and ReLU alone")

    def relative(self) -> torch.nn.Linear | None:
        """A linear map to the outputs up to an amount that all of a row's have in common, where there is one."""
        return None

    def of_common(self) -> Literal["seen", "kept", "dropped"]:
        """What becomes of an amount that all inputs of a row have in common: all outputs have it, or none, or else."""
        return "seen"


def _is_tensor(hint: Any) -> bool:
    """Whether a parameter is a tensor, or a tensor or None."""
    return hint is Tensor or (typing.get_origin(hint) in (typing.Union, types.UnionType) and Tensor in hint.__args__)
