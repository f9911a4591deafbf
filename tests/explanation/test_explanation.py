"""An explanation adds up, whatever is done to it."""

from __future__ import annotations

import pickle
from dataclasses import replace

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import neon
from neon import Explanation
from neon.explanation.fields import row_labels
from neon.explanation.text import number


@pytest.fixture(scope="module")
def explanation() -> Explanation:
    X, y = load_wine(return_X_y=True, as_frame=True)
    return neon.explain(make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y), X)


@pytest.fixture(scope="module")
def every_output() -> Explanation:
    X, y = load_wine(return_X_y=True, as_frame=True)
    return neon.explain(make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y), X, "all")


def test_parts_add_up(explanation: Explanation, every_output: Explanation) -> None:
    assert set(explanation.residuals) == {"entropy"}
    half = every_output.feature_names[:6]
    for part in (
        explanation,
        every_output,
        explanation[3],
        explanation[10:20],
        explanation[explanation.target == 1],
        explanation[:, ["alcohol", "hue"]],
        explanation.abs,
        explanation.mean(),
        every_output.select("1"),
        explanation.group({"first six": half}),
    ):
        assert part.conservation_error() < 1e-12


def test_dropped_features_are_named(explanation: Explanation) -> None:
    part = explanation[:, ["alcohol", "hue"]]
    dropped = explanation.values.sum(1) - part.values.sum(1)
    np.testing.assert_allclose(part.residuals["other features"], dropped, atol=1e-12)


def test_select_is_the_output(explanation: Explanation, every_output: Explanation) -> None:
    of_class_2 = explanation.target == 2
    np.testing.assert_allclose(
        every_output.select("2").values[of_class_2], explanation.values[of_class_2], rtol=0, atol=1e-12
    )


def test_group_sums(explanation: Explanation) -> None:
    grouped = explanation.group({"both": ["alcohol", "hue"]})
    i, j = (explanation.feature_names.index(name) for name in ("alcohol", "hue"))
    both = grouped.values[:, grouped.feature_names.index("both")]
    np.testing.assert_allclose(both, explanation.values[:, i] + explanation.values[:, j])
    assert len(grouped.feature_names) == len(explanation.feature_names) - 1


def test_immutable_and_picklable(explanation: Explanation) -> None:
    with pytest.raises(ValueError, match="read-only"):
        explanation.values[0, 0] = 1
    with pytest.raises(TypeError):
        explanation.residuals["bias"] = explanation.prediction  # type: ignore[index]
    again = pickle.loads(pickle.dumps(explanation))
    np.testing.assert_array_equal(again.values, explanation.values)


def test_frame(explanation: Explanation) -> None:
    frame = explanation.to_frame()
    assert len(frame) == 178
    np.testing.assert_array_equal(frame["alcohol"], explanation.values[:, 0])


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning:shap")
@pytest.mark.filterwarnings("ignore:The set_bad function:PendingDeprecationWarning")
def test_shap_object_is_additive_and_plots(explanation: Explanation) -> None:
    import shap

    converted = explanation.to_shap()
    assert isinstance(converted, shap.Explanation)
    np.testing.assert_allclose(converted.base_values + converted.values.sum(1), explanation.prediction, atol=1e-12)
    for plot in (shap.plots.bar, shap.plots.beeswarm):
        plot(converted, show=False)
        plt.close("all")
    shap.plots.waterfall(converted[0], show=False)
    plt.close("all")


def test_print_is_short_and_says_what_matters(explanation: Explanation, every_output: Explanation) -> None:
    spoken = replace(explanation, explains="log-odds of a class; a method from 20 rows", base_in_words="mean", unit="€")
    assert "method" not in repr(spoken)
    assert "\n" not in repr(spoken)
    what, size, *rest, strongest = str(spoken).splitlines()
    assert what == "Explanation of log-odds of a class"
    assert size.startswith(f"{len(explanation)} samples, {len(explanation.feature_names)} features")
    assert rest == ["method: a method from 20 rows", "base value: mean", "unit: €"]
    mean = np.abs(explanation.values).mean(0)
    first = explanation.feature_names[mean.argmax()]
    assert strongest.startswith(f"strongest (mean |relevance|): {first} {number(mean.max())}, ")
    assert strongest.count(", ") == 2
    assert "strongest" not in str(every_output)  # outputs are not mixed
    assert "strongest" not in str(spoken[[]])
    lowered = explanation.values[0].argmin()
    alone = f": {explanation.feature_names[lowered]} {number(explanation.values[0, lowered])}"
    assert str(spoken[:1, [lowered]]).splitlines()[-1] == f"strongest (relevance){alone}"
    assert str(spoken[:1]).splitlines()[1].startswith("1 sample,")
    assert str(spoken[:, [0]]).splitlines()[-1].endswith(f": {explanation.feature_names[0]} {number(mean[0])}")


