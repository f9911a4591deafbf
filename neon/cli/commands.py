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

from neon.cli import summary
from neon.cli.batches import check_options, explain_files, in_batches
from neon.cli.files import check_writable, write_csv, write_whole
from neon.cli.models import load_model, register
from neon.cli.tables import Reading, dates_in
from neon.cli.terminal import say
from neon.converters import Network, neuralize
from neon.converters.core.containers import take
from neon.converters.core.registry import innermost, takes_data
from neon.explainer import Explainer
from neon.explainer.equivalence import differing
from neon.explainer.placement import as_tensor
from neon.explanation import Explanation
from neon.lrp import LRP

__all__ = ["demo", "explain", "show"]

_KINDS = {
    "bar": "mean relevance of the strongest features",
    "beeswarm": "a dot for each row and feature",
    "waterfall": "how the first row's prediction comes about",
    "heatmap": "all rows and the strongest features",
}
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
        write_whole(folder / f"{name}.csv", functools.partial(write_csv, explanation.to_frame()))
        _draw(folder / f"{name}_bar.png", explanation, "bar")
        _draw(folder / f"{name}_row_0.png", explanation, "waterfall")
    say(f"\nTables and plots are in {folder}/")
    return code


def explain(options: Namespace) -> int:
    """Explain a model's predictions, say what was found, and write what was asked for."""
    batched = in_batches(options)
    if batched:
        check_options(options)
    written = (
        (None if batched else options.out, (".csv", ".parquet")),
        (options.plot, (".png", ".pdf", ".svg")),
        (options.report, (".html",)),
    )
    for path, suffixes in written:
        if path is not None:
            check_writable(path, suffixes, (options.model, options.data, options.reference, options.fitted_on))
    if options.plot is not None and options.target == "all":
        raise ValueError("--plot draws one output for each row: give --target one output, or leave it out")
    if options.plot_kind is not None and options.plot is None:
        raise ValueError("--plot-kind says what --plot draws: give --plot a file")
    model, reading = _model(options), Reading.of(options)
    if batched:
        data, (reference, fitted_on) = None, Reading().tables(options.reference, options.fitted_on)
    else:
        data, reference, fitted_on = reading.tables(options.data, options.reference, options.fitted_on)
    with _naming_options(model, options):
        network = neuralize(model, output=options.output, data=fitted_on)
        (data, left_out), (reference, _) = _own_columns(network, data), _own_columns(network, reference)
        explainer = Explainer(network, composite=options.composite, reference=reference, device=options.device)
    if batched:
        return explain_files(options, explainer, _target(options.target, network))
    with _advising(network, data):
        explanation = explainer(data, _target(options.target, network))
    if left_out:
        say(f"left out, since the model was not fitted with them: {', '.join(left_out)}")
    code = _report(network, explanation, data)
    if options.out is not None:
        frame = explanation.to_frame()
        if reading.index is not None:
            frame = frame.rename_axis(index={"sample": reading.index})
        is_csv = Path(options.out).suffix == ".csv"
        write_whole(options.out, functools.partial(write_csv, frame) if is_csv else frame.to_parquet)
        say(f"wrote {options.out}: {len(frame)} rows, {frame.shape[1]} columns")
    if options.plot is not None:
        _draw(options.plot, explanation, options.plot_kind or "bar")
    if options.report is not None:
        write_whole(options.report, functools.partial(explanation.report, explainer=explainer))
        say(f"wrote {options.report}: open it in a browser")
    return code


def show(options: Namespace) -> int:
    """Print the equivalent network."""
    model = _model(options)
    data, fitted_on = Reading.of(options).tables(options.data, options.fitted_on)
    with _naming_options(model, options):
        network = neuralize(model, output=options.output, data=fitted_on)
    data, _ = _own_columns(network, data)
    with _advising(network, data):
        plan = _plan(network, data)
    say(str(network))
    say(plan)
    if data is None:
        return 0
    error, wrong = differing(network, data)
    say(f"largest |network - model|: {error:.1e}")
    return _agreed(error, wrong, len(data))


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
    for what in options.register:
        register(what)
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


def _own_columns(network: Network, table: Any) -> tuple[Any, list[str]]:
    """The columns that the model was fitted with, by name and in its order, and the names of the others.

    A table without names, or that misses some, stays as it is: the explainer says what is wrong with it.
    """
    own, names = network.intake.feature_names, [str(name) for name in getattr(table, "columns", ())]
    if own is None or not set(own) <= set(names) or len(set(names)) < len(names):
        return table, []
    return table.iloc[:, [names.index(name) for name in own]], [name for name in names if name not in own]


@contextlib.contextmanager
def _advising(network: Network, table: Any) -> Iterator[None]:
    """What the command line can do about rows that the model does not take."""
    try:
        yield
    except (ValueError, TypeError, AttributeError) as error:
        advice = []
        if network.intake.feature_names is None and len(getattr(table, "columns", ())) > network.n_features_in:
            names = ", ".join(map(str, table.columns[:20]))
            advice.append(f"leave out columns that are no features with --drop; the columns are {names}")
        if dates := dates_in(table):
            advice.append(f"dates of a .csv file are text: read them as dates with --dates {','.join(dates)}")
        if not advice:
            raise
        raise ValueError("; ".join([str(error), *advice])) from error


def _target(text: str | None, network: Network) -> Any:
    """An output's name stays a name: as an index it could be taken for the label of another class."""
    if text is None or text == "all" or text in network.output_names:
        return text
    return int(text) if text.lstrip("-").isdecimal() else text


def _report(network: Network, explanation: Explanation, data: Any) -> int:
    """Say what was found; the exit code."""
    error, wrong = differing(network, data)
    finite = np.isfinite(explanation.prediction.reshape(len(explanation), -1)).all(axis=1)
    explained, _, method = explanation.explains.partition("; ")
    say(f"explains: {explained}")
    if method:
        say(f"method: {method}")
    say(f"base value: {explanation.base_in_words}")
    for line in summary.lines(explanation):
        say(line)
    sums = explanation[finite].conservation_error()  # rows to which a density gives no probability have no relevance
    say(f"rows: {len(explanation)}, equivalence |network - model| ≤ {error:.1e}, conservation error ≤ {sums:.1e}")
    return _agreed(error, wrong, len(explanation))


def _agreed(error: float, wrong: np.ndarray, n_rows: int) -> int:
    """0 where the network gives what the model gives, to rounding; else 1, with words on standard error."""
    if not len(wrong):
        return 0
    print(
        f"neon: the network gives other numbers than the model for {len(wrong)} of {n_rows} rows, by up to "
        f"{error:.1e}, the first of them row {wrong[0]}: do not trust the explanation of such rows; in Python, "
        "neon.neuralize(model).verify(rows) finds them",
        file=sys.stderr,
    )
    return 1


def _draw(path: str | Path, explanation: Explanation, kind: str) -> None:
    import matplotlib.pyplot as plt

    plt.switch_backend("Agg")
    figure = getattr(explanation.plot, kind)().figure
    write_whole(path, functools.partial(figure.savefig, dpi=120, bbox_inches="tight"))
    plt.close(figure)
    say(f"wrote {path}: {_KINDS[kind]}")
