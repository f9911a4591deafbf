"""What `neon.tune` chooses among: options of `neon.Explainer` by name, in the order of what they cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from neon.converters import Network
from neon.evaluate.explained import Explained
from neon.explainer import Explainer, summarize
from neon.explanation import Explanation
from neon.lrp import LRP, composites, rules

__all__ = ["Candidate", "candidates_of"]

EPSILONS = (0.1, 0.5)  # of the root mean square of z
GAMMAS = (0.1, 0.25, 1.0)
BOUNDARIES = (1 / 3, 2 / 3)  # of the depth: γ below, ε above
ETAS = (0.0, 0.5, 1.0)
N_ROWS = (8, 24)  # reference rows of "expected"
_NEAR = 24  # reference rows of rules that take one pass
_MEANS = 100  # of "shapley", which takes means over them

Options = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Candidate:
    """Options of `neon.Explainer`, as a method of `neon.evaluate`."""

    options: Mapping[str, Any]

    def __call__(self, model: Any, X: np.ndarray, target: Any, background: np.ndarray | None) -> Explanation:
        f = Explained.of(model)
        return Explainer(f.model, output=f.output, progress=False, **self.options)(X, target)


def candidates_of(f: Explained, row: np.ndarray, background: np.ndarray | None) -> dict[str, Options]:
    """The candidates for a model, cheapest first; that one is here does not say that it applies.

    Parameters
    ----------
    row : (1, ...)
        Any row, which tells what kinds of operations the model runs.
    background : (n_rows, ...), optional
        Rows that candidates take their reference rows and the range of the inputs from.
    """
    kinds = _kinds(f, row)
    found: dict[str, Options] = {}
    if isinstance(f.network, Network):
        found |= dict(_of_fitted(f.network, kinds))
    if kinds.count("dense") + kinds.count("convolution") > 1:
        found |= dict(_of_layers(f.network, kinds, background))
    if background is not None and isinstance(f.network, Network):
        found |= dict(_relative(background, trees="tree" in kinds))
    if row.ndim == 2:
        found |= dict(_paths(f.network, background, trees="tree" in kinds))
    return found


def _kinds(f: Explained, row: np.ndarray) -> list[str]:
    """The kinds of the operations on the way to the output, one for each."""
    assert f.network is not None
    composite = f.network.one_pass if isinstance(f.network, Network) else "epsilon"
    return [step.kind for step in LRP(f.network, composite).record(f.tensor(row)).steps]


def _of_fitted(network: Network, kinds: list[str]) -> Iterator[tuple[str, Options]]:
    """Rules of one pass, relative to what the model holds."""
    yield "neon", {"composite": "neon"}
    if "tree" in kinds:
        yield from ((name, {"composite": name}) for name in ("path", "equal"))
    composite = composites.by_name(network.one_pass)
    if any(isinstance(rule, rules.Hybrid) for _, rule in composite.rules):
        for eta in ETAS:
            hybrid = composites.by_name("neon").override(composites.kind("distance"), rules.Hybrid(eta=eta))
            yield f"eta {eta:g}", {"composite": hybrid}


def _of_layers(
    network: torch.nn.Module | None, kinds: list[str], background: np.ndarray | None
) -> Iterator[tuple[str, Options]]:
    """Rules of one pass for networks of several layers."""
    base = composites.perceptron() if isinstance(network, Network) else composites.attn_lrp()
    layers, convolutions = composites.kind("dense", "convolution"), composites.kind("convolution")

    def with_rule(selector: composites.Selector, rule: rules.Rule) -> Options:
        return {"composite": base.override(selector, rule)}

    yield "epsilon", {"composite": base}
    for epsilon in EPSILONS:
        yield f"epsilon {epsilon:g} rms", with_rule(layers, rules.Epsilon(epsilon, relative=True))
    yield "zplus", with_rule(layers, rules.ZPlus())
    for gamma in GAMMAS:
        yield f"gamma {gamma:g}", with_rule(layers, rules.Gamma(gamma))
    for depth in BOUNDARIES:
        yield f"gamma 0.25 below {depth:.2f}", with_rule(composites.between(0, depth), rules.Gamma(0.25))
    yield "alpha2_beta1", with_rule(layers, rules.AlphaBeta(2, 1))
    if "convolution" in kinds:
        yield "epsilon_plus", with_rule(convolutions, rules.ZPlus())
    if "convolution" in kinds and background is not None:
        low, high = float(background.min()), float(background.max())
        for gamma in GAMMAS:
            yield f"epsilon_gamma_box {gamma:g}", {"composite": composites.epsilon_gamma_box(low, high, gamma)}


def _relative(background: np.ndarray, *, trees: bool) -> Iterator[tuple[str, Options]]:
    """Rules of one pass, relative to a few background rows."""
    rows = summarize(background, _NEAR)[0]
    name = "interventional" if trees else "neon"
    yield f"{name}, {len(rows)} rows", {"composite": name, "reference": rows}


def _paths(
    network: torch.nn.Module | None, background: np.ndarray | None, *, trees: bool
) -> Iterator[tuple[str, Options]]:
    """Rules of several passes: from what the model holds, and from background rows."""
    if isinstance(network, Network):
        yield "shapley", {"composite": "shapley"}
    if background is None:
        return
    rows = summarize(background, _MEANS)
    shapley = (f"shapley, {len(rows[0])} rows", {"composite": "shapley", "reference": rows})
    if not trees:  # one pass for all rows: their mean terms
        yield shapley
    for n in sorted({min(n, len(background)) for n in N_ROWS}):
        yield f"expected, {n} rows", {"composite": "expected", "reference": summarize(background, n)}
    if trees:
        yield shapley
