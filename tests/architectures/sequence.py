"""Networks over time: convolutions in one dimension, dilated and gated, and recurrent layers."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from tests.architectures.example import Example, example, noise, tokens


def conv1d(full: bool = False) -> Example:
    """A plain network over signals, (samples, channels, time)."""
    w, n_channels, length = (64, 12, 1000) if full else (4, 3, 60)
    model = nn.Sequential(
        nn.Conv1d(n_channels, w, 7, 2, 3), nn.BatchNorm1d(w), nn.ReLU(inplace=True), nn.MaxPool1d(3, 2, 1),
        nn.Conv1d(w, 2 * w, 5, padding=2), nn.BatchNorm1d(2 * w), nn.PReLU(2 * w), nn.AvgPool1d(2),
        nn.Conv1d(2 * w, 4 * w, 3, groups=2), nn.GroupNorm(2, 4 * w), nn.ELU(), nn.Dropout1d(0.1),
        nn.AdaptiveMaxPool1d(4), nn.Flatten(), nn.Linear(16 * w, 5),
    )  # fmt: skip
    return example(model, noise(3, n_channels, length))


class TemporalBlock(nn.Module):
    """Two causal dilated convolutions beside a skip connection (Bai et al. 2018)."""

    def __init__(self, channels: int, out: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.ahead = (kernel - 1) * dilation
        self.conv1 = weight_norm(nn.Conv1d(channels, out, kernel, padding=self.ahead, dilation=dilation))
        self.conv2 = weight_norm(nn.Conv1d(out, out, kernel, padding=self.ahead, dilation=dilation))
        self.shortcut = nn.Conv1d(channels, out, 1) if channels != out else None
        self.dropout = nn.Dropout(0.2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.dropout(F.relu(self.conv1(x)[:, :, : -self.ahead]))
        y = self.dropout(F.relu(self.conv2(y)[:, :, : -self.ahead].contiguous()))
        return F.relu(y + (x if self.shortcut is None else self.shortcut(x)))


class TemporalNet(nn.Module):
    """Dilations that double from block to block; the last step answers."""

    def __init__(self, channels: int, widths: tuple[int, ...], n_classes: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            *(TemporalBlock(a, b, 3, 2**i) for i, (a, b) in enumerate(zip((channels, *widths), widths, strict=False)))
        )
        self.head = nn.Linear(widths[-1], n_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(x)[..., -1])


def temporal(full: bool = False) -> Example:
    model = TemporalNet(12, (64,) * 8, 10) if full else TemporalNet(3, (4, 8, 8), 5)
    return example(model, noise(3, 12 if full else 3, 1000 if full else 40))


class WaveNet(nn.Module):
    """Gated dilated convolutions; every block adds to one sum (van den Oord et al. 2016)."""

    def __init__(self, width: int, depth: int, n_classes: int) -> None:
        super().__init__()
        self.enter = nn.Conv1d(1, width, 1)
        self.gated = nn.ModuleList(nn.Conv1d(width, 2 * width, 2, dilation=2**i) for i in range(depth))
        self.onward = nn.ModuleList(nn.Conv1d(width, width, 1) for _ in range(depth))
        self.aside = nn.ModuleList(nn.Conv1d(width, width, 1) for _ in range(depth))
        self.head = nn.Sequential(nn.ReLU(), nn.Conv1d(width, n_classes, 1))

    def forward(self, x: Tensor) -> Tensor:
        x, total = self.enter(x), 0
        for gated, onward, aside in zip(self.gated, self.onward, self.aside, strict=True):
            ahead = gated.dilation[0]
            a, b = gated(F.pad(x, (ahead, 0))).chunk(2, dim=1)
            y = torch.tanh(a) * torch.sigmoid(b)
            total = total + aside(y)
            x = x + onward(y)
        return self.head(total).mean(-1)


def wavenet(full: bool = False) -> Example:
    return example(WaveNet(64, 10, 20) if full else WaveNet(4, 4, 5), noise(2, 1, 2000 if full else 30))


class Recurrent(nn.Module):
    """A recurrent layer read out at the last step, or by its mean over the steps."""

    def __init__(self, layer: type[nn.Module], features: int, width: int, n_classes: int, **options: object) -> None:
        super().__init__()
        self.rnn = layer(features, width, **options)
        self.head = nn.Linear(width * (2 if self.rnn.bidirectional else 1), n_classes)

    def forward(self, x: Tensor) -> Tensor:
        outputs, _ = self.rnn(x)
        if not self.rnn.batch_first:
            outputs = outputs.transpose(0, 1)
        return self.head(outputs.mean(1) if self.rnn.bidirectional else outputs[:, -1])


def _recurrent(layer: type[nn.Module], full: bool, **options: object) -> Example:
    features, width, steps = (128, 256, 100) if full else (4, 8, 7)
    return example(Recurrent(layer, features, width, 5, **options), noise(3, steps, features))


def rnn(full: bool = False) -> Example:
    return _recurrent(nn.RNN, full, batch_first=True)


def lstm(full: bool = False) -> Example:
    return _recurrent(nn.LSTM, full, batch_first=True)


def gru(full: bool = False) -> Example:
    return _recurrent(nn.GRU, full, batch_first=True)


def lstm_deep(full: bool = False) -> Example:
    """Several layers in both directions."""
    return _recurrent(nn.LSTM, full, batch_first=True, num_layers=3, bidirectional=True, dropout=0.1)


def gru_deep(full: bool = False) -> Example:
    """Several layers in both directions, without biases."""
    return _recurrent(nn.GRU, full, batch_first=True, num_layers=2, bidirectional=True, bias=False)


class TimeFirst(nn.Module):
    """A model of (time, samples, features) that is given (samples, time, features)."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x.transpose(0, 1))


