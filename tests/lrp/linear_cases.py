"""The linear maps that the rules are tested on, each a function of one batch."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Case:
    """One linear map; ``function`` takes (n, *shape).

    ``whole``: the map reads its input as it comes, so that a box or reference point per feature fits it (the
    branches of a sum read slices).
    """

    name: str
    shape: tuple[int, ...]
    function: Callable[[Tensor], Tensor]
    whole: bool = True

    @property
    def weighted(self) -> bool:
        """Whether it has weights of its own: it is no average, sum or shift."""
        return self.name in {case.name for case in (*dense_cases(), *convolution_cases())}


def _draw(seed: int) -> Callable[..., Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)


def dense_cases() -> list[Case]:
    """Constant matrices, however they are spelled."""
    draw = _draw(0)
    w, b, a = draw(5, 7), draw(5), draw(4, 6)
    wt = w.T.contiguous()
    return [
        Case("linear", (7,), lambda x: F.linear(x, w, b)),
        Case("linear_no_bias", (7,), lambda x: F.linear(x, w)),
        Case("linear_last_axis", (3, 7), lambda x: F.linear(x, w, b)),
        Case("matmul_operator", (7,), lambda x: x @ wt),
        Case("matmul", (3, 7), lambda x: torch.matmul(x, wt)),
        Case("matmul_method", (7,), lambda x: x.matmul(wt)),
        Case("mm", (7,), lambda x: torch.mm(x, wt)),
        Case("matmul_left", (6, 2), lambda x: a @ x),
        Case("matmul_vector", (7,), lambda x: x @ w[0]),
        Case("addmm", (7,), lambda x: torch.addmm(b, x, wt)),
    ]


def convolution_cases() -> list[Case]:
    """Convolutions and transposed convolutions with every kind of geometry."""
    draw = _draw(1)
    w1, b1, w1s = draw(4, 3, 3), draw(4), draw(4, 3, 3)
    w2, b2, w2d = draw(6, 2, 3, 3), draw(6), draw(4, 1, 3, 2)
    w3, b3 = draw(3, 2, 2, 3, 2), draw(3)
    t1, c1 = draw(3, 4, 3), draw(4)
    t2, c2 = draw(4, 3, 3, 3), draw(6)
    t3, c3 = draw(2, 3, 2, 2, 2), draw(3)
    return [
        Case("conv1d", (3, 9), lambda x: F.conv1d(x, w1, b1, stride=2, padding=1)),
        Case("conv1d_no_bias_dilated", (3, 9), lambda x: F.conv1d(x, w1, dilation=2)),
        Case("conv1d_same", (3, 6), lambda x: F.conv1d(x, w1s, b1, padding="same")),
        Case("conv2d", (4, 7, 6), lambda x: F.conv2d(x, w2, b2, 2, 1, 2, groups=2)),
        Case("conv2d_no_bias", (4, 4, 5), lambda x: F.conv2d(x, w2, None, padding=(0, 1), groups=2)),
        Case("conv2d_depthwise", (4, 5, 4), lambda x: F.conv2d(x, w2d, b2[:4], groups=4)),
        Case("conv3d", (2, 4, 4, 3), lambda x: F.conv3d(x, w3, b3, stride=(2, 1, 1), padding=(1, 0, 0))),
        Case("conv3d_no_bias", (2, 3, 3, 3), lambda x: F.conv3d(x, w3)),
        Case("conv_transpose1d", (3, 5), lambda x: F.conv_transpose1d(x, t1, c1, stride=2)),
        Case("conv_transpose1d_no_bias", (3, 5), lambda x: F.conv_transpose1d(x, t1, dilation=2, padding=1)),
        Case(
            "conv_transpose2d",
            (4, 4, 3),
            lambda x: F.conv_transpose2d(x, t2, c2, stride=2, padding=1, output_padding=1, groups=2),
        ),
        Case("conv_transpose2d_dilated", (4, 3, 3), lambda x: F.conv_transpose2d(x, t2, c2[:3], dilation=(2, 1))),
        Case("conv_transpose3d", (2, 3, 2, 2), lambda x: F.conv_transpose3d(x, t3, c3, stride=(1, 2, 1))),
        Case("conv_transpose3d_no_bias", (2, 2, 2, 3), lambda x: F.conv_transpose3d(x, t3)),
    ]


def elementwise_cases() -> list[Case]:
    """Maps of one input to one output each, with a shift."""
    draw = _draw(2)
    mean, scale, shift, spread = draw(4), draw(4), draw(4), draw(4).exp()

    def batch_norm(x: Tensor) -> Tensor:
        return F.batch_norm(x, mean, spread, scale, shift)

    return [
        Case("batch_norm", (4,), batch_norm),
        Case("batch_norm_1d", (4, 3), batch_norm),
        Case("batch_norm_2d", (4, 2, 3), batch_norm),
        Case("batch_norm_no_affine", (4, 3), lambda x: F.batch_norm(x, mean, spread)),
        Case("shift", (3, 4), lambda x: x + shift),
        Case("shift_backwards", (3, 4), lambda x: shift - x),
    ]


def pooling_cases() -> list[Case]:
    """Averages: windows, adaptive windows (even and uneven), whole axes; and sums over axes."""
    return [
        Case("avg_pool1d", (2, 8), lambda x: F.avg_pool1d(x, 3, 2)),
        Case("avg_pool1d_padded", (2, 8), lambda x: F.avg_pool1d(x, 3, 2, 1)),
        Case("avg_pool2d", (2, 6, 5), lambda x: F.avg_pool2d(x, (2, 3), stride=(2, 1))),
        Case("avg_pool2d_padded", (2, 5, 5), lambda x: F.avg_pool2d(x, 3, 2, 1)),
        Case("avg_pool2d_inner", (2, 5, 5), lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)),
        Case("avg_pool2d_ceil", (2, 5, 5), lambda x: F.avg_pool2d(x, 2, 2, ceil_mode=True)),
        Case("avg_pool3d", (2, 4, 3, 2), lambda x: F.avg_pool3d(x, 2, 1)),
        Case("adaptive_avg_pool1d", (2, 6), lambda x: F.adaptive_avg_pool1d(x, 3)),
        Case("adaptive_avg_pool1d_uneven", (2, 7), lambda x: F.adaptive_avg_pool1d(x, 3)),
        Case("adaptive_avg_pool2d", (3, 4, 4), lambda x: F.adaptive_avg_pool2d(x, 1)),
        Case("adaptive_avg_pool2d_uneven", (2, 5, 4), lambda x: F.adaptive_avg_pool2d(x, (2, 3))),
        Case("adaptive_avg_pool3d", (2, 4, 2, 3), lambda x: F.adaptive_avg_pool3d(x, (2, 1, 3))),
        Case("mean_axes", (3, 4, 2), lambda x: x.mean((2, 3))),
        Case("mean_keepdim", (3, 4), lambda x: torch.mean(x, -1, keepdim=True)),
        Case("mean_axis", (3, 4), lambda x: torch.mean(x, dim=1)),
        Case("sum_axis", (3, 4), lambda x: x.sum(1)),
        Case("sum_axes", (3, 4), lambda x: torch.sum(x, dim=(1, 2))),
    ]


def sum_cases() -> list[Case]:
    """Additions and subtractions of two explained branches; slicing hands relevance on as it is."""
    return [
        Case("add", (6,), lambda x: x[:, :3] + x[:, 3:], whole=False),
        Case("add_function", (4, 3), lambda x: torch.add(x[:, :2], x[:, 2:]), whole=False),
        Case("add_in_place", (6,), lambda x: x[:, :3].clone().add_(x[:, 3:]), whole=False),
        Case("add_scaled", (6,), lambda x: torch.add(x[:, :3], x[:, 3:], alpha=2.5), whole=False),
        Case("add_broadcast", (5,), lambda x: x[:, :1] + x[:, 1:], whole=False),
        Case("sub", (6,), lambda x: x[:, :3] - x[:, 3:], whole=False),
        Case("sub_function", (6,), lambda x: torch.sub(x[:, :3], x[:, 3:]), whole=False),
        Case("sub_broadcast", (3, 4), lambda x: x[:, :, 1:] - x[:, :, :1], whole=False),
    ]


CASES = [*dense_cases(), *convolution_cases(), *elementwise_cases(), *pooling_cases(), *sum_cases()]
