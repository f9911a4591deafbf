"""Convolutional networks in the manner of transformers, and transformers of images."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.architectures.blocks import ImageNormLast, Residual, SqueezeExcitation, conv_norm
from tests.architectures.example import Example, example, images


class ConvNeXtBlock(nn.Module):
    """Depthwise 7x7 convolution and a pointwise network, scaled per channel (Liu et al. 2022)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.filter = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.widen, self.gelu, self.narrow = nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        self.layer_scale = nn.Parameter(torch.ones(width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.filter(x).permute(0, 2, 3, 1))
        y = self.narrow(self.gelu(self.widen(y))).permute(0, 3, 1, 2)
        return x + self.layer_scale * y


def convnext(full: bool = False) -> Example:
    """ConvNeXt-T."""
    widths, depths = ((96, 192, 384, 768), (3, 3, 9, 3)) if full else ((8, 16, 24, 32), (1, 1, 2, 1))
    layers: list[nn.Module] = [nn.Conv2d(3, widths[0], 4, 4), ImageNormLast(widths[0], eps=1e-6)]
    for i, (width, depth) in enumerate(zip(widths, depths, strict=True)):
        if i:
            layers += [ImageNormLast(widths[i - 1], eps=1e-6), nn.Conv2d(widths[i - 1], width, 2, 2)]
        layers += [ConvNeXtBlock(width) for _ in range(depth)]
    head = (nn.AdaptiveAvgPool2d(1), ImageNormLast(widths[-1], eps=1e-6), nn.Flatten(1))
    model = nn.Sequential(*layers, *head, nn.Linear(widths[-1], 1000 if full else 10))
    return example(model, images(2, 224 if full else 64))


class EncoderBlock(nn.Module):
    """Self-attention and a pointwise network, normalized before each."""

    def __init__(self, width: int, n_heads: int, hidden: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attention = nn.MultiheadAttention(width, n_heads, dropout=0.1, batch_first=True)
        self.dropout = nn.Dropout(0.1)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Dropout(0.1), nn.Linear(hidden, width))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(x)
        y, _ = self.attention(y, y, y, need_weights=False)
        x = x + self.dropout(y)
        return x + self.mlp(self.norm2(x))


class ViT(nn.Module):
    """Vision transformer (Dosovitskiy et al. 2021)."""

    def __init__(
        self, size: int, patch: int, width: int, depth: int, n_heads: int, hidden: int, n_classes: int
    ) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(torch.zeros(1, (size // patch) ** 2 + 1, width))
        self.blocks = nn.Sequential(*(EncoderBlock(width, n_heads, hidden) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(width, eps=1e-6), nn.Linear(width, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        n, width, _, _ = (x := self.patches(x)).shape
        x = x.reshape(n, width, -1).permute(0, 2, 1)
        x = torch.cat([self.class_token.expand(n, -1, -1), x], 1) + self.positions
        return self.head(self.norm(self.blocks(x))[:, 0])


def vit(full: bool = False) -> Example:
    """ViT-B/16."""
    model = ViT(224, 16, 768, 12, 12, 3072, 1000) if full else ViT(32, 8, 32, 2, 4, 64, 10)
    return example(model, images(2, 224 if full else 32))


def _relative_positions(window: int) -> Tensor:
    """Row of the bias table for each pair of positions in a window, (window² · window²,)."""
    axis = torch.arange(window)
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="ij")).flatten(1)  # (2, window²)
    offsets = grid[:, :, None] - grid[:, None, :] + window - 1
    return (offsets[0] * (2 * window - 1) + offsets[1]).flatten()


class ShiftedWindowAttention(nn.Module):
    """Attention within windows, which a cyclic shift moves in every other block (Liu et al. 2021)."""

    def __init__(self, width: int, n_heads: int, window: int, shift: int) -> None:
        super().__init__()
        self.n_heads, self.window, self.shift = n_heads, window, shift
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.register_buffer("index", _relative_positions(window))
        self._add_bias(n_heads)

    def _add_bias(self, n_heads: int) -> None:
        self.bias_table = nn.Parameter(torch.zeros((2 * self.window - 1) ** 2, n_heads))

    def _bias(self) -> Tensor:
        """Bias of the scores by relative position, (1, heads, window², window²)."""
        return self._by_pair(self.bias_table)

    def _by_pair(self, table: Tensor) -> Tensor:
        area = self.window**2
        return table[self.index].view(area, area, -1).permute(2, 0, 1).contiguous().unsqueeze(0)

    def _scores(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Attention scores, (windows, heads, window², window²), and values."""
        q, k, v = self._heads(F.linear(x, self.qkv.weight, self.qkv.bias))
        q = q * (q.shape[-1] ** -0.5)
        return q.matmul(k.transpose(-2, -1)), v

    def _heads(self, qkv: Tensor) -> Tensor:
        windows, area, _ = qkv.shape
        return qkv.reshape(windows, area, 3, self.n_heads, -1).permute(2, 0, 3, 1, 4)

    def forward(self, x: Tensor) -> Tensor:  # (n, height, width, channels)
        n, height, width, channels = x.shape
        w = self.window
        x = F.pad(x, (0, 0, 0, -width % w, 0, -height % w))
        _, padded_height, padded_width, _ = x.shape
        # A window that covers a whole axis has nowhere to shift to.
        shifts = [0 if w >= size else self.shift for size in (padded_height, padded_width)]
        if sum(shifts) > 0:
            x = torch.roll(x, shifts=(-shifts[0], -shifts[1]), dims=(1, 2))
        rows, columns = padded_height // w, padded_width // w
        x = x.view(n, rows, w, columns, w, channels).permute(0, 1, 3, 2, 4, 5).reshape(-1, w * w, channels)
        scores, v = self._scores(x)
        scores = scores + self._bias()
        if sum(shifts) > 0:
            scores = scores.view(n, rows * columns, self.n_heads, w * w, w * w)
            scores = scores + self._mask(x, padded_height, padded_width, shifts).unsqueeze(1).unsqueeze(0)
            scores = scores.view(-1, self.n_heads, w * w, w * w)
        attention = F.dropout(F.softmax(scores, dim=-1), p=0.0, training=self.training)
        x = self.proj(attention.matmul(v).transpose(1, 2).reshape(x.shape))
        x = x.view(n, rows, columns, w, w, channels).permute(0, 1, 3, 2, 4, 5)
        x = x.reshape(n, padded_height, padded_width, channels)
        if sum(shifts) > 0:
            x = torch.roll(x, shifts=(shifts[0], shifts[1]), dims=(1, 2))
        return x[:, :height, :width, :].contiguous()

    def _mask(self, x: Tensor, height: int, width: int, shifts: list[int]) -> Tensor:
        """-100 between positions that are neighbours only by the shift, (windows, window², window²)."""
        w = self.window
        regions, count = x.new_zeros((height, width)), 0
        for row in ((0, -w), (-w, -shifts[0]), (-shifts[0], None)):
            for column in ((0, -w), (-w, -shifts[1]), (-shifts[1], None)):
                regions[row[0] : row[1], column[0] : column[1]] = count
                count += 1
        regions = regions.view(height // w, w, width // w, w).permute(0, 2, 1, 3).reshape(-1, w * w)
        mask = regions.unsqueeze(1) - regions.unsqueeze(2)
        return mask.masked_fill(mask != 0, -100.0).masked_fill(mask == 0, 0.0)


class CosineWindowAttention(ShiftedWindowAttention):
    """Scores by cosine, biases by a small network over log-spaced offsets (Liu et al. 2022)."""

    def _add_bias(self, n_heads: int) -> None:
        self.logit_scale = nn.Parameter(torch.zeros(n_heads, 1, 1))
        self.bias_network = nn.Sequential(nn.Linear(2, 512), nn.ReLU(inplace=True), nn.Linear(512, n_heads, bias=False))
        axis = torch.arange(1 - self.window, self.window, dtype=torch.get_default_dtype())
        grid = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1) / (self.window - 1) * 8
        self.register_buffer("offsets", torch.sign(grid) * torch.log2(grid.abs() + 1.0) / 3.0)

    def _bias(self) -> Tensor:
        return 16 * torch.sigmoid(self._by_pair(self.bias_network(self.offsets).flatten(0, 1)))

    def _scores(self, x: Tensor) -> tuple[Tensor, Tensor]:
        bias, channels = self.qkv.bias.clone(), x.shape[-1]
        bias[channels : 2 * channels].zero_()  # keys have no bias
        q, k, v = self._heads(F.linear(x, self.qkv.weight, bias))
        cosine = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1)
        return cosine * torch.clamp(self.logit_scale, max=4.6052).exp(), v


class SwinBlock(nn.Module):
    """Window attention and a pointwise network; v2 normalizes after each, v1 before."""

    def __init__(self, width: int, n_heads: int, window: int, shift: int, version: int) -> None:
        super().__init__()
        self.after = version == 2
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        attention = CosineWindowAttention if self.after else ShiftedWindowAttention
        self.attention = attention(width, n_heads, window, shift)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        if self.after:
            x = x + self.norm1(self.attention(x))
            return x + self.norm2(self.mlp(x))
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PatchMerging(nn.Module):
    """Four neighbours become one position of twice the width."""

    def __init__(self, width: int, version: int) -> None:
        super().__init__()
        self.after = version == 2
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)
        self.norm = nn.LayerNorm((2 if self.after else 4) * width)

    def forward(self, x: Tensor) -> Tensor:
        height, width, _ = x.shape[-3:]
        x = F.pad(x, (0, 0, 0, width % 2, 0, height % 2))
        corners = [x[..., i::2, j::2, :] for j in (0, 1) for i in (0, 1)]
        x = torch.cat(corners, -1)
        return self.norm(self.reduction(x)) if self.after else self.reduction(self.norm(x))


class Permute(nn.Module):
    """Axes in another order."""

    def __init__(self, *order: int) -> None:
        super().__init__()
        self.order = order

    def forward(self, x: Tensor) -> Tensor:
        return torch.permute(x, self.order)


def swin(full: bool = False, version: int = 1) -> Example:
    """Swin-T."""
    width, depths, heads, size = (96, (2, 2, 6, 2), (3, 6, 12, 24), 224) if full else (16, (2, 2), (2, 4), 40)
    window = (7 if version == 1 else 8) if full else 4
    layers = [nn.Conv2d(3, width, 4, 4), Permute(0, 2, 3, 1), nn.LayerNorm(width)]
    for i, (depth, n_heads) in enumerate(zip(depths, heads, strict=True)):
        if i:
            layers.append(PatchMerging(width << i - 1, version))
        layers += [SwinBlock(width << i, n_heads, window, j % 2 * (window // 2), version) for j in range(depth)]
    last = width << len(depths) - 1
    head = (nn.LayerNorm(last), Permute(0, 3, 1, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(1))
    model = nn.Sequential(*layers, *head, nn.Linear(last, 1000 if full else 10))
    return example(model, images(2, 256 if full and version == 2 else size))


def swin_v2(full: bool = False) -> Example:
    """Swin-V2-T."""
    return swin(full, version=2)


class MaxViTConvolution(nn.Module):
    """Inverted bottleneck with normalization first; the skip connection is pooled where the size halves."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        wide = 4 * out
        self.shortcut = nn.Sequential()
        if stride > 1 or channels != out:
            pool = nn.AvgPool2d(3, stride, 1) if stride > 1 else nn.Identity()
            self.shortcut = nn.Sequential(pool, nn.Conv2d(channels, out, 1))
        self.inner = nn.Sequential(
            nn.BatchNorm2d(channels, 1e-3),
            conv_norm(channels, wide, activation=nn.GELU, eps=1e-3),
            conv_norm(wide, wide, 3, stride, groups=wide, activation=nn.GELU, eps=1e-3),
            SqueezeExcitation(wide, out // 4, nn.SiLU),
            nn.Conv2d(wide, out, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.inner(x)


class RelativeAttention(nn.Module):
    """Attention within each group of positions, by einsum, with a bias by relative position."""

    def __init__(self, width: int, n_heads: int, window: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.to_qkv, self.merge = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.scale = width**-0.5
        self.bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, n_heads))
        self.register_buffer("index", _relative_positions(window))

    def forward(self, x: Tensor) -> Tensor:  # (n, groups, positions, width)
        n, groups, positions, width = x.shape
        q, k, v = (
            part.reshape(n, groups, positions, self.n_heads, -1).permute(0, 1, 3, 2, 4)
            for part in torch.chunk(self.to_qkv(x), 3, dim=-1)
        )
        scores = torch.einsum("B G H I D, B G H J D -> B G H I J", q, k * self.scale)
        bias = self.bias_table[self.index].view(positions, positions, -1).permute(2, 0, 1).unsqueeze(0)
        attention = F.softmax(scores + bias, dim=-1)
        y = torch.einsum("B G H I J, B G H J D -> B G H I D", attention, v)
        return self.merge(y.permute(0, 1, 3, 2, 4).reshape(n, groups, positions, width))


class MaxViTAttention(nn.Module):
    """Attention within windows, or over a grid that takes one position of each window (Tu et al. 2022)."""

    def __init__(self, width: int, n_heads: int, window: int, grid: bool) -> None:
        super().__init__()
        self.window, self.grid = window, grid
        self.attention = Residual(nn.LayerNorm(width), RelativeAttention(width, n_heads, window))
        self.mlp = Residual(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width), nn.Dropout(0.0)
        )

    def forward(self, x: Tensor) -> Tensor:  # (n, channels, size, size)
        n, channels, size, _ = x.shape
        p = size // self.window if self.grid else self.window
        q = size // p
        x = x.reshape(n, channels, q, p, q, p).permute(0, 2, 4, 3, 5, 1).reshape(n, q * q, p * p, channels)
        if self.grid:
            x = torch.swapaxes(x, -2, -3)
        x = self.mlp(self.attention(x))
        if self.grid:
            x = torch.swapaxes(x, -2, -3)
        x = x.reshape(n, q, q, p, p, channels).permute(0, 5, 1, 3, 2, 4)
        return x.reshape(n, channels, size, size)


def maxvit(full: bool = False) -> Example:
    """MaxViT-T."""
    stem, widths, depths, per_head = (64, (64, 128, 256, 512), (2, 2, 5, 2), 32) if full else (8, (8, 16), (1, 1), 4)
    window, size = (7, 224) if full else (4, 64)
    layers: list[nn.Module] = [
        conv_norm(3, stem, 3, 2, activation=nn.GELU, eps=1e-3),
        nn.Conv2d(stem, stem, 3, padding=1),
    ]
    channels = stem
    for width, depth in zip(widths, depths, strict=True):
        for j in range(depth):
            layers.append(MaxViTConvolution(channels, width, 1 if j else 2))
            layers += [MaxViTAttention(width, width // per_head, window, grid) for grid in (False, True)]
            channels = width
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(channels), nn.Linear(channels, channels), nn.Tanh())
    model = nn.Sequential(*layers, *head, nn.Linear(channels, 1000 if full else 10, bias=False))
    return example(model, images(2, size))
