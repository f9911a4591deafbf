"""Networks of parallel branches: GoogLeNet and Inception-v3, whose auxiliary heads rest in evaluation mode."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.architectures.blocks import Concatenated
from tests.architectures.example import Example, example, images


class Convolution(nn.Module):
    """Convolution, batch normalization, ReLU in place."""

    def __init__(self, channels: int, out: int, kernel: int | tuple[int, int], **options: object) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, kernel, bias=False, **options)
        self.bn = nn.BatchNorm2d(out, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)), inplace=True)


def _inception(channels: int, ones: int, three: tuple[int, int], five: tuple[int, int], pooled: int) -> nn.Module:
    """The module of GoogLeNet; its "5x5" branch is 3x3, as in the published weights."""
    return Concatenated(
        Convolution(channels, ones, 1),
        nn.Sequential(Convolution(channels, three[0], 1), Convolution(*three, 3, padding=1)),
        nn.Sequential(Convolution(channels, five[0], 1), Convolution(*five, 3, padding=1)),
        nn.Sequential(nn.MaxPool2d(3, 1, 1, ceil_mode=True), Convolution(channels, pooled, 1)),
    )


class AuxiliaryHead(nn.Module):
    """A classifier half-way up, for training only."""

    def __init__(self, channels: int, narrow: int, hidden: int, n_classes: int) -> None:
        super().__init__()
        self.conv = Convolution(channels, narrow, 1)
        self.fc1, self.fc2 = nn.Linear(16 * narrow, hidden), nn.Linear(hidden, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.flatten(self.conv(F.adaptive_avg_pool2d(x, (4, 4))), 1)
        return self.fc2(F.dropout(F.relu(self.fc1(x)), 0.7, training=self.training))


class GoogLeNet(nn.Module):
    """GoogLeNet (Szegedy et al. 2015)."""

    def __init__(self, w: int, n_classes: int) -> None:  # w = 16 in full
        super().__init__()
        self.stem = nn.Sequential(
            Convolution(3, 4 * w, 7, stride=2, padding=3), nn.MaxPool2d(3, 2, ceil_mode=True),
            Convolution(4 * w, 4 * w, 1), Convolution(4 * w, 12 * w, 3, padding=1), nn.MaxPool2d(3, 2, ceil_mode=True),
        )  # fmt: skip
        self.inception3 = nn.Sequential(
            _inception(12 * w, 4 * w, (6 * w, 8 * w), (w, 2 * w), 2 * w),
            _inception(16 * w, 8 * w, (8 * w, 12 * w), (2 * w, 6 * w), 4 * w),
            nn.MaxPool2d(3, 2, ceil_mode=True),
        )
        self.inception4a = _inception(30 * w, 12 * w, (6 * w, 13 * w), (w, 3 * w), 4 * w)
        self.inception4bcd = nn.Sequential(
            _inception(32 * w, 10 * w, (7 * w, 14 * w), (3 * w // 2, 4 * w), 4 * w),
            _inception(32 * w, 8 * w, (8 * w, 16 * w), (3 * w // 2, 4 * w), 4 * w),
            _inception(32 * w, 7 * w, (9 * w, 18 * w), (2 * w, 4 * w), 4 * w),
        )
        self.inception4e = _inception(33 * w, 16 * w, (10 * w, 20 * w), (2 * w, 8 * w), 8 * w)
        self.inception5 = nn.Sequential(
            nn.MaxPool2d(2, 2, ceil_mode=True),
            _inception(52 * w, 16 * w, (10 * w, 20 * w), (2 * w, 8 * w), 8 * w),
            _inception(52 * w, 24 * w, (12 * w, 24 * w), (3 * w, 8 * w), 8 * w),
        )
        self.aux1 = AuxiliaryHead(32 * w, 8 * w, 64 * w, n_classes)
        self.aux2 = AuxiliaryHead(33 * w, 8 * w, 64 * w, n_classes)
        self.dropout, self.fc = nn.Dropout(0.2), nn.Linear(64 * w, n_classes)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        x = self.inception4a(self.inception3(self.stem(x)))
        first = self.aux1(x) if self.training else None
        x = self.inception4bcd(x)
        second = self.aux2(x) if self.training else None
        x = F.adaptive_avg_pool2d(self.inception5(self.inception4e(x)), (1, 1))
        x = self.fc(self.dropout(torch.flatten(x, 1)))
        return (x, second, first) if first is not None and second is not None else x


def _pooled(channels: int, out: int) -> nn.Module:
    return nn.Sequential(nn.AvgPool2d(3, 1, 1), Convolution(channels, out, 1))


def _tall_and_wide(channels: int, out: int) -> nn.Module:
    return Concatenated(
        Convolution(channels, out, (1, 3), padding=(0, 1)), Convolution(channels, out, (3, 1), padding=(1, 0))
    )


def _factorized(widths: tuple[int, ...], first: tuple[int, int]) -> list[nn.Module]:
    """1x7 and 7x1 convolutions in turn."""
    kernels = [first if i % 2 == 0 else first[::-1] for i in range(len(widths) - 1)]
    return [
        Convolution(a, b, kernel, padding=(kernel[0] // 2, kernel[1] // 2))
        for a, b, kernel in zip(widths, widths[1:], kernels, strict=False)
    ]


class InceptionV3(nn.Module):
    """Inception-v3 (Szegedy et al. 2016)."""

    def __init__(self, w: int, n_classes: int) -> None:  # w = 16 in full
        super().__init__()
        c = Convolution
        self.stem = nn.Sequential(
            c(3, 2 * w, 3, stride=2), c(2 * w, 2 * w, 3), c(2 * w, 4 * w, 3, padding=1), nn.MaxPool2d(3, 2),
            c(4 * w, 5 * w, 1), c(5 * w, 12 * w, 3), nn.MaxPool2d(3, 2),
        )  # fmt: skip

        def a(channels: int, pooled: int) -> nn.Module:
            three = (c(channels, 4 * w, 1), c(4 * w, 6 * w, 3, padding=1), c(6 * w, 6 * w, 3, padding=1))
            five = (c(channels, 3 * w, 1), c(3 * w, 4 * w, 5, padding=2))
            return Concatenated(
                c(channels, 4 * w, 1), nn.Sequential(*five), nn.Sequential(*three), _pooled(channels, pooled)
            )

        def b(channels: int, n: int) -> nn.Module:
            seven = (c(channels, n, 1), *_factorized((n, n, 12 * w), (1, 7)))
            twice = (c(channels, n, 1), *_factorized((n, n, n, n, 12 * w), (7, 1)))
            return Concatenated(
                c(channels, 12 * w, 1), nn.Sequential(*seven), nn.Sequential(*twice), _pooled(channels, 12 * w)
            )

        def e(channels: int) -> nn.Module:
            three = (c(channels, 24 * w, 1), _tall_and_wide(24 * w, 24 * w))
            twice = (c(channels, 28 * w, 1), c(28 * w, 24 * w, 3, padding=1), _tall_and_wide(24 * w, 24 * w))
            return Concatenated(
                c(channels, 20 * w, 1), nn.Sequential(*three), nn.Sequential(*twice), _pooled(channels, 12 * w)
            )

        down = (c(18 * w, 4 * w, 1), c(4 * w, 6 * w, 3, padding=1), c(6 * w, 6 * w, 3, stride=2))
        last = (c(48 * w, 12 * w, 1), *_factorized((12 * w, 12 * w, 12 * w), (1, 7)), c(12 * w, 12 * w, 3, stride=2))
        self.lower = nn.Sequential(
            a(12 * w, 2 * w), a(16 * w, 4 * w), a(18 * w, 4 * w),
            Concatenated(c(18 * w, 24 * w, 3, stride=2), nn.Sequential(*down), nn.MaxPool2d(3, 2)),
            b(48 * w, 8 * w), b(48 * w, 10 * w), b(48 * w, 10 * w), b(48 * w, 12 * w),
        )  # fmt: skip
        self.aux_conv = nn.Sequential(c(48 * w, 8 * w, 1), c(8 * w, 48 * w, 5))
        self.aux_fc = nn.Linear(48 * w, n_classes)
        self.upper = nn.Sequential(
            Concatenated(
                nn.Sequential(c(48 * w, 12 * w, 1), c(12 * w, 20 * w, 3, stride=2)),
                nn.Sequential(*last),
                nn.MaxPool2d(3, 2),
            ),
            e(80 * w),
            e(128 * w),
        )
        self.dropout, self.fc = nn.Dropout(), nn.Linear(128 * w, n_classes)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        # Images normalized for other networks come in on these scales.
        red, green, blue = (x[:, i].unsqueeze(1) for i in range(3))
        x = torch.cat([red * 0.458 - 0.030, green * 0.448 - 0.088, blue * 0.450 - 0.188], 1)
        x = self.lower(self.stem(x))
        aux = None
        if self.training:
            aux = self.aux_conv(F.avg_pool2d(x, 5, 3))
            aux = self.aux_fc(torch.flatten(F.adaptive_avg_pool2d(aux, (1, 1)), 1))
        x = self.fc(torch.flatten(self.dropout(F.adaptive_avg_pool2d(self.upper(x), (1, 1))), 1))
        return x if aux is None else (x, aux)


def googlenet(full: bool = False) -> Example:
    return example(GoogLeNet(16, 1000) if full else GoogLeNet(2, 10), images(2, 224 if full else 64))


def inception_v3(full: bool = False) -> Example:
    return example(InceptionV3(16, 1000) if full else InceptionV3(1, 10), images(2, 299 if full else 95))
