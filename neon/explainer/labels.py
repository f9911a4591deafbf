"""Targets as callers name them: labels of classes, names of outputs, or indices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from neon.converters import Network
from neon.lrp.targets import Contrast, LogOdds

__all__ = ["in_words", "output_indices", "resolved"]


def resolved(target: Any, network: torch.nn.Module, n_rows: int, names: Sequence[str] | None = None) -> Any:
    """Put output indices, one for each row, in place of the labels of a contrast or log-odds; keep other targets.

    Raises
    ------
    ValueError
        If log-odds are asked for of outputs from which they do not follow.
    """
    if not isinstance(network, Network):
        return target
    if isinstance(target, Contrast):
        first, second = (output_indices(network, place, n_rows, names) for place in (target.index, target.against))
        return Contrast(first, second)  # type: ignore[arg-type]
    if not isinstance(target, LogOdds):
        return target
    if "log_odds" in network.gives:
        return target.index  # they are log-odds already
    if "logits" not in network.gives:
        raise ValueError(
            f"LogOdds is of the logits before a softmax; this model is explained as {network.explains!r}: give the "
            'class as target, or output="log_odds" to Explainer where the model has it'
        )
    return LogOdds(output_indices(network, target.index, n_rows, names))  # type: ignore[arg-type]


def in_words(target: Any, explains: str, names: Sequence[str] | None) -> str:
    """What is explained, given what the outputs are."""
    if isinstance(target, LogOdds):
        return f"log-odds of a class, from each: {explains}"
    if not isinstance(target, Contrast):
        return explains
    pairs = [] if names is None else np.unique(np.stack([target.index, target.against], axis=1), axis=0).tolist()
    if len(pairs) != 1 or names is None:
        return f"difference of two outputs, each: {explains}"
    a, b = pairs[0]
    return f"{names[a]!r} less {names[b]!r}, each: {explains}"


def output_indices(
    network: torch.nn.Module, target: Any, n_rows: int, names: Sequence[str] | None = None
) -> np.ndarray:
    """The output that each row's target means, (n_rows,).

    Parameters
    ----------
    network : Network or torch.nn.Module
        Where it has ``classes`` or ``output_names``, a label wins over an index.
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
    classes = getattr(network, "classes", None)
    if classes is not None:
        found = np.flatnonzero(np.asarray(classes) == label)
        if len(found):
            return int(found[0])
        if np.asarray(classes).dtype.kind in "iufb" and not isinstance(label, str):
            raise ValueError(
                f"unknown target {label!r}: no class label; choose from {np.asarray(classes).tolist()} or 'all'"
            )
    outputs = names or getattr(network, "output_names", None)
    if isinstance(label, str) and outputs is not None and label in outputs:
        return list(outputs).index(label)
    whole = isinstance(label, int) and not isinstance(label, bool)
    if whole and (outputs is None or 0 <= label < len(outputs)):
        return label
    known = "" if outputs is None else f"; choose from {list(outputs)}, an index, or 'all'"
    raise ValueError(f"unknown target {label!r}{known}")
