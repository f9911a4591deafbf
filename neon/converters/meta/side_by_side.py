"""Several estimators of the same columns as one network."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import sparse

from neon.converters.compose.linear_maps import as_linear
from neon.converters.core import Conversion, Encoding, of_members
from neon.converters.core.arrays import unchanged
from neon.converters.core.defaults import family_of_all
from neon.lrp.composites import Composite
from neon.nn import Affine, Linear, SideBySide
from neon.nn.linear.layers import Selection
from neon.nn.linear.side_by_side import InParallel

__all__ = ["beside", "common", "on_arrays", "shared_reference", "shared_words"]


def beside(parts: Sequence[Conversion], *, given: Sequence[str]) -> Conversion:
    """Members that read the caller's columns side by side: their outputs one after the other.

    Without encodings they read the same columns. With them, each reads the columns of its own, which stand side by
    side; relevance goes back by their provenance.

    Parameters
    ----------
    given : sequence of str
        Names of the caller's columns.
    """
    branches = [part.layers for part in parts]
    background = None
    if all(part.encoding is None for part in parts):
        folds = all(part.takes_reference for part in parts)
        encoding, layers = None, _parallel(branches, len(given), folds)
        reference = shared_reference([part.reference for part in parts])
        background = of_members(part.background for part in parts)
    else:
        encodings = [part.encoding or _numbers(given) for part in parts]
        sizes = [len(e.source) for e in encodings]
        encoding = _joined(encodings)
        layers = torch.nn.Sequential(SideBySide(branches, sizes))
        reference = _joined_reference([part.reference for part in parts], sizes)
    traits = common(parts)
    return Conversion(
        layers,
        parts[0].explains,
        tuple(name for part in parts for name in part.output_names),
        np.asarray,
        reference=reference if traits["takes_reference"] else None,
        reference_words=shared_words(parts),
        background=background,
        encoding=encoding,
        **traits,
    )


def common(parts: Sequence[Conversion]) -> dict[str, Any]:
    """What holds for several members together."""
    return {
        "composite": _composite(parts),
        "family": family_of_all([part.family for part in parts]),
        "takes_reference": all(part.takes_reference for part in parts),
        "missing": any(part.missing for part in parts),
        "takes_infinity": all(part.takes_infinity for part in parts),
        "single": parts[0].single if len({part.single for part in parts}) == 1 else "",
        "thresholds": any(part.thresholds for part in parts),
        "rounding": max(part.rounding for part in parts),
        "infinite": any(part.infinite for part in parts),
        "n_features": next((part.n_features for part in parts if part.n_features is not None), None),
    }


def _parallel(branches: Sequence[torch.nn.Sequential], n_columns: int, folds: bool) -> torch.nn.Sequential:
    """Networks of the same columns; the linear maps that they start with as a single one.

    That leaves relevance as it is where it is relative to a reference, and else where there is one map alone.
    """
    if len(branches) == 1:
        return branches[0]
    cuts = [_linear_start(branch) for branch in branches]
    alone = all(cut == len(branch) == 1 for cut, branch in zip(cuts, branches, strict=True))
    if not all(cuts) or not (alone or folds):
        return torch.nn.Sequential(InParallel(branches))
    maps = [_folded(list(branch)[:cut], n_columns) for branch, cut in zip(branches, cuts, strict=True)]
    weight, bias = torch.cat([weight for weight, _ in maps]), torch.cat([bias for _, bias in maps])
    first = Linear(weight, bias)
    rests = [torch.nn.Sequential(*list(branch)[cut:]) for branch, cut in zip(branches, cuts, strict=True)]
    if not any(map(len, rests)):
        return torch.nn.Sequential(first)
    return torch.nn.Sequential(first, SideBySide(rests, [len(weight) for weight, _ in maps]))


def _linear_start(branch: torch.nn.Sequential) -> int:
    """How many layers from the first on are a linear map together; 0 if there is no matrix among them."""
    linear = (Linear, torch.nn.Linear)
    count = 0
    for i, layer in enumerate(branch):
        if not isinstance(layer, (Affine, *linear)) and not (i == 0 and isinstance(layer, Selection)):
            break
        count = i + 1 if isinstance(layer, linear) else count
    return count


def _folded(layers: list[torch.nn.Module], n_columns: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Layers as one linear map of all columns: weight and bias."""
    if not isinstance(layers[0], Selection):
        return as_linear(torch.nn.Sequential(*layers), n_columns)
    index = layers[0].index
    weight, bias = as_linear(torch.nn.Sequential(*layers[1:]), len(index))
    return torch.zeros(len(weight), n_columns, dtype=weight.dtype).index_add_(1, index, weight), bias


