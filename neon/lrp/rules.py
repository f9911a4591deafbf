"""The LRP rules: how the relevance of a linear map's outputs is shared among its inputs.

Notation of Montavon et al., "Layer-Wise Relevance Propagation: An Overview" (2019): ``z_k = Σ_i x_i w_ik + b_k``,
``v⁺ = max(v, 0)``, ``v⁻ = min(v, 0)``, and the stabilised denominator ``st(z) = z + ε sgn(z)`` with ``sgn(0) = 1``.
Every rule is the overview's four steps: a forward pass z with modified weights, an elementwise division
``s = R / st(z)``, a backward pass ``c = vjp(s)``, an elementwise product ``R_i = x_i c_i``.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from neon.lrp.linear_maps import LinearMap
from neon.lrp.message import Ledger, Message, divide, moved_from

__all__ = [
    "AlphaBeta",
    "Epsilon",
    "Flat",
    "Gamma",
    "Halves",
    "Hybrid",
    "LinearCall",
    "Pass",
    "Reference",
    "Rule",
    "SignalTakesAll",
    "WSquare",
    "ZBox",
    "ZPlus",
    "Zero",
    "stabilize",
]


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
    reference_inputs, reference_output
        The values at the reference point, where the engine was given one.
    """

    map: LinearMap
    inputs: tuple[Tensor, ...]
    output: Callable[[bool], Tensor]
    nonnegative: bool = False
    rectified: bool = False
    weighted: bool = True
    reference_inputs: tuple[Tensor, ...] | None = None
    reference_output: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class Rule(abc.ABC):
    """A way to share relevance; ``bias="ignore"`` leaves the bias out of the denominators."""

    bias: Literal["absorb", "ignore"] = "absorb"
    needs_inputs: ClassVar[bool] = True
    takes_reference: ClassVar[bool] = False  # whether relevance is relative to the engine's reference rows
    needs_reference: ClassVar[bool] = False  # whether it means nothing without rows that the caller chose

    def __post_init__(self) -> None:
        if self.bias not in ("absorb", "ignore"):
            raise ValueError(f'bias must be "absorb" or "ignore", got {self.bias!r}')

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

    def _bias(self, linear: LinearMap) -> Tensor | None:
        return linear.bias if self.bias == "absorb" else None

    def _sees_rectified(self, call: LinearCall, message: Message) -> bool:
        """Whether ``_output`` is ≥ 0: it is read behind a ReLU, and with it no relevance is lost."""
        return call.rectified and message.vanishes and (self.bias == "absorb" or call.map.bias is None)

    def _output(self, call: LinearCall, message: Message) -> Tensor:
        z = call.output(message.vanishes)
        return z - call.map.bias if self.bias == "ignore" and call.map.bias is not None else z


@dataclass(frozen=True)
class Epsilon(Rule):
    """LRP-ε: ``R_i = Σ_k x_i w_ik R_k / st(z_k)`` (Bach et al. 2015, eq. 58).

    Parameters
    ----------
    epsilon : float
    relative : bool
        Whether ε is in units of the root mean square of each sample's z, as in the overview's experiments (0.25).
    """

    epsilon: float = 1e-6
    relative: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.epsilon > 0:
            raise ValueError(f"epsilon must be > 0, got {self.epsilon}; use Zero() for LRP-0")

    def propagate(self, call: LinearCall, message: Message, ledger: Ledger) -> tuple[Message, ...]:
        z = self._output(call, message)
        epsilon: float | Tensor = self.epsilon
        if self.relative:
            size = z.square().mean(tuple(range(1, z.ndim)), keepdim=True).sqrt()
            epsilon = self.epsilon * size.clamp(min=torch.finfo(z.dtype).tiny)
        nonnegative = self._sees_rectified(call, message)
        s = share(message.relevance, z, epsilon, self._bias(call.map), ledger, nonnegative=nonnegative)
        return _times(call.inputs, call.map.slopes(s))


