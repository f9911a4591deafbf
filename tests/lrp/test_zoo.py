"""Every architecture of the zoo: recorded exactly, conserved, left as it was, without explosions, sample by sample."""

from __future__ import annotations

import copy
import functools
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from neon import LRP
from neon.errors import UnsupportedOperationError
from neon.lrp.message import Ledger, Message
from neon.lrp.propagate import Walk, propagate
from neon.lrp.recorded import Recording
from neon.lrp.recording.recorder import record
from neon.lrp.recording.tape import Tape
from tests.architectures import ZOO, Example, recommended, strongest

# Attention, recurrent and bilinear layers are recorded as what they are made of, whose sums round in another order.
DECOMPOSED = {
    *("two_inputs", "siamese"),
    *("vit", "bert", "gpt", "llama", "transformer_encoder", "transformer"),
    *("lstm", "gru", "lstm_deep", "gru_deep", "lstm_time_first", "lstm_packed", "gru_packed", "lstm_cell"),
}
GRAPHS = {"gcn_sparse", "gin", "gat"}  # rows are nodes, which exchange relevance
REROUTED = {"lstm_packed", "gru_packed", "sparse_experts"}  # rows inside the model are not those of the batch
CASES = [(name, composite) for name in ZOO for composite in dict.fromkeys((recommended(name), "epsilon"))]

# Millions of weights in evaluation, as published.
SIZES = {
    "alexnet": 61.10,
    "vgg16": 138.36,
    "vgg16_norm": 138.37,
    "squeezenet": 1.24,
    "resnet18": 11.69,
    "resnet50": 25.56,
    "resnext50": 25.03,
    "wide_resnet50": 68.88,
    "densenet121": 7.98,
    "regnet": 4.34,
    "googlenet": 6.62,
    "inception_v3": 23.83,
    "mobilenet_v2": 3.50,
    "mobilenet_v3": 5.48,
    "efficientnet": 5.29,
    "efficientnet_v2": 21.46,
    "mnasnet": 4.38,
    "shufflenet_v2": 2.28,
    "convnext": 28.59,
    "vit": 86.57,
    "swin": 28.29,
    "swin_v2": 28.35,
    "maxvit": 30.92,
    "gpt": 124.44,
}


@functools.cache
def example_of(name: str) -> Example:
    """The small variant in double precision; no test may change it."""
    return ZOO[name]().double()


def given(example: Example, rows: slice = slice(None)) -> Any:
    """What the engine is called with: the one input, or a tuple."""
    inputs = tuple(x[rows] for x in example.inputs)
    return inputs if len(inputs) > 1 else inputs[0]


def relative(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


def explained(name: str, composite: str, rows: slice = slice(None)) -> tuple[Recording, Walk]:
    example = example_of(name)
    recording = LRP(example.model, composite).record(given(example, rows))
    return recording, recording.propagate(strongest)


def snapshot(example: Example) -> dict[str, Any]:
    """All that an explanation could change."""
    model = example.model
    modules = dict(model.named_modules())
    return {
        "state": {name: tensor.clone() for name, tensor in model.state_dict(keep_vars=True).items()},
        "tensors": {name: id(tensor) for name, tensor in model.state_dict(keep_vars=True).items()},
        "flags": {name: parameter.requires_grad for name, parameter in model.named_parameters()},
        "gradients": {
            name: None if parameter.grad is None else parameter.grad.clone()
            for name, parameter in model.named_parameters()
        },
        "training": {name: module.training for name, module in modules.items()},
        "attributes": {
            name: {key: id(value) for key, value in vars(module).items()} for name, module in modules.items()
        },
        "hooks": {
            name: [len(value) for key, value in vars(module).items() if "hooks" in key]
            for name, module in modules.items()
        },
        "inputs": [(x.clone(), x._version, x.requires_grad, x.grad) for x in example.inputs],
        "mode": torch.is_grad_enabled(),
    }


def same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor):
        dense = (x.detach().to_dense() if x.is_sparse else x.detach() for x in (one, other))
        return torch.equal(*dense)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@torch.no_grad()
def replayed(tape: Tape, inputs: tuple[Tensor, ...]) -> Tensor:
    """The output, computed from the inputs by the recorded operations alone."""
    values = dict(zip(tape.inputs, inputs, strict=True))
    for operation in tape.operations:
        values.update(zip(operation.outputs, operation.run(values.__getitem__), strict=True))
    return values[tape.output]


@pytest.mark.parametrize("name", ZOO)
def test_the_tape_is_the_model(name: str) -> None:
    example = example_of(name)
    with torch.no_grad():
        expected = example.model(*example.inputs)
    tape = record(example.model, example.inputs)
    output = tape.values[tape.output]
    assert torch.equal(replayed(tape, example.inputs), output)
    if name in DECOMPOSED:
        assert relative(output, expected) < 1e-12
    else:
        assert torch.equal(output, expected)
    # The tape that is walked back has batch normalization merged and activations gathered.
    rewritten = LRP(example.model, "epsilon").record(given(example)).tape
    assert relative(replayed(rewritten, example.inputs), expected) < 1e-12


