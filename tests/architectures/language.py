"""Transformers over token ids; id 0 is padding. Each has ``embed``, ``mask`` and ``forward_embedded``."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.architectures.example import Example, example, noise, tokens


class TokenModel(nn.Module):
    """``model(ids)`` is ``model.forward_embedded(model.embed(ids), model.mask(ids))``."""

    def __init__(self, vocabulary: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)

    def embed(self, ids: Tensor) -> Tensor:
        """Embeddings of the tokens, (samples, length, width)."""
        return self.embedding(ids)

    def mask(self, ids: Tensor) -> Tensor | None:
        """True at tokens that are no padding, (samples, length)."""
        return ids != 0

    def forward(self, ids: Tensor) -> Tensor:
        return self.forward_embedded(self.embed(ids), self.mask(ids))

    def forward_embedded(self, x: Tensor, mask: Tensor | None) -> Tensor:
        raise NotImplementedError


class PostNormBlock(nn.Module):
    """Attention and a pointwise network, normalized after each (BERT, Devlin et al. 2019)."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, n_heads, dropout=0.1, batch_first=True)
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-12), nn.LayerNorm(width, eps=1e-12)
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: Tensor, padding: Tensor) -> Tensor:
        y, _ = self.attention(x, x, x, key_padding_mask=padding)
        x = self.norm1(x + self.dropout(y))
        return self.norm2(x + self.dropout(self.narrow(F.gelu(self.widen(x)))))


