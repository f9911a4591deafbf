"""The presets: composites by name, and what else a composite is made from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from torch import Tensor

from neon.lrp.composites.composite import Composite
from neon.lrp.composites.selectors import Selector, anything, between, first, kind
from neon.lrp.rules import (
    AlphaBeta,
    Epsilon,
    EqualShare,
    Flat,
    Gamma,
    Halves,
    Interventional,
    Pass,
    Path,
    Reference,
    Rule,
    Shapley,
    SignalTakesAll,
    TreeRule,
    ZBox,
    Zero,
    ZPlus,
)
from neon.lrp.rules.tree import EngineName


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


def perceptron(epsilon: float = 1e-6) -> Composite:
    """LRP-ε; scalings and centerings before the network pass relevance on, wherever the data lie; trees by Shapley."""
    rules = [(kind("tree"), Shapley()), (kind("affine"), Pass()), (anything(), Epsilon(epsilon))]
    return Composite(rules, "perceptron")


def neon(engine: EngineName = "auto") -> Composite:
    """Contributions relative to a reference point; scalings pass relevance on; trees by `Shapley`.

    The default for neuralized models.
    """
    return _relative("neon", Shapley(engine=engine))


def interventional(engine: EngineName = "auto") -> Composite:
    """`neon` with trees by `Interventional`, from reference rows."""
    return _relative("interventional", Interventional(engine=engine))


def path() -> Composite:
    """`neon` with trees by `Path`."""
    return _relative("path", Path())


def equal() -> Composite:
    """`neon` with trees by `EqualShare`."""
    return _relative("equal", EqualShare())


def shapley(engine: EngineName = "auto") -> Composite:
    """Shapley or Aumann-Shapley values, absent features at the means of their terms; trees relative to their covers."""
    return _relative("shapley", Shapley(engine=engine), "means")


def expected(engine: EngineName = "auto") -> Composite:
    """Shapley or Aumann-Shapley values from each reference row."""
    return _relative("expected", Interventional(engine=engine), "rows")


def banzhaf(engine: EngineName = "auto") -> Composite:
    """Banzhaf values, of models that are sums of trees, kernels or quadratic forms: all sets of features count alike.

    They do not add up to the prediction: the residual "banzhaf" holds the difference.
    """
    return _relative("banzhaf", Shapley(engine=engine), "middle")


def _relative(name: str, rule: TreeRule, along: Literal["", "means", "rows", "middle"] = "") -> Composite:
    return Composite([(kind("tree"), rule), (kind("affine"), Pass()), (anything(), Reference())], name, along)


_PRESETS: dict[str, Callable[..., Composite]] = {
    preset.__name__: preset
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
        perceptron,
        neon,
        interventional,
        path,
        equal,
        shapley,
        expected,
        banzhaf,
    )
}
__all__ = ["Rules", "by_name", "names", "register", *_PRESETS]


def register(name: str, preset: Callable[..., Composite]) -> None:
    """Add a preset of one's own: ``by_name(name, **options)`` then gives it.

    Raises
    ------
    ValueError
        If there is another preset of this name.
    """
    if _PRESETS.get(name, preset) is not preset:
        raise ValueError(f"there is a preset {name!r} already; choose another name than {', '.join(names())}")
    _PRESETS[name] = preset


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
