"""Max pooling: the winner takes all."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from neon.errors import UnsupportedOperationError
from neon.lrp.message import Ledger, Message
from neon.lrp.operations.table import Call, Treatment, treat
from neon.lrp.rules import Rule
from neon.lrp.tape import Retention

__all__ = ["WinnerTakesAll"]


class WinnerTakesAll(Treatment):
    """A maximum or minimum over elements: relevance goes to the element that was chosen.

    The function's own subgradient picks the winner, ties as torch breaks them.
    """

    retention = Retention(inputs=True)

    def check(self, call: Call, rule: Rule | None) -> None:
        if len(call.inputs) != 1:
            raise UnsupportedOperationError(f"{call.operation.name} of two tensors that both depend on the input")

    def nonnegative(self, call: Call) -> bool:
        return call.inputs[0] in call.nonnegative

    def propagate(
        self, call: Call, messages: tuple[Message | None, ...], rule: Rule | None, ledger: Ledger
    ) -> tuple[Message | None, ...]:
        message = messages[0]
        assert message is not None
        with torch.enable_grad():
            probe = call.value(call.inputs[0]).detach().requires_grad_()
            args, kwargs = call.arguments(lambda _: probe)
            output = call.operation.function(*args, **kwargs)
            output = output if isinstance(output, torch.Tensor) else output[0]
        (moved,) = torch.autograd.grad(output, probe, message.relevance)
        return (Message.of_relevance(moved, vanishes=message.vanishes),)


T = torch.Tensor
treat(
    F.max_pool1d, F.max_pool2d, F.max_pool3d, torch.max_pool1d, torch.max_pool2d, torch.max_pool3d,
    F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d,
    T.max, torch.max, T.min, torch.min,
    by=WinnerTakesAll(),
)  # fmt: skip
