"""Every way to write an operation: aliases, fused forms, distances and losses against gradient × input and twins."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neon import LRP, UnsupportedOperationError
from neon.lrp.operations import ElementwiseTreatment, Identity, supported_functions, table, treat
from neon.lrp.recording.aliases import ALIASES
from neon.lrp.recording.decompose import DECOMPOSITIONS
from neon.lrp.recording.recorder import record

Model = Callable[[Tensor], Tensor]
pytestmark = pytest.mark.filterwarnings("ignore:.*(padding='same'|index_reduce|argument of torch.scatter)")


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def like(x: Tensor, *shape: int, seed: int = 1) -> Tensor:
    """A constant in the precision of x."""
    return randn(*shape, seed=seed).to(x.dtype)


NAMESPACES = {
    "torch": torch,
    "Tensor": torch.Tensor,
    "functional": F,
    "special": torch.special,
    "linalg": torch.linalg,
}


def is_known(function: Any) -> bool:
    function = ALIASES.get(function, function)
    return function in supported_functions() or function in DECOMPOSITIONS


def documented_aliases() -> Iterator[tuple[str, str, Any, Any]]:
    """Functions that torch's own documentation calls another name of a function."""
    pattern = re.compile(r"[Aa]lias (?:of|for) :(?:func|meth|class):`~?(?:torch\.)?([\w.]+)`")
    for space, owner in NAMESPACES.items():
        for name in dir(owner):
            function = getattr(owner, name, None)
            found = pattern.search(str(getattr(function, "__doc__", None) or ""))
            if found and not name.startswith("_") and not name.endswith("_"):
                target: Any = torch
                for part in found.group(1).split("."):
                    target = getattr(target, part, getattr(torch.Tensor, part, None))
                yield space, name, function, target


def test_every_alias_of_a_function_in_the_table_is_in_the_table() -> None:
    pairs = list(documented_aliases())
    assert {"multiply", "clip", "swapdims", "moveaxis", "concat", "absolute"} <= {name for _, name, _, _ in pairs}
    missing = [f"{space}.{name}" for space, name, alias, target in pairs if is_known(target) and not is_known(alias)]
    assert missing == []


def test_a_function_is_known_in_every_namespace() -> None:
    """``Tensor.f``, ``torch.f``, ``F.f`` and ``torch.special.f`` of one name compute the same."""
    missing = []
    for name in sorted({name for owner in NAMESPACES.values() for name in dir(owner) if not name.endswith("_")}):
        functions = {space: getattr(owner, name) for space, owner in NAMESPACES.items() if hasattr(owner, name)}
        functions = {space: function for space, function in functions.items() if callable(function)}
        if any(map(is_known, functions.values())):
            missing += [f"{space}.{name}" for space, function in functions.items() if not is_known(function)]
    # What F calls, with its reduction as a number.
    assert set(missing) <= {
        f"torch.{name}" for name in ("cosine_embedding_loss", "triplet_margin_loss", "embedding_bag")
    }


