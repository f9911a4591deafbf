"""Record a forward pass: every torch function that touches the explained input, in order.

The model runs as it is, once, under ``no_grad``: no hooks, no tracing, no surgery. In-place variants run out of
place, so that every value on the tape stays what it was when it was used.
"""

from __future__ import annotations

import functools
import inspect
import sys
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from neon.errors import UnsupportedOperationError
from neon.lrp.aliases import ALIASES
from neon.lrp.decompose import decomposition
from neon.lrp.unseen import Unseen, leaves, refuse_exports

__all__ = ["Operation", "Retention", "Slot", "Tape", "assigned", "record", "viewed", "written"]


class Slot(NamedTuple):
    """Stands in an operation's arguments for a tensor that depends on the explained input."""

    index: int  # type: ignore[assignment]  # shadows tuple.index, which nobody calls


class Retention(NamedTuple):
    """What the tape keeps for an operation; whatever it forgets is computed again when asked for."""

    inputs: bool = True
    output: bool = False
    forget_inputs: bool = False


@dataclass(eq=False)
class Operation:
    """One torch function on the tape: ``outputs = function(*args, **kwargs)``."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    module: str = ""
    extra_bias: Tensor | None = None  # what a merged neighbour adds to the output (see canonize)
    merged: str = ""  # the module of the normalization that the output includes

    @property
    def name(self) -> str:
        return function_name(self.function)

    def arguments(
        self, value: Callable[[int], Tensor], constant: Callable[[Any], Any] = lambda leaf: leaf
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments with every slot replaced by ``value(slot)`` and every other leaf by ``constant(leaf)``."""
        fill = functools.partial(
            _replace, leaf=lambda leaf: value(leaf.index) if isinstance(leaf, Slot) else constant(leaf)
        )
        return fill(self.args), fill(self.kwargs)

    def run(self, value: Callable[[int], Tensor]) -> tuple[Tensor, ...]:
        """Compute the outputs again from the values of the inputs."""
        args, kwargs = self.arguments(value)
        with torch.no_grad():
            result = self.function(*args, **kwargs)
        outputs = tuple(carriers(result) or [leaf for leaf in leaves(result) if isinstance(leaf, Tensor)])
        if self.extra_bias is not None:
            return (outputs[0] + self.extra_bias,)
        return outputs


