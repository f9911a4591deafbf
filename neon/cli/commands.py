"""What the commands do."""

from __future__ import annotations

import contextlib
import functools
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from neon.cli.files import check_writable, load_model, read_table, write_whole
from neon.cli.terminal import say, visible
from neon.converters import Network, neuralize
from neon.converters.core.intake import take
from neon.converters.core.registry import innermost, takes_data
from neon.explainer import Explainer
from neon.explainer.placement import as_tensor
from neon.explanation import Explanation
from neon.lrp import LRP

__all__ = ["demo", "explain", "show"]

_ROUNDING = 1e-6  # relative; libraries that compute in float32 differ by 1e-7
_FOLLOWED = 256  # rows whose relevance `show` follows through the network


def demo(options: Namespace) -> int:
    """Train three pipelines on bundled data and explain them."""
    from sklearn.cluster import KMeans
    from sklearn.datasets import load_breast_cancer, load_wine
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC, OneClassSVM

    wine, cancer = load_wine(as_frame=True), load_breast_cancer(as_frame=True)
    benign, malignant = cancer.data[cancer.target == 1], cancer.data[cancer.target == 0]
    kmeans = make_pipeline(StandardScaler(), KMeans(3, n_init=10, random_state=0)).fit(wine.data)
    svm = make_pipeline(StandardScaler(), SVC()).fit(cancer.data, cancer.target)
    one_class = make_pipeline(StandardScaler(), OneClassSVM(nu=0.05)).fit(benign)
    folder = Path(options.out)
    folder.mkdir(parents=True, exist_ok=True)
    code = 0
    for title, name, model, data in (
        ("k-means: why is a wine in its cluster?", "kmeans", kmeans, wine.data),
        ("SVM: why is a tumour called benign or malignant?", "svm", svm, cancer.data),
        ("one-class SVM: why are malignant tumours unlike the benign?", "one_class_svm", one_class, malignant),
    ):
        explainer = Explainer(model)
        explanation = explainer(data)
        say(f"\n{title}")
        code = max(code, _report(explainer.network, explanation, data))
        write_whole(folder / f"{name}.csv", explanation.to_frame().to_csv)
        _draw(folder / f"{name}_bar.png", explanation, "bar")
        _draw(folder / f"{name}_row_0.png", explanation, "waterfall")
    say(f"\nTables and plots are in {folder}/")
    return code


def explain(options: Namespace) -> int:
    """Explain a model's predictions and write what was asked for."""
    for path, suffixes in ((options.out, (".csv", ".parquet")), (options.plot, (".png", ".pdf", ".svg"))):
        if path is not None:
            check_writable(path, suffixes, (options.model, options.data, options.reference, options.fitted_on))
    if options.plot is not None and options.target == "all":
        raise ValueError("--plot draws one output for each row: give --target one output, or leave it out")
    if options.plot_kind is not None and options.plot is None:
        raise ValueError("--plot-kind says what --plot draws: give --plot a file")
    model = _model(options)
    data, reference, fitted_on = _tables(options, options.data, options.reference, options.fitted_on)
    with _naming_options(model, options):
        explainer = Explainer(
            model,
            output=options.output,
            composite=options.composite,
            reference=reference,
            data=fitted_on,
            device=options.device,
        )
    explanation = explainer(data, _target(options.target, explainer.network))
    if options.out is not None:
        frame = explanation.to_frame()
        write_whole(options.out, frame.to_csv if Path(options.out).suffix == ".csv" else frame.to_parquet)
    if options.plot is not None:
        _draw(options.plot, explanation, options.plot_kind or "bar")
    return _report(explainer.network, explanation, data)


def show(options: Namespace) -> int:
    """Print the equivalent network."""
    model = _model(options)
    data, fitted_on = _tables(options, options.data, options.fitted_on)
    with _naming_options(model, options):
        network = neuralize(model, output=options.output, data=fitted_on)
    say(str(network))
    say(_plan(network, data))
    if data is None:
        return 0
    error = network.verify(data)
    say(f"largest |network - model|: {error:.1e}")
    return _agreed(error, 1.0)


