"""Wrong rules are found out: the suite's own checks run on mutants, and each must fail.

Every mutant takes the right rule's place in the tests themselves (textbook, other tools, conservation), so a check that
grows too lenient, or skips what it claims to compare, fails here.
"""

import copy
import dataclasses
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from neon import rules
from neon.lrp.message import Ledger, Message
from neon.lrp.rules import LinearCall, Rule, base
from tests.lrp import test_deep_operations, test_oracles, test_rules
from tests.lrp.linear_cases import CASES

# Relevance is drawn here, not the output: where z is about 0 it grows.
pytestmark = pytest.mark.filterwarnings("ignore:relevance grows")

Messages = tuple[Message, ...]


@dataclass(frozen=True)
class Wrong(Rule):
    """A rule that goes wrong before (in what it reads) or after (in what it gives)."""

    right: Rule
    read: Callable[[LinearCall], LinearCall] = lambda call: call
    give: Callable[[LinearCall, Message, Messages, Rule], Messages] = lambda call, message, found, right: found

    def propagate(self, call: LinearCall, message: Message, ledger: Ledger) -> Messages:
        call = self.read(call)
        found = self.right.propagate(call, message, ledger)
        bound = tuple(part.about(lambda x=x: x, lambda: None) for part, x in zip(found, call.inputs, strict=True))
        return self.give(call, message, bound, self.right)


def with_(rule: Rule, **values: float) -> Rule:
    """The rule with values that its constructor refuses."""
    rule = copy.copy(rule)
    for name, value in values.items():
        object.__setattr__(rule, name, value)
    return rule


def negated(call: LinearCall, message: Message, found: Messages, right: Rule) -> Messages:
    return tuple(Message.of_relevance(-part.relevance) for part in found)


def without_input(call: LinearCall, message: Message, found: Messages, right: Rule) -> Messages:
    """``c`` in place of ``x c``."""
    return tuple(Message.of_relevance(part.relevance / x) for part, x in zip(found, call.inputs, strict=True))


def bias_shared(call: LinearCall, message: Message, found: Messages, right: Rule) -> Messages:
    """Equal shares of what the bias absorbs go to the inputs."""
    ledger = Ledger(n_samples=len(message.relevance))
    right.propagate(call, message, ledger)
    (part,) = found
    share = ledger.absorbed["bias"] / part.relevance[0].numel()
    return (Message.of_relevance(part.relevance + share.view(-1, *(1,) * (part.relevance.ndim - 1))),)


def neighbours_swapped(call: LinearCall, message: Message, found: Messages, right: Rule) -> Messages:
    """The right amounts at the wrong features."""
    return tuple(Message.of_relevance(part.relevance.roll(1, -1)) for part in found)


def taken_for_nonnegative(call: LinearCall) -> LinearCall:
    return dataclasses.replace(call, nonnegative=True)


def bias_twice(call: LinearCall) -> LinearCall:
    bias = call.map.bias
    assert bias is not None
    return dataclasses.replace(call, output=lambda vanishes: call.output(vanishes) + bias)


def magnitudes(call: LinearCall) -> LinearCall:
    """|z| in the denominator."""
    return dataclasses.replace(call, output=lambda vanishes: call.output(False).abs())


def roots_of_weights(call: LinearCall) -> LinearCall:
    """|w| in place of w², once it is squared."""
    return dataclasses.replace(call, map=call.map.modified(lambda w: w.abs().sqrt()))