# Linear, or linear in pieces: (n, 6) explained.
PIECEWISE_LINEAR: dict[str, Model] = {
    "type_as": lambda x: (x.double().type_as(x) * 2).type_as(torch.zeros(1, dtype=x.dtype)),
    "weights.type_as": lambda x: x * torch.arange(1, 7).double().type_as(x),
    "to": lambda x: x * torch.arange(1, 7).double().to(x),
    "expand_as": lambda x: x * like(x, 3, 1).expand_as(x),
    "view_as": lambda x: x * like(x, 18).view_as(x),
    "reshape_as": lambda x: x * like(x, 18).reshape_as(x),
    "explained.expand_as": lambda x: x[:, :1].expand_as(x) * like(x, 6),
    "broadcast_tensors": lambda x: torch.mul(*torch.broadcast_tensors(x, like(x, 3, 1))),
    "sum_to_size": lambda x: x.reshape(3, 2, 3).sum_to_size(3, 1, 3).flatten(1),
    "addcmul": lambda x: torch.addcmul(x, x, like(x, 6), value=0.5),
    "addcmul, constant input": lambda x: torch.addcmul(like(x, 6), x, like(x, 6, seed=2)),
    "addcdiv": lambda x: torch.addcdiv(x, x, like(x, 6)),
    "addmm, input": lambda x: torch.addmm(x, x, like(x, 6, 6), beta=0.5, alpha=2),
    "addmm, weight": lambda x: torch.addmm(like(x, 6), x, like(x, 6, 6), beta=0.5, alpha=2),
    "addmv": lambda x: torch.addmv(like(x, 3), x, like(x, 6)),
    "baddbmm": lambda x: torch.baddbmm(like(x, 3, 1, 4), x[:, None], like(x, 3, 6, 4), beta=2, alpha=0.5)[:, 0],
    "baddbmm, input": lambda x: torch.baddbmm(x.view(3, 2, 3), x.view(3, 2, 3), like(x, 3, 3, 3)).flatten(1),
    "lerp": lambda x: torch.lerp(x, x.flip(1), 0.25),
    "lerp, weights": lambda x: torch.lerp(x, like(x, 6), torch.linspace(0, 1, 6).to(x)),
    "masked_scatter": lambda x: torch.zeros_like(x).masked_scatter(torch.ones(3, 6).bool(), x) * like(x, 6),
    "aliases of arithmetic": lambda x: torch.divide(torch.multiply(x.subtract(1), 3), like(x, 6)).negative(),
    "true_divide": lambda x: torch.true_divide(x, 2),
    "swaps": lambda x: x.view(3, 2, 3).swapdims(1, 2).swapaxes(1, 2).moveaxis(1, 2).flatten(1) * like(x, 6),
    "joins": lambda x: torch.concat([x, torch.hstack([x, x]), torch.column_stack([x, x[:, 0]])], 1) * like(x, 25),
    "scatter_reduce sum": lambda x: x.new_zeros(3, 2).scatter_reduce(1, PLACES, x, "sum"),
    "scatter_reduce mean": lambda x: x.new_zeros(3, 2).scatter_reduce(1, PLACES, x, "mean", include_self=False),
    "scatter_reduce amax": lambda x: x.new_zeros(3, 2).scatter_reduce(1, PLACES, x, "amax", include_self=False),
    "scatter_reduce amin, itself": lambda x: x.new_zeros(3, 2).scatter_reduce(1, PLACES, x, "amin"),
    "scatter_reduce_ in place": lambda x: x.new_zeros(3, 2).scatter_reduce_(1, PLACES, x, "amax", include_self=False),
    "index_reduce": lambda x: x.new_zeros(3, 2).index_reduce(1, PLACES[0], x, "amax", include_self=False),
    "index_put": lambda x: torch.zeros_like(x).index_put((torch.arange(3),), x, accumulate=True),
    "segment_reduce": lambda x: torch.segment_reduce(x.view(18, 1), "mean", lengths=torch.full((3,), 6), axis=0),
    "fold": lambda x: F.fold(x.reshape(3, 2, 3), (1, 4), (1, 2)).flatten(1),
    "unfold, fold": lambda x: F.fold(F.unfold(x.view(3, 1, 2, 3), 2), (2, 3), 2).flatten(1),
    "max_pool with indices": lambda x: F.max_pool1d(x[:, None], 2, return_indices=True)[0][:, 0],
    "max_unpool": lambda x: F.max_unpool1d(*F.max_pool1d(x[:, None], 2, return_indices=True), 2)[:, 0],
    "adaptive_max_pool with indices": lambda x: F.adaptive_max_pool1d(x[:, None], 3, return_indices=True)[0][:, 0],
    "median": lambda x: x.median(1, keepdim=True)[0],
    "cummax": lambda x: x.cummax(1)[0],
    "aminmax": lambda x: torch.stack(torch.aminmax(x, dim=1), 1),
    "tensordot": lambda x: torch.tensordot(x.view(3, 2, 3), like(x, 3, 4), 1).flatten(1),
    "tensordot, dims": lambda x: torch.tensordot(x.view(3, 2, 3), like(x, 2, 3, 4), ([1, 2], [0, 1])),
    "einsum, weights": lambda x: torch.einsum("nij,jk->nik", x.view(3, 2, 3), like(x, 3, 4)).flatten(1),
    "einsum, two constants": lambda x: torch.einsum("nij,jk,i->nk", x.view(3, 2, 3), like(x, 3, 4), like(x, 2)),
    "einsum, implicit": lambda x: torch.einsum("bi,ij,jk", x, like(x, 6, 4), like(x, 4, 2)),
    "einsum, ellipsis": lambda x: torch.einsum("...i,ij,j->...j", x.view(3, 2, 3), like(x, 3, 4), like(x, 4)),
    "einsum, one operand": lambda x: torch.einsum("nij->nji", x.view(3, 2, 3)).flatten(1) * like(x, 6),
    "einsum, diagonal": lambda x: torch.einsum("nii->ni", x[:, :4].view(3, 2, 2)),
    "einsum, lists": lambda x: torch.einsum(x, [0, 1], like(x, 6, 4), [1, 2], [0, 2]),
    "inner": lambda x: torch.inner(x, like(x, 4, 6)),
    "mv": lambda x: torch.mv(x, like(x, 6)),
    "nan_to_num": lambda x: x.nan_to_num(),
    "diff": lambda x: x.diff(dim=1),
    "even kernel": lambda x: F.conv1d(x[:, None], like(x, 2, 1, 4), like(x, 2), padding="same").flatten(1),
    "even kernel, dilated": lambda x: F.conv2d(
        x.view(3, 1, 2, 3), like(x, 2, 1, 2, 4), like(x, 2), padding="same", dilation=(1, 3)
    ).flatten(1),
    "l1_loss": lambda x: F.l1_loss(x, like(x, 3, 6), reduction="none"),
    "l1 norm": lambda x: torch.norm(x, 1, 1) + torch.linalg.vector_norm(x, 1, 1) + torch.linalg.norm(x, 1, -1),
    "inf norm": lambda x: x.norm(math.inf, 1) - torch.linalg.vector_norm(x, -math.inf, 1),
    "matrix norms": lambda x: sum(  # type: ignore[arg-type,return-value]
        torch.linalg.matrix_norm(x.view(3, 2, 3), order) for order in (1, -1, math.inf, -math.inf)
    ),
    "cdist 1": lambda x: torch.cdist(x, like(x, 4, 6), p=1),
    "triplet": lambda x: F.triplet_margin_loss(
        x, like(x, 3, 6), like(x, 3, 6, seed=2), p=1, margin=5.0, reduction="none"
    ),
}  # fmt: skip
PLACES = torch.tensor([[0, 1, 1, 0, 1, 0]]).expand(3, 6)


