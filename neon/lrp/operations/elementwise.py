"""Elementwise functions of one explained input: relevance passes unchanged, whatever the activation.

Where f(0) is not 0 (sigmoid, exp, cos) and the input z is a sum whose parts may cancel, f(0) is a part that no input
owns, as a bias is: it is the residual ``offset``, and z gets ``f(z) - f(0)``, by the slope of the secant through 0.
Where f(z) is a factor (a gate) that relevance was halved for, the two share by magnitude, so that a gate that is
nearly closed gives no more than it got.
Under a reference point the slope ``R_f / (f(x) - f(r))`` is multiplied by the secant's, ``(f(x) - f(r)) / (x - r)``,
and at ``x = r`` the derivative (DeepLIFT's rescale rule).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from neon.errors import UnsupportedOperationError
from neon.lrp.message import Ledger, Message, divide
from neon.lrp.operations.linear import RELU
from neon.lrp.operations.linear_functions import function_of_input
from neon.lrp.operations.table import Call, Treatment, treat
from neon.lrp.recording.tape import Retention
from neon.lrp.rules import Rule

__all__ = ["ElementwiseTreatment", "Identity"]


class ElementwiseTreatment(Treatment):
    """An activation or any other function of each element alone.

    Parameters
    ----------
    nonnegative : bool
        Whether its values are ≥ 0 whatever the input.
    mean_first : bool
        At several reference rows, take the function of the mean (the default), not the mean of the function.
    offset : bool
        Whether its value at 0 may be another than 0.
    """

    takes_reference = True

    def __init__(
        self, *, nonnegative: bool = False, forget: bool = False, mean_first: bool = True, offset: bool = False
    ) -> None:
        self.nonnegative, self.mean_first, self.offset, self.cheap = nonnegative, mean_first, offset, not forget
        self.retention = Retention(inputs=False, forget_inputs=forget)

    def check(self, call: Call, rule: Rule | None) -> None:
        if len(call.inputs) != 1:
            raise UnsupportedOperationError(f"{call.operation.name} of two tensors that both depend on the input")
        if call.tape.specs[call.inputs[0]].shape != call.tape.specs[call.output].shape:
            raise UnsupportedOperationError(f"{call.operation.name} that broadcasts its input to a new shape")

    def sources(self, call: Call, known: Sequence[Tensor]) -> tuple[Tensor, ...] | None:
        return tuple(known) if len(known) == 1 else None

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> Message:
        x_ref = call.reference(call.inputs[0])
        if call.references is None and self.offset and call.inputs[0] in call.mixed:
            return self._from_origin(call, message, ledger)
        if message.slope is None or x_ref is None or self._several_rows(call):
            return Message.of_relevance(message.relevance, vanishes=message.vanishes)
        x = call.value(call.inputs[0])
        y_ref = call.reference(call.output)
        assert y_ref is not None
        slope = self.secant(call, x, x_ref, call.value(call.output), y_ref)
        return Message.of_slope(message.slope * slope)

    def _from_origin(self, call: Call, message: Message, ledger: Ledger) -> Message:
        """``f(z) = f(0) + z (f(z) - f(0)) / z``, where f(0) is a number."""
        x = call.value(call.inputs[0])
        function = function_of_input(call)
        origin = function(torch.zeros_like(x))
        if not bool(origin.isfinite().all()) or not bool(origin.any()):
            return Message.of_relevance(message.relevance, vanishes=message.vanishes)
        y = call.value(call.output)
        is_factor = call.output in call.factors
        size = origin.abs() + (y - origin).abs()
        s = divide(message.relevance, size) if is_factor else message.slope_over(y, ledger)
        if ledger.enabled:
            ledger.absorb("offset", s * (origin.abs() if is_factor else origin))
        # Next to 0 the difference has lost its digits; the slope halfway is the secant's, up to x².
        near = x.abs() < torch.finfo(x.dtype).eps ** (1 / 3)
        slope = (y - origin) / x
        if bool(near.any()):
            with torch.enable_grad():
                probe = (x.detach() / 2).requires_grad_()
                (derivative,) = torch.autograd.grad(function(probe).sum(), probe)
            slope = torch.where(near, derivative, slope)
        return Message.of_slope(s * (slope.abs() * x.sign() if is_factor else slope))

    def secant(self, call: Call, x: Tensor, x_ref: Tensor, y: Tensor, y_ref: Tensor) -> Tensor:
        """``(f(x) - f(r)) / (x - r)``, and ``f'(r)`` at ``x = r``."""
        difference = x - x_ref
        slope = (y - y_ref) / difference
        touching = difference == 0
        if touching.any():
            with torch.enable_grad():
                probe = x.detach().requires_grad_()
                (derivative,) = torch.autograd.grad(function_of_input(call)(probe).sum(), probe)
            # Nothing is displaced here: a vertical tangent (√x at 0) is as good as a flat one.
            slope = torch.where(touching, derivative.masked_fill(~derivative.isfinite(), 0.0), slope)
        return slope

    def _several_rows(self, call: Call) -> bool:
        """Whether the output's reference is a mean of values: ``f(x)`` may then differ from it at ``x = r`` as well."""
        return not self.mean_first and call.references is not None and len(call.references[call.inputs[0]]) > 1