def test_html_escapes() -> None:
    rows = np.ones((1, 1))
    part = Explanation(
        values=rows,
        base_values=np.zeros(1),
        prediction=np.ones(1),
        residuals={},
        data=rows,
        feature_names=("<script>",),
        output_names=("<b>",),
        target=np.zeros(1, dtype=int),
        explains="a < b",
    )
    assert "<script>" not in part._repr_html_()


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="prediction"):
        Explanation(
            values=np.ones((2, 3)),
            base_values=np.zeros(2),
            prediction=np.ones(5),
            residuals={},
            data=np.ones((2, 3)),
            feature_names=("a", "b", "c"),
            output_names=("f",),
            target=np.zeros(2, dtype=int),
            explains="f",
        )


def test_bar_lengths_are_mean_relevance(explanation: Explanation) -> None:
    of_one_class = explanation[explanation.target == 1]  # of several, bars stand beside each other
    axes = of_one_class.plot.bar()
    mean = np.abs(of_one_class.values).mean(0)
    ends = [patch.get_x() + patch.get_width() for patch in axes.patches]  # positive and negative parts are stacked
    for strength in np.sort(mean)[-5:]:
        assert any(end == pytest.approx(strength) for end in ends)
    plt.close("all")


def test_every_plot_draws_on_given_axes(explanation: Explanation) -> None:
    for draw in (explanation.plot.bar, explanation.plot.beeswarm, explanation.plot.heatmap):
        _, axes = plt.subplots()
        assert draw(ax=axes) is axes
    _, axes = plt.subplots()
    assert explanation.plot.waterfall(0, ax=axes) is axes
    plt.close("all")


def test_all_outputs_must_be_narrowed_to_plot(every_output: Explanation) -> None:
    with pytest.raises(ValueError, match="select"):
        every_output.plot.waterfall()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda X: X.drop(columns="mean area"), "missing: \\['mean area'\\]"),
        (lambda X: X[X.columns[::-1]], "another order"),
        (lambda X: X.mask(X > 100), "NaN"),
        (lambda X: X.to_numpy()[:, :5], "5 features"),
        (lambda X: X.to_numpy()[0], "shape"),
        (lambda X: X.astype(str) + "!", "numeric"),
    ],
)
def test_bad_rows(change: object, words: str) -> None:
    X, _ = load_breast_cancer(return_X_y=True, as_frame=True)
    explainer = neon.Explainer(KMeans(2, n_init=1, random_state=0).fit(X))
    with pytest.raises(ValueError, match=words):
        explainer(change(X))  # type: ignore[operator]


@pytest.mark.parametrize("target", ["cluster 9", 7, -1, 1.5, [0, 1]])
def test_bad_targets(target: object) -> None:
    X, _ = load_wine(return_X_y=True)
    with pytest.raises(ValueError, match="target"):
        neon.explain(KMeans(2, n_init=1, random_state=0).fit(X), X, target)


def test_callable_target() -> None:
    X, y = load_wine(return_X_y=True)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    contrast = neon.explain(
        model, X, lambda f: f * f.new_tensor([1.0, -1.0, 0.0]), output="decision_function", reference=X.mean(0)
    )
    scores = model.decision_function(X)
    np.testing.assert_allclose(contrast.prediction, scores[:, 0] - scores[:, 1], rtol=0, atol=1e-12)


def test_torch_module() -> None:
    import torch

    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(8, 3))
    explanation = neon.explain(model, torch.randn(5, 1, 4, 4), 2)
    assert explanation.values.shape == (5, 1, 4, 4)
    assert explanation.conservation_error() < 1e-5


def test_outside_the_support_is_said() -> None:
    from sklearn.neighbors import KernelDensity

    X, _ = load_wine(return_X_y=True)
    with pytest.warns(UserWarning, match="outside the support"):
        explanation = neon.explain(KernelDensity(kernel="tophat", bandwidth=1e-3).fit(X), X + 1)
    assert np.isinf(explanation.prediction).all()
    assert np.isnan(explanation.values).all()


def test_reference_is_the_base(explanation: Explanation) -> None:
    X, y = load_wine(return_X_y=True)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y > 0)
    point = X[5]
    relative = neon.explain(model, X, 1, reference=point)
    np.testing.assert_allclose(relative.base_values, model.decision_function(X[[5]])[0])
    np.testing.assert_allclose(relative.values[5], 0, atol=1e-12)
    with pytest.raises(ValueError, match="reference"):
        neon.Explainer(KMeans(2, n_init=1, random_state=0).fit(X), composite="neon", reference=point)


LABELS = {
    "words": pd.Index([f"wine {i}" for i in range(178)]),
    "numbers": pd.Index(np.arange(178)[::-1] * 10),
    "dates": pd.date_range("2020-01-01", periods=178, tz="UTC"),
    "levels": pd.MultiIndex.from_product([["north", "south"], range(89)]),
    "not unique": pd.Index(["a", "b"] * 89),
}


