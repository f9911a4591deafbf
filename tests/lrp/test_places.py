"""Relevance at places inside a model: modules, containers, what they read; parts of it along any axis."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from neon import LRP


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Block(nn.Module):
    """Adds in its own frame what its modules give to what it was given."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(n, n, 3, padding=1), nn.BatchNorm2d(n)
        self.conv2 = nn.Conv2d(n, n, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.conv2(torch.relu(self.bn1(self.conv1(x)))) + x)


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
        self.layer1 = nn.Sequential(Block(4), Block(4))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layer1(self.stem(x)))


class Tokens(nn.Module):
    """A transformer encoder and a classifier of each token."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.classifier = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.encoder(x))


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    return Network().double().eval()


@pytest.fixture
def tokens() -> Tokens:
    torch.manual_seed(0)
    return Tokens().double().eval()


def test_at_a_container_and_what_it_reads(network: Network) -> None:
    x = randn(2, 3, 8, 8)
    names = ["stem", "layer1", "layer1.0", "layer1.1:input", "layer1:input", "stem:input"]
    found, at = LRP(network, "epsilon")(x, 1, at=names)
    with torch.no_grad():
        stem = network.stem(x)
        middle = network.layer1[0](stem)
        last = network.layer1[1](middle)
    above = LRP(network.head, "epsilon")(last, 1)
    torch.testing.assert_close(at["layer1"], above, rtol=1e-9, atol=1e-12)
    between = LRP(lambda x: network.head(network.layer1[1](x)), "epsilon")(middle, 1)
    for name in ("layer1.0", "layer1.1:input"):
        torch.testing.assert_close(at[name], between, rtol=1e-9, atol=1e-12)
    below = LRP(lambda x: network.head(network.layer1(x)), "epsilon")(stem, 1)
    for name in ("stem", "layer1:input"):
        torch.testing.assert_close(at[name], below, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(at["stem:input"], found)


def test_at_a_normalization_that_is_merged_and_at_what_a_layer_reads(network: Network) -> None:
    x = randn(2, 3, 8, 8)
    _, at = LRP(network, "epsilon")(x, 1, at=["layer1.0.bn1", "layer1.0.conv1", "layer1.0.conv2:input"])
    torch.testing.assert_close(at["layer1.0.bn1"], at["layer1.0.conv1"])
    torch.testing.assert_close(at["layer1.0.conv2:input"], at["layer1.0.bn1"])  # a ReLU lies between


def test_keep_at_a_container_and_at_an_input(network: Network) -> None:
    x = randn(2, 3, 8, 8)
    lrp = LRP(network, "epsilon")
    whole = lrp(x, 1)
    for name, n in (("layer1", 4), ("layer1:input", 4), ("stem:input", 3)):
        parts = [lrp(x, 1, keep={name: channel}) for channel in range(n)]
        torch.testing.assert_close(sum(parts), whole, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(lrp(x, 1, keep={"stem:input": [0, 2]})[:, 1], torch.zeros(2, 8, 8).double())


@pytest.mark.parametrize("index", [(..., [1, 5]), (slice(None), slice(None), [1, 5]), (slice(None), [0], 3)])
def test_keep_along_any_axis(tokens: Tokens, index: Any) -> None:
    x = randn(2, 4, 8)
    lrp = LRP(tokens, "attn_lrp")
    recording = lrp.record(x)
    at = recording.propagate((2, 1), at=["encoder.layers.0"]).at["encoder.layers.0"]
    kept = torch.zeros_like(at)
    kept[index] = at[index]
    walk = recording.propagate((2, 1), keep={"encoder.layers.0": index}, account=True)
    below = LRP(tokens.encoder.layers[0], "attn_lrp")(x, kept)
    torch.testing.assert_close(walk.relevance[0], below, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(walk.ledger.absorbed["other_channels"], (at - kept).flatten(1).sum(1))


def test_places_that_are_not_there(network: Network) -> None:
    x = randn(1, 3, 8, 8)
    lrp = LRP(network, "epsilon")
    with pytest.raises(ValueError, match=r"no recorded operation of module 'layer'; recorded modules: head\.0"):
        lrp(x, 1, at=["layer"])
    with pytest.raises(ValueError, match=r"index \(Ellipsis, \[99\]\).*output has shape \(1, 4, 6, 6\)"):
        lrp(x, 1, keep={"layer1": (..., [99])})
    with pytest.raises(ValueError, match="plain numbers are channels"):
        lrp(x, 1, keep={"layer1": [7]})
