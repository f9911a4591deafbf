"""The rows to explain: as the caller gave them, and as the network reads them."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from neon.converters import Encoding, Network
from neon.converters.core.containers import column_names, take
from neon.converters.core.intake import Texts
from neon.explainer.checks import check_sources
from neon.explainer.equivalence import COMPARED, Comparisons, check_equivalence, kind_of
from neon.explainer.names import Names
from neon.explainer.placement import as_data, boolean_columns, module_rows, with_booleans
from neon.explanation import Explanation
from neon.explanation.fields import row_labels
from neon.explanation.rows_like_arrays import SparseRows

__all__ = ["CallerRows", "numbered"]


@dataclass(frozen=True, eq=False)
class CallerRows:
    """What explaining needs to know of the caller's rows.

    Attributes
    ----------
    network : Network or torch.nn.Module
    given
        The caller's rows, as `Intake.given` gives them.
    numbers
        The same, as the network reads them.
    columns : sequence of str, optional
        The names that the caller's columns have.
    index : array-like, optional
        The caller's labels of the rows.
    called : Names
        What features are called if not as the columns are.
    boolean : ndarray of bool, optional
        Which of the caller's columns are of booleans, if any.
    compared : bool
        Whether the first of them were compared with the model itself.
    """

    network: Network | torch.nn.Module
    given: Any
    numbers: Any
    columns: Sequence[str] | None
    index: Any
    called: Names
    boolean: np.ndarray | None
    compared: bool = False

    @classmethod
    def read(cls, network: Network | torch.nn.Module, X: Any, comparisons: Comparisons, called: Names) -> CallerRows:
        """The rows of X, the first of them compared with what the model itself computes where that is due."""
        if not isinstance(network, Network):
            numbers = X.detach() if isinstance(X, Tensor) else module_rows(network, X)
            return cls(network, numbers, numbers, column_names(X), row_labels(X), called, boolean_columns(X))
        comparisons.converted.check()
        given, names = network.intake.given(X)
        numbers = network.intake.read(given)
        due = comparisons.due(given.shape[0], kind_of(given))
        if due:
            first, some = take(given, slice(0, COMPARED)), take(numbers, slice(0, COMPARED))
            check_equivalence(network, first, some)
            if network.intake.encoding is not None:
                check_sources(network.intake.encoding, network.intake.rows(first), some)
        return cls(network, given, numbers, names, row_labels(X), called, boolean_columns(X), compared=due)

    def __len__(self) -> int:
        return int(self.given.shape[0])

    @property
    def encoding(self) -> Encoding | None:
        """What scikit-learn makes of the caller's columns before the network, if anything."""
        return self.network.intake.encoding if isinstance(self.network, Network) else None

    @property
    def names(self) -> tuple[str, ...]:
        """The caller's columns as they are called, by name, or else as the model calls them, or by number."""
        known = self.columns or (self.network.feature_names if isinstance(self.network, Network) else None)
        size = math.prod((self.numbers if self.encoding is None else self.given).shape[1:])
        return self.called.of_features(known or numbered("feature", size))

    @property
    def texts(self) -> Texts | None:
        """The documents that the features are tokens of, if they are."""
        return self.network.intake.texts(self.given) if isinstance(self.network, Network) else None

    @functools.cached_property
    def read_data(self) -> Any:
        """What the network reads, as an explanation holds it."""
        own = isinstance(self.network, Network) and self.network.intake.encoder is not None  # nobody else holds them
        return SparseRows(self.numbers, copy=False) if own and sparse.issparse(self.numbers) else as_data(self.numbers)

    @property
    def data(self) -> Any:
        """The caller's own values, where there is an encoding; else what the network reads."""
        if not isinstance(self.network, Network) or self.encoding is None:
            return with_booleans(self.read_data, self.boolean)
        return as_data(self.given if sparse.issparse(self.given) else self.network.intake.rows(self.given))

    def decoded(self, explanation: Explanation) -> Explanation:
        """From encoded columns to the caller's, each with the relevance of all made from it; keeps the former."""
        if not isinstance(self.network, Network) or self.encoding is None:
            return explanation
        values, unowned = self.encoding.total(explanation.values, len(self.names))
        if isinstance(values, np.ndarray):
            values.flags.writeable = False  # the explanation shares it then
        residuals = dict(explanation.residuals)
        if np.any(unowned != 0):
            residuals["constant"] = unowned + residuals.get("constant", 0.0)
        return replace(
            explanation,
            values=values,
            residuals=residuals,
            data=self.data,
            feature_names=self.names,
            feature_units=self.called.feature_units,
            encoded=explanation,
            texts=None,
            imputed=self.network.intake.replaced(self.given),
        )


@functools.cache
def numbered(word: str, count: int) -> tuple[str, ...]:
    """Names of things that have none."""
    return tuple(f"{word} {i}" for i in range(count))
