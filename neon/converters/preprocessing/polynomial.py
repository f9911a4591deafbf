"""Polynomial features: relevance by the exponents' shares."""

from __future__ import annotations

from typing import Any

import numpy as np

from neon.converters.core import Ask, Conversion, converter, transformer
from neon.errors import UnsupportedModelError
from neon.nn import Monomials

__all__ = ["convert_polynomial"]


LARGEST = 5 * 10**8  # exponents, 4 GB


@converter("sklearn.preprocessing.PolynomialFeatures")
def convert_polynomial(model: Any, ask: Ask) -> Conversion:
    """PolynomialFeatures: ``Π_i x_i^{e_i}``, of whose relevance feature i gets the share ``e_i / Σ e``."""
    n_products, n_columns = int(model.n_output_features_), int(model.n_features_in_)
    if n_products * n_columns > LARGEST:
        raise UnsupportedModelError(
            f"PolynomialFeatures makes {n_products:,} products of {n_columns:,} columns, whose exponents would take "
            f"{8 * n_products * n_columns / 2**30:,.0f} GiB; select columns before it"
        )
    powers = np.asarray(model.powers_) if n_products else np.zeros((0, n_columns), dtype=np.int64)
    linear = np.flatnonzero(powers.sum(1) == 1)
    # Whatever the features' order, the i-th of these monomials is feature i: the way back, if they are there.
    inverse = None
    if len(linear) == powers.shape[1]:
        back = linear[np.argsort(powers[linear].argmax(1))]

        def inverse(Z: np.ndarray) -> np.ndarray:
            return Z[:, back]

    return transformer(model, [Monomials(powers)], "products of features", len(powers), inverse=inverse)