@dataclass(eq=False)
class Tape:
    """The recorded operations and the values worth keeping.

    A value that was not kept is recomputed from its operation's inputs, so that what is kept is a matter of
    speed and memory, never of correctness.
    """

    operations: list[Operation] = field(default_factory=list)
    inputs: tuple[int, ...] = ()
    output: int = -1
    specs: dict[int, Tensor] = field(default_factory=dict)  # on the meta device: shape, stride, dtype
    values: dict[int, Tensor] = field(default_factory=dict)
    _producers: dict[int, Operation] = field(default_factory=dict, init=False, repr=False)

    def bytes_per_sample(self) -> int:
        """Bytes of all recorded values, one sample's share (at least 1)."""
        return max(1, sum(s.numel() // max(len(s), 1) * s.element_size() for s in self.specs.values() if s.ndim))

    def producers(self) -> dict[int, Operation]:
        return {slot: operation for operation in self.operations for slot in operation.outputs}

    def consumers(self) -> dict[int, list[Operation]]:
        table: dict[int, list[Operation]] = {}
        for operation in self.operations:
            for slot in operation.inputs:
                table.setdefault(slot, []).append(operation)
        return table

    def value(self, slot: int) -> Tensor:
        if slot not in self.values:
            if slot not in self._producers:
                self._producers = self.producers()
            producer = self._producers[slot]
            self.values.update(zip(producer.outputs, producer.run(self.value), strict=True))
        return self.values[slot]

    def forget_unused(self) -> None:
        """Let go of values that no operation reads or writes any more."""
        used = {*self.inputs, self.output, *(slot for op in self.operations for slot in (*op.inputs, *op.outputs))}
        for slot in self.values.keys() - used:
            del self.values[slot]


def record(
    model: Callable[..., Any],
    inputs: Sequence[Tensor],
    *,
    names: Mapping[int, str] | None = None,
    retention: Callable[[Callable[..., Any]], Retention] = lambda _: Retention(),
    checkpoint_every: int | None = None,
    is_cheap: Callable[[Callable[..., Any], int], bool] = lambda function, n_inputs: False,
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

    Raises
    ------
    UnsupportedOperationError
        If the model writes in place into memory that another recorded tensor shares, or computes with explained values
        where the tape cannot follow: in complex numbers, outside torch functions, outside torch.
    TypeError
        If the model does not return one tensor.
    """
    recorder = _Recorder(names, retention, checkpoint_every, is_cheap)
    aliases = [tensor.detach() for tensor in inputs]
    recorder.explain(aliases)
    # TorchScript's kernels are seen where they are not fused.
    with torch.no_grad(), torch.jit.optimized_execution(False), recorder.unseen, recorder:
        output = model(*aliases)
    if not isinstance(output, Tensor):
        raise TypeError(
            f"the model returned {type(output).__name__}, not one tensor; wrap it in a function that picks the "
            "tensor to explain, for example LRP(lambda x: model(x)[0])"
        )
    recorder.unseen.refuse(output)
    slot = recorder.slot(output)
    if slot is None:
        raise ValueError("the model's output does not depend on its input through differentiable operations")
    recorder.tape.output = slot
    recorder.tape.values[slot] = output.detach()
    return recorder.tape


class _Recorder(TorchFunctionMode):
    def __init__(
        self,
        names: Mapping[int, str] | None,
        retention: Callable[[Callable[..., Any]], Retention],
        checkpoint_every: int | None = None,
        is_cheap: Callable[[Callable[..., Any], int], bool] = lambda function, n_inputs: False,
    ) -> None:
        super().__init__()
        self.tape = Tape()
        self._names = names
        self._retention = retention
        self._checkpoint_every = checkpoint_every
        self._is_cheap = is_cheap
        self._cheap: set[int] = set()  # slots not kept, because what they are computed from is
        self._tracked: dict[int, tuple[weakref.ref[Tensor], int]] = {}
        self.unseen = Unseen(self._tracked)
        self._stale: dict[int, str] = {}
        self._overwritten: list[Tensor] = []  # constants that were written into: what they held before
        self._callers: dict[int, Tensor] = {}  # the explained inputs by their memory, which stays the caller's own
        self._kept_as_input: set[int] = set()

    def explain(self, inputs: Sequence[Tensor]) -> None:
        self.tape.inputs = tuple(self.track(x, keep=True) for x in inputs)
        self._callers = {_memory(x): x for x in inputs}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        func, args, kwargs = ALIASES.get(func, func), tuple(args), dict(kwargs or {})
        if func in _LIKE:
            args, kwargs = (*args[:1], *_replace(args[1:], _blank)), _replace(kwargs, _blank)
        self.unseen.refuse((args, kwargs))
        self._refuse_overwritten(func, (args, kwargs))
        inputs = tuple(slot for leaf in leaves((args, kwargs)) if (slot := self.slot(leaf)) is not None)
        if not inputs:
            return func(*args, **kwargs)
        plain, plain_args, plain_kwargs, rebound = _out_of_place(func, args, kwargs)
        if rebound is not None and self.slot(rebound) is None and plain_args and plain_args[0] is rebound:
            plain_args = (rebound.detach(), *plain_args[1:])  # a constant's memory as it is before the write
        spelled_out = decomposition(plain, plain_args, plain_kwargs, lambda leaf: self.slot(leaf) is not None)
        if spelled_out is not None:
            return self._spell_out(spelled_out, plain_args, plain_kwargs, function_name(func), rebound)
        self.unseen.pause()
        try:
            if func in _CONSTANT:
                return func(*args, **kwargs)
            return self._record(plain, plain_args, plain_kwargs, inputs, function_name(func), rebound)
        finally:
            self.unseen.resume()

    def _spell_out(
        self, spelled_out: Any, args: tuple[Any, ...], kwargs: dict[str, Any], name: str, rebound: Tensor | None
    ) -> Any:
        """Run what a function is made of, so that its parts reach the tape."""
        module = self._module_name((args, kwargs))
        with self:
            result = spelled_out(*args, **kwargs)
        if all(self.slot(leaf) is None for leaf in leaves(result)):
            raise UnsupportedOperationError(f"{name}: only what it holds constant is explained")
        if rebound is not None:
            self._rebind(rebound, result, name, module)
            return rebound
        return result

    def _record(
        self,
        func: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        inputs: tuple[int, ...],
        name: str,
        rebound: Tensor | None,
    ) -> Any:
        """Run a function of explained values and write it down."""
        module = self._module_name((args, kwargs))
        for slot in inputs:
            if slot in self._stale:
                raise UnsupportedOperationError(
                    f"{name} in {module or 'the model'} reads memory that {self._stale[slot]} changed in place "
                    "through a view; write the in-place operation out of place"
                )
        result = func(*args, **kwargs)
        refuse_exports(name, module, result)
        outputs = carriers(result) or self._indices(result, inputs)
        if rebound is not None and not outputs:
            rebound.data = result
            return rebound
        if not outputs or all(self.slot(output) is not None for output in outputs):
            return result  # a question (shape, comparison), or the very same tensor (dropout in eval, contiguous)
        frozen = functools.partial(_replace, leaf=lambda leaf: leaf if (s := self.slot(leaf)) is None else Slot(s))
        frozen_args, frozen_kwargs = frozen(args), frozen(kwargs)
        retention = self._retention(func)
        self._retain(retention, args, kwargs, inputs)
        cheap = rebound is None and self._is_cheap(func, len(inputs))
        cheap = cheap and all(slot in self.tape.values or slot in self._cheap for slot in inputs)
        slots = tuple(self.track(output, keep=retention.output and not cheap) for output in outputs)
        self._cheap.update(slots if cheap else ())
        self.tape.operations.append(Operation(func, frozen_args, frozen_kwargs, inputs, slots, module))
        if rebound is not None:
            self._rebind(rebound, result, name, module)
            result = rebound
        if self._checkpoint_every is not None and len(self.tape.operations) % self._checkpoint_every == 0:
            for reference, slot in list(self._tracked.values()):
                alive = reference()
                if alive is not None:
                    self.tape.values[slot] = alive.detach()
        return result

    def _indices(self, result: Any, inputs: tuple[int, ...]) -> list[Tensor]:
        """Token ids on their way to an embedding: whole numbers made of explained whole numbers."""
        whole = {dtype for slot in inputs if not (dtype := self.tape.specs[slot].dtype).is_floating_point}
        return [leaf for leaf in leaves(result) if isinstance(leaf, Tensor) and leaf.dtype in whole]

    def slot(self, leaf: Any) -> int | None:
        entry = self._tracked.get(id(leaf))
        return entry[1] if entry is not None and entry[0]() is leaf else None

    def track(self, tensor: Tensor, keep: bool) -> int:
        slot = len(self.tape.specs)
        self._tracked[id(tensor)] = (weakref.ref(tensor), slot)
        self.tape.specs[slot] = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")
        if keep:
            self.tape.values[slot] = tensor.detach()
        return slot

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

    def _rebind(self, target: Tensor, result: Tensor, name: str, module: str) -> None:
        """Let the caller's tensor hold the new value, and whatever shares memory with it see the change.

        The memory itself is left alone: the tensor that owns it (``root``) gets new memory, of which all tracked
        views become views.
        """
        memory = _memory(target)
        base = target._base
        root = self._callers.get(memory, base if base is not None and _memory(base) == memory else target)
        if not memory:  # of empty tensors
            target.data = result
            self._follow(target, result)
            return
        alive = [tensor for reference, _ in list(self._tracked.values()) if (tensor := reference()) is not None]
        views = [
            tensor for tensor in alive if tensor is not root and tensor is not target and _memory(tensor) == memory
        ]
        if target is not root:
            views.append(target)
        if views and not (root.is_contiguous() and (target is not root or result.is_contiguous())):
            self._stale.update((slot, name) for view in views if (slot := self.slot(view)) is not None)
            views = []
        places = [(tuple(v.shape), v.stride(), int(v.storage_offset() - root.storage_offset())) for v in views]
        before = root.detach()
        if self.slot(root) is None:
            self._overwritten.append(before)
        if target is root:
            root.data = result
            self._follow(root, result)
        elif views:
            source = before if (slot := self.slot(root)) is None else Slot(slot)
            root.data = written(before, result, *places[-1])
            self._derive(written, (source, Slot(self._slot(result)), *places[-1]), root, module)
        else:
            target.data = result
            self._follow(target, result)
        for view, place in zip(views, places, strict=True):
            view.data = viewed(root, *place)
            self._derive(viewed, (Slot(self._slot(root)), *place), view, module)

    def _slot(self, tensor: Tensor) -> int:
        slot = self.slot(tensor)
        assert slot is not None
        return slot

    def _follow(self, tensor: Tensor, result: Tensor) -> None:
        """Let a tensor stand for the slot of a result."""
        self._tracked[id(tensor)] = (weakref.ref(tensor), self._slot(result))

    def _derive(self, function: Callable[..., Tensor], args: tuple[Any, ...], output: Tensor, module: str) -> None:
        inputs = tuple(arg.index for arg in args if isinstance(arg, Slot))
        slots = (self.track(output, keep=False),)
        self.tape.operations.append(Operation(function, args, {}, inputs, slots, module))

    def _refuse_overwritten(self, func: Any, arguments: Any) -> None:
        """Views of a constant are not known: one that shows what was overwritten since must not be read."""
        if not self._overwritten or func in _CONSTANT:
            return
        memories = {_memory(tensor) for tensor in self._overwritten}
        for leaf in leaves(arguments):
            if type(leaf) is Tensor and self.slot(leaf) is None and _memory(leaf) in memories:
                raise UnsupportedOperationError(
                    f"{function_name(func)} reads a view of memory that was written in place since; take the view anew"
                )

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


def assigned(target: Tensor, index: Any, value: Any) -> Tensor:
    """``target[index] = value``, out of place."""
    result = target.clone()
    result[index] = value
    return result


def written(root: Tensor, value: Tensor, shape: tuple[int, ...], stride: tuple[int, ...], offset: int) -> Tensor:
    """A contiguous tensor with a value in place of one of its views."""
    result = root.clone(memory_format=torch.contiguous_format)
    result.as_strided(shape, stride, offset).copy_(value)
    return result


def viewed(root: Tensor, shape: tuple[int, ...], stride: tuple[int, ...], offset: int) -> Tensor:
    """A view of a contiguous tensor."""
    return root.as_strided(shape, stride, root.storage_offset() + offset)


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def module_names(model: Any) -> dict[int, str]:
    """Module name by ``id`` of each module, parameter and buffer of a model."""
    names: dict[int, str] = {}
    if isinstance(model, torch.nn.Module):
        for name, module in model.named_modules():
            names[id(module)] = name
            for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
                names.setdefault(id(tensor), name)
    return names


def function_name(function: Callable[..., Any]) -> str:
    """A readable name of a torch function, also of a property such as ``Tensor.T``."""
    name = getattr(function, "__name__", type(function).__name__)
    if name == "__get__":
        return str(getattr(getattr(function, "__self__", None), "__name__", name))
    return name


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


def _blank(leaf: Any) -> Any:
    """A tensor of the same shape and type that holds nothing."""
    return leaf.new_empty(()).expand(leaf.shape) if isinstance(leaf, Tensor) else leaf


# Results that do not depend on the values of their arguments, or that the user cut off on purpose.
_CONSTANT = frozenset(
    {
        torch.Tensor.detach,
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


def _out_of_place(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any, Any, Tensor | None]:
    """The function without its in-place effect, and the tensor that it would have changed."""
    name = getattr(func, "__name__", "")
    if name in ("apply_", "map_"):
        raise UnsupportedOperationError(f"{name} runs Python on every value, which relevance does not follow")
    if kwargs.get("out") is not None:
        raise UnsupportedOperationError(f"{name}(..., out=...) writes into a given tensor; use its return value")
    if name in ("copy_", "fill_", "zero_"):
        return assigned, (args[0], ..., *(args[1:2] or (0.0,))), {}, args[0]
    if name.endswith("_") and not name.endswith("__"):
        for owner in (torch.Tensor, torch, torch.nn.functional):
            plain = getattr(owner, name[:-1], None)
            if plain is not None and args and isinstance(args[0], Tensor):
                return ALIASES.get(plain, plain), args, kwargs, args[0]
    if name == "__setitem__":
        return assigned, args, {}, args[0]
    parameters = _parameters(func)
    if "inplace" in parameters:
        position = parameters.index("inplace")
        if kwargs.get("inplace") or (len(args) > position and args[position]):
            args = tuple(False if i == position else a for i, a in enumerate(args))
            kwargs = {key: value for key, value in kwargs.items() if key != "inplace"}
            return func, args, kwargs, args[0] if args else kwargs[parameters[0]]
    return func, args, kwargs, None


@functools.cache
def _parameters(func: Any) -> tuple[str, ...]:
    try:
        return tuple(inspect.signature(func).parameters) if inspect.isfunction(func) else ()
    except ValueError:  # a Python wrapper of a builtin, such as Tensor.__pow__
        return ()


def _replace(tree: Any, leaf: Callable[[Any], Any]) -> Any:
    if isinstance(tree, tuple) and not isinstance(tree, Slot):
        items = (_replace(item, leaf) for item in tree)
        return type(tree)(*items) if hasattr(tree, "_fields") else tuple(items)
    if isinstance(tree, list):
        return [_replace(item, leaf) for item in tree]
    if isinstance(tree, dict):
        return {key: _replace(item, leaf) for key, item in tree.items()}
    return leaf(tree)


def carriers(result: Any) -> list[Tensor]:
    """The tensors of a result that can carry relevance: floating ones (not indices, not masks)."""
    return [leaf for leaf in leaves(result) if isinstance(leaf, Tensor) and leaf.is_floating_point()]
