"""The version stands in one place, and pickles are read by the version that wrote them alone."""

from __future__ import annotations

import copy
import pickle
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans

import neon
from neon import _version

ROOT = Path(__file__).parent.parent
X = np.random.default_rng(0).normal(size=(20, 3))


@pytest.fixture(params=[neon.neuralize, neon.Explainer], ids=["network", "explainer"])
def built(request: pytest.FixtureRequest) -> Any:
    return request.param(KMeans(2, n_init=1, random_state=0).fit(X))


def relevance(built: Any) -> np.ndarray:
    return neon.explain(built, X).values if isinstance(built, neon.Network) else built(X).values


def test_the_version_stands_in_one_place() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'dynamic = ["version"]' in project
    assert f'[tool.hatch.version]\npath = "{Path(_version.__file__).relative_to(ROOT).as_posix()}"' in project
    assert neon.__version__ == _version.__version__ == version("neon-xai")
    assert f"## {neon.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_pickles_of_this_version_are_read(built: Any) -> None:
    expected = relevance(built)
    for again in (pickle.loads(pickle.dumps(built)), copy.deepcopy(built), copy.copy(built)):
        np.testing.assert_array_equal(relevance(again), expected)


def test_pickles_of_another_version_are_refused(built: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    written = pickle.dumps(built)
    monkeypatch.setattr(_version, "__version__", "7.0")
    name = type(built).__name__
    with pytest.raises(pickle.UnpicklingError, match=rf"this {name} was pickled by neon 0\.\S+ and .* by neon 7\.0: "):
        pickle.loads(written)


def test_the_version_is_compared_before_the_state_is_read() -> None:
    """A class that another version does not have is no reason to say something else."""
    network = neon.neuralize(KMeans(2, n_init=1, random_state=0).fit(X))
    written = pickle.dumps(network, protocol=0).replace(neon.__version__.encode(), b"0.0.1")
    written = written.replace(b"neon.nn.distances", b"neon.nn.longgone!")
    assert b"longgone" in written
    with pytest.raises(pickle.UnpicklingError, match=r"pickled by neon 0\.0\.1 and cannot be read"):
        pickle.loads(written)


def test_modules_inside_are_pickled_as_any_other() -> None:
    layer = neon.nn.Affine(2.0)
    assert torch.equal(pickle.loads(pickle.dumps(layer))(torch.ones(1)), layer(torch.ones(1)))