def balanced(model: Model, x: Tensor, relevance: Tensor, composite: str = "zero") -> tuple[Tensor, dict[str, Tensor]]:
    """Relevance and ledger, which add up to what was given, sample by sample."""
    recording = LRP(model, composite).record(x)
    walk = recording.propagate(relevance, account=True)
    found = walk.relevance[0]
    total = found.flatten(1).sum(1) + sum(walk.ledger.absorbed.values())
    torch.testing.assert_close(total, relevance.reshape(3, -1).sum(1), rtol=1e-9, atol=1e-12)
    return found, walk.ledger.absorbed


@pytest.mark.parametrize("name", PIECEWISE_LINEAR)
def test_piecewise_linear_functions_give_gradient_times_input(name: str) -> None:
    model, x = PIECEWISE_LINEAR[name], randn(3, 6)
    probe = x.clone().requires_grad_()
    output = model(probe)
    r = output.detach() * randn(*output.shape, seed=7)
    (slope,) = torch.autograd.grad(output, probe, randn(*output.shape, seed=7))
    recorded = LRP(model, "zero").record(x)
    torch.testing.assert_close(recorded.output, output.detach(), rtol=1e-12, atol=1e-12)
    found, _ = balanced(model, x, r)
    torch.testing.assert_close(found, x * slope, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(
    "composite", ["epsilon_plus_flat", "epsilon_alpha2_beta1", "deep_taylor", "lrp_overview", "neon"]
)
@pytest.mark.parametrize("name", PIECEWISE_LINEAR)
def test_every_composite_takes_every_operation(name: str, composite: str) -> None:
    model, x = PIECEWISE_LINEAR[name], randn(3, 6)
    balanced(model, x, model(x) * randn(*model(x).shape, seed=7), composite)


def difference(x: Tensor) -> Tensor:
    return x - like(x, 3, 6)


def unit(x: Tensor) -> Tensor:
    return F.normalize(x, dim=-1)


def lstm(x: Tensor) -> nn.LSTM:
    torch.manual_seed(0)
    return nn.LSTM(3, 5, 2, batch_first=True, bidirectional=True, proj_size=2).to(x.dtype).eval()


def lstm_by_hand(x: Tensor) -> Tensor:
    layer, steps = lstm(x), x.view(3, 2, 3)
    for k in range(2):
        found = []
        for end, times in (("", (0, 1)), ("_reverse", (1, 0))):
            w, u, b, c, p = (
                getattr(layer, f"{name}_l{k}{end}")
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
            )
            h, cell, outputs = x.new_zeros(3, 2), x.new_zeros(3, 5), {}
            for t in times:
                i, f, g, o = (F.linear(steps[:, t], w, b + c) + F.linear(h, u)).chunk(4, 1)
                cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
                h = outputs[t] = F.linear(torch.sigmoid(o) * torch.tanh(cell), p)
            found.append(torch.stack([outputs[0], outputs[1]], 1))
        steps = torch.cat(found, -1)
    return steps.flatten(1)


# One function, written twice.
TWINS: dict[str, tuple[Model, Model]] = {
    "mse_loss": (lambda x: F.mse_loss(x, like(x, 3, 6), reduction="none"), lambda x: difference(x).square()),
    "mse_loss, weighted": (
        lambda x: F.mse_loss(x, like(x, 3, 6), reduction="none", weight=like(x, 3, 6, seed=4).abs()),
        lambda x: difference(x).pow(2) * like(x, 3, 6, seed=4).abs(),
    ),
    "smooth_l1": (
        lambda x: F.smooth_l1_loss(x, like(x, 3, 6), reduction="none", beta=0.7),
        lambda x: F.huber_loss(x, like(x, 3, 6), "none", 0.7) / 0.7,
    ),
    "huber": (
        lambda x: F.huber_loss(x, like(x, 3, 6), reduction="none", delta=100.0),
        lambda x: F.mse_loss(x, like(x, 3, 6), reduction="none") / 2,
    ),
    "norm": (lambda x: x.norm(dim=1), lambda x: x.square().sum(1).sqrt()),
    "torch.norm": (lambda x: torch.norm(x, dim=1, keepdim=True), lambda x: x.pow(2).sum(1, keepdim=True).pow(0.5)),
    "vector_norm": (lambda x: torch.linalg.vector_norm(x, 3, 1), lambda x: x.abs().pow(3).sum(1).pow(1 / 3)),
    "linalg.norm": (
        lambda x: torch.linalg.norm(x.view(3, 2, 3), dim=(1, 2)),
        lambda x: (x.square().view(3, 2, 3).sum((1, 2))).sqrt(),
    ),
    "pairwise_distance": (
        lambda x: F.pairwise_distance(x, like(x, 3, 6)),
        lambda x: (difference(x) + 1e-6).square().sum(1).sqrt(),
    ),
    "cdist": (
        lambda x: torch.cdist(x, like(x, 4, 6)),
        lambda x: torch.stack([(x - c).square().sum(1).sqrt() for c in like(x, 4, 6)], 1),
    ),
    "cosine_similarity": (
        lambda x: F.cosine_similarity(x, like(x, 3, 6)),
        lambda x: (unit(x) * unit(like(x, 3, 6))).sum(1),
    ),
    "cosine_similarity of two": (
        lambda x: F.cosine_similarity(x[:, :3], x[:, 3:]),
        lambda x: (unit(x[:, :3]) * unit(x[:, 3:])).sum(1),
    ),
    "triplet": (
        lambda x: F.triplet_margin_loss(x, like(x, 3, 6), like(x, 3, 6, seed=2), 5.0, swap=True, reduction="none"),
        lambda x: F.triplet_margin_with_distance_loss(
            x, like(x, 3, 6), like(x, 3, 6, seed=2), margin=5.0, swap=True, reduction="none"
        ),
    ),
    "var": (
        lambda x: torch.var(x, 1),
        lambda x: (x - x.mean(1, keepdim=True)).square().sum(1) / 5,
    ),
    "std": (
        lambda x: x.view(3, 2, 3).std((1, 2), correction=0),
        lambda x: (x - x.mean(1, keepdim=True)).square().mean(1).sqrt(),
    ),
    "var_mean": (
        lambda x: torch.stack(torch.var_mean(x, 1, correction=0), 1),
        lambda x: torch.stack([(x - x.mean(1, keepdim=True)).square().mean(1), x.mean(1)], 1),
    ),
    "std_mean": (
        lambda x: torch.cat(torch.std_mean(x, 1, keepdim=True), 1),
        lambda x: torch.cat([x.std(1, keepdim=True), x.mean(1, keepdim=True)], 1),
    ),
    "constant / explained": (lambda x: like(x, 6) / (1 + x.abs()), lambda x: (1 + x.abs()).reciprocal() * like(x, 6)),
    "number / explained": (lambda x: 1 / (1 + x.abs()), lambda x: (1 + x.abs()) ** -1),
    "constant / explained, broadcast": (
        lambda x: like(x, 3, 6) / (1 + x[:, :1].abs()),
        lambda x: like(x, 3, 6) / (1 + x[:, :1].abs()).expand(3, 6),
    ),
    "baddbmm of two": (
        lambda x: torch.baddbmm(like(x, 3, 2, 2), x.view(3, 2, 3), x.view(3, 3, 2), alpha=0.5).flatten(1),
        lambda x: (like(x, 3, 2, 2) + 0.5 * torch.bmm(x.view(3, 2, 3), x.view(3, 3, 2))).flatten(1),
    ),
    "lerp of three": (
        lambda x: torch.lerp(x[:, :2], x[:, 2:4], x[:, 4:].sigmoid()),
        lambda x: x[:, :2] * (1 - x[:, 4:].sigmoid()) + x[:, 2:4] * x[:, 4:].sigmoid(),
    ),
    "in place": (
        lambda x: x.clone().addcmul_(x, x, value=2).multiply_(3).lerp_(x, 0.5).clip_(min=-1),
        lambda x: ((x + 2 * (x * x)) * 3 * 0.5 + x * 0.5).clamp(min=-1),
    ),
    "in place, into a constant": (
        lambda x: torch.ones_like(x).addcmul_(x, like(x, 6)).addcdiv_(x, like(x, 6)),
        lambda x: 1 + x * like(x, 6) + x / like(x, 6),
    ),
    "scatter, reduce": (
        lambda x: x.scatter(1, PLACES, like(x, 3, 6), reduce="add"),
        lambda x: x.scatter_add(1, PLACES, like(x, 3, 6)),
    ),
    "lp_pool": (
        lambda x: F.lp_pool1d(x[:, None].abs(), 2, 3).flatten(1),
        lambda x: (x.abs() ** 2).view(3, 2, 3).sum(2).sqrt(),
    ),
    "LSTM with projections": (lambda x: lstm(x)(x.view(3, 2, 3))[0].flatten(1), lstm_by_hand),
    "einsum of three": (
        lambda x: torch.einsum("ni,ni,ij->nj", x[:, :3], x[:, 3:], like(x, 3, 4)),
        lambda x: torch.einsum("ni,ni->ni", x[:, :3], x[:, 3:]) @ like(x, 3, 4),
    ),
    "clip": (
        lambda x: x.clip(-0.5, 0.5) + torch.clip(x, 0) + x.clamp_min(0) - torch.clamp_max(x, 0.2),
        lambda x: x.clamp(-0.5, 0.5) + x.clamp(0) + torch.clamp(x, min=0) - x.clamp(max=0.2),
    ),
    "special": (
        lambda x: torch.special.expit(x) + torch.special.log1p(x.abs()) + torch.special.logsumexp(x, 1, keepdim=True),
        lambda x: torch.sigmoid(x) + torch.log1p(x.abs()) + torch.logsumexp(x, 1, keepdim=True),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TWINS)
def test_one_function_written_twice_has_one_explanation(name: str) -> None:
    model, twin = TWINS[name]
    x = randn(3, 6)
    output = model(x).detach()
    torch.testing.assert_close(LRP(model).record(x).output, output, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(twin(x).detach(), output, rtol=1e-9, atol=1e-12)
    r = randn(*output.shape, seed=7) * output
    (found, absorbed), (expected, held) = balanced(model, x, r), balanced(twin, x, r)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)
    for residual in absorbed.keys() | held.keys():
        ours, theirs = (entries.get(residual, torch.zeros(3).double()) for entries in (absorbed, held))
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", [*PIECEWISE_LINEAR, *TWINS])
def test_every_precision(name: str, dtype: torch.dtype) -> None:
    if dtype == torch.bfloat16 and "segment" in name:
        pytest.skip("torch has no such kernel in half precision")
    model = PIECEWISE_LINEAR[name] if name in PIECEWISE_LINEAR else TWINS[name][0]
    x = randn(3, 6).to(dtype)
    found = LRP(model, "epsilon")(x, lambda output: output)
    assert found.dtype == dtype
    assert found.isfinite().all()
    if dtype == torch.float32:
        exact = LRP(model, "epsilon")(x.double(), lambda output: output)
        assert (found - exact).norm() <= 1e-3 * exact.norm()


def test_the_constant_of_a_loss_stands_where_a_bias_does() -> None:
    """``(x - t)²`` is ``x (x - t) - t (x - t)``: the second part belongs to no input."""
    x, t = randn(3, 6), randn(3, 6, seed=1)
    found, absorbed = balanced(lambda x: F.mse_loss(x, t, reduction="none"), x, (x - t).square())
    torch.testing.assert_close(found, x * (x - t))
    torch.testing.assert_close(absorbed["bias"], (-t * (x - t)).sum(1))


def test_a_reconstruction_error_of_two_explained_values() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 3), nn.ReLU(), nn.Linear(3, 6)).double()

    def anomaly(x: Tensor) -> Tensor:
        return F.mse_loss(network(x), x, reduction="none").mean(1)

    x = randn(3, 6)
    probe = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(anomaly(probe).sum(), probe)
    found, _ = balanced(anomaly, x, anomaly(x).detach())
    torch.testing.assert_close(found, x * gradient / 2, rtol=1e-9, atol=1e-12)  # of degree 2


