"""Functions that are not 0 at 0, in front of sums that cancel: f(0) belongs to no input, and nothing explodes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neon import LRP
from neon.lrp.recording.tape import Tape
from neon.lrp.rewriting.curves import merge_curves

Function = Callable[[Tensor], Tensor]
CURVES: dict[str, Function] = {
    "sigmoid": torch.sigmoid,
    "hardsigmoid": F.hardsigmoid,
    "softplus": F.softplus,
    "exp": torch.exp,
    "cos": torch.cos,
    "logsigmoid": F.logsigmoid,
    "gauss": lambda z: torch.exp(-(z**2)),
    "cauchy": lambda z: 1 / (1 + z * z),
    "sech": lambda z: torch.cosh(z).reciprocal(),
    "at least": lambda z: z.clamp(min=0.5),
}
COMPOSITES = ["zero", "attn_lrp", "epsilon_plus"]


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


WEIGHT, HEAD = randn(6, 4, seed=1) / 2, randn(1, 6, seed=2)


def balanced(distance: float) -> Tensor:
    """Rows at which the first hidden sum is that far from 0, though its parts are not."""
    x, w = randn(16, 4) / 2, WEIGHT[0]
    return x + (distance - x @ w)[:, None] * w / (w @ w)


def accounted(model: Function, x: Tensor, composite: str) -> tuple[Tensor, dict[str, Tensor]]:
    walk = LRP(model, composite).record(x).propagate(account=True)
    total = walk.relevance[0].flatten(1).sum(1) + sum(walk.ledger.absorbed.values())
    torch.testing.assert_close(total, model(x)[:, 0], rtol=1e-9, atol=1e-11)
    return walk.relevance[0], walk.ledger.absorbed


@pytest.mark.parametrize("composite", COMPOSITES)
@pytest.mark.parametrize("distance", [0.0, 1e-7, -1e-5])
@pytest.mark.parametrize("curve", CURVES)
def test_nothing_explodes_where_a_sum_cancels(curve: str, distance: float, composite: str) -> None:
    """And relevance is continuous there: next to 0 as at 0."""
    model = lambda x: F.linear(CURVES[curve](F.linear(x, WEIGHT)), HEAD)  # noqa: E731
    relevance, _ = accounted(model, balanced(distance), composite)
    assert float(relevance.abs().max()) < 20
    assert LRP(model, composite).plan(balanced(distance)).largest_growth < 100
    if composite == "zero":
        torch.testing.assert_close(relevance, accounted(model, balanced(0.0), composite)[0], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("curve", CURVES)
def test_shares_are_those_of_the_secant(curve: str) -> None:
    """``R_i = Σ_k v_k (f(z_k) - f(0)) / z_k w_ki x_i``, and ``offset`` is ``Σ_k v_k f(0)``."""
    f, x = CURVES[curve], randn(5, 4, seed=3)
    relevance, absorbed = accounted(lambda x: F.linear(f(F.linear(x, WEIGHT)), HEAD), x, "zero")
    z, zero = F.linear(x, WEIGHT), f(torch.zeros(6, dtype=torch.float64))
    torch.testing.assert_close(relevance, x * ((HEAD * (f(z) - zero) / z) @ WEIGHT))
    torch.testing.assert_close(absorbed["offset"], (HEAD * zero).sum().expand(5))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("curve", ["sigmoid", "softplus", "gauss", "cos"])
def test_short_numbers(curve: str, dtype: torch.dtype) -> None:
    x = torch.tensor([[1.0, 1.0, 2.0, -1.0], [1.0, -1.0, 1.0, 0.0]], dtype=dtype)
    w = torch.tensor([[1.0, 1.0, -1.0, 0.0], [1.0, 0.5, 1.0, 1.0]], dtype=dtype)
    model = lambda x: CURVES[curve](F.linear(x, w.to(x.dtype))).sum(1, keepdim=True)  # noqa: E731
    expected = LRP(model, "zero")(x.double())
    torch.testing.assert_close(LRP(model, "zero")(x).double(), expected, rtol=2e-2, atol=1e-5)


def test_radial_basis_functions_at_their_centers() -> None:
    """A Kolmogorov-Arnold layer of bumps on a grid, and a layer of distances: rows on the grid are like any other."""
    grid, mix = torch.linspace(-2, 2, 5, dtype=torch.float64), randn(1, 20, seed=4)

    def bumps(x: Tensor) -> Tensor:
        return F.linear(torch.exp(-(((x.unsqueeze(-1) - grid) / 0.7) ** 2)).flatten(1), mix)

    def distances(x: Tensor) -> Tensor:
        return F.linear(torch.exp(-((x.unsqueeze(1) - WEIGHT) ** 2).sum(-1)), HEAD)

    on_grid = torch.tensor([[1.0, -1.0, 2.0, 0.0]], dtype=torch.float64)
    for model, x in ((bumps, on_grid), (distances, WEIGHT[:1])):
        for step in (0.0, 1e-9, 1e-6):
            relevance, absorbed = accounted(model, x + step, "epsilon")
            assert float(relevance.abs().max()) < 20
            assert "offset" in absorbed


def test_a_function_of_a_feature_belongs_to_it() -> None:
    """What is no sum has no parts that cancel: cos(x) is the feature's own, also at 0."""
    x = torch.tensor([[0.0, 1.0, -1.0, 2.0]], dtype=torch.float64)
    torch.testing.assert_close(LRP(lambda x: x.cos().sum(1, keepdim=True), "zero")(x), x.cos())


@pytest.mark.parametrize("composite", ["attn_lrp", "cp_lrp", "epsilon"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("cell", [nn.GRU, nn.LSTM])
def test_gates_at_0(cell: type[nn.Module], dtype: torch.dtype, composite: str) -> None:
    """Pre-activations of gates that are exactly 0 beside such that are not, and gates that are nearly closed."""
    torch.manual_seed(0)
    net = cell(4, 3, batch_first=True).to(dtype)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_((parameter * 8).round() / 4)
        net.get_parameter("weight_hh_l0")[:2] = 0
        net.get_parameter("bias_ih_l0")[:2] = 0
        net.get_parameter("bias_hh_l0")[:2] = 0
        net.get_parameter("bias_ih_l0")[2] = -6
    x = torch.tensor([[[1.0, 1.0, -1.0, 0.5]] * 4, [[1.0, -1.0, 1.0, 2.0]] * 4], dtype=dtype)
    with torch.no_grad():
        net.get_parameter("weight_ih_l0")[:2] = torch.tensor([1.0, 0.0, 1.0, 0.0], dtype=dtype)
    model = lambda x: net(x)[0][:, -1].sum(1, keepdim=True)  # noqa: E731
    recording = LRP(model, composite).record(x)
    assert recording.plan().largest_growth < 100
    assert float(recording.propagate().relevance[0].abs().sum()) < 100


def test_a_rectifier_stays_where_rules_look_for_it() -> None:
    """Chains begin behind a ReLU, and chains that are 0 at 0 are left as they are."""
    for model in (lambda x: F.linear(x, WEIGHT).relu().sqrt(), lambda x: F.linear(x, WEIGHT).tanh().square()):
        tape = LRP(model).record(randn(2, 4)).tape
        assert [op.name for op in merge_curves(tape).operations] == [op.name for op in tape.operations]
        assert isinstance(tape, Tape)
        assert len(tape.operations) == 3
