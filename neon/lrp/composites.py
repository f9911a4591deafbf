"""Composites: which rule each linear map takes. An ordered list of (selector, rule); the first match wins."""

from __future__ import annotations

import fnmatch
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from neon.lrp.rules import (
    AlphaBeta,
    Epsilon,
    Flat,
    Gamma,
    Halves,
    Pass,
    Reference,
    Rule,
    SignalTakesAll,
    ZBox,
    Zero,
    ZPlus,
)

__all__ = [
    "Composite",
    "Node",
    "Selector",
    "anything",
    "attn_lrp",
    "between",
    "by_name",
    "cp_lrp",
    "deep_taylor",
    "epsilon",
    "epsilon_alpha2_beta1",
    "epsilon_alpha2_beta1_flat",
    "epsilon_gamma_box",
    "epsilon_plus",
    "epsilon_plus_flat",
    "excitation_backprop",
    "first",
    "kind",
    "last",
    "lrp_overview",
    "named",
    "names",
    "register",
    "zero",
]


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
class _Named:
    """A selector that prints as it was written."""

    text: str
    test: Callable[[Node], bool]

    def __call__(self, node: Node) -> bool:
        return self.test(node)

    def __repr__(self) -> str:
        return self.text


def kind(*kinds: str) -> Selector:
    """Select by kind: dense, convolution, affine, pooling, sum, normalization, product, distance, tree."""
    unknown = set(kinds) - _KINDS
    if unknown or not kinds:
        raise ValueError(f"unknown kind {sorted(unknown)}; choose from {sorted(_KINDS)}")
    return _Named(f"kind({', '.join(map(repr, kinds))})", functools.partial(_is_kind, kinds))


def first() -> Selector:
    """Select the first map with learned weights on each way from the input."""
    return _Named("first()", _is_first)


def last() -> Selector:
    """Select the last map with learned weights."""
    return _Named("last()", _is_last)


def between(start: float, stop: float) -> Selector:
    """Select by relative depth: maps with learned weights at ``start <= depth < stop``, input 0, output 1."""
    return _Named(f"between({start}, {stop})", functools.partial(_is_between, start, stop))


def named(pattern: str) -> Selector:
    """Select by module name; ``*`` and ``?`` stand for anything, as in ``"features.*"``."""
    return _Named(f"named({pattern!r})", functools.partial(_is_named, pattern))


def anything() -> Selector:
    """Select every map."""
    return _Named("anything()", _is_any)


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