def test_losses_that_mix_the_samples_are_refused() -> None:
    for loss in (F.mse_loss, F.l1_loss, F.huber_loss, F.smooth_l1_loss):
        with pytest.raises(UnsupportedOperationError, match="mixes the samples"):
            LRP(lambda x: loss(x, torch.zeros(3, 6)).expand(3))(torch.ones(3, 6))  # noqa: B023


@pytest.mark.parametrize("loss", [F.mse_loss, F.l1_loss, F.huber_loss])
def test_weights_of_losses_are_counted(loss: Any) -> None:
    """torch does not hand the weight of l1_loss to function modes."""
    x, target, weight = randn(3, 6), randn(3, 6, seed=1), randn(3, 6, seed=2).square()
    given = {"weight": weight} if "weight" in inspect.signature(loss).parameters else {}
    errors = loss(x, target, reduction="none", **given)
    tape = record(lambda x: loss(x, target, reduction="none", **given) * 1.0, (x,))
    torch.testing.assert_close(tape.values[tape.output], errors)
    constant = record(lambda x: x * loss(target, -target, reduction="none", **given), (x,))
    torch.testing.assert_close(constant.values[constant.output], x * loss(target, -target, reduction="none", **given))


@pytest.mark.parametrize("order", [0, "nuc", 2])
def test_norms_that_are_no_sums_are_refused_by_name(order: Any) -> None:
    with pytest.raises(UnsupportedOperationError, match="norm"):
        LRP(lambda x: torch.linalg.matrix_norm(x, order) if order else x.norm(0, dim=1))(torch.ones(3, 2, 2))