# rule of the suite, mutation -> the wrong rule, and whether it breaks the account of relevance
MUTANTS: dict[tuple[str, str], tuple[Rule, bool]] = {
    ("zero", "denominator is |z|"): (Wrong(rules.Zero(), read=magnitudes), True),
    ("zero", "bias forgotten"): (rules.Zero(bias="ignore"), False),
    ("zero", "bias shared"): (Wrong(rules.Zero(), give=bias_shared), True),
    ("epsilon", "sign flipped"): (Wrong(rules.Epsilon(), give=negated), True),
    ("epsilon", "input forgotten"): (Wrong(rules.Epsilon(), give=without_input), True),
    ("epsilon", "stabilizer forgotten"): (rules.Zero(), False),
    ("epsilon", "stabilizer too large"): (rules.Epsilon(2e-6), False),
    ("epsilon", "bias forgotten"): (rules.Epsilon(bias="ignore"), False),
    ("epsilon", "bias shared"): (Wrong(rules.Epsilon(), give=bias_shared), True),
    ("epsilon", "bias twice"): (Wrong(rules.Epsilon(), read=bias_twice), True),
    ("epsilon", "neighbours swapped"): (Wrong(rules.Epsilon(), give=neighbours_swapped), False),
    ("gamma", "γ's sign flipped"): (with_(rules.Gamma(), gamma=-0.25), False),
    ("gamma", "γ slightly off"): (rules.Gamma(0.25001), False),
    ("gamma", "γ forgotten"): (rules.Epsilon(), False),
    ("gamma", "stabilizer forgotten"): (rules.Gamma(epsilon=0.0), False),
    ("gamma", "bias forgotten"): (rules.Gamma(bias="ignore"), False),
    ("gamma", "bias shared"): (Wrong(rules.Gamma(), give=bias_shared), True),
    ("gamma", "signed inputs taken for non-negative"): (Wrong(rules.Gamma(), read=taken_for_nonnegative), True),
    ("alpha2_beta1", "α and β swapped"): (with_(rules.AlphaBeta(), alpha=1.0, beta=2.0), True),
    ("alpha2_beta1", "β's sign flipped"): (with_(rules.AlphaBeta(), beta=-1.0), True),
    ("alpha2_beta1", "β forgotten"): (with_(rules.AlphaBeta(), beta=0.0), True),
    ("alpha2_beta1", "both parts too large"): (rules.AlphaBeta(3, 2), False),
    ("alpha2_beta1", "stabilizer forgotten"): (rules.AlphaBeta(epsilon=0.0), True),
    ("alpha2_beta1", "bias forgotten"): (rules.AlphaBeta(bias="ignore"), False),
    ("alpha2_beta1", "signed inputs taken for non-negative"): (
        Wrong(rules.AlphaBeta(), read=taken_for_nonnegative),
        False,
    ),
    ("z_plus", "positive weights in place of positive products"): (
        Wrong(rules.ZPlus(), read=taken_for_nonnegative),
        False,
    ),
    ("z_plus", "negative part"): (with_(rules.ZPlus(), alpha=0.0, beta=-1.0), False),
    ("z_plus", "bias forgotten"): (rules.ZPlus(bias="ignore"), False),
    ("z_plus", "bias shared"): (Wrong(rules.ZPlus(), give=bias_shared), True),
    ("w_square", "magnitudes in place of squares"): (Wrong(rules.WSquare(), read=roots_of_weights), False),
    ("w_square", "times the input"): (rules.Epsilon(), False),
    ("w_square", "bias forgotten"): (rules.WSquare(bias="ignore"), False),
    ("flat", "by weight"): (rules.WSquare(bias="ignore"), False),
    ("flat", "stabilizer forgotten"): (rules.Flat(0.0), False),
}
# of the rules that the suite builds with a box or a point of its own
MUTANTS_OF_FACTORIES: dict[tuple[str, str], Callable[..., Rule]] = {
    ("ZBox", "sides swapped"): lambda low, high, right=rules.ZBox: right(high, low),
    ("ZBox", "upper side forgotten"): lambda low, high, right=rules.ZBox: right(low, low),
    ("ZBox", "bias left in"): lambda low, high, right=rules.ZBox: Wrong(right(low, high), read=bias_twice),
    ("ZBox", "stabilizer forgotten"): lambda low, high, right=rules.ZBox: right(low, high, 0.0),
    ("Reference", "point mirrored"): lambda r, right=rules.Reference: right(-r),
    ("Reference", "point forgotten"): lambda r: rules.Zero(),
    ("Reference", "distance in place of difference"): lambda r, right=rules.Reference: Wrong(right(r), read=magnitudes),
}
# the oracles have no LRP-0, and spell two names differently
ORACLE_NAMES = {"z_plus": "zplus", "w_square": "wsquare"}


def ident(part: str) -> str:
    return part.replace(" ", "_")


every_mutant = pytest.mark.parametrize(("name", "mutation"), MUTANTS, ids=ident)


def fails(check: Callable[..., None], *arguments: Any) -> bool:
    """Whether a test fails; any error but a failed assertion is an error here as well."""
    try:
        check(*arguments)
    except AssertionError:
        return True
    return False


