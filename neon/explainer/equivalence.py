"""Whether the network computes what the model itself does, compared for the caller's first rows."""

from __future__ import annotations

import itertools
import threading
import warnings
from collections.abc import Hashable
from typing import Any

import numpy as np
import torch
from scipy import sparse

from neon.converters import Network
from neon.converters.core.containers import take
from neon.converters.core.network import difference, largest_inside
from neon.errors import UnsupportedModelError
from neon.explainer.checks import check_outputs
from neon.explainer.placement import as_array
from neon.explainer.refitted import AsConverted

__all__ = ["COMPARED", "Comparisons", "check_equivalence", "differing", "kind_of"]

COMPARED = 64  # rows that the model itself is asked for
_EVERY = 1000  # rows, of calls of fewer than that, once as many have been compared
_DRAWS = 16
_LAST_PLACES = 64
_BLOCK = 4096  # rows that all of a table is compared by


class Comparisons:
    """Which calls of an explainer compare its network with the model itself.

    Every call of 64 rows or more; smaller ones until 64 rows of their kind have been compared, and from then on once in
    1,000 rows. Asking a model takes longer than explaining a row or two.

    Parameters
    ----------
    model : estimator, optional
        Every call checks that it was not fitted anew.
    """

    def __init__(self, model: Any = None) -> None:
        self.converted = AsConverted(model)
        self._model = model
        self._lock = threading.Lock()
        self._left: dict[Hashable, int] = {}
        self._since = 0

    def __getstate__(self) -> dict[str, Any]:
        # A copy, in another process or by another version of the model's library, compares anew.
        return {"model": self._model}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def due(self, n_rows: int, kind: Hashable) -> bool:
        """Whether the next call, of so many rows, is one of them."""
        with self._lock:
            self._since += n_rows
            left = self._left.get(kind, COMPARED)
            due = left > 0 or n_rows >= COMPARED or self._since >= _EVERY
            if due:
                self._left[kind], self._since = max(left - n_rows, 0), 0
            return due


def kind_of(rows: Any) -> Hashable:
    """What models may read in ways of their own: the container, how it is kept, and the types in it."""
    ordered = not sparse.issparse(rows) or rows.has_canonical_format
    return type(rows), ordered, tuple(rows.dtypes) if hasattr(rows, "dtypes") else getattr(rows, "dtype", None)


def check_equivalence(network: Network, given: Any, numbers: Any) -> None:
    """Check that the network computes what the model itself does from the caller's rows.

    Where a row lies on a step of the model's function, such as a threshold or equal distances, rounding decides on
    which side: the network's answers to the same row, moved by less than anybody measures, then straddle the model's.

    Parameters
    ----------
    given : the caller's rows, as `Intake.given` gives them
    numbers : the same, as the network reads them

    Raises
    ------
    UnsupportedModelError
        If they differ by more than rounding.
    """
    if not numbers.shape[0]:
        return
    allowed, moved = _tolerance(network)
    found, own = _answers(network, given, numbers)
    gaps, wrong, size = _compared(network, numbers, found, own)
    if not len(wrong):
        return
    tied = _straddle(network, numbers[wrong], own[wrong], moved)
    if tied.all() and gaps[wrong].max() <= allowed * max(size, 1.0):
        return  # no step at all
    if tied.all():
        warnings.warn(
            f"{len(wrong)} of the first {len(gaps)} rows, the first of them {wrong[0]}, lie on a step of the "
            f"model's function, where rounding decides: there the network differs by up to {gaps[wrong].max():.3g}",
            RuntimeWarning,
            stacklevel=6,  # the line that called the explainer, which two decorators wrap
        )
        return
    wrong = wrong[~tied]
    cause = "the network"
    if network.inherits:
        name = type(network.model).__name__
        cause = f"the network is that of a class which {name}, or a part of it, inherits from, and"
    raise UnsupportedModelError(
        f"{cause} differs from the model by {gaps[wrong].max():.3g} for {len(wrong)} of the first {len(gaps)} rows, "
        f"the first of them {wrong[0]}: {found[wrong[0]]}, where the model itself gives {own[wrong[0]]}. "
        + _advice(network, given)
    )