BAGS = {
    "sum": {"mode": "sum"},
    "mean": {"mode": "mean"},
    "max": {"mode": "max"},
    "padded": {"mode": "mean", "padding_idx": 2},
    "padded max": {"mode": "max", "padding_idx": 2},
}


@pytest.mark.parametrize("name", BAGS)
def test_bags_of_embeddings(name: str) -> None:
    """Each token gets what its row of the table has by gradient × input."""
    options, table = BAGS[name], randn(7, 4)
    ids = torch.tensor([[0, 2, 5], [2, 2, 2], [6, 1, 2]])
    weights = randn(3, 4, seed=2)

    def model(ids: Tensor) -> Tensor:
        return F.embedding_bag(ids, table, **options)  # type: ignore[arg-type]

    recording = LRP(model, "zero").record(ids)
    torch.testing.assert_close(recording.output, model(ids))
    found = recording.propagate(lambda output: output * weights).relevance[0]
    expected = torch.zeros(3, 3, dtype=torch.float64)
    for n in range(3):  # the rows of a bag as a table of their own, of which each is met once
        rows = table[ids[n]].requires_grad_()
        kept = ids[n] != options.get("padding_idx", -1)
        if kept.any():
            seen = rows[kept]
            bag = {"sum": seen.sum(0), "mean": seen.mean(0), "max": seen.amax(0)}[str(options["mode"])]
            (slope,) = torch.autograd.grad(bag, rows, weights[n])
            expected[n] = (rows * slope).detach().sum(1)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("name", BAGS)
