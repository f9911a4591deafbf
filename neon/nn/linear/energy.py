"""Linear scores of classes, as energies; of Gaussians of one covariance relative to the midpoint of two means."""

from __future__ import annotations

import torch
from torch import Tensor

from neon.lrp.message import Ledger, Message
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.paths.terms import Background, LinearTerms, Terms
from neon.lrp.recording.tape import Retention
from neon.lrp.rules import Rule
from neon.nn.gaussians.energy import paired
from neon.nn.layer import Layer, operation
from neon.nn.linear.layers import plain_linear, preimage

__all__ = ["LinearEnergy", "linear_energy"]


@operation
def linear_energy(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    shares: Tensor | None = None,
    means: Tensor | None = None,
    residual: str = "log_prior",
) -> Tensor:
    """``E_k = -(w_k · x + Σ_i a_ki + b_k)``: the negative of linear scores.

    Parameters
    ----------
    x : (n_samples, n_features)
    weight : (n_classes, n_features)
    bias : (n_classes,)
    shares : (n_classes, n_features), optional
        ``a``: what each feature adds, whatever its value.
    means : (n_classes, n_features), optional
        The means of the classes. The difference of two scores is explained relative to their midpoint.
    residual : str
        The name of what is left of the bias.

    Returns
    -------
    Tensor
        (n_samples, n_classes)
    """
    return -torch.addmm(bias if shares is None else bias + shares.sum(1), x, weight.T)


class LinearEnergy(Layer, of=linear_energy):
    """`linear_energy` of fixed classes."""

    option_names = ("shares", "means", "residual")
    weight: Tensor
    bias: Tensor
    shares: Tensor | None
    means: Tensor | None
    residual: str

    def after(self, weight: Tensor, bias: Tensor | None) -> LinearEnergy:
        """The scores of ``W x + b``, as scores of x; means that the map cannot reach are met as nearly as it can."""
        b = self.bias if bias is None else self.bias + self.weight @ bias
        if self.shares is not None:
            b = b + self.shares.sum(1)
        if self.means is None:
            return LinearEnergy(self.weight @ weight, b, residual="bias")
        target = self.means if bias is None else self.means - bias
        means = preimage(weight, target)
        missed = (means @ weight.T - target).square().sum(1)
        reached = bool((missed <= 1e-20 * target.square().sum(1)).all())
        return LinearEnergy(self.weight @ weight, b, means=means, residual=self.residual if reached else "bias")

    def extra_repr(self) -> str:
        return f"{self.weight.shape[1]} → {self.weight.shape[0]}" + ("" if self.means is None else ", midpoints")

    def relu(self, n_inputs: int) -> list[torch.nn.Module]:
        return [self.relative()]

    def relative(self) -> torch.nn.Linear:
        return plain_linear(-self.weight, -self.bias if self.shares is None else -(self.bias + self.shares.sum(1)))


class _LinearEnergy(Treatment):
    """``R_i = -Σ_k s_k (w_ki x_i + a_ki)``; with means, of each pair of `paired` ``-(w_k - w_c)_i (x - m)_i``.

    ``m = (μ_k + μ_c) / 2``. All pairs at once: ``-x ⊙ sW + s(W ⊙ μ) / 2 + (W⁺ ⊙ M⁻ - W⁻ ⊙ M⁺) / 2M`` with the sums
    ``W± = s± W`` and ``M± = s± μ``; slopes without a partner are relative to half their own mean. Relative to a
    reference r, whatever the means: ``R_i = -Σ_k s_k w_ki (x_i - r_i)``.
    """

    retention = Retention(inputs=True)
    takes_reference = True
    is_linear = True

    def terms(self, call: Call, rule: Rule | None, x: Tensor, background: Background) -> Terms | None:
        every = call.bound(lambda _: x)
        return LinearTerms(call.output, x, background, -every[1], linear_energy(*every))

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> Message:
        x, weight, bias, shares, means, residual = call.bound()
        s = call.slope(message, ledger)
        if call.references is not None:
            return Message.of_slope(-s @ weight)
        if means is None:
            ledger.absorb(residual, -s * bias)
            if shares is None:
                return Message.of_slope(-s @ weight)
            return Message.of_relevance((-s @ weight).mul_(x).addmm_(s, shares, alpha=-1))
        origin = means.mean(0)
        u = means - origin
        plus, minus, most = paired(s)
        roots = s @ (weight * u)
        roots += ((plus @ weight) * (minus @ u)).sub_((minus @ weight) * (plus @ u)).div_(most)
        if ledger.enabled:
            ledger.absorb(residual, -s @ (bias + weight @ origin) - roots.sum(1) / 2)
        return Message.of_relevance((-s @ weight).mul_(x - origin).add_(roots, alpha=0.5))


treat(linear_energy, by=_LinearEnergy())
