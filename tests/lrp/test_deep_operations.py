"""Operations of deep networks against slow textbook forms: products, normalizations, softmax, recurrence, attention."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from neon import LRP, UnsupportedOperationError
from neon.lrp import composites, rules

EPS = 1e-6


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def st(z: Any) -> Any:
    return z + EPS * np.where(z < 0, -1.0, 1.0)


def explain(model: Callable[[Tensor], Tensor], x: Tensor, relevance: Tensor, composite: Any = "attn_lrp") -> Any:
    """Relevance of x for given relevance of the output, as arrays, and the ledger."""
    recording = LRP(model, composite).record(x)
    walk = recording.propagate(relevance, account=True)
    total = walk.relevance[0].flatten(1).sum(1) + sum(walk.ledger.absorbed.values())
    torch.testing.assert_close(total, relevance.flatten(1).sum(1), rtol=1e-9, atol=1e-12)
    return walk.relevance[0].numpy(), walk.ledger.absorbed


def test_a_product_is_halved_or_goes_to_the_signal() -> None:
    x, r = randn(4, 6), randn(4, 3, seed=1)

    def model(x: Tensor) -> Tensor:
        return torch.sigmoid(x[:, :3]) * x[:, 3:]

    halves, _ = explain(model, x, r)
    np.testing.assert_allclose(halves, np.concatenate([r / 2, r / 2], axis=1), rtol=1e-12)
    signal, _ = explain(model, x, r, "cp_lrp")
    np.testing.assert_allclose(signal, np.concatenate([0 * r, r], axis=1), rtol=1e-12)
    no_gate, _ = explain(lambda x: F.silu(x[:, :3]) * x[:, 3:], x, r, "cp_lrp")
    np.testing.assert_allclose(no_gate, halves, rtol=1e-12)


def test_one_minus_a_gate_is_a_gate() -> None:
    x, r = randn(4, 6), randn(4, 3, seed=1)
    found, _ = explain(lambda x: (1 - torch.sigmoid(x[:, :3])) * x[:, 3:], x, r, "epsilon")
    np.testing.assert_allclose(found, np.concatenate([0 * r, r], axis=1), rtol=1e-12)


def test_a_broadcast_factor_collects_its_copies() -> None:
    x, r = randn(2, 4), randn(2, 3, seed=1)
    found, _ = explain(lambda x: x[:, 3:] * x[:, :3], x, r)
    np.testing.assert_allclose(found[:, 3], r.sum(1) / 2, rtol=1e-12)


@pytest.mark.parametrize("spelling", ["matmul", "bmm", "einsum"])
def test_matmul_of_two_explained_values(spelling: str) -> None:
    x, r = randn(2, 7, 4), randn(2, 3, 4, seed=1)

    def model(x: Tensor) -> Tensor:
        a, v = x[:, :3, :4], x[:, 3:, :]
        if spelling == "bmm":
            return torch.bmm(a, v)
        return torch.einsum("bij,bjk->bik", a, v) if spelling == "einsum" else a @ v

    found, absorbed = explain(model, x, r)
    expected = np.zeros(x.shape)
    for n in range(2):
        a, v = x[n, :3].numpy(), x[n, 3:].numpy()
        z = a @ v
        for i in range(3):
            for k in range(4):
                for j in range(4):
                    portion = a[i, j] * v[j, k] / st(z[i, k]) * float(r[n, i, k]) / 2
                    expected[n, i, j] += portion
                    expected[n, 3 + j, k] += portion
    assert np.linalg.norm(found - expected) <= 1e-9 * np.linalg.norm(expected)
    assert set(absorbed) == {"stabilizer"}


def test_softmax_expands_at_zero() -> None:
    x, r = randn(3, 5), randn(3, 5, seed=1)
    found, absorbed = explain(lambda x: torch.softmax(x, 1), x, r)
    scores, given = x.numpy(), r.numpy()
    s = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    expected = scores * (given - s * given.sum(1, keepdims=True))
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    np.testing.assert_allclose(absorbed["softmax"], (given - expected).sum(1), rtol=1e-9)


def test_masked_scores_get_nothing() -> None:
    x, r = randn(3, 5), randn(3, 5, seed=1)
    mask = torch.tensor([False, True, False, False, True])
    added = torch.zeros(5, dtype=torch.float64).masked_fill(mask, -torch.inf)
    for model in (lambda x: torch.softmax(x.masked_fill(mask, -torch.inf), 1), lambda x: torch.softmax(x + added, 1)):
        found, _ = explain(model, x, r.masked_fill(mask, 0.0))
        assert np.isfinite(found).all()
        assert (found[:, mask.numpy()] == 0).all()


def normalizations() -> dict[str, tuple[nn.Module, tuple[int, ...], Callable[[Tensor], Tensor]]]:
    """Module, input shape, and the map with its statistics held constant, as a function of x, given x0."""

    def layer(x0: Tensor) -> Any:
        scale = 1 / (x0.var(-1, correction=0, keepdim=True) + 1e-5).sqrt()
        return lambda x: (x - x.mean(-1, keepdim=True)) * scale

    def rms(x0: Tensor) -> Any:
        return lambda x: x / (x0.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt()

    def group(n_groups: int) -> Any:
        def held(x0: Tensor) -> Any:
            def rows(x: Tensor) -> Tensor:
                return x.reshape(len(x), n_groups, -1)

            scale = 1 / (rows(x0).var(-1, correction=0, keepdim=True) + 1e-5).sqrt()
            return lambda x: ((rows(x) - rows(x).mean(-1, keepdim=True)) * scale).reshape(x.shape)

        return held

    def response(x0: Tensor) -> Any:
        return lambda x: x * F.local_response_norm(x0, 3, alpha=0.5) / x0

    def unit(x0: Tensor) -> Any:
        return lambda x: x / x0.norm(dim=1, keepdim=True)

    return {
        "layer": (nn.LayerNorm(6), (3, 4, 6), layer),
        "rms": (nn.RMSNorm(6, eps=1e-5), (3, 4, 6), rms),
        "group": (nn.GroupNorm(2, 6), (3, 6, 5), group(2)),
        "instance": (nn.InstanceNorm1d(6, affine=True), (3, 6, 5), group(6)),
        "response": (nn.LocalResponseNorm(3, alpha=0.5), (3, 6, 5, 2), response),
        "unit": (type("Unit", (nn.Module,), {"forward": lambda self, x: F.normalize(x)})(), (3, 6), unit),
    }


@pytest.mark.parametrize("name", sorted(normalizations()))
def test_normalizations_hold_their_statistics(name: str) -> None:
    module, shape, held = normalizations()[name]
    module = module.double().eval()
    for i, parameter in enumerate(module.parameters()):
        parameter.data = randn(*parameter.shape, seed=10 + i)
    x, r = randn(*shape), randn(*shape, seed=1)
    found, _ = explain(module, x, r, "epsilon")
    if name in ("rms", "response", "unit"):  # nothing is subtracted: a scaling, which relevance passes
        np.testing.assert_array_equal(found, r)
        return
    channel = (1, -1, *(1,) * (len(shape) - 2)) if name in ("group", "instance") else (-1,)
    weight = getattr(module, "weight", None)
    weight = torch.ones(()) if weight is None else weight.detach().reshape(channel)
    z = module(x).detach()
    jacobian = torch.autograd.functional.jacobian(lambda x: held(randn(*shape))(x) * weight, x)
    jacobian = jacobian.reshape(r.numel(), x.numel()).numpy()
    s = (r.numpy() / st(z.numpy())).ravel()
    expected = (x.numpy().ravel() * (s @ jacobian)).reshape(shape)
    assert np.linalg.norm(found - expected) <= 1e-9 * np.linalg.norm(expected)


@pytest.mark.parametrize("cell", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("options", [{}, {"bidirectional": True, "num_layers": 2}, {"bias": False}])
def test_recurrent_layers_are_unrolled_exactly(cell: Any, options: dict[str, Any]) -> None:
    layer = cell(4, 3, batch_first=True, **options).double().eval()
    x = randn(2, 6, 4)
    state = randn(2 * 2 if options.get("num_layers") else 1, 2, 3, seed=5)
    states = (state, state + 1) if cell is nn.LSTM else state

    def model(x: Tensor) -> Tensor:
        output, last = layer(x, states)
        return torch.cat([output.flatten(1), *(part.transpose(0, 1).flatten(1) for part in last)], 1)

    if cell is not nn.LSTM:

        def model(x: Tensor) -> Tensor:
            output, last = layer(x, states)
            return torch.cat([output.flatten(1), last.transpose(0, 1).flatten(1)], 1)

    recording = LRP(model, "epsilon").record(x)
    torch.testing.assert_close(recording.output, model(x).detach(), rtol=1e-12, atol=1e-12)
    explain(model, x, randn(*recording.output.shape, seed=1), "epsilon")


@pytest.mark.parametrize("cell", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_packed_sequences(cell: Any, bidirectional: bool) -> None:
    layer = cell(4, 3, 2, batch_first=True, bidirectional=bidirectional).double().eval()
    lengths = torch.tensor([3, 5, 2])

    def model(x: Tensor, lengths: Tensor = lengths) -> Tensor:
        output, last = layer(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
        padded, _ = pad_packed_sequence(output, batch_first=True)
        last = last[0] if cell is nn.LSTM else last
        return torch.cat([padded.sum(1), last[-1]], 1)

    x = randn(3, 5, 4)
    recording = LRP(model, "epsilon").record(x)
    torch.testing.assert_close(recording.output, model(x).detach(), rtol=1e-12, atol=1e-12)
    walk = recording.propagate(torch.ones_like(recording.output), account=True)
    torch.testing.assert_close(recording.propagate(torch.ones_like(recording.output)).relevance[0], walk.relevance[0])
    total = walk.relevance[0].sum((1, 2)) + sum(walk.ledger.absorbed.values())
    torch.testing.assert_close(total, torch.ones_like(recording.output).sum(1))
    for row, length in enumerate(lengths.tolist()):
        assert (walk.relevance[0][row, length:] == 0).all()  # padding
        one = LRP(lambda x: model(x, lengths[[row]]), "epsilon").record(x[[row]])  # noqa: B023
        alone = one.propagate(torch.ones_like(one.output), account=True)
        if bidirectional and cell is nn.GRU:
            continue  # backwards, the state of a shorter sequence begins in the middle, where it counts as computed
        torch.testing.assert_close(walk.relevance[0][[row]], alone.relevance[0])
        for name, amount in walk.ledger.absorbed.items():
            torch.testing.assert_close(amount[row], alone.ledger.absorbed[name][0], rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("cell", [nn.LSTMCell, nn.GRUCell, nn.RNNCell])
def test_cells(cell: Any) -> None:
    layer = cell(4, 3).double().eval()

    def model(x: Tensor) -> Tensor:
        h = layer(x)
        return h[0] if cell is nn.LSTMCell else h

    recording = LRP(model, "epsilon").record(randn(2, 4))
    torch.testing.assert_close(recording.output, model(randn(2, 4)).detach(), rtol=1e-12, atol=1e-12)


def test_lstm_gates_get_nothing() -> None:
    """One step from a zero state: all relevance reaches x through the candidate g alone (Arras et al. 2017)."""
    layer = nn.LSTM(4, 3, batch_first=True).double().eval()
    x, r = randn(2, 1, 4), randn(2, 3, seed=1)
    found, _ = explain(lambda x: layer(x)[0][:, 0], x, r, "zero")
    w, b = layer.weight_ih_l0[6:9].detach().numpy(), (layer.bias_ih_l0 + layer.bias_hh_l0)[6:9].detach().numpy()
    z = x[:, 0].numpy() @ w.T + b
    expected = x[:, 0].numpy() * ((r.numpy() / z) @ w)
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-9)


@pytest.mark.parametrize(
    "options",
    [{}, {"batch_first": True}, {"add_bias_kv": True, "add_zero_attn": True}, {"kdim": 8, "vdim": 8, "bias": False}],
)
@pytest.mark.parametrize("masks", ["none", "padding", "both"])
def test_multi_head_attention_is_spelled_out_exactly(options: dict[str, Any], masks: str) -> None:
    layer = nn.MultiheadAttention(8, 2, **options).double().eval()
    x = randn(2, 3, 8)
    padding = torch.tensor([[False, False, True], [False, False, False]])
    causal = torch.ones(3, 3, dtype=torch.bool).triu(1)

    def model(x: Tensor) -> Tensor:
        x = x if layer.batch_first else x.transpose(0, 1)
        output, _ = layer(
            x, x, x,
            key_padding_mask=None if masks == "none" else padding,
            attn_mask=causal if masks == "both" else None,
        )  # fmt: skip
        return output if layer.batch_first else output.transpose(0, 1)

    recording = LRP(model, "attn_lrp").record(x)
    torch.testing.assert_close(recording.output, model(x).detach(), rtol=1e-10, atol=1e-12)
    explain(model, x, randn(*recording.output.shape, seed=1))


@pytest.mark.parametrize("options", [{}, {"is_causal": True}, {"enable_gqa": True}, {"scale": 0.3}])
def test_scaled_dot_product_attention_is_spelled_out_exactly(options: dict[str, Any]) -> None:
    x = randn(2, 4, 5, 3)

    def model(x: Tensor) -> Tensor:
        key = x[:, :2] if options.get("enable_gqa") else x
        return F.scaled_dot_product_attention(x, key, key + 1, **options)

    recording = LRP(model, "attn_lrp").record(x)
    torch.testing.assert_close(recording.output, model(x), rtol=1e-10, atol=1e-12)
    explain(model, x, randn(*x.shape, seed=1))


@pytest.mark.parametrize(
    "rule", [rules.Epsilon(), rules.Zero(), rules.Gamma(), rules.AlphaBeta(), rules.ZBox(-3, 3), rules.Flat()]
)
def test_scaling_by_a_constant_passes_relevance(rule: rules.Rule) -> None:
    x, r = randn(3, 4), randn(3, 4, seed=1)
    for scale in (-2.0, randn(4, seed=2)):
        np.testing.assert_array_equal(explain(lambda x: x * scale / 3, x, r, rule)[0], r)  # noqa: B023


def test_embeddings_give_relevance_to_tokens() -> None:
    table, head = nn.Embedding(11, 6).double(), nn.Linear(5 * 6, 3).double()
    ids = torch.randint(11, (4, 5), generator=torch.Generator().manual_seed(0))
    model = nn.Sequential(table, nn.Flatten(), head)
    relevance = LRP(model)(ids, 1)
    vectors = table(ids).detach()
    by_vector = LRP(nn.Sequential(nn.Flatten(), head))(vectors, 1)
    torch.testing.assert_close(relevance, by_vector.sum(-1), rtol=1e-12, atol=0)
    with pytest.raises(TypeError, match="token ids"):
        LRP(model)(ids.bool(), 1)


def test_constants_among_the_inputs_keep_a_named_share() -> None:
    x, r = randn(2, 3), randn(2, 5, seed=1)
    found, absorbed = explain(lambda x: torch.cat([x, torch.ones(2, 2, dtype=torch.float64)], 1), x, r)
    np.testing.assert_allclose(found, r[:, :3], rtol=1e-12)
    np.testing.assert_allclose(absorbed["constant"], r[:, 3:].sum(1), rtol=1e-12)


@pytest.mark.parametrize(
    "activation",
    [
        lambda x: 0.5 * x * (1 + torch.tanh(0.7978845608 * (x + 0.044715 * torch.pow(x, 3)))),
        lambda x: x * torch.sigmoid(1.702 * x),
        lambda x: x * F.hardtanh(x + 3, 0, 6) / 6,
        lambda x: x + torch.sin(x) ** 2,
    ],
)
def test_a_spelled_out_activation_passes_relevance(activation: Callable[[Tensor], Tensor]) -> None:
    x, r = randn(3, 4), randn(3, 4, seed=1)
    found, absorbed = explain(activation, x, r, "epsilon")
    np.testing.assert_array_equal(found, r)
    assert not absorbed
    assert len(LRP(activation).plan(x)) <= 2  # a scaling by a constant may follow


@pytest.mark.parametrize(
    ("spelled", "module"),
    [
        (lambda x: x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5), nn.RMSNorm(6, eps=1e-5)),
        (lambda x: x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt(), nn.RMSNorm(6, eps=1e-5)),
    ],
)
def test_a_spelled_out_normalization_is_one(spelled: Any, module: nn.Module) -> None:
    x, r = randn(3, 6), randn(3, 6, seed=1)
    found, _ = explain(spelled, x, r, "epsilon")
    expected, _ = explain(module.double(), x, r, "epsilon")
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("statistic_of", ["centered", "x"])
def test_a_spelled_out_layer_norm_holds_its_deviation(statistic_of: str) -> None:
    """The mean's subtraction is a sum of its own here: ε shares, then, what LayerNorm does in one map."""

    def model(x: Tensor) -> Tensor:
        centered = x - x.mean(-1, keepdim=True)
        of = centered if statistic_of == "centered" else x
        return centered / (of.var(-1, correction=0, keepdim=True) + 1e-5).sqrt()

    x, r = randn(3, 6), randn(3, 6, seed=1)
    found, _ = explain(model, x, r, "epsilon")
    held = 1 / (x.var(-1, correction=0, keepdim=True) + 1e-5).sqrt()
    expected, _ = explain(lambda x: (x - x.mean(-1, keepdim=True)) * held, x, r, "epsilon")
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_interpolation_and_transposes() -> None:
    x = randn(2, 3, 4, 4)
    for mode in ("nearest", "bilinear", "bicubic", "area"):

        def model(x: Tensor, mode: str = mode) -> Tensor:
            return F.interpolate(x, scale_factor=2, mode=mode).flatten(1)

        z = model(x)
        r = randn(*z.shape, seed=1)
        found, _ = explain(model, x, r, "epsilon")
        (slope,) = torch.autograd.grad(model(y := x.clone().requires_grad_()), y, r / torch.as_tensor(st(z.numpy())))
        expected = (x * slope).numpy()
        assert np.linalg.norm(found - expected) <= 1e-9 * np.linalg.norm(expected)


def test_sparse_and_dense_graphs_agree() -> None:
    adjacency = torch.rand(5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 0.4
    weight = randn(3, 2, seed=3)
    x, r = randn(5, 3), randn(5, 2, seed=1)
    sparse = adjacency.to_sparse()
    for composite in ("epsilon", composites.by_name(rules.AlphaBeta(2, 1)), composites.by_name(rules.Gamma(0.3))):
        dense = LRP(lambda x: adjacency @ x @ weight, composite)(x, r)
        found = LRP(lambda x: torch.sparse.mm(sparse, x) @ weight, composite)(x, r)
        torch.testing.assert_close(found, dense, rtol=1e-9, atol=1e-12)


def test_dropout_in_a_fused_layer_is_refused() -> None:
    layer = nn.LSTM(4, 3, 2, dropout=0.5, batch_first=True).double().train()
    with pytest.raises(UnsupportedOperationError, match="eval"):
        LRP(lambda x: layer(x)[0][:, -1])(randn(2, 5, 4), 0)
