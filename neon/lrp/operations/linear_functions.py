"""Which torch functions are linear maps, and which map each of them is."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from neon.errors import UnsupportedOperationError
from neon.lrp.linear_maps import (
    AffineMap,
    Bilinear,
    Convolution,
    Dense,
    Dot,
    Fixed,
    LeftMatmul,
    LinearMap,
    Signed,
    Uniform,
)  # fmt: skip
from neon.lrp.operations.linear import LinearTreatment
from neon.lrp.operations.products import LinearOrProduct
from neon.lrp.operations.table import Call, Treatment, treat
from neon.lrp.recording.escapes import leaves
from neon.lrp.recording.tape import Operation
from neon.lrp.samples import refuse_mixing

__all__: list[str] = []

_Size = int | tuple[int, ...]


def _linear(call: Call, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> LinearMap:
    _require(call, 0)
    return Dense(weight, bias)


def _matmul(call: Call, input: Tensor, other: Tensor) -> LinearMap:
    if not call.tracked(0):
        if other.ndim < 2 or input.ndim < 2:
            raise UnsupportedOperationError(f"{call.operation.name} of a constant with a vector; use a batch axis")
        return LeftMatmul(input, shape=other.shape)
    if other.ndim == 1:
        return Dot(other)
    return Dense(other.mT) if other.ndim == 2 else _bilinear(call)


def _bilinear(call: Call, *args: Any, **kwargs: Any) -> LinearMap:
    """A product of the explained and a constant argument: ``bmm``, ``einsum``, ``tensordot``."""
    (constant,) = _constants(call.operation)
    return _with_constant(call, constant)


def _constants(operation: Operation) -> list[Tensor]:
    return [leaf for leaf in leaves(operation.args) if isinstance(leaf, Tensor)]


def _with_constant(call: Call, constant: Tensor) -> LinearMap:
    """The call as a function of its explained and its constant argument."""
    like = call.blank(call.inputs[0])

    def function(x: Tensor, weight: Tensor) -> Tensor:
        x = x.expand(like.shape)  # rules may ask with one sample, which stands for all
        args, kwargs = call.arguments(lambda _: x, lambda leaf: weight if leaf is constant else call.widened(leaf))
        result: Tensor = call.operation.function(*args, **kwargs)
        return result

    return Bilinear(call.widened(constant), None, function, like)


def _fixed(call: Call, input: Tensor, *args: Any, nonnegative: bool = True, **kwargs: Any) -> LinearMap:
    """A function without weights; nonnegative : whether all its coefficients are ≥ 0."""
    return Fixed(input.new_ones(()), None, function_of_input(call), (input,), nonnegative)


def _interpolate(call: Call, input: Tensor, *args: Any, **kwargs: Any) -> LinearMap:
    return _fixed(call, input, nonnegative="bicubic" not in (*args, *kwargs.values()))


class _Einsum(LinearOrProduct):
    """``einsum``, which of one operand alone moves or adds up elements."""

    _alone = LinearTreatment(lambda call, *_: _fixed(call, call.blank(call.inputs[0])), "pooling")

    def of(self, operation: Operation) -> Treatment:
        alone = len(operation.inputs) == 1 and not _constants(operation)
        return self._alone if alone else super().of(operation)


def _grid_sampler(call: Call, input: Tensor, grid: Tensor, interpolation_mode: int, *args: Any) -> LinearMap:
    return _fixed(call, input, nonnegative=interpolation_mode != _BICUBIC)


def _addmm(call: Call, input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1) -> LinearMap:
    if call.tracked(0) or not call.tracked(1) or call.tracked(2):
        raise UnsupportedOperationError(f"{call.operation.name}: only the first factor may depend on the input")
    return Dense(mat2.mT * alpha, input * beta)


def _convolution(
    call: Call,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: _Size = 1,
    padding: _Size | str = 0,
    dilation: _Size = 1,
    groups: int = 1,
) -> LinearMap:
    _require(call, 0)
    axes = _spatial_axes(call, input, weight)
    stride, dilation = _tuple(stride, axes), _tuple(dilation, axes)
    if padding == "same":
        total = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
        if any(t % 2 for t in total):  # one more zero on the far side
            function = call.operation.function
            return Bilinear(
                weight,
                _channels(bias, axes),
                lambda x, w: function(x, w, None, stride, padding, dilation, groups),
                input,
            )
        padding = tuple(t // 2 for t in total)
    padding = (0,) * axes if padding == "valid" else _tuple(padding, axes)
    return Convolution(
        weight, _channels(bias, axes), input.shape, stride, padding, dilation, False, (0,) * axes, groups
    )


def _conv_transpose(
    call: Call,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: _Size = 1,
    padding: _Size = 0,
    output_padding: _Size = 0,
    groups: int = 1,
    dilation: _Size = 1,
) -> LinearMap:
    _require(call, 0)
    axes = _spatial_axes(call, input, weight)
    stride, padding, output_padding, dilation = (_tuple(v, axes) for v in (stride, padding, output_padding, dilation))
    bias = _channels(bias, axes)
    return Convolution(weight, bias, input.shape, stride, padding, dilation, True, output_padding, groups)


def _batch_norm(
    call: Call,
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> LinearMap:
    if training or running_mean is None or running_var is None:
        raise UnsupportedOperationError("batch_norm in training mode mixes the samples; call model.eval() first")
    scale, shift = batch_norm_affine(running_mean, running_var, weight, bias, eps)
    axes = input.ndim - 2
    return AffineMap(_channels(scale, axes), _channels(shift, axes), input.shape)


def batch_norm_affine(
    mean: Tensor, variance: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
) -> tuple[Tensor, Tensor]:
    """Batch normalization with fixed statistics is ``x * scale + shift`` per channel."""
    scale = torch.rsqrt(variance + eps)
    scale = scale if weight is None else scale * weight
    shift = -mean * scale
    return scale, shift if bias is None else shift + bias


def _add(call: Call, input: Any, other: Any, *, alpha: float = 1) -> LinearMap:
    return _signed_sum(call, input, other, 1.0, float(alpha))


def _sub(call: Call, input: Any, other: Any, *, alpha: float = 1) -> LinearMap:
    return _signed_sum(call, input, other, 1.0, -float(alpha))


def _rsub(call: Call, input: Any, other: Any) -> LinearMap:
    return _signed_sum(call, input, other, -1.0, 1.0)


def _signed_sum(call: Call, a: Any, b: Any, sign_a: float, sign_b: float) -> LinearMap:
    if call.tracked(0) and call.tracked(1):
        plain = sign_a == sign_b == 1 and a.shape == b.shape
        return Signed(a.new_tensor([sign_a, sign_b]), shapes=(a.shape, b.shape), plain=plain)
    x, sign, constant = (a, sign_a, sign_b * b) if call.tracked(0) else (b, sign_b, sign_a * a)
    constant = torch.as_tensor(constant, dtype=x.dtype, device=x.device)
    # A mask's -∞ leaves nothing to share: no relevance arrives where a softmax has put 0.
    return AffineMap(x.new_tensor(sign), constant.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0), x.shape)


def _mul(call: Call, input: Any, other: Any) -> LinearMap:
    x, constant = (input, other) if call.tracked(0) else (other, input)
    return AffineMap(torch.as_tensor(constant, dtype=x.dtype, device=x.device), None, x.shape)


def _div(call: Call, input: Any, other: Any, *, rounding_mode: str | None = None) -> LinearMap:
    if call.tracked(1) or not call.tracked(0) or rounding_mode is not None:
        raise UnsupportedOperationError(f"{call.operation.name}: only division by a constant is linear")
    return _mul(call, input, 1 / other)


def _neg(call: Call, input: Tensor) -> LinearMap:
    return AffineMap(input.new_tensor(-1.0), None, input.shape)


def _mean(call: Call, input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> LinearMap:
    _require(call, 0)
    axes = reduced_axes(call, input, dim)
    return _uniform(call, input, 1 / math.prod(input.shape[axis] for axis in axes))


def _sum(call: Call, input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> LinearMap:
    _require(call, 0)
    reduced_axes(call, input, dim)
    return _uniform(call, input, 1.0)


def _avg_pool(axes: int) -> Callable[..., LinearMap]:
    def build(
        call: Call,
        input: Tensor,
        kernel_size: _Size,
        stride: _Size | None = None,
        padding: _Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> LinearMap:
        # The weight within a window is what a window of ones gives, divided by the number of inputs in it.
        ones = input.new_ones(1, 1, *input.shape[-axes:])
        kernel, step = _tuple(kernel_size, axes), _tuple(stride or kernel_size, axes)
        lift = (1,) if axes == 1 else ()  # there is no one-dimensional pooling with a divisor of its own
        pool = F.avg_pool3d if axes == 3 else F.avg_pool2d
        counts = pool(
            ones.reshape(1, 1, *lift, *input.shape[-axes:]),
            lift + kernel,
            lift + step,
            (0,) * len(lift) + _tuple(padding, axes),
            ceil_mode,
            divisor_override=1,
        )
        averages = function_of_input(call)(ones)
        return _uniform(call, input, averages / counts.reshape(averages.shape))

    return build


def _adaptive_avg_pool(axes: int) -> Callable[..., LinearMap]:
    def build(call: Call, input: Tensor, output_size: Any) -> LinearMap:
        sizes = output_size if isinstance(output_size, (tuple, list)) else (output_size,) * axes
        counts = input.new_ones(())
        for length, size in zip(input.shape[-axes:], sizes, strict=True):
            size = length if size is None else size
            k = torch.arange(size, device=input.device)
            window = -(-(k + 1) * length // size) - k * length // size  # from floor(k L / S) to ceil((k+1) L / S)
            counts = counts.unsqueeze(-1) * window.to(input)
        return _uniform(call, input, 1 / counts)

    return build


def _uniform(call: Call, input: Tensor, weight: float | Tensor) -> LinearMap:
    unit = torch.as_tensor(weight, dtype=input.dtype, device=input.device)
    return Uniform(unit, None, function_of_input(call), unit, input)


def function_of_input(call: Call) -> Callable[[Tensor], Tensor]:
    def function(x: Tensor) -> Tensor:
        args, kwargs = call.arguments(lambda _: x)
        return call.operation.function(*args, **kwargs)

    return function


def reduced_axes(call: Call, input: Tensor, dim: Any) -> list[int]:
    """The axes that a function sums over, once it is known that it mixes no samples."""
    if dim is None:
        dim = tuple(range(input.ndim))
    axes = sorted(axis % input.ndim for axis in (dim if isinstance(dim, (tuple, list)) else (dim,)))
    if 0 in axes:
        refuse_mixing(call.tape, call.operation)
    return axes


def with_axes(x: Tensor, axes: list[int]) -> Tensor:
    """The value of a function that has summed over these axes, with them as axes of length 1."""
    for axis in axes:
        x = x.unsqueeze(axis)
    return x


def _require(call: Call, position: int) -> None:
    if not call.tracked(position) and "input" not in call.operation.kwargs:
        raise UnsupportedOperationError(_two_inputs(call))
    if len(call.inputs) != 1:
        raise UnsupportedOperationError(_two_inputs(call))


def _two_inputs(call: Call) -> str:
    return f"{call.operation.name}: more than its first argument depends on the explained input"


def _spatial_axes(call: Call, input: Tensor, weight: Tensor) -> int:
    if input.ndim != weight.ndim:
        raise UnsupportedOperationError(
            f"{call.operation.name} of an input with {input.ndim} axes; expected {weight.ndim} (add a batch axis)"
        )
    return weight.ndim - 2


def _tuple(value: Any, axes: int) -> tuple[int, ...]:
    if isinstance(value, int):
        return (value,) * axes
    return tuple(value) * axes if len(value) == 1 else tuple(value)


def _channels(vector: Tensor | None, axes: int) -> Any:
    return None if vector is None else vector.reshape(-1, *(1,) * axes)


T = torch.Tensor
_BICUBIC = 2  # of torch.grid_sampler's interpolation modes
treat(F.linear, by=LinearTreatment(_linear, "dense"))
treat(
    torch.matmul, T.matmul, T.__matmul__, T.__rmatmul__, torch.mm, T.mm, torch.mv, T.mv, torch.sparse.mm,
    by=LinearOrProduct(LinearTreatment(_matmul, "dense")),
)  # fmt: skip
treat(
    torch.bmm, T.bmm, torch.tensordot, torch.inner, T.inner, torch.outer, T.outer, torch.linalg.vecdot,
    torch.kron, T.kron,
    by=LinearOrProduct(LinearTreatment(_bilinear, "dense")),
)  # fmt: skip
treat(F.interpolate, F.upsample, by=LinearTreatment(_interpolate, "pooling"))
treat(torch.grid_sampler, by=LinearTreatment(_grid_sampler, "pooling"))
treat(torch.einsum, by=_Einsum(LinearTreatment(_bilinear, "dense")))
treat(torch.cumsum, T.cumsum, F.fold, by=LinearTreatment(_fixed, "pooling"))
treat(torch.diff, T.diff, by=LinearTreatment(functools.partial(_fixed, nonnegative=False), "pooling"))
treat(torch.addmm, T.addmm, by=LinearTreatment(_addmm, "dense"))
treat(torch.conv1d, torch.conv2d, torch.conv3d, by=LinearTreatment(_convolution, "convolution"))
treat(
    torch.conv_transpose1d,
    torch.conv_transpose2d,
    torch.conv_transpose3d,
    by=LinearTreatment(_conv_transpose, "convolution"),
)
treat(F.batch_norm, torch.batch_norm, by=LinearTreatment(_batch_norm, "affine", merges=True))
treat(torch.add, T.add, T.__add__, T.__radd__, by=LinearTreatment(_add, "sum"))
treat(torch.sub, T.sub, T.__sub__, by=LinearTreatment(_sub, "sum"))
treat(torch.rsub, T.__rsub__, by=LinearTreatment(_rsub, "sum"))
treat(torch.mul, T.mul, T.__mul__, T.__rmul__, by=LinearOrProduct(LinearTreatment(_mul, "affine", cheap=True)))
treat(
    torch.div, T.div, T.__truediv__, torch.true_divide, T.true_divide,
    by=LinearOrProduct(LinearTreatment(_div, "affine", cheap=True)),
)  # fmt: skip
treat(torch.neg, T.neg, T.__neg__, by=LinearTreatment(_neg, "affine", cheap=True))
treat(torch.mean, T.mean, by=LinearTreatment(_mean, "pooling"))
treat(torch.sum, T.sum, by=LinearTreatment(_sum, "pooling"))
treat(F.avg_pool1d, by=LinearTreatment(_avg_pool(1), "pooling"))
treat(F.avg_pool2d, by=LinearTreatment(_avg_pool(2), "pooling"))
treat(F.avg_pool3d, by=LinearTreatment(_avg_pool(3), "pooling"))
treat(F.adaptive_avg_pool1d, torch.adaptive_avg_pool1d, by=LinearTreatment(_adaptive_avg_pool(1), "pooling"))
treat(F.adaptive_avg_pool2d, by=LinearTreatment(_adaptive_avg_pool(2), "pooling"))
treat(F.adaptive_avg_pool3d, by=LinearTreatment(_adaptive_avg_pool(3), "pooling"))
