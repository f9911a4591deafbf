"""What callers hand in - frames, sparse matrices, tensors, any memory layout - and the frames they get back."""

from __future__ import annotations

import datetime
import pickle
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_wine
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.feature_selection import VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler, OneHotEncoder, StandardScaler

import neon
from neon import Explanation
from neon.converters.core import intake

pytestmark = pytest.mark.usefixtures("one_pass")

X, Y = load_wine(return_X_y=True, as_frame=True)
LABELS = np.array(["barolo", "grignolino", "barbera"])[Y]


@pytest.fixture(scope="module")
def model() -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(X, LABELS)


@pytest.fixture(scope="module")
def nameless() -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(X.to_numpy(), LABELS)


@pytest.fixture(scope="module")
def explanation(model: Pipeline) -> Explanation:
    return neon.explain(model, X)


@pytest.fixture(scope="module")
def every_output(model: Pipeline) -> Explanation:
    return neon.explain(model, X, "all")


def _read_only(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


SAME_ROWS: dict[str, Callable[[], Any]] = {
    "polars": lambda: pl.from_pandas(X),
    "pandas, another index": lambda: X.set_index(pd.Index([f"wine {i}" for i in range(len(X))])),
    "pandas, nullable": lambda: X.astype("Float64"),
    "pandas, arrow": lambda: X.astype("float64[pyarrow]"),
    "pandas, sparse": lambda: X.astype(pd.SparseDtype("float64", 0.0)),
    "pandas, objects": lambda: X.astype(object),
    "list": lambda: X.to_numpy().tolist(),
    "objects": lambda: X.to_numpy().astype(object),
    "numbers as text": lambda: np.array([[repr(float(value)) for value in row] for row in X.to_numpy()], dtype=object),
    "Fortran order": lambda: np.array(X, order="F"),
    "read-only": lambda: _read_only(X.to_numpy().copy()),
    "strided": lambda: np.repeat(X.to_numpy(), 2, axis=1)[:, ::2],
    "reversed twice": lambda: X.to_numpy()[::-1].copy()[::-1],
    "big-endian": lambda: X.to_numpy().astype(">f8"),
    "long double": lambda: X.to_numpy().astype(np.longdouble),
    "csr": lambda: sparse.csr_matrix(X.to_numpy()),
    "csc": lambda: sparse.csc_array(X.to_numpy()),
    "coo": lambda: sparse.coo_array(X.to_numpy()),
    "tensor": lambda: torch.tensor(X.to_numpy()),
    "tensor with a gradient": lambda: torch.tensor(X.to_numpy(), requires_grad=True),
}


@pytest.mark.parametrize("kind", SAME_ROWS)
def test_the_same_rows_have_the_same_explanation(nameless: Pipeline, explanation: Explanation, kind: str) -> None:
    rows = SAME_ROWS[kind]()
    found = neon.explain(nameless, rows)
    np.testing.assert_allclose(found.values, explanation.values, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(np.asarray(found.data, dtype=float), X)
    named = hasattr(rows, "columns")
    assert found.feature_names == (tuple(X.columns) if named else tuple(f"feature {i}" for i in range(13)))


@pytest.mark.parametrize("kind", ["polars", "pandas, nullable", "pandas, arrow", "pandas, sparse", "pandas, objects"])
def test_frames_fit_a_model_that_knows_names(model: Pipeline, explanation: Explanation, kind: str) -> None:
    found = neon.explain(model, SAME_ROWS[kind]())
    np.testing.assert_allclose(found.values, explanation.values, rtol=1e-9, atol=1e-12)
    assert found.feature_names == explanation.feature_names


MIXED = {
    "x": X["alcohol"].tolist(),
    "some": [None if row % 5 == 0 else value for row, value in enumerate(X["hue"])],
    "word": ["red", "white"] * 89,
    "date": [datetime.date(2020, 1, 1 + row % 28) for row in range(178)],
    "time": [datetime.datetime(2020, 1, 1, row % 24) for row in range(178)],
    "yes": [row % 3 == 0 for row in range(178)],
    "maybe": [None if row % 7 == 0 else row % 2 == 0 for row in range(178)],
    "count": list(range(178)),
}


@pytest.mark.parametrize(
    "columns", [list(MIXED), ["x", "date"], ["time", "count", "x"], ["x", "yes", "time"], ["x", "word"], ["x", "maybe"]]
)
@pytest.mark.parametrize("fitted_on", [pd.DataFrame, pl.DataFrame])
def test_polars_frames_of_columns_of_many_kinds(columns: list[str], fitted_on: Any) -> None:
    """Numbers, strings, dates and gaps beside each other, which no array but one of objects holds."""
    rows = pl.DataFrame({name: MIXED[name] for name in columns})
    numbers = [name for name in columns if name in ("x", "some", "count")]
    branches: list[Any] = [("n", make_pipeline(SimpleImputer(), StandardScaler()), numbers)]
    branches += [("w", OneHotEncoder(sparse_output=False), ["word"])] if "word" in columns else []
    model = make_pipeline(ColumnTransformer(branches), LogisticRegression())
    model.fit(fitted_on({name: MIXED[name] for name in columns}), Y > 0)
    found = neon.explain(model, rows, 1)
    np.testing.assert_allclose(found.prediction, model.decision_function(rows), rtol=0, atol=1e-10)
    assert found.conservation_error() <= 1e-10
    unread = [place for place, name in enumerate(columns) if name not in (*numbers, "word")]
    assert not found.values[:, unread].any()
    for place, name in enumerate(columns):
        for value, given in zip(found.data[:, place], MIXED[name], strict=True):
            assert value == given or (given is None and np.isnan(value))


SPARSE = sparse.random(1000, 2000, density=0.002, format="csr", random_state=0)
WORDS = [" ".join(f"word{i}" for i in row) for row in np.random.default_rng(0).integers(0, 2000, (1000, 8))]


def of_sparse_rows(kind: str) -> tuple[Any, Any]:
    """A model and rows that are sparse, given as such or made from documents."""
    y = np.arange(1000) % 2
    if kind == "documents":
        return make_pipeline(CountVectorizer(), LogisticRegression()), WORDS
    steps: list[Any] = [MaxAbsScaler()] if kind == "scaled" else []
    if kind == "imputed and selected":  # whose encoders are given dense rows
        steps = [SimpleImputer(), VarianceThreshold(1e-3)]
    container = sparse.csc_array if kind == "csc" else sparse.csr_matrix
    return make_pipeline(*steps, LogisticRegression()).fit(SPARSE, y), container(SPARSE)


@pytest.mark.parametrize("kind", ["csr", "csc", "scaled", "imputed and selected", "documents"])
def test_sparse_rows_are_dense_in_relevance_alone(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One number for each feature of each row, and of each column that encoders make of them, and little besides."""
    monkeypatch.setattr(intake, "_DENSE", 2**18)
    model, rows = of_sparse_rows(kind)
    if kind == "documents":
        model.fit(rows, np.arange(1000) % 2)
    explainer = neon.Explainer(model, batch_size=50, progress=False)
    explainer(rows[:60])  # what is imported and cached when first used
    tracemalloc.start()
    found = explainer(rows)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.values.nbytes >= 8 * 1000 * 1900
    relevance = found.values.nbytes + (0 if found.encoded is None else found.encoded.values.nbytes)
    assert peak <= 1.45 * relevance  # two such arrays would be 2
    assert found.conservation_error() <= 1e-10
    np.testing.assert_allclose(found.prediction, np.abs(model.decision_function(rows)), rtol=0, atol=1e-10)
    if found.imputed is not None:
        assert found.imputed.shape == (1000, 2000)
        assert not found.imputed.any()


@pytest.mark.parametrize("kind", ["csr", "csc", "scaled", "imputed and selected"])
def test_data_of_sparse_rows_read_like_an_array(kind: str) -> None:
    model, rows = of_sparse_rows(kind)
    found, dense = neon.explain(model, rows[:30], 1), SPARSE[:30].toarray()
    data = found.data
    assert (data.shape, data.dtype, len(data), data.ndim) == (dense.shape, dense.dtype, 30, 2)
    np.testing.assert_array_equal(data, dense)
    mask, some = np.arange(30) % 3 == 0, np.array([5, 1700, 3])
    for index in (
        3, -1, slice(4, 9), mask, some % 30, [1, 2], (3, 5), (3, some), (slice(None), 7), (mask, 7),
        (slice(2, 9), some), (slice(None), slice(5, 50)), (some % 30, some), (mask, slice(3)), (..., 3),
        np.ix_([1, 4], [2, 9]),
    ):  # fmt: skip
        np.testing.assert_array_equal(np.asarray(data[index]), dense[index])
    np.testing.assert_array_equal(data > 0.5, dense > 0.5)
    np.testing.assert_array_equal(2 * data - data, dense)
    np.testing.assert_array_equal(data.T, dense.T)
    np.testing.assert_array_equal(data.max(axis=0), dense.max(axis=0))
    with pytest.raises(AttributeError, match="SparseRows has no attribute 'colour'"):
        _ = data.colour
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(found)).data, dense)
    for picked, expected in ((found[mask], dense[mask]), (found[4], dense[[4]]), (found[:, [7, 3]], dense[:, [7, 3]])):
        np.testing.assert_array_equal(picked.data, expected)
    np.testing.assert_allclose(found.mean().data, dense.mean(0, keepdims=True))
    grouped = found.group({"both": [3, 7]}).data
    assert (grouped[0, 3], grouped.shape) == ("", (30, 1999))
    for plot in ("bar", "beeswarm", "waterfall", "heatmap"):
        getattr(found.plot, plot)().figure.canvas.draw()
    found.plot.scatter(3, color=7).figure.canvas.draw()
    plt.close("all")
    with pytest.raises(ValueError, match="read-only"):
        data.matrix.data[0] = 1.0


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "int64", "uint8", "bool"])
@pytest.mark.parametrize("kind", ["array", "tensor", "pandas", "polars"])
def test_narrow_numbers_are_explained_in_double_precision(dtype: str, kind: str) -> None:
    narrow = np.random.default_rng(0).integers(0, 2 if dtype == "bool" else 5, (30, 4)).astype(dtype)
    wide = narrow.astype(np.float64)
    model = make_pipeline(MaxAbsScaler(), KMeans(3, n_init=1, random_state=0)).fit(wide)
    make = {"array": np.asarray, "tensor": torch.from_numpy, "pandas": pd.DataFrame, "polars": pl.DataFrame}[kind]
    found = neon.explain(model, make(narrow))
    expected = neon.explain(model, wide)
    assert found.values.dtype == np.float64
    np.testing.assert_allclose(found.values, expected.values, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("kind", SAME_ROWS)
def test_the_callers_rows_are_not_changed(nameless: Pipeline, kind: str) -> None:
    rows = SAME_ROWS[kind]()
    before = neon.explain(nameless, rows).data.copy()
    explanation = neon.explain(nameless, rows)
    np.testing.assert_array_equal(explanation.data, before)
    if isinstance(rows, np.ndarray) and rows.flags.writeable:
        rows[:] = 0  # and what they do later changes no explanation
        np.testing.assert_array_equal(explanation.data, before)


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "polars, reordered": (lambda: pl.from_pandas(X[X.columns[::-1]]), "another order"),
    "polars, missing": (lambda: pl.from_pandas(X.drop(columns="hue")), r"missing: \['hue'\]"),
    "polars, unknown": (lambda: pl.from_pandas(X.rename(columns={"hue": "color"})), r"unknown: \['color'\]"),
    "polars, null": (lambda: pl.from_pandas(X.mask(X > 1000)), "NaN"),
    "pandas, reordered": (lambda: X[X.columns[::-1]], "another order"),
    "pandas, NA": (lambda: X.mask(X > 1000).convert_dtypes(), "X .*(NaN|NA|missing)"),
    "pandas, None": (lambda: X.astype(object).mask(X > 1000, None), "X .*(NaN|None|missing)"),
    "pandas, text": (lambda: X.assign(hue="deep red"), "numeric.*deep red"),
    "pandas, categories": (lambda: X.assign(hue=pd.Categorical(["deep red"] * len(X))), "numeric.*deep red"),
    "sparse, NaN": (lambda: sparse.csr_matrix(X.mask(X > 1000).to_numpy()), "NaN"),
    "sparse, columns": (lambda: sparse.csr_matrix(X.to_numpy()[:, :4]), "4 features.*13"),
    "tensor, infinity": (lambda: torch.full((2, 13), torch.inf), "infinity"),
    "tensor, axes": (lambda: torch.zeros(2, 13, 1), "shape"),
    "a number": (lambda: 3.0, "shape"),
    "ragged": (lambda: [[1.0], [1.0, 2.0]], "numeric|shape"),
    "nothing": (lambda: None, "X must be numeric|shape"),
    "words": (lambda: np.full((2, 13), "red", dtype=object), "numeric.*red"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_rows_that_do_not_fit_are_refused(model: Pipeline, kind: str) -> None:
    make, words = REFUSED[kind]
    with pytest.raises(ValueError, match=words):
        neon.explain(model, make())


# Frames that come back.


def test_frame_holds_every_part(explanation: Explanation) -> None:
    frame = explanation.to_frame()
    assert list(frame.columns) == [*X.columns, "base_value", "residual:entropy", "prediction", "target"]
    np.testing.assert_array_equal(frame[list(X.columns)], explanation.values)
    np.testing.assert_array_equal(frame["target"], np.array(explanation.output_names)[explanation.target])
    total = frame["base_value"] + frame[list(X.columns)].sum(axis=1) + frame["residual:entropy"]
    np.testing.assert_allclose(total, frame["prediction"], rtol=1e-9, atol=1e-12)


def test_frame_of_all_outputs(every_output: Explanation, explanation: Explanation) -> None:
    frame = every_output.to_frame()
    assert len(frame) == 3 * len(X)
    assert frame.index.names == ["sample", "output"]
    for k, output in enumerate(every_output.output_names):
        part = frame.xs(output, level="output")
        np.testing.assert_array_equal(part[list(X.columns)], every_output.values[:, :, k])
        mine = explanation.target == k
        np.testing.assert_allclose(part["prediction"][mine], explanation.prediction[mine], rtol=1e-12)


def test_features_named_as_other_columns(explanation: Explanation) -> None:
    renamed = X.rename(columns={"hue": "prediction", "ash": "target"})
    found = neon.explain(make_pipeline(StandardScaler(), LogisticRegression()).fit(renamed, LABELS), renamed).to_frame()
    np.testing.assert_allclose(found["feature:prediction"], explanation.to_frame()["hue"], rtol=1e-9, atol=1e-12)
    assert found.columns.is_unique


def test_frame_goes_to_parquet_and_polars(explanation: Explanation, every_output: Explanation, tmp_path: Any) -> None:
    for given in (explanation, every_output):
        frame = given.to_frame()
        frame.to_parquet(tmp_path / "frame.parquet")
        pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "frame.parquet"), frame, check_dtype=False)
        assert pl.from_pandas(frame.reset_index()).shape == (len(frame), frame.shape[1] + frame.index.nlevels)


# shap.


@pytest.fixture
def shap() -> Iterator[Any]:
    yield pytest.importorskip("shap")
    plt.close("all")


def test_shap_parts_add_up(explanation: Explanation, every_output: Explanation, shap: Any) -> None:
    """shap knows base values and values only: its base values take in the residuals, and all adds up."""
    for given in (explanation, every_output):
        converted = given.to_shap()
        assert converted.values.shape == given.values.shape
        np.testing.assert_array_equal(converted.values, given.values)
        residuals = sum(given.residuals.values())
        np.testing.assert_allclose(converted.base_values, given.base_values + residuals, rtol=1e-12)
        total = converted.values.sum(axis=1) + converted.base_values
        np.testing.assert_allclose(total, given.prediction, rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(converted.data, X)
        assert converted.feature_names == list(X.columns)
        assert converted.base_values.shape == given.prediction.shape


SHAP_PLOTS: dict[str, Callable[[Any, Any], Any]] = {
    "bar": lambda shap, given: shap.plots.bar(given, show=False),
    "bar, one row": lambda shap, given: shap.plots.bar(given[0], show=False),
    "bar, cohorts": lambda shap, given: shap.plots.bar(given.cohorts(LABELS).abs.mean(0), show=False),
    "beeswarm": lambda shap, given: shap.plots.beeswarm(given, show=False),
    "violin": lambda shap, given: shap.plots.violin(given, show=False),
    "violin, layered": lambda shap, given: shap.plots.violin(given, plot_type="layered_violin", show=False),
    "heatmap": lambda shap, given: shap.plots.heatmap(given, show=False),
    "waterfall": lambda shap, given: shap.plots.waterfall(given[0], show=False),
    "force": lambda shap, given: shap.plots.force(given[0], matplotlib=True, show=False),
    "force, javascript": lambda shap, given: shap.plots.force(given[:20]),
    "decision": lambda shap, given: shap.plots.decision(
        float(given.base_values[0]), given.values[:20], features=given.data[:20], show=False
    ),
    "decision, one row": lambda shap, given: shap.plots.decision(
        given.base_values[0], given.values[0], feature_names=given.feature_names, show=False
    ),
    "scatter": lambda shap, given: shap.plots.scatter(given[:, "alcohol"], show=False),
    "scatter, coloured": lambda shap, given: shap.plots.scatter(given[:, "alcohol"], color=given, show=False),
    "embedding": lambda shap, given: shap.plots.embedding("alcohol", given.values, list(X.columns), show=False),
    "group difference": lambda shap, given: shap.plots.group_difference(
        given.values, Y == 0, list(X.columns), show=False
    ),
}


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning", "ignore::DeprecationWarning:shap")
@pytest.mark.filterwarnings("ignore::FutureWarning:shap", "ignore:The NumPy global RNG:FutureWarning")
@pytest.mark.parametrize("plot", SHAP_PLOTS)
def test_shap_draws(explanation: Explanation, shap: Any, plot: str) -> None:
    SHAP_PLOTS[plot](shap, explanation.to_shap())
    if plt.get_fignums():
        plt.gcf().canvas.draw()
        assert any(axes.has_data() for axes in plt.gcf().axes)
    else:
        assert plot == "force, javascript"


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
@pytest.mark.parametrize("plot", ["bar", "beeswarm", "violin", "heatmap", "waterfall", "scatter"])
def test_shap_draws_one_of_all_outputs(every_output: Explanation, shap: Any, plot: str) -> None:
    SHAP_PLOTS[plot](shap, every_output.to_shap()[:, :, "barbera"])


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
@pytest.mark.parametrize("plot", ["bar, one row", "waterfall", "beeswarm", "scatter", "heatmap"])
def test_shap_draws_text(shap: Any, plot: str) -> None:
    values = np.random.default_rng(0).normal(size=(20, 2))
    data = np.array([["dry", 1.0], ["sweet", 2.0]] * 10, dtype=object)
    zeros = np.zeros(20)
    given = Explanation(
        values, zeros, values.sum(axis=1), {}, data, ("alcohol", "age"), ("y",), zeros.astype(int), "score"
    )
    converted = given.to_shap()
    np.testing.assert_array_equal(converted.data[:4, 0], [0, 1, 0, 1])
    assert converted.display_data[0, 0] == "dry"
    SHAP_PLOTS[plot](shap, converted)
    plt.gcf().canvas.draw()


def test_arrow_tables_by_their_data(nameless: Pipeline, explanation: Explanation) -> None:
    found = neon.explain(nameless, pa.Table.from_pandas(X).to_pandas())
    np.testing.assert_array_equal(found.values, explanation.values)


def test_names_that_a_library_writes_otherwise() -> None:
    """LightGBM keeps names with blanks as names with underscores; a frame has them as they are, among others."""
    lightgbm = pytest.importorskip("lightgbm")
    frame = X.iloc[:, :3].rename(columns={"alcohol": "a b"})
    model = lightgbm.LGBMRegressor(n_estimators=3, verbose=-1).fit(frame, Y)
    assert "a_b" in model.feature_names_in_
    explainer = neon.Explainer(model)
    table = explainer.explain_frame(frame.assign(other=1)[["other", "ash", "a b", "malic_acid"]], columns=["other"])
    np.testing.assert_array_equal(table[list(frame.columns)].to_numpy(), explainer(frame).values)