class ExponentialTreatment(ElementwiseTreatment):
    """``exp``: the secant slope is the logarithmic mean, computed without cancellation."""

    def secant(self, call: Call, x: Tensor, x_ref: Tensor, y: Tensor, y_ref: Tensor) -> Tensor:
        # (e^u - e^v) / (u - v) = e^max expm1(-d) / (-d) with d = |u - v|: no overflow, no cancellation.
        d = (x - x_ref).abs_()
        factor = torch.expm1(-d).div_(d.neg_()).masked_fill_(d == 0, 1.0)
        return factor.mul_(torch.maximum(y, y_ref))


class Identity(ElementwiseTreatment):
    """Functions that hand their input on: dropout in evaluation, clone, a change of memory layout."""

    is_linear = True

    def check(self, call: Call, rule: Rule | None) -> None:
        args, kwargs = call.operation.args, call.operation.kwargs
        if "dropout" in call.operation.name and (kwargs.get("training", args[2] if len(args) > 2 else False)):
            raise UnsupportedOperationError("dropout in training mode is random; call model.eval() first")
        super().check(call, rule)

    def is_nonnegative(self, call: Call) -> bool:
        return call.inputs[0] in call.nonnegative


T = torch.Tensor
treat(*RELU, by=ElementwiseTreatment(nonnegative=True, forget=True))
# The parts of a distance: its reference is the mean distance of the reference rows.
treat(torch.square, T.square, torch.abs, T.abs, by=ElementwiseTreatment(nonnegative=True, mean_first=False))
treat(torch._C._nn.smooth_l1_loss, torch._C._nn.huber_loss, by=ElementwiseTreatment(nonnegative=True, mean_first=False))
treat(torch.exp, T.exp, by=ExponentialTreatment(nonnegative=True, offset=True))
treat(
    F.sigmoid, torch.sigmoid, T.sigmoid, F.hardsigmoid, F.softplus, torch.exp2, T.exp2,
    by=ElementwiseTreatment(nonnegative=True, offset=True),
)  # fmt: skip
treat(F.relu6, T.sqrt, torch.sqrt, by=ElementwiseTreatment(nonnegative=True))
treat(
    F.logsigmoid, torch.cos, T.cos, torch.cosh, T.cosh, torch.erfc, T.erfc, torch.sinc, T.sinc, torch.i0, T.i0,
    torch.acos, T.acos, torch.clamp, T.clamp, torch.clamp_min, T.clamp_min, torch.clamp_max, T.clamp_max, F.threshold,
    torch.threshold, F.hardtanh,
    by=ElementwiseTreatment(offset=True),
)  # fmt: skip
treat(
    torch.pow, T.pow, T.__pow__,
    F.gelu, F.silu, F.mish, F.elu, F.selu, F.celu, F.leaky_relu, F.hardswish, F.softsign, F.prelu, torch.prelu,
    T.prelu, F.tanhshrink, F.softshrink, F.hardshrink, torch.selu, torch.celu, F.tanh, torch.tanh, T.tanh, torch.log,
    T.log, torch.log1p, T.log1p, torch.expm1, T.expm1, torch.sin, T.sin, torch.sign, T.sign, torch.reciprocal,
    T.reciprocal, T.__rtruediv__, torch.erf, T.erf, torch.atan, T.atan, torch.sinh, torch.asinh, torch.rsqrt, T.rsqrt,
    torch.log2, T.log2, torch.log10, T.log10, torch.logit, T.logit, torch.float_power, T.float_power, torch.nan_to_num,
    T.nan_to_num, T.sinh, T.asinh, torch.acosh, T.acosh, torch.tan, T.tan, torch.asin, T.asin, torch.atanh, T.atanh,
    T.hardshrink, torch.rrelu, F.rrelu, torch.positive, T.positive, T.__pos__, torch.round, T.round, torch.floor,
    T.floor, torch.ceil, T.ceil, torch.trunc, T.trunc,
    by=ElementwiseTreatment(),
)  # fmt: skip
treat(
    F.dropout, F.dropout1d, F.dropout2d, F.dropout3d, F.alpha_dropout, F.feature_alpha_dropout,
    torch.dropout, torch.alpha_dropout, torch.feature_alpha_dropout, torch.feature_dropout,
    T.clone, torch.clone, T.contiguous, T.to, T.type_as, T.bfloat16, T.half, T.float, T.double, T.type, T.cpu, T.cuda,
    by=Identity(),
)  # fmt: skip
