"""Targets as callers name them: labels of classes, names of outputs, or indices."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

__all__ = ["output_indices"]


def output_indices(network: torch.nn.Module, target: Any, n_rows: int) -> np.ndarray:
    """The output that each row's target means, (n_rows,).

    Parameters
    ----------
    network : Network or torch.nn.Module
        Where it has ``classes`` or ``output_names``, a label wins over an index.
    target : label, name or index, or a sequence of them with one per row

    Raises
    ------
    ValueError
        If there is no such output, or not one target per row.
    """
    labels = np.asarray(target)
    if labels.ndim == 0:
        return np.full(n_rows, _index(network, labels[()]))
    if labels.shape != (n_rows,):
        raise ValueError(f"target must be one label or one per row ({n_rows}), got shape {labels.shape}")
    table = {label: _index(network, label) for label in dict.fromkeys(labels.tolist())}
    return np.array([table[label] for label in labels.tolist()], dtype=int)


def _index(network: torch.nn.Module, label: Any) -> int:
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
    outputs = getattr(network, "output_names", None)
    if isinstance(label, str) and outputs is not None and label in outputs:
        return list(outputs).index(label)
    whole = isinstance(label, int) and not isinstance(label, bool)
    if whole and (outputs is None or 0 <= label < len(outputs)):
        return label
    known = "" if outputs is None else f"; choose from {list(outputs)}, an index, or 'all'"
    raise ValueError(f"unknown target {label!r}{known}")
