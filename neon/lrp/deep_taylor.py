"""The deep Taylor view of the rules: each is a first-order expansion of a neuron at a root point of its own.

A neuron ``z_k = Σ_i x_i w_ik + b_k`` of a ReLU layer hands on ``R_k = c_k max(z_k, 0)`` with ``c_k`` locally constant
(Montavon et al. 2017, sec. 4; Montavon et al. 2019, sec. 10.2.2). Expanded at a point ``x̃`` of the search line
``x̃ = x - t v``, its first-order terms ``(x_i - x̃_i) ∂R_k/∂x_i = t v_i w_ik c_k`` are the rule's shares
``v_i w_ik R_k / st(D_k)``, ``D_k = Σ_i v_i w_ik``, where ``t = z_k / st(D_k)``. There the neuron gives
``z_k (1 - D_k / st(D_k))``: zero, up to what the stabiliser (the ε of LRP-ε) keeps back. A rule is its direction v.

A bias that absorbs relevance is the weight of one more input, ``x_0 = 1``, which moves along (the overview's Σ_{0,i});
with ``bias="ignore"`` it stays at 1, and the root is one of the layer's inputs alone.

Where the roots lie: for ``x ≥ 0`` and a bias that moves along, those of LRP-0, ε, γ and z⁺ are between the origin and
x (``t v_i ≤ x_i``, as ``z_k ≤ Σ_i (x_i w_ik)⁺``); with ``bias="ignore"`` a positive bias may push them further. That
of z^B is in the box wherever the box holds a root at all. That of w² is the nearest one, and bound to no domain.
"""

from __future__ import annotations

from functools import singledispatch
from typing import NamedTuple

import torch
from torch import Tensor

from neon.lrp.message import divide
from neon.lrp.rules import AlphaBeta, Epsilon, Gamma, LinearRule, Reference, Rule, WSquare, ZBox, Zero, stabilize

__all__ = ["RootPoint", "first_order", "root_points", "search_direction"]


class RootPoint(NamedTuple):
    """Where each neuron of a layer is expanded.

    Attributes
    ----------
    inputs : Tensor (n_samples, n_neurons, n_inputs)
        ``x̃``.
    constant : Tensor (n_samples, n_neurons)
        ``x̃_0``, the input that is 1 and has the bias for its weight.
    """

    inputs: Tensor
    constant: Tensor


