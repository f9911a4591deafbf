"""What a tape would miss: numbers that leave it and come back looking like constants."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from neon.errors import UnsupportedOperationError

__all__ = ["Unseen", "leaves", "refuse_exports"]


class Unseen(TorchDispatchMode):
    """Notices what is computed from explained values without a torch function's call: TorchScript, ``torch.func``.

    Their kernels pass here all the same. A floating result of theirs that reaches the tape is refused; masks, indices
    and shapes are constants wherever they come from.

    Parameters
    ----------
    explained : mapping of int to (weak reference, slot)
        The tensors on the tape by their ``id``.

    Attributes
    ----------
    noticed : bool
        Whether there was any such result.
    """

    def __init__(self, explained: Mapping[int, tuple[weakref.ref[Tensor], int]]) -> None:
        super().__init__()
        self._explained = explained
        self._results: dict[int, tuple[Tensor, str]] = {}  # the tensors as well: an id is one tensor's while it lives
        self.noticed = False
        self._exported = ""  # what made a Python number of them
        self._paused = self._popped = False

    def pause(self) -> None:
        """Look away from a torch function that the tape knows of: a kernel then costs no call of Python's."""
        self._paused = True
        top = torch._C._pop_torch_dispatch_stack(None)
        self._popped = top is self
        if not self._popped:  # a mode that the model itself has entered
            torch._C._push_on_torch_dispatch_stack(top)

    def resume(self) -> None:
        if self._popped:
            torch._C._push_on_torch_dispatch_stack(self)
        self._paused = self._popped = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        with torch._C.DisableTorchFunction():
            result = func(*args, **kwargs)
        name = func._schema.name.removeprefix("aten::")
        if not self._paused and name not in _CONSTANT and any(map(self._tainted, leaves((args, kwargs)))):
            self.noticed = True
            # Noted only: TorchScript would make an error of another kind of whatever is raised here.
            for leaf in leaves(result):
                if isinstance(leaf, Tensor) and (leaf.is_floating_point() or leaf.is_complex() or leaf.is_quantized):
                    self._results[id(leaf)] = leaf, name
                elif isinstance(leaf, float):
                    self._exported = name
        return result

    def refuse(self, arguments: Any) -> None:
        """Raise where a tape would read such a result."""
        name = self._exported
        for leaf in leaves(arguments) if self._results else ():
            if id(leaf) in self._results:
                name = self._results[id(leaf)][1]
        if name:
            raise UnsupportedOperationError(
                f"{name} reads the explained input where the tape does not see it (inside TorchScript, torch.func or "
                "an extension); write it in plain torch functions, or detach() what is to be held constant"
            )

    def _tainted(self, leaf: Any) -> bool:
        entry = self._explained.get(id(leaf))
        return (entry is not None and entry[0]() is leaf) or id(leaf) in self._results


def refuse_exports(name: str, module: str, result: Any) -> None:
    """Raise where a function of explained values returns fractions in a form that no tape follows."""
    for leaf in leaves(result):
        where = f"{name} in {module or 'the model'}"
        if isinstance(leaf, Tensor):
            if leaf.is_complex():
                raise UnsupportedOperationError(f"{where} returns complex numbers, which relevance does not follow")
            if leaf.is_quantized or torch._C._functorch.is_functorch_wrapped_tensor(leaf):
                form = "quantized numbers" if leaf.is_quantized else "tensors of a transform of torch.func"
                raise UnsupportedOperationError(f"{where} returns {form}, which relevance does not follow")
        elif _is_export(leaf):
            raise UnsupportedOperationError(
                f"{where} takes explained values out of torch ({type(leaf).__name__}): what is computed from them "
                "would count as a constant; call detach() before it if that is meant"
            )


def _is_export(leaf: Any) -> bool:
    kind = type(leaf)
    if kind.__module__ == "numpy":
        return leaf.dtype.kind in "fc"
    return kind in (float, complex) or kind.__name__ == "PyCapsule"


def leaves(tree: Any) -> Iterator[Any]:
    """What nested tuples, lists and dicts hold."""
    if isinstance(tree, (tuple, list)):
        for item in tree:
            yield from leaves(item)
    elif isinstance(tree, dict):
        for item in tree.values():
            yield from leaves(item)
    else:
        yield tree


# Kernels whose results do not depend on the values that they are given.
_CONSTANT = frozenset(
    {
        *("detach", "zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like"),
        *("new_zeros", "new_ones", "new_full", "new_empty", "new_empty_strided"),
    }
)