@pytest.mark.parametrize("kind", LABELS)
def test_rows_keep_their_labels(explanation: Explanation, every_output: Explanation, kind: str) -> None:
    labels = LABELS[kind]
    given = replace(explanation, index=labels, encoded=replace(explanation, index=labels))
    everything = given.to_frame()
    assert list(everything.index) == list(labels)
    for part in (given, given.abs, given.group({"both": ["alcohol", "hue"]}), given[:, "hue"]):
        assert list(pickle.loads(pickle.dumps(part)).to_frame().index) == list(labels)
    for rows in (slice(10, 20), [5, 3, 3], given.target == 1):
        assert list(given[rows].to_frame().index) == list(labels[rows])
        assert given[rows].encoded is not None
        assert list(given[rows].encoded.to_frame().index) == list(labels[rows])  # type: ignore[union-attr]
    assert given.mean().index is None
    frame = replace(every_output, index=labels).to_frame()
    assert frame.index.names[-1] == "output"
    for output in ("0", "2"):
        of_one = frame.xs(output, level="output")
        assert list(of_one.index) == list(labels)
        np.testing.assert_array_equal(of_one["prediction"], every_output.select(output).prediction)


def test_labels_of_other_kinds_than_an_index(explanation: Explanation) -> None:
    levels, dates = LABELS["levels"].tolist(), LABELS["dates"].to_numpy()
    assert list(replace(explanation, index=levels).to_frame().index) == levels
    assert list(replace(explanation, index=dates).to_frame().index) == list(dates)


def test_labels_join_results_to_the_callers_table(explanation: Explanation) -> None:
    table = pd.DataFrame({"year": np.arange(178)}, index=LABELS["words"]).sample(frac=1, random_state=0)
    joined = table.join(replace(explanation, index=LABELS["words"]).to_frame())
    np.testing.assert_array_equal(joined["prediction"], explanation.prediction[joined["year"]])
    with pytest.raises(ValueError, match="index"):
        replace(explanation, index=["one"])


def test_which_labels_a_table_has() -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0]})
    for counted in (frame, frame[:2], frame["a"], frame.to_numpy(), [[1.0], [2.0]], pl.from_pandas(frame)):
        assert row_labels(counted) is None
    assert list(row_labels(frame[1:])) == [1, 2]
    assert list(row_labels(frame.set_index(pd.Index(["x", "y", "z"]))["a"])) == ["x", "y", "z"]


def test_interactions_frame_adds_up() -> None:
    random = np.random.default_rng(0)
    pairs = random.normal(size=(4, 3, 3, 2))
    pairs = pairs + pairs.swapaxes(1, 2)
    values = pairs.sum(axis=2)
    zeros = np.zeros((4, 2))
    every = Explanation(
        values=values,
        base_values=zeros,
        prediction=values.sum(axis=1),
        residuals={},
        data=values[..., 0],
        feature_names=("a", "b", "c"),
        output_names=("x", "y"),
        target=None,
        explains="score",
        interactions=pairs,
        index=["k", "l", "m", "n"],
    )
    frame = every.interactions_frame()
    assert list(frame.columns) == ["sample", "target", "feature", "other feature", "value"]
    found = frame.set_index(list(frame.columns[:4]))["value"]
    assert len(found) == 4 * 2 * 9
    for i, sample in enumerate("klmn"):
        for o, output in enumerate("xy"):
            for f, feature in enumerate("abc"):
                assert found[sample, output, feature].sum() == pytest.approx(values[i, f, o], rel=1e-12)
                for g, other in enumerate("abc"):
                    assert found[sample, output, feature, other] == pairs[i, f, g, o]
    of_one = every.select("y").interactions_frame()
    pd.testing.assert_frame_equal(of_one, frame[frame["target"] == "y"].reset_index(drop=True))
    assert list(replace(every.select("y"), index=None).interactions_frame()["sample"].unique()) == [0, 1, 2, 3]


@pytest.fixture(scope="module")
def labelled() -> Explanation:
    """Of six applications, two of them under the same number."""
    names = ["APP-12384", "APP-12385", "APP-777", "APP-777", "APP-9", "APP-10"]
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(6, 3)), columns=["age", "spend", "late"], index=names)
    return neon.explain(LogisticRegression().fit(X, [0, 1, 0, 1, 1, 0]), X)