@dataclass(frozen=True)
class Zero(Rule):
    """LRP-0: ``R_i = Σ_k x_i w_ik R_k / z_k``, in slope form, so that ``z_k = 0`` needs no division."""

    def propagate(self, call: LinearCall, message: Message, ledger: Ledger) -> tuple[Message, ...]:
        # Slopes are about the engine's reference; LRP-0 is about the origin.
        about_origin = call.reference_inputs is None
        if message.slope is not None and self.bias == "absorb" and about_origin:
            s = message.slope
        else:
            z = self._output(call, message)
            s = divide(message.relevance, z)
            if ledger.enabled:
                ledger.absorb("stabilizer", message.relevance * (z == 0))
        if ledger.enabled and (b := self._bias(call.map)) is not None:
            ledger.absorb("bias", s * b)
        if not about_origin:
            return _times(call.inputs, call.map.vjp(s))
        return tuple(map(Message.of_slope, call.map.vjp(s), call.inputs))


@dataclass(frozen=True)
class Gamma(Rule):
    """LRP-γ, generalised to inputs and outputs of any sign (overview sec. 10.2.3; Andéol et al. 2021).

    For ``z_k > 0``: ``R_i = Σ_k [x_i w_ik + γ (x_i w_ik)⁺] R_k / st(z_k + γ p_k)``, and for ``z_k < 0`` the same with
    ``(·)⁻`` and ``n_k``, where ``p_k = Σ_i (x_i w_ik)⁺ + b_k⁺`` and ``n_k = z_k - p_k``. With ``bias="ignore"`` the
    denominators are without b, and the sign is still that of z_k with it. On non-negative inputs of a ReLU layer this
    is ``R_i = Σ_k x_i (w + γ w⁺)_ik R_k / st(Σ_i x_i (w + γ w⁺)_ik + b_k + γ b_k⁺)``.
    """

    gamma: float = 0.25
    epsilon: float = 1e-6

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.gamma >= 0:
            raise ValueError(f"gamma must be >= 0, got {self.gamma}")

    def propagate(self, call: LinearCall, message: Message, ledger: Ledger) -> tuple[Message, ...]:
        if call.nonnegative and self._sees_rectified(call, message):
            favoured = call.map.modified(lambda w: torch.add(w, w.clamp(min=0), alpha=self.gamma))
            b = self._bias(favoured)
            z = add(favoured.forward(*call.inputs), b).clamp_(min=0)  # ≥ 0 wherever there is relevance
            s = share(message.relevance, z, self.epsilon, b, ledger, nonnegative=True, own=True)
            return _times(call.inputs, favoured.vjp(s))
        gamma, z, signed = self.gamma, self._output(call, message), call.output(message.vanishes)
        p, n = positive_and_negative(call, z, self._bias(call.map))
        b = self._bias(call.map)
        b_pos, b_neg = (None, None) if b is None else (b + gamma * b.clamp(min=0), b + gamma * b.clamp(max=0))
        s_pos = share(message.relevance * (signed > 0), z + gamma * p, self.epsilon, b_pos, ledger)
        s_neg = share(message.relevance * (signed < 0), z + gamma * n, self.epsilon, b_neg, ledger)
        if ledger.enabled:
            ledger.absorb("stabilizer", message.relevance * (signed == 0))
        # x (w + γ w±) = xw + γ (xw)±, and (xw)± = (xw ± |x||w|) / 2: two transposed passes for both branches.
        plain = call.map.vjp((s_pos + s_neg) * (1 + gamma / 2))
        magnitude = call.map.modified(torch.abs).vjp((s_pos - s_neg) * (gamma / 2))
        return tuple(
            Message.of_relevance(x * c + x.abs() * d, vanishes=True)
            for x, c, d in zip(call.inputs, plain, magnitude, strict=True)
        )


