"""Every rule as its formula stands on paper: the full weight matrix and plain sums over inputs i and outputs k.

Slow on purpose, in float64 numpy, and without a line in common with neon: the fast rules are compared with these.
Notation: ``v⁺ = max(v, 0)``, ``v⁻ = min(v, 0)``, ``st(z) = z + ε sgn(z)`` with ``sgn(0) = 1``; shapes are
``x : (n, inputs)``, ``w, connected : (inputs, outputs)``, ``b : (outputs,)``, ``R : (n, outputs)``, and every rule
returns ``(n, inputs)``. Sources: Montavon et al. 2019, table 10.1; Andéol et al. 2021 for the generalised γ.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

Array = np.ndarray


@dataclass(frozen=True)
class Matrix:
    """A linear map written out.

    w : (inputs, outputs); b : (outputs,); connected : (inputs, outputs), whether output k reads input i;
    left_out : (outputs,), a bias that is part of the output but of no denominator.
    """

    w: Array
    b: Array
    connected: Array
    left_out: Array | float = 0.0

    @classmethod
    def of(cls, function: Callable[[torch.Tensor], torch.Tensor], input_shape: tuple[int, ...]) -> "Matrix":
        """Push the origin and the basis vectors through an affine function of a batch."""
        n_inputs = int(np.prod(input_shape))
        basis = torch.eye(n_inputs, dtype=torch.float64).reshape(n_inputs, *input_shape)
        with torch.no_grad():
            b = function(torch.zeros(1, *input_shape, dtype=torch.float64)).reshape(-1)
            rows = function(basis).reshape(n_inputs, -1) - b
        return cls(rows.numpy(), b.numpy(), rows.numpy() != 0)

    def without_bias(self) -> "Matrix":
        """The map as ``bias="ignore"`` sees it."""
        return Matrix(self.w, np.zeros_like(self.b), self.connected, left_out=self.b)


def st(z: Array, epsilon: float) -> Array:
    return z + epsilon * np.where(z >= 0, 1.0, -1.0)


def pos(v: Array) -> Array:
    return np.maximum(v, 0)


def neg(v: Array) -> Array:
    return np.minimum(v, 0)


def shares(contributions: Array, denominator: Array, relevance: Array) -> Array:
    """``Σ_k contributions_ik / denominator_k R_k``, 0 / 0 = 0; contributions : (n, inputs, outputs)."""
    empty = denominator == 0
    fractions = np.where(empty[:, None, :], 0, contributions / np.where(empty, 1, denominator)[:, None, :])
    return np.sum(fractions * relevance[:, None, :], axis=2)


def zero(x: Array, m: Matrix, relevance: Array) -> Array:
    z_ik = x[:, :, None] * m.w
    return shares(z_ik, z_ik.sum(1) + m.b, relevance)


def epsilon(x: Array, m: Matrix, relevance: Array, *, epsilon: float = 1e-6) -> Array:
    z_ik = x[:, :, None] * m.w
    return shares(z_ik, st(z_ik.sum(1) + m.b, epsilon), relevance)


def gamma_of_relu_layers(x: Array, m: Matrix, relevance: Array, *, gamma: float = 0.25, epsilon: float = 1e-6) -> Array:
    """The γ rule of the overview, for x ≥ 0 and relevance that is zero where z ≤ 0."""
    contributions = x[:, :, None] * (m.w + gamma * pos(m.w))
    return shares(contributions, st(contributions.sum(1) + m.b + gamma * pos(m.b), epsilon), relevance)


def gamma(x: Array, m: Matrix, relevance: Array, *, gamma: float = 0.25, epsilon: float = 1e-6) -> Array:
    """The generalised γ rule: x and z of any sign; outputs with ``z_k = 0`` hand on nothing.

    The branch is that of z with the bias, also where the bias is left out of the denominators.
    """
    xp, xn = pos(x)[:, :, None], neg(x)[:, :, None]
    w_up, w_down = m.w + gamma * pos(m.w), m.w + gamma * neg(m.w)
    b_up, b_down = m.b + gamma * pos(m.b), m.b + gamma * neg(m.b)
    z = (x[:, :, None] * m.w).sum(1) + m.b + m.left_out
    of_positive = xp * w_up + xn * w_down
    of_negative = xp * w_down + xn * w_up
    return shares(of_positive, st(of_positive.sum(1) + b_up, epsilon), relevance * (z > 0)) + shares(
        of_negative, st(of_negative.sum(1) + b_down, epsilon), relevance * (z < 0)
    )


def alpha_beta(x: Array, m: Matrix, relevance: Array, *, alpha: float, beta: float, epsilon: float = 1e-6) -> Array:
    z_ik = x[:, :, None] * m.w
    excited = shares(pos(z_ik), st(pos(z_ik).sum(1) + pos(m.b), epsilon), relevance)
    inhibited = shares(neg(z_ik), st(neg(z_ik).sum(1) + neg(m.b), epsilon), relevance)
    return alpha * excited - beta * inhibited


def alpha_beta_of_sums(
    x: Array, m: Matrix, relevance: Array, *, alpha: float, beta: float, epsilon: float = 1e-6
) -> Array:
    """αβ of averages, sums and shifts: those whose parts are all of one sign take their plain share."""
    z_ik = x[:, :, None] * m.w
    of_one_sign = ((pos(z_ik).sum(1) + pos(m.b)) == 0) | ((neg(z_ik).sum(1) + neg(m.b)) == 0)
    plain = shares(z_ik, st(z_ik.sum(1) + m.b, epsilon), relevance * of_one_sign)
    return plain + alpha_beta(x, m, relevance * ~of_one_sign, alpha=alpha, beta=beta, epsilon=epsilon)


def z_plus(x: Array, m: Matrix, relevance: Array, *, epsilon: float = 1e-6) -> Array:
    return alpha_beta(x, m, relevance, alpha=1, beta=0, epsilon=epsilon)


def z_box(x: Array, m: Matrix, relevance: Array, *, low: Array, high: Array, epsilon: float = 1e-6) -> Array:
    """Low, high : (inputs,). The bias cancels."""
    contributions = x[:, :, None] * m.w - low[:, None] * pos(m.w) - high[:, None] * neg(m.w)
    return shares(contributions, st(contributions.sum(1), epsilon), relevance)


def w_square(x: Array, m: Matrix, relevance: Array, *, epsilon: float = 1e-6) -> Array:
    contributions = np.broadcast_to(m.w**2, (len(x), *m.w.shape))
    return shares(contributions, st(contributions.sum(1) + m.b**2, epsilon), relevance)


def flat(x: Array, m: Matrix, relevance: Array, *, epsilon: float = 1e-6) -> Array:
    contributions = np.broadcast_to(m.connected.astype(float), (len(x), *m.w.shape))
    return shares(contributions, st(contributions.sum(1), epsilon), relevance)


def reference(x: Array, m: Matrix, relevance: Array, *, r: Array) -> Array:
    """``w_ik (x_i - r_i) / (z_k - z_k(r)) R_k``; r : (inputs,)."""
    z = (x[:, :, None] * m.w).sum(1) + m.b
    z_r = r @ m.w + m.b
    return shares((x - r)[:, :, None] * m.w, z - z_r, relevance)
