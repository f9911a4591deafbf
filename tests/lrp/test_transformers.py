"""The transformers library as a client: models built from small configurations, explained as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from neon import LRP, composites
from tests.architectures.transformers_library import LIBRARY

transformers = pytest.importorskip("transformers", reason="an optional client, which needs Python 3.11")

SIZE = {"vocab_size": 100, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}


def bert(**options: Any) -> Callable[[Tensor], Tensor]:
    model = transformers.BertForSequenceClassification(transformers.BertConfig(**SIZE, **options)).double().eval()
    return lambda ids: model(input_ids=ids, attention_mask=(ids > 20).long()).logits


def gpt2() -> Callable[[Tensor], Tensor]:
    config = transformers.GPT2Config(
        vocab_size=100, n_embd=32, n_layer=2, n_head=4, n_positions=32, bos_token_id=0, eos_token_id=0
    )
    model = transformers.GPT2LMHeadModel(config).double().eval()
    return lambda ids: model(input_ids=ids).logits[:, -1]


def llama() -> Callable[[Tensor], Tensor]:
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**SIZE, num_key_value_heads=2)).double().eval()
    return lambda ids: model(input_ids=ids).logits[:, -1]


def vit() -> Callable[[Tensor], Tensor]:
    size = {key: value for key, value in SIZE.items() if key != "vocab_size"}
    config = transformers.ViTConfig(**size, image_size=32, patch_size=8, num_labels=5)
    model = transformers.ViTForImageClassification(config).double().eval()
    return lambda pixels: model(pixel_values=pixels).logits


MODELS = {
    "bert": bert,
    "bert, eager attention": lambda: bert(attn_implementation="eager"),
    "gpt2": gpt2,
    "llama": llama,
    "vit": vit,
}


@pytest.mark.parametrize("composite", ["attn_lrp", "cp_lrp"])
@pytest.mark.parametrize("name", MODELS)
def test_models_are_explained_as_they_are(name: str, composite: str) -> None:
    torch.manual_seed(0)
    model = MODELS[name]()
    x = torch.randn(2, 3, 32, 32).double() if name == "vit" else torch.randint(5, 90, (2, 9))
    recording = LRP(model, composite).record(x)
    with torch.no_grad():
        torch.testing.assert_close(recording.output, model(x), rtol=1e-10, atol=1e-12)
    walk = recording.propagate(1, account=True)
    (relevance,) = walk.relevance
    assert relevance.shape == x.shape
    total = relevance.flatten(1).sum(1) + sum(walk.ledger.absorbed.values())
    torch.testing.assert_close(total, recording.output[:, 1], rtol=1e-9, atol=1e-12)
    assert recording.plan(1).largest_growth < 100
    torch.testing.assert_close(LRP(model, composite, memory="low")(x, 1), relevance, rtol=1e-8, atol=1e-12)


CLIENTS = ["DeBERTa-v2", "Gemma3", "BLOOM", "T5, classification", "Mamba2", "RWKV", "Qwen3-MoE", "CLIP", "LLaVA"]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", CLIENTS)
def test_clients_are_explained_in_any_precision(name: str, dtype: torch.dtype) -> None:
    """Each kind of model that was refused or exploded once; the whole library is in benchmarks/transformers.py."""
    client = LIBRARY[name]().to(dtype)
    recording = LRP(client.call, "attn_lrp").record(client.inputs)
    if dtype == torch.float64 and hasattr(client.model, "set_experts_implementation"):
        client.model.set_experts_implementation("eager")
    with torch.no_grad():
        output = client.call(*client.inputs)
    spacing = torch.finfo(output.dtype).eps
    torch.testing.assert_close(recording.output, output, rtol=0.0, atol=50 * spacing * float(output.abs().max()))
    walk = recording.propagate(1, account=True)
    relevance = sum(part.flatten(1).sum(1).double() for part in walk.relevance)
    size = sum(part.flatten(1).abs().sum(1).double() for part in walk.relevance)
    residual = sum(amount.double() for amount in walk.ledger.absorbed.values())
    error = (relevance + residual - recording.output[:, 1]).abs() / (recording.output[:, 1].abs() + size)
    spacing = torch.finfo(walk.relevance[0].dtype).eps  # pixels in half precision have relevance in half precision
    assert float(error.max()) <= max(1e-12 if dtype == torch.float64 else 1e-5, 2 * spacing)
    assert recording.plan(1).largest_growth < 100


def test_experts_are_explained_the_same_however_they_are_computed() -> None:
    """But for stabilisers, of which sums one by one take more than a sum at once."""
    found, composite = [], composites.attn_lrp(1e-13)
    for implementation in ("grouped_mm", "batched_mm", "eager"):
        client = LIBRARY["Mixtral"]().to(torch.float64)
        client.model.set_experts_implementation(implementation)
        found.append(LRP(client.call, composite)(client.inputs, 1)[0])
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], rtol=1e-6, atol=1e-10)


def test_masked_tokens_have_no_relevance() -> None:
    torch.manual_seed(0)
    ids = torch.tensor([[30, 40, 50, 3, 2], [60, 70, 80, 90, 4]])  # below 20: masked
    relevance = LRP(bert(), "attn_lrp")(ids, 1)
    assert float(relevance[ids < 20].abs().max()) <= 1e-12 * float(relevance.abs().max())


def test_spelled_out_activations_and_norms_are_recognised() -> None:
    torch.manual_seed(0)
    ids = torch.randint(5, 90, (2, 9))
    operations = [row.operation for row in LRP(gpt2(), "attn_lrp").plan(ids).rows]
    assert operations.count("elementwise_region") == 2  # gelu_new, once a layer
    assert "pow" not in operations
    assert "rsqrt" not in [row.operation for row in LRP(llama(), "attn_lrp").plan(ids).rows]
