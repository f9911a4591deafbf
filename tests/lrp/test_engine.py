"""The engine as a whole: what it refuses, what it leaves alone, what it shows."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

import neon
from neon import composites, rules
from neon.lrp import LRP
from neon.lrp.composites import presets
from neon.lrp.message import Message


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Linear(6, 8, bias=False), nn.ReLU(inplace=True), nn.Linear(8, 3, bias=False)]
    return nn.Sequential(*layers).double().eval()


@pytest.fixture
def x() -> Tensor:
    return torch.randn(5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_lrp_zero_is_gradient_times_input(model: nn.Module, x: Tensor) -> None:
    probe = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(probe)[:, 1].sum(), probe)
    torch.testing.assert_close(LRP(model, "zero")(x, 1), gradient * x, rtol=1e-12, atol=1e-12)


def test_lrp_zero_where_the_output_is_zero() -> None:
    """Contributions that cancel to z = 0 are still there: the slope is never divided."""
    x = torch.tensor([[1.0, -1.0]])
    relevance = LRP(lambda x: x @ torch.ones(2, 1), "zero")(x)
    torch.testing.assert_close(relevance, x)


@pytest.mark.parametrize("composite", [name for name in composites.names() if name != "banzhaf"])
def test_nothing_is_changed(model: nn.Module, x: Tensor, composite: str) -> None:
    state, given = copy.deepcopy(model.state_dict()), x.clone()
    first = LRP(model, composite)(x, [0, 1, 2, 0, 1])
    second = LRP(model, composite)(x, torch.tensor([0, 1, 2, 0, 1]))
    assert torch.equal(first, second)
    assert torch.equal(x, given)
    assert not first.requires_grad
    assert all(torch.equal(state[key], value) for key, value in model.state_dict().items())
    assert not any(module._forward_hooks or module._backward_hooks for module in model.modules())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())


def test_banzhaf_values_of_a_curved_module_are_refused(model: nn.Module, x: Tensor) -> None:
    with pytest.raises(ValueError, match="Banzhaf values are of sums of kernels"):
        LRP(model, "banzhaf")(x, 0)


def test_unknown_operation_is_named(x: Tensor) -> None:
    class Odd(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.cumprod(x, 1)

    with pytest.raises(neon.UnsupportedOperationError, match=r"'cumprod' in module 'inner'"):
        LRP(_Wrap(Odd()))(x, 0)


class _Wrap(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)


def test_training_mode_is_refused(x: Tensor) -> None:
    with pytest.raises(ValueError, match="training mode"):
        LRP(nn.Sequential(nn.Linear(6, 2), nn.Dropout()).double())(x, 0)


@pytest.mark.parametrize("target", [3, -4, [0, 1], torch.zeros(5, 2), 0.5, None])
def test_bad_targets(model: nn.Module, x: Tensor, target: object) -> None:
    with pytest.raises(ValueError, match="target"):
        LRP(model)(x, target)


def test_targets_agree(model: nn.Module, x: Tensor) -> None:
    lrp = LRP(model)
    output = model(x).detach()
    start = torch.zeros_like(output)
    start[:, 2] = output[:, 2]
    by_index = lrp(x, 2)
    torch.testing.assert_close(lrp(x, start), by_index)
    torch.testing.assert_close(lrp(x, lambda y: y * y.new_tensor([0.0, 0.0, 1.0])), by_index)


def test_module_used_twice_and_skip_connection(x: Tensor) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(6, 6, bias=False).double()
    relevance = LRP(lambda x: x + layer(torch.relu(layer(x))), rules.Epsilon(1e-12))(x, 0)
    output = (x + layer(torch.relu(layer(x))))[:, 0]
    torch.testing.assert_close(relevance.sum(1), output.detach(), rtol=1e-6, atol=1e-6)


def test_plan_shows_rules_and_conservation(model: nn.Module, x: Tensor) -> None:
    composite = composites.epsilon_plus().override(composites.named("2"), rules.Zero())
    frame = LRP(model, composite).plan(x, 0).to_frame()
    assert list(frame["module"]) == ["0", "1", "2"]
    assert frame["rule"].iloc[2].startswith("Zero")
    assert frame["rule"].iloc[0].startswith("Epsilon")
    assert frame["absorbed"].abs().max() < 1e-4


def test_inner_relevance(model: nn.Module, x: Tensor) -> None:
    relevance, inner = LRP(model, "zero")(x, 0, at=["0"])
    assert inner["0"].shape == (5, 8)
    torch.testing.assert_close(inner["0"].sum(1), relevance.sum(1))
    with pytest.raises(ValueError, match="no recorded operation"):
        LRP(model)(x, 0, at=["9"])


def test_reference_rule_is_exact_between_two_points(x: Tensor) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 7), nn.GELU(), nn.Linear(7, 5), nn.Tanh(), nn.Linear(5, 2)).double().eval()
    r = torch.randn(1, 6, dtype=torch.float64)
    relevance = LRP(model, rules.Reference()).record(x, reference=r).propagate(1).relevance[0]
    torch.testing.assert_close(relevance.sum(1), (model(x) - model(r))[:, 1].detach(), rtol=1e-12, atol=1e-12)


def test_relevance_of_a_value_that_is_zero_stays_on_the_books() -> None:
    """A minimum of 0 with a shift behind it: relevance arrives where there is nothing to share."""
    model = torch.nn.Sequential(neon.nn.PooledMinimum(1, 1.0), neon.nn.Affine(1.0, [-2.0]))
    walk = LRP(model, "neon").record(torch.tensor([[0.0, 3.0]], dtype=torch.float64)).propagate(account=True)
    total = walk.relevance[0].sum() + sum(walk.ledger.absorbed.values())
    assert float(total) == pytest.approx(-2.0, rel=1e-12)


@pytest.mark.parametrize(
    "function",
    [
        lambda z: z.mean(-1),
        lambda z: z.sum((2, 3)),
        lambda z: nn.functional.avg_pool2d(z, 2).flatten(1),
        lambda z: nn.functional.adaptive_avg_pool2d(z, 1).flatten(1),
        lambda z: (z[:, :1] + z[:, 1:]).flatten(1),
        lambda z: torch.stack([z, 2 * z], 1).mean(1),
        lambda z: z + 1,
        lambda z: -z.mean((2, 3)),
    ],
)
@pytest.mark.parametrize("rule", [rules.AlphaBeta(2, 1, 1e-12), rules.AlphaBeta(3, 2, 1e-12, bias="ignore")], ids=str)
@pytest.mark.parametrize("sign", [1, -1])
def test_alpha_beta_passes_relevance_on_once_where_nothing_is_weighed_against(function, rule, sign) -> None:
    x = sign * (torch.rand(3, 2, 4, 4, dtype=torch.float64) + 0.5)
    walk = LRP(function, rule).record(x).propagate(lambda z: z, account=True)
    expected = function(x).flatten(1).sum(1)
    torch.testing.assert_close(walk.relevance[0].flatten(1).sum(1) + sum(walk.ledger.absorbed.values()), expected)
    assert bool((walk.relevance[0].flatten(1).sum(1).abs() <= 1.01 * function(x).flatten(1).abs().sum(1)).all())


def test_the_plain_call_warns_of_explosions_as_the_plan_does() -> None:
    weight = torch.tensor([[1.0, -1.0, 1e-5]], dtype=torch.float64)
    lrp, x = LRP(lambda x: nn.functional.linear(x, weight), "epsilon"), torch.ones(1, 3, dtype=torch.float64)
    for call in (lrp, lrp.plan):
        with pytest.warns(RuntimeWarning, match="grows 1.8.* times in linear under Epsilon") as caught:
            call(x, torch.ones(1, 1, dtype=torch.float64))
        assert call is not lrp or caught[0].filename == __file__


def test_every_preset_has_a_function_of_its_name() -> None:
    for name in composites.names():
        assert getattr(composites, name)() == composites.by_name(name)
        assert composites.by_name(name).name == name
        assert name in composites.__all__


def test_slopes_add_up_about_the_same_point_alone() -> None:
    slope, x, r = torch.tensor([2.0]), torch.tensor([3.0]), torch.tensor([1.0])
    own = Message.of_slope(slope).about(lambda: x, lambda: r)
    assert (own + own).slope is not None
    assert (own + own).relevance == 2 * own.relevance == 8
    from_zero = Message.of_slope(slope, x)
    assert (own + from_zero).slope is None
    assert (own + from_zero).relevance == 4 + 6
    with pytest.raises(TypeError, match="a slope alone is no relevance"):
        _ = Message.of_slope(slope).relevance


def test_a_preset_of_ones_own_takes_no_name_that_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presets, "_PRESETS", {**presets._PRESETS})
    composites.register("own", composites.zero)
    composites.register("own", composites.zero)
    assert composites.by_name("own") == composites.zero()
    with pytest.raises(ValueError, match="there is a preset 'neon' already"):
        composites.register("neon", composites.zero)


@pytest.mark.parametrize("index", [0, -1, [0, 0]])
def test_a_single_logit_is_its_own_log_odds(index) -> None:
    z = torch.tensor([[1.5], [-0.25]])
    assert torch.equal(neon.targets.LogOdds(index)(z), z)
