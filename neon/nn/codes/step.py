"""Steps: the split units of a decision tree."""

from __future__ import annotations

from torch import Tensor

from neon.lrp.message import Ledger, Message
from neon.lrp.operations import Call, treat
from neon.lrp.operations.elementwise import ElementwiseTreatment
from neon.lrp.rules import Rule
from neon.nn.layer import Layer, operation

__all__ = ["Step", "step"]


@operation
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
    return (x < threshold if strict else x <= threshold).to(x.dtype)


class Step(Layer, of=step):
    """`step` at fixed thresholds."""

    jumps = True
    option_names = ("strict",)
    threshold: Tensor
    strict: bool

    def extra_repr(self) -> str:
        return f"x {'<' if self.strict else '≤'} t, {self.threshold.numel()} thresholds"


class _Step(ElementwiseTreatment):
    """Relevance passes unchanged; relative to a reference it is 0 where x lies on the reference's side.

    Handed on undivided: a secant's slope between x and the reference has no value where either is infinite. At
    several reference rows, the step's mean is the share of rows at or below the threshold.
    """

    def __init__(self) -> None:
        super().__init__(nonnegative=True, mean_first=False)

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> Message:
        return Message.of_relevance(message.relevance)


treat(step, by=_Step())
