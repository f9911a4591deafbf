"""Targets as callers name them: labels of classes, names of outputs, or indices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from neon.converters import Network
from neon.lrp.targets import Contrast, LogOdds

__all__ = ["contrasted", "in_words", "output_indices", "resolved"]


def resolved(target: Any, network: torch.nn.Module, n_rows: int, names: Sequence[str] | None = None) -> Any:
    """Put a contrast in place of a tuple, and output indices, one for each row, in place of labels; keep other targets.

    Raises
    ------
    ValueError
        If a tuple names no two outputs; if log-odds are asked for of outputs from which they do not follow.
    """
    if isinstance(target, tuple):
        if len(target) != 2:
            raise ValueError(
                f"target {target!r}: a tuple names two outputs, of which the first is explained against the second; "
                "give a list for one target per row"
            )
        target = Contrast(*target)
    if isinstance(target, Contrast):
        return _of_indices(target, network, n_rows, names)
    if not isinstance(network, Network) or not isinstance(target, LogOdds):
        return target
    if "log_odds" in network.gives:
        return target.index  # they are log-odds already
    if "logits" not in network.gives:
        raise ValueError(
            f"LogOdds is of the logits before a softmax; this model is explained as {network.explains!r}: give the "
            'class as target, or output="log_odds" to Explainer where the model has it'
        )
    return LogOdds(output_indices(network, target.index, n_rows, names))  # type: ignore[arg-type]


def _of_indices(target: Contrast, network: torch.nn.Module, n_rows: int, names: Sequence[str] | None) -> Contrast:
    places = target.index, target.against
    if not isinstance(network, Network) and any(isinstance(p, tuple) or np.ndim(p) > 1 for p in places):
        return target  # places in maps
    first, second = (output_indices(network, place, n_rows, names) for place in places)
    if n_rows and (first == second).all():
        raise ValueError("target: an output against itself is 0 everywhere; name two outputs that differ")
    return Contrast(first, second)  # type: ignore[arg-type]


def in_words(target: Any, explains: str, names: Sequence[str]) -> str:
    """What is explained, given what the outputs are and, of a contrast, what its pairs are called."""
    if isinstance(target, LogOdds):
        return f"log-odds of a class, from each: {explains}"
    if not isinstance(target, Contrast):
        return explains
    pair = f"{names[0]}: " if len(names) == 1 else ""
    return f"{pair}difference of two outputs, each: {explains}"


def contrasted(target: Contrast, names: Sequence[str] | None, n_rows: int) -> tuple[tuple[str, ...], np.ndarray]:
    """What each pair is called, "a against b", and which of them each row has, (n_rows,).

    names : of the outputs. Default: they have none.
    """
    if not isinstance(target.index, np.ndarray):  # places in maps
        return (f"output {target.index} against output {target.against}",), np.zeros(n_rows, dtype=np.int64)
    pairs = np.stack([target.index, target.against], axis=1)
    kinds, which = np.unique(pairs, axis=0, return_inverse=True)
    called = [[f"output {k}" if names is None else names[k] for k in pair] for pair in kinds.tolist()]
    return tuple(f"{a} against {b}" for a, b in called) or ("contrast",), which.reshape(n_rows)


def output_indices(
    network: torch.nn.Module, target: Any, n_rows: int, names: Sequence[str] | None = None
) -> np.ndarray:
    """The output that each row's target means, (n_rows,).

    Parameters
    ----------
    network : Network or torch.nn.Module
        Of a network, a label or the name of an output wins over an index; outputs of a module have indices alone.
    target : label, name or index, or a sequence of them with one per row
    names : sequence of str, optional
        What the outputs are called. Default: as the network calls them.

    Raises
    ------
    ValueError
        If there is no such output, or not one target per row.
    """
    labels = np.asarray(target)
    if labels.ndim == 0:
        return np.full(n_rows, _index(network, labels[()], names))
    if labels.shape != (n_rows,):
        raise ValueError(f"target must be one label or one per row ({n_rows}), got shape {labels.shape}")
    table = {label: _index(network, label, names) for label in dict.fromkeys(labels.tolist())}
    return np.array([table[label] for label in labels.tolist()], dtype=int)


def _index(network: torch.nn.Module, label: Any, names: Sequence[str] | None) -> int:
    label = label.item() if isinstance(label, np.generic) else label
    known = network if isinstance(network, Network) else None
    classes = None if known is None else known.classes
    if classes is not None:
        found = np.flatnonzero(np.asarray(classes) == label)
        if len(found):
            return int(found[0])
        if np.asarray(classes).dtype.kind in "iufb" and not isinstance(label, str):
            raise ValueError(
                f"unknown target {label!r}: no class label; choose from {np.asarray(classes).tolist()} or 'all'"
            )
    outputs = names or (None if known is None else known.output_names)
    if isinstance(label, str) and outputs is not None and label in outputs:
        return list(outputs).index(label)
    whole = isinstance(label, int) and not isinstance(label, bool)
    if whole and (outputs is None or 0 <= label < len(outputs)):
        return label
    choice = "give an index" if outputs is None else f"choose from {list(outputs)}, an index, or 'all'"
    raise ValueError(f"unknown target {label!r}; {choice}")