def _plan(network: Network, data: Any) -> str:
    """The rules, and the relevance of each row's predicted output where there are rows and such an output."""
    lrp = LRP(network, network.composite)
    if data is not None:
        given = take(network.intake.given(data)[0], slice(0, _FOLLOWED))
        x = as_tensor(network.intake.read(given), torch.device("cpu"), torch.float64)
        recording = lrp.record(x)
        with contextlib.suppress(ValueError):  # embeddings, for one, predict none of their outputs
            plan = recording.plan(network.predicted(given, recording.output))
            return f"{plan}\nrelevance: of the predicted output, summed over {len(x)} rows"
    plan = lrp.plan(torch.zeros(1, network.intake.n_encoded, dtype=torch.float64))
    table = plan.to_frame()[["operation", "module", "rule"]].to_string(index=False, justify="left")
    return f"composite: {plan.composite}\n{table}"


def _model(options: Namespace) -> Any:
    model = load_model(options.model, trust=options.trust, trust_pickle=options.trust_pickle)
    if isinstance(model, torch.nn.Module):
        raise ValueError(f"{options.model} holds a torch module; explain it in Python: neon.Explainer(module)(X)")
    return model


@contextlib.contextmanager
def _naming_options(model: Any, options: Namespace) -> Iterator[None]:
    """What the rows of a fit are called on the command line, where they are missing or nothing takes them."""
    if options.fitted_on is not None and not takes_data(model):
        raise ValueError(
            f"{type(innermost(model)).__name__} is converted from what it holds: leave --fitted-on out, which is for a "
            "clustering without predict"
        )
    try:
        yield
    except ValueError as error:
        if "data=" not in str(error):
            raise
        raise ValueError(f"{error}; on the command line: --fitted-on FILE") from error


def _tables(options: Namespace, *paths: str | None) -> list[Any]:
    """The tables in these files; None for a file that was not given."""
    return [None if path is None else read_table(path, drop=options.drop, missing=options.missing) for path in paths]


def _target(text: str | None, network: Network) -> Any:
    """An output's name stays a name: as an index it could be taken for the label of another class."""
    if text is None or text == "all" or text in network.output_names:
        return text
    return int(text) if text.lstrip("-").isdecimal() else text


def _report(network: Network, explanation: Explanation, data: Any, n_features: int = 8) -> int:
    """Say what was found; the exit code."""
    error = network.verify(data)
    finite = np.isfinite(explanation.prediction.reshape(len(explanation), -1)).all(axis=1)
    say(f"explains: {explanation.explains}")
    say(f"rows: {len(explanation)}, equivalence |network - model| ≤ {error:.1e}, ", end="")
    explanation = explanation[finite]  # rows to which a density gives no probability have no relevance
    say(f"conservation error ≤ {explanation.conservation_error():.1e}")
    values = np.abs(explanation.values)
    strength = values.sum(axis=(0, *range(2, values.ndim))) / max(values[:, 0].size, 1)
    order = np.argsort(-strength, kind="stable")[:n_features]
    names = [visible(explanation.feature_names[i]).replace("\n", "\\n") for i in order]
    width = max(map(len, names))
    for name, i in zip(names, order, strict=True):
        bar = "█" * round(30 * strength[i] / (strength.max() or 1.0))
        say(f"  {name:<{width}}  {strength[i]:9.4g}  {bar}")
    return _agreed(error, float(np.abs(explanation.prediction).max(initial=0.0)))


def _agreed(error: float, size: float) -> int:
    """0 where the network gives what the model gives, to rounding; else 1, with words on standard error."""
    if error <= _ROUNDING * max(1.0, size):
        return 0
    print(
        f"neon: the network gives other numbers than the model, by up to {error:.1e}: do not trust the explanation of "
        "such rows; in Python, neon.neuralize(model).verify(rows) finds them",
        file=sys.stderr,
    )
    return 1


def _draw(path: str | Path, explanation: Explanation, kind: str) -> None:
    import matplotlib.pyplot as plt

    plt.switch_backend("Agg")
    figure = getattr(explanation.plot, kind)().figure
    write_whole(path, functools.partial(figure.savefig, dpi=120, bbox_inches="tight"))
    plt.close(figure)