@dataclass(frozen=True)
class AlphaBeta(Rule):
    """LRP-αβ: ``R_i = Σ_k (α (x_i w_ik)⁺ / st(p_k) - β (x_i w_ik)⁻ / st(n_k)) R_k``, ``α - β = 1`` (Bach et al. 2015).

    ``p_k = Σ_i (x_i w_ik)⁺ + b_k⁺`` and ``n_k = Σ_i (x_i w_ik)⁻ + b_k⁻``. Averages, sums and shifts whose parts are all
    of one sign take their plain share, ``R_i = Σ_k x_i w_ik / z_k R_k``: there is nothing to weigh against.
    """

    alpha: float = 2.0
    beta: float = 1.0
    epsilon: float = 1e-6

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.beta < 0 or abs(self.alpha - self.beta - 1) > 1e-12:
            raise ValueError(f"alpha - beta must be 1 and beta >= 0, got alpha={self.alpha}, beta={self.beta}")

    def propagate(self, call: LinearCall, message: Message, ledger: Ledger) -> tuple[Message, ...]:
        if call.weighted or not self.beta:
            return self._propagate(call, message, ledger)
        of_one_sign = self._of_one_sign(call)
        mixed = Message.of_relevance(message.relevance.masked_fill(of_one_sign, 0.0), vanishes=message.vanishes)
        plain = Message.of_relevance(message.relevance.masked_fill(~of_one_sign, 0.0), vanishes=message.vanishes)
        shares = Epsilon(self.epsilon, bias=self.bias).propagate(call, plain, ledger)
        return tuple(map(Message.__add__, self._propagate(call, mixed, ledger), shares))

    def _of_one_sign(self, call: LinearCall) -> Tensor:
        """Which sums have no positive or no negative part."""
        b = self._bias(call.map)
        parts = self._parts(call)
        p = _accumulate([same.forward(*x) for x, same, _ in parts])
        n = _accumulate([opposite.forward(*x) for x, _, opposite in parts])
        return ((p == 0) & (True if b is None else b <= 0)) | ((n == 0) & (True if b is None else b >= 0))

    def _parts(self, call: LinearCall) -> list[tuple[tuple[Tensor, ...], LinearMap, LinearMap]]:
        """Inputs with the maps that make positive and negative parts of them.

        ``(xw)⁺ = x⁺w⁺ + x⁻w⁻`` and ``(xw)⁻ = x⁺w⁻ + x⁻w⁺``. Two passes with |w| would do, but their differences leave
        rounding of what cancels, which slopes R / ε of empty sums would blow up.
        """
        excite, inhibit = call.map.modified(lambda w: w.clamp(min=0)), call.map.modified(lambda w: w.clamp(max=0))
        if call.nonnegative:
            return [(call.inputs, excite, inhibit)]
        return [
            (tuple(x.clamp(min=0) for x in call.inputs), excite, inhibit),
            (tuple(x.clamp(max=0) for x in call.inputs), inhibit, excite),
        ]

    def _propagate(self, call: LinearCall, message: Message, ledger: Ledger) -> tuple[Message, ...]:
        b = self._bias(call.map)
        b_pos, b_neg = (None, None) if b is None else (b.clamp(min=0), b.clamp(max=0))
        parts = self._parts(call)
        relevance, p = message.relevance, add(_accumulate([same.forward(*x) for x, same, _ in parts]), b_pos)
        n = p
        if self.beta and call.nonnegative:
            n = self._output(call, message) - p  # where z < 0 behind a ReLU there is no relevance
            # Rounding leaves something of an empty sum: it has nothing to share, the stabiliser keeps the relevance.
            n.masked_fill_(n >= p * (-ROUNDING * torch.finfo(p.dtype).eps), -torch.inf)
        elif self.beta:
            n = add(_accumulate([opposite.forward(*x) for x, _, opposite in parts]), b_neg)
        # In place, and scaled last: memory costs more than arithmetic.
        s_pos = torch.div(relevance, p.add_(self.epsilon), out=p)
        if ledger.enabled:
            ledger.absorb("stabilizer", self.alpha * self.epsilon * s_pos)
            _absorb_bias(ledger, s_pos, b_pos, self.alpha)
        slopes = [_scaled(same.vjp(s_pos), self.alpha) for _, same, _ in parts]
        del p, s_pos
        if self.beta:
            empty = n == -torch.inf if ledger.enabled else None
            s_neg = torch.div(relevance, n.sub_(self.epsilon), out=n)
            if empty is not None:
                ledger.absorb("stabilizer", self.beta * (self.epsilon * s_neg - relevance * empty))
                _absorb_bias(ledger, s_neg, b_neg, -self.beta)
            for cs, (_, _, opposite) in zip(slopes, parts, strict=True):
                for c, d in zip(cs, opposite.vjp(s_neg), strict=True):
                    c.sub_(d, alpha=self.beta)
        shares = [
            [c.mul_(x) for x, c in zip(xs, cs, strict=True)] for (xs, _, _), cs in zip(parts, slopes, strict=True)
        ]
        return tuple(Message.of_relevance(_accumulate(terms), vanishes=True) for terms in zip(*shares, strict=True))


