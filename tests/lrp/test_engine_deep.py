"""What the engine offers for deep networks: targets, concepts, low memory, half precision, the plan's warnings."""

from __future__ import annotations

import copy
import pickle
import threading
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from neon import LRP, composites, targets

# Those that integrate explain rows of features, not images.
COMPOSITES = [name for name in composites.names() if name != "neon" and not composites.by_name(name).along]


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def network(dtype: torch.dtype = torch.float64) -> nn.Sequential:
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 5),
    )
    norm = model[1]
    norm.running_mean.uniform_(-0.5, 0.5)
    norm.running_var.uniform_(0.5, 2)
    return model.eval().to(dtype)


def images(dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(4, 3, 16, 16, dtype=torch.float64).clamp(-3, 3).to(dtype)  # in the box of z^B


def relative(a: Tensor, b: Tensor) -> float:
    return float((a.double() - b.double()).norm() / b.double().norm())


def test_log_odds_start_as_gated_differences() -> None:
    z = torch.randn(3, 5, dtype=torch.float64)
    start = targets.LogOdds([2, 0, 4])(z)
    for row, c in enumerate([2, 0, 4]):
        others = [k for k in range(5) if k != c]
        h = torch.stack([z[row, c] - z[row, k] for k in others])
        p = torch.softmax(-h, 0)
        expected = torch.zeros(5, dtype=torch.float64)
        for gate, k in zip(p, others, strict=True):
            expected[c] += gate * z[row, c]
            expected[k] -= gate * z[row, k]
        torch.testing.assert_close(start[row], expected, rtol=1e-12, atol=1e-12)
        probability = torch.softmax(z[row], 0)[c]
        log_odds = torch.log(probability / (1 - probability))
        torch.testing.assert_close(start[row].sum(), log_odds - (p * p.log()).sum(), rtol=1e-10, atol=1e-12)


def test_targets() -> None:
    model, x = network(), images()
    lrp = LRP(model, "epsilon")
    logits = model(x).detach()
    contrast = lrp(x, targets.Contrast(1, 3))
    torch.testing.assert_close(contrast, lrp(x, 1) - lrp(x, 3), rtol=1e-9, atol=1e-12)
    one = lrp(x, targets.OneHot(2)) * logits[:, 2, None, None, None]
    torch.testing.assert_close(one, lrp(x, 2), rtol=1e-6, atol=1e-12)
    assert pickle.loads(pickle.dumps(targets.LogOdds([1, 2]))) == targets.LogOdds([1, 2])
    with pytest.raises(ValueError, match="out of range for 5 outputs"):
        lrp(x, targets.LogOdds(5))
    with pytest.raises(ValueError, match="one per sample"):
        lrp(x, targets.Contrast(1, [1, 2]))


def test_dense_outputs() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 1)).double().eval()
    x, mask = images(), torch.zeros(16, 16, dtype=torch.bool)
    mask[4:6, 4:6] = True
    lrp = LRP(model, "epsilon")
    found = lrp(x, targets.Channel(1, mask))
    assert (found[..., 8:, :] == 0).all()  # outside the receptive field of the masked positions
    whole = lrp(x, targets.Channel(1))
    torch.testing.assert_close(whole, found + lrp(x, targets.Channel(1, ~mask)), rtol=1e-9, atol=1e-12)
    with pytest.raises(ValueError, match=r"neon\.targets\.Channel"):
        lrp(x, 1)


def test_concepts_add_up() -> None:
    model, x = network(), images()
    lrp = LRP(model, "epsilon_plus")
    parts = [lrp(x, 1, keep={"4": [channel]}) for channel in range(16)]
    torch.testing.assert_close(sum(parts), lrp(x, 1), rtol=1e-9, atol=1e-12)
    recording = lrp.record(x)
    walk = recording.propagate(1, keep={"4": [3, 5]}, account=True)
    total = walk.relevance[0].flatten(1).sum(1) + sum(walk.ledger.absorbed.values())
    torch.testing.assert_close(total, recording.output[:, 1], rtol=1e-9, atol=1e-12)
    assert "other_channels" in walk.ledger.absorbed
    with pytest.raises(ValueError, match="channels \\[16\\]"):
        lrp(x, 1, keep={"4": [16]})
    with pytest.raises(ValueError, match="no recorded operation of module 'nine'"):
        lrp(x, 1, keep={"nine": [0]})


@pytest.mark.parametrize("composite", COMPOSITES)
def test_low_memory_gives_the_same_relevance(composite: str) -> None:
    model, x = network(), images()
    low = LRP(model, composite, memory="low")
    assert relative(low(x, 1), LRP(model, composite)(x, 1)) < 1e-9
    kept = low.record(x).tape
    assert len(kept.values) <= 3