@pytest.mark.parametrize("last", [False, True])
def test_bags_by_offsets(name: str, last: bool) -> None:
    table, ids = randn(7, 4), torch.tensor([0, 2, 5, 6, 1, 2])
    offsets = torch.tensor([0, 3, 3, 6] if last else [0, 3, 3])
    sums: dict[str, Any] = {"per_sample_weights": randn(6, seed=5)} if name == "sum" else {}

    def model(ids: Tensor) -> Tensor:
        return F.embedding_bag(ids, table, offsets, include_last_offset=last, **BAGS[name], **sums)  # type: ignore[arg-type]

    recording = LRP(model, "zero").record(ids)
    torch.testing.assert_close(recording.output, model(ids))
    found = recording.propagate(lambda output: output).relevance[0]
    torch.testing.assert_close(found.sum(), model(ids).sum())


def test_one_hot_is_an_embedding() -> None:
    ids, table = torch.tensor([[0, 2, 1], [1, 1, 3]]), randn(4, 5)
    models = (lambda ids: F.one_hot(ids, 4).to(table) @ table, lambda ids: F.embedding(ids, table))
    found, expected = (LRP(lambda ids: model(ids).sum(1), "zero")(ids, 2) for model in models)  # noqa: B023
    torch.testing.assert_close(found, expected)