def lstm_time_first(full: bool = False) -> Example:
    inner = _recurrent(nn.LSTM, full, num_layers=2)
    return example(TimeFirst(inner.model), *inner.inputs)


class PackedText(nn.Module):
    """Sequences of several lengths, packed; the states after their own last steps answer."""

    def __init__(self, layer: type[nn.Module], vocabulary: int, features: int, width: int, n_classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, features, padding_idx=0)
        self.rnn = layer(features, width, batch_first=True, bidirectional=True)
        self.head = nn.Linear(4 * width, n_classes)

    def mask(self, ids: Tensor) -> Tensor:
        return ids != 0

    def embed(self, ids: Tensor) -> Tensor:
        return self.embedding(ids)

    def forward(self, ids: Tensor) -> Tensor:
        return self.forward_embedded(self.embed(ids), self.mask(ids))

    def forward_embedded(self, embedded: Tensor, mask: Tensor) -> Tensor:
        lengths = mask.sum(1)
        packed = pack_padded_sequence(embedded, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, state = self.rnn(packed)
        outputs, _ = pad_packed_sequence(outputs, batch_first=True)
        last = state[0] if isinstance(state, tuple) else state
        means = outputs.sum(1) / lengths.unsqueeze(1)
        return self.head(torch.cat([last[0], last[1], means], 1))


def lstm_packed(full: bool = False) -> Example:
    model = PackedText(nn.LSTM, 1000, 128, 256, 5) if full else PackedText(nn.LSTM, 20, 4, 6, 3)
    ids = tokens(3, 60, 1000, 20) if full else tokens(3, 8, 20, 3)
    return example(model, ids, explained="embeddings")


def gru_packed(full: bool = False) -> Example:
    model = PackedText(nn.GRU, 1000, 128, 256, 5) if full else PackedText(nn.GRU, 20, 4, 6, 3)
    ids = tokens(3, 60, 1000, 20) if full else tokens(3, 8, 20, 3)
    return example(model, ids, explained="embeddings")


class CellLoop(nn.Module):
    """An LSTM cell in a Python loop, then attention over its states."""

    def __init__(self, features: int, width: int, n_classes: int) -> None:
        super().__init__()
        self.cell, self.score = nn.LSTMCell(features, width), nn.Linear(width, 1)
        self.head = nn.Linear(width, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        h = c = x.new_zeros(len(x), self.cell.hidden_size)
        states = []
        for step in x.unbind(1):
            h, c = self.cell(step, (h, c))
            states.append(h)
        stacked = torch.stack(states, 1)
        weights = torch.softmax(self.score(torch.tanh(stacked)), 1)
        return self.head((weights * stacked).sum(1))


def lstm_cell(full: bool = False) -> Example:
    model = CellLoop(128, 256, 5) if full else CellLoop(4, 8, 5)
    return example(model, noise(3, 100 if full else 6, 128 if full else 4))
