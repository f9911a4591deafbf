"""Models of the transformers library from small configurations, with seeded random weights.

``LIBRARY[name]()`` is a function of its inputs and these inputs: token ids, pixels, spectrograms, waves or series.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tests.architectures.example import images, noise

__all__ = ["LIBRARY", "Client", "client"]

_TEXT = {"vocab_size": 100, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
_SIZE = {**_TEXT, "intermediate_size": 64}
_VISION = {**{key: value for key, value in _SIZE.items() if key != "vocab_size"}, "image_size": 32, "patch_size": 8}
_GROUPED = {**_SIZE, "num_key_value_heads": 2}
_EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 32}
_SPECIAL = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}


@dataclass(frozen=True, eq=False)
class Client:
    """A model of the library as a function of its explained inputs, ``call(*inputs)``, one sample a row."""

    model: nn.Module
    call: Callable[..., Tensor]
    inputs: tuple[Tensor, ...]

    def to(self, dtype: torch.dtype) -> Client:
        """The same model in another precision; what the call holds besides is the model's own matter."""
        self.model.to(dtype)
        return Client(self.model, self.call, tuple(x.to(dtype) if x.is_floating_point() else x for x in self.inputs))


def ids(n_samples: int = 2, length: int = 9) -> Tensor:
    return torch.randint(5, 90, (n_samples, length), generator=torch.Generator().manual_seed(0))


def client(name: str, config: str, read: Callable[[Any, Tensor], Tensor], x: Tensor, **options: Any) -> Client:
    """A model by the names of its class and of its configuration's; ``read(model, x)`` is what is explained."""
    import transformers

    torch.manual_seed(0)
    model = getattr(transformers, name)(getattr(transformers, config)(**options)).eval()
    return Client(model, lambda x: read(model, x), (x,))


def _class(model: Any, x: Tensor) -> Tensor:
    logits: Tensor = model(x).logits
    return logits


def _next_token(model: Any, x: Tensor) -> Tensor:
    logits: Tensor = model(x).logits[:, -1]
    return logits


def classifier(family: str, **options: Any) -> Callable[[], Client]:
    """Classes of a text or an image."""
    x = ids()
    x[:, -1] = 2  # the end, where T5 and BART read
    return lambda: client(f"{family}ForSequenceClassification", f"{family}Config", _class, x, **options)


def image_classifier(family: str, **options: Any) -> Callable[[], Client]:
    name, config = f"{family}ForImageClassification", f"{family}Config"
    return lambda: client(name, config, _class, images(2, 32), num_labels=5, **options)


def writer(family: str, head: str = "ForCausalLM", config: str = "", **options: Any) -> Callable[[], Client]:
    """The next token of a text."""
    return lambda: client(f"{family}{head}", config or f"{family}Config", _next_token, ids(), **options)


def _clip(family: str) -> Callable[[], Client]:
    """How well images fit the texts."""
    text = {**_SIZE, "max_position_embeddings": 16, **_SPECIAL}
    options = {"text_config": text, "vision_config": _VISION, "projection_dim": 16}

    def read(model: Any, x: Tensor) -> Tensor:
        found: Tensor = model(input_ids=ids(3, 7), pixel_values=x).logits_per_image
        return found

    options = options if family == "CLIP" else {key: options[key] for key in ("text_config", "vision_config")}
    return lambda: client(f"{family}Model", f"{family}Config", read, images(2, 32), **options)


def _llava() -> Client:
    options = {
        "text_config": {"model_type": "llama", **_GROUPED},
        "vision_config": {"model_type": "clip_vision_model", **_VISION, "projection_dim": 16},
        "image_token_index": 99,
        "image_seq_length": 16,
        "vision_feature_layer": -1,
    }
    text = torch.cat([torch.full((2, 16), 99), ids(2, 5)], 1)

    def read(model: Any, x: Tensor) -> Tensor:
        logits: Tensor = model(input_ids=text, pixel_values=x).logits[:, -1]
        return logits

    return client("LlavaForConditionalGeneration", "LlavaConfig", read, images(2, 32), **options)


def _whisper() -> Client:
    layers = {f"{side}_{what}": n for side in ("encoder", "decoder") for what, n in _WHISPER.items()}
    options = {**layers, "vocab_size": 100, "d_model": 32, "num_mel_bins": 8, "max_source_positions": 16, **_SPECIAL}
    text = ids(2, 4)

    def read(model: Any, x: Tensor) -> Tensor:
        logits: Tensor = model(input_features=x, decoder_input_ids=text).logits[:, -1]
        return logits

    options |= {"max_target_positions": 16, "decoder_start_token_id": 1}
    return client("WhisperForConditionalGeneration", "WhisperConfig", read, noise(2, 8, 32), **options)


