"""Partial dependence where the network is a sum of trees of single columns: by sums over leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from neon.converters import Network
from neon.lrp.composites import by_name
from neon.lrp.forward import tape_of
from neon.lrp.paths.front import front_of
from neon.lrp.paths.mean_slopes import kind_of
from neon.lrp.paths.terms import Background
from neon.lrp.propagate import assign
from neon.nn.trees.operation import TreeTerms
from neon.nn.trees.partial import Grids, partial_effects

__all__ = ["effects_of_trees"]


@torch.no_grad()
def effects_of_trees(
    network: Network,
    output: int,
    points: Tensor,
    parts: Mapping[int, slice],
    wanted: Sequence[tuple[int, ...]],
    rows: Tensor,
    weights: Tensor,
) -> list[np.ndarray] | None:
    """Effects as `partial_effects` gives them; None where the network is more than a sum of trees of single columns.

    Parameters
    ----------
    points : (n_points, n_encoded)
        Grid points of all features, as the network reads them.
    parts : mapping of int to slice
        Those of each of the caller's columns.
    rows : (n_reference, n_encoded)
    """
    encoding = network.intake.encoding
    if encoding is not None and (encoding.states or np.any(np.asarray(encoding.source) < 0)):
        return None  # columns made of several, which grid points of one would not hold
    tape = tape_of(network, (points,), memory="high", names=False, relative=True)
    (x,) = tape.inputs
    background = {x: Background(rows, weights)}
    front = front_of(assign(tape, by_name("shapley")), x, tape.output, points, background)
    if any(kind_of(step) != "linear" for step in front.rest):
        return None
    slot = torch.zeros(1, len(network.output_names), dtype=points.dtype)
    slot[0, output] = 1
    slopes, _ = front.slopes([terms.end for terms in front.terms], slot)
    made_of = np.arange(points.shape[1]) if encoding is None else np.asarray(encoding.source)
    total = [np.zeros([parts[feature].stop - parts[feature].start for feature in features]) for features in wanted]
    for terms, slope, source in zip(front.terms, slopes, front.sources, strict=True):
        if not isinstance(terms, TreeTerms):
            return None
        forest, (reference, portions) = terms.forest, terms.references
        assert reference is not None
        assert portions is not None
        read = source[torch.as_tensor(forest.paths.codes.used)].numpy()
        grids = Grids(terms.codes, parts, np.where(read < 0, -1, made_of[read]))
        found = partial_effects(forest, slope[0], grids, wanted, reference, portions)
        for effect, part in zip(total, found, strict=True):
            effect += part.numpy()
    return total
