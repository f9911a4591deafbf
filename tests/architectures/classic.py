"""Plain convolutional networks: AlexNet, VGG-16, SqueezeNet."""

from __future__ import annotations

from torch import nn

from tests.architectures.blocks import Concatenated
from tests.architectures.example import Example, example, images

_VGG16 = (1, 1, "M", 2, 2, "M", 4, 4, 4, "M", 8, 8, 8, "M", 8, 8, 8, "M")


def alexnet(full: bool = False) -> Example:
    """AlexNet (Krizhevsky et al. 2012), in the single-stream form of 2014."""
    w, hidden = (32, 4096) if full else (4, 64)
    layers: list[nn.Module] = [
        nn.Conv2d(3, 2 * w, 11, 4, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2),
        nn.Conv2d(2 * w, 6 * w, 5, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2),
        nn.Conv2d(6 * w, 12 * w, 3, padding=1), nn.ReLU(inplace=True),
        nn.Conv2d(12 * w, 8 * w, 3, padding=1), nn.ReLU(inplace=True),
        nn.Conv2d(8 * w, 8 * w, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2),
    ]  # fmt: skip
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(6), nn.Flatten(), *_head(8 * w * 36, hidden, full))
    return example(model, images(2, 224 if full else 95))


def vgg16(full: bool = False, norm: bool = False) -> Example:
    """VGG-16 (Simonyan and Zisserman 2015)."""
    width, hidden, channels = 64 if full else 8, 4096 if full else 64, 3
    layers: list[nn.Module] = []
    for factor in _VGG16:
        if factor == "M":
            layers.append(nn.MaxPool2d(2))
            continue
        layers.append(nn.Conv2d(channels, channels := width * factor, 3, padding=1))
        layers += [nn.BatchNorm2d(channels), nn.ReLU(inplace=True)] if norm else [nn.ReLU(inplace=True)]
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(7), nn.Flatten(), *_head(49 * channels, hidden, full))
    return example(model, images(2, 224 if full else 64))


def vgg16_norm(full: bool = False) -> Example:
    """VGG-16 with batch normalization."""
    return vgg16(full, norm=True)


def squeezenet(full: bool = False) -> Example:
    """SqueezeNet 1.1 (Iandola et al. 2016)."""
    w, n_classes = (16, 1000) if full else (4, 10)

    def fire(channels: int, squeezed: int, expanded: int) -> nn.Module:
        narrow, wide = nn.Conv2d(channels, squeezed, 1), nn.Conv2d(squeezed, expanded, 3, padding=1)
        return nn.Sequential(
            narrow,
            nn.ReLU(inplace=True),
            Concatenated(
                nn.Sequential(nn.Conv2d(squeezed, expanded, 1), nn.ReLU(inplace=True)),
                nn.Sequential(wide, nn.ReLU(inplace=True)),
            ),
        )

    def pool() -> nn.Module:
        return nn.MaxPool2d(3, 2, ceil_mode=True)

    model = nn.Sequential(
        nn.Conv2d(3, 4 * w, 3, 2), nn.ReLU(inplace=True), pool(),
        fire(4 * w, w, 4 * w), fire(8 * w, w, 4 * w), pool(),
        fire(8 * w, 2 * w, 8 * w), fire(16 * w, 2 * w, 8 * w), pool(),
        fire(16 * w, 3 * w, 12 * w), fire(24 * w, 3 * w, 12 * w),
        fire(24 * w, 4 * w, 16 * w), fire(32 * w, 4 * w, 16 * w),
        nn.Dropout(), nn.Conv2d(32 * w, n_classes, 1), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    )  # fmt: skip
    return example(model, images(2, 224 if full else 64))


def _head(features: int, hidden: int, full: bool) -> list[nn.Module]:
    return [
        nn.Linear(features, hidden), nn.ReLU(inplace=True), nn.Dropout(),
        nn.Linear(hidden, hidden), nn.ReLU(inplace=True), nn.Dropout(),
        nn.Linear(hidden, 1000 if full else 10),
    ]  # fmt: skip