def test_a_constant_that_wins_keeps_the_relevance() -> None:
    x = randn(3, 6) - 1
    found, absorbed = balanced(
        lambda x: x.new_zeros(3, 2).scatter_reduce(1, PLACES, x, "amax"), x, torch.ones(3, 2).double()
    )
    assert (found == 0).all() == (x.amax() < 0)
    won = torch.stack([(x[:, PLACES[0] == place].amax(1) < 0).double() for place in (0, 1)], 1)
    torch.testing.assert_close(absorbed["constant"], won.sum(1))
    with pytest.raises(UnsupportedOperationError, match="prod"):
        LRP(lambda x: x.new_zeros(3, 2).scatter_reduce(1, PLACES, x, "prod"))(x, 0)


@pytest.mark.parametrize(
    "move",
    [
        lambda gate: torch.zeros_like(gate).scatter(1, PLACES[:, :3].cumsum(1), gate),
        lambda gate: torch.zeros_like(gate).index_put((torch.arange(3),), gate),
        lambda gate: torch.zeros_like(gate).scatter_reduce(1, torch.arange(3).expand(3, 3), gate, "amax"),
        lambda gate: gate.subtract(1).multiply(-1),
    ],
)
def test_a_gate_stays_one_wherever_it_is_put(move: Model) -> None:
    x, r = randn(3, 6), randn(3, 3, seed=1)
    found, _ = balanced(lambda x: move(torch.special.expit(x[:, :3])) * x[:, 3:], x, r, "epsilon")
    torch.testing.assert_close(found, torch.cat([torch.zeros_like(r), r], 1))


