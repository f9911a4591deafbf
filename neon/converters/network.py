"""The equivalent network of a fitted model."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_array
from torch import Tensor

from neon.converters.registry import convert

__all__ = ["Network", "neuralize"]


class Network(torch.nn.Module):
    """A torch module that computes what a fitted model computes.

    Attributes
    ----------
    layers : torch.nn.Sequential
    explains : str
        The explained scalar, in words.
    output_names, feature_names : tuple of str
        ``feature_names`` is None where the model was fitted without.
    form : str
        "fused", "layers" or "relu".
    """

    def __init__(self, model: Any, *, output: str | None, form: str) -> None:
        super().__init__()
        conversion = convert(model, output=output, form=form)
        self.model, self.output = model, output
        self.layers = conversion.layers
        self.explains = conversion.explains
        self.output_names = conversion.output_names
        self.classes = conversion.classes
        self.composite = conversion.composite
        self.reference = conversion.reference
        self.takes_reference = conversion.takes_reference
        self.votes = conversion.votes
        self.form = form
        self._own, self._link = conversion.own, conversion.link
        names = getattr(model, "feature_names_in_", None)
        self.feature_names = None if names is None else tuple(map(str, names))
        self.n_features_in = int(model.n_features_in_)
        self.eval()

    def __getstate__(self) -> dict[str, Any]:
        """All but the model's own function, which is found again from the model."""
        return {key: value for key, value in self.__dict__.items() if key not in ("_own", "_link")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        conversion = convert(self.model, output=self.output, form=self.form)
        self._own, self._link = conversion.own, conversion.link

    def forward(self, x: Tensor) -> Tensor:
        """Compute the explained scalars: (n_samples, n_features) -> (n_samples, n_outputs)."""
        return self.layers(x)

    def verify(self, X: Any) -> float:
        """The largest ``|network(x) - model(x)|`` over the rows of X, against the model's own function."""
        rows = X.to_numpy() if hasattr(X, "to_numpy") else X
        rows = check_array(rows, accept_sparse="csr", dtype=np.float64, copy=True)
        rows = rows.toarray() if hasattr(rows, "toarray") else rows
        buffer = next(self.buffers(), torch.zeros((), dtype=torch.float64))
        with torch.no_grad():
            output = self(torch.as_tensor(rows).to(buffer)).cpu().double().numpy()
        if self._link is not None:
            output = self._link(output)
        own = self._own(self._named(rows))
        with np.errstate(invalid="ignore"):
            difference = np.where(output == own, 0.0, np.abs(output - own))  # both may be infinite
        return float(np.max(difference, initial=0.0))

    def predicted(self, x: Tensor, output: Tensor) -> Tensor:
        """The index of each row's predicted output: the largest, or where votes tie what the model says."""
        best, index = output.max(1)
        tied = (best <= 0).nonzero()[:, 0] if self.votes else best[:0]
        if len(tied):
            rows = x[tied].cpu().double().numpy()
            assert self.classes is not None
            labels = self.model.predict(self._named(rows))
            index[tied] = torch.as_tensor(np.searchsorted(self.classes, labels), device=index.device)
        return index

    def _named(self, rows: np.ndarray) -> Any:
        """Rows as the model was fitted: a model that knows column names wants to see them."""
        if self.feature_names is None:
            return rows
        import pandas as pd

        return pd.DataFrame(rows, columns=list(self.feature_names))

    def extra_repr(self) -> str:
        return f"explains: {self.explains}\nform: {self.form}, outputs: {', '.join(self.output_names[:6])}" + (
            ", ..." if len(self.output_names) > 6 else ""
        )


def neuralize(model: Any, *, output: str | None = None, form: str = "fused") -> Network:
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
    """
    return Network(model, output=output, form=form)
