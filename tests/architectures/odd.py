"""Models that tools built on hooks or traced graphs stumble over. They have one size."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.architectures.example import Example, example, images, noise, tokens


class TwoInputs(nn.Module):
    """An image and a table, joined by concatenation and by a bilinear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.image = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.table = nn.Sequential(nn.Linear(5, 6), nn.Tanh())
        self.both = nn.Bilinear(16, 6, 4)
        self.head = nn.Linear(16 + 6 + 4, 3)

    def forward(self, image: Tensor, table: Tensor) -> Tensor:
        a, b = self.image(image), self.table(table)
        return self.head(torch.cat([a, b, F.relu(self.both(a, b))], 1))


def two_inputs(full: bool = False) -> Example:
    return example(TwoInputs(), images(2, 12), noise(2, 5))


class Siamese(nn.Module):
    """One tower for two inputs, compared by cosine and by distance."""

    def __init__(self) -> None:
        super().__init__()
        self.tower = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        a, b = self.tower(x), self.tower(y)
        return torch.stack([F.cosine_similarity(a, b), -(a - b).abs().sum(1), (a * b).sum(1)], 1)


def siamese(full: bool = False) -> Example:
    return example(Siamese(), noise(3, 6), noise(3, 6, seed=1))


class UsedTwice(nn.Module):
    """One convolution, one normalization and one ReLU, each used at every depth."""

    def __init__(self, n_times: int) -> None:
        super().__init__()
        self.conv, self.norm, self.relu = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(inplace=True)
        self.head, self.n_times = nn.Linear(3, 4), n_times

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(self.n_times):
            x = x + self.relu(self.norm(self.conv(x)))
        return self.head(x.mean((2, 3)))


def used_twice(full: bool = False) -> Example:
    return example(UsedTwice(3), images(2, 10))


class ControlFlow(nn.Module):
    """Halves the image until it is small; pads it where its size is odd; takes another branch for wide images."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.wide = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, (1, 5), padding=(0, 2))
        self.head = nn.Linear(3 * 4, 4)

    def forward(self, x: Tensor) -> Tensor:
        while x.shape[-1] > 2:
            if x.shape[-1] % 2:
                x = F.pad(x, (0, 1, 0, 1), mode="replicate")
            x = self.conv(x).relu() if x.size(-1) < 8 else torch.relu(self.wide(x))
            if not bool((x > 0).any()):
                break
            x = F.max_pool2d(x, 2)
        return self.head(x.flatten(1))


def control_flow(full: bool = False) -> Example:
    return example(ControlFlow(), images(2, 11))


class Functional(nn.Module):
    """No submodule at all: parameters and functions."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel, self.shift = nn.Parameter(torch.zeros(4, 3, 3, 3)), nn.Parameter(torch.zeros(4))
        self.scale, self.move = nn.Parameter(torch.ones(4)), nn.Parameter(torch.zeros(4))
        self.weight = nn.Parameter(torch.zeros(16, 5))
        self.register_buffer("mean", torch.zeros(4))
        self.register_buffer("var", torch.ones(4))

    def forward(self, x: Tensor) -> Tensor:
        x = F.conv2d(x, self.kernel, self.shift, stride=2, padding="valid")
        x = F.batch_norm(x, self.mean, self.var, self.scale, self.move)
        x = torch.maximum(x, 0.1 * x).clamp(max=6.0)
        x = F.avg_pool2d(x, 2, 1, padding=1, count_include_pad=False)
        x = F.adaptive_max_pool2d(x, (2, 2))
        return torch.einsum("nchw,chwk->nk", x, self.weight.view(4, 2, 2, 5)) / 2 - 1


def functional(full: bool = False) -> Example:
    return example(Functional(), images(2, 9))


class InPlace(nn.Module):
    """In-place arithmetic and activations, none through a view."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.head = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.a(x)
        y += 0.5
        y *= 2
        y.relu_().sub_(0.1)
        z = self.b(y).clamp_(min=-1).add_(y)
        z /= 3
        z.tanh_()
        return self.head(F.leaky_relu_(z, 0.1).mul_(0.5))


def in_place(full: bool = False) -> Example:
    return example(InPlace(), noise(3, 6))


class Assignment(nn.Module):
    """Results written into a buffer slice by slice, and into a part of a clone."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.head = nn.Linear(6, 4), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = x.new_zeros(len(x), 8)
        y[:, :4] = self.a(x)
        y[:, 4:] = F.relu(self.a(x.flip(1)))
        z = y.clone()
        z[:, 0] = 0.0
        z[:, 1:3] += y[:, 5:7]
        return self.head(z)


def assignment(full: bool = False) -> Example:
    return example(Assignment(), noise(3, 6))


class Gates(nn.Module):
    """A highway layer, a gated linear unit, a maxout layer and a mixture of experts."""

    def __init__(self) -> None:
        super().__init__()
        self.transform, self.gate = nn.Linear(6, 6), nn.Linear(6, 6)
        self.unit, self.maxout = nn.Linear(6, 12), nn.Linear(6, 12)
        self.experts = nn.ModuleList(nn.Linear(6, 4) for _ in range(3))
        self.router = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        t = torch.sigmoid(self.gate(x))
        x = t * F.relu(self.transform(x)) + (1 - t) * x
        x = x + F.glu(self.unit(x), -1)
        x = self.maxout(x).view(-1, 6, 2).amax(-1)
        shares = F.softmax(self.router(x), -1)
        return (torch.stack([expert(x) for expert in self.experts], 1) * shares.unsqueeze(-1)).sum(1)


