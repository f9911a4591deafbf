"""The function that explanations are of: one number a row, with each row's output held fixed."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy import sparse

from neon.converters import Network, neuralize
from neon.explainer.labels import output_indices

__all__ = ["Explained", "as_rows", "background_rows"]

_AT_ONCE = 4096  # rows in one run of the model


class Explained:
    """``f(X, index)``: what a model says of each row about one of its outputs.

    Of a fitted model it is what neon explains (``network.explains``), which equals what the model itself computes.

    Parameters
    ----------
    model : fitted estimator, Network, torch.nn.Module or callable
        A callable takes rows (n_rows, ...) and returns numbers (n_rows,) or (n_rows, n_outputs).
    output : str, optional
        Which function of a fitted model, as `neon.Explainer` takes it.
    """

    def __init__(self, model: Any, output: str | None = None) -> None:
        self.model, self.output = model, output
        self.network: torch.nn.Module | None
        if isinstance(model, torch.nn.Module):
            self.network = model
        elif callable(model) and not hasattr(model, "fit"):
            self.network = None
        else:
            self.network = neuralize(model, output=output)

    @classmethod
    def of(cls, model: Any) -> Explained:
        """The function of a model; what is one already stays it."""
        return model if isinstance(model, Explained) else cls(model)

    def __call__(self, X: np.ndarray, index: np.ndarray) -> np.ndarray:
        """The value (n_rows,) of each row's output, ``index`` (n_rows,)."""
        found = np.empty(len(X))
        for start in range(0, len(X), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            found[some] = np.take_along_axis(self.outputs(X[some]), index[some, None], 1)[:, 0]
        return found

    def outputs(self, X: np.ndarray) -> np.ndarray:
        """All outputs, (n_rows, n_outputs)."""
        if self.network is None:
            found = np.asarray(self.model(X), dtype=np.float64)
        else:
            with torch.no_grad():
                found = self.network(self.tensor(X)).cpu().double().numpy()
        if found.ndim not in (1, 2) or len(found) != len(X):
            raise ValueError(
                f"the model must give (n_rows,) or (n_rows, n_outputs) numbers for {len(X)} rows, got {found.shape}"
            )
        return found[:, None] if found.ndim == 1 else found

    def rows(self, X: Any, background: Any = None) -> tuple[np.ndarray, np.ndarray | None]:
        """Rows as an array (n_rows, ...), their columns in the model's order; background rows too, if they are given.

        Raises
        ------
        ValueError
            If they are no rows of numbers, or frames whose columns are not the model's.
        """
        rows = self._read(X)
        if background is None:
            return rows, None
        try:
            others = self._read(background)
        except ValueError as error:
            raise ValueError(f"background: {error}") from None
        if others.shape[1:] != rows.shape[1:]:
            raise ValueError(f"background: expected rows like those of X, {rows.shape[1:]}, got {others.shape[1:]}")
        return rows, others

    def _read(self, rows: Any) -> np.ndarray:
        return as_rows(self.network.intake.given(rows)[0] if isinstance(self.network, Network) else rows)

    def tensor(self, X: np.ndarray) -> torch.Tensor:
        """Rows as the network reads them."""
        if isinstance(self.network, Network):
            return self.network.encode(X)
        if self.network is None:
            raise ValueError("a plain function has no network: this takes a fitted model or a torch module")
        like = next(self.network.parameters(), torch.zeros(()))
        return torch.as_tensor(X, dtype=like.dtype, device=like.device)

    def index(self, X: np.ndarray, target: Any = None) -> np.ndarray:
        """The output of each row that is explained, (n_rows,).

        Parameters
        ----------
        target : label, index or sequence with one per row, optional
            As `neon.Explainer` takes it. Default: the predicted one, of functions and torch modules the largest.
        """
        if isinstance(target, str) and target == "all":
            raise ValueError('scores are of one output a row: give target= a label, an index or one per row, not "all"')
        if target is not None:
            return output_indices(torch.nn.Identity() if self.network is None else self.network, target, len(X))
        outputs = self.outputs(X)
        if isinstance(self.network, Network):
            given, _ = self.network.intake.given(X)
            return self.network.predicted(given, torch.from_numpy(outputs)).numpy()
        return outputs.argmax(1)

    def labels(self, X: np.ndarray, target: Any = None) -> np.ndarray:
        """The same as names of outputs, which mean the same wherever a target is taken."""
        index = self.index(X, target)
        return np.asarray(self.network.output_names)[index] if isinstance(self.network, Network) else index


def as_rows(X: Any) -> np.ndarray:
    """Rows of numbers as an array (n_rows, ...).

    Raises
    ------
    ValueError
        If they are none.
    """
    X = X.detach().cpu().numpy() if isinstance(X, torch.Tensor) else X.toarray() if sparse.issparse(X) else X
    try:
        rows = np.asarray(X, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "expected rows of numbers (n_rows, n_features): features are moved and replaced by numbers. Evaluate the "
            f"part of a pipeline behind its encoders ({error})"
        ) from None
    if rows.ndim < 2 or not len(rows):
        raise ValueError(f"expected at least one row, (n_rows, n_features), got shape {rows.shape}")
    return rows


def background_rows(background: Any) -> np.ndarray:
    """The rows that something is compared with, which must be given."""
    if background is None:
        raise ValueError("this is relative to background rows: give background=, such as X_train")
    return as_rows(background)
