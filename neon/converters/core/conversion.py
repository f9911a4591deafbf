"""What a converter returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch

from neon.converters.core.answers import Answers, Layers
from neon.converters.core.background import Spread
from neon.converters.core.encoded_columns import Encoding
from neon.lrp.composites import Composite
from neon.nn import Affine, Linear
from neon.nn.linear.layers import Selection

__all__ = ["Conversion"]


@dataclass(frozen=True, eq=False)
class Conversion:
    """A fitted model rewritten as layers: ``body``, ``pair`` and ``head`` in a row.

    Attributes
    ----------
    body : torch.nn.Sequential
        From rows to the scores that the model itself computes, in float64; after the encoding, if there is one.
    explains : str
        The explained scalar, in words.
    output_names : tuple of str
    own : callable
        The model's own function of rows as the model takes them, computed by the model's own methods.
    head : tuple of Module
        From the scores to what is explained. Default: they are explained.
    pair : Module, optional
        Of two classes that share one score: from it to the scores of both.
    answers : mapping of str to tuple of Module
        From the scores to what methods of the model give, as `neon.converters.core.answers` names them: what estimators
        around the model read. Behind ``pair`` they are of both classes; without it, of the second one.
    link : callable, optional
        Takes the network's output to what ``own`` gives. Default: they are the same.
    composite : str or Composite
        The one-pass rule of these layers.
    family : str
        A key of `DEFAULTS`: which composite explains the model where nobody names one. "": ``composite``, and from
        reference rows "neon".
    reference : ndarray, optional
        Default reference rows, as the layers take them.
    reference_words : str
        What they are: "the support vectors".
    background : Spread, optional
        How the rows of the fit were spread, as far as the model tells.
    takes_reference : bool
        Whether relevance is relative to a reference point.
    classes : ndarray, optional
        The labels that targets may be given as.
    predicts : str
        "largest": the class of the largest output, where no other is as large. "ask_on_tie": where no output is above
        0, the model is asked, as machines that decide between two classes each vote, and the votes may tie.
        "always_ask": it is asked everywhere. "none": outputs are no alternatives, such as losses; targets have to be
        given.
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
    takes_infinity : bool
        Whether infinity is.
    single : str
        Kinds or types of numbers, by numpy's letters, that the model reads in float32 where an array holds them.
    inherits : bool
        Whether the converter was made for a class that the model's own class inherits from, which may compute something
        else: said where the two differ on the explained rows.
    infinite : bool
        Whether an output may be infinite: outside the support of a density.
    agreement : float, optional
        The share of given labels that a stated function reproduces, where it explains those.
    stated : tuple of str
        What the layers, or encoders before them, hold fixed, as far as ``explains`` says it; the rest is added to it.
    n_features : int, optional
    feature_names : tuple of str, optional
        What a model without scikit-learn's ``n_features_in_`` and ``feature_names_in_`` takes.
    """

    body: torch.nn.Sequential
    explains: str
    output_names: tuple[str, ...]
    own: Callable[[np.ndarray], np.ndarray]
    head: Layers = ()
    pair: torch.nn.Module | None = None
    answers: Answers = field(default_factory=dict)
    link: Callable[[np.ndarray], np.ndarray] | None = None
    composite: str | Composite = "neon"
    family: str = ""
    reference: np.ndarray | None = None
    reference_words: str = ""
    background: Spread | None = None
    takes_reference: bool = False
    classes: np.ndarray | None = None
    predicts: Literal["largest", "ask_on_tie", "always_ask", "none"] = "largest"
    rounding: float = 0.0
    labels: Callable[[np.ndarray], np.ndarray] | None = None
    thresholds: bool = False
    inverse: Callable[[np.ndarray], np.ndarray] | None = None
    encoding: Encoding | None = None
    missing: bool = False
    takes_infinity: bool = False
    single: str = ""
    inherits: bool = False
    infinite: bool = False
    agreement: float | None = None
    stated: tuple[str, ...] = ()
    n_features: int | None = None
    feature_names: tuple[str, ...] | None = None

    @property
    def layers(self) -> torch.nn.Sequential:
        """From rows to what is explained: (n_samples, n_features) -> (n_samples, n_outputs)."""
        pair = () if self.pair is None else (self.pair,)
        return torch.nn.Sequential(*self.body, *pair, *self.head)

    @property
    def gives(self) -> frozenset[str]:
        """The answers that are what is explained."""
        return frozenset(name for name, layers in self.answers.items() if layers == self.head)

    def then(self, *layers: torch.nn.Module, **changes: Any) -> Conversion:
        """With more layers behind those of what is explained; what else the model gives does not follow from them."""
        whole = torch.nn.Sequential(*self.layers, *layers)
        straight = all(isinstance(layer, Affine | Linear | Selection) for layer in layers)
        family = self.family if straight or not self.family else "composed"
        same: dict[str, Any] = {"body": whole, "pair": None, "head": (), "answers": {}, "stated": (), "family": family}
        return replace(self, **{**same, **changes})

    def second(self, *layers: torch.nn.Module) -> Conversion:
        """Of two classes, what is explained of the second alone, and more layers behind it."""
        if self.pair is not None:
            return self.then(body=torch.nn.Sequential(*self.body, *self.head, *layers))
        return self.then(Selection([1]), *layers)
