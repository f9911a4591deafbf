"""Deep Taylor: the first-order expansion at a rule's root points is the rule; the points are where theory puts them."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neon import LRP, composites, rules
from neon.lrp import deep_taylor
from neon.lrp.deep_taylor import first_order, root_points
from neon.lrp.rules import Rule

LOW, HIGH = -2.5, 3.0


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


REFERENCE = 0.1 * draw(9, 1, 7)
RULES: dict[str, Rule] = {
    "zero": rules.Zero(),
    "zero_ignoring": rules.Zero(bias="ignore"),
    "epsilon": rules.Epsilon(1e-6),
    "epsilon_large": rules.Epsilon(0.25),
    "epsilon_ignoring": rules.Epsilon(bias="ignore"),
    "gamma": rules.Gamma(0.25),
    "gamma_large": rules.Gamma(3.0, 1e-3),
    "gamma_ignoring": rules.Gamma(bias="ignore"),
    "z_plus": rules.ZPlus(),
    "z_plus_ignoring": rules.ZPlus(bias="ignore"),
    "z_box": rules.ZBox(LOW, HIGH),
    "z_box_of_features": rules.ZBox(LOW - draw(10, 7).abs(), HIGH + draw(11, 7).abs()),
    "w_square": rules.WSquare(),
    "w_square_ignoring": rules.WSquare(bias="ignore"),
    "reference": rules.Reference(REFERENCE),
    "reference_origin": rules.Reference(),
}
every_rule = pytest.mark.parametrize("name", RULES)
SIGNS = pytest.mark.parametrize("nonnegative", [False, True], ids=["signed", "nonnegative"])


def layer(seed: int = 0, n_inputs: int = 7, n_neurons: int = 5) -> tuple[Tensor, Tensor]:
    return draw(seed, n_neurons, n_inputs), draw(seed + 1, n_neurons) / 4


def rows(n: int = 6, *, nonnegative: bool, n_features: int = 7) -> Tensor:
    x = draw(4, n, n_features).clamp(LOW, HIGH)
    return x.clamp(min=0) if nonnegative else x


def difference(answer: Tensor, expected: Tensor) -> float:
    """‖answer - expected‖ / ‖expected‖."""
    assert answer.shape == expected.shape
    return float((answer - expected).norm() / expected.norm())


def everywhere(rule: Rule) -> composites.Composite:
    return composites.Composite([(composites.anything(), rule)])


def neuron(weight: Tensor, bias: Tensor | None, root: deep_taylor.RootPoint) -> Tensor:
    """``Σ_i x̃_i w_ik + x̃_0 b_k`` at each neuron's own point, (n_samples, n_neurons)."""
    z = torch.stack([torch.stack([sample[k] @ weight[k] for k in range(len(weight))]) for sample in root.inputs])
    return z if bias is None else z + root.constant * bias


@every_rule
@SIGNS
@pytest.mark.parametrize("with_bias", [True, False], ids=["bias", "no_bias"])
def test_expansion_is_the_rule(name: str, nonnegative: bool, with_bias: bool) -> None:
    """On a ReLU layer, for relevance ``c_k max(z_k, 0)`` of either sign, as the engine runs it."""
    weight, bias = layer()
    bias = bias if with_bias else None
    x, c = rows(nonnegative=nonnegative), draw(5, 6, 5)
    relevance = c * F.relu(F.linear(x, weight, bias))
    assert (relevance == 0).any(0).any()
    engine = LRP(lambda x: F.relu(F.linear(x, weight, bias)), everywhere(RULES[name]))(x, relevance)
    assert difference(first_order(RULES[name], x, weight, bias, relevance), engine) < 1e-12


@every_rule
def test_relevance_is_the_activation_by_default(name: str) -> None:
    weight, bias = layer()
    x = rows(nonnegative=False)
    engine = LRP(lambda x: F.relu(F.linear(x, weight, bias)), everywhere(RULES[name]))(
        x, F.relu(F.linear(x, weight, bias))
    )
    assert difference(first_order(RULES[name], x, weight, bias), engine) < 1e-12


@every_rule
def test_layer_by_layer(name: str) -> None:
    """A network is explained by one expansion after the other; z^B, w² and reference points are for the first layer."""
    below = RULES[name]
    above = below if isinstance(below, rules.Zero | rules.Epsilon | rules.AlphaBeta) else rules.Gamma(0.5)
    model = nn.Sequential(nn.Linear(7, 6), nn.ReLU(), nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3), nn.ReLU()).double()
    parameters = [(draw(20 + k, *model[k].weight.shape), draw(30 + k, *model[k].bias.shape) / 4) for k in (0, 2, 4)]
    model.load_state_dict(
        {
            f"{k}.{kind}": value
            for k, pair in zip((0, 2, 4), parameters, strict=True)
            for kind, value in zip(("weight", "bias"), pair, strict=True)
        }
    )
    x = rows(20, nonnegative=False)
    activations = [x]
    for weight, bias in parameters:
        activations.append(F.relu(F.linear(activations[-1], weight, bias)))
    relevance = start = activations.pop() * draw(6, 20, 3)
    assert bool((start != 0).any())
    for (weight, bias), a, rule in zip(reversed(parameters), reversed(activations), (above, above, below), strict=True):
        relevance = first_order(rule, a, weight, bias, relevance)
    composite = composites.Composite([(composites.first(), below), (composites.anything(), above)])
    assert difference(relevance, LRP(model, composite)(x, start)) < 1e-12