def gates(full: bool = False) -> Example:
    return example(Gates(), noise(3, 6))


class SparseExperts(nn.Module):
    """Each sample goes through the two experts that its router ranks first."""

    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(6, 4)
        self.experts = nn.ModuleList(nn.Sequential(nn.Linear(6, 8), nn.SiLU(), nn.Linear(8, 5)) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        weights, chosen = torch.topk(F.softmax(self.router(x), -1), 2, dim=-1)
        weights = weights / weights.sum(-1, keepdim=True)
        total = x.new_zeros(len(x), 5)
        for i, expert in enumerate(self.experts):
            rows, places = torch.where(chosen == i)
            if len(rows):
                total = total.index_add(0, rows, expert(x[rows]) * weights[rows, places, None])
        return total


def sparse_experts(full: bool = False) -> Example:
    return example(SparseExperts(), noise(4, 6))


class SpatialTransformer(nn.Module):
    """An image resampled where a small network looks (Jaderberg et al. 2015)."""

    def __init__(self) -> None:
        super().__init__()
        self.where = nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(27, 6))
        self.head = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))

    def forward(self, x: Tensor) -> Tensor:
        theta = 0.1 * self.where(x).view(-1, 2, 3) + torch.eye(2, 3, dtype=x.dtype, device=x.device)
        grid = F.affine_grid(theta, list(x.shape), align_corners=False)
        return self.head(F.grid_sample(x, grid, align_corners=False))


def spatial_transformer(full: bool = False) -> Example:
    return example(SpatialTransformer(), images(2, 12))


class PatchMixer(nn.Module):
    """Patches by unfold, mixed across positions and channels (Tolstikhin et al. 2021), folded back by pixel shuffle."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.norm1, self.norm2 = nn.Linear(48, 8), nn.LayerNorm(8), nn.LayerNorm(8)
        self.positions, self.channels = nn.Linear(9, 9), nn.Linear(8, 8)
        self.head = nn.Linear(72, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(F.unfold(x, 4, stride=4).mT)
        x = x + F.gelu(self.positions(self.norm1(x).transpose(-1, -2))).transpose(-1, -2)
        x = x + F.mish(self.channels(self.norm2(x)))
        x = F.pixel_shuffle(x.mT.reshape(-1, 8, 3, 3), 2)
        return self.head(x.flatten(1))


def patch_mixer(full: bool = False) -> Example:
    return example(PatchMixer(), images(2, 12))


class PointCloud(nn.Module):
    """The same layers on each of a set of points, then the maximum over the set (PointNet, Qi et al. 2017)."""

    def __init__(self) -> None:
        super().__init__()
        self.points = nn.Sequential(nn.Conv1d(3, 8, 1), nn.BatchNorm1d(8), nn.ReLU(), nn.Conv1d(8, 12, 1))
        self.head = nn.Sequential(nn.Linear(12 + 12 + 12, 8), nn.ReLU(), nn.Linear(8, 4))

    def forward(self, x: Tensor) -> Tensor:
        h = self.points(x)
        best, _ = torch.max(h, 2)
        return self.head(torch.cat([best, h.mean(2), h.logsumexp(2) - math.log(h.shape[2])], 1))


def point_cloud(full: bool = False) -> Example:
    return example(PointCloud(), noise(2, 3, 9))


class BagOfWords(nn.Module):
    """Sums of embeddings and of biases by token, as in linear text models."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 4)
        self.head = nn.Sequential(nn.Linear(4, 6), nn.Softplus(), nn.Linear(6, 3))

    def mask(self, ids: Tensor) -> Tensor:
        return ids != 0

    def embed(self, ids: Tensor) -> Tensor:
        return self.embedding(ids)

    def forward(self, ids: Tensor) -> Tensor:
        return self.forward_embedded(self.embed(ids), self.mask(ids))

    def forward_embedded(self, embedded: Tensor, mask: Tensor) -> Tensor:
        return self.head(embedded.masked_fill(~mask.unsqueeze(-1), 0.0).sum(1))


def bag_of_words(full: bool = False) -> Example:
    return example(BagOfWords(), tokens(3, 6, 20, 2), explained="embeddings")


class Volume(nn.Module):
    """Convolutions, normalization and pooling in three dimensions."""

    def __init__(self) -> None:
        super().__init__()
        self.lower = nn.Sequential(nn.Conv3d(1, 4, 3, padding=1), nn.InstanceNorm3d(4), nn.ReLU(), nn.MaxPool3d(2))
        self.upper = nn.Sequential(nn.ConvTranspose3d(4, 2, 2, 2), nn.BatchNorm3d(2), nn.CELU(), nn.AvgPool3d(2))
        self.head = nn.Linear(2 * 8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.adaptive_avg_pool3d(self.upper(self.lower(x)), 2)
        return self.head(torch.flatten(x, start_dim=1))


def volume(full: bool = False) -> Example:
    return example(Volume(), noise(2, 1, 6, 6, 6))
