"""Values put, added up or compared at the places that an index says: ``scatter`` and its kin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from neon.errors import UnsupportedOperationError
from neon.lrp.linear_maps import Fixed, LinearMap
from neon.lrp.message import Ledger, Message
from neon.lrp.operations.linear import LinearTreatment
from neon.lrp.operations.pooling import WinnerTakesAll
from neon.lrp.operations.shape import Movement
from neon.lrp.operations.table import Call, Delegating, Treatment, treat
from neon.lrp.recording.tape import Operation
from neon.lrp.rules import Rule

__all__ = ["Scatter"]


def _accumulated(call: Call, *args: Any, **kwargs: Any) -> LinearMap:
    """Sums and means of the values that an index puts at one place."""

    def function(*inputs: Tensor, constant: Callable[[Tensor], Tensor] = torch.zeros_like) -> Tensor:
        queue = iter(inputs)
        args, kwargs = call.arguments(
            lambda _: next(queue),
            lambda leaf: leaf if (known := _floating(call, leaf)) is None else constant(known),
        )
        result: Tensor = call.operation.function(*args, **kwargs)
        return result

    likes = tuple(call.blank(slot) for slot in call.inputs)
    # What a constant contributes stands where a bias does.
    bias = function(torch.zeros_like(likes[0]), constant=torch.clone) if len(likes) == 1 else None
    return Fixed(likes[0].new_ones(()), bias, function, likes, nonnegative=kwargs.get("alpha", 1) >= 0)


def _floating(call: Call, leaf: Any) -> Tensor | None:
    return call.widened(leaf) if isinstance(leaf, Tensor) and leaf.is_floating_point() else None


class _Compared(WinnerTakesAll):
    """The largest or smallest of the values at one place, or one that stood there before."""

    def check(self, call: Call, rule: Rule | None) -> None:
        """Nothing broadcasts here."""

    def is_nonnegative(self, call: Call) -> bool:
        return False

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> tuple[Message, ...]:
        constants: list[Tensor] = []

        def constant(leaf: Any) -> Any:
            known = _floating(call, leaf)
            if known is None:
                return leaf
            constants.append(known.detach().clone().requires_grad_())
            return constants[-1]

        probes, output = call.probed(map(call.value, call.inputs), constant)
        moved = torch.autograd.grad(output, [*probes, *constants], message.relevance, materialize_grads=True)
        if ledger.enabled:
            for kept in moved[len(probes) :]:
                ledger.absorb("constant", kept)
        return tuple(Message.of_relevance(part, vanishes=message.vanishes) for part in moved[: len(probes)])


class Scatter(Delegating):
    """By what becomes of values at one place: the last one stays, they are added up, or the largest one wins."""

    _moved, _added, _compared = Movement(), LinearTreatment(_accumulated, "pooling"), _Compared()

    def of(self, operation: Operation) -> Treatment:
        reduction = _reduction(operation)
        if reduction is None:
            return self._moved
        if reduction in ("sum", "mean"):
            return self._added
        if reduction in ("amax", "amin", "max", "min"):
            return self._compared
        raise UnsupportedOperationError(
            f"{operation.name} with reduce={reduction!r}; sums, means and maxima have a rule"
        )


def _reduction(operation: Operation) -> str | None:
    arguments = (*operation.args, *operation.kwargs.values())
    if operation.function in _PUT:
        return "sum" if any(argument is True for argument in arguments) else None
    return next((argument for argument in arguments if isinstance(argument, str)), None)


T = torch.Tensor
_PUT = {torch.index_put, T.index_put}
treat(torch.index_add, T.index_add, torch.scatter_add, T.scatter_add, by=LinearTreatment(_accumulated, "pooling"))
treat(
    *_PUT, torch.scatter, T.scatter, torch.scatter_reduce, T.scatter_reduce, torch.index_reduce, T.index_reduce,
    torch.segment_reduce,
    by=Scatter(),
)  # fmt: skip
