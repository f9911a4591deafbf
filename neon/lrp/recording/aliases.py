"""Names of one torch function: whatever a model calls it by, the tape knows it by one.

An alias takes the very same arguments. `Tensor.f` and `torch.f` both stay: only what torch itself documents as another
name is mapped, as are the functions of ``torch.special`` that ``torch`` has as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

__all__ = ["ALIASES"]

_NAMES = {
    "absolute": "abs",
    "arccos": "acos",
    "arccosh": "acosh",
    "arcsin": "asin",
    "arcsinh": "asinh",
    "arctan": "atan",
    "arctanh": "atanh",
    "clip": "clamp",
    "concat": "cat",
    "concatenate": "cat",
    "divide": "div",
    "fix": "trunc",
    "ger": "outer",
    "moveaxis": "movedim",
    "multiply": "mul",
    "negative": "neg",
    "row_stack": "vstack",
    "subtract": "sub",
    "swapaxes": "transpose",
    "swapdims": "transpose",
    "true_divide": "div",
}
_SPECIAL = (
    "erf",
    "round",
    "erfc",
    "erfinv",
    "exp2",
    "expm1",
    "log1p",
    "logit",
    "logsumexp",
    "log_softmax",
    "softmax",
    "sinc",
    "i0",
)

ALIASES: dict[Callable[..., Any], Callable[..., Any]] = {
    getattr(owner, alias): getattr(owner, name)
    for owner in (torch, torch.Tensor)
    for alias, name in _NAMES.items()
    if hasattr(owner, alias) and hasattr(owner, name)
}
ALIASES |= {getattr(torch.special, name): getattr(torch, name) for name in _SPECIAL}
ALIASES |= {torch.special.expit: torch.sigmoid, torch.linalg.matmul: torch.matmul}
