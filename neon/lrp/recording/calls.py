"""How a model is called: its mode, what it takes beside the explained inputs, and which output is explained."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["Given", "Output", "arranged", "check_inputs", "eager", "in_training", "picked"]

Given = Tensor | Sequence[Any] | Mapping[str, Any]
Output = int | str | Sequence[int | str] | None

_lock = threading.Lock()
_running = 0
_stance: Any = None


@contextlib.contextmanager
def eager() -> Iterator[None]:
    """Outside of inference mode, without gradients, and with the functions that `torch.compile` took as they are."""
    if not (torch.is_grad_enabled() or torch.is_inference_mode_enabled() or "torch._dynamo" in sys.modules):
        yield
        return
    with torch.inference_mode(False), torch.no_grad(), _not_compiled():
        yield


@contextlib.contextmanager
def _not_compiled() -> Iterator[None]:
    """A stance holds for all threads: the first one takes it, the last one gives it back."""
    global _running, _stance
    if "torch._dynamo" not in sys.modules:  # nothing can have been compiled
        yield
        return
    with _lock:
        _running += 1
        if _running == 1:
            _stance = torch.compiler.set_stance("force_eager")
    try:
        yield
    finally:
        with _lock:
            _running -= 1
            if _running == 0:
                _stance.__exit__(None, None, None)


def arranged(given: Given) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What a model takes beside its explained inputs, by position and by name."""
    if isinstance(given, Mapping):
        return (), dict(given)
    if isinstance(given, (str, bytes)) or not isinstance(given, (Tensor, Sequence)):
        raise TypeError(
            f"given: a tuple of what the model takes after x, or a mapping of names, got {type(given).__name__}"
        )
    return (given,) if isinstance(given, Tensor) else tuple(given), {}


def picked(output: Any, path: Output, n_samples: int) -> Tensor:
    """The explained tensor of what a model returned.

    Parameters
    ----------
    path : int, str or sequence of them, optional
        The position, key or attribute of the tensor; several, where it lies inside of another.

    Raises
    ------
    ValueError
        If there is nothing of that name, or the tensor has no sample axis.
    TypeError
        If what is found is no tensor.
    """
    keys = () if path is None else (path,) if isinstance(path, (int, str)) else tuple(path)
    for key in keys:
        choices = _choices(output)
        if isinstance(key, int) and isinstance(output, (tuple, list)) and -len(output) <= key < len(output):
            output = output[key]
        elif key in choices:
            output = output[key] if isinstance(output, Mapping) else getattr(output, str(key))
        else:
            found = f"choose from {', '.join(map(repr, choices))}" if choices else "leave output=None"
            raise ValueError(f"output={path!r}: the model returned {_described(output)} without {key!r}; {found}")
    if not isinstance(output, Tensor):
        choices = _choices(output)
        example = repr((*keys, choices[0]) if keys else choices[0]) if choices else "..."
        named = f" ({', '.join(map(repr, choices))})" if choices else ""
        raise TypeError(
            f"the model returned {_described(output)}{named}, not one tensor; say which one to explain, for example "
            f"LRP(model, output={example}), or wrap the model in a function that picks it"
        )
    if output.ndim == 0:
        if n_samples != 1:
            raise ValueError(
                f"the model returned one number for {n_samples} samples: leave the sample axis in place, and explain "
                "what it makes of each"
            )
        return output.reshape(1)  # squeeze() of a single sample
    return output


def _choices(output: Any) -> list[int | str]:
    if isinstance(output, Mapping):
        return list(output)
    if isinstance(output, (tuple, list)):
        return [*getattr(output, "_fields", ()), *range(len(output))]
    return [name for name, part in getattr(output, "__dict__", {}).items() if part is not None]


def _described(output: Any) -> str:
    kind = type(output).__name__
    return f"a {kind} of {len(output)}" if isinstance(output, (tuple, list, Mapping)) else f"a {kind}"


def check_inputs(inputs: tuple[Any, ...]) -> None:
    for x in inputs:
        if not isinstance(x, Tensor):
            raise TypeError(
                f"LRP takes torch tensors, got {type(x).__name__}; use neon.Explainer for arrays and frames, and "
                "given= for what is not explained"
            )
        if x.layout is not torch.strided:
            raise TypeError(f"LRP explains dense tensors, got the layout {x.layout}: give x.to_dense()")
        if x.dtype is torch.bool:
            raise TypeError("LRP explains floating-point inputs and token ids, got torch.bool: pass masks with given=")
        if x.is_complex() or x.is_quantized:
            raise TypeError(f"LRP explains floating-point inputs and token ids, got {x.dtype}")
        if x.ndim < 1:
            raise ValueError("inputs need a sample axis")


def in_training(model: Any) -> bool:
    """Whether a model is in training mode, and computes something else in it."""
    if not isinstance(model, torch.nn.Module) or not model.training:
        return False
    modes: Any = (torch.nn.modules.batchnorm._BatchNorm, torch.nn.modules.dropout._DropoutNd)
    return any(isinstance(module, modes) and module.training for module in model.modules())
