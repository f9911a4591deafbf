"""Other forms of a network: each of its layers is asked for its own, spelled out or as Linear and ReLU alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import torch
from torch import Tensor

from neon.errors import no_relu_form
from neon.nn.layer import Layer
from neon.nn.linear.layers import plain_linear

__all__ = ["first_number", "relu", "spelled_out"]


def first_number(layers: Iterable[torch.nn.Module]) -> Tensor:
    """A tensor of the dtype and device that layers take: their first floating buffer or parameter, else float64."""
    weights = chain.from_iterable(chain(layer.buffers(), layer.parameters()) for layer in layers)
    return next((w for w in weights if w.is_floating_point()), torch.zeros((), dtype=torch.float64))


def spelled_out(layers: Iterable[torch.nn.Module], n_features: int) -> torch.nn.Sequential:
    """The network with every layer spelled out: same outputs, relevance and residuals.

    Parameters
    ----------
    layers : iterable of Module
        Such as a `torch.nn.Sequential`.
    n_features : int
        How many columns the first layer reads.
    """
    found: list[torch.nn.Module] = []
    for layer, n in _with_widths(_flat(layers), n_features):
        found += layer.spelled_out(n) if isinstance(layer, Layer) else [layer]
    return torch.nn.Sequential(*found)


def relu(layers: Iterable[torch.nn.Module], n_features: int) -> torch.nn.Sequential:
    """The network as `torch.nn.Linear` and `torch.nn.ReLU` alone: same outputs.

    Squared distances have no such form, their differences do. Where a layer further on drops what all columns of a row
    have in common, a distance is therefore the linear map that it is up to such an amount (`Layer.relative`).

    Parameters
    ----------
    layers, n_features : as in `spelled_out`

    Raises
    ------
    ValueError
        If a layer has no such form; it says why.
    """
    flat = list(_flat(layers))
    found: list[torch.nn.Module] = []
    was_relative = False
    for i, (layer, n) in enumerate(_with_widths(flat, n_features)):
        linear = layer.relative() if isinstance(layer, Layer) and _dropped(flat[i + 1 :]) else None
        made = [linear] if linear is not None else _relu(layer, n)
        if was_relative and made and isinstance(found[-1], torch.nn.Linear) and isinstance(made[0], torch.nn.Linear):
            found[-1], made = _joined(found[-1], made[0]), made[1:]
        found += made
        was_relative = linear is not None
    return torch.nn.Sequential(*found)


def _relu(layer: torch.nn.Module, n: int) -> list[torch.nn.Module]:
    if isinstance(layer, Layer):
        return layer.relu(n)
    if isinstance(layer, (torch.nn.Linear, torch.nn.ReLU)):
        return [layer]
    raise no_relu_form(f"{type(layer).__name__} is not made of Linear and ReLU alone")


def _flat(layers: Iterable[torch.nn.Module]) -> Iterator[torch.nn.Module]:
    """The layers, sequences of layers taken apart."""
    for layer in layers:
        if isinstance(layer, torch.nn.Sequential):
            yield from _flat(layer)
        elif not isinstance(layer, torch.nn.Identity):
            yield layer


def _with_widths(layers: Iterable[torch.nn.Module], n_features: int) -> Iterator[tuple[torch.nn.Module, int]]:
    """Each layer with the number of columns that it reads: the layers tell it of a batch without rows."""
    layers = list(layers)
    x = first_number(layers).new_zeros(0, n_features)
    before: torch.nn.Module = torch.nn.Identity()
    for layer in layers:
        with torch.no_grad():
            x, before = before(x), layer
        yield layer, x.shape[1]


def _dropped(following: Sequence[torch.nn.Module]) -> bool:
    """Whether an amount that all columns have in common leaves no trace behind these layers."""
    for layer in following:
        fate = layer.of_common() if isinstance(layer, Layer) else "seen"
        if fate != "kept":
            return fate == "dropped"
    return False


def _joined(first: torch.nn.Linear, second: torch.nn.Linear) -> torch.nn.Linear:
    """Two linear maps as one."""
    weight = second.weight.to(first.weight)
    bias = weight.new_zeros(len(weight)) if second.bias is None else second.bias.to(weight)
    bias = bias if first.bias is None else bias + weight @ first.bias
    return plain_linear(weight @ first.weight, bias).to(weight)
