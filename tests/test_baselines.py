"""The baselines against closed forms, slow loops, relevance, and captum where it is installed."""

import copy
import itertools
from collections.abc import Callable
from types import FunctionType
from typing import Any

import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

import neon
from neon import LRP, baselines, targets
from neon.baselines import Gradient, GradientXInput, IntegratedGradients, Occlusion, SmoothGrad

METHODS = [Gradient, GradientXInput, SmoothGrad, IntegratedGradients, Occlusion]
REPEATED = [SmoothGrad, IntegratedGradients, Occlusion]
every_method = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__)


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def network(*, activation: type[nn.Module] = nn.Tanh) -> nn.Sequential:
    """Build three layers, 6 to 3, of drawn weights, bare of gradients."""
    model = nn.Sequential(nn.Linear(6, 8), activation(), nn.Linear(8, 5), activation(), nn.Linear(5, 3)).double().eval()
    with torch.no_grad():
        for seed, parameter in enumerate(model.parameters()):
            parameter.copy_(draw(seed, *parameter.shape) / 2)
    return model


def difference(answer: Tensor, expected: Tensor) -> float:
    """‖answer - expected‖ / ‖expected‖."""
    assert answer.shape == expected.shape
    return float((answer - expected).norm() / expected.norm())


def numerical_gradient(f: Callable[[Tensor], Tensor], x: Tensor, step: float = 1e-5) -> Tensor:
    """Differentiate a scalar of each sample, feature by feature, by five points."""
    columns = []
    for i in range(x.shape[1]):
        e = step * torch.eye(x.shape[1], dtype=x.dtype)[i]
        columns.append((8 * (f(x + e) - f(x - e)) - (f(x + 2 * e) - f(x - 2 * e))) / (12 * step))
    return torch.stack(columns, 1)


W, B = draw(100, 3, 6), draw(101, 3)


def linear(x: Tensor) -> Tensor:
    return x @ W.T + B


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        (Gradient(linear), lambda x, w: w.expand_as(x)),
        (SmoothGrad(linear), lambda x, w: w.expand_as(x)),
        (GradientXInput(linear), lambda x, w: w * x),
        (IntegratedGradients(linear, n_steps=7), lambda x, w: w * x),
        (IntegratedGradients(linear, baseline=0.5, n_steps=1), lambda x, w: w * (x - 0.5)),
        (Occlusion(linear), lambda x, w: w * x),
        (Occlusion(linear, baseline=-2.0), lambda x, w: w * (x + 2)),
    ],
    ids=lambda part: "" if isinstance(part, FunctionType) else repr(part),
)
@pytest.mark.parametrize("target", [1, -1, [0, 2, 1, 1], torch.tensor([0, 2, 1, 1])], ids=str)
def test_linear_model(method: Any, expected: Callable[[Tensor, Tensor], Tensor], target: Any) -> None:
    x = draw(0, 4, 6)
    assert difference(method(x, target), expected(x, W[torch.as_tensor(target)])) < 1e-13


@every_method
def test_target_forms(method: Any) -> None:
    """Every form states coefficients of the outputs: what is explained is linear in them."""
    model, x = network(), draw(1, 4, 6)
    explain = method(model)
    with torch.no_grad():
        z = model(x)
    each = [explain(x, k) for k in range(3)]
    assert difference(explain(x, [0, 1, 2, 0]), torch.stack([each[k][i] for i, k in enumerate([0, 1, 2, 0])])) < 1e-12
    assert difference(explain(x, targets.Contrast(0, 2)), each[0] - each[2]) < 1e-12
    relevance = draw(2, 4, 3)
    given = sum((relevance / z)[:, [k]] * each[k] for k in range(3))
    assert difference(explain(x, relevance), given) < 1e-12
    assert (
        difference(explain(x, lambda output: output * relevance), sum(relevance[:, [k]] * each[k] for k in range(3)))
        < 1e-12
    )
    only = method(lambda x: model(x)[:, 1])
    assert difference(only(x), each[1]) < 1e-12
    assert difference(method(lambda x: model(x)[:, [1]])(x), each[1]) < 1e-12


