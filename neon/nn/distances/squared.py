"""Squared distances to centers, and their relevance in closed form."""

from __future__ import annotations

import torch
from torch import Tensor

from neon.lrp.message import Ledger, Message, divide
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.paths.terms import Background, Terms
from neon.lrp.recording.tape import Retention
from neon.lrp.rules import Hybrid, Rule
from neon.nn.distances.layers import distance_layers
from neon.nn.distances.slopes import slopes
from neon.nn.layer import Layer, operation
from neon.nn.linear.layers import plain_linear, preimage
from neon.nn.shapley.exponential import exponential_terms
from neon.nn.shapley.quadratic import MetricTerms, SeparableTerms

__all__ = ["HybridDistance", "SquaredDistance", "squared_distance"]


@operation
def squared_distance(x: Tensor, centers: Tensor, factor: Tensor | None = None, offset: Tensor | None = None) -> Tensor:
    """``D_j = ‖V (x - u_j)‖² + e_j``.

    Parameters
    ----------
    x : (n_samples, n_features)
    centers : (n_centers, n_features)
        The ``u_j``.
    factor : (k, n_features), optional
        V; the identity by default.
    offset : (n_centers,), optional
        ``e_j``; none by default.

    Returns
    -------
    Tensor
        (n_samples, n_centers)
    """
    # Distances do not depend on the origin; rounding does. The middle of the centers keeps the terms small.
    origin = centers.mean(0)
    z, u = x - origin, centers - origin
    if factor is not None:
        z, u = z @ factor.T, u @ factor.T
    squares = z.square().sum(1, keepdim=True)
    d = torch.addmm(u.square().sum(1), z, u.T, alpha=-2).add_(squares).clamp_(min=0)
    rows, columns = _near(d, squares, u)
    if len(rows):
        d[rows, columns] = (z[rows] - u[columns]).square().sum(1)
    return d if offset is None else d.add_(offset)


def _near(d: Tensor, squares: Tensor, u: Tensor, lost: float = 0.5) -> tuple[Tensor, Tensor]:
    """Pairs so close that ``‖z‖² - 2 z u + ‖u‖²`` has lost digits to cancellation, and are computed directly.

    lost : the share of the digits
    """
    scale = torch.finfo(d.dtype).eps ** (1 - lost) * (squares + u.square().sum(1).max())
    rows, columns = (d <= scale).nonzero(as_tuple=True)
    return rows, columns


class SquaredDistance(Layer, of=squared_distance):
    """`squared_distance` to fixed centers."""

    centers: Tensor
    factor: Tensor | None
    offset: Tensor | None

    no_relu = "a distance is not piecewise linear"

    def after(self, weight: Tensor, bias: Tensor | None) -> SquaredDistance:
        """The distance of ``W x + b`` to the centers, as a distance of x.

        A center's preimage is its least-squares solution; what the map cannot reach stays as ``offset``.
        """
        target = self.centers if bias is None else self.centers - bias
        if self.factor is not None:
            weight, target = self.factor @ weight, target @ self.factor.T
        preimages = preimage(weight, target)
        unreached = (target - preimages @ weight.T).square().sum(1)
        reached = unreached <= 1e-20 * target.square().sum(1).clamp(min=1e-300)
        offset = self.offset
        if not bool(reached.all()):
            offset = unreached if offset is None else offset + unreached
        return type(self)(preimages, weight, offset)

    def extra_repr(self) -> str:
        metric = "" if self.factor is None else f", in the metric of a {tuple(self.factor.shape)} map"
        return f"{self.centers.shape[1]} → {self.centers.shape[0]}{metric}"

    def spelled_out(self, n_inputs: int) -> list[torch.nn.Module]:
        return distance_layers(self.centers, self.factor, self.offset)

    def relative(self) -> torch.nn.Linear:
        """``‖V (x - u_j)‖² - ‖V (x - ū)‖² = -2 (u_j - ū) Λ x + (u_j - ū) Λ (u_j + ū)``, and ``e_j``."""
        middle = self.centers.mean(0)
        metric = _metric(self.centers - middle, self.factor)
        bias = (metric * (self.centers + middle)).sum(1)
        return plain_linear(-2 * metric, bias if self.offset is None else bias + self.offset)


class HybridDistance(SquaredDistance):
    """A `SquaredDistance` that the hybrid rule explains, which reads it as one layer: it is spelled out already."""

    def spelled_out(self, n_inputs: int) -> list[torch.nn.Module]:
        return [self]


