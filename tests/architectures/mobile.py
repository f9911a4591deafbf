"""Networks of depthwise convolutions: MobileNet v2/v3, EfficientNet v1/v2, MNASNet, ShuffleNet v2."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from tests.architectures.blocks import SqueezeExcitation, conv_norm, rounded
from tests.architectures.example import Example, example, images


class InvertedResidual(nn.Module):
    """Widen, filter each channel, narrow again; beside a skip connection where the shape stays.

    ``fused`` widens and filters in one full convolution (EfficientNet v2).
    """

    def __init__(
        self,
        channels: int,
        out: int,
        expanded: int,
        kernel: int,
        stride: int,
        activation: Callable[[], nn.Module] = nn.ReLU6,
        excitation: nn.Module | None = None,
        fused: bool = False,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        if fused and expanded == channels:
            layers.append(conv_norm(channels, out, kernel, stride, activation=activation, eps=eps))
        else:
            if fused:
                layers.append(conv_norm(channels, expanded, kernel, stride, activation=activation, eps=eps))
            else:
                if expanded != channels:
                    layers.append(conv_norm(channels, expanded, activation=activation, eps=eps))
                layers.append(
                    conv_norm(expanded, expanded, kernel, stride, groups=expanded, activation=activation, eps=eps)
                )
            if excitation is not None:
                layers.append(excitation)
            layers.append(conv_norm(expanded, out, activation=None, eps=eps))
        self.inner = nn.Sequential(*layers)
        self.skips = stride == 1 and channels == out

    def forward(self, x: Tensor) -> Tensor:
        y = self.inner(x)
        if self.skips:
            y += x
        return y


def _head(channels: int, n_classes: int, dropout: float = 0.2) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout), nn.Linear(channels, n_classes)]


def mobilenet_v2(full: bool = False) -> Example:
    """MobileNet v2 (Sandler et al. 2018)."""
    scale, shorten, n_classes = (1.0, 8, 1000) if full else (0.25, 1, 10)
    settings = (
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
    )  # fmt: skip
    channels = rounded(32 * scale)
    layers: list[nn.Module] = [conv_norm(3, channels, 3, 2, activation=nn.ReLU6)]
    for factor, out, depth, stride in settings:
        for j in range(min(depth, shorten + 1)):
            layers.append(InvertedResidual(channels, rounded(out * scale), channels * factor, 3, 1 if j else stride))
            channels = rounded(out * scale)
    last = 1280 if full else 64
    layers.append(conv_norm(channels, last, activation=nn.ReLU6))
    return example(nn.Sequential(*layers, *_head(last, n_classes)), images(2, 224 if full else 64))


# kernel, expanded, out, squeeze and excitation, hardswish, stride
_MOBILENET_V3 = (
    (3, 16, 16, 0, 0, 1), (3, 64, 24, 0, 0, 2), (3, 72, 24, 0, 0, 1), (5, 72, 40, 1, 0, 2), (5, 120, 40, 1, 0, 1),
    (5, 120, 40, 1, 0, 1), (3, 240, 80, 0, 1, 2), (3, 200, 80, 0, 1, 1), (3, 184, 80, 0, 1, 1), (3, 184, 80, 0, 1, 1),
    (3, 480, 112, 1, 1, 1), (3, 672, 112, 1, 1, 1), (5, 672, 160, 1, 1, 2), (5, 960, 160, 1, 1, 1),
    (5, 960, 160, 1, 1, 1),
)  # fmt: skip


def mobilenet_v3(full: bool = False) -> Example:
    """MobileNet v3 large (Howard et al. 2019)."""
    scale, n_classes = (1.0, 1000) if full else (0.2, 10)
    channels = rounded(16 * scale)
    layers: list[nn.Module] = [conv_norm(3, channels, 3, 2, activation=nn.Hardswish, eps=0.001)]
    for kernel, expanded, out, excited, swish, stride in _MOBILENET_V3:
        wide, out = rounded(expanded * scale), rounded(out * scale)
        excitation = SqueezeExcitation(wide, rounded(wide / 4), gate=nn.Hardsigmoid) if excited else None
        activation = nn.Hardswish if swish else nn.ReLU
        layers.append(InvertedResidual(channels, out, wide, kernel, stride, activation, excitation, eps=0.001))
        channels = out
    layers.append(conv_norm(channels, 6 * channels, activation=nn.Hardswish, eps=0.001))
    hidden = 1280 if full else 64
    pool = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6 * channels, hidden), nn.Hardswish(inplace=True)]
    model = nn.Sequential(*layers, *pool, nn.Dropout(0.2), nn.Linear(hidden, n_classes))
    return example(model, images(2, 224 if full else 64))


# fused, expansion, kernel, stride, out, depth
_EFFICIENTNET_B0 = (
    (0, 1, 3, 1, 16, 1), (0, 6, 3, 2, 24, 2), (0, 6, 5, 2, 40, 2), (0, 6, 3, 2, 80, 3), (0, 6, 5, 1, 112, 3),
    (0, 6, 5, 2, 192, 4), (0, 6, 3, 1, 320, 1),
)  # fmt: skip
_EFFICIENTNET_V2 = (
    (1, 1, 3, 1, 24, 2), (1, 4, 3, 2, 48, 4), (1, 4, 3, 2, 64, 4), (0, 4, 3, 2, 128, 6), (0, 6, 3, 1, 160, 9),
    (0, 6, 3, 2, 256, 15),
)  # fmt: skip


def _efficientnet(settings: tuple[tuple[int, ...], ...], stem: int, eps: float, full: bool) -> Example:
    scale, n_classes = (1.0, 1000) if full else (0.2, 10)
    channels = rounded(stem * scale)
    layers: list[nn.Module] = [conv_norm(3, channels, 3, 2, activation=nn.SiLU, eps=eps)]
    for fused, factor, kernel, stride, out, depth in settings:
        out = rounded(out * scale)
        for j in range(depth if full else min(depth, 2)):
            wide = channels * factor
            excitation = None if fused else SqueezeExcitation(wide, max(1, channels // 4), nn.SiLU)
            block = (channels, out, wide, kernel, 1 if j else stride, nn.SiLU, excitation, bool(fused), eps)
            layers.append(InvertedResidual(*block))
            channels = out
    last = 1280 if full else 64
    layers.append(conv_norm(channels, last, activation=nn.SiLU, eps=eps))
    return example(nn.Sequential(*layers, *_head(last, n_classes)), images(2, 224 if full else 64))


def efficientnet(full: bool = False) -> Example:
    """EfficientNet-B0 (Tan and Le 2019)."""
    return _efficientnet(_EFFICIENTNET_B0, 32, 1e-5, full)


def efficientnet_v2(full: bool = False) -> Example:
    """EfficientNetV2-S (Tan and Le 2021)."""
    return _efficientnet(_EFFICIENTNET_V2, 24, 1e-3, full)


class MeanHead(nn.Module):
    """Mean over both image axes, dropout, linear layer."""

    def __init__(self, channels: int, n_classes: int) -> None:
        super().__init__()
        self.dropout, self.linear = nn.Dropout(0.2, inplace=True), nn.Linear(channels, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.dropout(x.mean([2, 3])))


def mnasnet(full: bool = False) -> Example:
    """MNASNet 1.0 (Tan et al. 2019)."""
    scale, n_classes, last = (1.0, 1000, 1280) if full else (0.2, 10, 64)
    settings = (
        (3, 2, 3, 24, 3), (5, 2, 3, 40, 3), (5, 2, 6, 80, 3), (3, 1, 6, 96, 2), (5, 2, 6, 192, 4), (3, 1, 6, 320, 1),
    )  # fmt: skip
    stem, channels = rounded(32 * scale), rounded(16 * scale)
    layers: list[nn.Module] = [
        conv_norm(3, stem, 3, 2), conv_norm(stem, stem, 3, groups=stem), conv_norm(stem, channels, activation=None),
    ]  # fmt: skip
    for kernel, stride, factor, out, depth in settings:
        out = rounded(out * scale)
        for j in range(depth if full else min(depth, 2)):
            block = (channels, out, channels * factor, kernel, 1 if j else stride, nn.ReLU)
            layers.append(InvertedResidual(*block))
            channels = out
    model = nn.Sequential(*layers, conv_norm(channels, last), MeanHead(last, n_classes))
    return example(model, images(2, 224 if full else 64))


class ShuffleBlock(nn.Module):
    """Half of the channels pass, the others are filtered; then both halves are shuffled (Ma et al. 2018)."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        half, entering = out // 2, channels if stride > 1 else out // 2
        self.splits = stride == 1
        self.left = nn.Sequential()
        if stride > 1:
            filtered = conv_norm(channels, channels, 3, stride, groups=channels, activation=None)
            self.left = nn.Sequential(filtered, conv_norm(channels, half))
        self.right = nn.Sequential(
            conv_norm(entering, half),
            conv_norm(half, half, 3, stride, groups=half, activation=None),
            conv_norm(half, half),
        )

    def forward(self, x: Tensor) -> Tensor:
        left, right = x.chunk(2, dim=1) if self.splits else (x, x)
        y = torch.cat([self.left(left), self.right(right)], 1)
        n, channels, height, width = y.size()
        return y.view(n, 2, channels // 2, height, width).transpose(1, 2).contiguous().view(n, -1, height, width)


def shufflenet_v2(full: bool = False) -> Example:
    """ShuffleNet v2 x1.0."""
    widths, depths, stem, last = ((116, 232, 464), (4, 8, 4), 24, 1024) if full else ((16, 32, 48), (2, 2, 2), 8, 64)
    layers, channels = [conv_norm(3, stem, 3, 2), nn.MaxPool2d(3, 2, 1)], stem
    for out, depth in zip(widths, depths, strict=True):
        for j in range(depth):
            layers.append(ShuffleBlock(channels, out, 1 if j else 2))
            channels = out
    layers += [conv_norm(channels, last), MeanHead(last, 1000 if full else 10)]
    return example(nn.Sequential(*layers), images(2, 224 if full else 64))