@every_rule
@SIGNS
def test_root_is_a_root(name: str, nonnegative: bool) -> None:
    """The neuron is silent there, but for what the stabiliser keeps back; a silent neuron stays where it is."""
    weight, bias = layer()
    x, rule = rows(nonnegative=nonnegative), RULES[name]
    root = root_points(rule, x, weight, bias)
    z = F.linear(x, weight, bias)
    active = z > 0
    assert active.any()
    assert not active.all()
    left = neuron(weight, bias, root)[active] / z[active]
    if hasattr(rule, "epsilon"):  # ε / (|D| + ε) is left, D the rule's denominator
        assert bool(((left > 0) & (left < 1)).all())
        if isinstance(rule, rules.Epsilon) and rule.bias == "absorb":
            assert difference(left, rule.epsilon / (z[active] + rule.epsilon)) < 1e-9
        root = root_points(_without_stabilizer(rule), x, weight, bias)
        left = neuron(weight, bias, root)[active] / z[active]
    assert left.abs().max() < 1e-12
    silent = ~active.unsqueeze(2)
    assert torch.equal(root.inputs * silent, x.unsqueeze(1) * silent)
    assert bool((root.constant[~active] == 1).all())


def _without_stabilizer(rule: Rule) -> Rule:
    if isinstance(rule, rules.Epsilon):
        return rules.Zero(bias=rule.bias)
    if isinstance(rule, rules.ZPlus):
        return rules.ZPlus(0.0, bias=rule.bias)
    if isinstance(rule, rules.Gamma):
        return rules.Gamma(rule.gamma, 0.0, bias=rule.bias)
    if isinstance(rule, rules.ZBox):
        return rules.ZBox(rule.low, rule.high, 0.0)
    assert isinstance(rule, rules.WSquare)
    return rules.WSquare(0.0, bias=rule.bias)


def test_roots_by_hand() -> None:
    """One neuron, z = 3·1 - 1·2 + 1 = 2 at x = (1, 2)."""
    x, weight, bias = (torch.tensor(v, dtype=torch.float64) for v in ([[1.0, 2.0]], [[3.0, -1.0]], [1.0]))
    expected: list[tuple[Rule, list[float], float]] = [
        (rules.Zero(), [0, 0], 0),  # the origin, the constant included
        (rules.Zero(bias="ignore"), [-1, -2], 1),  # x - 2x: 3 (-1) - (-2) + 1 = 0
        (rules.Epsilon(2.0), [0.5, 1], 0.5),  # half way
        (rules.ZPlus(0.0), [0.5, 2], 0.5),  # x - 2/4 (1, 0): 1.5 - 2 + 0.5 = 0
        (rules.ZPlus(0.0, bias="ignore"), [1 / 3, 2], 1),  # x - 2/3 (1, 0)
        (rules.Gamma(1.0, 0.0), [1 / 3, 4 / 3], 1 / 3),  # x - 2/6 (2, 2), 1 - 2/6 2
        (rules.ZBox(0.0, 3.0, 0.0), [0.5, 2.5], 1),  # half way to the corner (0, 3), where z = -2
        (rules.WSquare(0.0, bias="ignore"), [0.4, 2.2], 1),  # x - 2/10 w
        (rules.Reference(torch.tensor([[0.0, 1.0]])), [0, 1], 1),  # a root itself: -1 + 1 = 0
    ]
    for rule, point, constant in expected:
        root = root_points(rule, x, weight, bias)
        assert root.inputs[0, 0].tolist() == pytest.approx(point, abs=1e-12), rule
        assert float(root.constant) == pytest.approx(constant, abs=1e-12), rule


