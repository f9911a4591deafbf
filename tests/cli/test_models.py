"""Model files on the command line: skops, boosting libraries' own, and models that need a module of the user's."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import catboost
import joblib
import lightgbm
import numpy as np
import pandas as pd
import pytest
import skops.io
import xgboost
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor, StackingClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, SplineTransformer, StandardScaler
from sklearn.svm import SVC

import neon
from neon.cli import main, models
from neon.cli.models import HARMLESS, load_model

X = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 3)).round(3), columns=["height", "weight", "age"])
Y = (X["age"] > 0).astype(int)
QUICK: dict[str, Any] = {"n_estimators": 2, "max_depth": 2}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    X.to_csv("data.csv", index=False)
    return tmp_path


ORDINARY = {
    "columns and imputed values": lambda: make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(), SplineTransformer()), ["age"]), remainder="passthrough"
        ),
        SVC(),
    ),
    "categories": lambda: make_pipeline(OneHotEncoder(handle_unknown="ignore"), Ridge()),
    "forest": lambda: RandomForestRegressor(**QUICK),
    "boosting": lambda: HistGradientBoostingClassifier(max_iter=2, categorical_features="from_dtype"),
    "neighbours": lambda: make_pipeline(StandardScaler(), KNeighborsClassifier(p=3, algorithm="kd_tree")),
    "selection": lambda: make_pipeline(SelectKBest(k=2), LogisticRegression()),
    "process": lambda: GaussianProcessClassifier(RBF() + WhiteKernel(), optimizer=None),
    "network": lambda: MLPClassifier((3,), solver="sgd", tol=1.0),
    "search": lambda: GridSearchCV(SVC(), {"C": [1, 2]}, cv=2),
    "stack": lambda: StackingClassifier([("svc", SVC())], cv=2),
    "xgboost": lambda: xgboost.XGBClassifier(**QUICK),
    "lightgbm": lambda: lightgbm.LGBMRegressor(**QUICK, verbose=-1),
    "catboost": lambda: catboost.CatBoostRegressor(iterations=2, depth=2, verbose=0, allow_writing_files=False),
}


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_skops_files_need_no_trust(name: str) -> None:
    model = ORDINARY[name]().fit(X, Y)
    skops.io.dump(model, "model.skops")
    np.testing.assert_array_equal(load_model("model.skops").predict(X), model.predict(X))


@pytest.mark.parametrize("function", [os.system, eval, exec, np.load, subprocess.run, __import__])
def test_functions_that_do_something_are_asked_for(function: Any) -> None:
    """Whatever holds them, as FunctionTransformer and partial functions do."""
    skops.io.dump(make_pipeline(FunctionTransformer(function), SVC()), "bad.skops")
    with pytest.raises(ValueError, match=rf"not trusted: .*{function.__name__}"):
        load_model("bad.skops")


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
def test_files_that_unpack_to_more_than_models_do(compression: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "_UNPACKED", (2**20, 30))
    model = KNeighborsClassifier(algorithm="brute").fit(np.zeros((100_000, 4)), np.arange(100_000) % 2)
    skops.io.dump(model, "large.skops", compression=compression, compresslevel=9)
    if compression == zipfile.ZIP_STORED:
        assert load_model("large.skops").n_samples_fit_ == 100_000
        return
    with pytest.raises(ValueError, match=r"large.skops is not a readable .skops file: its [\d,]+ bytes unpack to 4,"):
        load_model("large.skops")


def test_what_is_trusted_without_asking_is_classes_and_functions_of_numbers() -> None:
    libraries = {name.partition(".")[0] for name in HARMLESS}
    assert libraries <= {
        "numpy",
        "scipy",
        "sklearn",
        "xgboost",
        "lightgbm",
        "catboost",
        "imblearn",
        "collections",
        "functools",
    }
    assert {name for name in HARMLESS if not name.startswith(("sklearn", "xgboost", "lightgbm", "catboost"))} == {
        "collections.OrderedDict", "functools.partial", "imblearn.pipeline.Pipeline", "numpy.dtype", "numpy.mean",
        "scipy._lib.array_api_compat.numpy._aliases.asarray", "scipy.interpolate._bsplines.BSpline",
        "scipy.sparse._csr.csr_array", "scipy.sparse._csr.csr_matrix",
    }  # fmt: skip


def _write_boosted(name: str) -> None:
    if name.endswith((".json", ".ubj")):
        xgboost.XGBClassifier(**QUICK).fit(X, Y).save_model(name)
    elif name.endswith(".txt"):
        lightgbm.LGBMClassifier(**QUICK, verbose=-1).fit(X, Y).booster_.save_model(name)
    else:
        catboost.CatBoostClassifier(iterations=2, depth=2, verbose=0, allow_writing_files=False).fit(X, Y).save_model(
            name
        )


@pytest.mark.parametrize("name", ["model.json", "model.ubj", "model.txt", "model.cbm"])
def test_files_of_boosting_libraries(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    _write_boosted(name)
    assert main(["explain", name, "data.csv", "-o", "out.csv", "--plot", "out.png"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"^explains: .*margin|log-odds", printed, re.MULTILINE)
    assert "wrote out.csv: 40 rows" in printed
    assert "wrote out.png" in printed
    written = pd.read_csv(Path("out.csv"), index_col="sample")
    expected = neon.explain(neon.load_model(name), X)
    np.testing.assert_allclose(written[list(X.columns)], expected.values, rtol=1e-9, atol=1e-12)
    assert main(["show", name]) == 0
    assert "trees" in capsys.readouterr().out


OWN = """
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