@pytest.mark.parametrize("statistic", ["var", "std"])
def test_deviations_relative_to_a_reference(statistic: str) -> None:
    from neon.lrp.rules import Reference

    x, r = randn(3, 6), randn(1, 6, seed=3)

    def model(x: Tensor) -> Tensor:
        return getattr(x, statistic)(1)  # type: ignore[no-any-return]

    recording = LRP(model, Reference()).record(x, reference=r)
    found = recording.propagate().relevance[0]
    torch.testing.assert_close(found.sum(1), model(x) - model(r))
    twin = LRP(lambda x: spelled_out(x, statistic), Reference()).record(x, reference=r).propagate().relevance[0]
    torch.testing.assert_close(found, twin)


def spelled_out(x: Tensor, statistic: str) -> Tensor:
    variance = (x - x.mean(1, keepdim=True)).square().sum(1) / (x.shape[1] - 1)
    return variance if statistic == "var" else variance.sqrt()


@pytest.mark.parametrize("function", [torch.special.bessel_j0, torch.special.i1, torch.special.modified_bessel_k0])
def test_a_function_is_registered_as_the_error_says(function: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "_TABLE", dict(table._TABLE))
    x, weight = randn(3, 6), randn(4, 6)
    lrp = LRP(lambda t: function(F.linear(t, weight).abs()), "zero")
    with pytest.raises(
        UnsupportedOperationError, match=r"neon\.extend\.treat\(.*by=neon\.extend\.ElementwiseTreatment\(\)"
    ):
        lrp(x, 1)
    for treatment in (ElementwiseTreatment(), Identity()):
        treat(function, by=treatment)
        torch.testing.assert_close(lrp(x, 1).sum(1), function(F.linear(x, weight).abs())[:, 1])


def test_another_name_of_a_function_is_registered_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "_TABLE", dict(table._TABLE))
    del table._TABLE[torch.atan]
    treat(torch.arctan, by=ElementwiseTreatment())
    x = randn(3, 6)
    torch.testing.assert_close(LRP(torch.atan, "zero")(x, 1).sum(1), torch.atan(x)[:, 1])


def test_what_changes_the_shape_is_no_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "_TABLE", dict(table._TABLE))
    treat(torch.linalg.eigvalsh, by=Identity())
    with pytest.raises(UnsupportedOperationError, match="new shape"):
        LRP(torch.linalg.eigvalsh, "zero")(randn(3, 2, 2), 1)
