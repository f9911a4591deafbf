"""Naive Bayes: every feature owns its log-likelihood ratio (Good's weight of evidence); the log-prior stands apart."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.preprocessing import binarize

from neon.converters.bayes.log_odds import convert_log_odds, finite_log
from neon.converters.compose.names import column_names
from neon.converters.core import Ask, Conversion, Encoding, converter, gaussians
from neon.nn import GaussianEnergy, LinearEnergy

__all__ = [
    "convert_bernoulli",
    "convert_categorical",
    "convert_complement",
    "convert_gaussian",
    "convert_multinomial",
]


@converter("sklearn.naive_bayes.GaussianNB")
def convert_gaussian(model: Any, ask: Ask) -> Conversion:
    """``(x_i - μ_i)² / 2σ_i² + log σ_i`` of each rival less that of the class."""
    means, variance = np.asarray(model.theta_, dtype=np.float64), np.asarray(model.var_, dtype=np.float64)
    log_prior, log_scale = finite_log(model.class_prior_, model), 0.5 * np.log(variance)
    density = np.diagonal(model._joint_log_likelihood(means)) - log_prior  # each class's at its mean
    left = -density - (log_scale + 0.5 * np.log(2 * np.pi)).sum(1)  # of a fit in single precision, rounding
    rest = {} if not np.any(np.abs(left) > 1e-12 * np.abs(log_scale).sum(1)) else {"log_det": left}
    energy = GaussianEnergy(means, np.sqrt(0.5 / variance), log_scale, log_prior=-log_prior, **rest)
    whole = _convert(model, energy, ask)
    spread = gaussians(means, variance, model.class_prior_, "the classes")
    return replace(whole, family="naive Bayes", background=spread)


@converter("sklearn.naive_bayes.MultinomialNB")
def convert_multinomial(model: Any, ask: Ask) -> Conversion:
    """``x_i log θ_i`` of the class less that of each rival."""
    return _convert(model, LinearEnergy(model.feature_log_prob_, _log_prior(model)), ask)


@converter("sklearn.naive_bayes.ComplementNB")
def convert_complement(model: Any, ask: Ask) -> Conversion:
    """``x_i w_i`` of the class less that of each rival, with weights from the other classes; there is no prior."""
    weight = model.feature_log_prob_
    return _convert(model, LinearEnergy(weight, np.zeros(len(weight))), ask)


@converter("sklearn.naive_bayes.BernoulliNB")
def convert_bernoulli(model: Any, ask: Ask) -> Conversion:
    """``log p_i`` where the feature is there, ``log (1 - p_i)`` where not; of the class less that of each rival."""
    with np.errstate(divide="ignore"):  # refused below
        log_absent = np.log(1 - np.exp(model.feature_log_prob_))
    energy = LinearEnergy(model.feature_log_prob_ - log_absent, _log_prior(model), shares=log_absent)
    if model.binarize is None:
        return _convert(model, energy, ask)
    function = functools.partial(binarize, threshold=model.binarize)
    return _convert(model, energy, ask, _encoding(model, function, np.arange(model.n_features_in_)))


@converter("sklearn.naive_bayes.CategoricalNB")
def convert_categorical(model: Any, ask: Ask) -> Conversion:
    """``log P(x_i | c)`` of the class less that of each rival."""
    sizes = [table.shape[1] for table in model.feature_log_prob_]
    energy = LinearEnergy(np.concatenate(model.feature_log_prob_, axis=1), _log_prior(model))
    encoding = _encoding(model, _OneHot(tuple(sizes)), np.repeat(np.arange(len(sizes)), sizes))
    return _convert(model, energy, ask, encoding)


def _log_prior(model: Any) -> np.ndarray:
    log_prior = np.asarray(model.class_log_prior_)
    finite_log(np.exp(log_prior), model)
    return log_prior


def _convert(
    model: Any, energy: GaussianEnergy | LinearEnergy, ask: Ask, encoding: Encoding | None = None
) -> Conversion:
    ask.choose("log_odds")
    if isinstance(energy, LinearEnergy) and not bool(energy.weight.isfinite().all()):
        name = type(model).__name__
        raise ValueError(
            f"{name}(alpha={model.alpha}) gives something a probability of 0, or one that rounds to it, and infinite "
            "log-odds; fit it with a larger alpha, such as 1"
        )
    return convert_log_odds(
        energy, model.predict_joint_log_proba, model.classes_, classes=model.classes_, encoding=encoding
    )


def _encoding(model: Any, function: Callable[[Any], Any], source: np.ndarray) -> Encoding:
    names = column_names(model)
    counts = np.bincount(source)
    places = np.arange(len(source)) - (np.cumsum(counts) - counts)[source]
    columns = [f"{names[i]} = {k}" if counts[i] > 1 else names[i] for i, k in zip(source, places, strict=True)]
    return Encoding(function, source, tuple(columns))


@dataclass(frozen=True)
class _OneHot:
    """A column for every category of every feature; values are truncated to integers, as the model does."""

    sizes: tuple[int, ...]

    def __call__(self, rows: Any) -> np.ndarray:
        rows = rows.toarray() if hasattr(rows, "toarray") else np.asarray(rows)
        codes = np.asarray(rows, dtype=np.float64).astype(np.int64)
        wrong = np.argwhere((codes < 0) | (codes >= np.array(self.sizes)))
        if len(wrong):
            row, column = wrong[0]
            raise ValueError(
                f"category {codes[row, column]} of feature {column} in row {row} was not seen at fit, where categories "
                f"ran from 0 to {self.sizes[column] - 1}; fit CategoricalNB with a larger min_categories"
            )
        encoded = np.zeros((len(codes), sum(self.sizes)))
        encoded[np.arange(len(codes))[:, None], codes + np.cumsum((0, *self.sizes[:-1]))] = 1.0
        return encoded
