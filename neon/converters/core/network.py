"""The equivalent network of a fitted model."""

from __future__ import annotations

import contextlib
import copy
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.compose import ColumnTransformer
from torch import Tensor

from neon._version import bound_to_version
from neon.converters.core.arrays import dense
from neon.converters.core.ask import Ask
from neon.converters.core.containers import in_parts, take
from neon.converters.core.conversion import Conversion
from neon.converters.core.declared import noted, packed, unpack
from neon.converters.core.defaults import DEFAULTS, STARTS
from neon.converters.core.intake import Intake
from neon.converters.core.registry import convert, declare_again, innermost, steps_run, takes_data
from neon.errors import UnsupportedModelError
from neon.lrp import LRP
from neon.nn import Elementwise, Featurewise, NeighborMean, forms
from neon.nn.layer import Layer
from neon.nn.trees import SplitUnits, TreeEnsemble

__all__ = ["Network", "difference", "largest_inside", "neuralize"]

_ASKING = threading.RLock()  # filters of warnings are everybody's: two threads would put back each other's
_DENSE = 4 * 2**20  # bytes of sparse rows that are made dense at a time
_ROUNDING = {torch.float64: 1e-13, torch.float32: 1e-5}  # relative


class Network(torch.nn.Module):
    """A torch module that computes what a fitted model computes.

    Attributes
    ----------
    layers : torch.nn.Sequential
    composite, reference_composite : str or Composite
        Which explains the model where nobody names one: without reference rows, and from such rows (`DEFAULTS`).
    most_starts : int or None
        How many rows "expected" starts from where it is not named; None: all.
    one_pass : str or Composite
        The published rule, whatever was measured.
    explains : str
        The explained scalar, in words, with what is held fixed.
    output_names, feature_names : tuple of str
        ``feature_names`` is None where the model was fitted without.
    intake : Intake
        Checks what callers hand in, and encodes it as the layers take it.
    form : str
        "fused", "layers" or "relu".
    gives : frozenset of str
        Those of the model's answers to estimators around it that are what is explained.
    logarithmic : bool
        Whether what is explained is the logarithm of what the model predicts.
    rounding : float
        By how much the model's own rounding may move an output.
    agreement : float or None
        The share of given labels that the explained function reproduces, where it explains those.
    """

    def __init__(self, model: Any, *, output: str | None, form: str, data: Any = None) -> None:
        super().__init__()
        if form not in ("fused", "layers", "relu"):
            raise ValueError(f'form must be "fused", "layers" or "relu", got {form!r}')
        with noted() as self._declared:
            conversion = convert(model, Ask(output, data=data))
        self.model, self.output, self.data = model, output, data
        if not conversion.output_names:
            raise UnsupportedModelError(f"{type(model).__name__} gives no column, so that there is nothing to explain")
        self.explains = _with_states(conversion)
        self.output_names = conversion.output_names
        self.classes = conversion.classes
        self.reference, self.reference_words = conversion.reference, conversion.reference_words
        self.background = conversion.background
        self.takes_reference = conversion.takes_reference
        self.predicts, self.infinite = conversion.predicts, conversion.infinite
        self.agreement, self.inherits = conversion.agreement, conversion.inherits
        self.form, self.gives = form, conversion.gives
        self._own, self._link, self._labels = conversion.own, conversion.link, conversion.labels
        self.rounding = conversion.rounding
        predict = conversion.answers.get("predict", ())
        self.logarithmic = "predict" not in self.gives and any(
            isinstance(layer, Elementwise) and layer.function is torch.exp for layer in predict
        )
        names: Any = conversion.feature_names
        if names is None:
            names = getattr(model, "feature_names_in_", None)
        if conversion.encoding is not None and conversion.encoding.records:  # documents: their tokens are the features
            names = conversion.encoding.names
        self.feature_names = None if names is None or not len(names) else tuple(map(str, names))
        n_features: Any = conversion.n_features or getattr(model, "n_features_in_", len(self.feature_names or ()))
        self.n_features_in = int(n_features)
        first = model
        while hasattr(first, "steps") and steps_run(first):
            first = steps_run(first)[0][1]
        self.intake = Intake(
            self.n_features_in,
            self.feature_names,
            conversion.encoding,
            missing=conversion.missing and form != "relu",  # where NaN spreads over all columns
            takes_infinity=conversion.takes_infinity and form != "relu",
            single=conversion.single,
            aligns=isinstance(first, ColumnTransformer),
        )
        self.layers = _in_form(conversion.layers, form, self.intake.n_encoded)
        self.one_pass = conversion.composite
        trees = any(isinstance(module, TreeEnsemble | SplitUnits) for module in self.modules())
        # Measured on fused layers; spelled out, the one-pass rule gives the same relevance, and others may not.
        family = "trees" if trees and not conversion.family.startswith("trees") else conversion.family
        jumps = any(isinstance(module, Layer) and module.jumps for module in self.modules()) or self._jumps_unseen()
        default = DEFAULTS.get(family if trees or (form == "fused" and not jumps) else "")
        self.reference_composite = default.given if default else "neon"
        holds = self.background is not None and not trees
        self.composite = (default.held if default and holds else "") or self.one_pass
        self.most_starts = None if trees else STARTS  # trees have formulas for many rows
        self.eval()

    def __reduce__(self) -> tuple:
        """Pickle all but the model's own function, which is found again from the model; for this version alone."""
        state = {key: value for key, value in self.__dict__.items() if key not in ("_own", "_link", "_labels")}
        return bound_to_version(self, state | {"_declared": packed(self._declared)})

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        unpack(state["_declared"], declare_again)
        with noted() as self._declared:
            conversion = convert(self.model, Ask(self.output, data=self.data))
        self._own, self._link, self._labels = conversion.own, conversion.link, conversion.labels

    def _jumps_unseen(self) -> bool:
        """Whether neighbours change along a way where no formula tells: behind steps that bend, or beside others."""
        if not any(isinstance(module, NeighborMean) for module in self.modules()):
            return False
        row = torch.zeros(1, self.intake.n_encoded, dtype=torch.float64)
        recorded = LRP(self.layers, "expected").record(row, reference=row)
        assert recorded.integral is not None
        return recorded.integral.misses_choices(recorded.steps, recorded.tape.inputs[0], recorded.tape.output, row)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the explained scalars of encoded rows: (n_samples, n_encoded) -> (n_samples, n_outputs)."""
        return self.layers(x)

    def encode(self, X: Any) -> Tensor:
        """The caller's rows as the layers take them, (n_samples, n_encoded).

        Raises
        ------
        ValueError
            If the rows do not fit the model.
        """
        return self._tensor(self.intake.read(self.intake.given(X)[0]))

    def verify(self, X: Any) -> float:
        """The largest ``|network(x) - model(x)|``, against the model's own function of the very rows of X."""
        given, _ = self.intake.given(X)
        found, own = self.answers(self.intake.read(given)), self.own(given)
        return float(np.max(difference(found, own), initial=0.0))

    def answers(self, numbers: Any) -> np.ndarray:
        """What `own` gives, computed by the network from encoded rows; sparse ones are made dense some at a time."""
        with torch.no_grad():
            output = torch.cat([self(part) for part in self._tensors(numbers)]).cpu().double().numpy()
        return output if self._link is None else self._link(output)

    def own(self, given: Any) -> np.ndarray:
        """What the model's own methods give for the caller's rows, as `Intake.given` gives them."""
        found = self._ask(self._own, given)
        found = found.toarray() if sparse.issparse(found) else np.asarray(found)
        return found.astype(np.float64) if found.dtype == object else found

    def _ask(self, function: Callable[[Any], Any], given: Any) -> Any:
        """One of the model's own functions of the caller's rows, of which it gets a copy.

        A model that takes no sparse rows, such as one that searches in trees, is asked with the same dense ones; one
        that takes no array, since it finds columns by name, with a frame. Its warnings are for those who ask it
        themselves.
        """
        with _ASKING, np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if sparse.issparse(given) and (self.feature_names is None or self.intake.takes_sparse):
                with contextlib.suppress(TypeError, ValueError):
                    return function(given.copy())
            named = self.intake.named(given)
            if isinstance(given, np.ndarray) and hasattr(named, "columns"):
                with contextlib.suppress(Exception):
                    return function(given.copy())
            return function(named)

    def predicted(self, given: Any, output: Tensor) -> Tensor:
        """The index of each row's predicted output: the largest, or where it may be another what the model says.

        Parameters
        ----------
        given : the caller's rows, as `Intake.given` gives them
        output : Tensor (n_samples, n_outputs)
            What the network computes for them.

        Raises
        ------
        ValueError
            If the model has several outputs of which it predicts none: targets, labels, transformed columns; or a label
            that is no output.
        """
        if output.shape[1] == 1:
            return torch.zeros(len(output), dtype=torch.int64, device=output.device)
        best, index = output.max(1)
        if self.predicts == "none":
            raise ValueError(f"{self.explains}: give target=, one true label for each row, or 'all' for every label")
        if self.classes is None:
            some = ", ".join(map(repr, self.output_names[:3])) + (", ..." if len(self.output_names) > 3 else "")
            raise ValueError(
                f"the model has {len(self.output_names)} outputs ({some}) and predicts all of them: give target=, a "
                "name, an index or 'all'"
            )
        second = output.scatter(1, index[:, None], -torch.inf).amax(1)
        # Where outputs tie the model's own rounding decides, relative to the values that they are differences of.
        rounding = _ROUNDING[output.dtype] * output.masked_fill(output.isinf(), 0.0).abs().amax(1)
        doubtful = best - second <= rounding.clamp(min=2 * self.rounding)
        if self.predicts == "ask_on_tie":
            doubtful |= best <= rounding
        elif self.predicts == "always_ask":
            doubtful.fill_(True)
        tied = doubtful.nonzero()[:, 0]
        if len(tied) and (self._labels is not None or hasattr(self.model, "predict")):
            # Search trees count their queries, so a copy is asked.
            ask = copy.deepcopy(self.model).predict if self._labels is None else self._labels
            labels = self._ask(ask, take(given, tied.cpu().numpy()))
            found = np.asarray(labels)[:, None] == self.classes
            unknown = ~found.any(1)
            if unknown.any():
                raise ValueError(
                    f"the model predicts {np.asarray(labels)[unknown][0]!s} for {unknown.sum()} rows, which is none of "
                    "its outputs: give target=, or output= that has one"
                )
            index[tied] = torch.as_tensor(found.argmax(1), device=index.device)
        return index

    def _tensors(self, numbers: Any) -> Iterator[Tensor]:
        """Encoded rows, sparse ones some at a time."""
        return map(self._tensor, in_parts(numbers, _DENSE) if sparse.issparse(numbers) else [numbers])

    def _tensor(self, numbers: Any) -> Tensor:
        return torch.tensor(np.ascontiguousarray(dense(numbers))).to(forms.first_number([self]))

    def extra_repr(self) -> str:
        return f"explains: {self.explains}\nform: {self.form}, outputs: {', '.join(self.output_names[:6])}" + (
            ", ..." if len(self.output_names) > 6 else ""
        )