class ZPlus(AlphaBeta):
    """LRP-z⁺: ``R_i = Σ_k (x_i w_ik)⁺ / st(p_k) R_k``, the αβ rule with α = 1, β = 0 (Montavon et al. 2017)."""

    def __init__(self, epsilon: float = 1e-6, *, bias: Literal["absorb", "ignore"] = "absorb") -> None:
        super().__init__(1.0, 0.0, epsilon, bias=bias)

    def __repr__(self) -> str:
        return f"ZPlus(epsilon={self.epsilon}, bias={self.bias!r})"


@dataclass(frozen=True)
class ZBox(Rule):
    """LRP-z^B for inputs in a box ``l ≤ x ≤ h`` (pixels); the bias cancels (Montavon et al. 2017, eq. 14).

    ``R_i = Σ_k (x_i w_ik - l_i w_ik⁺ - h_i w_ik⁻) R_k / st(Σ_i same)``

    Parameters
    ----------
    low, high : float or Tensor
        The box; tensors broadcast to one input (a value per channel is shaped ``(1, channels, 1, 1)``).
    """

    low: float | Tensor
    high: float | Tensor
    epsilon: float = 1e-6

    def propagate(self, call: LinearCall, message: Message, ledger: Ledger) -> tuple[Message, ...]:
        if not isinstance(self.low, Tensor) and not isinstance(self.high, Tensor):
            return self._of_one_box(self.low, self.high, call, message, ledger)
        positive = call.map.modified(lambda w: w.clamp(min=0))
        negative = call.map.modified(lambda w: w.clamp(max=0))
        # The box is the same for all samples: a batch of one is enough for its forward passes.
        low, high = ([_fill(x, v) for x in call.inputs] for v in (self.low, self.high))
        corner = positive.forward(*low).add_(negative.forward(*high))
        z = call.output(message.vanishes) - add(corner, call.map.bias)
        s = share(message.relevance, z, self.epsilon, None, ledger)
        parts = zip(call.inputs, low, high, call.map.vjp(s), positive.vjp(s), negative.vjp(s), strict=True)
        return tuple(Message.of_relevance(x * c - lo * p - hi * n) for x, lo, hi, c, p, n in parts)

    def _of_one_box(
        self, low: float, high: float, call: LinearCall, message: Message, ledger: Ledger
    ) -> tuple[Message, ...]:
        """The same bounds for every input: ``l w⁺ + h w⁻`` is one set of weights, on inputs that are all 1."""
        box = call.map.modified(lambda w: low * w.clamp(min=0) + high * w.clamp(max=0))
        corner = box.forward(*(x.new_ones(1, *x.shape[1:]) for x in call.inputs))
        z = call.output(message.vanishes) - add(corner, call.map.bias)
        s = share(message.relevance, z, self.epsilon, None, ledger)
        parts = zip(call.inputs, call.map.vjp(s), box.vjp(s), strict=True)
        return tuple(Message.of_relevance(x * c - corner_slope) for x, c, corner_slope in parts)


@dataclass(frozen=True)
class WSquare(Rule):
    """LRP-w²: ``R_i = Σ_k w_ik² R_k / st(Σ_i w_ik² + b_k²)``, for unbounded inputs (Montavon et al. 2017, eq. 12)."""

    epsilon: float = 1e-6

    def propagate(self, call: LinearCall, message: Message, ledger: Ledger) -> tuple[Message, ...]:
        return _share_by_weight(call, torch.square, self, message, self.epsilon, ledger)