def differing(network: Network, X: Any) -> tuple[float, np.ndarray]:
    """Compare the network with the model's own function at all rows of X, those on a step of it included.

    Returns
    -------
    tuple of float and ndarray of int
        The largest ``|network(x) - model(x)|``, and the rows where it is more than rounding, (n_differing,).
    """
    given, _ = network.intake.given(X)
    largest, rows = [0.0], [np.zeros(0, dtype=int)]
    for start in range(0, given.shape[0], _BLOCK):
        part = take(given, slice(start, start + _BLOCK))
        numbers = network.intake.read(part)
        gaps, wrong, _ = _compared(network, numbers, *_answers(network, part, numbers))
        largest.append(float(np.max(gaps, initial=0.0)))
        rows.append(start + wrong)
    return float(np.max(largest)), np.concatenate(rows)


def _tolerance(network: Network) -> tuple[float, float]:
    """By how much outputs may differ, relative to the largest; by how much numbers are moved to find a step."""
    return (1e-3, 1e-6) if _is_single(network) else (1e-6, 1e-9)


def _compared(
    network: Network, numbers: Any, found: np.ndarray, own: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """``|found - own|``, the rows where it is more than rounding, and the size of what was added up."""
    gaps, size = difference(found, own), _size(own)
    allowed, _ = _tolerance(network)
    wrong = _beyond(gaps, max(allowed * size, 4 * network.rounding))
    if len(wrong):  # sums that cancel are exact to the rounding of their terms, which other rows show
        rows = as_array(numbers)
        size = max([size, *(_size(network.answers(factor * rows)) for factor in (-1.0, 0.0))])
        wrong = _beyond(gaps, max(allowed * size, 4 * network.rounding))
    if len(wrong):
        eps = torch.finfo(torch.float32 if _is_single(network) else torch.float64).eps
        inside = _LAST_PLACES * eps * largest_inside(network, numbers)
        wrong = _beyond(gaps, max(allowed * size, 4 * network.rounding, inside))
    return gaps, wrong, size


def _answers(network: Network, given: Any, numbers: Any) -> tuple[np.ndarray, np.ndarray]:
    """What the network and the model itself give, both in the shape of the network's."""
    found = network.answers(numbers)
    try:
        own = network.own(given)
    except ValueError:
        check_outputs(network, numbers, found, finite=True)  # which has more to say of NaN
        raise
    return found, own.reshape(found.shape)


def _beyond(gaps: np.ndarray, limit: float) -> np.ndarray:
    """The rows with a gap over the limit, or NaN."""
    return np.flatnonzero(~(gaps <= limit).reshape(len(gaps), -1).all(1))


def _is_single(network: Network) -> bool:
    return any(w.dtype == torch.float32 for w in itertools.chain(network.buffers(), network.parameters()))


def _advice(network: Network, given: Any) -> str:
    if network.inherits:
        return "Register a converter for the class itself with neon.extend.register"
    if sparse.issparse(given) and not given.has_canonical_format:
        return (
            "X holds several entries in one place, or those of a row in no order, which not every model reads as SciPy "
            "does; X.sum_duplicates() puts them in order"
        )
    if sparse.issparse(given):
        return (
            "Some transformers compute something else from sparse rows than from the same dense ones (RobustScaler "
            "does not centre them); to explain what the model computes from dense ones, pass X.toarray()"
        )
    if _is_single(network):
        return "Explain it in dtype=torch.float64"
    return "An explanation would be of another function than the model's; please report it, with the model"


def _size(values: np.ndarray) -> float:
    """The largest finite magnitude."""
    return float(np.abs(np.where(np.isfinite(values), values, 0.0)).max(initial=0.0))


def _straddle(network: Network, numbers: Any, own: np.ndarray, moved: float) -> np.ndarray:
    """Whether the network's answers, where the numbers of a row move by their rounding, lie on both sides of `own`."""
    rows = as_array(numbers)
    random = np.random.default_rng(0)
    draws = [network.answers(rows * (1 + moved * random.uniform(-1, 1, rows.shape))) for _ in range(_DRAWS)]
    draws += [network.answers(rows + moved * random.uniform(-1, 1, rows.shape)) for _ in range(_DRAWS)]  # zeros as well
    low, high = np.min(draws, axis=0), np.max(draws, axis=0)
    width = high - low
    with np.errstate(invalid="ignore"):
        inside: np.ndarray = ((low - width <= own) & (own <= high + width)).reshape(len(rows), -1).all(1)
    return inside
