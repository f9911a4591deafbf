"""A pickled explainer carries what was declared of the model's parts, or says what is missing."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import neon
from neon.converters.core import registry
from neon.extend import Ask, Conversion

X = np.random.default_rng(0).normal(size=(30, 3))
Y = X[:, 0]


class Clip(TransformerMixin, BaseEstimator):
    """Elementwise."""

    def fit(self, X: Any, y: Any = None) -> Clip:
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: Any) -> np.ndarray:
        return np.clip(X, -1, 1)


class Twice(Ridge):
    """An estimator that is converted by a function of the test's."""


def cube(x: np.ndarray) -> np.ndarray:
    return x**3


def differences(x: np.ndarray) -> np.ndarray:
    return np.diff(x, axis=1)


def convert_twice(model: Any, ask: Ask) -> Conversion:
    return registry._REGISTRY["sklearn.linear_model.Ridge"].convert(model, ask)


def declare() -> None:
    neon.extend.register_encoder(Clip, cube)
    neon.extend.register_linear(differences)
    neon.extend.register(Twice, by=convert_twice)


def model() -> Any:
    steps = (Clip(), FunctionTransformer(cube), StandardScaler(), FunctionTransformer(differences), Twice())
    return make_pipeline(*steps).fit(X, Y)


def forget() -> None:
    """As in a process that has declared nothing."""
    registry._REGISTRY.clear()
    registry._REGISTRY.update(registry._BUILT_IN)
    registry.FUNCTIONS.clear()


@pytest.mark.parametrize("make", [neon.Explainer, neon.neuralize])
def test_what_was_declared_goes_with_the_pickle(make: Any) -> None:
    declare()
    made = make(model())
    written = pickle.dumps(made)
    forget()
    again = pickle.loads(written)
    network = again if isinstance(again, neon.Network) else again.network
    assert network.verify(X) < 1e-12
    np.testing.assert_array_equal(neon.explain(network, X).values, neon.explain(copy.deepcopy(network), X).values)
    forget()
    assert pickle.loads(pickle.dumps(network)).verify(X) < 1e-12  # and with the pickle of what was unpickled
    neon.explain(model(), X)  # another model of the kind, in this process


def test_a_process_of_its_own(tmp_path: Path) -> None:
    declare()
    explainer = neon.Explainer(model())
    np.save(tmp_path / "expected.npy", explainer(X).values)
    (tmp_path / "explainer.pkl").write_bytes(pickle.dumps(explainer))
    code = (
        "import pickle, numpy as np\nfrom tests.converters.test_declared import X\n"
        "explainer = pickle.load(open('explainer.pkl', 'rb'))\n"
        "np.testing.assert_array_equal(explainer(X).values, np.load('expected.npy'))"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env=environment)


def test_what_cannot_be_pickled_is_named() -> None:
    neon.extend.register_encoder(Clip, source=lambda model: np.arange(model.n_features_in_))
    written = pickle.dumps(neon.Explainer(make_pipeline(Clip(), Ridge()).fit(X, Y)))
    assert pickle.loads(written)(X).values.shape == X.shape  # this process has declared it
    forget()
    with pytest.raises(
        pickle.UnpicklingError, match=r"neon\.extend\.register_encoder\('.*\.Clip'\)\. Declare it before"
    ):
        pickle.loads(written)


def test_what_is_found_no_more_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    neon.extend.register(Twice, by=convert_twice)
    written = pickle.dumps(neon.Explainer(Twice().fit(X, Y)))
    forget()
    monkeypatch.delattr(sys.modules[__name__], "convert_twice")
    with pytest.raises(
        pickle.UnpicklingError, match=r"register\('.*\.Twice', by=\.\.\.\) \(AttributeError: .*convert_twice"
    ):
        pickle.loads(written)


def test_what_this_process_has_declared_stays() -> None:
    declare()
    written = pickle.dumps(neon.Explainer(model()))
    entries = dict(registry._REGISTRY)
    pickle.loads(written)
    assert entries == registry._REGISTRY


def test_models_of_scikit_learn_carry_nothing() -> None:
    declare()
    assert neon.neuralize(Ridge().fit(X, Y))._declared == {}
