"""Loops over the factors of product units, compiled by numba: features innermost, one row at a time.

The functions and shapes of `neon.nn.terms.vectorized`, for numpy arrays. All release the interpreter's lock.
"""

# mypy: allow-untyped-defs, ignore-missing-imports
from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from torch import Tensor

__all__ = ["bound_terms", "integrated", "log_units", "rates", "shapley", "shares"]

Rules = tuple[np.ndarray, np.ndarray, np.ndarray]  # numbers of nodes (n_rules,), nodes and weights (n_rules, largest)

# Sums and products in any order, so that they run in vector registers; no other liberty.
_OPTIONS: dict[str, Any] = {
    "nogil": True,
    "cache": True,
    "fastmath": {"contract", "nsz", "reassoc", "arcp"},
    "error_model": "numpy",
}
_FIRST = 3  # which of the rules is tried first
_GROUP = 8  # factors of one logarithm


@njit(**_OPTIONS)
def _log_units(a, b, t, out):
    m, d = a.shape
    for j in range(m):
        for q in range(len(t)):
            total = 0.0
            for start in range(0, d, _GROUP):
                p, stop = 1.0, min(start + _GROUP, d)
                for i in range(start, stop):
                    p *= b[j, i] + t[q] * (a[j, i] - b[j, i])
                if p >= 1e-290:
                    total += math.log(p)
                else:  # may have left the range of floats
                    for i in range(start, stop):
                        total += np.log(b[j, i] + t[q] * (a[j, i] - b[j, i]))
            out[q, j] = total


@njit(**_OPTIONS)
def _rates(a, b, t, out):
    m, d = a.shape
    for j in range(m):
        for q in range(len(t)):
            total = 0.0
            for i in range(d):
                c = a[j, i] - b[j, i]
                v = b[j, i] + t[q] * c
                total += c / v if v != 0.0 else 0.0
            out[q, j] = total


@njit(**_OPTIONS)
def _shares(a, b, slopes, t, out):
    m, d = a.shape
    acc = np.empty(d, a.dtype)
    for j in range(m):
        acc[:] = 0.0
        for q in range(len(t)):
            s = slopes[q, j]
            if s == 0.0:
                continue
            for i in range(d):
                v = b[j, i] + t[q] * (a[j, i] - b[j, i])
                acc[i] += s / v if v != 0.0 else 0.0
        for i in range(d):
            out[i] += acc[i] * (a[j, i] - b[j, i])


@njit(**_OPTIONS)
def _integrated(a, b, alpha, t, weights, out):
    m, d = a.shape
    acc, v = np.empty(d, a.dtype), np.empty(d, a.dtype)
    for j in range(m):
        if alpha[j] == 0.0:
            continue
        acc[:] = 0.0
        for q in range(len(t)):
            p = a.dtype.type(1.0)
            for i in range(d):
                v[i] = b[j, i] + t[q] * (a[j, i] - b[j, i])
                p *= v[i]
            if p == 0.0:
                continue
            s = alpha[j] * weights[q] * p
            for i in range(d):
                acc[i] += s / v[i]
        for i in range(d):
            out[i] += acc[i] * (a[j, i] - b[j, i])


@njit(**_OPTIONS)
def _bound_terms(a, b, alpha, widths, out):
    m, d = a.shape
    for j in range(m):
        if alpha[j] == 0.0:
            continue
        p, spread = 1.0, 0.0
        for i in range(d):
            total = a[j, i] + b[j, i]
            p *= 0.5 * total
            spread += abs(a[j, i] - b[j, i]) / total if total != 0.0 else 0.0
        for k in range(len(widths)):
            out[k] += abs(alpha[j]) * p * (1.0 + widths[k] * spread / d) ** d


@njit(**_OPTIONS)
def _to_the_bound(a, b, alpha, widths, log_scale, log_rho, log_tolerance, sizes, nodes, weights, out):
    n_ellipses = len(widths)
    terms = np.empty(n_ellipses)
    for r in range(len(a)):
        terms[:] = 0.0
        _bound_terms(a[r], b, alpha[r], widths, terms)
        k = min(_FIRST, len(sizes) - 1)
        while True:
            n = sizes[k]
            out[r] = 0.0
            _integrated(a[r], b, alpha[r], nodes[k, :n], weights[k, :n], out[r])
            peak = 0.0
            for i in range(len(out[r])):
                peak = max(peak, abs(out[r, i]))
            if peak == 0.0 or k == len(sizes) - 1:
                break
            least = np.inf
            for e in range(n_ellipses):
                if terms[e] < np.inf:
                    wanted = np.log(terms[e]) + log_scale[e] - log_tolerance - np.log(peak)
                    least = min(least, wanted / (2 * log_rho[e]))
            if n >= least:
                break
            while k < len(sizes) - 1 and sizes[k] < least:
                k += 1


def shapley(
    a: Tensor, b: Tensor, alpha: Tensor, ellipses: tuple[np.ndarray, ...], log_tolerance: float, rules: Rules
) -> Tensor:
    """`integrated` of several rows, a (n_rows, n_units, n_features), each with as many nodes as its bound asks for."""
    out = a.new_zeros(len(a), a.shape[2])
    arrays = (part.contiguous().numpy() for part in (a, b, alpha))
    _to_the_bound(*arrays, *ellipses, log_tolerance, *rules, out.numpy())
    return out


def log_units(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    out = a.new_empty(len(t), len(a))
    _log_units(a.numpy(), b.numpy(), t.numpy(), out.numpy())
    return out


def rates(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    out = a.new_empty(len(t), len(a))
    _rates(a.numpy(), b.numpy(), t.numpy(), out.numpy())
    return out


def shares(a: Tensor, b: Tensor, slopes: Tensor, t: Tensor) -> Tensor:
    out = a.new_zeros(a.shape[1])
    _shares(a.numpy(), b.numpy(), slopes.contiguous().numpy(), t.numpy(), out.numpy())
    return out


def integrated(a: Tensor, b: Tensor, alpha: Tensor, t: Tensor, weights: Tensor) -> Tensor:
    out = a.new_zeros(a.shape[1])
    _integrated(a.numpy(), b.numpy(), alpha.contiguous().numpy(), t.numpy(), weights.numpy(), out.numpy())
    return out


def bound_terms(a: Tensor, b: Tensor, alpha: Tensor, widths: Tensor) -> Tensor:
    out = a.new_zeros(len(widths))
    _bound_terms(a.numpy(), b.numpy(), alpha.contiguous().numpy(), widths.numpy(), out.numpy())
    return out