def difference(found: np.ndarray, own: np.ndarray) -> np.ndarray:
    """``|found - own|``; both may be infinite, or NaN."""
    with np.errstate(invalid="ignore"):
        return np.where((found == own) | (np.isnan(found) & np.isnan(own)), 0.0, np.abs(found - own))


def largest_inside(network: Network, numbers: Any) -> float:
    """The largest number that a layer gives for encoded rows: outputs are differences of these, and may be 0."""
    largest = 0.0
    with torch.no_grad():
        for x in network._tensors(numbers):
            for layer in network.layers:
                x = layer(x)
                largest = max(largest, float(x.masked_fill(~x.isfinite(), 0.0).abs().max()) if x.numel() else 0.0)
    return largest


def _in_form(layers: torch.nn.Sequential, form: str, n_columns: int) -> torch.nn.Sequential:
    if form == "fused":
        return layers
    return forms.spelled_out(layers, n_columns) if form == "layers" else forms.relu(layers, n_columns)


def _with_states(conversion: Conversion) -> str:
    """What is explained, and what the layers, and encoders before and among them, hold fixed."""
    layers = list(conversion.layers.modules())
    holding = (conversion.encoding, *layers, *(layer.function for layer in layers if isinstance(layer, Featurewise)))
    states = dict.fromkeys(state for part in holding for state in getattr(part, "states", ()))
    unsaid = [state for state in states if state not in conversion.stated]
    if not unsaid:
        return conversion.explains
    words = " and ".join(filter(None, [", ".join(unsaid[:-1]), unsaid[-1]]))
    return f"{conversion.explains} ({words} held fixed)"


def neuralize(model: Any, *, output: str | None = None, form: str = "fused", data: Any = None) -> Network:
    """Rewrite a fitted model as an equivalent network.

    Parameters
    ----------
    model : estimator or Pipeline
        Fitted; it is not modified.
    output : str, optional
        Which function of the model, where it has several ("decision_function", "log_odds", ...).
    form : str
        "fused" (fast), "layers" (every layer spelled out) or "relu" (`torch.nn.Linear` and `torch.nn.ReLU` only, for
        piecewise-linear models).
    data : array-like (n_rows, n_features), optional
        The rows that a clustering without ``predict`` (DBSCAN, ...) was fitted on; no other model takes any here.
    """
    if data is not None and not takes_data(model):
        raise ValueError(
            f"{type(innermost(model)).__name__} is converted from what it holds; leave data=None (rows that "
            "the explanation is relative to are neon.Explainer's reference=)"
        )
    return Network(model, output=output, form=form, data=data)
