"""Kernel machines: SVC, NuSVC, SVR, NuSVR, OneClassSVM.

Distance kernels are explained by the log-mean rule, relative to the support vectors' distribution unless a reference
is given; scalar-product kernels relative to the origin (or the reference) through the secant of the kernel function,
which for ``coef0 = 0`` is gradient × input over the degree.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import torch
from scipy import sparse

from neon.converters.base import Conversion
from neon.converters.registry import choose, register
from neon.nn import (
    Affine,
    Kernel,
    Linear,
    PooledMinimum,
    SoftMin,
    SquaredDistance,
    TwoClass,
    plain_linear,
    relu_minimum,
)

__all__ = ["convert_one_class", "convert_svc", "convert_svr"]


def convert_svr(model: Any, *, output: str | None = None, form: str = "fused") -> Conversion:
    """``f = Σ_j α_j k(x, u_j) + b``: the predicted value."""
    choose(output, ("predict",), model)
    layers = [*_kernel_layers(model, form), Linear(_dense(model.dual_coef_), model.intercept_)]
    return _finish(model, _collapse(model, layers, form), "predicted value", ("prediction",), model.predict)


def convert_svc(model: Any, *, output: str | None = None, form: str = "fused") -> Conversion:
    """The decision function f or, as ``output="log_ratio"`` (rbf only), `neon.nn.log_ratio`, which has its sign.

    Two classes: ``±f``. More: the margin ``min_{k≠c} f_ck`` of a class over the pairwise machines. The largest margin
    is at the predicted class wherever one class wins all its pairs.
    """
    if choose(output, ("decision_function", "log_ratio"), model) == "log_ratio":
        return _log_ratio(model, form)
    classes = model.classes_
    weight, bias = _machines(model)
    layers = _collapse(model, [*_kernel_layers(model, form), Linear(weight, bias)], form)
    if len(classes) == 2:
        layers.append(plain_linear(_versus(2)) if form == "relu" else TwoClass())
        explains = "decision function in favour of a class"
    elif form == "relu":
        layers += [plain_linear(_versus(len(classes))), *relu_minimum(len(classes), len(classes) - 1)]
    else:
        layers += [Linear(_versus(len(classes))), PooledMinimum(len(classes), math.inf)]
    if len(classes) > 2:
        explains = "margin of a class over its closest rival"
    ovo = copy.copy(model)  # a view of the same fitted model whose decision_function gives the pairs
    ovo.decision_function_shape = "ovo"

    def margins(X: np.ndarray) -> np.ndarray:
        return _margins(ovo.decision_function(X), len(classes))

    return _finish(model, layers, explains, tuple(map(str, classes)), margins, classes)


def convert_one_class(model: Any, *, output: str | None = None, form: str = "fused") -> Conversion:
    """Outlierness. For the rbf kernel ``o = -(1/γ) log(Σ_j α_j exp(-γ ‖x - u_j‖²) / ρ)``, a soft squared distance.

    o > 0 exactly where the model says outlier (Kauffmann et al. 2020, "Towards Explaining Anomalies"). For the other
    kernels, and as ``output="decision_function"`` for rbf: the negative, respectively the plain decision function.
    """
    choices = ("outlierness", "decision_function")
    output = choose(output, choices, model)
    if model.kernel == "rbf" and output == "outlierness" and form != "relu":
        gamma, rho = float(model._gamma), float(model.offset_[0])
        alpha = _dense(model.dual_coef_)[0]
        if rho > 0:
            centers = _dense(model.support_vectors_)
            layers = [SquaredDistance(centers), SoftMin(np.log(alpha / rho), gamma)]
            return Conversion(
                torch.nn.Sequential(*layers),
                "outlierness: soft squared distance to the support vectors, above 0 for outliers",
                ("outlierness",),
                lambda X: model.decision_function(X).reshape(-1, 1),
                link=lambda o: rho * np.expm1(-gamma * o),
            )
    sign = -1.0 if output == "outlierness" else 1.0
    layers = [*_kernel_layers(model, form), Linear(sign * _dense(model.dual_coef_), sign * model.intercept_)]
    words = "outlierness: the negative decision function" if sign < 0 else "decision function, below 0 for outliers"
    return _finish(model, _collapse(model, layers, form), words, (output,), lambda X: sign * model.decision_function(X))


def _kernel_layers(model: Any, form: str) -> list[torch.nn.Module]:
    kernel = model.kernel
    if form == "relu" and kernel != "linear":
        raise ValueError(f"a {kernel} kernel is not piecewise linear: there is no exact ReLU form")
    if kernel not in ("linear", "rbf", "poly", "sigmoid"):
        raise ValueError(f"kernel {kernel!r} is unknown to the converter; expected linear, rbf, poly or sigmoid")
    vectors = _dense(model.support_vectors_)
    gamma, coef0 = float(model._gamma), float(model.coef0)
    if kernel == "linear":
        return [Linear(vectors)]
    if kernel == "rbf":
        return [SquaredDistance(vectors), Affine(-gamma), Kernel(torch.exp, "exp")]
    product = Linear(gamma * vectors, np.full(len(vectors), coef0))
    if kernel == "sigmoid":
        return [product, Kernel(torch.tanh, "tanh")]
    return [product, _Power(model.degree)]


class _Power(torch.nn.Module):
    def __init__(self, degree: float) -> None:
        super().__init__()
        self.degree = degree

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.pow(x, self.degree)

    def extra_repr(self) -> str:
        return f"x^{self.degree}"


def _collapse(model: Any, layers: list[torch.nn.Module], form: str) -> list[torch.nn.Module]:
    """A linear kernel's two linear maps are one; spelled out only in the form "layers"."""
    if model.kernel != "linear" or form == "layers":
        return layers
    inner, outer = layers
    assert isinstance(inner, Linear)
    assert isinstance(outer, Linear)
    merged = Linear(outer.weight @ inner.weight, outer.bias)
    return [plain_linear(merged.weight, merged.bias) if form == "relu" else merged]


