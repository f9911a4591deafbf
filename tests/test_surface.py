"""Public names and their signatures are those written down in tests/surface.txt.

Where a change of them is meant, ``python -m tests.test_surface`` writes the file anew.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import neon

PAGE = Path(__file__).parent / "surface.txt"
MODULES = (
    "neon",
    "neon.rules",
    "neon.composites",
    "neon.targets",
    "neon.baselines",
    "neon.plots",
    "neon.extend",
    "neon.nn",
    "neon.evaluate",
    "neon.anomalies",
    "neon.artifacts",
    "neon.scale",
    "neon.shift",
    "neon.clusters",
    "neon.mlflow",
)


def surface() -> str:
    """One line for each public name, in the order of the modules."""
    return "\n".join(line for name in MODULES for line in _of_module(importlib.import_module(name))) + "\n"


def _of_module(module: ModuleType) -> Iterator[str]:
    for name in sorted(module.__all__):
        value = getattr(module, name)
        full = f"{module.__name__}.{name}"
        if isinstance(value, ModuleType):
            yield f"{full}: module"
        elif inspect.isclass(value):
            yield from _of_class(full, value)
        else:
            yield full + (_parameters(value) if callable(value) else "")


def _of_class(full: str, cls: type) -> Iterator[str]:
    """How it is made; the methods and properties that neon gives it."""
    own = [base for base in cls.__mro__ if base.__module__.split(".")[0] == "neon"]
    yield f"class {full}" + ("" if issubclass(cls, BaseException) else _parameters(cls))
    for name in sorted({name for base in own for name in vars(base) if not name.startswith("_") or name == "__call__"}):
        value = inspect.getattr_static(cls, name)
        if isinstance(value, (staticmethod, classmethod)):
            value = getattr(cls, name)
        if inspect.isroutine(value):
            yield f"{full}.{name}{_parameters(value)}"
        elif isinstance(value, property):
            yield f"{full}.{name}: property"


def _parameters(value: Any) -> str:
    """A signature without its annotations; of defaults, what prints the same everywhere."""
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return "(...)"
    bare = []
    for parameter in signature.parameters.values():
        default = parameter.default
        if default is not parameter.empty and not isinstance(default, (bool, int, float, str, tuple, type(None))):
            parameter = parameter.replace(default=_Shown(f"<{type(default).__name__}>"))
        bare.append(parameter.replace(annotation=parameter.empty))
    return str(signature.replace(parameters=bare, return_annotation=signature.empty))


class _Shown:
    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def test_the_surface_is_the_one_written_down() -> None:
    found, written = surface().splitlines(), PAGE.read_text(encoding="utf-8").splitlines()
    gone = [line for line in written if line not in found]
    new = [line for line in found if line not in written]
    assert not gone, "public names or signatures changed; if that is meant: python -m tests.test_surface"
    assert not new, "new public names or signatures; if that is meant: python -m tests.test_surface"


def test_every_public_name_has_a_docstring() -> None:
    for name in MODULES:
        module = importlib.import_module(name)
        for public in module.__all__:
            value = getattr(module, public)
            assert not (inspect.isfunction(value) or inspect.isclass(value)) or value.__doc__, f"{name}.{public}"


def test_the_front_door_lists_what_it_has() -> None:
    assert set(neon.__all__) <= set(dir(neon))


if __name__ == "__main__":
    PAGE.write_text(surface(), encoding="utf-8")
