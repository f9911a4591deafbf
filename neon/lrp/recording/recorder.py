"""Record a forward pass: every torch function that touches the explained input, in order.

The model runs as it is, once, under ``no_grad``: no hooks, no tracing, no surgery. In-place variants run out of
place, so that every value on the tape stays what it was when it was used.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from neon.errors import UnsupportedOperationError
from neon.lrp.recording.aliases import ALIASES
from neon.lrp.recording.decompose import decomposition
from neon.lrp.recording.distances import dropped_weight
from neon.lrp.recording.escapes import Unseen, leaves, refuse_exports
from neon.lrp.recording.indices import RECODING, index_leaves, is_code, looked_up, lookup, recoded
from neon.lrp.recording.memory import Memory
from neon.lrp.recording.names import function_name
from neon.lrp.recording.tape import Operation, Retention, Slot, Tape, carriers, codes_of, replaced
from neon.lrp.recording.writes import assigned, out_of_place, write_target

__all__ = ["record"]


def record(
    model: Callable[..., Any],
    inputs: Sequence[Tensor],
    *,
    names: Mapping[int, str] | None = None,
    retention: Callable[[Callable[..., Any]], Retention] = lambda _: Retention(),
    checkpoint_every: int | None = None,
    is_cheap: Callable[[Callable[..., Any], int], bool] = lambda function, n_inputs: False,
    moves: Callable[[Callable[..., Any]], bool] = lambda function: True,
    given: tuple[Sequence[Any], Mapping[str, Any]] = ((), {}),
    pick: Callable[[Any], Any] = lambda output: output,
) -> Tape:
    """Run ``model(*inputs)`` and write down what happened.

    Parameters
    ----------
    model : callable
        Any eager torch model.
    inputs : sequence of Tensor
        The explained inputs; they are not modified.
    names : mapping of int to str, optional
        Module name by ``id`` of a module, parameter or buffer; without it operations stay unnamed.
    retention : callable
        What to keep for a function.
    checkpoint_every : int, optional
        Keep all values that are alive after every so many operations: enough to compute again what follows them.
    is_cheap : callable
        Whether a function of so many explained inputs is soon computed again: then its output is not kept.
    moves : callable
        Whether the elements of a function's output are elements of its input: whole numbers on their way to a table
        are followed through it.
    given : (sequence, mapping)
        What else the model takes, after the inputs and by name; it is not explained.
    pick : callable
        The explained tensor of what the model returns.

    Raises
    ------
    UnsupportedOperationError
        If the model writes in place into memory that another recorded tensor shares, or computes with explained values
        where the tape cannot follow: in complex numbers, outside torch functions, outside torch.
    TypeError
        If the model does not return one tensor.
    """
    recorder = _Recorder(names, retention, checkpoint_every, is_cheap, moves)
    aliases = [tensor.clone() if tensor.is_inference() else tensor.detach() for tensor in inputs]
    recorder.explain(aliases)
    # The model may write into what it is given.
    more, by_name = replaced(given, lambda leaf: leaf.clone() if isinstance(leaf, Tensor) else leaf)
    # TorchScript's kernels are seen where they are not fused.
    with torch.no_grad(), torch.jit.optimized_execution(False), recorder.unseen, recorder:
        output = pick(model(*aliases, *more, **by_name))
    recorder.unseen.refuse(output)
    slot = recorder.slot(output) if isinstance(output, Tensor) else None
    if slot is None:
        raise ValueError("the model's output does not depend on its input through differentiable operations")
    recorder.tape.output = slot
    recorder.tape.values[slot] = output.detach()
    recorder.tape.closed &= not recorder.unseen.noticed
    return recorder.tape


class _Recorder(TorchFunctionMode):
    def __init__(
        self,
        names: Mapping[int, str] | None,
        retention: Callable[[Callable[..., Any]], Retention],
        checkpoint_every: int | None,
        is_cheap: Callable[[Callable[..., Any], int], bool],
        moves: Callable[[Callable[..., Any]], bool],
    ) -> None:
        super().__init__()
        self.tape = Tape()
        self._names = names
        self._retention = retention
        self._checkpoint_every = checkpoint_every
        self._is_cheap = is_cheap
        self._moves = moves
        self._cheap: set[int] = set()  # slots not kept, because what they are computed from is
        self._memory = Memory(self.tape)
        self.slot = self._memory.slot
        self.unseen = Unseen(self._memory.tracked)
        self._kept_as_input: set[int] = set()
        self._ids: set[int] = set()  # slots of explained whole numbers that no table was read by

    def explain(self, inputs: Sequence[Tensor]) -> None:
        self.tape.inputs = self._memory.explain(inputs)
        self._ids = {slot for slot, x in zip(self.tape.inputs, inputs, strict=True) if is_code(x)}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        args, kwargs = tuple(args), dict(kwargs or {})
        if func is F.l1_loss and "weight" not in kwargs and (weight := dropped_weight()) is not None:
            kwargs["weight"] = weight
        if torch.is_inference_mode_enabled() and not any(map(_is_inference, leaves((args, kwargs)))):
            with torch.inference_mode(False), torch.no_grad():  # autograd will take what is computed here
                return self._call(func, args, kwargs)
        return self._call(func, args, kwargs)

    def _call(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        func = ALIASES.get(func, func)
        if func in _LIKE:
            args, kwargs = (*args[:1], *replaced(args[1:], _blank)), replaced(kwargs, _blank)
        self.unseen.refuse((args, kwargs))
        if func not in _CONSTANT:
            self._memory.take_views_anew(func, (args, kwargs))
        if not any(map(self._is_explained, leaves((args, kwargs)))):
            for target in write_target(func, args, kwargs):
                self._memory.prepare_write(function_name(func), target)
            return func(*args, **kwargs)
        given = func, args, kwargs
        plain, args, kwargs, rebound = out_of_place(func, args, kwargs)
        spelled_out = decomposition(plain, args, kwargs, self._is_explained)
        if spelled_out is not None:
            return self._spell_out(spelled_out, args, kwargs, function_name(func), rebound)
        self.unseen.pause()
        try:
            if func in _CONSTANT:
                self.tape.closed &= func in _BLANK
                return func(*args, **kwargs)
            return self._record(plain, args, kwargs, rebound, given)
        finally:
            self.unseen.resume()

    def _spell_out(
        self, spelled_out: Any, args: tuple[Any, ...], kwargs: dict[str, Any], name: str, rebound: Tensor | None
    ) -> Any:
        """Run what a function is made of, so that its parts reach the tape."""
        module = self._module_name((args, kwargs))
        with self:
            result = spelled_out(*args, **kwargs)
        if not any(map(self._is_explained, leaves(result))):
            raise UnsupportedOperationError(f"{name}: only what it holds constant is explained")
        if rebound is not None:
            self._rebind(rebound, result, module)
            return rebound
        return result

    def _record(
        self,
        func: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        rebound: Tensor | None = None,
        given: tuple[Any, Any, Any] | None = None,
    ) -> Any:
        """Run a function of explained values and write it down.

        rebound : what the function that was given writes into.
        """
        module, name = self._module_name((args, kwargs)), function_name(func)
        if name == "detach":  # in place
            self.tape.closed = False
            self._memory.tracked.pop(id(rebound), None)
            return rebound
        inputs = self._inputs(name, args, kwargs)
        if not inputs and name in _LOOKUPS:
            code, table = lookup(name, args, kwargs)
            func, args, kwargs = looked_up, (code, table), {}
            inputs = self._inputs(func.__name__, args, kwargs)
        result = func(*args, **kwargs)
        refuse_exports(name, module, result)
        outputs = carriers(result) or self._codes(func, name, result)
        if not (inputs and outputs) and func not in _OF_SHAPE:
            self.tape.closed = False
        if rebound is not None and given is not None and not (inputs and outputs):
            return self._write_constant(given, rebound, result)
        if not inputs or not outputs or all(self.slot(output) is not None for output in outputs):
            return result  # a question (shape, comparison), or the very same tensor (dropout in eval, contiguous)
        whole = is_code(outputs[0])
        if not whole:
            self._refuse_numbers(name, module, inputs)
        if whole and name in RECODING and not self._moves(func):
            func, args = recoded, (func, *args)
        # What else a function gives, the places of maxima, is a constant to whoever reads it.
        self.tape.closed &= sum(isinstance(leaf, Tensor) for leaf in leaves(result)) == len(outputs)
        self._write_down(Operation(func, args, kwargs, inputs, (), module), outputs, in_place=rebound is not None)
        if rebound is not None:
            self._rebind(rebound, result, module)
            result = rebound
        if self._checkpoint_every is not None and len(self.tape.operations) % self._checkpoint_every == 0:
            for alive, slot in self._memory.alive():
                self.tape.values[slot] = alive.detach()
        return result

    def _write_down(self, ran: Operation, outputs: list[Tensor], *, in_place: bool) -> None:
        """Put a function that ran on the tape: slots in place of explained values, and which of these are kept."""
        followed = set(ran.inputs)
        explained = {slot for leaf in leaves((ran.args, ran.kwargs)) if (slot := self.slot(leaf)) is not None}
        self.tape.closed &= explained == followed
        frozen = functools.partial(
            replaced,
            leaf=lambda leaf: Slot(s) if (s := self.slot(leaf)) in followed else self._memory.constants.hold(leaf),
        )
        args, kwargs = frozen(ran.args), frozen(ran.kwargs)
        retention = self._retention(ran.function)
        self._retain(retention, ran.args, ran.kwargs, ran.inputs)
        cheap = not in_place and self._is_cheap(ran.function, len(ran.inputs))
        cheap = cheap and all(slot in self.tape.values or slot in self._cheap for slot in ran.inputs)
        slots = tuple(self._memory.track(output, keep=retention.output and not cheap) for output in outputs)
        self._cheap.update(slots if cheap else ())
        if is_code(outputs[0]) and ran.name not in _TO_CODES and self._ids.issuperset(ran.inputs):
            self._ids.update(slots)
        self.tape.operations.append(dataclasses.replace(ran, args=args, kwargs=kwargs, outputs=slots))

    def _inputs(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[int, ...]:
        """The slots that a function computes with: whole numbers that only say which elements are constants to it."""
        slots = tuple(slot for leaf in leaves((args, kwargs)) if (slot := self.slot(leaf)) is not None)
        if all(self.tape.specs[slot].is_floating_point() for slot in slots):
            return slots
        places = {self.slot(leaf) for leaf in index_leaves(name, args, kwargs) if is_code(leaf)}
        if name == "embedding" and places.issuperset(slots):
            return slots
        return tuple(slot for slot in slots if slot not in places)

    def _codes(self, func: Any, name: str, result: Any) -> list[Tensor]:
        """Whole numbers that say of each explained element which row of a table it means."""
        if name in RECODING or name in _TO_CODES or self._moves(func):
            return codes_of(func, result)
        return []

    def _refuse_numbers(self, name: str, module: str, inputs: tuple[int, ...]) -> None:
        """Beside other inputs, whole numbers that are computed with are masks or lengths, seldom features."""
        if len(self.tape.inputs) > 1 and name not in ("embedding", "looked_up") and self._ids.intersection(inputs):
            raise UnsupportedOperationError(
                f"{name} in {module or 'the model'} computes with an input of whole numbers, which is no token id "
                "then: pass masks and lengths with given=, which are not explained, and features as floating numbers"
            )

    def _is_explained(self, leaf: Any) -> bool:
        return self.slot(leaf) is not None

    def _retain(self, retention: Retention, args: Any, kwargs: Any, inputs: tuple[int, ...]) -> None:
        if retention.inputs:
            for leaf in leaves((args, kwargs)):
                slot = self.slot(leaf)
                if slot is not None and slot not in self._cheap:
                    self.tape.values[slot] = leaf.detach()
                    self._kept_as_input.add(slot)
        elif retention.forget_inputs:
            for slot in inputs:
                if slot not in self._kept_as_input and slot not in self.tape.inputs:
                    self.tape.values.pop(slot, None)

    def _rebind(self, target: Tensor, result: Tensor, module: str) -> None:
        if result.dtype != target.dtype:  # what is written in place keeps its type
            result = self._record(torch.Tensor.to, (result, target.dtype), {})
        self._memory.rebind(target, result, module)

    def _write_constant(self, given: tuple[Any, Any, Any], target: Tensor, result: Any) -> Tensor:
        """Write what relevance does not follow, masks and counts, into a tensor."""
        if self.slot(target) is not None:
            self._record(assigned, (target, ..., result), {}, target)
            return target
        func, args, kwargs = given
        self._memory.prepare_write(function_name(func), target)
        func(*args, **kwargs)
        return target

    def _module_name(self, arguments: Any) -> str:
        if self._names is None:
            return ""
        for leaf in leaves(arguments):
            if id(leaf) in self._names:
                return self._names[id(leaf)]
        # No parameter: the nearest calling frame that belongs to one of the model's modules.
        frame = sys._getframe(3)
        while frame is not None:
            variables = frame.f_code.co_varnames
            if variables and variables[0] == "self":
                owner = frame.f_locals.get("self")
                if id(owner) in self._names and isinstance(owner, torch.nn.Module):
                    return self._names[id(owner)]
            frame = frame.f_back  # type: ignore[assignment]
        return ""


def _blank(leaf: Any) -> Any:
    """A tensor of the same shape and type that holds nothing."""
    return leaf.new_empty(()).expand(leaf.shape) if isinstance(leaf, Tensor) else leaf


def _is_inference(leaf: Any) -> bool:
    return isinstance(leaf, Tensor) and leaf.is_inference()


# Results that do not depend on the values of their arguments, or that the user cut off on purpose.
_CONSTANT = frozenset(
    {
        torch.Tensor.detach,
        torch.detach,
        torch.Tensor.data.__get__,  # type: ignore[attr-defined]
        torch.zeros_like,
        torch.ones_like,
        torch.empty_like,
        torch.full_like,
        torch.rand_like,
        torch.randn_like,
        torch.Tensor.new_zeros,
        torch.Tensor.new_ones,
        torch.Tensor.new_full,
        torch.Tensor.new_empty,
        torch.Tensor.new_tensor,
    }
)
# Those of them that are the same for other values, as many.
_BLANK = _CONSTANT - {
    torch.Tensor.detach,
    torch.detach,
    torch.Tensor.data.__get__,  # type: ignore[attr-defined]
    torch.rand_like,
    torch.randn_like,
}
# Questions that the values do not decide.
_OF_SHAPE = frozenset(
    {
        *(torch.Tensor.size, torch.Tensor.dim, torch.Tensor.numel, torch.Tensor.nelement, torch.Tensor.__len__),
        *(torch.Tensor.stride, torch.Tensor.is_contiguous, torch.numel, torch.is_floating_point, torch.is_complex),
        *(torch.Tensor.is_floating_point, torch.Tensor.is_complex, torch.Tensor.element_size),
        *(
            getattr(torch.Tensor, name).__get__
            for name in ("shape", "ndim", "dtype", "device", "layout", "is_cuda", "is_sparse", "requires_grad")
        ),
    }
)
_LOOKUPS = frozenset({"__getitem__", "index_select", "gather", "take_along_dim"})  # where a table may be a constant
_TO_CODES = frozenset({"one_hot"})
# Functions that read no more than the shape and the type of their other arguments.
_LIKE = frozenset(
    {
        torch.Tensor.type_as,
        torch.Tensor.to,
        torch.Tensor.expand_as,
        torch.Tensor.view_as,
        torch.Tensor.reshape_as,
    }
)