def test_low_memory_of_a_transformer() -> None:
    layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True)
    model = nn.Sequential(nn.TransformerEncoder(layer, 4, enable_nested_tensor=False), nn.Flatten(), nn.Linear(80, 3))
    model, x = model.double().eval(), torch.randn(2, 5, 16, dtype=torch.float64)
    assert relative(LRP(model, "attn_lrp", memory="low")(x, 1), LRP(model, "attn_lrp")(x, 1)) < 1e-9
    with pytest.raises(ValueError, match='"normal" or "low"'):
        LRP(model, memory="none")  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("composite", COMPOSITES)
def test_half_precision(dtype: torch.dtype, composite: str) -> None:
    x = images(dtype)
    x[0] = 0  # sums that vanish exactly
    model = network()
    half = LRP(copy.deepcopy(model).to(dtype), composite)(x, 2)
    assert half.dtype == dtype
    assert torch.isfinite(half).all()
    whole = LRP(model, composite)(x.double(), 2)
    assert relative(half[1:], whole[1:]) < (0.03 if "plus" in composite or "box" in composite else 0.1)


@pytest.mark.parametrize("composite", COMPOSITES)
def test_the_model_stays_as_it_was(composite: str) -> None:
    model, x = network(), images()
    model[4].weight.grad = torch.ones_like(model[4].weight)
    before = copy.deepcopy(model)
    flags = [parameter.requires_grad for parameter in model.parameters()]
    LRP(model, composite)(x, 1)
    for (name, one), (_, other) in zip(model.state_dict().items(), before.state_dict().items(), strict=True):
        assert torch.equal(one, other), name
    assert [parameter.requires_grad for parameter in model.parameters()] == flags
    assert torch.equal(model[4].weight.grad, torch.ones_like(model[4].weight))
    assert all(parameter.grad is None for name, parameter in model.named_parameters() if name != "4.weight")
    assert not any(module.training or module._forward_hooks or module._backward_hooks for module in model.modules())
    assert torch.is_grad_enabled()


def test_two_threads_explain_one_model() -> None:
    model, x = network(), images()
    lrp = LRP(model, "epsilon_gamma_box")
    expected = lrp(x, 1)
    found: list[Tensor] = []
    threads = [threading.Thread(target=lambda: found.extend(lrp(x, 1) for _ in range(5))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 10
    assert all(torch.equal(one, expected) for one in found)


def test_channels_last() -> None:
    model, x = network(), images()
    for composite in ("epsilon_plus", "epsilon_gamma_box"):
        found = LRP(model, composite)(x.to(memory_format=torch.channels_last), 1)
        assert relative(found, LRP(model, composite)(x, 1)) < 1e-9


def test_an_explosion_is_said_and_shown() -> None:
    model = nn.Linear(2, 1, bias=False).double()
    model.weight.data = torch.tensor([[1.0, -1.0]], dtype=torch.float64)
    x = torch.tensor([[1.0, 1.0 - 1e-5]], dtype=torch.float64)
    recording = LRP(nn.Sequential(model), "epsilon").record(x)
    with pytest.warns(RuntimeWarning, match="grows 1.8.* times in linear of '0' under Epsilon"):
        plan = recording.plan(torch.ones(1, 1, dtype=torch.float64))
    assert plan.largest_growth > 1e5
    assert "!" in str(plan)
    frame: Any = plan.to_frame()
    assert {"relevance_in", "relevance_out", "absorbed", "growth"} <= set(frame.columns)


def test_epsilon_to_zero_is_gradient_times_input_without_biases() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 6, 3, bias=False), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(294, 4, bias=False)
    )
    model, x = model.double(), images()
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(leaf)[:, 2].sum(), leaf)
    assert relative(LRP(model, composites.epsilon(1e-12))(x, 2), gradient * x) < 1e-9
    assert relative(LRP(model, "zero")(x, 2), gradient * x) < 1e-9


def test_several_inputs_and_a_module_used_twice() -> None:
    layer = nn.Linear(4, 4).double()

    def model(a: Tensor, b: Tensor) -> Tensor:
        return layer(torch.relu(layer(a))) + layer(b)

    a, b = torch.randn(2, 3, 4, dtype=torch.float64)
    recording = LRP(model, "epsilon").record((a, b))
    walk = recording.propagate(1, account=True)
    total = sum(part.sum(1) for part in walk.relevance) + sum(walk.ledger.absorbed.values())
    torch.testing.assert_close(total, recording.output[:, 1], rtol=1e-9, atol=1e-12)
    assert all(float(part.abs().sum()) > 0 for part in walk.relevance)
