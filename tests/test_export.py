"""Neuralized networks leave Python: by torch.export, and as ONNX that onnxruntime answers as the model does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.cluster import KMeans
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.mixture import GaussianMixture
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale
from sklearn.svm import SVC, LinearSVC

import neon

X, y = load_wine(return_X_y=True)
X = scale(X[:, :6])

# As in the table of docs/sharing.md.
EXPORTED = [
    (Ridge(), "fused"),
    (LogisticRegression(), "fused"),
    (make_pipeline(StandardScaler(), PCA(3), LinearSVC()), "fused"),
    (MLPClassifier((8,), max_iter=5, random_state=0), "fused"),
    (KMeans(3, n_init=1, random_state=0), "layers"),
    (GaussianMixture(2, random_state=0), "layers"),
    (SVC(), "layers"),
    (RandomForestClassifier(5, max_depth=4, random_state=0), "relu"),
    (HistGradientBoostingClassifier(max_iter=5), "relu"),
]
NOT_EXPORTED = [
    (KMeans(3, n_init=1, random_state=0), "fused"),
    (SVC(), "fused"),
    (RandomForestClassifier(5, max_depth=4, random_state=0), "layers"),
    (RandomForestClassifier(5, max_depth=4, random_state=0), "fused"),
    (GaussianNB(), "fused"),
    (GaussianNB(), "layers"),
]
AS_ONNX = [(KMeans(3, n_init=1, random_state=0), "layers"), (SVC(), "layers")]
AS_ONNX += [(RandomForestClassifier(5, max_depth=4, random_state=0), "relu")]


def named(cases: list[tuple[Any, str]]) -> Any:
    return pytest.mark.parametrize(
        ("model", "form"), cases, ids=[f"{type(model).__name__}-{form}" for model, form in cases]
    )


def exported(model: Any, form: str) -> tuple[neon.Network, tuple, dict]:
    """The network, two rows to trace it by, and that there may be any number of them."""
    network = neon.neuralize(model.fit(X, y), form=form)
    return network, (torch.tensor(X[:2]),), {"dynamic_shapes": ({0: torch.export.Dim("rows", min=1)},)}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@named(EXPORTED)
def test_torch_export(model: Any, form: str) -> None:
    network, rows, options = exported(model, form)
    program = torch.export.export(network, rows, **options).module()
    for n_rows in (1, 20):
        x = torch.tensor(X[-n_rows:])
        assert_allclose(program(x).detach(), network(x).detach(), rtol=1e-12)


@named(NOT_EXPORTED)
def test_not_exported(model: Any, form: str) -> None:
    """So says the table; a form that is exported one day moves to the others."""
    network, rows, options = exported(model, form)
    with pytest.raises(RuntimeError, match=r"data-dependent|numpy\(\)"):
        torch.export.export(network, rows, **options)


@pytest.mark.filterwarnings("ignore")  # torch's and onnxscript's own
@named(AS_ONNX)
def test_onnx(model: Any, form: str) -> None:
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    network, rows, options = exported(model, form)
    program = torch.onnx.export(network, rows, dynamo=True, verbose=False, **options)
    session = runtime.InferenceSession(program.model_proto.SerializeToString())
    for n_rows in (1, 20):
        (found,) = session.run(None, {session.get_inputs()[0].name: X[-n_rows:]})
        assert found.dtype == np.float64
        assert_allclose(found, network(torch.tensor(X[-n_rows:])).detach(), rtol=1e-9, atol=1e-12)
