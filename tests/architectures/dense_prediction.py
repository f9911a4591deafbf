"""Networks whose output is as large as the image: U-Net with either way up, and pyramids of dilated convolutions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.architectures.blocks import conv_norm
from tests.architectures.example import Example, example, images


class UNet(nn.Module):
    """U-Net (Ronneberger et al. 2015); ``up`` is "transposed" or a mode of `nn.Upsample`."""

    def __init__(self, width: int, depth: int, n_classes: int, up: str) -> None:
        super().__init__()
        widths = [width << i for i in range(depth + 1)]
        self.pool = nn.MaxPool2d(2)
        self.down = nn.ModuleList(_twice(a, b) for a, b in zip([3, *widths], widths, strict=False))
        self.up, self.merge = nn.ModuleList(), nn.ModuleList()
        for a, b in zip(widths[::-1], widths[-2::-1], strict=False):
            if up == "transposed":
                self.up.append(nn.ConvTranspose2d(a, b, 2, stride=2))
            else:
                scaled = nn.Upsample(scale_factor=2, mode=up, align_corners=None if up == "nearest" else True)
                self.up.append(nn.Sequential(scaled, nn.Conv2d(a, b, 1)))
            self.merge.append(_twice(2 * b, b))
        self.head = nn.Conv2d(width, n_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        skipped = []
        for i, block in enumerate(self.down):
            x = block(self.pool(x) if i else x)
            skipped.append(x)
        skipped.pop()
        for up, merge in zip(self.up, self.merge, strict=True):
            beside, x = skipped.pop(), up(x)
            missing = [beside.size(axis) - x.size(axis) for axis in (3, 2)]  # odd sizes lose a row on the way down
            x = F.pad(x, [missing[0] // 2, missing[0] - missing[0] // 2, missing[1] // 2, missing[1] - missing[1] // 2])
            x = merge(torch.cat([beside, x], dim=1))
        return self.head(x)


def _twice(channels: int, out: int) -> nn.Module:
    return nn.Sequential(conv_norm(channels, out, 3), conv_norm(out, out, 3))


class DilatedPyramid(nn.Module):
    """Dilated convolutions and a global mean side by side, scaled up to the image (DeepLab v3, Chen et al. 2017)."""

    def __init__(self, width: int, n_classes: int, rates: tuple[int, ...]) -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            conv_norm(3, width, 3, 2), conv_norm(width, 2 * width, 3, 2), conv_norm(2 * width, 4 * width, 3, 2)
        )
        self.ones = conv_norm(4 * width, width)
        self.dilated = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(4 * width, width, 3, padding=rate, dilation=rate, bias=False),
                nn.BatchNorm2d(width),
                nn.LeakyReLU(0.1),
            )
            for rate in rates
        )
        self.pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(4 * width, width, 1), nn.ELU())
        self.project = nn.Sequential(conv_norm((len(rates) + 2) * width, width), nn.Dropout2d(0.1))
        self.head = nn.Conv2d(width, n_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.backbone(x)
        wide = F.interpolate(self.pooled(y), size=y.shape[-2:], mode="bilinear", align_corners=False)
        y = self.project(torch.cat([self.ones(y), *(conv(y) for conv in self.dilated), wide], 1))
        return F.interpolate(self.head(y), size=x.shape[-2:], mode="bilinear", align_corners=False)


def unet(full: bool = False) -> Example:
    """U-Net with transposed convolutions."""
    model = UNet(64, 4, 21, "transposed") if full else UNet(4, 2, 3, "transposed")
    return example(model, images(2, 256 if full else 22))


def unet_upsample(full: bool = False) -> Example:
    """U-Net with bilinear upsampling."""
    model = UNet(64, 4, 21, "bilinear") if full else UNet(4, 2, 3, "bilinear")
    return example(model, images(2, 256 if full else 22))


def unet_nearest(full: bool = False) -> Example:
    """U-Net with upsampling by copies."""
    model = UNet(64, 4, 21, "nearest") if full else UNet(4, 2, 3, "nearest")
    return example(model, images(2, 256 if full else 22))


def deeplab(full: bool = False) -> Example:
    model = DilatedPyramid(256, 21, (12, 24, 36)) if full else DilatedPyramid(4, 3, (1, 2, 4))
    return example(model, images(2, 256 if full else 40))
