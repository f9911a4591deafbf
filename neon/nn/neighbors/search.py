"""Who is near: asked of the model's own search, whose answer is taken as given."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neon.lrp.operations import Held, treat
from neon.nn.distances.squared import SquaredDistance
from neon.nn.forms import spelled_out
from neon.nn.layer import Layer, operation
from neon.nn.linear.layers import Linear

__all__ = ["Neighborhood", "Search", "following", "neighbors_of"]

Search = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


@operation
def neighbors_of(x: Tensor, search: Search) -> tuple[Tensor, Tensor]:
    """The neighbours of each row, by a search that is not explained.

    Where distances tie, rounding decides who is a neighbour: only the model's own arithmetic decides as the model does.

    Parameters
    ----------
    x : (n_samples, n_features)
    search : callable
        ndarray (n_samples, n_features) -> index and weights, as they are returned.

    Returns
    -------
    index : Tensor (n_samples, most)
        Points; -1 where a row has fewer neighbours than others. Of floating dtype, as all values that a tape follows.
    weights : Tensor (n_samples, most)
        A number for each: its weight, its distance.
    """
    if not len(x):
        return x.new_zeros((0, 1)), x.new_zeros((0, 1))
    index, weights = search(x.detach().cpu().double().numpy())
    return torch.as_tensor(index).to(x), torch.as_tensor(weights).to(x)


def following(found: Tensor, d: Tensor, slope: Tensor) -> Tensor:
    """What the search found, as it is, with a slope in the distances: autograd knows nothing of the search."""
    return found + slope * (d - d.detach())


class Neighborhood(Layer):
    """What is computed from the distances of rows to points, and from who their neighbours are.

    Parameters
    ----------
    distance : list of layers
        From rows to their distances from the points.
    search : callable
        See `neighbors_of`.
    """

    n_values = 3
    no_relu = "the order of neighbours is taken as given"
    states: tuple[str, ...] = ("the neighbours",)

    def __init__(self, distance: list[torch.nn.Module], search: Search, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.distance = torch.nn.Sequential(*distance)
        self.search = search

    def look(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Distances (n_samples, n_points), and the neighbours' index and weights."""
        return self.distance(x), *neighbors_of(x, self.search)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.operation(*self.look(x), *self.held())
        return found

    def spelled_out(self, n_inputs: int) -> list[torch.nn.Module]:
        return [self._with_distance(spelled_out(self.distance, n_inputs))]

    def after(self, weight: Tensor, bias: Tensor | None) -> Neighborhood:
        """The same of ``W x + b``, as a layer that reads x."""
        first, *others = self.distance
        if isinstance(first, SquaredDistance):
            layers: list[torch.nn.Module] = [first.after(weight, bias), *others]
        else:
            layers = [Linear(weight, bias), first, *others]
        twin = self._with_distance(torch.nn.Sequential(*layers))
        twin.search = _After(self.search, Linear(weight, bias))
        return twin

    def _with_distance(self, distance: torch.nn.Sequential) -> Neighborhood:
        twin = copy.copy(self)
        twin._modules = {**self._modules, "distance": distance}
        return twin


@dataclass(frozen=True, eq=False)
class _After:
    """Neighbours of linearly mapped rows."""

    search: Search
    linear: Linear

    def __call__(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with torch.no_grad():
            return self.search(self.linear(torch.as_tensor(x)).numpy())


class _NeighborsOf(Held):
    """Who is near is held fixed."""

    looks = True
    mean_first = True  # the neighbours of several rows have no mean


treat(neighbors_of, by=_NeighborsOf())
