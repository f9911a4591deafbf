"""``neon.partial_dependence(model, X)``: mean predictions over grids of one or two features, and their effects."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import sparse

from neon._visible import visible
from neon.converters import Network, neuralize
from neon.converters.core.containers import take
from neon.dependence.grid import check_grid, column, grid_of, put
from neon.dependence.of_trees import effects_of_trees
from neon.explainer.labels import output_indices
from neon.explainer.reference import rows_and_weights
from neon.explainer.rows import numbered
from neon.explanation.algebra import positions

__all__ = ["Effect", "PartialDependence", "partial_dependence"]

Places = tuple[int, ...]  # of one feature, or of two
_ROWS = 20_000  # that the network is asked for at a time


@dataclass(frozen=True, eq=False)
class Effect:
    """Partial dependence on one or two features.

    Attributes
    ----------
    features : tuple of str
    grid : tuple of ndarray
        The points of each feature.
    average : ndarray (n_points,) or (n_points of the one, n_points of the other)
        The mean prediction over the rows, with these features at the grid point in all of them.
    effect : ndarray, as ``average``
        What the features do beyond fewer of them: ``average`` less the mean prediction, and of two features less the
        effect of each.
    """

    features: tuple[str, ...]
    grid: tuple[np.ndarray, ...]
    average: np.ndarray
    effect: np.ndarray


@dataclass(frozen=True, eq=False)
class PartialDependence:
    """Partial dependence on several features, and pairs of them.

    Attributes
    ----------
    base : float
        The mean prediction over the rows.
    effects : tuple of Effect
    explains : str
        What the prediction is, in words.
    values : mapping of str to ndarray
        The rows' own values of each of the features.
    """

    base: float
    effects: tuple[Effect, ...]
    explains: str
    values: Mapping[str, np.ndarray]

    def __getitem__(self, features: str | tuple[str, str]) -> Effect:
        """The effect of a feature, or of a pair.

        Raises
        ------
        KeyError
            If it was not asked for.
        """
        names = (features,) if isinstance(features, str) else tuple(features)
        for effect in self.effects:
            if effect.features == names:
                return effect
        raise KeyError(f"no effect of {features!r}; there are {[effect.features for effect in self.effects]}")

    def __repr__(self) -> str:
        shown = ", ".join(" × ".join(effect.features) for effect in self.effects[:6])
        return visible(f"<PartialDependence of {self.explains}: {shown}{', ...' if len(self.effects) > 6 else ''}>")


def partial_dependence(
    model: Any,
    X: Any,
    features: Sequence[Any] | None = None,
    *,
    target: Any = None,
    output: str | None = None,
    grid_resolution: int = 100,
    percentiles: tuple[float, float] = (0.05, 0.95),
    custom_values: Mapping[Any, Any] | None = None,
) -> PartialDependence:
    """Mean predictions with one or two features held at each point of a grid, exact over all rows.

    ``PD_S(x_S) = Σ_r w_r f(x_S, r_rest)`` (Friedman 2001), and the functional decomposition by it: ``f_i = PD_i - PD``,
    ``f_ij = PD_ij - PD_i - PD_j + PD``. Sums of trees, encoders of single columns before them included, are not asked
    at grid points times rows: each leaf knows how much weight of the rows fails it in no feature, in one or two (Liu et
    al. 2025, FastPD), which gives the same numbers. Other models are asked.

    Parameters
    ----------
    model : estimator or Pipeline
        Fitted.
    X : array-like (n_rows, n_features) or DataFrame, or such rows and weights (n_rows,)
        The rows that are averaged over.
    features : sequence, optional
        Names or positions of features, and pairs of them. Default: every feature by itself.
    target : optional
        Label, name or index of an output. Default: the only one, or of two classes the second.
    output : str, optional
        Which function of the model, where it has several.
    grid_resolution, percentiles
        A feature with as many values or more has so many points, in equal steps between its percentiles; one with
        fewer, or of strings, its values.
    custom_values : mapping, optional
        Points for a feature, by name or position.

    Raises
    ------
    ValueError
        If rows, features or the target do not fit the model; if there is no such grid.

    Examples
    --------
    >>> found = neon.partial_dependence(forest, X_train, ["age", ("age", "income")])
    >>> found["age"].average, found["age", "income"].effect
    """
    check_grid(grid_resolution, percentiles)
    network = neuralize(model, output=output)
    rows, weights = rows_and_weights(X)
    if sparse.issparse(rows) or network.intake.records:
        raise ValueError("partial dependence is of columns of numbers or labels: give an array or a data frame")
    given, names = network.intake.given(rows)
    known = tuple(names or network.feature_names or numbered("feature", network.n_features_in))
    if len(given) == 0:
        raise ValueError("X has no rows to average over")
    asked = _asked(features, known)
    # A pair's average takes the effects of both features.
    alone = [(place,) for place in dict.fromkeys(itertools.chain.from_iterable(asked))]
    wanted = [*alone, *dict.fromkeys(places for places in asked if len(places) == 2)]
    chosen = {int(positions(key, known)[0]): np.asarray(points) for key, points in (custom_values or {}).items()}
    grids = {
        place: chosen[place] if place in chosen else grid_of(column(given, place), grid_resolution, percentiles)
        for (place,) in alone
    }
    model_of = _Scalar(network, _output(network, target))
    base = float(weights @ model_of(given))
    found = _by_leaves(model_of, given, weights, grids, wanted)
    if found is None:
        found = _by_asking(model_of, given, weights, grids, wanted, base)
    effects = dict(zip(wanted, found, strict=True))
    return PartialDependence(
        base,
        tuple(_effect(places, effects, base, grids, known) for places in asked),
        model_of.explains,
        {known[place]: column(given, place) for place in grids},
    )


@dataclass(frozen=True, eq=False)
class _Scalar:
    """One output of a network, as a function of the caller's rows."""

    network: Network
    output: int

    @property
    def explains(self) -> str:
        names = self.network.output_names
        return self.network.explains + (f": {names[self.output]}" if len(names) > 1 else "")

    @torch.no_grad()
    def __call__(self, given: Any) -> np.ndarray:
        return self.network(self.network.encode(given))[:, self.output].cpu().double().numpy()