_WHISPER = {"layers": 2, "attention_heads": 4, "ffn_dim": 64}
_BART = {f"{side}_{what}": n for side in ("encoder", "decoder") for what, n in _WHISPER.items()}


def _wav2vec2() -> Client:
    wave = {"conv_dim": (16, 16), "conv_stride": (5, 2), "conv_kernel": (10, 3), "num_feat_extract_layers": 2}
    options = {**_SIZE, **wave, "num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2, "num_labels": 4}
    options |= {"classifier_proj_size": 16}
    return client("Wav2Vec2ForSequenceClassification", "Wav2Vec2Config", _class, noise(2, 400), **options)


def _patchtst() -> Client:
    size = {"d_model": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "ffn_dim": 64}
    options = {**size, "num_input_channels": 3, "context_length": 32, "patch_length": 8, "patch_stride": 8}

    def read(model: Any, x: Tensor) -> Tensor:
        found: Tensor = model(past_values=x).prediction_outputs
        return found.flatten(1)

    options |= {"prediction_length": 4}
    return client("PatchTSTForPrediction", "PatchTSTConfig", read, noise(2, 32, 3).cumsum(1), **options)


def _deepseek() -> Callable[[], Client]:
    latent = {"q_lora_rank": 16, "kv_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 8}
    experts = {**_EXPERTS, "n_routed_experts": 4, "n_group": 2, "topk_group": 1, "first_k_dense_replace": 1}
    return writer("DeepseekV3", **{**_SIZE, "num_key_value_heads": 4}, **latent, **experts, n_shared_experts=1)


_DISTIL = {"vocab_size": 100, "dim": 32, "hidden_dim": 64, "n_layers": 2, "n_heads": 4}
_GPT2 = {"vocab_size": 100, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 32}
_MAMBA = {"vocab_size": 100, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 8}
_T5 = {"vocab_size": 100, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}
_SWIN = {"image_size": 32, "patch_size": 4, "embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4], "window_size": 4}

LIBRARY: dict[str, Callable[[], Client]] = {
    "BERT": classifier("Bert", **_SIZE),
    "RoBERTa": classifier("Roberta", **_SIZE, pad_token_id=1),
    "DistilBERT": classifier("DistilBert", **_DISTIL),
    "DeBERTa-v2": classifier("DebertaV2", **_SIZE, relative_attention=True, pos_att_type=["p2c", "c2p"]),
    "ModernBERT": classifier("ModernBert", **_SIZE, **_SPECIAL, cls_token_id=1, sep_token_id=2),
    "GPT-2": writer("GPT2", "LMHeadModel", **_GPT2, bos_token_id=0, eos_token_id=0),
    "Llama": writer("Llama", **_GROUPED),
    "Mistral": writer("Mistral", **_GROUPED),
    "Qwen2": writer("Qwen2", **_GROUPED),
    "Qwen3": writer("Qwen3", **_GROUPED, head_dim=8),
    "Gemma": writer("Gemma", **_GROUPED, head_dim=8),
    "Gemma2": writer("Gemma2", **_GROUPED, head_dim=8),
    "Gemma3": writer("Gemma3", config="Gemma3TextConfig", **_GROUPED, head_dim=8),
    "Phi3": writer("Phi3", **_GROUPED, **_SPECIAL),
    "Cohere": writer("Cohere", **_GROUPED, **_SPECIAL),
    "BLOOM": writer("Bloom", vocab_size=100, hidden_size=32, n_layer=2, n_head=4),
    "T5, classification": classifier("T5", **_T5, num_labels=3, decoder_start_token_id=0, **_SPECIAL),
    "BART, classification": classifier("Bart", **_BART, vocab_size=100, d_model=32, max_position_embeddings=32),
    "Mamba": writer("Mamba", **_MAMBA),
    "Mamba2": writer("Mamba2", **_MAMBA, num_heads=4, head_dim=16, n_groups=1, chunk_size=4),
    "RWKV": writer("Rwkv", vocab_size=100, hidden_size=32, num_hidden_layers=2, attention_hidden_size=32),
    "Mixtral": writer("Mixtral", **_GROUPED, num_local_experts=4),
    "Qwen3-MoE": writer("Qwen3Moe", **_GROUPED, **_EXPERTS, head_dim=8, num_experts=4),
    "DeepSeek-V3": _deepseek(),
    "ViT": image_classifier("ViT", **_VISION),
    "Swin": image_classifier("Swin", **_SWIN),
    "ConvNeXtV2": image_classifier("ConvNextV2", hidden_sizes=[8, 16, 16, 32], depths=[1, 1, 2, 1]),
    "CLIP": _clip("CLIP"),
    "SigLIP": _clip("Siglip"),
    "LLaVA": _llava,
    "Whisper": _whisper,
    "Wav2Vec2": _wav2vec2,
    "PatchTST": _patchtst,
}