import neon

class Clip(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self
    def transform(self, X):
        return np.clip(X, -1, 1)

def register():
    neon.extend.register_encoder(Clip)

def fail():
    raise KeyError("nothing here")
"""


COMMANDS = """
import sys
import zipfile

sys.path.remove("")
import neon.cli

files = [["own.joblib", "data.csv", "--trust-pickle"], ["own.skops", "data.csv", "--trust", "own_steps.Clip"]]
for more in ([], ["--register", "own_steps:register"]):
    for arguments in files:
        print("ended with", neon.cli.main(["explain", *arguments, *more]))
"""


def test_a_module_of_the_users_is_imported_on_request_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the folder that the command runs in, which the console script does not look into by itself."""
    Path("own_steps.py").write_text(OWN)
    with monkeypatch.context() as patch:
        patch.syspath_prepend(folder)
        own = importlib.import_module("own_steps")
        frame = pd.read_csv("data.csv")
        model = make_pipeline(own.Clip(), Ridge()).fit(frame, frame["age"])
        joblib.dump(model, "own.joblib")
        skops.io.dump(model, "own.skops")
    del sys.modules["own_steps"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", COMMANDS], capture_output=True, text=True, env=environment, check=True)
    found = re.findall("ended with .*|explains: predicted value", done.stdout)
    assert found == ["ended with 2"] * 2 + ["explains: predicted value", "ended with 0"] * 2
    words = "No module named 'own_steps'; a file own_steps.py in this folder is found with --register own_steps"
    assert [words in line for line in done.stderr.splitlines()] == [True, True]


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("no_such_module:register", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("failing:fail", "KeyError: 'nothing here'"),
        ("failing:regster", "AttributeError: module 'failing' has no attribute 'regster'"),
        ("failing.py:fail", "KeyError: 'nothing here'"),
        ("a/b:c", "expected module:function, such as my_models:register"),
    ],
)
def test_modules_that_fail_say_why(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, what: str, words: str
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "failing", raising=False)
    Path("failing.py").write_text("def fail():\n    raise KeyError('nothing here')\n")
    assert main(["show", "model.skops", "--register", what]) == 2
    assert re.fullmatch(f"neon: --register {what}: .*({words}).*\n", capsys.readouterr().err)
