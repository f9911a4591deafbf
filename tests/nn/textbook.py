"""Distances and their relevance as the formulas say: one sample, one center and one feature at a time."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

__all__ = ["close", "distances", "draw", "lists", "metric_parts", "relevance"]


def draw(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(hash((seed, *shape)) % 2**32)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)


def metric_parts(kind: str, x: np.ndarray, u: np.ndarray, factor: np.ndarray | None = None) -> list[float]:
    """The parts of one distance, by feature: ``|δ_i|``, ``δ_i²`` or ``δ_i (VᵀV δ)_i``."""
    delta = [float(a) - float(b) for a, b in zip(x, u, strict=True)]
    if kind == "manhattan":
        return [abs(part) for part in delta]
    if factor is None:
        return [part * part for part in delta]
    parts = []
    for i, own in enumerate(delta):
        image = 0.0
        for row in factor:
            image += row[i] * sum(v * part for v, part in zip(row, delta, strict=True))
        parts.append(own * image)
    return parts


def distances(kind: str, x: Tensor, u: Tensor, factor: Tensor | None = None, offset: Tensor | None = None) -> Tensor:
    """(n_samples, n_centers)."""
    d = np.zeros((len(x), len(u)))
    for n, row in enumerate(lists(x)):
        for j, center in enumerate(lists(u)):
            d[n, j] = sum(metric_parts(kind, row, center, None if factor is None else lists(factor)))
            d[n, j] += 0.0 if offset is None else float(offset[j])
    return torch.as_tensor(d)


def relevance(
    kind: str,
    x: Tensor,
    u: Tensor,
    slopes: Tensor,
    factor: Tensor | None = None,
    references: Tensor | None = None,
) -> Tensor:
    """``R_i = Σ_j s_j (part_ji - mean over the reference rows of the same)``, (n_samples, n_features)."""
    v = None if factor is None else lists(factor)
    r = np.zeros(x.shape)
    for n, row in enumerate(lists(x)):
        for j, center in enumerate(lists(u)):
            parts = np.array(metric_parts(kind, row, center, v))
            if references is not None:
                parts -= np.mean([metric_parts(kind, b, center, v) for b in lists(references)], axis=0)
            r[n] += float(slopes[n, j]) * parts
    return torch.as_tensor(r)


def lists(x: Tensor) -> np.ndarray:
    return x.double().numpy()


def close(found: Tensor, expected: Tensor, tolerance: float = 1e-9) -> None:
    """``‖found - expected‖ ≤ tolerance ‖expected‖``."""
    assert found.shape == expected.shape
    difference = torch.linalg.vector_norm(found.double() - expected.double())
    assert difference <= tolerance * torch.linalg.vector_norm(expected.double()), float(difference)
