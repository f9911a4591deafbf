"""Networks that read the same columns, and chains of networks that read what the ones before them gave."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from neon.nn.layer import Layer

__all__ = ["Chain", "Columns", "InParallel"]


class InParallel(Layer):
    """Networks of the same columns; their outputs stand side by side."""

    def __init__(self, branches: Sequence[torch.nn.Module]) -> None:
        super().__init__()
        self.branches = torch.nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)


class Chain(Layer):
    """Networks that each read the columns and what the networks before them hand on.

    Parameters
    ----------
    scores : sequence of Module
        What each gives: (n_samples, 1).
    hands : sequence of Module
        What each hands on to those after it: (n_samples, 1).
    places : sequence of int
        Which of them stands at each place of the output.
    """

    def __init__(
        self, scores: Sequence[torch.nn.Module], hands: Sequence[torch.nn.Module], places: Sequence[int]
    ) -> None:
        super().__init__()
        self.scores, self.hands = torch.nn.ModuleList(scores), torch.nn.ModuleList(hands)
        self.places = list(places)

    def forward(self, x: Tensor) -> Tensor:
        given, handed = [], [x]
        for i, (score, hand) in enumerate(zip(self.scores, self.hands, strict=True)):
            read = torch.cat(handed, dim=1) if i else x
            given.append(score(read))
            if i < len(self.scores) - 1:
                handed.append(given[-1] if hand is score else hand(read))
        return torch.cat([given[place] for place in self.places], dim=1)


class Columns(Layer):
    """Some of the columns; index : (n_columns,)."""

    index: Tensor

    def __init__(self, index: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("index", torch.as_tensor(list(index), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        return x.index_select(1, self.index)

    def extra_repr(self) -> str:
        return f"{len(self.index)} columns"