@pytest.mark.parametrize("name", [name for name in RULES if name.startswith(("zero", "epsilon", "gamma", "z_plus"))])
@pytest.mark.parametrize("sign", [-1, 1])
def test_roots_of_nonnegative_inputs(name: str, sign: int) -> None:
    """They lie between the origin and x, unless a positive bias stays while the inputs alone must make up for it."""
    weight, bias = layer()
    bias = sign * (bias.abs() + 2)
    x, rule = rows(nonnegative=True), RULES[name]
    inputs, constant = root_points(rule, x, weight, bias)
    inside = bool(((inputs >= -1e-12) & (inputs <= x.unsqueeze(1) + 1e-12)).all())
    if rule.bias == "absorb":
        assert inside
        assert bool(((constant >= -1e-12) & (constant <= 1)).all())
    else:
        # LRP-0 and ε without a negative bias in the denominator stop short of the origin, with a positive one beyond
        assert inside == (sign < 0)
        assert bool((constant == 1).all())


@pytest.mark.parametrize("name", ["z_box", "z_box_of_features"])
def test_roots_in_the_box(name: str) -> None:
    """The point lies in the box wherever the box holds a root of the neuron at all, and outside otherwise."""
    weight, bias = layer()
    bias = torch.linspace(-1.0, 40.0, 5, dtype=torch.float64)
    x, rule = rows(nonnegative=False), RULES[name]
    low, high = (torch.as_tensor(side, dtype=x.dtype).expand(7) for side in (rule.low, rule.high))
    lowest = torch.stack([torch.where(w > 0, low, high) @ w + b for w, b in zip(weight, bias, strict=True)])
    inputs = root_points(rule, x, weight, bias).inputs
    inside = ((inputs >= low - 1e-12) & (inputs <= high + 1e-12)).all(2)
    silent = F.linear(x, weight, bias) <= 0
    assert 0 < int((lowest <= 0).sum()) < 5
    assert torch.equal(inside, silent | (lowest <= 0).expand_as(silent))


def test_root_of_w_square_is_the_nearest() -> None:
    weight, bias = layer()
    x = rows(nonnegative=False)
    inputs = root_points(rules.WSquare(0.0, bias="ignore"), x, weight, bias).inputs
    z = F.relu(F.linear(x, weight, bias))
    assert difference((x.unsqueeze(1) - inputs).norm(dim=2), z / weight.norm(dim=1)) < 1e-12
    for seed in range(20):  # other points of the hyperplane: along it from the root
        step = draw(seed, *inputs.shape)
        along = step - (step * weight).sum(2, keepdim=True) / weight.square().sum(1)[:, None] * weight
        assert bool(((x.unsqueeze(1) - inputs - along).norm(dim=2) >= (x.unsqueeze(1) - inputs).norm(dim=2)).all())


def test_reference_point_that_is_a_root_is_the_root() -> None:
    """Through r, and at r itself for the neurons that are silent there by a hair."""
    weight, x = draw(0, 5, 7), rows(nonnegative=False)
    r = draw(12, 1, 7)
    root = root_points(rules.Reference(r), x, weight, -weight @ r[0])
    active = F.linear(x - r, weight) > 0
    assert difference(root.inputs[active], r.expand(int(active.sum()), 7)) < 1e-12


def test_what_has_no_root_point() -> None:
    weight, bias = layer()
    x = rows(nonnegative=False)
    with pytest.raises(TypeError, match=r"Flat\(.*it has no root point"):
        root_points(rules.Flat(), x, weight, bias)
    with pytest.raises(ValueError, match="difference of two expansions"):
        root_points(rules.AlphaBeta(2, 1), x, weight, bias)
    with pytest.raises(ValueError, match="not active has relevance"):
        first_order(rules.Zero(), x, weight, bias, torch.ones(6, 5, dtype=torch.float64))


@pytest.mark.parametrize(
    ("x", "weight", "bias", "relevance", "match"),
    [
        ((6, 7), (5, 6), (5,), (6, 5), r"got \(6, 7\) and \(5, 6\)"),
        ((7,), (5, 7), (5,), (6, 5), r"got \(7,\) and \(5, 7\)"),
        ((6, 7), (5, 7), (7,), (6, 5), r"bias must have shape \(5,\), got \(7,\)"),
        ((6, 7), (5, 7), (5,), (6, 7), r"relevance must have shape \(6, 5\), got \(6, 7\)"),
    ],
)
def test_shapes_that_do_not_fit(x: Any, weight: Any, bias: Any, relevance: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        first_order(rules.Zero(), draw(0, *x), draw(1, *weight), draw(2, *bias), draw(3, *relevance))


def test_a_rule_of_ones_own() -> None:
    """Equal steps of all inputs: the rule that shares by weight."""

    class ByWeight(rules.Zero):
        pass

    @deep_taylor.search_direction.register
    def _(rule: ByWeight, x: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        return torch.ones_like(x).unsqueeze(1).expand(-1, len(weight), -1), torch.zeros_like(bias)

    weight, bias = layer()
    x = rows(nonnegative=False)
    expected = F.relu(F.linear(x, weight, bias)) @ (weight / weight.sum(1, keepdim=True))
    assert difference(first_order(ByWeight(), x, weight, bias), expected) < 1e-12
