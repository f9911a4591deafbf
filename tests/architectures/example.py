"""What every architecture comes as: a model in evaluation mode with seeded weights, and inputs for it."""

from __future__ import annotations

import copy
import dataclasses
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

_NORMS = (nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm1d, nn.InstanceNorm2d)
_MAPS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


@dataclass(frozen=True, eq=False)
class Example:
    """A model and inputs: ``model(*inputs)``, one sample a row.

    Attributes
    ----------
    model : nn.Module
        In evaluation mode, every parameter and statistic random.
    inputs : tuple of Tensor
        Floating tensors, or token ids.
    explained : str
        "inputs", or "embeddings" where the inputs are token ids and relevance belongs to their embeddings.
    """

    model: nn.Module
    inputs: tuple[Tensor, ...]
    explained: str = "inputs"

    def from_embeddings(self) -> Example:
        """The same computation as a function of the embeddings of its tokens."""
        (ids,) = self.inputs
        with torch.no_grad():
            return Example(FromEmbeddings(self.model, self.model.mask(ids)), (self.model.embed(ids),))

    def double(self) -> Example:
        """A copy in double precision."""
        inputs = tuple(x.double() if x.is_floating_point() else x for x in self.inputs)
        return dataclasses.replace(self, model=copy.deepcopy(self.model).double(), inputs=inputs)


class FromEmbeddings(nn.Module):
    """A token model above its embedding layer."""

    def __init__(self, model: nn.Module, mask: Tensor | None) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("token_mask", mask)

    def forward(self, embedded: Tensor) -> Tensor:
        return self.model.forward_embedded(embedded, self.token_mask)


def example(model: nn.Module, *inputs: Tensor, explained: str = "inputs", seed: int = 0) -> Example:
    return Example(shake(model, seed, inputs), inputs, explained)


def images(n_samples: int, size: int, channels: int = 3) -> Tensor:
    """Smooth random images, (n_samples, channels, size, size)."""
    return noise(n_samples, channels, size, size).cumsum(2).cumsum(3) / size


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def tokens(n_samples: int, length: int, vocabulary: int, n_padding: int = 0) -> Tensor:
    """Token ids, (n_samples, length); 0 is padding, which ends the last sample."""
    ids = torch.randint(1, vocabulary, (n_samples, length), generator=torch.Generator().manual_seed(0))
    ids[-1, length - n_padding :] = 0
    return ids


@torch.no_grad()
def shake(model: nn.Module, seed: int = 0, inputs: tuple[Tensor, ...] = ()) -> nn.Module:
    """Give a model seeded random weights and put it in evaluation mode; nothing keeps a neutral default.

    Weights take the scale of He et al. (2015); scales, shifts and running statistics are drawn around the values
    they have in trained models. With ``inputs`` the statistics of batch normalization are the inputs' own, shaken,
    so that activations neither vanish nor explode with depth.
    """
    model.eval()
    if any(parameter.is_meta for parameter in model.parameters()):
        return model  # a model without memory, made to count its parameters
    generator = torch.Generator().manual_seed(seed)

    def between(tensor: Tensor, low: float, high: float) -> None:
        tensor.copy_(torch.rand(tensor.shape, generator=generator) * (high - low) + low)

    norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    scales = {id(m.weight) for m in model.modules() if isinstance(m, (*_NORMS, nn.RMSNorm))} | {
        id(m.weight) for m in norms
    }
    maps = {id(m.weight): m for m in model.modules() if isinstance(m, _MAPS)}
    for parameter in model.parameters():
        if id(parameter) in scales:
            between(parameter, 0.5, 1.5)
        else:
            fan_in = parameter[0].numel() if parameter.ndim > 1 else 100
            module = maps.get(id(parameter))
            if module is not None and getattr(module, "transposed", False):
                fan_in = parameter.numel() // module.out_channels
            gain = 2.0 if parameter.ndim > 1 else 1.0
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * math.sqrt(gain / fan_in))
    for module in norms:
        between(module.running_mean, -0.2, 0.2)
        between(module.running_var, 0.5, 1.5)
    if inputs and norms:
        _settle(model, norms, inputs)
        for module in norms:
            offset = torch.rand(module.running_mean.shape, generator=generator) - 0.5
            module.running_mean.add_(0.2 * offset * module.running_var.sqrt())
            module.running_var.mul_(torch.rand(module.running_var.shape, generator=generator) + 0.5)
    return model


def _settle(model: nn.Module, norms: list[nn.Module], inputs: tuple[Tensor, ...]) -> None:
    """Take the statistics of batch normalization from one pass over the inputs, channels pooled for the variance."""
    momenta = [module.momentum for module in norms]
    for module in norms:
        module.train()
        module.momentum = 1.0
    model(*inputs)
    for module, momentum in zip(norms, momenta, strict=True):
        module.eval()
        module.momentum = momentum
        module.num_batches_tracked.zero_()
        module.running_var.add_(0.1 * module.running_var.mean() + 1e-3)  # two samples leave some channels constant