@every_method
@pytest.mark.parametrize(
    ("target", "match"),
    [(None, "say which one"), (3, "out of range"), ([0, 1], "one per sample"), (torch.zeros(4, 2), "output's shape")],
)
def test_target_that_does_not_fit(method: Any, target: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        method(network())(draw(1, 4, 6), target)


def test_gradient() -> None:
    model, x = network(), draw(1, 4, 6)
    with torch.no_grad():
        expected = numerical_gradient(lambda x: model(x)[:, 2], x)
    assert difference(Gradient(model)(x, 2), expected) < 1e-9
    assert difference(GradientXInput(model)(x, 2), x * expected) < 1e-9


def test_gradient_of_log_odds() -> None:
    """The coefficients of `LogOdds` are the derivatives of ``log P / (1 - P)``."""
    model, x = network(), draw(1, 4, 6)
    with torch.no_grad():
        expected = numerical_gradient(lambda x: torch.logit(model(x).softmax(1)[:, 1]), x)
    assert difference(Gradient(model)(x, targets.LogOdds(1)), expected) < 1e-9


def test_gradient_where_the_output_is_zero() -> None:
    assert torch.equal(Gradient(lambda x: x @ W.T)(torch.zeros(2, 6).double(), 1), W[[1, 1]])


@pytest.mark.parametrize(
    "target", [1, [0, 1, 2, 1], targets.Contrast(0, 1), draw(3, 4, 3)], ids=lambda t: type(t).__name__
)
def test_gradient_x_input_is_lrp_zero_of_relu_networks(target: Any) -> None:
    model, x = network(activation=nn.ReLU), draw(1, 4, 6)
    assert difference(GradientXInput(model)(x, target), LRP(model, "zero")(x, target)) < 1e-12


@pytest.mark.parametrize("baseline", [0.0, draw(5, 6), draw(5, 4, 6)], ids=["number", "row", "rows"])
def test_integrated_gradients_are_complete(baseline: Any) -> None:
    """The sum is f(x) - f(b), the better the more steps; with the quadrature's points, to rounding."""
    model, x = network(), 3 * draw(1, 4, 6)
    with torch.no_grad():
        expected = (model(x) - model(torch.as_tensor(baseline, dtype=x.dtype).expand_as(x)))[:, 1]

    def error(n_steps: int) -> float:
        return difference(IntegratedGradients(model, baseline=baseline, n_steps=n_steps)(x, 1).sum(1), expected)

    errors = [error(n_steps) for n_steps in (2, 5, 15)]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 1e-5
    assert error(200) < 1e-12


def test_integrated_gradients_of_a_polynomial() -> None:
    """f = x₀² x₁ along t(x₀, x₁): the integral gives two thirds and one third."""
    x = draw(1, 5, 2)
    answer = IntegratedGradients(lambda x: x[:, 0] ** 2 * x[:, 1], n_steps=2)(x)
    f = x[:, 0] ** 2 * x[:, 1]
    assert difference(answer, torch.stack([2 * f / 3, f / 3], 1)) < 1e-13


def test_smoothgrad_without_noise_is_the_gradient() -> None:
    model, x = network(), draw(1, 4, 6)
    assert difference(SmoothGrad(model, noise_level=0.0, n_samples=8)(x, 2), Gradient(model)(x, 2)) < 1e-14


def test_smoothgrad_smooths() -> None:
    """Of f = x³: E 3(x + σn)² = 3x² + 3σ², σ in parts of each sample's own range."""
    x = torch.tensor([[0.0, 1.0, -1.0], [10.0, 20.0, 30.0]], dtype=torch.float64)
    answer = SmoothGrad(lambda x: (x**3).sum(1), n_samples=4000, noise_level=0.1)(x)
    sigma = torch.tensor([[0.2], [2.0]], dtype=torch.float64)
    assert difference(answer, 3 * x**2 + 3 * sigma**2) < 0.02
    assert abs(float(answer[0, 0]) / (3 * 0.2**2) - 1) < 0.1


def test_smoothgrad_draws_anew_with_another_seed() -> None:
    model, x = network(), draw(1, 4, 6)
    one, other = (SmoothGrad(model, seed=seed)(x, 0) for seed in (0, 1))
    assert 1e-6 < difference(one, other) < 0.5


def slow_occlusion(f: Callable[[Tensor], Tensor], x: Tensor, sizes: Any, steps: Any, baseline: float) -> Tensor:
    """Element by element: the mean drop over the windows that hold it."""
    total, count = torch.zeros_like(x), torch.zeros_like(x)
    shape = x.shape[1:]
    positions = [
        [s for s in range(0, n, step) if s == 0 or s - step + size < n]
        for n, size, step in zip(shape, sizes, steps, strict=True)
    ]
    for i in range(len(x)):
        for corner in itertools.product(*positions):
            inside = [
                element
                for element in itertools.product(*map(range, shape))
                if all(0 <= e - c < size for e, c, size in zip(element, corner, sizes, strict=True))
            ]
            occluded = x[i].clone()
            for element in inside:
                occluded[element] = baseline
            drop = f(x[i : i + 1])[0] - f(occluded[None])[0]
            for element in inside:
                total[(i, *element)] += drop
                count[(i, *element)] += 1
    return total / count


@pytest.mark.parametrize(
    ("shape", "options", "sizes", "steps"),
    [
        ((6,), {}, (1,), (1,)),
        ((7,), {"window": 3}, (3,), (3,)),
        ((7,), {"window": 3, "stride": 2}, (3,), (2,)),
        ((8,), {"window": (3,), "stride": (2,)}, (3,), (2,)),
        ((2, 5), {"window": 2, "stride": 1}, (2, 2), (2, 1)),
        ((2, 4, 5), {"window": 2}, (2, 2, 2), (2, 2, 2)),
        ((3, 4, 5), {"window": (1, 3, 2), "stride": (1, 2, 1)}, (1, 3, 2), (1, 2, 1)),
        ((3,), {"window": 9}, (9,), (9,)),
    ],
    ids=str,
)
def test_occlusion(shape: tuple[int, ...], options: dict[str, Any], sizes: Any, steps: Any) -> None:
    w = draw(7, *shape)
    x = draw(8, 2, *shape)

    def f(x: Tensor) -> Tensor:
        return torch.tanh((w * x).flatten(1).sum(1)) + (x.flatten(1) ** 2).sum(1)

    expected = slow_occlusion(f, x, sizes, steps, 0.3)
    assert difference(Occlusion(f, baseline=0.3, **options)(x), expected) < 1e-12


def test_occlusion_of_tokens() -> None:
    embedding = draw(9, 10, 4)
    ids, mask = torch.tensor([[1, 5, 2], [7, 7, 0]]), 9
    answer = Occlusion(lambda ids: embedding[ids].sum((1, 2)).tanh(), baseline=mask)(ids)
    f = embedding[ids].sum((1, 2))
    without = f[:, None] - embedding[ids].sum(2) + embedding[mask].sum()
    assert difference(answer, f.tanh()[:, None] - without.tanh()) < 1e-12


def test_occlusion_refuses_windows_that_do_not_fit() -> None:
    x = draw(1, 2, 6)
    for options, match in [
        ({"window": 2, "stride": 3}, "leaves gaps"),
        ({"window": 0}, "window must be"),
        ({"window": (1, 1)}, "window must be"),
        ({"stride": 0}, "stride must be"),
    ]:
        with pytest.raises(ValueError, match=match):
            Occlusion(linear, **options)(x, 0)


@every_method
def test_several_inputs(method: Any) -> None:
    """A tuple is one row of features in two parts."""
    model, x, y = network(), draw(1, 4, 2), draw(2, 4, 4)

    def of_two(x: Tensor, y: Tensor) -> Tensor:
        return model(torch.cat([x, y], 1))

    if method is SmoothGrad:  # the parts have ranges and draws of their own
        answer, expected = SmoothGrad(of_two, noise_level=0.0)((x, y), 1), Gradient(model)(torch.cat([x, y], 1), 1)
    else:
        answer, expected = method(of_two)((x, y), 1), method(model)(torch.cat([x, y], 1), 1)
    assert isinstance(answer, tuple)
    assert difference(torch.cat(answer, 1), expected) < 1e-12
    unused = method(lambda x, y: model(torch.cat([x, x, x], 1)))((x, y), 1)[1]
    assert torch.equal(unused, torch.zeros_like(y))


def test_baselines_of_several_inputs() -> None:
    x, y = draw(1, 4, 2), draw(2, 4, 3)
    for method in (IntegratedGradients, Occlusion):
        answer = method(lambda x, y: x.sum(1) + 2 * y.sum(1), baseline=(1.0, draw(3, 3)))((x, y))
        assert difference(answer[0], x - 1) < 1e-12
        assert difference(answer[1], 2 * (y - draw(3, 3))) < 1e-12
        with pytest.raises(ValueError, match="one entry for each of 2 inputs, got 3"):
            method(lambda x, y: x.sum(1) + y.sum(1), baseline=(0.0, 0.0, 0.0))((x, y))


@every_method
@pytest.mark.parametrize(
    "estimator", [LogisticRegression(), KMeans(3, n_init=1, random_state=0)], ids=lambda e: type(e).__name__
)
def test_neuralized_models(method: Any, estimator: Any) -> None:
    x = draw(1, 40, 4)
    model = neon.neuralize(estimator.fit(x.numpy(), (x[:, 0] + x[:, 1] > 0).numpy()))
    answer = method(model)(x, 0)
    assert answer.shape == x.shape
    assert torch.isfinite(answer).all()
    if isinstance(estimator, LogisticRegression):
        w = torch.from_numpy(estimator.coef_) * (-1 if len(model.output_names) == 2 else 1)
        assert difference(answer, (w * x) if method not in (Gradient, SmoothGrad) else w.expand_as(x)) < 1e-10


@every_method
def test_same_bits_twice_and_nothing_changed(method: Any) -> None:
    model, x = network(), draw(1, 4, 6)
    calls: list[int] = []
    model[2].register_forward_hook(lambda *_: calls.append(1))
    hooks = dict(model[2]._forward_hooks)
    before, memory, state = copy.deepcopy(model.state_dict()), x.clone(), torch.get_rng_state()
    first, second = method(model)(x, 1), method(model)(x, 1)
    assert torch.equal(first, second)
    assert not first.requires_grad
    assert calls
    assert model[2]._forward_hooks == hooks
    assert not model.training
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert torch.equal(x, memory)
    assert not x.requires_grad
    assert torch.equal(torch.get_rng_state(), state)


@every_method
def test_models_that_work_in_place(method: Any) -> None:
    w, x = draw(1, 6), draw(2, 4, 6)
    memory = x.clone()
    in_place, plain = (method(lambda x, act=act: act(x) @ w)(x) for act in (torch.relu_, torch.relu))
    assert torch.equal(in_place, plain)
    assert torch.equal(x, memory)


@every_method
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_under_the_callers_modes(method: Any, mode: Any) -> None:
    model = network()
    expected = method(model)(draw(1, 4, 6).requires_grad_(), 1)
    with mode():
        assert torch.equal(method(model)(draw(1, 4, 6), 1), expected)


@pytest.mark.parametrize("method", REPEATED, ids=lambda method: method.__name__)
@pytest.mark.parametrize("size", [1, 3, 100])
def test_internal_batches(method: Any, size: int) -> None:
    model, x = network(), draw(1, 4, 6)
    seen: list[int] = []

    def counting(x: Tensor) -> Tensor:
        seen.append(len(x))
        return model(x)

    answer = method(counting, internal_batch_size=size)(x, [0, 1, 2, 0])
    assert max(seen) == min(size, 4)
    assert difference(answer, method(model)(x, [0, 1, 2, 0])) < 1e-12


@every_method
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype_and_empty_batch(method: Any, dtype: torch.dtype) -> None:
    model = network().to(dtype)
    assert method(model)(draw(1, 2, 6).to(dtype), 1).dtype == dtype
    assert method(model)(draw(1, 0, 6).to(dtype), 1).shape == (0, 6)


@pytest.mark.parametrize("method", [m for m in METHODS if m is not Occlusion], ids=lambda method: method.__name__)
def test_token_ids_have_no_gradient(method: Any) -> None:
    embedding = draw(9, 10, 4)
    with pytest.raises(ValueError, match=r"gradients need floating-point inputs, got torch\.int64"):
        method(lambda ids: embedding[ids].sum((1, 2)))(torch.tensor([[1, 2]]))


@pytest.mark.parametrize("method", [m for m in METHODS if m is not Occlusion], ids=lambda method: method.__name__)
def test_steps_have_no_gradient(method: Any) -> None:
    with pytest.raises(ValueError, match="output has no gradient"):
        method(lambda x: (x > 0).double().sum(1))(draw(1, 2, 6))


@every_method
def test_refusals(method: Any) -> None:
    x = draw(1, 2, 6)
    with pytest.raises(TypeError, match=r"tuple of tensors, got \['ndarray'\]"):
        method(linear)(x.numpy(), 0)
    with pytest.raises(ValueError, match="training mode"):
        method(nn.Sequential(nn.Linear(6, 3), nn.Dropout()).double())(x, 0)
    with pytest.raises(ValueError, match=r"2 samples along axis 0, got shape \(3,\)"):
        method(lambda x: linear(x).sum(0))(x, 0)
    with pytest.raises(ValueError, match="2 samples along axis 0, got dict"):
        method(lambda x: {"logits": linear(x)})(x, 0)
    with pytest.raises(TypeError):
        method(linear, 3)  # options are keyword-only


@pytest.mark.parametrize(
    ("method", "options", "match"),
    [
        (SmoothGrad, {"n_samples": 0}, "n_samples must be >= 1"),
        (SmoothGrad, {"noise_level": -0.1}, "noise_level >= 0"),
        (IntegratedGradients, {"n_steps": 0}, "n_steps must be >= 1"),
        *((method, {"internal_batch_size": 0}, "internal_batch_size must be at least 1") for method in REPEATED),
    ],
)
def test_options_out_of_range(method: Any, options: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        method(linear, **options)


def test_repr_names_the_options() -> None:
    assert repr(IntegratedGradients(network(), n_steps=9)) == (
        "IntegratedGradients(internal_batch_size=None, baseline=0.0, n_steps=9)"
    )
    assert all(getattr(baselines, name) in METHODS for name in baselines.__all__)


def test_against_captum() -> None:
    """In double precision captum keeps about seven digits: its weights are float32."""
    attr = pytest.importorskip("captum.attr")
    model, x = network(), draw(1, 4, 6)
    image, w = draw(2, 2, 3, 7, 6), draw(3, 3, 7, 6)

    def of_image(x: Tensor) -> Tensor:
        return (w * x).flatten(1).sum(1).tanh()

    assert (
        difference(
            GradientXInput(model)(x, 2),
            attr.InputXGradient(model).attribute(x.clone().requires_grad_(), target=2).detach(),
        )
        < 1e-12
    )
    assert (
        difference(
            IntegratedGradients(model, n_steps=20)(x, 2),
            attr.IntegratedGradients(model).attribute(x, target=2, n_steps=20).detach(),
        )
        < 1e-6
    )
    windows = attr.Occlusion(of_image).attribute(image, sliding_window_shapes=(3, 3, 2), strides=(3, 2, 2))
    assert difference(Occlusion(of_image, window=(3, 3, 2), stride=(3, 2, 2))(image), windows.double()) < 1e-6
