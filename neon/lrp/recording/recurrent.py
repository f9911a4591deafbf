"""Recurrent layers and cells spelled out step by step: LSTM, GRU and plain ones, packed sequences too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from neon.errors import UnsupportedOperationError

__all__ = ["RECURRENT", "refuse_dropout"]


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
    """One step, both products and biases of which are given; the GRU keeps the recurrent bias inside its gate.

    A last weight beside them projects what the step gives out (``proj_size``).
    """
    w_x, w_h, *biases = weights
    projection = biases.pop() if len(biases) % 2 else None
    found: tuple[Tensor, ...]
    if step is _gru_step:
        b_x, b_h = biases or (None, None)
        found = step(F.linear(x, w_x, b_x), state, w_h, b_h)
    else:
        found = step(F.linear(x, w_x, biases[0] + biases[1] if biases else None), state, w_h)
    return found if projection is None else (F.linear(found[0], projection), *found[1:])


def _recurrent(step: Callable[..., Any], n_states: int) -> Callable[..., Any]:
    """``torch.lstm`` and its kin, for batches of sequences and for packed ones."""

    def run(*args: Any) -> tuple[Tensor, ...]:
        packed = isinstance(args[3], (list, tuple))
        if packed:
            x, sizes, state, weights, _, n_layers, dropout, training, bidirectional = args
            steps = list(x.split(sizes.tolist()))
        else:
            x, state, weights, _, n_layers, dropout, training, bidirectional, batch_first = args
            steps = list(x.unbind(1 if batch_first else 0))
        refuse_dropout(dropout if training else 0.0, "a recurrent layer")
        state = state if isinstance(state, (list, tuple)) else (state,)
        n_directions = 1 + bool(bidirectional)
        per_layer = len(weights) // (n_layers * n_directions)
        last: list[tuple[Tensor, ...]] = []
        for layer in range(n_layers):
            outputs = []
            for direction in range(n_directions):
                cell = layer * n_directions + direction
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


def refuse_dropout(p: float, name: str) -> None:
    if p:
        raise UnsupportedOperationError(f"dropout {p} inside {name} is random; call model.eval() first")


_tanh_step, _relu_step = _plain_step(torch.tanh), _plain_step(torch.relu)
RECURRENT: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.lstm: _recurrent(_lstm_step, 2),
    torch.gru: _recurrent(_gru_step, 1),
    torch.rnn_tanh: _recurrent(_tanh_step, 1),
    torch.rnn_relu: _recurrent(_relu_step, 1),
    torch.lstm_cell: _single(_lstm_step),
    torch.gru_cell: _single(_gru_step),
    torch.rnn_tanh_cell: _single(_tanh_step),
    torch.rnn_relu_cell: _single(_relu_step),
}