def _by_leaves(
    model_of: _Scalar, given: Any, weights: np.ndarray, grids: Mapping[int, np.ndarray], wanted: Sequence[Places]
) -> list[np.ndarray] | None:
    """Effects of sums of trees; None for other networks."""
    points, parts, length = [], {}, 0
    for place, grid in grids.items():
        rows = put(take(given, np.zeros(len(grid), dtype=np.int64)), [place], [grid])
        points.append(model_of.network.encode(rows))
        parts[place] = slice(length, length + len(grid))
        length += len(grid)
    if not length:
        return None
    rows = model_of.network.encode(given)
    portions = torch.as_tensor(weights)
    return effects_of_trees(model_of.network, model_of.output, torch.cat(points), parts, wanted, rows, portions)


def _by_asking(
    model_of: _Scalar,
    given: Any,
    weights: np.ndarray,
    grids: Mapping[int, np.ndarray],
    wanted: Sequence[Places],
    base: float,
) -> list[np.ndarray]:
    """Effects of any network, asked at every grid point for all rows."""
    n, effects = len(given), dict[Places, np.ndarray]()
    per = max(1, _ROWS // n)
    for places in wanted:
        shape = [len(grids[place]) for place in places]
        average = np.empty(int(np.prod(shape)))
        for begin in range(0, len(average), per):
            block = np.arange(begin, min(begin + per, len(average)))
            at = [grids[p][i].repeat(n) for p, i in zip(places, np.unravel_index(block, shape), strict=True)]
            rows = put(take(given, np.tile(np.arange(n), len(block))), places, at)
            average[block] = model_of(rows).reshape(len(block), n) @ weights
        effects[places] = average.reshape(shape) - base
        if len(places) == 2:
            first, second = ((place,) for place in places)
            effects[places] = effects[places] - effects[first][:, None] - effects[second]
    return list(effects.values())


def _effect(
    places: Places,
    effects: Mapping[Places, np.ndarray],
    base: float,
    grids: Mapping[int, np.ndarray],
    names: Sequence[str],
) -> Effect:
    total = base + effects[places]
    if len(places) == 2:
        first, second = ((place,) for place in places)
        total = total + effects[first][:, None] + effects[second]
    return Effect(
        tuple(names[place] for place in places), tuple(grids[place] for place in places), total, effects[places]
    )


def _asked(features: Sequence[Any] | None, names: tuple[str, ...]) -> list[Places]:
    """Positions of the features, and of pairs of them, that were asked for."""
    if features is None:
        return [(place,) for place in range(len(names))]
    if isinstance(features, str | int | np.integer):
        features = [features]
    found = [
        tuple(int(positions(part, names)[0]) for part in (one if isinstance(one, tuple | list) else (one,)))
        for one in features
    ]
    for places in found:
        if len(places) not in (1, 2) or len(set(places)) < len(places):
            raise ValueError(f"features are given one by one or in pairs of two, got {[names[p] for p in places]}")
    return found


def _output(network: Network, target: Any) -> int:
    n = len(network.output_names)
    if target is not None:
        return int(output_indices(network, target, 1)[0])
    if n == 1 or (n == 2 and network.classes is not None):
        return n - 1
    raise ValueError(f"the model has {n} outputs ({', '.join(network.output_names[:6])}): give target=")
