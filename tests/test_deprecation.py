"""Old names work, with a warning that says the new one."""

from __future__ import annotations

import inspect

import pytest

from neon._deprecation import renamed_argument, renamed_names
from neon.lrp.rules import Gamma


@renamed_argument("rows", "reference", removed_in="9.0")
def explained(x: int, *, reference: int = 0) -> tuple[int, int]:
    """What the test calls."""
    return x, reference


def test_an_old_argument_works_and_says_its_new_name() -> None:
    with pytest.warns(FutureWarning, match=r"rows= of explained\(\) is called reference= now; .* in neon 9\.0") as said:
        assert explained(1, rows=2) == (1, 2)
    assert said[0].filename == __file__
    assert explained(1, reference=2) == (1, 2)
    assert explained(1) == (1, 0)


def test_both_names_at_once_are_refused() -> None:
    with pytest.raises(TypeError, match=r"explained\(\) was given both reference= and rows=, its old name"):
        explained(1, rows=2, reference=3)


def test_the_signature_is_that_of_the_new_name() -> None:
    assert list(inspect.signature(explained).parameters) == ["x", "reference"]
    assert explained.__doc__ == "What the test calls."


def test_an_old_name_of_a_module_works_and_says_where_it_stands_now() -> None:
    find = renamed_names("neon.attic", {"GammaRule": "neon.rules.Gamma"}, removed_in="9.0")
    with pytest.warns(FutureWarning, match=r"neon\.attic\.GammaRule is called neon\.rules\.Gamma now") as said:
        assert find("GammaRule") is Gamma
    assert said[0].filename == __file__
    with pytest.raises(AttributeError, match=r"module 'neon\.attic' has no attribute 'Beta'"):
        find("Beta")