def _composite(parts: Sequence[Conversion]) -> str | Composite:
    """The members' rules: a composite of one's own, those of trees for the trees, and contributions elsewhere.

    LRP-ε, of perceptrons, is relative to no reference, which scores that are turned to probabilities need.
    """
    found = [part.composite for part in parts]
    built = [composite for composite in found if isinstance(composite, Composite)]
    return built[0] if built else "shapley" if "shapley" in found else "neon"


def shared_reference(references: Sequence[np.ndarray | None]) -> np.ndarray | None:
    """The members' reference rows together; a member without one takes those of the others.

    NaN stands for columns that a member does not read.
    """
    held = [np.atleast_2d(rows) for rows in references if rows is not None]
    if not held:
        return None
    if all(np.array_equal(rows, held[0]) for rows in held):
        return held[0]
    rows = np.concatenate(held)
    known = ~np.isnan(rows)
    middle = np.where(known, rows, 0.0).sum(0) / np.maximum(known.sum(0), 1)
    return np.where(known, rows, middle)  # of a column that a member does not read, the mean of the others' rows


def shared_words(parts: Sequence[Conversion]) -> str:
    """What the members' reference rows are."""
    return ", ".join(dict.fromkeys(part.reference_words for part in parts if part.reference_words))


def _joined_reference(references: Sequence[np.ndarray | None], sizes: Sequence[int]) -> np.ndarray | None:
    """Rows of all members' columns: each member's reference rows over and over, as many as the longest has."""
    if all(rows is None for rows in references):
        return None
    blocks = [
        np.zeros((1, size)) if rows is None else np.atleast_2d(rows)
        for rows, size in zip(references, sizes, strict=True)
    ]
    longest = max(map(len, blocks))
    return np.concatenate([rows[np.arange(longest) % len(rows)] for rows in blocks], axis=1)


def _numbers(given: Sequence[str]) -> Encoding:
    """Columns that are numbers, as they are."""
    return Encoding(unchanged, np.arange(len(given)), tuple(given))


def _joined(encodings: Sequence[Encoding]) -> Encoding:
    names = [name for encoding in encodings for name in encoding.names]
    if len(set(names)) < len(names):
        names = [f"{i}__{name}" for i, encoding in enumerate(encodings) for name in encoding.names]
    return Encoding.beside(encodings, tuple(names))


@dataclass(frozen=True, eq=False)
class _Array:
    """Columns of rows as an array, which is what a meta-estimator hands on that checks its input."""

    columns: np.ndarray

    def __call__(self, rows: Any) -> Any:
        rows = rows if sparse.issparse(rows) else np.asarray(rows)
        return rows[:, self.columns]


def on_arrays(part: Conversion, given: Sequence[str], columns: np.ndarray | None = None) -> Conversion:
    """A member that was fitted on an array of the caller's columns, or of some of them."""
    chosen = np.arange(len(given)) if columns is None else np.arange(len(given))[columns]
    part = dataclasses.replace(part, n_features=len(given), feature_names=None)
    if part.encoding is not None and part.encoding.records:
        return part
    if part.encoding is not None:
        picked = Encoding(_Array(chosen), chosen, tuple(given[i] for i in chosen.tolist()))
        return dataclasses.replace(part, encoding=picked.then(part.encoding))
    if len(chosen) == len(given) and (chosen == np.arange(len(given))).all():
        return part
    reference = None
    if part.reference is not None:
        reference = np.full((len(part.reference), len(given)), np.nan)  # of columns that it does not read
        reference[:, chosen] = part.reference
    body = torch.nn.Sequential(Selection(chosen.tolist()), *part.body)
    return dataclasses.replace(part, body=body, reference=reference, background=None)