class _SquaredDistance(Treatment):
    """``R_i = Σ_j s_j (x_i - u_ji) (Λ (x - u_j))_i`` with slopes ``s_j = R_j / D_j`` and ``Λ = VᵀV``.

    Slopes of opposite sign are differences of distances, linear in x, and shared as such: by the midpoint rule
    (`_between_centers`), which without a factor is the same. There the shares are ``(x_i - u_ji)²``, computed by two
    matrix products. Relative to reference rows b the same at b is subtracted in the mean: the log-mean rule's
    ``δ_ij² - ρ_ij``.
    """

    kind = "distance"
    retention = Retention(inputs=True)
    takes_reference = True
    nonnegative = True

    def terms(self, call: Call, rule: Rule | None, x: Tensor, background: Background) -> Terms | None:
        _, centers, factor, offset = call.bound(lambda _: x)
        end = squared_distance(x, centers, factor, offset)
        if factor is not None:
            at_mean = squared_distance(background.mean, centers, factor, offset)
            return MetricTerms(call.output, x, background, centers, factor, at_mean, end, least=0.0)  # e_j as well
        made = exponential_terms(call, x, background, centers, 2, end) if offset is None else None
        if made is None:
            at_mean = squared_distance(background.mean, centers, None, offset)
            made = SeparableTerms(call.output, x, background, centers, torch.ones_like(centers[:1]), at_mean, end)
        return made

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> Message:
        x, centers, factor, offset = call.bound()
        origin = centers.mean(0)
        z, u = x - origin, centers - origin

        def size() -> Tensor:
            found = z.square().sum(1, keepdim=True) + u.square().sum(1).max()
            return found if factor is None else factor.square().sum(1).mean() * found

        s, close = slopes(call, message, ledger, size), None
        of_all = s
        if message.slope is None and call.references is None:
            d = call.value(call.output)
            s, close = _without_near(s, d if offset is None else d - offset, z, u, factor)
        metric_z, metric_u = _metric(z, factor), _metric(u, factor)
        total, s_u = s.sum(1, keepdim=True), s @ u
        s_metric_u = s_u if factor is None else s @ metric_u
        if call.references is not None:
            rows = call.references[call.inputs[0]] - origin
            mean, metric_mean = rows.mean(0), _metric(rows, factor).mean(0)
            spread = (rows * _metric(rows, factor)).mean(0)
            r = (z * metric_z - spread) * total - (z - mean) * s_metric_u - s_u * (metric_z - metric_mean)
            return Message.of_relevance(r)
        eta = rule.eta if isinstance(rule, Hybrid) else 1.0
        # z Λz total - z Λ s_u - Λz s_u + s (u Λu), in place: allocating costs more than computing.
        half = metric_z * total
        half.sub_(s_metric_u)
        shares = half.sub(s_u).mul_(z) if factor is None else (z * half).sub_(metric_z * s_u)
        shares.addmm_(s, u * metric_u)
        if close is not None:
            shares += close
        if factor is not None and message.slope is not None:
            shares += _between_centers(s, z, u, factor)
        if ledger.enabled and offset is not None:
            ledger.absorb("off_subspace", of_all * offset)
        if eta == 1.0:
            return Message.of_relevance(shares)
        if ledger.enabled:
            lengths = (u * metric_u).sum(1) - (z * metric_z).sum(1, keepdim=True)
            ledger.absorb("origin", (1 - eta) * s * lengths)
        return Message.of_relevance(2 * (1 - eta) * z * half + eta * shares)

    def at_reference(self, call: Call, values: dict[int, Tensor], rule: Rule | None) -> tuple[Tensor, ...]:
        rows, centers, factor, offset = call.bound(values.__getitem__)
        mean = rows.mean(0, keepdim=True)
        spread = rows - mean
        return (squared_distance(mean, centers, factor, offset) + (spread * _metric(spread, factor)).mean(0).sum(),)


def _without_near(s: Tensor, d: Tensor, z: Tensor, u: Tensor, factor: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Take the close pairs, whose slopes R / D are steep, out of the matrix products and share them directly."""
    rows, columns = _near(d, z.square().sum(1, keepdim=True), u, lost=0.75)
    if not len(rows):
        return s, None
    delta = z[rows] - u[columns]
    shares = delta * _metric(delta, factor)
    own = shares.sum(1)  # what these add up to, more accurately than d
    steep = s[rows, columns] * torch.where(own > 0, d[rows, columns] / own, 1.0)
    close = torch.zeros_like(z).index_add_(0, rows, steep[:, None] * shares)
    return s.index_put((rows, columns), s.new_zeros(())), close


def _between_centers(s: Tensor, z: Tensor, u: Tensor, factor: Tensor) -> Tensor:
    """From shares of single distances to the midpoint rule for differences ``D_a - D_b = w (x - m)``; adds up to 0.

    ``w_i (x - m)_i = (Λ (δ_a - δ_b))_i (δ_a + δ_b)_i``, bilinear in δ: of all pairs of a center with a positive and one
    with a negative slope only the mean δ of either side is needed. (In a metric that is not diagonal the shares
    ``δ_i (Λδ)_i`` of two distances do not cancel where their difference does not depend on a feature.)
    """
    up, down = s.clamp(min=0), (-s).clamp(min=0)
    p, q = up.sum(1, keepdim=True), down.sum(1, keepdim=True)
    a, b = z - divide(up @ u, p), z - divide(down @ u, q)
    return torch.minimum(p, q) * (b * _metric(a, factor) - a * _metric(b, factor))


def _metric(x: Tensor, factor: Tensor | None) -> Tensor:
    """``Λ x``."""
    return x if factor is None else (x @ factor.T) @ factor


treat(squared_distance, by=_SquaredDistance())
