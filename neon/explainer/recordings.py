"""What one recording of a few rows gives, by the target: outputs, weighted sums of them, what a callable makes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neon.explainer.chunks import Chunk
from neon.lrp.propagate import Walk
from neon.lrp.recorded import Recording
from neon.lrp.targets import Contrast, LogOdds, checked_index
from neon.nn.trees.alone import TreesAlone

__all__ = ["chunk_of", "of_callable", "of_contrast", "of_outputs", "of_trees", "of_weighted_outputs"]


def chunk_of(
    recording: Recording,
    target: Any,
    predicted: Callable[[Tensor], Tensor],
    pairs: Callable[[Tensor], Tensor] | None,
    *,
    fitted: bool,
) -> Chunk:
    """Explain whatever a target is; predicted, pairs : as for `of_outputs`.

    fitted : whether the network is that of a fitted model, of which a contrast is a difference of two explanations.
    """
    contrast = isinstance(target, Contrast) and fitted
    if isinstance(target, Contrast | LogOdds) and not contrast:
        return of_weighted_outputs(recording, target)
    if callable(target) and not contrast:
        return of_callable(recording, target)
    outputs = partial(of_outputs, recording, predicted=predicted, pairs=pairs)
    return of_contrast(outputs, target) if contrast else outputs(target)


def of_outputs(
    recording: Recording, target: Any, predicted: Callable[[Tensor], Tensor], pairs: Callable[[Tensor], Tensor] | None
) -> Chunk:
    """Explain each row's own output, or all of them.

    Parameters
    ----------
    target : None, "all", or output indices (n_rows,)
        None: the predicted ones.
    predicted : callable
        Outputs (n_rows, n_outputs) -> the predicted one's index (n_rows,).
    pairs : callable, optional
        Output indices (n_rows,) -> interactions of features.

    Raises
    ------
    ValueError
        If the output has other axes than those of rows and outputs.
    """
    explained = recording.explained
    single = explained.ndim == 1  # one number a row, without an axis of outputs
    output = explained[:, None] if single else explained
    if output.ndim != 2:
        raise ValueError(f"the model's output has shape {tuple(output.shape)}; give a callable as target")
    n, n_outputs = output.shape
    every = isinstance(target, str)
    if every:
        columns = [torch.full((n,), c, device=output.device) for c in range(n_outputs)]
    else:
        columns = [predicted(output) if target is None else checked_index(target, n, n_outputs, output.device)]
    interactions = [] if pairs is None else [pairs(column) for column in columns]
    base = None if recording.base is None else recording.base.reshape(1, -1)
    zero = torch.zeros(n, dtype=output.dtype, device=output.device)

    def stack(tensors: list[Tensor]) -> Tensor:
        return torch.stack(tensors, -1) if every else tensors[0]

    def at(outputs: Tensor, column: Tensor) -> Tensor:
        return outputs.expand_as(output).gather(1, column[:, None])[:, 0]

    def relative_to(walk: Walk, column: Tensor) -> Tensor:
        if walk.base is not None:
            return walk.base
        return zero if base is None else at(base, column)

    values = zero
    bases: list[Tensor] = []
    absorbed: list[dict[str, Tensor]] = []
    for k, column in enumerate(columns):  # one walk in memory at a time
        walk = recording.propagate(None if single else column, account=True)
        relevance = walk.relevance[0]
        if not k:
            values = relevance.new_empty((*relevance.shape, n_outputs)) if every else relevance
        if every:
            values[..., k] = relevance
        bases.append(relative_to(walk, column))
        absorbed.append(walk.ledger.absorbed)
    names = dict.fromkeys(name for amounts in absorbed for name in amounts)
    return Chunk(
        values=values,
        base=stack(bases),
        prediction=stack([at(output, column) for column in columns]),
        residuals={name: stack([amounts.get(name, zero) for amounts in absorbed]) for name in names},
        target=None if every else columns[0],
        n_outputs=n_outputs,
        interactions=stack(interactions) if interactions else None,
        logits=explained is not recording.output,
    )


def of_trees(
    trees: TreesAlone, rows: np.ndarray, target: np.ndarray | None, predicted: Callable[[Tensor], Tensor]
) -> Chunk:
    """Explain each row's own output, of trees that are the whole network; arguments as for `of_outputs`."""
    codes, output = trees.run(rows)
    f = torch.from_numpy(output)
    index = predicted(f) if target is None else checked_index(target, len(rows), output.shape[1], f.device)
    chosen = index.numpy()
    slope = np.zeros_like(output)
    each = np.arange(len(rows))
    slope[each, chosen] = 1.0
    return Chunk(
        values=torch.from_numpy(trees.relevance(codes, slope)),
        base=torch.from_numpy(trees.start[chosen]),
        prediction=torch.from_numpy(output[each, chosen]),
        residuals={},
        target=index,
        n_outputs=output.shape[1],
    )


def of_contrast(of: Callable[[Any], Chunk], target: Contrast) -> Chunk:
    """The difference of two explanations, part by part.

    Explained in one go, a difference of outputs may find another root point, or another quadrature, than each of them.

    Parameters
    ----------
    of : callable
        Output indices (n_rows,) -> their explanation.
    target : Contrast
        Of indices (n_rows,).
    """
    a, b = of(target.index), of(target.against)
    zero = torch.zeros_like(a.prediction)
    return Chunk(
        values=a.values - b.values,
        base=a.base - b.base,
        prediction=a.prediction - b.prediction,
        residuals={
            name: a.residuals.get(name, zero) - b.residuals.get(name, zero)
            for name in dict.fromkeys([*a.residuals, *b.residuals])
        },
        target=torch.zeros(len(zero), dtype=torch.int64),
        interactions=None if a.interactions is None or b.interactions is None else a.interactions - b.interactions,
        logits=a.logits,
    )


def of_callable(recording: Recording, target: Callable[[Tensor], Tensor]) -> Chunk:
    """Explain what a callable makes of the output."""
    start = target(recording.output)
    walk = recording.propagate(target, account=True)
    total = start.reshape(len(start), -1).sum(1)
    return Chunk(
        values=walk.relevance[0],
        base=torch.zeros_like(total),
        prediction=total,
        residuals=walk.ledger.absorbed,
        target=torch.zeros(len(total), dtype=torch.int64),
    )


def of_weighted_outputs(recording: Recording, target: Contrast | LogOdds) -> Chunk:
    """Explain a weighted sum of the outputs, as their explanations add up; the entropy of log-odds stands apart."""
    output = recording.explained.double()
    weights, walk = target.weights(output), recording.propagate(target, account=True)
    residuals = dict(walk.ledger.absorbed)
    prediction = (weights * output).flatten(1).sum(1)
    base = torch.zeros_like(prediction) if recording.base is None else (weights * recording.base).flatten(1).sum(1)
    base = base if walk.base is None else walk.base
    if isinstance(target, Contrast):
        zeros = torch.zeros(len(output), dtype=torch.int64)
        return Chunk(walk.relevance[0], base, prediction, residuals, zeros)
    entropy = target.entropy(output)
    residuals["entropy"] = residuals.get("entropy", 0.0) - entropy
    index = checked_index(target.index, len(output), output.shape[1], output.device)
    return Chunk(walk.relevance[0], base, prediction - entropy, residuals, index, output.shape[1])