@dataclass(frozen=True)
class Composite:
    """An ordered list of (selector, rule).

    Parameters
    ----------
    rules : sequence of (selector, rule)
        A selector is one of `neon.composites` (`named`, `kind`, `first`, ...), a string for `named`, or a function of a
        `Node`. The first selector that matches an operation, with a rule that fits its kind, gives the rule. Products
        of two explained values that none fits take `SignalTakesAll`.
    along : str
        "means": relevance is integrated along the way on which features are switched on together
        (`neon.lrp.paths.integral`), absent ones at the means of their terms; "rows": from each reference row. The
        rules are those of what stands first on the way: tree ensembles.
    name : str
        Shown by ``repr`` and `neon.LRP.plan`.

    Examples
    --------
    >>> from neon import composites, rules
    >>> composite = composites.epsilon_plus().override(composites.named("classifier.*"), rules.Zero())
    """

    rules: tuple[tuple[Selector, Rule], ...]
    name: str = "custom"
    along: Literal["", "means", "rows"] = ""

    def __init__(
        self,
        rules: Sequence[tuple[Selector | str, Rule]],
        name: str = "custom",
        along: Literal["", "means", "rows"] = "",
    ) -> None:
        checked = []
        for entry in rules:
            pair = tuple(entry) if isinstance(entry, (tuple, list)) else ()
            if len(pair) != 2 or not (callable(pair[0]) or isinstance(pair[0], str)) or not isinstance(pair[1], Rule):
                raise TypeError(f"a composite is a list of (selector, rule); got {entry!r}")
            checked.append((named(pair[0]) if isinstance(pair[0], str) else pair[0], pair[1]))
        object.__setattr__(self, "rules", tuple(checked))
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "along", along)

    def rule_for(self, node: Node) -> Rule:
        """The rule of the first selector that matches, among the rules that fit the kind."""
        for selector, rule in self.rules:
            if rule.fits(node.kind) and selector(node):
                return rule
        if node.kind == "product":
            return SignalTakesAll()
        advice = "end it with (anything(), rule)"
        if node.kind == "tree":
            advice = "trees take the composites 'shapley', 'path', 'equal' and, with reference rows, 'interventional'"
        raise ValueError(f"composite {self.name!r} has no rule for {node.kind} {node.module!r}; {advice}")

    def check_names(self, nodes: Sequence[Node]) -> None:
        """Raise where a rule is meant for modules of a name that none of these has."""
        names = sorted({node.module for node in nodes} - {""})
        for selector, rule in self.rules:
            if isinstance(selector, _Named) and selector.text.startswith("named(") and not any(map(selector, nodes)):
                known = f"those that have one: {', '.join(names)}" if names else "no module was found that runs here"
                raise ValueError(
                    f"{selector} => {rule} is for no operation that takes a rule: no module of that name has one of "
                    f"its own (a container's are named({'layer.*'!r})); {known}"
                )

    @property
    def needs_names(self) -> bool:
        """Whether a selector may ask for the name of a module: `named`, and any function of the caller's."""
        return any(not isinstance(s, _Named) or s.text.startswith("named(") for s, _ in self.rules)

    @property
    def takes_reference(self) -> bool:
        """Whether a rule is relative to a reference point."""
        return any(rule.takes_reference for _, rule in self.rules)

    def override(self, selector: Selector | str, rule: Rule) -> Composite:
        """The same composite with one more (selector, rule) in front."""
        return Composite([(selector, rule), *self.rules], f"{self.name} with overrides", self.along)

    def __repr__(self) -> str:
        lines = "".join(f"\n  {selector} => {rule}" for selector, rule in self.rules)
        return f"Composite {self.name!r}:{lines}"


def zero() -> Composite:
    """LRP-0 everywhere: gradient × input for ReLU networks."""
    return Composite([(anything(), Zero())], "zero")


def epsilon(epsilon: float = 1e-6) -> Composite:
    """LRP-ε everywhere."""
    return Composite([(anything(), Epsilon(epsilon))], "epsilon")


def epsilon_plus(epsilon: float = 1e-6) -> Composite:
    """z⁺ in convolutions, ε elsewhere."""
    return Composite([(kind("convolution"), ZPlus(epsilon)), (anything(), Epsilon(epsilon))], "epsilon_plus")


def epsilon_plus_flat(epsilon: float = 1e-6) -> Composite:
    """`epsilon_plus` with the flat rule in the first layer."""
    return Composite([(first(), Flat(epsilon)), *epsilon_plus(epsilon).rules], "epsilon_plus_flat")


def epsilon_alpha2_beta1(epsilon: float = 1e-6) -> Composite:
    """α2β1 in convolutions, ε elsewhere."""
    rules = [(kind("convolution"), AlphaBeta(2, 1, epsilon)), (anything(), Epsilon(epsilon))]
    return Composite(rules, "epsilon_alpha2_beta1")


def epsilon_alpha2_beta1_flat(epsilon: float = 1e-6) -> Composite:
    """`epsilon_alpha2_beta1` with the flat rule in the first layer."""
    rules = [(first(), Flat(epsilon)), *epsilon_alpha2_beta1(epsilon).rules]
    return Composite(rules, "epsilon_alpha2_beta1_flat")


def epsilon_gamma_box(
    low: float | Tensor = -3.0, high: float | Tensor = 3.0, gamma: float = 0.25, epsilon: float = 1e-6
) -> Composite:
    """z^B in the first layer, γ in convolutions, ε elsewhere.

    Parameters
    ----------
    low, high : float or Tensor
        The smallest and largest value an input can take.
    """
    rules = [
        (first(), ZBox(low, high, epsilon)),
        (kind("convolution"), Gamma(gamma, epsilon)),
        (anything(), Epsilon(epsilon)),
    ]
    return Composite(rules, "epsilon_gamma_box")