@dataclass(frozen=True)
class Flat(Rule):
    """LRP-flat: equal shares, ``R_i = Σ_k 1 / st(Σ_i 1) R_k`` over the inputs that the output is connected to."""

    epsilon: float = 1e-6

    def propagate(self, call: LinearCall, message: Message, ledger: Ledger) -> tuple[Message, ...]:
        ignoring = Flat(self.epsilon, bias="ignore")
        return _share_by_weight(call, torch.ones_like, ignoring, message, self.epsilon, ledger)


@dataclass(frozen=True)
class Reference(Rule):
    """Contributions relative to a reference point r: ``R_i = Σ_k w_ik (x_i - r_i) / (z_k - z_k(r)) R_k``.

    The deep Taylor root-point view (Montavon et al. 2017, sec. 4); with r pushed through the whole network this is
    DeepLIFT-Rescale (Shrikumar et al. 2017). Slopes are handed on undivided, so ``z_k = z_k(r)`` is exact.

    Parameters
    ----------
    reference : Tensor, optional
        r, broadcasting to the input of this map. Default: the reference that the engine was given, pushed through
        the layers below; where it was given none, the origin, with ``z_k(0) = b_k`` absorbed as bias (LRP-0).
    """

    reference: Tensor | None = None
    takes_reference: ClassVar[bool] = True

    def propagate(self, call: LinearCall, message: Message, ledger: Ledger) -> tuple[Message, ...]:
        own = self.reference
        if own is not None:
            r = tuple(own.to(x).expand(1, *x.shape[1:]) for x in call.inputs)
            z_ref = add(call.map.forward(*r), call.map.bias)
        elif call.reference_inputs is not None:
            assert call.reference_output is not None
            r, z_ref = call.reference_inputs, call.reference_output
        else:
            return Zero(bias=self.bias).propagate(call, message, ledger)
        # Slopes between layers are about the engine's reference; a point of this layer's own knows none.
        if message.slope is not None and own is None:
            s = message.slope
        else:
            difference = moved_from(call.output(False), z_ref)
            s = divide(message.relevance, difference)
            if ledger.enabled:
                ledger.absorb("stabilizer", message.relevance * (difference == 0))
        found = tuple(map(Message.of_slope, call.map.vjp(s), call.inputs, r))
        return found if own is None else tuple(Message.of_relevance(message.relevance) for message in found)


@dataclass(frozen=True)
class Pass(Rule):
    """Relevance passes unchanged: for maps of one input to one output each (scaling, batch normalization)."""

    needs_inputs: ClassVar[bool] = False

    def propagate(self, call: LinearCall, message: Message, ledger: Ledger) -> tuple[Message, ...]:
        raise TypeError("Pass() fits elementwise maps only; this map mixes its inputs")


@dataclass(frozen=True)
class Hybrid(Rule):
    """For distance layers: ``(1 - η)`` gradient × input plus ``η`` squared-distance shares (Bley et al. 2025).

    The input is counted from the middle of the centers, so that it does not matter where the data lie.
    """

    eta: float = 1.0

    def propagate(self, call: LinearCall, message: Message, ledger: Ledger) -> tuple[Message, ...]:
        raise TypeError("Hybrid() fits distance layers only; this is a linear map")

    def fits(self, kind: str) -> bool:
        return kind == "distance"


@dataclass(frozen=True)
class _ProductRule(Rule):
    """A rule for products of two values that both depend on the input; see `neon.lrp.operations.products`."""

    epsilon: float = 1e-6

    def propagate(self, call: LinearCall, message: Message, ledger: Ledger) -> tuple[Message, ...]:
        raise TypeError(f"{type(self).__name__}() fits products of two explained values only; this is a linear map")

    def fits(self, kind: str) -> bool:
        return kind == "product"


@dataclass(frozen=True)
class Halves(_ProductRule):
    """For products: half of the relevance to each factor (AttnLRP, Achtibat et al. 2024, eq. 14).

    A scale gets nothing, and what it multiplies all: an exponential or softplus, such as the decays and step sizes of
    state-space models (MambaLRP, Rezaei Jafari et al. 2024). It is never 0, and its exponent may be a sum that
    cancels, in which relevance would explode.
    """


