"""Fused torch functions spelled out in the operations that they are made of, for the tape to record.

Each function here computes what the torch function of the same arguments computes in evaluation mode.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from neon.errors import UnsupportedOperationError
from neon.lrp.recording.distances import DISTANCES
from neon.lrp.recording.recurrent import RECURRENT, refuse_dropout
from neon.lrp.recording.signatures import with_arguments_of

__all__ = ["DECOMPOSITIONS", "decomposition"]


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
    refuse_dropout(dropout_p, "scaled_dot_product_attention")
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


@with_arguments_of(
    F.multi_head_attention_forward,
    takes="query key value num_heads in_proj_weight in_proj_bias bias_k bias_v add_zero_attn dropout_p out_proj_weight "
    "out_proj_bias training key_padding_mask need_weights attn_mask use_separate_proj_weight q_proj_weight "
    "k_proj_weight v_proj_weight static_k static_v average_attn_weights "
    "embed_dim_to_check is_causal",  # a check; a hint that attn_mask is the causal one
)
def multi_head_attention_forward(given: SimpleNamespace) -> tuple[Tensor, Tensor | None]:
    refuse_dropout(given.dropout_p if given.training else 0.0, "multi_head_attention_forward")
    if given.static_k is not None or given.static_v is not None:
        raise UnsupportedOperationError("multi_head_attention_forward with static_k or static_v")
    batched, key_padding_mask = given.query.ndim == 3, given.key_padding_mask
    if not batched:
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    query, key, value = (
        x.transpose(0, 1) if batched else x.unsqueeze(0) for x in (given.query, given.key, given.value)
    )
    n_samples, n_targets, _ = query.shape
    weights: Any = (given.q_proj_weight, given.k_proj_weight, given.v_proj_weight)
    if not given.use_separate_proj_weight:
        weights = given.in_proj_weight.chunk(3)
    biases: Any = (None,) * 3 if given.in_proj_bias is None else given.in_proj_bias.chunk(3)
    q, k, v = (F.linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases, strict=True))
    if given.bias_k is not None and given.bias_v is not None:
        k = torch.cat([k, given.bias_k.expand(n_samples, 1, -1)], 1)
        v = torch.cat([v, given.bias_v.expand(n_samples, 1, -1)], 1)

    def heads(x: Tensor) -> Tensor:
        return x.unflatten(2, (given.num_heads, -1)).transpose(1, 2)  # (samples, heads, steps, width)

    q, k, v = heads(q), heads(k), heads(v)
    if given.add_zero_attn:
        k, v = F.pad(k, (0, 0, 0, 1)), F.pad(v, (0, 0, 0, 1))
    mask = _merged_mask(given.attn_mask, key_padding_mask, n_samples, given.num_heads, n_targets, k.shape[2], q)
    scores = (q * (1 / math.sqrt(q.shape[-1]))) @ k.transpose(-2, -1)
    attention = torch.softmax(scores if mask is None else scores + mask, -1)
    output = (attention @ v).transpose(1, 2).flatten(2)
    output = F.linear(output, given.out_proj_weight, given.out_proj_bias)
    output = output.transpose(0, 1) if batched else output.squeeze(0)
    if given.need_weights and given.average_attn_weights:
        attention = attention.detach().mean(1)
    if not batched:
        attention = attention.squeeze(0)
    return output, attention if given.need_weights else None


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    output = torch.einsum("...kj,...j->...k", torch.einsum("...i,kij->...kj", input1, weight), input2)
    return output if bias is None else output + bias


def _plus_product(product: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    """``beta * input + alpha * product(a, b)``: ``addmm``, ``baddbmm`` and their kin, whatever they call a and b."""

    def run(input: Tensor, *factors: Tensor, beta: float = 1, alpha: float = 1, **named: Tensor) -> Tensor:
        a, b = (*factors, *(named[name] for name in sorted(named)))  # mat1, mat2; batch1, batch2; mat, vec
        added = _times(product(a, b), alpha)
        return added if beta == 0 else _times(input, beta) + added

    return run


def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    return input + _times(tensor1 * tensor2, value)


def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    return input + _times(tensor1 / tensor2, value)


def lerp(input: Tensor, end: Tensor, weight: float | Tensor) -> Tensor:
    return input * (1 - weight) + end * weight


def _over_explained(input: Any, other: Tensor) -> Tensor:
    """A constant divided by an explained value."""
    return other.reciprocal() * input


def _einsum_in_pairs(equation: str, *operands: Tensor) -> Tensor:
    """A product of three factors or more, two at a time from the left."""
    given, _, wanted = equation.replace(" ", "").partition("->")
    terms = given.split(",")
    if "->" not in equation:
        letters = given.replace(",", "").replace("...", "")
        wanted = "..." * ("..." in given) + "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    result, term = operands[0], terms[0]
    for i, (operand, other) in enumerate(zip(operands[1:], terms[1:], strict=True), 2):
        needed = dict.fromkeys(wanted + "".join(terms[i:]))  # the samples' letter comes first in what is wanted
        both = term + other
        kept = "..." * ("..." in both) + "".join(c for c in needed if c in both and c != ".")
        kept = wanted if i == len(operands) else kept
        result, term = torch.einsum(f"{term},{other}->{kept}", result, operand), kept
    return result


def _scatter_sum(input: Tensor, dim: int, index: Tensor, src: Any, *, reduce: str) -> Tensor:
    if reduce != "add":
        raise UnsupportedOperationError(f"scatter with reduce={reduce!r}; sums have a rule")
    src = src if isinstance(src, Tensor) else torch.full(index.shape, src, dtype=input.dtype, device=input.device)
    return input.scatter_add(dim, index, src)


def _with_statistic(statistic: Callable[..., Tensor]) -> Callable[..., tuple[Tensor, Tensor]]:
    """``var_mean`` and ``std_mean``."""

    def run(input: Tensor, dim: Any = None, *args: Any, keepdim: bool = False, **kwargs: Any) -> tuple[Tensor, Tensor]:
        if isinstance(dim, bool):  # var_mean(x, unbiased)
            return statistic(input, dim), input.mean()
        spread = statistic(input, dim, *args, keepdim=keepdim, **kwargs)
        return spread, input.mean(dim, keepdim=spread.ndim == input.ndim)

    return run


def aminmax(input: Tensor, *, dim: Any = None, keepdim: bool = False) -> Any:
    dim = tuple(range(input.ndim)) if dim is None else dim
    return torch.return_types.aminmax((input.amin(dim, keepdim), input.amax(dim, keepdim)))


def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)) else tensors
    shape = torch.broadcast_shapes(*(tensor.shape for tensor in given))
    return tuple(tensor.expand(shape) for tensor in given)


def sum_to_size(input: Tensor, *size: Any) -> Tensor:
    shape = size[0] if len(size) == 1 and isinstance(size[0], (tuple, list)) else size
    extra = input.ndim - len(shape)
    axes = [*range(extra), *(extra + k for k, n in enumerate(shape) if n == 1 and input.shape[extra + k] != 1)]
    return input.sum(axes, keepdim=True).reshape(shape) if axes else input.view(shape)


def _lp_pool(average: Callable[..., Tensor], axes: int) -> Callable[..., Tensor]:
    def run(input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Tensor:
        sizes = kernel_size if isinstance(kernel_size, (tuple, list)) else (kernel_size,) * axes
        powers = average(input.pow(norm_type), kernel_size, stride, 0, ceil_mode)
        return (powers.relu() * math.prod(sizes)).pow(1 / norm_type)

    return run


@with_arguments_of(
    F.embedding_bag,
    takes="input weight offsets max_norm mode per_sample_weights include_last_offset padding_idx "
    "norm_type scale_grad_by_freq sparse",  # of max_norm; of gradients
)
def embedding_bag(given: SimpleNamespace) -> Tensor:
    if given.max_norm is not None:
        raise UnsupportedOperationError("embedding_bag with max_norm changes its table; use F.embedding and a sum")
    ids, weight, mode, padding = given.input.detach(), given.weight, given.mode, given.padding_idx
    kept = torch.ones_like(ids) if padding is None else (ids != padding % len(weight)).to(ids.dtype)
    rows = F.embedding(given.input, weight)
    rows = rows if given.per_sample_weights is None else rows * given.per_sample_weights.unsqueeze(-1)
    if padding is not None:
        filler = -torch.inf if mode == "max" else 0.0
        rows = rows.masked_fill((kept == 0).unsqueeze(-1), filler)
    if given.input.ndim == 2:  # a bag in each row
        sizes = kept.sum(1, keepdim=True)
        bags = rows.amax(1) if mode == "max" else rows.sum(1)
    else:
        starts = given.offsets[:-1] if given.include_last_offset else given.offsets
        bag = torch.searchsorted(starts.contiguous(), torch.arange(len(ids), device=ids.device), right=True) - 1
        sizes = torch.zeros(len(starts), 1, dtype=ids.dtype, device=ids.device).index_add(0, bag, kept.unsqueeze(-1))
        empty = torch.zeros(len(starts), weight.shape[1], dtype=weight.dtype, device=ids.device)
        if mode == "max":
            bags = empty.scatter_reduce(0, bag.unsqueeze(-1).expand(rows.shape), rows, "amax", include_self=False)
        else:
            bags = empty.index_add(0, bag, rows)
    if mode == "mean":
        return bags / sizes.clamp(min=1)
    return bags.masked_fill(sizes == 0, 0.0) if mode == "max" else bags


def _times(x: Tensor, factor: float) -> Tensor:
    return x if factor == 1 else x * factor


def glu(input: Tensor, dim: int = -1) -> Tensor:
    signal, gate = input.chunk(2, dim)
    return signal * torch.sigmoid(gate)


def grouped_mm(
    mat_a: Tensor,
    mat_b: Tensor,
    *,
    offs: Tensor | None = None,
    bias: Tensor | None = None,
    out_dtype: torch.dtype | None = None,
) -> Tensor:
    """One product for each group of rows: experts, each with the tokens that were sent to it. Any dtype."""
    if mat_b.ndim != 3 or mat_a.ndim != (3 if offs is None else 2) or bias is not None or out_dtype is not None:
        raise UnsupportedOperationError(
            f"grouped_mm of shapes {tuple(mat_a.shape)} and {tuple(mat_b.shape)}: relevance is known for groups of "
            "rows (S, K) or batches (G, M, K) times (G, K, N), without bias and out_dtype"
        )
    if offs is None:
        return mat_a @ mat_b
    ends = offs.tolist()
    rows = mat_a.tensor_split(ends)  # one piece more than groups: rows of no group
    parts = [part @ mat_b[i] for i, part in enumerate(rows[:-1]) if len(part)]
    return torch.cat([*parts, mat_a.new_zeros(len(rows[-1]), mat_b.shape[2])])


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


_SAMPLING_MODES, _PADDING_MODES = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")
T = torch.Tensor
DECOMPOSITIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    F.scaled_dot_product_attention: scaled_dot_product_attention,
    F.multi_head_attention_forward: multi_head_attention_forward,
    F.bilinear: bilinear,
    F.glu: glu,
    F.grid_sample: grid_sample,
    **({torch._grouped_mm: grouped_mm} if hasattr(torch, "_grouped_mm") else {}),  # what F.grouped_mm calls
    torch.addcmul: addcmul,
    T.addcmul: addcmul,
    torch.addcdiv: addcdiv,
    T.addcdiv: addcdiv,
    **{function: _plus_product(torch.matmul) for function in (torch.addmm, T.addmm, torch.addmv, T.addmv)},
    **{function: _plus_product(torch.bmm) for function in (torch.baddbmm, T.baddbmm)},
    **{function: _plus_product(lambda a, b: torch.bmm(a, b).sum(0)) for function in (torch.addbmm, T.addbmm)},
    torch.lerp: lerp,
    T.lerp: lerp,
    torch.einsum: _einsum_in_pairs,
    **dict.fromkeys((torch.div, T.div, T.__truediv__), _over_explained),
    torch.scatter: _scatter_sum,
    T.scatter: _scatter_sum,
    torch.var_mean: _with_statistic(torch.var),
    torch.std_mean: _with_statistic(torch.std),
    torch.aminmax: aminmax,
    T.aminmax: aminmax,
    torch.broadcast_tensors: broadcast_tensors,
    T.sum_to_size: sum_to_size,
    F.lp_pool1d: _lp_pool(F.avg_pool1d, 1),
    F.lp_pool2d: _lp_pool(F.avg_pool2d, 2),
    F.lp_pool3d: _lp_pool(F.avg_pool3d, 3),
    F.embedding_bag: embedding_bag,
    **DISTANCES,
    **RECURRENT,
}


def decomposition(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], is_explained: Callable[[Any], bool]
) -> Callable[..., Any] | None:
    """How a call of a torch function is spelled out, if it is: some functions are one map for some arguments alone."""
    if function in (torch.addmm, T.addmm) and list(map(is_explained, args)) == [False, True, False]:
        return None  # a dense layer with its bias
    if function is torch.einsum and len(args) <= 3:
        return None
    if function in (torch.div, T.div, T.__truediv__) and (kwargs or len(args) < 2 or is_explained(args[0])):
        return None
    if function in (torch.scatter, T.scatter) and "reduce" not in kwargs:
        return None
    return DECOMPOSITIONS.get(function)