def lrp_overview(
    low: float | Tensor = -3.0, high: float | Tensor = 3.0, gamma: float = 0.25, epsilon: float = 0.25
) -> Composite:
    """LRP-0 in the upper, ε in the middle, γ in the lower third, z^B in the first layer (Montavon et al. 2019).

    Parameters
    ----------
    epsilon : float
        Relative to the root mean square of each sample's z.
    """
    rules = [
        (first(), ZBox(low, high)),
        (between(0, 1 / 3), Gamma(gamma)),
        (between(1 / 3, 2 / 3), Epsilon(epsilon, relative=True)),
        (between(2 / 3, 1), Zero()),
        (anything(), Epsilon()),
    ]
    return Composite(rules, "lrp_overview")


def excitation_backprop(epsilon: float = 1e-6) -> Composite:
    """z⁺ everywhere, biases left out (Zhang et al. 2016)."""
    rules = [(kind("dense", "convolution"), ZPlus(epsilon, bias="ignore")), (anything(), Epsilon(epsilon))]
    return Composite(rules, "excitation_backprop")


def deep_taylor(low: float | Tensor = -3.0, high: float | Tensor = 3.0, epsilon: float = 1e-6) -> Composite:
    """z⁺ everywhere and z^B in the first layer (Montavon et al. 2017)."""
    rules = [
        (first(), ZBox(low, high, epsilon)),
        (kind("dense", "convolution"), ZPlus(epsilon)),
        (anything(), Epsilon(epsilon)),
    ]
    return Composite(rules, "deep_taylor")


def attn_lrp(epsilon: float = 1e-6) -> Composite:
    """ε everywhere, products halved: transformers (Achtibat et al. 2024, "AttnLRP")."""
    return Composite([(kind("product"), Halves(epsilon)), (anything(), Epsilon(epsilon))], "attn_lrp")


def cp_lrp(epsilon: float = 1e-6) -> Composite:
    """ε everywhere, attention weights as constants: relevance flows through the values (Ali et al. 2022)."""
    return Composite([(kind("product"), SignalTakesAll(epsilon)), (anything(), Epsilon(epsilon))], "cp_lrp")


def _neon() -> Composite:
    """Contributions relative to a reference point; scalings pass relevance on."""
    return Composite([(kind("affine"), Pass()), (anything(), Reference())], "neon")


_PRESETS: dict[str, Callable[..., Composite]] = {
    preset.__name__.lstrip("_"): preset
    for preset in (
        zero,
        epsilon,
        epsilon_plus,
        epsilon_plus_flat,
        epsilon_alpha2_beta1,
        epsilon_alpha2_beta1_flat,
        epsilon_gamma_box,
        lrp_overview,
        excitation_backprop,
        deep_taylor,
        attn_lrp,
        cp_lrp,
        _neon,
    )
}


def register(name: str, preset: Callable[..., Composite]) -> None:
    """Add a preset: ``by_name(name, **options)`` and ``neon.composites.name(**options)`` then give it."""
    _PRESETS[name] = preset


def __getattr__(name: str) -> Callable[..., Composite]:
    """Presets that upper floors registered, ``neon`` among them, which takes the rules of trees there."""
    if name in _PRESETS:
        return _PRESETS[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; presets: {', '.join(names())}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_PRESETS})


def names() -> list[str]:
    """The names of the presets."""
    return sorted(_PRESETS)


Rules = str | Rule | Composite | Sequence[tuple[Selector | str, Rule]]


def by_name(composite: Rules, **options: Any) -> Composite:
    """A composite from a preset's name, from one rule for every map, from a list of (selector, rule), or as it is."""
    if isinstance(composite, Composite):
        return composite
    if isinstance(composite, Rule):
        return Composite([(anything(), composite)], repr(composite))
    if not isinstance(composite, str | Sequence):
        raise ValueError(f"a composite is a name, a rule, a Composite or a list of (selector, rule), got {composite!r}")
    if not isinstance(composite, str):
        return Composite(composite)
    if composite not in _PRESETS:
        raise ValueError(f"unknown composite {composite!r}; choose from {names()}, or build a Composite")
    return _PRESETS[composite](**options)