@dataclass(frozen=True)
class SignalTakesAll(_ProductRule):
    """For products: a gate (what a sigmoid, softmax or scale gives) gets nothing, the signal all (Arras et al. 2017).

    With attention weights as gates this is CP-LRP (Ali et al. 2022). Products without a gate are halved.
    """


ROUNDING = 32  # times the machine's epsilon: what a difference of sums may leave of zero


def stabilize(z: Tensor, epsilon: float | Tensor) -> Tensor:
    """``st(z) = z + ε sgn(z)`` with ``sgn(0) = 1``."""
    epsilon = torch.as_tensor(epsilon, dtype=z.dtype, device=z.device)
    return torch.where(z < 0, -epsilon, epsilon).add_(z)


def _short(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"tensor{tuple(value.shape)}"
    return f"{value:g}" if isinstance(value, float) else repr(value)


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
        return torch.div(relevance, denominator, out=denominator)
    s = relevance / denominator
    ledger.absorb("stabilizer", s * epsilon if nonnegative else s * torch.where(z < 0, -1.0, 1.0) * epsilon)
    if bias is not None:
        ledger.absorb("bias", s * bias)
    return s


def positive_part(call: LinearCall, z: Tensor | None, bias: Tensor | None) -> Tensor:
    """``p = Σ_i (x_i w_ik)⁺ + b⁺``, by one more pass with |w|: ``(xw)⁺ = (xw + |x||w|) / 2``.

    z : the output with ``bias`` included, or None to compute it.
    """
    positive_bias = None if bias is None else bias.clamp(min=0)
    if call.nonnegative:
        return add(call.map.modified(lambda w: w.clamp(min=0)).forward(*call.inputs), positive_bias)
    signed = call.map.forward(*call.inputs) if z is None else (z if bias is None else z - bias)
    magnitude = call.map.modified(torch.abs).forward(*(x.abs() for x in call.inputs))
    return add((signed + magnitude) / 2, positive_bias)


def positive_and_negative(call: LinearCall, z: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
    """``p`` and ``n = z - p``."""
    p = positive_part(call, z, bias)
    return p, z - p


def _accumulate(terms: Sequence[Tensor]) -> Tensor:
    """The sum, in the memory of the first term."""
    first, *others = terms
    for other in others:
        first.add_(other)
    return first


def _scaled(slopes: tuple[Tensor, ...], factor: float) -> tuple[Tensor, ...]:
    """Slopes times a factor, in memory of their own."""
    return tuple(c.mul_(factor) if c.is_contiguous() else c * factor for c in slopes)


def add(z: Tensor, bias: Tensor | None) -> Tensor:
    """``z + b`` in the memory of z, which must be the caller's own."""
    return z if bias is None else z.add_(bias)


def _absorb_bias(ledger: Ledger, s: Tensor, bias: Tensor | None, factor: float) -> None:
    if bias is not None:
        ledger.absorb("bias", factor * s * bias)


def _times(inputs: tuple[Tensor, ...], slopes: tuple[Tensor, ...]) -> tuple[Message, ...]:
    found = []
    for i, (x, c) in enumerate(zip(inputs, slopes, strict=True)):
        # In place, unless the transpose of a sum expands c or a later input needs it as well.
        shared = not c.is_contiguous() or any(c is other for other in slopes[i + 1 :])
        found.append(Message.of_relevance(x * c if shared else c.mul_(x), vanishes=True))
    return tuple(found)


def _share_by_weight(
    call: LinearCall,
    transform: Callable[[Tensor], Tensor],
    rule: Rule,
    message: Message,
    epsilon: float,
    ledger: Ledger,
) -> tuple[Message, ...]:
    """Shares that depend on the weights alone, not on the inputs."""
    weights = call.map.modified(transform)
    ones = [x.new_ones(1, *x.shape[1:]) for x in call.inputs]
    b = rule._bias(weights)
    z = add(weights.forward(*ones), b)
    s = share(message.relevance, z.expand_as(message.relevance), epsilon, b, ledger)
    return tuple(map(Message.of_relevance, weights.vjp(s)))


def _fill(x: Tensor, value: float | Tensor) -> Tensor:
    return torch.as_tensor(value, dtype=x.dtype, device=x.device).expand(1, *x.shape[1:])
