"""The engine against relevance computed by other tools.

``tests/oracles`` holds results of zennit 0.5.1 in float64 (stabiliser 1e-6, batch normalization merged); the literals
are from the test suites of captum and RelevancePropagation.jl; captum itself runs beside neon where it has the rule.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from neon import LRP, composites, rules

ORACLES = Path(__file__).resolve().parents[1] / "oracles"
SINGLE = {name: np.load(ORACLES / f"{name}.npz") for name in ("rules", "vgg", "resnet")}

RULES = {
    "epsilon": rules.Epsilon(),
    "zplus": rules.ZPlus(),
    "alpha2_beta1": rules.AlphaBeta(2, 1),
    "gamma": rules.Gamma(0.25),
    "zbox": rules.ZBox(-4.0, 4.0),
    "wsquare": rules.WSquare(),
    "flat": rules.Flat(),
}
LAYERS = {
    "linear": nn.Linear(7, 5),
    "conv1d": nn.Conv1d(3, 4, 3, stride=2, padding=1),
    "conv2d": nn.Conv2d(4, 6, 3, stride=2, padding=1, dilation=2, groups=2),
    "conv3d": nn.Conv3d(2, 3, 2),
    "conv_transpose1d": nn.ConvTranspose1d(3, 4, 3, stride=2),
    "conv_transpose2d": nn.ConvTranspose2d(3, 4, 3, stride=2, padding=1, output_padding=1),
    "conv_transpose3d": nn.ConvTranspose3d(2, 3, 2),
}
COMPOSITES = [
    "epsilon_plus",
    "epsilon_plus_flat",
    "epsilon_alpha2_beta1",
    "epsilon_alpha2_beta1_flat",
    "epsilon_gamma_box",
]


class Block(nn.Module):
    """Two convolutions and a skip connection."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        return self.relu2(y + x)


class ResNet(nn.Module):
    """The residual network of the oracle."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(8)
        self.relu = nn.ReLU()
        self.block1 = Block(8)
        self.pool = nn.MaxPool2d(2)
        self.block2 = Block(8)
        self.average = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.block1(self.relu(self.bn(self.conv(x))))
        return self.fc(self.average(self.block2(self.pool(x))).flatten(1))


def vgg() -> nn.Sequential:
    """Build the plain convolutional network of the oracle."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1, stride=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 12, 3, padding=1),
        nn.BatchNorm2d(12),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(48, 32),
        nn.ReLU(),
        nn.Dropout(),
        nn.Linear(32, 10),
    )


NETWORKS = {"vgg": vgg, "resnet": ResNet}


def everywhere(rule: rules.Rule) -> composites.Composite:
    return composites.Composite([(composites.anything(), rule)])


def difference(answer: Tensor, expected: np.ndarray) -> float:
    """‖answer - expected‖ / ‖expected‖."""
    assert answer.shape == expected.shape
    return float(np.linalg.norm(answer.numpy() - expected) / np.linalg.norm(expected))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("sign", ["signed", "nonnegative"])
@pytest.mark.parametrize("layer", LAYERS)
def test_rule(layer: str, sign: str, rule: str) -> None:
    oracle = {
        name: SINGLE["rules"][f"{layer}/{sign}/{name}"] for name in ("x", "weight", "bias", "relevance_out", rule)
    }
    x, relevance = torch.from_numpy(oracle["x"]), torch.from_numpy(oracle["relevance_out"])
    module = LAYERS[layer].double()
    module.load_state_dict({name: torch.from_numpy(oracle[name]) for name in ("weight", "bias")})
    assert difference(LRP(module, everywhere(RULES[rule]))(x, relevance), oracle[rule]) < 1e-8


@pytest.mark.parametrize("composite", COMPOSITES)
@pytest.mark.parametrize("name", NETWORKS)
def test_network(name: str, composite: str) -> None:
    oracle = SINGLE[name]
    state = {
        key.removeprefix("state/"): torch.from_numpy(oracle[key]) for key in oracle.files if key.startswith("state/")
    }
    network = NETWORKS[name]().double().eval()
    missing = network.load_state_dict(state, strict=False).missing_keys
    assert all(key.endswith("num_batches_tracked") for key in missing)
    x, target = torch.from_numpy(oracle["x"]), torch.from_numpy(oracle["target"])
    with torch.no_grad():
        assert difference(network(x), oracle["output"]) < 1e-12
    answer = LRP(network, composite)(x, target)
    assert difference(answer, oracle[f"relevance/{composite}"]) < 1e-8


def simple_model(*, corner: float) -> nn.Sequential:
    """Build captum's SimpleLRPModel: weights of 2, then of 3, one corner set apart."""
    model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.ReLU(), nn.Linear(3, 1, bias=False)).double()
    with torch.no_grad():
        model[0].weight.fill_(2.0)
        model[2].weight.fill_(3.0)
        model[0].weight[0, 0] = corner
    return model


@pytest.mark.parametrize(
    ("rule", "corner", "expected"),
    [
        (rules.Epsilon(1e-9), 2, [18, 36, 54]),
        (rules.Gamma(1.0, 1e-9), -2, [28 / 3, 104 / 3, 52]),
        (rules.AlphaBeta(1, 0, 1e-9), -2, [12, 33.6, 50.4]),
        (rules.ZPlus(1e-9), -2, [12, 33.6, 50.4]),
    ],
)
def test_literals_of_captum(rule: rules.Rule, corner: float, expected: list[float]) -> None:
    x = torch.tensor([[1.0, 2.0, 3.0]], dtype=torch.float64)
    answer = LRP(simple_model(corner=corner), everywhere(rule))(x, 0)
    assert difference(answer, np.array([expected])) < 1e-8


class Dense(nn.Module):
    """The layer of RelevancePropagation.jl's analytic cases, alone or beside a skip connection."""

    def __init__(self, *, skip: bool) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2).double()
        weight, bias = torch.tensor([[3.0, 4.0], [5.0, 6.0]]), torch.tensor([7.0, 8.0])
        self.linear.load_state_dict({"weight": weight, "bias": bias})
        self.skip = skip

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + x if self.skip else self.linear(x)


@pytest.mark.parametrize(
    ("skip", "relevance", "expected"),
    [
        (False, [1 / 3, 2 / 3], [17 / 90, 316 / 675]),
        (True, [1, 0], [4 / 19, 8 / 19]),
        (True, [0, 1], [5 / 27, 14 / 27]),
    ],
)
def test_literals_of_relevance_propagation_jl(skip: bool, relevance: list[float], expected: list[float]) -> None:
    x = torch.tensor([[1.0, 2.0]], dtype=torch.float64)
    start = torch.tensor([relevance], dtype=torch.float64)
    answer = LRP(Dense(skip=skip), everywhere(rules.Zero()))(x, start)
    assert difference(answer, np.array([expected])) < 1e-14
