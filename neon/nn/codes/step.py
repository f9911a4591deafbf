"""Steps: the split units of a decision tree."""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from neon.lrp.message import Ledger, Message
from neon.lrp.operations import Call, treat
from neon.lrp.operations.elementwise import Elementwise
from neon.lrp.rules import Rule
from neon.nn.layer import fixed

__all__ = ["Step", "step"]


def step(x: Tensor, threshold: Tensor, strict: bool = False) -> Tensor:
    """``1[x ≤ t]`` as a number, elementwise; 0 for NaN.

    Parameters
    ----------
    x : (n_samples, n_units)
    threshold : () or (n_units,)
        The ``t``.
    strict : bool
        ``1[x < t]`` instead.

    Returns
    -------
    Tensor
        (n_samples, n_units)
    """
    if has_torch_function((x,)):
        return handle_torch_function(step, (x,), x, threshold, strict)
    return (x < threshold if strict else x <= threshold).to(x.dtype)


class Step(torch.nn.Module):
    """`step` at fixed thresholds."""

    threshold: Tensor

    def __init__(self, threshold: ArrayLike | Tensor, *, strict: bool = False) -> None:
        super().__init__()
        self.register_buffer("threshold", fixed(threshold))
        self.strict = strict

    def forward(self, x: Tensor) -> Tensor:
        return step(x, self.threshold, self.strict)

    def extra_repr(self) -> str:
        return f"x {'<' if self.strict else '≤'} t, {self.threshold.numel()} thresholds"


class _Step(Elementwise):
    """Relevance passes unchanged; relative to a reference it is 0 where x lies on the reference's side.

    Handed on undivided: a secant's slope between x and the reference has no value where either is infinite. At
    several reference rows, the step's mean is the share of rows at or below the threshold.
    """

    def __init__(self) -> None:
        super().__init__(nonnegative=True, mean_first=False)

    def propagate(
        self, call: Call, messages: tuple[Message | None, ...], rule: Rule | None, ledger: Ledger
    ) -> tuple[Message | None, ...]:
        (message,) = messages
        assert message is not None
        return (Message.of_relevance(message.relevance),)


treat(step, by=_Step())
