"""Chains of networks: each reads what the ones before it gave."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from neon.nn.forms import spelled_out
from neon.nn.layer import Layer

__all__ = ["Chain"]


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

    def spelled_out(self, n_inputs: int) -> list[torch.nn.Module]:
        scores = [spelled_out([score], n_inputs + i) for i, score in enumerate(self.scores)]
        hands = [
            made if hand is score else spelled_out([hand], n_inputs + i)
            for i, (hand, score, made) in enumerate(zip(self.hands, self.scores, scores, strict=True))
        ]
        return [Chain(scores, hands, self.places)]
