"""A composite: which rule each operation takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from neon.lrp.composites.selectors import NamedSelector, Node, Selector, named
from neon.lrp.rules import Rule, SignalTakesAll

__all__ = ["Composite"]


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
        (`neon.lrp.paths.integral`), absent ones at the means of their terms; "rows": from each reference row;
        "middle": not integrated but taken where each feature is present with probability 1/2. The
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
    along: Literal["", "means", "rows", "middle"] = ""

    def __init__(
        self,
        rules: Sequence[tuple[Selector | str, Rule]],
        name: str = "custom",
        along: Literal["", "means", "rows", "middle"] = "",
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
            if isinstance(selector, NamedSelector) and selector.reads_names and not any(map(selector, nodes)):
                known = f"those that have one: {', '.join(names)}" if names else "no module was found that runs here"
                raise ValueError(
                    f"{selector} => {rule} is for no operation that takes a rule: no module of that name has one of "
                    f"its own (a container's are named({'layer.*'!r})); {known}"
                )

    @property
    def needs_names(self) -> bool:
        """Whether a selector may ask for the name of a module: `named`, and any function of the caller's."""
        return any(not isinstance(s, NamedSelector) or s.reads_names for s, _ in self.rules)

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