def surroundings() -> Iterator[tuple[Any, str]]:
    """Enough of the suite's cases: a dense layer and a convolution, with ReLUs and without."""
    for case in CASES:
        if case.name in ("linear", "conv2d"):
            yield from ((case, surrounding) for surrounding in test_rules.SURROUNDINGS)


def seen_by_textbook(name: str) -> bool:
    return any(fails(test_rules.test_rule, *place, name) for place in surroundings())


def seen_by_oracle(name: str) -> bool:
    places = itertools.product(("linear", "conv2d"), ("signed", "nonnegative"))
    return any(fails(test_oracles.test_rule, *place, name) for place in places)


def account(rule: Rule) -> None:
    """The check of conservation: relevance and what the ledger names sum up to what came in."""
    layer = nn.Linear(7, 5).double()
    with torch.no_grad():
        layer.weight.copy_(test_rules.draw("account weight", 5, 7))
        layer.bias.copy_(test_rules.draw("account bias", 5))
    x, relevance = test_rules.draw("account", 4, 7), test_rules.draw("account relevance", 4, 5)
    test_deep_operations.explain(layer, x, relevance, test_rules.everywhere(rule))


@pytest.mark.parametrize("name", dict.fromkeys(name for name, _ in MUTANTS))
def test_right_rules_pass(name: str) -> None:
    """The controls: the checks see nothing wrong in what is right."""
    assert not seen_by_textbook(name)
    oracle = ORACLE_NAMES.get(name, name)
    assert oracle == "zero" or not seen_by_oracle(oracle)
    account(test_rules.RULES[name][0])


@every_mutant
def test_textbook_sees(name: str, mutation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(test_rules.RULES, name, (MUTANTS[name, mutation][0], test_rules.RULES[name][1]))
    assert seen_by_textbook(name)


@pytest.mark.parametrize(("name", "mutation"), [key for key in MUTANTS if key[0] != "zero"], ids=ident)
def test_oracle_sees(name: str, mutation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    oracle = ORACLE_NAMES.get(name, name)
    monkeypatch.setitem(test_oracles.RULES, oracle, MUTANTS[name, mutation][0])
    assert seen_by_oracle(oracle)


@every_mutant
def test_conservation_sees_what_is_lost(name: str, mutation: str) -> None:
    """It sees relevance that appears or vanishes, and not where it goes: hence the other checks."""
    mutant, breaks = MUTANTS[name, mutation]
    assert fails(account, mutant) == breaks


@pytest.mark.filterwarnings("ignore:.*lie outside its box")  # of a rule that mistakes its sides
@pytest.mark.parametrize(("name", "mutation"), MUTANTS_OF_FACTORIES, ids=ident)
def test_textbook_sees_in_boxes_and_points(name: str, mutation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    check = {"ZBox": test_rules.test_z_box, "Reference": test_rules.test_reference}[name]
    assert not any(fails(check, *place) for place in surroundings())
    monkeypatch.setattr(rules, name, MUTANTS_OF_FACTORIES[name, mutation])
    assert any(fails(check, *place) for place in surroundings())


@pytest.mark.parametrize("name", [name for name in test_rules.STABILISED if name not in ("w_square", "flat")])
def test_stabilizer_of_one_sign(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """``z + ε`` in place of ``z + ε sgn(z)``: seen where sums may have either sign: not in αβ, w² and flat."""

    def one_sided(z: Tensor, epsilon: float) -> Tensor:
        return z + epsilon

    monkeypatch.setattr(base, "stabilize", one_sided)
    assert seen_by_textbook(name) == (not name.startswith(("z_plus", "alpha")))


@pytest.mark.parametrize("name", test_rules.STABILISED)
def test_sign_of_zero(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """``sgn(0) = -1``: the case made for it sees that where the rule has an output of zero divide."""

    def signed(z: Tensor, epsilon: float) -> Tensor:
        return torch.where(z > 0, z + epsilon, z - epsilon)

    assert not fails(test_rules.test_zero_preactivation, name)
    monkeypatch.setattr(base, "stabilize", signed)
    assert fails(test_rules.test_zero_preactivation, name) == name.startswith("epsilon")