def _finish(
    model: Any,
    layers: list[torch.nn.Module],
    explains: str,
    names: tuple[str, ...],
    own: Any,
    classes: np.ndarray | None = None,
) -> Conversion:
    return Conversion(
        torch.nn.Sequential(*layers),
        explains,
        names,
        lambda X: np.asarray(own(X), dtype=np.float64).reshape(len(X), len(names)),
        reference=_dense(model.support_vectors_) if model.kernel == "rbf" else None,
        takes_reference=True,
        classes=classes,
    )


def _pairwise_coefficients(model: Any) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (n_pairs, n_support) of the one-vs-one machines, pairs (i, j) with i < j in order.

    libsvm keeps, for a support vector of class i, its coefficient against class j in row ``j - 1`` (j > i) or ``j``.
    """
    dual, counts = _dense(model.dual_coef_), model.n_support_
    starts = np.concatenate([[0], np.cumsum(counts)])
    rows = []
    n_classes = len(counts)
    for i in range(n_classes):
        for j in range(i + 1, n_classes):
            row = np.zeros(dual.shape[1])
            row[starts[i] : starts[i + 1]] = dual[j - 1, starts[i] : starts[i + 1]]
            row[starts[j] : starts[j + 1]] = dual[i, starts[j] : starts[j + 1]]
            rows.append(row)
    return np.stack(rows), np.asarray(model.intercept_)


def _pair_layout(n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """For each class c and each rival k: the sign and index of the machine that decides between them."""
    index: dict[tuple[int, int], int] = {}
    for i in range(n_classes):
        for j in range(i + 1, n_classes):
            index[i, j] = len(index)
    pairs = [(c, k) for c in range(n_classes) for k in range(n_classes) if k != c]
    signs = np.array([1.0 if c < k else -1.0 for c, k in pairs])
    return signs, np.array([index[min(c, k), max(c, k)] for c, k in pairs])


def _dense(matrix: Any) -> np.ndarray:
    return np.asarray(matrix.toarray() if sparse.issparse(matrix) else matrix, dtype=np.float64)


register("sklearn.svm.SVR", "sklearn.svm.NuSVR", by=convert_svr)
register("sklearn.svm.SVC", "sklearn.svm.NuSVC", by=convert_svc)
register("sklearn.svm.OneClassSVM", by=convert_one_class)
