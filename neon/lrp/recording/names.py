"""Names of modules, also of those that a lambda, a partial function or an object with a model runs."""

from __future__ import annotations

import dis
import functools
import types
from collections.abc import Iterator
from typing import Any

import torch

__all__ = ["function_name", "module_names"]

_DEPTH = 4  # functions in functions, objects in objects


def function_name(function: Any) -> str:
    """A readable name of a torch function, also of a property such as ``Tensor.T``."""
    name = getattr(function, "__name__", type(function).__name__)
    if name == "__get__":
        return str(getattr(getattr(function, "__self__", None), "__name__", name))
    return str(name)


def module_names(model: Any) -> dict[int, str]:
    """Module name by ``id`` of each module, parameter and buffer that a model runs.

    They are those of ``module.named_modules()``; where a function runs several modules, the name that it knows each
    by stands in front: ``lambda x: head(body(x))`` has ``head`` and ``body.0``.
    """
    roots: dict[int, tuple[str, torch.nn.Module]] = {}
    for name, module in _modules("", model, _DEPTH, set()):
        roots.setdefault(id(module), (name, module))
    inner = {id(part) for _, root in roots.values() for part in root.modules() if part is not root}
    outermost = [entry for entry in roots.values() if id(entry[1]) not in inner]
    names: dict[int, str] = {}
    for prefix, root in outermost:
        for name, module in root.named_modules():
            parts = [prefix] if len(outermost) > 1 else []
            # torch.compile puts a module around the caller's own.
            parts += [part for part in name.split(".") if part not in ("", "_orig_mod")]
            full = ".".join(parts)
            names[id(module)] = full
            for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
                names.setdefault(id(tensor), full)
    return names


def _modules(name: str, value: Any, depth: int, seen: set[int]) -> Iterator[tuple[str, torch.nn.Module]]:
    """The modules that can be reached from a callable, by the names that it has for them."""
    if isinstance(value, torch.nn.Module):
        yield name, value
    if depth == 0 or id(value) in seen or isinstance(value, torch.nn.Module):
        return
    seen.add(id(value))
    for part, inner in _parts(value):
        yield from _modules(part if not part.isdigit() or not name else f"{name}.{part}", inner, depth - 1, seen)


def _parts(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, functools.partial):
        return [("", value.func), *((str(i), arg) for i, arg in enumerate(value.args)), *value.keywords.items()]
    if isinstance(value, types.MethodType):
        own = [] if isinstance(value.__self__, torch.nn.Module) else [("", value.__func__)]
        return [("", value.__self__), *own]
    if isinstance(value, types.FunctionType):
        return [] if (value.__module__ or "").split(".")[0] == "torch" else _variables(value)
    if isinstance(value, (list, tuple)):
        return [(str(i), item) for i, item in enumerate(value)]
    if isinstance(value, dict):
        return [(str(key), item) for key, item in value.items()]
    if isinstance(value, (type, types.ModuleType, torch.Tensor)):
        return []
    return [(key, item) for key, item in getattr(value, "__dict__", {}).items() if isinstance(key, str)]


def _variables(function: types.FunctionType) -> list[tuple[str, Any]]:
    """What a function reads from around it: its closure, its defaults, and the globals that it names."""
    found = []
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found.append((name, cell.cell_contents))
        except ValueError:  # not assigned yet
            continue
    arguments = function.__code__.co_varnames[: function.__code__.co_argcount]
    defaults = function.__defaults__ or ()
    found += zip(arguments[len(arguments) - len(defaults) :], defaults, strict=True)
    found += (function.__kwdefaults__ or {}).items()
    names = dict.fromkeys(_globals(function.__code__))
    return found + [(name, function.__globals__[name]) for name in names if name in function.__globals__]


def _globals(code: types.CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if instruction.opname == "LOAD_GLOBAL":
            yield str(instruction.argval)
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            yield from _globals(inner)
