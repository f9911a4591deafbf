"""Fitted covariances: the squared Mahalanobis distance to the location."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy import linalg

from neon.converters.core import Ask, Conversion, converter, gaussians
from neon.nn import GaussianEnergy

__all__ = ["convert_covariance", "convert_elliptic_envelope", "factor_of"]


_COVARIANCES = (
    "EmpiricalCovariance",
    "ShrunkCovariance",
    "LedoitWolf",
    "OAS",
    "MinCovDet",
    "GraphicalLasso",
    "GraphicalLassoCV",
)


@converter(*(f"sklearn.covariance.{name}" for name in _COVARIANCES))
def convert_covariance(model: Any, ask: Ask) -> Conversion:
    """``(x - μ)ᵀ Λ (x - μ)``, shared as ``δ_i (Λ δ)_i``: negative where a feature makes the others more likely."""
    ask.choose("mahalanobis")
    return _convert(
        GaussianEnergy(model.location_[None], factor_of(model.get_precision())[None]),
        "squared Mahalanobis distance to the location",
        "mahalanobis",
        model,
        model.mahalanobis,
    )


@converter("sklearn.covariance.EllipticEnvelope")
def convert_elliptic_envelope(model: Any, ask: Ask) -> Conversion:
    """Outlierness: the squared Mahalanobis distance less its threshold, above 0 for outliers."""
    if ask.choose("outlierness", "mahalanobis") == "mahalanobis":
        return convert_covariance(model, ask)
    factor = factor_of(model.get_precision())
    return _convert(
        GaussianEnergy(model.location_[None], factor[None], threshold=np.atleast_1d(model.offset_)),
        "outlierness: squared Mahalanobis distance less its threshold, above 0 for outliers",
        "outlierness",
        model,
        lambda X: -model.decision_function(X),
    )


def _convert(energy: GaussianEnergy, explains: str, name: str, model: Any, own: Any) -> Conversion:
    return Conversion(
        torch.nn.Sequential(energy),
        explains,
        (name,),
        lambda X: np.asarray(own(X)).reshape(-1, 1),
        family="covariance",
        background=gaussians(model.location_[None], model.covariance_[None], [1.0], "the Gaussian"),
    )


def factor_of(precision: np.ndarray) -> np.ndarray:
    """V with ``VᵀV = Λ``, also of a precision matrix without full rank."""
    precision = (precision + precision.T) / 2
    try:
        return np.asarray(linalg.cholesky(precision))
    except linalg.LinAlgError:
        values, vectors = linalg.eigh(precision)
        kept = values > np.finfo(np.float64).eps * len(values) * values[-1]
        return np.asarray((vectors[:, kept] * np.sqrt(values[kept])).T)