def root_points(rule: Rule, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> RootPoint:
    """The points at which the first-order expansion of the ReLU neurons of a dense layer gives the rule.

    A neuron that is not active is its own root: ``x̃ = x``.

    Parameters
    ----------
    x : Tensor (n_samples, n_inputs)
    weight : Tensor (n_neurons, n_inputs)
        As `torch.nn.Linear` keeps it.
    bias : Tensor (n_neurons,), optional

    Raises
    ------
    TypeError
        If the rule is no expansion at one point (flat).
    ValueError
        If the rule's parameters make it none (αβ with β > 0), or the shapes do not fit.
    """
    b = _checked_bias(x, weight, bias)
    v, v_0 = search_direction(rule, x, weight, b)
    z = x @ weight.T + b
    # t = z⁺ / st(D)
    t = divide(z.clamp(min=0), stabilize((v * weight).sum(2) + v_0 * b, getattr(rule, "epsilon", 0.0)))
    return RootPoint(x.unsqueeze(1) - t.unsqueeze(2) * v, 1 - t * v_0)


def first_order(
    rule: Rule, x: Tensor, weight: Tensor, bias: Tensor | None = None, relevance: Tensor | None = None
) -> Tensor:
    """``R_i = Σ_k (x_i - x̃_i) ∂R_k/∂x_i`` at the root points: what the rule gives, without the rule.

    Parameters
    ----------
    relevance : Tensor (n_samples, n_neurons), optional
        ``R_k = c_k max(z_k, 0)``. Default: the activations themselves, ``c_k = 1``.

    Returns
    -------
    Tensor (n_samples, n_inputs)

    Raises
    ------
    ValueError
        If a neuron that is not active has relevance: it is then no multiple of its activation.
    """
    root = root_points(rule, x, weight, bias)
    activation = (x @ weight.T + _checked_bias(x, weight, bias)).clamp(min=0)
    relevance = activation if relevance is None else relevance
    if relevance.shape != activation.shape:
        raise ValueError(f"relevance must have shape {tuple(activation.shape)}, got {tuple(relevance.shape)}")
    if bool((relevance[activation == 0] != 0).any()):
        raise ValueError("a neuron that is not active has relevance; deep Taylor expands R_k = c_k max(z_k, 0)")
    gradient = divide(relevance, activation).unsqueeze(2) * weight  # ∂R_k/∂x_i = c_k w_ik
    return ((x.unsqueeze(1) - root.inputs) * gradient).sum(1)


@singledispatch
def search_direction(rule: Rule, x: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """The direction in which a rule looks for the root: v (n_samples, n_neurons, n_inputs) and v_0 (…, n_neurons).

    Register a function for a rule of your own with ``search_direction.register``.
    """
    raise TypeError(f"{rule!r} is no first-order expansion at one point: it has no root point")


@search_direction.register
def _(rule: Zero, x: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """``v = x``: towards the origin, which is the root."""
    return _along(x, weight), _moving(rule, bias)


@search_direction.register
def _(rule: Epsilon, x: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """``v = x``, up to ``x̃ = x ε / (z_k + ε)``, short of the root: what is left there is absorbed."""
    return _along(x, weight), _moving(rule, bias)


@search_direction.register
def _(rule: Gamma, x: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """``v_i = x_i (1 + γ 1[x_i w_ik > 0])``; for x ≥ 0 the indicator is ``w_ik > 0``."""
    absorbing = _moving(rule, bias)
    sign = (x @ weight.T + bias).sign()  # the generalised rule favours what pulls z its own way
    favoured = x.unsqueeze(1) * weight * sign.unsqueeze(2) > 0
    return x.unsqueeze(1) * (1 + rule.gamma * favoured), absorbing * (1 + rule.gamma * (bias * sign > 0))


@search_direction.register
def _(rule: AlphaBeta, x: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """z⁺: ``v_i = x_i 1[x_i w_ik > 0]``; for x ≥ 0 the indicator is ``w_ik > 0``, and the root is ≥ 0 as well."""
    if rule.beta > 0:
        raise ValueError(f"{rule!r} is a difference of two expansions and has no root point; beta=0 (z⁺) has one")
    return x.unsqueeze(1) * (x.unsqueeze(1) * weight > 0), _moving(rule, bias) * (bias > 0)


@search_direction.register
def _(rule: ZBox, x: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """``v_i = x_i - l_i`` where ``w_ik > 0``, ``x_i - h_i`` where ``w_ik < 0``: towards the box's lowest output."""
    low, high = (torch.as_tensor(v, dtype=x.dtype, device=x.device) for v in (rule.low, rule.high))
    corner = torch.where(weight > 0, low, high)
    return (x.unsqueeze(1) - corner) * (weight != 0), torch.zeros_like(bias)


@search_direction.register
def _(rule: WSquare, x: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """``v = w_k``: straight to the nearest root."""
    return weight.expand(len(x), *weight.shape), _moving(rule, bias) * bias


@search_direction.register
def _(rule: Reference, x: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """``v = x - r``: through the reference point, which is the root where ``z_k(r) = 0``."""
    if rule.reference is None:
        return _along(x, weight), _moving(rule, bias)
    return _along(x - rule.reference.to(x), weight), torch.zeros_like(bias)


def _along(direction: Tensor, weight: Tensor) -> Tensor:
    """One direction for all neurons; direction : (n_samples, n_inputs)."""
    return direction.unsqueeze(1).expand(-1, len(weight), -1)


def _moving(rule: LinearRule, bias: Tensor) -> Tensor:
    """``v_0`` of the constant input: 1 where the bias absorbs relevance, 0 where it is left out."""
    return torch.full_like(bias, float(rule.bias == "absorb"))


def _checked_bias(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The bias, zeros for none, once the shapes of the layer fit each other."""
    if x.ndim != 2 or weight.ndim != 2 or x.shape[1] != weight.shape[1]:
        raise ValueError(
            "a dense layer needs x (n_samples, n_inputs) and weight (n_neurons, n_inputs), "
            f"got {tuple(x.shape)} and {tuple(weight.shape)}"
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"bias must have shape {tuple(weight.shape[:1])}, got {tuple(bias.shape)}")
    return weight.new_zeros(len(weight)) if bias is None else bias