@pytest.mark.parametrize(("name", "composite"), CASES)
def test_relevance_is_conserved(name: str, composite: str) -> None:
    example = example_of(name)
    n = len(example.inputs[0])
    for rows in [slice(i, i + 1) for i in range(n)] if name in REROUTED else [slice(None)]:
        recording = LRP(example.model, composite).record(given(example, rows))
        start = strongest(recording.output)
        # A graph is one sample, whose nodes exchange relevance.
        ledger = Ledger(n_samples=1 if name in GRAPHS else len(start))
        tape, message = recording.tape, Message.of_relevance(start)
        with torch.no_grad():
            walk = propagate(recording.steps, tape.inputs, tape.output, message, ledger=ledger)
        parts = [part.reshape(ledger.n_samples, -1).sum(1) for part in (start, *walk.relevance)]
        assert relative(sum(parts[1:]) + sum(ledger.absorbed.values()), parts[0]) < 1e-9


@pytest.mark.parametrize("name", ZOO)
def test_no_explosion(name: str) -> None:
    example, composite = example_of(name), recommended(name)
    recording, walk = explained(name, composite)
    plan = recording.plan(strongest)  # warns of explosions, and warnings are errors
    assert 0 < plan.largest_growth < 100
    arrived = sum(float(part.abs().sum()) for part in walk.relevance)
    assert 0 < arrived < 100 * float(strongest(recording.output).abs().sum())
    for part, x in zip(walk.relevance, example.inputs, strict=True):
        assert part.shape == x.shape
        assert torch.isfinite(part).all()


@pytest.mark.parametrize("name", ZOO)
def test_the_model_stays_as_it_was(name: str) -> None:
    example = ZOO[name]().double()  # its own: what another test had changed for good would not show
    for i, parameter in enumerate(example.model.parameters()):
        parameter.requires_grad_(i % 2 == 0)
        parameter.grad = torch.ones_like(parameter) if i % 3 == 0 else None
    for x in example.inputs:
        x.requires_grad_(x.is_floating_point())
    before = snapshot(example)
    LRP(example.model, recommended(name))(given(example), strongest)
    after = snapshot(example)
    for key, value in before.items():
        assert same(value, after[key]), key


@pytest.mark.parametrize("name", [name for name in ZOO if name not in GRAPHS])
def test_samples_do_not_mix(name: str) -> None:
    _, batch = explained(name, recommended(name))
    _, alone = explained(name, recommended(name), slice(1))
    # An expert that no sample chose does not run: the batch takes more sums than its first sample, each with its ε.
    tolerance = 1e-5 if name == "sparse_experts" else 1e-9
    for one, part in zip(alone.relevance, batch.relevance, strict=True):
        assert relative(one, part[:1]) < tolerance


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3", "swin", "lstm_deep", "llama"])
def test_two_threads_explain_one_model(name: str) -> None:
    example = example_of(name)
    lrp = LRP(example.model, recommended(name))
    expected = lrp(given(example), strongest)
    found: list[Tensor] = []
    barrier = threading.Barrier(2)

    def work() -> None:
        barrier.wait()
        found.extend(lrp(given(example), strongest) for _ in range(3))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert all(torch.equal(one, expected) for one in found)


@pytest.mark.parametrize("name", ["vgg16_norm", "resnet50", "densenet121", "shufflenet_v2", "convnext", "swin", "unet"])
def test_channels_last(name: str) -> None:
    example = example_of(name)
    model = copy.deepcopy(example.model).to(memory_format=torch.channels_last)
    x = example.inputs[0].to(memory_format=torch.channels_last)
    assert not x.is_contiguous()
    found = LRP(model, recommended(name))(x, strongest)
    assert relative(found, LRP(example.model, recommended(name))(example.inputs[0], strongest)) < 1e-9


@pytest.mark.parametrize("name", ["alexnet", "resnet18", "vit", "lstm_deep", "temporal"])
def test_training_mode_is_refused(name: str) -> None:
    example = example_of(name)
    model = copy.deepcopy(example.model).train()
    before = copy.deepcopy(model.state_dict())
    with pytest.raises((ValueError, UnsupportedOperationError), match=r"call model\.eval\(\)"):
        LRP(model, recommended(name))(given(example), strongest)
    assert same(dict(model.state_dict()), dict(before))
    assert all(module.training for module in model.modules())


@pytest.mark.parametrize("name", ["functional", "llama", "gru"])
def test_training_mode_without_effect_is_explained(name: str) -> None:
    example = example_of(name)
    model = copy.deepcopy(example.model).train()
    found = LRP(model, recommended(name))(given(example), strongest)
    assert torch.equal(found, LRP(example.model, recommended(name))(given(example), strongest))


@pytest.mark.parametrize("name", SIZES)
def test_published_sizes(name: str) -> None:
    with torch.device("meta"):
        model: nn.Module = full_size(ZOO[name])
    aux = sum(p.numel() for n, p in model.named_parameters() if n.startswith("aux"))
    millions = (sum(p.numel() for p in model.parameters()) - aux) / 1e6
    assert abs(millions - SIZES[name]) < 0.006


def full_size(make: Callable[..., Example]) -> nn.Module:
    return make(full=True).model
