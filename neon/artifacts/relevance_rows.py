"""Explanations as rows that can be compared: maps added up to tables, smaller images, each row on its own scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.preprocessing import normalize as normalized

from neon.converters.core.containers import column_names
from neon.explanation import Explanation

__all__ = ["RelevanceRows"]

_NORMS = ("l1", "l2", "max")


@dataclass(frozen=True, eq=False)
class RelevanceRows:
    """Relevance of each row.

    values : (n_rows, n_features), normalized; shape : of a row, (n_features,) or (height, width); feature_names : of
    tables, else empty; outputs : (n_rows,), the name of what each row explains, if that is known.
    """

    values: np.ndarray
    shape: tuple[int, ...]
    feature_names: tuple[str, ...]
    outputs: np.ndarray | None

    @classmethod
    def read(cls, explanations: Any, shape: tuple[int, ...] | None, pool: int, norm: str | None) -> RelevanceRows:
        """What `neon.spray` is given.

        Raises
        ------
        ValueError
            If it is no relevance of several rows, of one output each, or the options do not fit.
        """
        names: tuple[str, ...] = ()
        outputs = None
        if isinstance(explanations, Explanation):
            if explanations.target is None:
                raise ValueError(
                    "the explanation is of all outputs; select one first: "
                    f"explanation.select({explanations.output_names[0]!r})"
                )
            names = explanations.feature_names if len(explanations.feature_shape) == 1 else ()
            outputs = np.array(explanations.output_names, dtype=object)[explanations.target]
            explanations = explanations.values
        elif hasattr(explanations, "detach"):
            explanations = explanations.detach().cpu().numpy()
        else:
            names = tuple(column_names(explanations) or ())
        values = np.asarray(explanations, dtype=np.float64)
        if values.ndim < 2 or len(values) < 3 or 0 in values.shape:
            raise ValueError(f"expected relevance of at least three rows, (n_rows, ...), got shape {values.shape}")
        if not np.isfinite(values).all():
            raise ValueError("relevance contains NaN or infinity; leave such rows out")
        if norm is not None and norm not in _NORMS:
            raise ValueError(f"normalize must be one of {list(_NORMS)} or None, got {norm!r}")
        maps = _pooled(_maps(values, shape), pool)
        flat = maps.reshape(len(maps), -1)
        if maps.ndim > 2 or len(names) != flat.shape[1]:
            names = () if maps.ndim > 2 else tuple(f"feature {i}" for i in range(flat.shape[1]))
        return cls(flat if norm is None else normalized(flat, norm=norm), maps.shape[1:], names, outputs)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def alike(self) -> bool:
        """Whether all rows are the same, up to single precision: no clusters, and no map that could show any."""
        spread = np.ptp(self.values, axis=0).max(initial=0.0)
        return bool(spread <= 1e-6 * np.abs(self.values).max(initial=0.0))

    def name_of(self, feature: int) -> str:
        """The name of a feature, or where it is in the image: (y, x)."""
        if self.feature_names:
            return self.feature_names[feature]
        return str(tuple(int(i) for i in np.unravel_index(feature, self.shape)))


def _maps(values: np.ndarray, shape: tuple[int, ...] | None) -> np.ndarray:
    """Rows as tables (n_rows, n_features) or images (n_rows, height, width), whose channels are added up."""
    if shape is not None:
        if np.prod(shape) != np.prod(values.shape[1:]):
            raise ValueError(f"shape {shape} does not fit rows of shape {values.shape[1:]}")
        values = values.reshape(len(values), *shape)
    if values.ndim == 4:
        last = values.shape[-1] <= 4 < values.shape[1]  # channels come first, as in torch; last, if that axis is short
        values = values.sum(-1 if last else 1)
    if values.ndim > 3:
        raise ValueError(
            "expected rows of a table or images, (n_features,), (height, width) or (channels, height, width), got "
            f"{values.shape[1:]}; reshape them"
        )
    return values


def _pooled(maps: np.ndarray, pool: int) -> np.ndarray:
    """Sums over squares of pixels; smaller ones at the far edges."""
    if not isinstance(pool, int | np.integer) or pool < 1 or (pool > 1 and maps.ndim != 3):
        raise ValueError(
            f"pool must be a whole number of pixels, at least 1, and is of images (features of a table are added up by "
            f"explanation.group); got {pool!r} for rows of shape {maps.shape[1:]}"
        )
    if pool == 1:
        return maps
    for axis in (1, 2):
        maps = np.add.reduceat(maps, np.arange(0, maps.shape[axis], pool), axis=axis)
    return maps
