"""What travels backwards through the network: the relevance of one value, and the account of what stayed behind."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from neon.errors import UnsupportedOperationError

__all__ = ["ROUNDING", "Ledger", "Message", "PackedError", "divide", "moved_from", "rounding_of"]

ROUNDING = 50  # times the machine's epsilon: what is left of a zero after sums of some length


@dataclass(frozen=True, eq=False)
class Message:
    """Relevance ``R`` of a value ``x``, or the slope ``c`` with ``R = c (x - x_ref)``, multiplied out when asked for.

    A rule that multiplies by the input hands on the slope where it can: the next linear map then reads
    ``R / z`` without dividing, which is exact where ``z = 0`` as well. Which value that is, and where it is at the
    reference, the engine knows (`about`); a treatment says so only where it counts from somewhere else.

    ``vanishes``: R is zero wherever the value is zero, so a rule below may read a rectified output for ``z``.
    """

    _relevance: Tensor | None = None
    slope: Tensor | None = None
    value: Tensor | None = None
    reference: Tensor | None = None
    vanishes: bool = False
    own: bool = False  # whether value and reference are those of the slot that the message is for

    @classmethod
    def of_relevance(cls, relevance: Tensor, *, vanishes: bool = False) -> Message:
        return cls(relevance, vanishes=vanishes)

    @classmethod
    def of_slope(cls, slope: Tensor, value: Tensor | None = None, reference: Tensor | None = None) -> Message:
        return cls(slope=slope, value=value, reference=reference)

    def about(self, value: Callable[[], Tensor], reference: Callable[[], Tensor | None]) -> Message:
        """A slope with the value that it belongs to, where it has none yet."""
        if self.slope is None or self.value is not None:
            return self
        return dataclasses.replace(self, value=value(), reference=reference(), own=True)

    @property
    def relevance(self) -> Tensor:
        if self._relevance is not None:
            return self._relevance
        assert self.slope is not None
        if self.value is None:
            raise TypeError("a slope alone is no relevance: bind it to its value first, by about(value, reference)")
        return self.slope * self.value if self.reference is None else (self.value - self.reference).mul_(self.slope)

    def slope_over(self, displacement: Tensor, ledger: Ledger) -> Tensor:
        """``R / displacement``, without dividing where the slope is known.

        Where the displacement is 0 the slope is 0, and relevance stays with the ledger's ``stabilizer``.
        """
        if self.slope is not None:
            return self.slope
        if ledger.enabled:
            ledger.absorb("stabilizer", self.relevance * (displacement == 0))
        return divide(self.relevance, displacement)

    @property
    def dtype(self) -> torch.dtype:
        carried = self._relevance if self.slope is None else self.slope
        assert carried is not None
        return carried.dtype

    def to(self, dtype: torch.dtype) -> Message:
        """The same in the precision of the value that it belongs to."""
        carried = self._relevance if self.slope is None else self.slope
        if carried is None or carried.dtype == dtype or not dtype.is_floating_point:
            return self
        if self.slope is None:
            return dataclasses.replace(self, _relevance=carried.to(dtype))
        return dataclasses.replace(self, slope=carried.to(dtype))

    def __add__(self, other: Message) -> Message:
        # Slopes about different points have no sum.
        same_point = (self.own and other.own) or (self.value is None and other.value is None)
        if self.slope is not None and other.slope is not None and same_point:
            return dataclasses.replace(self, slope=self.slope + other.slope)
        return Message.of_relevance(self.relevance + other.relevance, vanishes=self.vanishes and other.vanishes)


class PackedError(UnsupportedOperationError):
    """What is to be written down belongs to no single sample by its shape."""


class Ledger:
    """Relevance that no input owns, by name, per sample (``bias``, ``stabilizer``, ``entropy``, ...).

    Each entry is computed by its own formula, never as the remainder, so that the sum of relevance and entries is
    a check of conservation. With ``enabled=False`` nothing is computed.
    """

    def __init__(self, *, enabled: bool = True, n_samples: int | None = None) -> None:
        self.enabled = enabled
        self.n_samples = n_samples
        self.absorbed: dict[str, Tensor] = {}

    def absorb(self, name: str, amount: Tensor) -> None:
        """Write down ``amount``, summed over all but the sample axis.

        That is the first axis, with the samples one after the other (also where each takes several rows: tokens,
        windows, heads), or else the second one, of time-first models.

        Raises
        ------
        PackedError
            If it is neither, as inside a packed batch of sequences.
        """
        n = self.n_samples
        if n is None:
            total = amount.flatten(1).sum(1) if amount.ndim > 1 else amount
        elif n and len(amount) % n == 0:
            total = amount.reshape(n, -1).sum(1)
        elif amount.ndim > 2 and amount.shape[1] == n:
            total = amount.transpose(0, 1).flatten(1).sum(1)
        elif n == 0:
            total = amount.new_zeros(0)
        else:
            raise PackedError(
                f"{name} of shape {tuple(amount.shape)} belongs to no single one of {n} samples, which the model packs "
                "together; account for one sample at a time (batch_size=1)"
            )
        self.absorbed[name] = self.absorbed[name] + total if name in self.absorbed else total


def moved_from(z: Tensor, z_ref: Tensor) -> Tensor:
    """``z - z_ref`` (n_samples, ...), and 0 where they differ by rounding alone: at the reference nothing has moved."""
    size = torch.maximum(z.abs(), z_ref.abs())
    if z.ndim > 1:
        size = size.amax(tuple(range(1, z.ndim)), keepdim=True)
    difference = z - z_ref
    return difference.masked_fill_(difference.abs() <= ROUNDING * torch.finfo(z.dtype).eps * size, 0.0)


def rounding_of(z: Tensor) -> Tensor:
    """By how much values that are the same may differ within each row: (n_samples, n_values) -> (n_samples, 1).

    What a rule decides by comparing values must not hang on it, or relevance depends on the other rows of a batch.
    """
    return ROUNDING * torch.finfo(z.dtype).eps * z.masked_fill(z.isinf(), 0.0).abs().amax(1, keepdim=True)


def divide(numerator: Tensor, denominator: Tensor) -> Tensor:
    """``numerator / denominator``, and 0 where the denominator is 0."""
    return (numerator / denominator).masked_fill_(denominator == 0, 0.0)
