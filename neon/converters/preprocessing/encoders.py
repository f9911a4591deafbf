"""Transformers whose every output column is made from one input column: scikit-learn runs them, relevance goes back.

`register_encoder` and `register_linear` declare transformers, and functions inside a FunctionTransformer, of one's own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from neon.converters.core import Ask, Conversion, Encoding, Transform, converter, dense, names_of, transformer
from neon.converters.core.registry import FUNCTIONS, Converter, register
from neon.nn import Linear

__all__ = ["convert_encoder", "convert_linear", "one_to_one", "register_encoder", "register_linear"]

Source = Callable[[Any], np.ndarray]


def one_to_one(model: Any) -> np.ndarray:
    """One output for each input."""
    return np.arange(int(model.n_features_in_))


def register_encoder(*targets: str | type | Callable[..., Any], source: Source = one_to_one, states: str = "") -> None:
    """Declare transformers that make each output column from one input column.

    Parameters
    ----------
    targets : type, str or function
        A transformer's class or its public dotted name; or a function, for use in a FunctionTransformer. A class may
        hold nothing after ``fit``: as a step of a model, its columns are those that the models around it know of. By
        itself it sets ``n_features_in_`` when it is fitted, as scikit-learn asks of every estimator.
    source : callable
        Fitted transformer -> ndarray of int (n_outputs,): the input column that each output column is made from, -1
        for none. Default: the i-th from the i-th.
    states : str
        What is held fixed, if a column does depend on others as well ("the norm of a row").

    Examples
    --------
    A transformer that cuts every column at its own quantiles, elementwise:

    >>> class Winsorizer(TransformerMixin, BaseEstimator):
    ...     def fit(self, X, y=None):
    ...         self.n_features_in_ = X.shape[1]
    ...         self.low_, self.high_ = np.quantile(X, [0.05, 0.95], axis=0)
    ...         return self
    ...     def transform(self, X):
    ...         return np.clip(X, self.low_, self.high_)
    >>> neon.extend.register_encoder(Winsorizer)
    >>> neon.explain(make_pipeline(Winsorizer(), SVC()).fit(X, y), X)

    One that gives two columns for each, side by side: ``source=lambda model: np.repeat(np.arange(2), 2)``. A function:

    >>> def relu(x):
    ...     return np.maximum(x, 0)
    >>> neon.extend.register_encoder(relu)
    >>> neon.explain(make_pipeline(FunctionTransformer(relu), SVC()).fit(X, y), X)
    """
    own = not all(isinstance(target, str) and target.startswith("sklearn.") for target in targets)
    _declare(targets, ByColumns(source, states, own), holds_nothing=own)


@dataclass(frozen=True)
class ByColumns:
    """The converter of a transformer that was declared by `register_encoder`."""

    source: Source
    states: str
    own: bool

    def __call__(self, model: Any, ask: Ask) -> Conversion:
        return convert_encoder(model, self.source(model), states=self.states, declared=self.own)


def register_linear(*targets: str | type | Callable[..., Any]) -> None:
    """Declare transformers, or functions of a FunctionTransformer, that are linear: ``x ↦ W x + b``.

    W and b are read off from what the transformer gives for 0 and for the unit vectors. One that gives something else
    for other rows is refused when it is converted.

    Examples
    --------
    >>> def differences(X):
    ...     return np.diff(X, axis=1)
    >>> neon.extend.register_linear(differences)
    >>> neon.explain(make_pipeline(FunctionTransformer(differences), Ridge()).fit(X, y), X)
    """
    _declare(targets, convert_linear, holds_nothing=True)


def _declare(targets: tuple[str | type | Callable[..., Any], ...], by: Converter, *, holds_nothing: bool) -> None:
    for target in targets:
        if isinstance(target, str | type):
            register(target, by=by, holds_nothing=holds_nothing)
        else:
            FUNCTIONS[target] = by


def convert_encoder(
    model: Any,
    source: np.ndarray,
    replaced: Callable[[Any], np.ndarray] | None = None,
    states: str = "",
    *,
    declared: bool = False,
) -> Conversion:
    """A transformer that runs in scikit-learn, before the network.

    declared : whether its columns are compared with what they are said to be made from, on the explained rows.
    """
    source = np.asarray(source, dtype=np.int64)
    names = names_of(model, len(source))
    encoding = Encoding(
        Transform(model), source, names, replaced, states=(states,) if states else (), declared=declared
    )
    explains = f"columns of {type(model).__name__}" + (f" ({states} held fixed)" if states else "")
    return Conversion(
        torch.nn.Sequential(),
        explains,
        names,
        encoding.function,
        encoding=encoding,
        missing=True,
        # A selector knows its columns where the estimator that it asked counts none.
        n_features=len(model.get_support()) if hasattr(model, "get_support") else None,
        stated=encoding.states,
    )


def convert_linear(model: Any, ask: Ask) -> Conversion:
    """A transformer that is a linear map, found from its values at 0 and at the unit vectors.

    Raises
    ------
    ValueError
        If its values elsewhere are not those of that map.
    """
    transform, n = Transform(model), int(model.n_features_in_)
    bias = dense(transform(np.zeros((1, n))))[0]
    weight = (dense(transform(np.eye(n))) - bias).T
    probe = np.random.default_rng(0).normal(size=(8, n))
    expected = probe @ weight.T + bias
    if np.abs(dense(transform(probe)) - expected).max(initial=0.0) > 1e-9 * (1.0 + np.abs(expected).max(initial=0.0)):
        raise ValueError(f"{model!r} was declared linear, but its values are not those of a linear map")
    return transformer(model, [Linear(weight, bias)], "linear features", len(bias))


@dataclass(frozen=True)
class Blocks:
    """The same number of output columns for each input column: a block for each, or repeated rounds of all."""

    count: Callable[[Any], int]
    rounds: bool = False

    def __call__(self, model: Any) -> np.ndarray:
        columns, count = one_to_one(model), self.count(model)
        return np.tile(columns, count) if self.rounds else np.repeat(columns, count)


def one_hot(model: Any) -> np.ndarray:
    """A column for each category of each input, infrequent ones together, dropped ones left out."""
    categories = [len(names) for names in model.categories_]
    infrequent = getattr(model, "infrequent_categories_", None)
    if infrequent is not None:
        categories = [
            n - (0 if rare is None else len(rare) - 1) for n, rare in zip(categories, infrequent, strict=True)
        ]
    if model.drop_idx_ is not None:
        categories = [n - (index is not None) for n, index in zip(categories, model.drop_idx_, strict=True)]
    return np.repeat(np.arange(len(categories)), categories)


def bins(model: Any) -> np.ndarray:
    """KBinsDiscretizer: a number, or a column for each bin."""
    return one_to_one(model) if model.encode == "ordinal" else np.repeat(one_to_one(model), model.n_bins_)


def target_means(model: Any) -> np.ndarray:
    """TargetEncoder: the mean target of a category; with more than two classes, one for each class."""
    return Blocks(lambda m: len(m.classes_) if m.target_type_ == "multiclass" else 1)(model)


for _name in ("OrdinalEncoder", "PowerTransformer", "QuantileTransformer", "Binarizer"):
    register_encoder(f"sklearn.preprocessing.{_name}")
register_encoder("sklearn.preprocessing.OneHotEncoder", source=one_hot)
register_encoder("sklearn.preprocessing.KBinsDiscretizer", source=bins)
register_encoder("sklearn.preprocessing.TargetEncoder", source=target_means)
register_encoder(
    "sklearn.preprocessing.SplineTransformer", source=Blocks(lambda m: m.n_features_out_ // int(m.n_features_in_))
)
register_encoder(
    "sklearn.kernel_approximation.AdditiveChi2Sampler", source=Blocks(lambda m: 2 * m.sample_steps - 1, rounds=True)
)


@converter("sklearn.preprocessing.Normalizer", "sklearn.feature_extraction.text.TfidfTransformer")
def convert_norm(model: Any, ask: Ask) -> Conversion:
    """Each entry over the norm of its row, which is held fixed. Of sparse rows the entries alone are read."""
    found = convert_encoder(model, one_to_one(model), states="the norm of a row")
    assert found.encoding is not None
    return dataclasses.replace(found, encoding=dataclasses.replace(found.encoding, stays_sparse=True))
