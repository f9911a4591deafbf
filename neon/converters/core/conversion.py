"""What a converter returns."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from neon.converters.core.encoding import Encoding
from neon.lrp.composites import Composite

__all__ = ["Conversion", "Response"]


class Response(enum.Enum):
    """How what a model answers to an estimator around it follows from the outputs f of its network."""

    PREDICTION = "predict is f"
    LOG_PREDICTION = "predict is exp(f)"
    LOGIT_PREDICTION = "predict is σ(f)"
    PROBABILITY = "predict_proba is f"
    PROBABILITY_EACH = "predict_proba is f_c / Σ_k f_k; of two classes f"
    LOG_ODDS = "predict_proba is σ(f)"
    LOG_ODDS_EACH = "predict_proba is σ(f_c) / Σ_k σ(f_k), and decision_function is f; of two classes σ(f)"
    CLIPPED_EACH = "predict_proba is p_c / Σ_k p_k with p = (clip(f, -1, 1) + 1) / 2, and decision_function is f"
    HALF_LOG_ODDS = "predict_proba is σ(2 f), and decision_function is f"
    LOGITS = "predict_proba is the softmax of f, and decision_function is f"
    WEIGHTED_VOTES = "predict_proba is the softmax of f / (K - 1), of two classes σ(f); decision_function is f"
    DECISION = "decision_function is f"
    PAIRWISE = "predict counts the votes of pairwise machines, whose margins f are"
    PAIRWISE_DECISION = "as PAIRWISE, and decision_function breaks ties by the scores"
    PAIRWISE_SCORES = "as PAIRWISE_DECISION, and so does predict"
    PAIRWISE_PROBABILITY = "as PAIRWISE_SCORES; f are probabilities less a half"
    PAIRWISE_LOG_ODDS = "as PAIRWISE_SCORES, the scores are σ(f)"


@dataclass(frozen=True, eq=False)
class Conversion:
    """A fitted model rewritten as layers.

    Attributes
    ----------
    layers : torch.nn.Sequential
        (n_samples, n_features) -> (n_samples, n_outputs), in float64; after the encoding, if there is one.
    explains : str
        The explained scalar, in words.
    output_names : tuple of str
    response : Response, optional
        What an estimator around the model may make of the outputs. Default: nothing but the model's own predictions.
    own : callable
        The model's own function of rows as the model takes them, computed by the model's own methods.
    link : callable, optional
        Takes the network's output to what ``own`` gives. Default: they are the same.
    composite : str or Composite
        The default composite.
    reference_composite : str or Composite
        The default composite where the caller gives reference rows.
    reference : ndarray, optional
        Default reference rows, as the layers take them.
    background : tuple of ndarray, optional
        Rows, as the layers take them, and their weights: how the training rows were spread, as far as the model tells.
    takes_reference : bool
        Whether relevance is relative to a reference point.
    classes : ndarray, optional
        The labels that targets may be given as.
    votes : bool
        Whether, where no output is above 0, the model's prediction may be another than the largest output: machines
        that decide between two classes each vote, and the votes may tie.
    asks : bool
        Whether that may be so anywhere, and the model is asked for its prediction.
    rounding : float
        By how much the model's own rounding may move an output: where two are closer, the model is asked as well.
    labels : callable, optional
        The model's predicted labels of rows. Default: its ``predict``.
    thresholds : bool
        Whether inputs are compared with thresholds: scalings before run in scikit-learn, rounding and all.
    inverse : callable, optional
        For transformers: takes transformed rows back to rows that the layers transform to them.
    encoding : Encoding, optional
        What comes before the layers. Default: the model's columns are numbers and go into them as they are.
    missing : bool
        Whether NaN is a value that the model takes.
    single : str
        Kinds of numbers, as numpy's letters, that the model reads in float32 where an array holds them.
    inherits : bool
        Whether the converter was made for a class that the model's own class inherits from, which may compute something
        else: said where the two differ on the explained rows.
    infinite : bool
        Whether an output may be infinite: outside the support of a density.
    agreement : float, optional
        The share of given labels that a stated function reproduces, where it explains those.
    n_features : int, optional
    feature_names : tuple of str, optional
        What a model without scikit-learn's ``n_features_in_`` and ``feature_names_in_`` takes.
    """

    layers: torch.nn.Sequential
    explains: str
    output_names: tuple[str, ...]
    own: Callable[[np.ndarray], np.ndarray]
    response: Response | None = None
    link: Callable[[np.ndarray], np.ndarray] | None = None
    composite: str | Composite = "neon"
    reference_composite: str | Composite = "neon"
    reference: np.ndarray | None = None
    background: tuple[np.ndarray, np.ndarray] | None = None
    takes_reference: bool = False
    classes: np.ndarray | None = None
    votes: bool = False
    asks: bool = False
    rounding: float = 0.0
    labels: Callable[[np.ndarray], np.ndarray] | None = None
    thresholds: bool = False
    inverse: Callable[[np.ndarray], np.ndarray] | None = None
    encoding: Encoding | None = None
    missing: bool = False
    single: str = ""
    inherits: bool = False
    infinite: bool = False
    agreement: float | None = None
    n_features: int | None = None
    feature_names: tuple[str, ...] | None = None
