"""Fitted models on disk, and modules of the user's own that models need."""

from __future__ import annotations

import importlib
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from neon.cli.files import existing, words
from neon.converters import model_files

__all__ = ["HARMLESS", "PICKLES", "load_model", "register"]

PICKLES = (".pkl", ".pickle", ".joblib")

_METRICS = ("Chebyshev", "Euclidean", "Haversine", "Manhattan", "Mahalanobis", "Minkowski", "SEuclidean")
_KERNELS = (
    "CompoundKernel", "ConstantKernel", "DotProduct", "ExpSineSquared", "Exponentiation", "Matern", "PairwiseKernel",
    "Product", "RBF", "RationalQuadratic", "Sum", "WhiteKernel",
)  # fmt: skip
_BOOSTED = ("Classifier", "Regressor", "Ranker")
_NAMES = {
    "catboost.core": ("CatBoost", *(f"CatBoost{kind}" for kind in _BOOSTED)),
    "collections": ("OrderedDict",),
    "functools": ("partial",),  # of a function that is asked for by itself
    "imblearn.pipeline": ("Pipeline",),
    "lightgbm.basic": ("Booster",),
    "lightgbm.sklearn": tuple(f"LGBM{kind}" for kind in _BOOSTED),
    "numpy": ("dtype", "mean"),
    "scipy._lib.array_api_compat.numpy._aliases": ("asarray",),
    "scipy.interpolate._bsplines": ("BSpline",),
    "scipy.sparse._csr": ("csr_array", "csr_matrix"),
    "sklearn._loss.loss": ("HalfTweedieLoss", "HalfTweedieLossIdentity"),
    "sklearn.calibration": ("_CalibratedClassifier", "_SigmoidCalibration"),
    "sklearn.cluster._bisect_k_means": ("_BisectingTree",),
    "sklearn.cluster._kmeans": ("_kmeans_single_elkan", "_kmeans_single_lloyd"),
    "sklearn.compose._column_transformer": ("_RemainderColsList", "make_column_selector"),
    "sklearn.ensemble._hist_gradient_boosting.predictor": ("TreePredictor",),
    "sklearn.feature_selection._mutual_info": ("mutual_info_classif", "mutual_info_regression"),
    "sklearn.feature_selection._univariate_selection": ("chi2", "f_classif", "f_regression", "r_regression"),
    "sklearn.gaussian_process._gpc": ("_BinaryGaussianProcessClassifierLaplace",),
    "sklearn.gaussian_process.kernels": _KERNELS,
    "sklearn.metrics._classification": ("accuracy_score", "balanced_accuracy_score"),
    "sklearn.metrics._dist_metrics": tuple(f"{name}Distance{end}" for name in _METRICS for end in ("", "32", "64")),
    "sklearn.metrics._regression": ("r2_score",),
    "sklearn.metrics._scorer": ("_CurveScorer", "_PassthroughScorer", "_Scorer"),
    "sklearn.model_selection._split": ("GroupKFold", "KFold", "ShuffleSplit", "StratifiedKFold", "TimeSeriesSplit"),
    "sklearn.multiclass": ("_ConstantPredictor",),
    "sklearn.neighbors._ball_tree": ("BallTree", "BallTree32", "BallTree64"),
    "sklearn.neighbors._kd_tree": ("KDTree", "KDTree32", "KDTree64"),
    "sklearn.neural_network._stochastic_optimizers": ("AdamOptimizer", "SGDOptimizer"),
    "sklearn.tree._tree": ("Tree",),
    "sklearn.utils._bunch": ("Bunch",),
    "sklearn.utils._metadata_requests": ("MetadataRequest", "MethodMetadataRequest"),
    "sklearn.utils.validation": ("check_array",),
    "xgboost.core": ("Booster",),
    "xgboost.sklearn": tuple(f"XGB{forest}{kind}" for forest in ("", "RF") for kind in _BOOSTED),
}
# What ordinary models hold beside the types that skops trusts: they hold numbers and settings, and run nothing that the
# file brings along.
HARMLESS = frozenset(f"{module}.{name}" for module, names in _NAMES.items() for name in names)

