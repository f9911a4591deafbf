"""Selectors: which operations a rule of a composite is for."""

from __future__ import annotations

import fnmatch
import functools
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["NamedSelector", "Node", "Selector", "anything", "between", "first", "kind", "last", "named"]


@dataclass(frozen=True)
class Node:
    """What a selector sees of a linear map.

    Attributes
    ----------
    kind : str
        dense, convolution, affine, pooling, sum, normalization, product (of two explained values), distance or tree.
    module : str
        The name of the module that ran it, as in ``model.named_modules()``.
    position, count : int
        Its place among the maps with learned weights (dense and convolution), counted from the input, and their
        number; -1 for other kinds.
    first : bool
        Whether no map with learned weights lies between it and an input.
    """

    kind: str
    module: str = ""
    position: int = -1
    count: int = 0
    first: bool = False


Selector = Callable[[Node], bool]


@dataclass(frozen=True)
class NamedSelector:
    """A selector that prints as it was written, and is the same as another of this text."""

    text: str
    test: Callable[[Node], bool] = field(compare=False)
    reads_names: bool = False  # whether it asks for the name of a module

    def __call__(self, node: Node) -> bool:
        return self.test(node)

    def __repr__(self) -> str:
        return self.text


def kind(*kinds: str) -> Selector:
    """Select by kind: dense, convolution, affine, pooling, sum, normalization, product, distance, tree."""
    unknown = set(kinds) - _KINDS
    if unknown or not kinds:
        raise ValueError(f"unknown kind {sorted(unknown)}; choose from {sorted(_KINDS)}")
    return NamedSelector(f"kind({', '.join(map(repr, kinds))})", functools.partial(_is_kind, kinds))


def first() -> Selector:
    """Select the first map with learned weights on each way from the input."""
    return NamedSelector("first()", _is_first)


def last() -> Selector:
    """Select the last map with learned weights."""
    return NamedSelector("last()", _is_last)


def between(start: float, stop: float) -> Selector:
    """Select by relative depth: maps with learned weights at ``start <= depth < stop``, input 0, output 1."""
    return NamedSelector(f"between({start}, {stop})", functools.partial(_is_between, start, stop))


def named(pattern: str) -> Selector:
    """Select by module name; ``*`` and ``?`` stand for anything, as in ``"features.*"``."""
    return NamedSelector(f"named({pattern!r})", functools.partial(_is_named, pattern), reads_names=True)


def anything() -> Selector:
    """Select every map."""
    return NamedSelector("anything()", _is_any)


# Functions of the module, not lambdas, so that composites can be pickled.
def _is_kind(kinds: tuple[str, ...], node: Node) -> bool:
    return node.kind in kinds


def _is_first(node: Node) -> bool:
    return node.first


def _is_last(node: Node) -> bool:
    return node.count > 0 and node.position == node.count - 1


def _is_between(start: float, stop: float, node: Node) -> bool:
    return node.position >= 0 and start <= (node.position + 0.5) / node.count < stop


def _is_named(pattern: str, node: Node) -> bool:
    return fnmatch.fnmatchcase(node.module, pattern)


def _is_any(node: Node) -> bool:
    return True


_KINDS = {"dense", "convolution", "affine", "pooling", "sum", "normalization", "product", "distance", "tree"}
