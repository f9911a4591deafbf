"""Networks with skip connections: ResNet, ResNeXt, wide ResNet, DenseNet, RegNet."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.architectures.blocks import SqueezeExcitation, conv_norm
from tests.architectures.example import Example, example, images


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a skip connection (He et al. 2016)."""

    expansion = 1

    def __init__(self, channels: int, planes: int, stride: int, groups: int, base: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = _shortcut(channels, planes, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        y += x if self.shortcut is None else self.shortcut(x)
        return self.relu(y)


class Bottleneck(nn.Module):
    """1x1, (grouped) 3x3 and 1x1 convolutions beside a skip connection."""

    expansion = 4

    def __init__(self, channels: int, planes: int, stride: int, groups: int, base: float) -> None:
        super().__init__()
        width, out = int(planes * base) * groups, planes * self.expansion
        self.conv1, self.bn1 = nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, out, 1, bias=False), nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = _shortcut(channels, out, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        y += x if self.shortcut is None else self.shortcut(x)
        return self.relu(y)


class ResNet(nn.Module):
    """Four stages of residual blocks; ``groups`` and ``base`` give ResNeXt and the wide variants."""

    def __init__(
        self,
        block: type[BasicBlock | Bottleneck],
        depths: tuple[int, ...],
        width: int = 64,
        n_classes: int = 1000,
        groups: int = 1,
        base: float = 1.0,
    ) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width)
        self.relu, self.maxpool = nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
        channels, stages = width, []
        for i, depth in enumerate(depths):
            planes, blocks = width << i, []
            for j in range(depth):
                blocks.append(block(channels, planes, 2 if i and not j else 1, groups, base))
                channels = planes * block.expansion
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.Sequential(*stages)
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d((1, 1)), nn.Linear(channels, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return self.fc(torch.flatten(self.avgpool(self.stages(x)), 1))


def _shortcut(channels: int, out: int, stride: int) -> nn.Module | None:
    return None if stride == 1 and channels == out else conv_norm(channels, out, 1, stride, activation=None)


class DenseLayer(nn.Module):
    """Normalization before each convolution; the output joins everything that came before (Huang et al. 2017)."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(channels), nn.Conv2d(channels, 4 * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)
        self.relu1, self.relu2 = nn.ReLU(inplace=True), nn.ReLU(inplace=True)
        self.drop_rate = 0.1

    def forward(self, features: list[Tensor]) -> Tensor:
        y = self.conv1(self.relu1(self.norm1(torch.cat(features, 1))))
        y = self.conv2(self.relu2(self.norm2(y)))
        return F.dropout(y, p=self.drop_rate, training=self.training)


class DenseNet(nn.Module):
    """DenseNet: blocks of growing feature lists, halved between blocks."""

    def __init__(self, growth: int, depths: tuple[int, ...], n_classes: int) -> None:
        super().__init__()
        channels = 2 * growth
        self.stem = nn.Sequential(
            nn.Conv2d(3, channels, 7, 2, 3, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, 1),
        )
        self.blocks, self.transitions = nn.ModuleList(), nn.ModuleList()
        for depth in depths:
            self.blocks.append(nn.ModuleList(DenseLayer(channels + i * growth, growth) for i in range(depth)))
            channels += depth * growth
            if len(self.blocks) < len(depths):
                halved = nn.Conv2d(channels, channels // 2, 1, bias=False)
                norm, channels = nn.BatchNorm2d(channels), channels // 2
                self.transitions.append(nn.Sequential(norm, nn.ReLU(inplace=True), halved, nn.AvgPool2d(2)))
        self.norm, self.classifier = nn.BatchNorm2d(channels), nn.Linear(channels, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for i, block in enumerate(self.blocks):
            features = [x]
            for layer in block:
                features.append(layer(features))
            x = torch.cat(features, 1)
            x = self.transitions[i](x) if i < len(self.transitions) else self.norm(x)
        x = F.adaptive_avg_pool2d(F.relu(x, inplace=True), (1, 1))
        return self.classifier(torch.flatten(x, 1))


class RegNetBlock(nn.Module):
    """Bottleneck without expansion, groups of fixed width, squeeze and excitation (Radosavovic et al. 2020)."""

    def __init__(self, channels: int, out: int, stride: int, group_width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            conv_norm(channels, out),
            conv_norm(out, out, 3, stride, groups=out // group_width),
            SqueezeExcitation(out, round(0.25 * channels)),
            conv_norm(out, out, activation=None),
        )
        self.shortcut = _shortcut(channels, out, stride)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu((x if self.shortcut is None else self.shortcut(x)) + self.inner(x))


def regnet(full: bool = False) -> Example:
    """RegNet-Y 400MF."""
    widths, depths, stem = ((48, 104, 208, 440), (1, 3, 6, 6), 32) if full else ((8, 16, 24, 32), (1, 1, 2, 1), 8)
    channels, layers = stem, [conv_norm(3, stem, 3, 2)]
    for width, depth in zip(widths, depths, strict=True):
        for j in range(depth):
            layers.append(RegNetBlock(channels, width, 1 if j else 2, 8))
            channels = width
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 1000 if full else 10))
    return example(nn.Sequential(*layers, *head), images(2, 224 if full else 64))


def resnet18(full: bool = False) -> Example:
    model = ResNet(BasicBlock, (2, 2, 2, 2)) if full else ResNet(BasicBlock, (2, 2, 2, 2), 8, 10)
    return example(model, images(2, 224 if full else 64))


def resnet50(full: bool = False) -> Example:
    model = ResNet(Bottleneck, (3, 4, 6, 3)) if full else ResNet(Bottleneck, (1, 2, 2, 1), 8, 10)
    return example(model, images(2, 224 if full else 64))


def resnext50(full: bool = False) -> Example:
    """ResNeXt-50 32x4d (Xie et al. 2017)."""
    depths, width, n_classes, groups = ((3, 4, 6, 3), 64, 1000, 32) if full else ((1, 1, 2, 1), 8, 10, 4)
    base = 4 / 64 if full else 0.25
    return example(ResNet(Bottleneck, depths, width, n_classes, groups, base), images(2, 224 if full else 64))


def wide_resnet50(full: bool = False) -> Example:
    """Wide ResNet-50-2 (Zagoruyko and Komodakis 2016)."""
    depths, width, n_classes = ((3, 4, 6, 3), 64, 1000) if full else ((1, 1, 1, 1), 8, 10)
    return example(ResNet(Bottleneck, depths, width, n_classes, base=2.0), images(2, 224 if full else 64))


def densenet121(full: bool = False) -> Example:
    model = DenseNet(32, (6, 12, 24, 16), 1000) if full else DenseNet(6, (2, 3, 2), 10)
    return example(model, images(2, 224 if full else 64))
