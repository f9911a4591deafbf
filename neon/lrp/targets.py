"""What is explained of an output: a logit, log-odds, a contrast, a map of logits.

Each target is a function from the output to the relevance that propagation starts from.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

__all__ = ["Channel", "Contrast", "LogOdds", "OneHot", "one_hot", "rows_of"]

Index = int | Sequence[int] | Sequence[Sequence[int]]


@dataclass(frozen=True)
class OneHot:
    """Relevance 1 at an output, whatever its value; index : int or one for each sample (of maps, tuples)."""

    index: Index

    def __call__(self, output: Tensor) -> Tensor:
        return one_hot(self.index, output)


@dataclass(frozen=True)
class LogOdds:
    """``η_c = log P_c / (1 - P_c) = -log Σ_{k≠c} exp(-(z_c - z_k))`` of softmax logits z.

    A soft minimum over the linear differences ``z_c - z_k``, gated by ``p_k ∝ exp(-(z_c - z_k))`` (Montavon et al.
    2019, sec. 10.3): relevance starts as ``z ⊙ (e_c - p)``, whose sum is η plus the entropy of p. A single output is
    its own log-odds.
    """

    index: Index

    def __call__(self, output: Tensor) -> Tensor:
        return output * self.weights(output)

    def weights(self, output: Tensor) -> Tensor:
        """``e_c - p``, the derivatives of η by the logits."""
        p = self._rivals(output)
        return one_hot(self.index, output) - p

    def entropy(self, output: Tensor) -> Tensor:
        """``-Σ p_k log p_k``, by which the relevance that z starts with exceeds η; (n_samples,)."""
        return torch.special.entr(self._rivals(output)).sum(1)

    def _rivals(self, output: Tensor) -> Tensor:
        """The share of every other class, by softmax among themselves."""
        if output.ndim != 2:
            raise ValueError(
                f"log-odds are of outputs of shape (n_samples, n_classes), got {tuple(output.shape)}; let the model "
                "pick one position, as LRP(lambda x: model(x)[:, :, 3, 5])"
            )
        chosen = one_hot(self.index, output)
        if output.shape[1] == 1:
            return torch.zeros_like(output)
        return output.masked_fill(chosen > 0, -torch.inf).softmax(1)


@dataclass(frozen=True)
class Contrast:
    """``z_a - z_b``: why a rather than b.

    Of a fitted model a and b may be labels of classes or names of outputs, and the contrast is explained by the
    explanation of a less that of b, part by part. Where an output is itself evidence against all other classes (of
    clusters, of softmax classes), these take part in both; ``output="decision_function"`` has scores of single
    classes, whose difference is of a and b alone.
    """

    index: Index
    against: Index

    def __call__(self, output: Tensor) -> Tensor:
        return output * self.weights(output)

    def weights(self, output: Tensor) -> Tensor:
        """``e_a - e_b``."""
        return one_hot(self.index, output) - one_hot(self.against, output)


@dataclass(frozen=True, eq=False)
class Channel:
    """One channel of a dense output (n_samples, n_channels, ...): the logits of a segmentation.

    mask : Tensor, optional
        Which positions are explained, broadcasting to (n_samples, ...); all by default.
    """

    index: Index
    mask: Tensor | None = None

    def __call__(self, output: Tensor) -> Tensor:
        if output.ndim < 3:
            raise ValueError(f"Channel explains outputs of shape (n, channels, ...), got {tuple(output.shape)}")
        index = checked_index(self.index, len(output), output.shape[1], output.device)
        index = index.view(-1, *(1,) * (output.ndim - 1)).expand(-1, 1, *output.shape[2:])
        relevance = torch.zeros_like(output).scatter_(1, index, output.gather(1, index))
        return relevance if self.mask is None else relevance * self.mask.to(output).unsqueeze(-output.ndim + 1)


def rows_of(target: Any, rows: slice, n_samples: int) -> Any:
    """A target for some of the samples: of those here that hold an index for each, the indices of these."""
    if not isinstance(target, (OneHot, LogOdds, Contrast, Channel)):
        return target
    held = {name: getattr(target, name) for name in ("index", "against") if hasattr(target, name)}
    own = {name: index[rows] for name, index in held.items() if hasattr(index, "__len__") and len(index) == n_samples}
    return dataclasses.replace(target, **own)


def one_hot(target: Any, output: Tensor) -> Tensor:
    """A tensor shaped like the output (n_samples, ...) with 1 at each sample's target.

    Of an output with more than one axis beside the samples, a tuple is one place for all of them.
    """
    if output.ndim == 2:
        places = checked_index(target, len(output), output.shape[1], output.device)[:, None]
        return torch.zeros_like(output).scatter_(1, places, 1.0)
    n, sizes = len(output), output.shape[1:]
    index = torch.as_tensor(target, device=output.device)
    if isinstance(target, tuple) and index.shape == (len(sizes),):
        index = index.expand(n, -1)
    if not sizes or index.shape != (n, len(sizes)):
        raise ValueError(
            f"an output index needs an output of shape (n_samples, n_outputs), got {tuple(output.shape)}; give "
            f"a tuple of {len(sizes)} numbers such as (class, y, x) or (token, class), an array of shape "
            f"({n}, {len(sizes)}), a tensor shaped like the output, a callable, or neon.targets.Channel as target"
        )
    columns = zip(index.unbind(1), sizes, strict=True)
    places = torch.stack([checked_index(column, n, size, output.device) for column, size in columns], 1)
    chosen = torch.zeros_like(output)
    chosen[(torch.arange(len(output), device=output.device), *places.unbind(1))] = 1.0
    return chosen


def checked_index(target: Any, n_samples: int, n_outputs: int, device: torch.device) -> Tensor:
    """One output index for each sample, from one or as many; negative ones count from the end.

    Raises
    ------
    ValueError
        If they are no integers, too many or too few, or out of range.
    """
    index = torch.as_tensor(target, device=device)
    if index.is_floating_point() or index.dtype == torch.bool:
        raise ValueError(f"target indices must be integers, got {index.dtype}")
    if index.ndim not in (0, 1) or (index.ndim == 1 and len(index) != n_samples):
        raise ValueError(f"target must be one index or one per sample ({n_samples}), got shape {tuple(index.shape)}")
    if index.numel() and not (-n_outputs <= int(index.min()) and int(index.max()) < n_outputs):
        raise ValueError(f"target {target} is out of range for {n_outputs} outputs")
    return (index.long() % n_outputs).expand(n_samples)