def test_rows_by_label(labelled: Explanation) -> None:
    for asked, places in {
        "APP-12385": [1],
        "APP-777": [2, 3],
        -1: [5],
    }.items():
        np.testing.assert_array_equal(labelled[asked].values, labelled.values[places])
    for rows, places in [
        (["APP-9", "APP-12384"], [4, 0]),
        (np.array(["APP-9", "APP-777"]), [4, 2, 3]),
        (pd.Index(["APP-10"]), [5]),
        (slice("APP-12385", "APP-777"), [1, 2, 3]),
        (slice("APP-9", None), [4, 5]),
        (slice(1, 3), [1, 2]),
        (np.arange(6) % 2 == 0, [0, 2, 4]),
        ([], []),
    ]:
        picked = labelled[rows]
        np.testing.assert_array_equal(picked.values, labelled.values[places])
        assert list(picked.index) == [labelled.index[place] for place in places]
    assert labelled["APP-9", "spend"].feature_names == ("spend",)
    label = labelled.plot.waterfall("APP-9").texts
    np.testing.assert_array_equal(labelled.loc[["APP-9"]].data, labelled.data[[4]])
    assert label is not None


def test_numbers_are_positions_and_loc_takes_labels() -> None:
    X = pd.DataFrame({"a": [1.0, 2.0, 3.0]}, index=[2, 0, 4711])
    explanation = neon.explain(LogisticRegression().fit(X, [0, 1, 1]), X)
    assert explanation[0].data[0, 0] == 1.0
    assert explanation.loc[0].data[0, 0] == 2.0
    assert explanation.loc[[4711, 2]].data[:, 0].tolist() == [3.0, 1.0]
    assert explanation.loc[2:0].data[:, 0].tolist() == [1.0, 2.0]
    with pytest.raises(IndexError, match=r"explanation\.loc\[4711\]"):
        explanation[4711]
    with pytest.raises(KeyError, match="no row is called 1; rows are called: 2, 0, 4711"):
        explanation.loc[1]
    with pytest.raises(TypeError, match="whole number"):
        explanation[0.5]
    picked = neon.explain(LogisticRegression().fit(X.to_numpy(), [0, 1, 1]), X.to_numpy())[[2, 1]]
    assert picked.index.tolist() == [2, 1]  # the positions that they had
    assert picked[0].data[0, 0] == picked.loc[2].data[0, 0] == 3.0


def test_labels_of_several_levels_and_dates() -> None:
    index = pd.MultiIndex.from_tuples([("north", 1), ("north", 2), ("south", 1)])
    X = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [0.0, 1.0, 0.0]}, index=index)
    model = LogisticRegression().fit(X, [0, 1, 1])
    explanation = neon.explain(model, X)
    assert explanation.loc["south", 1].data[:, 0].tolist() == [3.0]
    assert explanation.loc[[("north", 2)], "b"].data.tolist() == [[1.0]]
    days = neon.explain(model, X.set_axis(pd.date_range("2024-02-28", periods=3)))
    for day in ("2024-02-29", pd.Timestamp("2024-02-29"), np.datetime64("2024-02-29")):
        assert days[day].data[0, 0] == 2.0


def test_a_mask_with_labels_is_matched_by_them(labelled: Explanation) -> None:
    part = labelled[[0, 1, 4]]
    mask = pd.Series([True, False, True], index=["APP-9", "APP-12385", "APP-12384"])
    assert part[mask].index.tolist() == ["APP-12384", "APP-9"]
    assert part[mask.to_numpy()].index.tolist() == ["APP-12384", "APP-9"]
    with pytest.raises(IndexError, match="matched"):
        part[pd.Series([True, False, True])]
    with pytest.raises(IndexError, match="3 entries"):
        part[[True, False]]


def test_labels_that_are_not_there(labelled: Explanation, explanation: Explanation) -> None:
    with pytest.raises(KeyError, match="near: 'APP-12384'"):
        labelled["APP-12334"]
    with pytest.raises(KeyError, match=r"explanation\[:, 'age'\]"):
        labelled["age"]
    with pytest.raises(ValueError, match="2 rows are called 'APP-777', at positions 2, 3"):
        labelled.plot.waterfall("APP-777")
    with pytest.raises(TypeError, match="one row"):
        labelled.plot.waterfall(["APP-9"])
    with pytest.raises(KeyError, match="no labels"):
        explanation["APP-1"]


def test_units_and_words_stay(labelled: Explanation) -> None:
    given = replace(labelled, unit="€", feature_units={"spend": "€", "age": "years"}, base_in_words="mean of all")
    for part in (
        given["APP-9"],
        given.mean(),
        given.group({"rest": ["age", "late"]}),
        pickle.loads(pickle.dumps(given)),
    ):
        assert (part.unit, part.base_in_words, part.feature_units["spend"]) == ("€", "mean of all", "€")
    assert dict(given[:, ["age"]].feature_units) == {"age": "years"}
    assert "age" not in given.group({"rest": ["age", "late"]}).feature_units
    assert "zero" in given.abs.base_in_words
    with pytest.raises(ValueError, match="no feature is called 'spent'"):
        replace(labelled, feature_units={"spent": "€"})
