"""The engine's rules against the textbook, on every linear map."""

from collections.abc import Callable
from functools import partial
from zlib import crc32

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from neon import LRP, composites, rules
from tests.lrp import textbook
from tests.lrp.linear_cases import CASES, Case
from tests.lrp.textbook import Matrix

# Relevance is drawn here, not the output: where z is about 0 it grows.
pytestmark = pytest.mark.filterwarnings("ignore:relevance grows")

TextbookRule = Callable[[np.ndarray, Matrix, np.ndarray], np.ndarray]

N_SAMPLES = 4

# name -> the fast rule, the textbook rule
RULES: dict[str, tuple[rules.Rule, TextbookRule]] = {
    "zero": (rules.Zero(), textbook.zero),
    "epsilon": (rules.Epsilon(), textbook.epsilon),
    "epsilon_large": (rules.Epsilon(0.25), partial(textbook.epsilon, epsilon=0.25)),
    "gamma": (rules.Gamma(), textbook.gamma),
    "gamma_large": (rules.Gamma(3.0, 1e-3), partial(textbook.gamma, gamma=3.0, epsilon=1e-3)),
    "alpha2_beta1": (rules.AlphaBeta(), partial(textbook.alpha_beta, alpha=2, beta=1)),
    "alpha3_beta2": (
        rules.AlphaBeta(3, 2, 0.01),
        partial(textbook.alpha_beta, alpha=3, beta=2, epsilon=0.01),
    ),
    "z_plus": (rules.ZPlus(), textbook.z_plus),
    "w_square": (rules.WSquare(), textbook.w_square),
    "flat": (rules.Flat(), textbook.flat),
}
IGNORING: dict[str, tuple[rules.Rule, TextbookRule]] = {
    "zero": (rules.Zero(bias="ignore"), textbook.zero),
    "epsilon": (rules.Epsilon(bias="ignore"), textbook.epsilon),
    "gamma": (rules.Gamma(bias="ignore"), textbook.gamma),
    "alpha2_beta1": (rules.AlphaBeta(bias="ignore"), partial(textbook.alpha_beta, alpha=2, beta=1)),
    "z_plus": (rules.ZPlus(bias="ignore"), textbook.z_plus),
    "w_square": (rules.WSquare(bias="ignore"), textbook.w_square),
}
# the rules whose denominators a stabiliser keeps from zero
STABILISED = [name for name in RULES if name != "zero"]
SURROUNDINGS = ["bare", "after_relu", "before_relu", "between_relus"]

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
every_surrounding = pytest.mark.parametrize("surrounding", SURROUNDINGS)


class Model(nn.Module):
    """A linear map, bare or with ReLUs, which tell the engine that values are non-negative."""

    def __init__(self, function: Callable[[Tensor], Tensor], surrounding: str = "bare") -> None:
        super().__init__()
        self._function = function
        self._before = surrounding in ("after_relu", "between_relus")
        self._after = surrounding in ("before_relu", "between_relus")

    def forward(self, x: Tensor) -> Tensor:
        z = self._function(F.relu(x) if self._before else x)
        return F.relu(z) if self._after else z


def everywhere(rule: rules.Rule) -> composites.Composite:
    return composites.Composite([(composites.anything(), rule)])


