"""What a rule is, and the four steps that rules for linear maps have in common."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from neon.lrp.linear_maps import LinearMap
from neon.lrp.message import Ledger, Message

__all__ = ["KindRule", "LinearCall", "LinearRule", "Rule", "accumulate", "add", "fill", "share", "stabilize", "times"]


@dataclass(frozen=True, eq=False)
class LinearCall:
    """A linear map with the values that it was applied to in the forward pass.

    Attributes
    ----------
    map : LinearMap
    inputs : tuple of Tensor
        The explained inputs ``x``.
    output : callable
        ``output(vanishes)`` gives ``z``, bias included; with ``vanishes=True``, where it is rectified, ``max(z, 0)``
        instead, which is the same wherever the relevance is not zero.
    nonnegative : bool
        Whether all inputs are known to be ≥ 0.
    rectified : bool
        Whether the output goes through a ReLU and nowhere else.
    weighted : bool
        Whether the map has weights of its own: it is no average, sum or shift.
    reference_output : Tensor, optional
        z at the reference point, where the engine was given one.
    """

    map: LinearMap
    inputs: tuple[Tensor, ...]
    output: Callable[[bool], Tensor]
    nonnegative: bool = False
    rectified: bool = False
    weighted: bool = True
    reference_output: Tensor | None = None


@dataclass(frozen=True)
class Rule(abc.ABC):
    """A way to share relevance."""

    takes_reference: ClassVar[bool] = False  # whether relevance is relative to the engine's reference rows
    needs_reference: ClassVar[bool] = False  # whether it means nothing without rows that the caller chose

    @abc.abstractmethod
    def propagate(self, call: LinearCall, message: Message, ledger: Ledger) -> tuple[Message, ...]:
        """Relevance of each input from the relevance of the output."""

    def fits(self, kind: str) -> bool:
        """Whether the rule can be applied to operations of this kind; a composite passes over rules that cannot."""
        return kind not in ("product", "tree")

    def __str__(self) -> str:
        """Without what is as always: ``Gamma(0.25)``, ``Epsilon(1e-06, bias='ignore')``."""
        fields = [field for field in dataclasses.fields(self) if field.name != "bias"]
        shown = [field for field in fields if field.default is dataclasses.MISSING] or fields[:1]
        parts = [_short(value) for field in shown if (value := getattr(self, field.name)) is not None]
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field not in shown and not isinstance(value, Tensor) and value != field.default:
                parts.append(f"{field.name}={_short(value)}")
        return f"{type(self).__name__}({', '.join(parts)})"


@dataclass(frozen=True)
class KindRule(Rule):
    """A rule for operations of one kind that are no linear maps: their treatment reads it, and shares relevance."""

    kind: ClassVar[str]
    meant_for: ClassVar[str]  # the kind, in words

    def propagate(self, call: LinearCall, message: Message, ledger: Ledger) -> tuple[Message, ...]:
        raise TypeError(f"{type(self).__name__}() fits {self.meant_for} only; this is a linear map")

    def fits(self, kind: str) -> bool:
        return kind == self.kind


@dataclass(frozen=True, kw_only=True)
class LinearRule(Rule):
    """A rule for linear maps: the four steps of the overview (sec. 10.2.4). Override the step that differs.

    Parameters
    ----------
    bias : "absorb" or "ignore"
        Whether the bias is part of the denominators, and absorbs its share of the relevance.

    Examples
    --------
    Shares by the magnitudes of the weights:

    >>> class Magnitudes(LinearRule):
    ...     def weights(self, linear):
    ...         return linear.modified(torch.abs)
    """

    bias: Literal["absorb", "ignore"] = "absorb"

    def __post_init__(self) -> None:
        if self.bias not in ("absorb", "ignore"):
            raise ValueError(f'bias must be "absorb" or "ignore", got {self.bias!r}')

    def propagate(self, call: LinearCall, message: Message, ledger: Ledger) -> tuple[Message, ...]:
        return self.fast(call, message, ledger) or self.steps(call, message, ledger)

    def steps(self, call: LinearCall, message: Message, ledger: Ledger) -> tuple[Message, ...]:
        """The rule, whatever the inputs: ``z = Σ_i x_i ρ(w_ik) + b``, ``s = R / st(z)``, ``c = Σ_k ρ(w_ik) s_k``, R."""
        linear, inputs = self.weights(call.map), self.inputs(call)
        bias = self.absorbing(linear)
        z = add(linear.forward(*inputs), bias)
        s = share(message.relevance, z, self.stabilizer(z), bias, ledger)
        return times(inputs, linear.vjp(s), vanishes=inputs is call.inputs)

    def fast(self, call: LinearCall, message: Message, ledger: Ledger) -> tuple[Message, ...] | None:
        """The same in less time, where what is known of this call allows it; None elsewhere."""
        return None

    def weights(self, linear: LinearMap) -> LinearMap:
        """The map with weights ``ρ(w)``."""
        return linear

    def inputs(self, call: LinearCall) -> tuple[Tensor, ...]:
        """What the weights multiply."""
        return call.inputs

    def absorbing(self, linear: LinearMap) -> Tensor | None:
        """The bias that is part of the denominators."""
        return linear.bias if self.bias == "absorb" else None

    def stabilizer(self, z: Tensor) -> float | Tensor:
        """The ε of ``st(z)``."""
        epsilon: float = getattr(self, "epsilon", 0.0)
        return epsilon

    def recorded(self, call: LinearCall, message: Message) -> Tensor:
        """The output z of the forward pass; without the bias, where that is ignored."""
        z = call.output(message.vanishes)
        return z - call.map.bias if self.bias == "ignore" and call.map.bias is not None else z

    def sees_rectified(self, call: LinearCall, message: Message) -> bool:
        """Whether `recorded` is ≥ 0: it is read behind a ReLU, and with it no relevance is lost."""
        return call.rectified and message.vanishes and (self.bias == "absorb" or call.map.bias is None)


def stabilize(z: Tensor, epsilon: float | Tensor) -> Tensor:
    """``st(z) = z + ε sgn(z)`` with ``sgn(0) = 1``."""
    epsilon = torch.as_tensor(epsilon, dtype=z.dtype, device=z.device)
    return torch.where(z < 0, -epsilon, epsilon).add_(z)


def share(
    relevance: Tensor,
    z: Tensor,
    epsilon: float | Tensor,
    bias: Tensor | None,
    ledger: Ledger,
    *,
    nonnegative: bool = False,
    own: bool = False,
) -> Tensor:
    """``s = R / st(z)``; what the bias and the stabiliser take goes into the ledger.

    nonnegative : whether z ≥ 0 everywhere, which spares looking at signs.
    own : whether z may be overwritten.
    """
    denominator = (z.add_(epsilon) if own else z + epsilon) if nonnegative else stabilize(z, epsilon)
    if not ledger.enabled:
        same = denominator.shape == relevance.shape  # weights alone give one denominator for all samples
        return torch.div(relevance, denominator, out=denominator if same else None)
    s = relevance / denominator
    ledger.absorb("stabilizer", s * epsilon if nonnegative else s * torch.where(z < 0, -1.0, 1.0) * epsilon)
    if bias is not None:
        ledger.absorb("bias", s * bias)
    return s


def add(z: Tensor, bias: Tensor | None) -> Tensor:
    """``z + b`` in the memory of z, which must be the caller's own."""
    return z if bias is None else z.add_(bias)


def accumulate(terms: Sequence[Tensor]) -> Tensor:
    """The sum, in the memory of the first term."""
    first, *others = terms
    for other in others:
        first.add_(other)
    return first


def times(inputs: tuple[Tensor, ...], slopes: tuple[Tensor, ...], *, vanishes: bool = True) -> tuple[Message, ...]:
    """``R_i = x_i c_i``, in the memory of the slopes; vanishes : whether R is zero where the input is."""
    found = []
    for i, (x, c) in enumerate(zip(inputs, slopes, strict=True)):
        # In place, unless the transpose of a sum expands c or a later input needs it as well.
        shared = not c.is_contiguous() or any(c is other for other in slopes[i + 1 :])
        found.append(Message.of_relevance(x * c if shared else c.mul_(x), vanishes=vanishes))
    return tuple(found)


def fill(x: Tensor, value: float | Tensor) -> Tensor:
    """A value for every element of an input, the same for all samples: a batch of one."""
    return torch.as_tensor(value, dtype=x.dtype, device=x.device).expand(1, *x.shape[1:])


def _short(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"tensor{tuple(value.shape)}"
    return f"{value:g}" if isinstance(value, float) else repr(value)