# Bytes that a .skops file may unpack to, and bytes for each of its own.
_UNPACKED = 2**30, 30


def load_model(path: str, *, trust: Sequence[str] = (), trust_pickle: bool = False) -> Any:
    """Load a fitted model: ``.skops``, or a boosting library's own file; loading a pickle runs whatever code it names.

    Raises
    ------
    ValueError
        For a pickle without ``trust_pickle``, types in a ``.skops`` file that are neither `HARMLESS` nor trusted, or a
        file that cannot be read.
    """
    file = existing(path)
    if file.suffix == ".skops":
        return _load_skops(file, trust)
    if file.suffix in model_files.SUFFIXES:
        return model_files.load_model(path)
    if file.suffix not in PICKLES:
        raise ValueError(
            f"{path}: a model is a .skops, .pkl, .pickle or .joblib file, or one that XGBoost, LightGBM or CatBoost "
            f"wrote: {', '.join(model_files.SUFFIXES)}"
        )
    if not trust_pickle:
        raise ValueError(
            f"{path} is a pickle, and loading one runs any code it names; save the model with skops.io.dump, or give "
            "--trust-pickle if you made the file yourself"
        )
    import joblib

    try:
        return joblib.load(file)
    except Exception as error:
        raise ValueError(f"{path} is not a readable pickle: {words(error)}{_where(error)}") from error


def _load_skops(file: Path, trust: Sequence[str]) -> Any:
    try:
        import skops.io
    except ImportError as error:
        raise ImportError("reading .skops needs skops: pip install 'neon-xai[cli]'") from error
    allowed = HARMLESS | set(trust)
    try:
        _check_unpacked(file)
        asked = skops.io.get_untrusted_types(file=file)
        unknown = [name for name in asked if name not in allowed]
        if not unknown:
            return skops.io.load(file, trusted=asked)
    except Exception as error:
        raise ValueError(f"{file} is not a readable .skops file: {words(error)}{_where(error)}") from error
    allow = " ".join(f"--trust {name}" for name in unknown)
    raise ValueError(
        f"{file} holds types that are not trusted: {', '.join(unknown)}; loading them runs their code: if you "
        f"know them, allow with {allow}"
    )


def _check_unpacked(file: Path) -> None:
    """Refuse a zip of which a few bytes become more than memory holds; readers unpack no more than it declares."""
    with zipfile.ZipFile(file) as archive:
        unpacked = sum(info.file_size for info in archive.infolist())
    least, each = _UNPACKED
    if unpacked > least + each * file.stat().st_size:
        raise ValueError(
            f"its {file.stat().st_size:,} bytes unpack to {unpacked:,}, more than any model does; if you trust it, "
            "save it anew, without compression, by skops.io.dump(skops.io.load(...))"
        )


def _where(error: Exception) -> str:
    """What to do about a module that is not found."""
    if not isinstance(error, ModuleNotFoundError) or error.name is None:
        return ""
    return f"; a file {error.name.partition('.')[0]}.py in this folder is found with --register {error.name}"


def register(what: str) -> None:
    """Import a module of the user's, from this folder too, and call a function of it that registers converters.

    Parameters
    ----------
    what : str
        ``"module:function"``, or ``"module"`` where importing it registers them.

    Raises
    ------
    ValueError
        If there is no such module or function, or if it fails.
    """
    module, _, name = what.partition(":")
    module = module.removesuffix(".py")
    if not all(part.isidentifier() for part in [*module.split("."), *([name] if name else [])]):
        raise ValueError(f"--register {what}: expected module:function, such as my_models:register")
    sys.path[:0] = [folder for folder in [str(Path.cwd())] if folder not in sys.path]
    try:
        found = importlib.import_module(module)
        if name:
            getattr(found, name)()
    except Exception as error:
        raise ValueError(f"--register {what}: {type(error).__name__}: {error}") from error
