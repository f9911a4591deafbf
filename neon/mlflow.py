"""Explainers as models of MLflow, which answer a table of rows by a table of their relevance."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import packages_distributions, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from neon._version import __version__
from neon.converters import Network
from neon.explainer import Explainer

if TYPE_CHECKING:
    import pandas
    from mlflow.models.model import ModelInfo

__all__ = ["log_explainer"]


def log_explainer(
    explainer: Explainer,
    name: str,
    *,
    input_example: pandas.DataFrame,
    target: Any = None,
    columns: Sequence[str] = (),
    **options: Any,
) -> ModelInfo:
    """Log an explainer as a model of the pyfunc flavour: ``predict(frame)`` is `Explainer.explain_frame`.

    ``mlflow.pyfunc.load_model(info.model_uri).predict(frame)`` gives a frame with the index of the rows: kept columns,
    target, prediction, base value, relevance of each feature, residual. Explainers are read by the version of neon
    that wrote them; this and the versions of the model's library are the model's requirements.

    Parameters
    ----------
    explainer : Explainer
    name : str
        Of the logged model.
    input_example : DataFrame
        A few rows, stored with the model; its columns and what they are answered by are the signature.
    target, columns : optional
        As for `Explainer.explain_frame`.
    **options
        For ``mlflow.pyfunc.log_model``: ``registered_model_name=``, ``pip_requirements=``, ...

    Returns
    -------
    mlflow.models.model.ModelInfo

    Raises
    ------
    ImportError
        If MLflow is not installed: ``pip install neon-xai[mlflow]``.
    TypeError
        If the input example is no DataFrame.
    ValueError
        If `Explainer.explain_frame` refuses the example.
    """
    try:
        import cloudpickle
        import mlflow
    except ImportError as error:
        raise ImportError("log_explainer needs MLflow: pip install neon-xai[mlflow]") from error
    if not hasattr(input_example, "iloc"):
        raise TypeError(f"input_example must be a DataFrame of a few rows, got {type(input_example).__name__}")

    answer = explainer.explain_frame(input_example, target, columns=columns)
    given = {
        "signature": mlflow.models.infer_signature(input_example, answer),
        "input_example": input_example,
        "pip_requirements": _requirements(explainer),
    }
    with TemporaryDirectory() as folder:
        path = Path(folder, "explainer.pkl")
        path.write_bytes(cloudpickle.dumps(_Explained(explainer, target, tuple(columns))))
        return mlflow.pyfunc.log_model(name=name, loader_module=__name__, data_path=str(path), **{**given, **options})


@dataclass(frozen=True)
class _Explained:
    """What MLflow asks."""

    explainer: Explainer
    target: Any
    columns: tuple[str, ...]

    def predict(self, frame: pandas.DataFrame, params: Any = None) -> pandas.DataFrame:
        return self.explainer.explain_frame(frame, self.target, columns=self.columns)


def _load_pyfunc(path: str) -> _Explained:
    """By this name MLflow asks for what was logged."""
    with open(path, "rb") as file:
        loaded: _Explained = pickle.load(file)
    return loaded


def _requirements(explainer: Explainer) -> list[str]:
    """What the pickle was written with: neon, what it computes with, and the library of the model."""
    model = explainer.network.model if isinstance(explainer.network, Network) else explainer.network
    library = type(model).__module__.partition(".")[0]
    installed = packages_distributions().get(library, [])
    names = dict.fromkeys(["cloudpickle", "numpy", "pandas", "scikit-learn", "torch", *installed[:1]])
    return [f"neon-xai=={__version__}", *(f"{name}=={version(name)}" for name in names)]