class Bert(TokenModel):
    """An encoder whose first token answers."""

    def __init__(self, vocabulary: int, width: int, depth: int, n_heads: int, length: int, n_classes: int) -> None:
        super().__init__(vocabulary, width)
        self.positions, self.kinds = nn.Embedding(length, width), nn.Embedding(2, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.blocks = nn.ModuleList(PostNormBlock(width, n_heads) for _ in range(depth))
        self.pooler, self.head = nn.Linear(width, width), nn.Linear(width, n_classes)

    def forward_embedded(self, x: Tensor, mask: Tensor | None) -> Tensor:
        places = torch.arange(x.shape[1], device=x.device)
        x = self.norm(x + self.positions(places) + self.kinds(torch.zeros_like(places)))
        for block in self.blocks:
            x = block(x, ~mask)
        return self.head(torch.tanh(self.pooler(x[:, 0])))


def bert(full: bool = False) -> Example:
    """BERT-base, of four classes."""
    model = Bert(30522, 768, 12, 12, 512, 4) if full else Bert(30, 16, 2, 4, 12, 4)
    ids = tokens(2, 128, 30522, 28) if full else tokens(3, 9, 30, 4)
    return example(model, ids, explained="embeddings")


class CausalBlock(nn.Module):
    """Causal attention by `scaled_dot_product_attention` and a pointwise network (GPT-2, Radford et al. 2019)."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        n, length, width = x.size()
        q, k, v = (
            part.view(n, length, self.n_heads, width // self.n_heads).transpose(1, 2)
            for part in self.qkv(self.norm1(x)).split(width, dim=2)
        )
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(y.transpose(1, 2).contiguous().view(n, length, width))
        return x + self.mlp(self.norm2(x))


class Gpt(TokenModel):
    """A decoder that gives the next token's logits; the embedding serves as the last layer as well."""

    def __init__(self, vocabulary: int, width: int, depth: int, n_heads: int, length: int) -> None:
        super().__init__(vocabulary, width)
        self.positions = nn.Parameter(torch.zeros(length, width))
        self.blocks = nn.ModuleList(CausalBlock(width, n_heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def mask(self, ids: Tensor) -> None:
        return None

    def forward_embedded(self, x: Tensor, mask: Tensor | None) -> Tensor:
        x = x + self.positions[: x.shape[1]]
        for block in self.blocks:
            x = block(x)
        return F.linear(self.norm(x)[:, -1], self.embedding.weight)


def gpt(full: bool = False) -> Example:
    """GPT-2."""
    model = Gpt(50257, 768, 12, 12, 1024) if full else Gpt(20, 16, 2, 4, 12)
    return example(model, tokens(2, 128 if full else 7, 20), explained="embeddings")


class RootMeanSquareNorm(nn.Module):
    """RMSNorm spelled out (Zhang and Sennrich 2019)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        given = x.dtype
        x = x.to(torch.float32) if given == torch.float16 else x
        x = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)
        return self.weight * x.to(given)


def _rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary position embedding (Su et al. 2021), x (samples, heads, length, width)."""
    half = x.shape[-1] // 2
    return x * cos + torch.cat((-x[..., half:], x[..., :half]), dim=-1) * sin


class LlamaBlock(nn.Module):
    """Grouped-query attention with rotary positions, and SwiGLU (Touvron et al. 2023)."""

    def __init__(self, width: int, n_heads: int, n_groups: int, hidden: int, fused: bool) -> None:
        super().__init__()
        self.n_heads, self.n_groups, self.head_width, self.fused = n_heads, n_groups, width // n_heads, fused
        self.norm1, self.norm2 = RootMeanSquareNorm(width), RootMeanSquareNorm(width)
        self.q = nn.Linear(width, width, bias=False)
        self.k = nn.Linear(width, n_groups * self.head_width, bias=False)
        self.v = nn.Linear(width, n_groups * self.head_width, bias=False)
        self.proj = nn.Linear(width, width, bias=False)
        self.gate, self.up = nn.Linear(width, hidden, bias=False), nn.Linear(width, hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor) -> Tensor:
        x = x + self.attend(self.norm1(x), cos, sin, mask)
        y = self.norm2(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))

    def attend(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor) -> Tensor:
        n, length, _ = x.shape
        q, k, v = (layer(x).view(n, length, -1, self.head_width).transpose(1, 2) for layer in (self.q, self.k, self.v))
        q, k = _rotated(q, cos, sin), _rotated(k, cos, sin)
        if self.fused:
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)
        else:
            copies = self.n_heads // self.n_groups
            k, v = (
                part[:, :, None].expand(n, self.n_groups, copies, length, -1).reshape(n, self.n_heads, length, -1)
                for part in (k, v)
            )
            scores = torch.matmul(q, k.transpose(2, 3)) / math.sqrt(self.head_width)
            scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
            y = torch.matmul(F.softmax(scores, dim=-1, dtype=scores.dtype).to(q.dtype), v)
        return self.proj(y.transpose(1, 2).reshape(n, length, -1))


class Llama(TokenModel):
    """A decoder without biases; odd blocks spell attention out, even ones call the fused function."""

    def __init__(self, vocabulary: int, width: int, depth: int, n_heads: int, n_groups: int, hidden: int) -> None:
        super().__init__(vocabulary, width)
        self.blocks = nn.ModuleList(LlamaBlock(width, n_heads, n_groups, hidden, i % 2 == 0) for i in range(depth))
        self.norm, self.head = RootMeanSquareNorm(width), nn.Linear(width, vocabulary, bias=False)
        self.register_buffer("frequencies", 10000.0 ** -torch.arange(0, 1, 2 / (width // n_heads)))

    def forward_embedded(self, x: Tensor, mask: Tensor | None) -> Tensor:
        length = x.shape[1]
        angles = torch.arange(length, device=x.device)[:, None] * self.frequencies
        angles = torch.cat([angles, angles], -1)
        cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
        causal = torch.ones(length, length, dtype=torch.bool, device=x.device).tril()
        allowed = causal & mask[:, None, None, :]
        for block in self.blocks:
            x = block(x, cos, sin, allowed)
        return self.head(self.norm(x)[:, -1])


def llama(full: bool = False) -> Example:
    """Llama with 160 million weights."""
    model = Llama(32000, 768, 12, 12, 4, 2048) if full else Llama(20, 16, 2, 4, 2, 24)
    return example(model, tokens(2, 128 if full else 7, 20), explained="embeddings")


class LayerEncoder(TokenModel):
    """`nn.TransformerEncoder`, whose fused inference path must not hide what it computes."""

    def __init__(self, vocabulary: int, width: int, depth: int, n_heads: int, n_classes: int) -> None:
        super().__init__(vocabulary, width)
        layer = nn.TransformerEncoderLayer(
            width, n_heads, 4 * width, batch_first=True, activation="gelu", norm_first=False
        )
        self.encoder = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.head = nn.Linear(width, n_classes)

    def forward_embedded(self, x: Tensor, mask: Tensor | None) -> Tensor:
        x = self.encoder(x, src_key_padding_mask=~mask)
        weights = mask.to(x.dtype).unsqueeze(-1)
        return self.head((x * weights).sum(1) / weights.sum(1))


def transformer_encoder(full: bool = False) -> Example:
    model = LayerEncoder(10000, 512, 6, 8, 5) if full else LayerEncoder(20, 16, 2, 4, 5)
    ids = tokens(2, 128, 10000, 28) if full else tokens(3, 8, 20, 3)
    return example(model, ids, explained="embeddings")


class Translator(nn.Module):
    """`nn.Transformer` from one sequence of vectors to another: two explained inputs."""

    def __init__(self, width: int, depth: int, n_heads: int, n_classes: int) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(width, n_heads, 4 * width, batch_first=True, norm_first=True)
        encoder = nn.TransformerEncoder(layer, depth, nn.LayerNorm(width), enable_nested_tensor=False)
        self.transformer = nn.Transformer(
            *(width, n_heads, depth, depth, 4 * width), custom_encoder=encoder, batch_first=True, norm_first=True
        )
        self.head = nn.Linear(width, n_classes)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        causal = nn.Transformer.generate_square_subsequent_mask(target.shape[1], dtype=target.dtype)
        return self.head(self.transformer(source, target, tgt_mask=causal, tgt_is_causal=True)[:, -1])


def transformer(full: bool = False) -> Example:
    width, length = (512, 64) if full else (16, 6)
    model = Translator(512, 6, 8, 10) if full else Translator(16, 2, 4, 5)
    return example(model, noise(2, length, width), noise(2, length - 2, width, seed=1))
