"""Own compact definitions of the architectures that the engine has to explain, with random weights.

``ZOO[name]()`` is a small variant for tests, ``ZOO[name](full=True)`` the published size for benchmarks.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tests.architectures import (
    classic,
    dense_prediction,
    graph,
    inception,
    language,
    mobile,
    modern,
    odd,
    residual,
    sequence,
)
from tests.architectures.example import Example, FromEmbeddings, shake

__all__ = ["ZOO", "Example", "FromEmbeddings", "recommended", "shake", "strongest"]

ZOO: dict[str, Callable[..., Example]] = {
    function.__name__: function
    for function in (
        *(classic.alexnet, classic.vgg16, classic.vgg16_norm, classic.squeezenet),
        *(residual.resnet18, residual.resnet50, residual.resnext50, residual.wide_resnet50),
        *(residual.densenet121, residual.regnet, inception.googlenet, inception.inception_v3),
        *(mobile.mobilenet_v2, mobile.mobilenet_v3, mobile.efficientnet, mobile.efficientnet_v2),
        *(mobile.mnasnet, mobile.shufflenet_v2),
        *(modern.convnext, modern.vit, modern.swin, modern.swin_v2, modern.maxvit),
        *(dense_prediction.unet, dense_prediction.unet_upsample, dense_prediction.unet_nearest),
        *(dense_prediction.deeplab, sequence.conv1d, sequence.temporal, sequence.wavenet),
        *(sequence.rnn, sequence.lstm, sequence.gru, sequence.lstm_deep, sequence.gru_deep),
        *(sequence.lstm_time_first, sequence.lstm_packed, sequence.gru_packed, sequence.lstm_cell),
        *(language.bert, language.gpt, language.llama, language.transformer_encoder, language.transformer),
        *(graph.gcn, graph.gcn_sparse, graph.gin, graph.gat),
        *(odd.two_inputs, odd.siamese, odd.used_twice, odd.control_flow, odd.functional, odd.in_place),
        *(odd.assignment, odd.gates, odd.sparse_experts, odd.spatial_transformer),
        *(odd.patch_mixer, odd.point_cloud, odd.bag_of_words, odd.volume),
    )
}

_ATTENTION = {"vit", "swin", "swin_v2", "maxvit", "bert", "gpt", "llama", "transformer_encoder", "transformer", "gat"}
_RECURRENT = {
    "rnn",
    "lstm",
    "gru",
    "lstm_deep",
    "gru_deep",
    "lstm_time_first",
    "lstm_packed",
    "gru_packed",
    "lstm_cell",
}


def recommended(name: str) -> str:
    """The composite for an architecture: AttnLRP with attention, ε for recurrent layers, z⁺ for convolutions."""
    if name in _ATTENTION:
        return "attn_lrp"
    return "epsilon" if name in _RECURRENT else "epsilon_plus"


def strongest(output: Tensor) -> Tensor:
    """Relevance that starts as the largest output of each sample, of whatever shape."""
    flat = output.flatten(1)
    return torch.zeros_like(flat).scatter_(1, flat.argmax(1, keepdim=True), flat.amax(1, keepdim=True)).view_as(output)