def draw(name: str, *shape: int) -> Tensor:
    """Draw standard normal numbers, the same for the same name."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(crc32(name.encode())), dtype=torch.float64)


def flatten(x: Tensor) -> np.ndarray:
    return x.reshape(len(x), -1).numpy()


def difference(answer: Tensor, expected: np.ndarray) -> float:
    """‖answer - expected‖ / ‖expected‖, or ‖answer‖ where zero is expected."""
    assert np.isfinite(expected).all()
    return float(np.linalg.norm(flatten(answer) - expected) / (np.linalg.norm(expected) or 1.0))


def compare(case: Case, surrounding: str, fast: rules.Rule, slow: TextbookRule, *, bias: str = "absorb") -> None:
    """Compare the two on drawn inputs; the relevance has both signs and does not vanish behind a ReLU."""
    x = draw(case.name, N_SAMPLES, *case.shape)
    model = Model(case.function, surrounding)
    relevance = draw("relevance", *model(x).shape)
    matrix = Matrix.of(case.function, case.shape)
    values = flatten(x.clamp(min=0) if surrounding in ("after_relu", "between_relus") else x)
    expected = slow(values, matrix if bias == "absorb" else matrix.without_bias(), flatten(relevance))
    answer = LRP(model, everywhere(fast))(x, relevance)
    assert answer.shape == x.shape
    assert answer.dtype == torch.float64
    assert difference(answer, expected) < 1e-10


def _of_sums(case: Case, fast: rules.Rule, slow: TextbookRule) -> tuple[rules.Rule, TextbookRule]:
    """αβ has a page of its own for averages, sums and shifts."""
    if case.weighted or not isinstance(fast, rules.AlphaBeta) or not fast.beta:
        return fast, slow
    assert isinstance(slow, partial)
    return fast, partial(textbook.alpha_beta_of_sums, **slow.keywords)


@every_case
@every_surrounding
@pytest.mark.parametrize("rule", RULES)
def test_rule(case: Case, surrounding: str, rule: str) -> None:
    compare(case, surrounding, *_of_sums(case, *RULES[rule]))


@every_case
@every_surrounding
@pytest.mark.parametrize("rule", IGNORING)
def test_bias_ignored(case: Case, surrounding: str, rule: str) -> None:
    compare(case, surrounding, *_of_sums(case, *IGNORING[rule]), bias="ignore")


@every_case
@every_surrounding
def test_z_box(case: Case, surrounding: str) -> None:
    shape = (1, *case.shape) if case.whole else (1,)
    low, high = -6 - draw("low", *shape).abs(), 6 + draw("high", *shape).abs()
    sides = {side: value.expand(1, *case.shape).reshape(-1).numpy() for side, value in [("low", low), ("high", high)]}
    compare(case, surrounding, rules.ZBox(low, high), partial(textbook.z_box, **sides))


@every_case
@every_surrounding
def test_z_box_of_numbers(case: Case, surrounding: str) -> None:
    low, high = np.full(np.prod(case.shape), -6.5), np.full(np.prod(case.shape), 7.0)
    compare(case, surrounding, rules.ZBox(-6.5, 7.0), partial(textbook.z_box, low=low, high=high))


def test_data_outside_the_box_are_warned_of() -> None:
    layer, pixels = torch.nn.Linear(4, 2).double(), draw("pixels", 3, 4).abs() * 100
    with pytest.warns(RuntimeWarning, match=r"100.0% of the inputs of z\^B, .* lie outside its box \(0 to 0.001\)"):
        LRP(layer, rules.ZBox(0.0, 0.001))(pixels, 0)
    LRP(layer, rules.ZBox(0.0, pixels.amax()))(pixels, 0)
    with pytest.warns(RuntimeWarning, match="lie outside its box"):
        LRP(layer, rules.ZBox(pixels.amin(0, keepdim=True), pixels.amax(0, keepdim=True)))(2 * pixels, 0)


@every_case
@every_surrounding
def test_reference(case: Case, surrounding: str) -> None:
    r = draw("reference", *((1, *case.shape) if case.whole else (1,)))
    expanded = r.expand(1, *case.shape).reshape(-1).numpy()
    compare(case, surrounding, rules.Reference(r), partial(textbook.reference, r=expanded))


def _all_rules(base: type[rules.LinearRule] = rules.LinearRule) -> list[type[rules.LinearRule]]:
    return [base, *(rule for below in base.__subclasses__() for rule in _all_rules(below))]


@pytest.fixture
def without_fast_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    for rule in _all_rules():
        monkeypatch.setattr(rule, "fast", lambda *_: None)


@every_case
@pytest.mark.parametrize("surrounding", ["bare", "between_relus"])
@pytest.mark.usefixtures("without_fast_paths")
def test_the_four_steps_alone(case: Case, surrounding: str) -> None:
    """Every rule is its formula: what is fast is nothing but fast."""
    for rule in RULES:
        compare(case, surrounding, *_of_sums(case, *RULES[rule]))
    for rule in IGNORING:
        compare(case, surrounding, *_of_sums(case, *IGNORING[rule]), bias="ignore")
    test_z_box_of_numbers(case, surrounding)


@every_surrounding
@pytest.mark.parametrize("n_inputs", [1, 3, 40])
@pytest.mark.parametrize("rule", RULES)
def test_single_precision(rule: str, n_inputs: int, surrounding: str) -> None:
    """With few inputs many sums of one sign are empty, and rounding in their place would outweigh the stabiliser."""
    fast, slow = RULES[rule]
    w, b, x = (
        draw(name, *shape).float() for name, shape in [("w", (50, n_inputs)), ("b", (50,)), ("x", (8, n_inputs))]
    )
    model = Model(lambda x: F.linear(x, w, b), surrounding)
    values = (x.clamp(min=0) if surrounding in ("after_relu", "between_relus") else x).double()
    matrix = Matrix.of(lambda x: F.linear(x, w.double(), b.double()), (n_inputs,))
    # an output next to zero divides by its own rounding, whatever the precision
    relevance = draw("relevance", 8, 50) * (F.linear(values, w.double(), b.double()).abs() > 0.05)
    answer = LRP(model, everywhere(fast))(x, relevance.float())
    assert answer.dtype == torch.float32
    expected = slow(values.numpy(), matrix, relevance.float().double().numpy())
    assert difference(answer, expected) < 1e-5


@pytest.mark.parametrize("rule", STABILISED)
def test_zero_preactivation(rule: str) -> None:
    """``sgn(0) = 1``: an output of exactly zero has the denominator +ε (and hands on nothing by the γ rule)."""
    fast, slow = RULES[rule]
    x = torch.tensor([[1.0, 2.0, -1.0]], dtype=torch.float64)
    w = torch.tensor([[1.0, 0.0, 1.0], [1.0, 1.0, 0.5]], dtype=torch.float64)
    relevance = torch.tensor([[1.0, 0.5]], dtype=torch.float64)
    matrix = Matrix.of(lambda x: F.linear(x, w), (3,))
    # zeros of this matrix are weights like any other, not missing connections
    matrix = Matrix(matrix.w, matrix.b, np.ones_like(matrix.connected))
    answer = LRP(Model(lambda x: F.linear(x, w)), everywhere(fast))(x, relevance)
    assert difference(answer, slow(flatten(x), matrix, flatten(relevance))) < 1e-10


def test_gamma_of_the_overview_is_the_generalised_rule_on_relu_layers() -> None:
    """The two formulas for γ are one where inputs are non-negative and dead outputs hold no relevance."""
    case = CASES[0]
    x = draw("overview", N_SAMPLES, *case.shape).clamp(min=0)
    matrix = Matrix.of(case.function, case.shape)
    relevance = draw("relevance", N_SAMPLES, 5).numpy() * (flatten(case.function(x)) > 0)
    expected = textbook.gamma_of_relu_layers(flatten(x), matrix, relevance)
    answer = LRP(Model(case.function), everywhere(rules.Gamma()))(x, torch.from_numpy(relevance))
    assert difference(answer, expected) < 1e-10


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("above", ["epsilon", "gamma", "w_square", "flat"])
def test_rules_in_a_row(rule: str, above: str) -> None:
    """Two layers with a ReLU between: w² and flat give relevance to dead units too, and the layer below takes it."""
    w, b, v, c = (draw(name, *shape) for name, shape in [("w", (6, 5)), ("b", (6,)), ("v", (3, 6)), ("c", (3,))])
    model = nn.Sequential(nn.ReLU(), nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 3)).double()
    model.load_state_dict({"1.weight": w, "1.bias": b, "3.weight": v, "3.bias": c})
    x, relevance = draw("row", N_SAMPLES, 5), draw("relevance", N_SAMPLES, 3)
    composite = composites.Composite(
        [(composites.named("1"), RULES[rule][0]), (composites.named("3"), RULES[above][0])]
    )
    answer = LRP(model, composite)(x, relevance)
    low, high = (
        Matrix(w.T.numpy(), b.numpy(), np.ones((5, 6), bool)),
        Matrix(v.T.numpy(), c.numpy(), np.ones((6, 3), bool)),
    )
    hidden = F.relu(F.linear(F.relu(x), w, b))
    expected = RULES[rule][1](flatten(F.relu(x)), low, RULES[above][1](flatten(hidden), high, flatten(relevance)))
    assert difference(answer, expected) < 1e-10


@pytest.mark.parametrize("below", ["reference", "zero", "epsilon"])
@pytest.mark.parametrize("above", ["reference", "zero"])
@pytest.mark.parametrize("skip", [False, True])
def test_reference_points_of_single_layers(above: str, below: str, skip: bool) -> None:
    """Two layers with points of their own, which are not each other's image, explaining one output's value."""
    w, v, r, q = (draw(name, *shape) for name, shape in [("w", (5, 5)), ("v", (3, 5)), ("r", (1, 5)), ("q", (1, 5))])
    network = nn.Sequential(nn.Linear(5, 5, bias=False), nn.Linear(5, 3, bias=False)).double()
    network.load_state_dict({"0.weight": w, "1.weight": v})

    class Skip(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: Tensor) -> Tensor:
            return self.network[1](self.network[0](x)) + (x[:, :3] if skip else 0)

    fast = {"reference": rules.Reference, "zero": lambda _: rules.Zero(), "epsilon": lambda _: rules.Epsilon()}
    slow = {
        "reference": textbook.reference,
        "zero": lambda *a, r: textbook.zero(*a),
        "epsilon": lambda *a, r: textbook.epsilon(*a),
    }
    x = draw("points", N_SAMPLES, 5)
    composite = composites.Composite(
        [
            (composites.named("*1"), fast[above](q)),
            (composites.named("*0"), fast[below](r)),
            (composites.anything(), rules.Zero()),
        ]
    )
    answer = LRP(Skip(), composite)(x, 1)
    hidden = F.linear(x, w)
    start = flatten(F.linear(hidden, v)) * np.eye(3)[1]
    low, high = (Matrix.of(partial(F.linear, weight=weight), (5,)) for weight in (w, v))
    expected = slow[below](flatten(x), low, slow[above](flatten(hidden), high, start, r=q[0].numpy()), r=r[0].numpy())
    expected[:, 1] += flatten(x)[:, 1] * skip
    assert difference(answer, expected) < 1e-10


@st.composite
def convolutions(draw: st.DrawFn) -> Case:
    """A small convolution of any geometry, plain or transposed, in one to three dimensions."""
    n_dims, transposed = draw(st.integers(1, 3)), draw(st.booleans())
    groups = draw(st.integers(1, 2))
    fan_in, fan_out = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    each = partial(st.lists, min_size=n_dims, max_size=n_dims)
    kernel = draw(each(st.integers(1, 3)))
    stride, dilation = draw(each(st.integers(1, 2))), draw(each(st.integers(1, 2)))
    padding = [draw(st.integers(0, k // 2)) for k in kernel]
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    size = [max(1, r - 2 * p) + draw(st.integers(0, 2)) for r, p in zip(reach, padding, strict=True)]
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10_000)))
    ends = (fan_in, fan_out // groups) if transposed else (fan_out, fan_in // groups)
    weight = torch.randn(*ends, *kernel, generator=generator, dtype=torch.float64)
    bias = torch.randn(fan_out, generator=generator, dtype=torch.float64) if draw(st.booleans()) else None
    name = f"conv{'_transpose' if transposed else ''}{n_dims}d"
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return Case(name, (fan_in, *size), partial(getattr(F, name), weight=weight, bias=bias, **options))


@given(convolutions(), st.sampled_from(SURROUNDINGS), st.sampled_from(STABILISED))
def test_any_convolution(case: Case, surrounding: str, rule: str) -> None:
    compare(case, surrounding, *_of_sums(case, *RULES[rule]))


@given(
    st.lists(st.integers(1, 3), max_size=2),
    st.integers(1, 5),
    st.integers(1, 5),
    st.sampled_from(SURROUNDINGS),
    st.sampled_from(STABILISED),
)
def test_any_linear(axes: list[int], fan_in: int, fan_out: int, surrounding: str, rule: str) -> None:
    weight, bias = draw("weight", fan_out, fan_in), draw("bias", fan_out)
    compare(Case("linear", (*axes, fan_in), lambda x: F.linear(x, weight, bias)), surrounding, *RULES[rule])
