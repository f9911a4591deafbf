"""Fused torch functions spelled out in the operations that they are made of, for the tape to record.

Each function here computes what the torch function of the same arguments computes in evaluation mode.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from neon.errors import UnsupportedOperationError

__all__ = ["DECOMPOSITIONS"]


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    _refuse_dropout(dropout_p, "scaled_dot_product_attention")
    if enable_gqa:
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)
        value = value.repeat_interleave(query.shape[-3] // value.shape[-3], -3)
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = (query * scale) @ key.transpose(-2, -1)
    if is_causal:
        future = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
        scores = scores.masked_fill(future, -torch.inf)
    if attn_mask is not None:
        boolean = attn_mask.dtype == torch.bool
        scores = scores.masked_fill(~attn_mask, -torch.inf) if boolean else scores + attn_mask
    weights = torch.softmax(scores, -1)
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        weights = weights.masked_fill(~attn_mask.any(-1, keepdim=True), 0.0)  # a query that may attend to nothing
    return weights @ value


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    _refuse_dropout(dropout_p if training else 0.0, "multi_head_attention_forward")
    if static_k is not None or static_v is not None:
        raise UnsupportedOperationError("multi_head_attention_forward with static_k or static_v")
    batched = query.ndim == 3
    if not batched:
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    query, key, value = (x.transpose(0, 1) if batched else x.unsqueeze(0) for x in (query, key, value))
    n_samples, n_targets, _ = query.shape
    weights: Any = (q_proj_weight, k_proj_weight, v_proj_weight)
    if not use_separate_proj_weight:
        assert in_proj_weight is not None
        weights = in_proj_weight.chunk(3)
    biases: Any = (None,) * 3 if in_proj_bias is None else in_proj_bias.chunk(3)
    q, k, v = (F.linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases, strict=True))
    if bias_k is not None and bias_v is not None:
        k = torch.cat([k, bias_k.expand(n_samples, 1, -1)], 1)
        v = torch.cat([v, bias_v.expand(n_samples, 1, -1)], 1)

    def heads(x: Tensor) -> Tensor:
        return x.unflatten(2, (num_heads, -1)).transpose(1, 2)  # (samples, heads, steps, width)

    q, k, v = heads(q), heads(k), heads(v)
    if add_zero_attn:
        k, v = F.pad(k, (0, 0, 0, 1)), F.pad(v, (0, 0, 0, 1))
    mask = _merged_mask(attn_mask, key_padding_mask, n_samples, num_heads, n_targets, k.shape[2], q)
    scores = (q * (1 / math.sqrt(q.shape[-1]))) @ k.transpose(-2, -1)
    attention = torch.softmax(scores if mask is None else scores + mask, -1)
    output = (attention @ v).transpose(1, 2).flatten(2)
    output = F.linear(output, out_proj_weight, out_proj_bias)
    output = output.transpose(0, 1) if batched else output.squeeze(0)
    if need_weights and average_attn_weights:
        attention = attention.detach().mean(1)
    if not batched:
        attention = attention.squeeze(0)
    return output, attention if need_weights else None


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    output = torch.einsum("...kj,...j->...k", torch.einsum("...i,kij->...kj", input1, weight), input2)
    return output if bias is None else output + bias


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    return (F.normalize(x1, dim=dim, eps=eps) * F.normalize(x2, dim=dim, eps=eps)).sum(dim)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    signal, gate = input.chunk(2, dim)
    return signal * torch.sigmoid(gate)


def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """Where to look is held constant: relevance goes to what is seen there."""
    seen = _SAMPLING_MODES.index(mode), _PADDING_MODES.index(padding_mode), bool(align_corners)
    return torch.grid_sampler(input, grid.detach(), *seen)


def _merged_mask(
    attn_mask: Tensor | None,
    key_padding_mask: Tensor | None,
    n_samples: int,
    n_heads: int,
    n_targets: int,
    n_sources: int,
    like: Tensor,
) -> Tensor | None:
    """Both masks as one summand of the scores, which broadcasts to (samples, heads, targets, sources)."""

    def summand(mask: Tensor) -> Tensor:
        if mask.dtype == torch.bool:
            mask = torch.zeros(mask.shape, dtype=like.dtype, device=mask.device).masked_fill(mask, -torch.inf)
        return F.pad(mask, (0, n_sources - mask.shape[-1])).to(like.dtype)  # bias_k and zero keys are open to all

    merged = None
    if attn_mask is not None:
        merged = summand(attn_mask)
        if merged.ndim == 3:
            merged = merged.reshape(n_samples, n_heads, n_targets, n_sources)
    if key_padding_mask is not None:
        padding = summand(key_padding_mask)[:, None, None, :]
        merged = padding if merged is None else merged + padding
    return merged


def _lstm_step(x: Tensor, state: tuple[Tensor, ...], w: Tensor) -> tuple[Tensor, ...]:
    h, c = state
    i, f, g, o = (x + F.linear(h, w)).chunk(4, -1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def _gru_step(x: Tensor, state: tuple[Tensor, ...], w: Tensor, b: Tensor | None) -> tuple[Tensor, ...]:
    (h,) = state
    x_r, x_z, x_n = x.chunk(3, -1)
    h_r, h_z, h_n = F.linear(h, w, b).chunk(3, -1)
    z = torch.sigmoid(x_z + h_z)
    n = torch.tanh(x_n + torch.sigmoid(x_r + h_r) * h_n)
    return ((1 - z) * n + z * h,)


def _plain_step(activation: Callable[[Tensor], Tensor]) -> Callable[..., tuple[Tensor, ...]]:
    def step(x: Tensor, state: tuple[Tensor, ...], w: Tensor) -> tuple[Tensor, ...]:
        return (activation(x + F.linear(state[0], w)),)

    return step


def _cell(step: Callable[..., Any], x: Tensor, state: tuple[Tensor, ...], weights: list[Tensor]) -> tuple[Tensor, ...]:
    """One step, both products and biases of which are given; the GRU keeps the recurrent bias inside its gate."""
    w_x, w_h, *biases = weights
    found: tuple[Tensor, ...]
    if step is _gru_step:
        b_x, b_h = biases or (None, None)
        found = step(F.linear(x, w_x, b_x), state, w_h, b_h)
    else:
        found = step(F.linear(x, w_x, biases[0] + biases[1] if biases else None), state, w_h)
    return found


def _recurrent(step: Callable[..., Any], n_states: int) -> Callable[..., Any]:
    """``torch.lstm`` and its kin, for batches of sequences and for packed ones."""

    def run(*args: Any) -> tuple[Tensor, ...]:
        packed = isinstance(args[3], (list, tuple))
        if packed:
            x, sizes, state, weights, has_biases, n_layers, dropout, training, bidirectional = args
            steps = list(x.split(sizes.tolist()))
        else:
            x, state, weights, has_biases, n_layers, dropout, training, bidirectional, batch_first = args
            steps = list(x.unbind(1 if batch_first else 0))
        _refuse_dropout(dropout if training else 0.0, "a recurrent layer")
        state = state if isinstance(state, (list, tuple)) else (state,)
        n_directions, per_layer = 1 + bool(bidirectional), 4 if has_biases else 2
        last: list[tuple[Tensor, ...]] = []
        for layer in range(n_layers):
            outputs = []
            for direction in range(n_directions):
                cell = layer * n_directions + direction
                if len(weights) != per_layer * n_layers * n_directions:
                    raise UnsupportedOperationError("an LSTM with projections (proj_size > 0)")
                own = list(weights[cell * per_layer : (cell + 1) * per_layer])
                initial = tuple(part[cell] for part in state)
                found, final = _sequence(step, steps, initial, own, backwards=direction == 1)
                outputs.append(found)
                last.append(final)
            steps = [torch.cat(pair, -1) if n_directions == 2 else pair[0] for pair in zip(*outputs, strict=True)]
        output = torch.cat(steps) if packed else torch.stack(steps, 1 if batch_first else 0)
        return (output, *(torch.stack([final[i] for final in last]) for i in range(n_states)))

    return run


def _sequence(
    step: Callable[..., Any],
    steps: list[Tensor],
    initial: tuple[Tensor, ...],
    weights: list[Tensor],
    backwards: bool,
) -> tuple[list[Tensor], tuple[Tensor, ...]]:
    """One layer in one direction; sequences of a packed batch end (or begin, backwards) at steps of their own."""
    longest = len(steps[0]) if steps else 0
    state = tuple(part[: len(steps[-1])] if backwards else part for part in initial)
    ended: list[tuple[Tensor, ...]] = []
    outputs: list[Tensor] = []
    for x in reversed(steps) if backwards else steps:
        if len(x) < len(state[0]):
            ended.append(tuple(part[len(x) :] for part in state))
            state = tuple(part[: len(x)] for part in state)
        elif len(x) > len(state[0]):
            state = tuple(
                torch.cat([part, start[len(part) : len(x)]]) for part, start in zip(state, initial, strict=True)
            )
        state = _cell(step, x, state, weights)
        outputs.append(state[0])
    if ended:
        state = tuple(torch.cat([part, *(end[i] for end in reversed(ended))]) for i, part in enumerate(state))
    assert len(state[0]) == longest
    return outputs[::-1] if backwards else outputs, state


def _single(step: Callable[..., Any]) -> Callable[..., Any]:
    """``torch.lstm_cell`` and its kin."""

    def run(x: Tensor, state: Any, w_x: Tensor, w_h: Tensor, b_x: Any = None, b_h: Any = None) -> Any:
        state = state if isinstance(state, (list, tuple)) else (state,)
        found = _cell(step, x, tuple(state), [w_x, w_h] if b_x is None else [w_x, w_h, b_x, b_h])
        return found if len(found) > 1 else found[0]

    return run


def _refuse_dropout(p: float, name: str) -> None:
    if p:
        raise UnsupportedOperationError(f"dropout {p} inside {name} is random; call model.eval() first")


_SAMPLING_MODES, _PADDING_MODES = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")
_tanh_step, _relu_step = _plain_step(torch.tanh), _plain_step(torch.relu)
DECOMPOSITIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    F.scaled_dot_product_attention: scaled_dot_product_attention,
    F.multi_head_attention_forward: multi_head_attention_forward,
    F.bilinear: bilinear,
    F.cosine_similarity: cosine_similarity,
    F.glu: glu,
    F.grid_sample: grid_sample,
    torch.lstm: _recurrent(_lstm_step, 2),
    torch.gru: _recurrent(_gru_step, 1),
    torch.rnn_tanh: _recurrent(_tanh_step, 1),
    torch.rnn_relu: _recurrent(_relu_step, 1),
    torch.lstm_cell: _single(_lstm_step),
    torch.gru_cell: _single(_gru_step),
    torch.rnn_tanh_cell: _single(_tanh_step),
    torch.rnn_relu_cell: _single(_relu_step),
}
