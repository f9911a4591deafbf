"""Codes in a dictionary: linear in the sample, as long as the same atoms are in use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.optimize import nnls
from sklearn.decomposition import non_negative_factorization, sparse_encode

from neon.converters.core import Ask, Conversion, converter
from neon.errors import UnsupportedModelError
from neon.nn import Linear
from neon.nn.codes.active_set import ActiveSet, active_set

__all__ = ["convert_nmf", "convert_sparse_coding"]


_CODERS = ("DictionaryLearning", "MiniBatchDictionaryLearning", "SparseCoder")


@converter(*(f"sklearn.decomposition.{name}" for name in _CODERS))
def convert_sparse_coding(model: Any, ask: Ask) -> Conversion:
    """SparseCoder, DictionaryLearning, MiniBatchDictionaryLearning.

    Orthogonal matching pursuit and the lasso: least squares on the atoms in use, which are held fixed. Thresholding:
    ``ReLU(D x - α) - ReLU(-D x - α)``.
    """
    ask.choose("transform")
    dictionary = np.asarray(getattr(model, "components_", getattr(model, "dictionary", None)), dtype=np.float64)
    algorithm, n = model.transform_algorithm, len(dictionary)
    alpha = getattr(model, "alpha", 1.0) if model.transform_alpha is None else model.transform_alpha
    layers: list[torch.nn.Module]
    if algorithm == "threshold":
        layers = _threshold(dictionary, float(alpha), model)
    elif algorithm in ("omp", "lasso_lars", "lasso_cd"):
        options = {
            "algorithm": algorithm,
            "n_nonzero_coefs": model.transform_n_nonzero_coefs,
            "alpha": model.transform_alpha if not hasattr(model, "alpha") else alpha,
            "max_iter": model.transform_max_iter,
            "positive": model.positive_code,
        }
        penalty = 0.0 if algorithm == "omp" else float(alpha)
        layers = [ActiveSet(dictionary, _Encode(dictionary, options, penalty), penalty=penalty)]
        if model.split_sign:
            layers += [Linear(np.vstack([np.eye(n), -np.eye(n)])), torch.nn.ReLU()]
    else:
        raise UnsupportedModelError(
            f"{type(model).__name__} with transform_algorithm={algorithm!r}, which ends where a next atom would join; "
            "supported are 'omp', 'lasso_lars', 'lasso_cd' and 'threshold'"
        )
    held = "" if algorithm == "threshold" else ", with the components in use held fixed"
    sides = ("", "negative ") if model.split_sign else ("",)
    return Conversion(
        torch.nn.Sequential(*layers),
        f"sparse code{held}",
        tuple(f"{side}atom {k}" for side in sides for k in range(n)),
        model.transform,
        stated=ActiveSet.states if held else (),
    )


@converter("sklearn.decomposition.MiniBatchNMF", "sklearn.decomposition.NMF")
def convert_nmf(model: Any, ask: Ask) -> Conversion:
    """NMF, MiniBatchNMF: the non-negative least squares that ``transform`` approaches, solved exactly.

    ``transform`` stops at a tolerance that depends on the rows it is given together. The network computes the limit.
    """
    ask.choose("transform")
    if model.beta_loss not in ("frobenius", 2):
        raise UnsupportedModelError(
            f"{type(model).__name__} with beta_loss={model.beta_loss!r}: its codes are not linear on the components in "
            "use; supported is 'frobenius'"
        )
    components = np.asarray(model.components_, dtype=np.float64)
    n, n_features = components.shape
    penalty = n_features * model.alpha_W * model.l1_ratio
    ridge = n_features * model.alpha_W * (1 - model.l1_ratio)
    rank, used = np.linalg.matrix_rank(components), np.count_nonzero(components.any(1))
    if rank < used and not ridge:
        raise UnsupportedModelError(
            f"{type(model).__name__} of {used} components that depend on one another (rank {rank}): a row has many "
            f"codes, and which of them transform gives depends on where it starts. Fit n_components={rank}, or alpha_W "
            "> 0 with l1_ratio < 1"
        )

    def own(X: np.ndarray) -> np.ndarray:
        options = {"alpha_W": model.alpha_W, "l1_ratio": model.l1_ratio, "tol": 1e-14, "max_iter": 100_000}
        return non_negative_factorization(
            np.asarray(X, np.float64), H=components, n_components=n, update_H=False, **options
        )[0]

    return Conversion(
        torch.nn.Sequential(
            ActiveSet(components, _NonNegative(components, penalty, ridge), ridge=ridge, penalty=penalty)
        ),
        "non-negative code: the exact least squares that transform approaches, with the components in use held fixed",
        tuple(f"component {k}" for k in range(n)),
        own,
        stated=ActiveSet.states,
    )


def _threshold(dictionary: np.ndarray, alpha: float, model: Any) -> list[torch.nn.Module]:
    n = len(dictionary)
    out = np.hstack([np.eye(n), -np.eye(n)])
    if model.split_sign:
        out = np.eye(2 * n)
    if model.positive_code:
        out[:, n:] = 0.0
    layers: list[torch.nn.Module] = [
        Linear(np.vstack([dictionary, -dictionary]), np.full(2 * n, -alpha)),
        torch.nn.ReLU(),
    ]
    return layers if model.split_sign and not model.positive_code else [*layers, Linear(out)]


_MISSED = 1e-5  # of a row's largest code


@dataclass(frozen=True, eq=False)
class _Encode:
    """scikit-learn's codes; of a row of zeros, which it warns of, zeros.

    What its path algorithm leaves of an atom that it has dropped is rounding, not a use.
    """

    dictionary: np.ndarray
    options: dict[str, Any]
    penalty: float

    def __call__(self, X: np.ndarray) -> np.ndarray:
        codes, rows = np.zeros((len(X), len(self.dictionary))), X.any(1)
        if rows.any():
            codes[rows] = sparse_encode(X[rows], self.dictionary, **self.options)
        size = np.abs(codes)
        codes = np.where(size > 1e-9 * size.max(1, keepdims=True), codes, 0.0)
        self.check(X, codes)
        return codes

    def check(self, X: np.ndarray, codes: np.ndarray) -> None:
        """Codes are least squares on the atoms in use where scikit-learn has found the minimum, and it is the only one.

        Raises
        ------
        ValueError
            If they are not.
        """
        x, dictionary = torch.as_tensor(X), torch.as_tensor(self.dictionary)
        try:
            found = active_set(x, dictionary, lambda _: codes, penalty=self.penalty).numpy()
        except torch.linalg.LinAlgError:
            found = np.full_like(codes, np.nan)
        missed = ~(np.abs(found - codes) <= _MISSED * np.abs(codes).max(1, keepdims=True)).all(1)
        if missed.any():
            first = int(np.flatnonzero(missed)[0])
            raise ValueError(
                f"the sparse codes of {np.count_nonzero(missed)} rows are not the minimum that "
                f"{self.options['algorithm']!r} looks for, as least squares on the {np.count_nonzero(codes[first])} "
                f"atoms that row {first} uses shows: the search ended early, or these atoms depend on one another. "
                "A larger transform_max_iter, a larger transform_alpha, or a dictionary of fewer atoms help"
            )


@dataclass(frozen=True, eq=False)
class _NonNegative:
    """``argmin_{w ≥ 0} ½ ‖x - Hᵀ w‖² + λ Σ w + ½ ρ ‖w‖²``, row by row."""

    components: np.ndarray
    penalty: float
    ridge: float

    def __call__(self, X: np.ndarray) -> np.ndarray:
        n = len(self.components)
        tall = np.vstack([self.components.T, np.sqrt(self.ridge) * np.eye(n)]) if self.ridge else self.components.T
        q, r = np.linalg.qr(tall)
        targets = X @ q[: X.shape[1]]
        if self.penalty:
            targets = targets - self.penalty * np.linalg.lstsq(r.T, np.ones(n), rcond=None)[0]
        return np.array([nnls(r, target)[0] for target in targets]).reshape(len(X), n)
