"""Clusters of models and of labels: relevance against the engine, facts against pandas, planted features first."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import cluster
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_digits, load_wine
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import neon
from neon.clusters import ClusterExplanation

WINE = load_wine(as_frame=True).data
KMEANS = make_pipeline(StandardScaler(), cluster.KMeans(3, n_init=3, random_state=0)).fit(WINE)


def penguins(n: int = 240, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Numbers, categories, booleans and dates that belong to three species, and gaps among them."""
    rng = np.random.default_rng(seed)
    species = rng.integers(0, 3, n)
    island = np.where(rng.random(n) < 0.8, np.array(["Torgersen", "Dream", "Biscoe"])[species], "Cormorant")
    frame = pd.DataFrame(
        {
            "bill": rng.normal(np.array([38, 48, 47])[species], 2.5).round(1),
            "mass": rng.normal(np.array([3700, 3700, 5100])[species], 300).round(),
            "island": island,
            "female": rng.random(n) < 0.5,
            "seen": pd.Timestamp("2008-01-01") + pd.to_timedelta(rng.integers(0, 700, n), "D"),
        },
        index=[f"N{i}" for i in range(n)],
    )
    frame.iloc[::19, 1] = np.nan
    frame.iloc[::23, 2] = None
    return frame, np.array(["Adelie", "Chinstrap", "Gentoo"])[species]


PENGUINS, SPECIES = penguins()


@pytest.fixture(scope="module")
def species() -> ClusterExplanation:
    return neon.explain_clusters(SPECIES, PENGUINS)


def test_of_a_model_the_relevance_is_the_engines() -> None:
    found = neon.explain_clusters(KMEANS, WINE)
    expected = neon.explain(KMEANS, WINE)
    np.testing.assert_array_equal(found.explanation.values, expected.values)
    assert found.agreement == 1
    relevance = pd.DataFrame(expected.values, columns=WINE.columns).groupby(KMEANS.predict(WINE))
    for label, mean in relevance.mean().iterrows():
        np.testing.assert_allclose(found[label].relevance, mean, rtol=1e-12)
        np.testing.assert_allclose(found[label].spread, relevance.std(ddof=0).loc[label], rtol=1e-12)


def test_rivals_and_members_of_k_means() -> None:
    found = neon.explain_clusters(KMEANS, WINE, n_members=3)
    d = KMEANS.transform(WINE) ** 2
    second = np.argsort(d, axis=1)[:, 1]
    evidence = np.sort(d, axis=1)[:, 1] - d.min(1)
    for one in found:
        votes = np.bincount(second[one.rows], minlength=3)
        assert one.rival == votes.argmax()
        assert one.rival_share == votes.max() / one.size
        assert one.borderline == tuple(one.rows[np.argsort(evidence[one.rows])[:3]])
        centers = KMEANS[-1].cluster_centers_
        gap, middle = centers[one.label] - centers[one.rival], (centers[one.label] + centers[one.rival]) / 2
        near = one.rows[second[one.rows] == one.rival]  # of these the evidence against it is linear
        apart = found.separation(one.label, one.rival)
        some = np.isin(apart.index, near)
        Z = KMEANS[0].transform(WINE)[apart.index[some]]
        np.testing.assert_allclose(apart.values[some & (apart.target == 0)], 2 * gap * (Z - middle), rtol=1e-9)
        np.testing.assert_allclose(one.from_rival, apart.values[apart.target == 0].mean(0), rtol=1e-12)
        gaps = ((found.explanation.values[one.rows] - one.relevance) ** 2).sum(1)
        assert one.typical == tuple(one.rows[np.argsort(gaps)[:3]])


def test_facts_are_those_of_pandas(species: ClusterExplanation) -> None:
    frame = species.to_frame().set_index(["cluster", "feature"])
    medians = PENGUINS[["bill", "mass"]].groupby(SPECIES).median()
    for label in np.unique(SPECIES):
        rest = PENGUINS[label != SPECIES]
        for column in ("bill", "mass"):
            row = frame.loc[(label, column)]
            assert row["value"] == medians.loc[label, column]
            assert row["value_elsewhere"] == rest[column].median()
            higher = medians.loc[label, column] > rest[column].median()
            assert row["direction"] == ("higher" if higher else "lower")
        shares = PENGUINS[label == SPECIES]["island"].value_counts(normalize=True)
        others = rest["island"].value_counts(normalize=True)
        named = (shares.sub(others, fill_value=0)).abs().idxmax()
        row = frame.loc[(label, "island")]
        assert (row["value"], row["value_elsewhere"]) == pytest.approx((shares[named], others.get(named, 0)), abs=1e-12)
        assert row["direction"] == f"{'more' if shares[named] > others.get(named, 0) else 'less'} '{named}'"
        assert row["words"] == f"{shares[named]:.0%} '{named}' against {others.get(named, 0):.0%}".replace("%", " %")
        days = (PENGUINS["seen"][label == SPECIES].median() - pd.Timestamp(0)) / pd.Timedelta("1D")
        assert frame.loc[(label, "seen"), "value"] == days


def test_sentences_hold_what_the_table_holds(species: ClusterExplanation) -> None:
    heaviest = species["Gentoo"]
    mass = PENGUINS["mass"].groupby(SPECIES == "Gentoo").median()
    assert heaviest.sentence.startswith(f"Cluster Gentoo, {(SPECIES == 'Gentoo').sum()} of 240 rows (")
    assert f"mass {mass[True]:.0f} against {mass[False]:.0f} elsewhere" in heaviest.sentence
    assert f"closest to cluster {heaviest.rival}" in heaviest.sentence
    assert str(heaviest.sentence) in repr(species)
    assert not {"female", "seen"} & set(species.to_frame().groupby("cluster").head(2)["feature"])
    assert set(heaviest.borderline) <= set(PENGUINS.index[SPECIES == "Gentoo"])


def test_raw_units_whatever_encodes_them(species: ClusterExplanation) -> None:
    """A pipeline of one's own with scalers and encoders: the facts are the same, in the caller's columns."""
    known = PENGUINS.dropna()
    encoder = make_column_transformer(
        (StandardScaler(), ["bill", "mass"]), (OneHotEncoder(sparse_output=False), ["island"])
    )
    model = make_pipeline(encoder, cluster.KMeans(3, n_init=3, random_state=0)).fit(known)
    found = neon.explain_clusters(model, known)
    assert found.explanation.feature_names == tuple(PENGUINS.columns)
    frame = found.to_frame().set_index(["cluster", "feature"])
    for label, rows in known.groupby(model.predict(known)):
        assert frame.loc[(label, "mass"), "value"] == rows["mass"].median()
        assert (frame.loc[(label, ["female", "seen"]), "relevance"] == 0).all()


@pytest.mark.parametrize("fitted", [False, True])
def test_an_encoder_is_used_as_it_is_or_fitted_as_a_copy(fitted: bool) -> None:
    encoder = StandardScaler()
    if fitted:
        encoder.fit(WINE * 2)
    labels = KMEANS.predict(WINE)
    found = neon.explain_clusters(labels, WINE, encoder=encoder)
    assert hasattr(encoder, "scale_") == fitted
    expected = StandardScaler().fit(WINE * 2 if fitted else WINE).transform(WINE)
    plain = neon.explain_clusters(labels, expected, encoder="passthrough")
    np.testing.assert_allclose(found.explanation.values, plain.explanation.values, rtol=1e-9, atol=1e-12)
    assert "distances after StandardScaler" in found.explains


@pytest.mark.parametrize(
    "model",
    [
        cluster.HDBSCAN(min_cluster_size=8, copy=True),
        cluster.DBSCAN(eps=2.4),
        cluster.AgglomerativeClustering(3),
        GridSearchCV(cluster.KMeans(n_init=1, random_state=0), {"n_clusters": [3]}),
        GaussianMixture(3, random_state=0),
    ],
    ids=lambda model: type(model).__name__,
)
@pytest.mark.filterwarnings("ignore:the integral along the way")
def test_every_clustering_of_a_pipeline(model: Any) -> None:
    whole = make_pipeline(StandardScaler(), model).fit(WINE)
    labels = whole.predict(WINE) if hasattr(whole, "predict") else whole[-1].labels_
    found = neon.explain_clusters(whole, WINE)
    for one in found:
        np.testing.assert_array_equal(one.rows, np.flatnonzero(labels == one.label))
    assert sum(one.size for one in found) == (labels >= 0).sum()
    assert found.explanation.conservation_error() < 1e-9 * np.abs(found.explanation.prediction).max()


@pytest.mark.parametrize("seed", range(3))
def test_planted_features_come_first(seed: int) -> None:
    """Each cluster lives in two columns of its own out of twenty; all others are the same noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, 400)
    X = rng.normal(size=(400, 20))
    for c in range(3):  # the fourth has none
        X[np.ix_(labels == c, [2 * c, 2 * c + 1])] += 5.0
    found = neon.explain_clusters(labels, X * 10.0 ** rng.integers(-3, 4, 20))
    for c in range(3):
        assert set(np.argsort(-found[c].relevance)[:2]) == {2 * c, 2 * c + 1}
    between = found.separation(0, 1)
    assert set(np.argsort(-between.values.mean(0))[:4]) == {0, 1, 2, 3}


def test_digits_are_told_by_their_pixels() -> None:
    images, digit = load_digits(return_X_y=True)
    found = neon.explain_clusters(digit[:600], images[:600], encoder="passthrough")
    assert found.agreement > 0.95
    ones, zeros = images[:600][digit[:600] == 1], images[:600][digit[:600] == 0]
    apart = found.separation(0, 1).values.mean(0)
    assert np.abs(zeros.mean(0) - ones.mean(0)).argsort()[::-1][:10].tolist().count(int(apart.argmax())) == 1


def test_separation_is_the_evidence_against_the_other() -> None:
    found = neon.explain_clusters(KMEANS, WINE)
    apart = found.separation(0, 2)
    d = KMEANS.transform(WINE) ** 2
    rows = np.concatenate([found[0].rows, found[2].rows])
    np.testing.assert_array_equal(apart.index, rows)
    expected = np.where(apart.target == 0, d[rows, 2] - d[rows, 0], d[rows, 0] - d[rows, 2])
    np.testing.assert_allclose(apart.prediction, expected, rtol=1e-9)  # where the own cluster is the nearest
    assert apart.conservation_error() < 1e-9
    two = neon.explain_clusters(np.arange(178) % 2, WINE)
    np.testing.assert_allclose(two.separation(0, 1)[:89].values, two.explanation[::2].values, rtol=1e-9, atol=1e-12)
    with pytest.raises(ValueError, match="two different clusters"):
        found.separation(0, "cluster 0")


def test_of_many_rows_some_stand_for_all() -> None:
    frame, labels = penguins(900, seed=1)
    found = neon.explain_clusters(labels, frame, max_rows=200)
    assert "clusters known by 200 of their rows, drawn at random" in found.explains
    assert len(found.explanation) == 900
    assert found.agreement > 0.95
    assert f"of the other rows in a cluster {found.agreement:.1%} have most evidence for their own" in found.explains
    few, whole = (neon.explain_clusters(labels, frame, max_rows=most, gamma=0.1) for most in (200, 2000))
    for one, other in zip(few, whole, strict=True):
        np.testing.assert_array_equal(one.rows, other.rows)
        assert np.corrcoef(one.relevance, other.relevance)[0, 1] > 0.97
    again = neon.explain_clusters(labels, frame, max_rows=200)
    np.testing.assert_array_equal(found.explanation.values, again.explanation.values)
    density = make_pipeline(StandardScaler(), cluster.DBSCAN(eps=2.4)).fit(WINE)
    few = neon.explain_clusters(density, WINE, max_rows=60)
    np.testing.assert_array_equal(few.clusters[0].rows, np.flatnonzero(density[-1].labels_ == 0))
    assert "drawn at random" in few.explains
    assert "distances after Pipeline" in few.explains


@pytest.mark.parametrize("kind", ["polars", "objects", "nullable", "sparse", "float32", "list"])
def test_rows_of_any_kind(kind: str) -> None:
    labels = np.arange(178) % 3
    made: dict[str, Any] = {
        "polars": lambda: pytest.importorskip("polars").DataFrame(WINE.to_dict("list")),
        "objects": lambda: WINE.to_numpy(dtype=object),
        "nullable": lambda: WINE.astype("Float64"),
        "sparse": lambda: pytest.importorskip("scipy.sparse").csr_matrix(WINE),
        "float32": lambda: WINE.to_numpy(dtype=np.float32),
        "list": lambda: WINE.to_numpy().tolist(),
    }
    found = neon.explain_clusters(labels, made[kind]())
    expected = neon.explain_clusters(labels, WINE)
    np.testing.assert_allclose(found.explanation.values, expected.explanation.values, rtol=1e-4, atol=1e-6)
    assert found.to_frame()["value"].tolist() == pytest.approx(expected.to_frame()["value"].tolist(), rel=1e-6)


def test_columns_of_every_kind_by_the_recipe() -> None:
    frame = PENGUINS.assign(
        ticket=[f"T{i}" for i in range(240)],
        grade=pd.Categorical(np.array(["low", "mid", None], dtype=object)[np.arange(240) % 3]),
        tagged=pd.array([True, None] * 120, dtype="boolean"),
        count=pd.array([1, None, 3] * 80, dtype="Int64"),
        code=[1, "a"] * 120,
        stayed=pd.to_timedelta(np.arange(240), "h"),
        empty=np.nan,
    )
    found = neon.explain_clusters(SPECIES, frame)
    assert found.explanation.feature_names == tuple(frame.columns)
    assert found["Gentoo"].relevance[list(frame.columns).index("empty")] == 0
    assert "categories as one-hot codes" in found.explains
    assert len(found.explainer(frame.iloc[:7])) == 7
    assert len(found.to_frame()) == 3 * frame.shape[1]
    before = frame.copy()
    found.summary()
    pd.testing.assert_frame_equal(frame, before)


def test_documents_are_told_by_their_words() -> None:
    air, stay = ["cheap flight", "flight delayed", "no refund for a flight"], ["hotel room", "room service", "big room"]
    documents = [*air, *stay]
    labels = ["air", "air", "air", "stay", "stay", "stay"]
    of_model = make_pipeline(TfidfVectorizer(), cluster.KMeans(2, n_init=3, random_state=0)).fit(documents)
    for found in (
        neon.explain_clusters(labels, documents, encoder=TfidfVectorizer()),
        neon.explain_clusters(of_model, documents),
    ):
        assert set(found.to_frame().groupby("cluster").head(1)["feature"]) <= {"flight", "room"}
        flying = found.clusters[0] if 0 in found.clusters[0].rows else found.clusters[1]
        assert "flight 100 % yes against 0 % elsewhere" in flying.sentence
    with pytest.raises(ValueError, match=r"of documents.*encoder=TfidfVectorizer\(\)"):
        neon.explain_clusters(labels, documents)


def test_explained_clusters_are_pickled_and_explain_on(species: ClusterExplanation) -> None:
    again = pickle.loads(pickle.dumps(species))
    assert repr(again) == repr(species)
    expected = species.separation("Adelie", "Gentoo").values
    np.testing.assert_array_equal(again.separation("Adelie", "Gentoo").values, expected)


def test_a_single_row_has_no_other_rows() -> None:
    (one,) = neon.explain_clusters(KMEANS, WINE.iloc[:1])
    assert one.sentence.startswith(f"Cluster {one.label}, 1 of 1 rows (100 %): ")
    assert "against" not in one.sentence


def test_what_is_told_of_the_rival_alone() -> None:
    """Columns that are lower than the rival's but not than elsewhere belong to the rival's clause."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [100, 60, 140])
    frame = pd.DataFrame({"spend": rng.normal(np.array([300, 300, 100])[labels], 20)})
    frame["orders"] = rng.normal(np.array([30, 30, 10])[labels], 2)
    frame["returns"] = rng.normal(np.array([12, 50, 5])[labels], 3)
    found = neon.explain_clusters(labels, frame)
    apart, rival = found[0].sentence.split("; ")
    assert "spend" in apart
    assert "returns" not in apart
    assert "returns (12" in rival


def test_html_is_escaped() -> None:
    hurt = WINE.rename(columns={"alcohol": "<script>alert(1)</script>"})
    hurt.index = [f"<b>{i}" for i in range(178)]
    page = neon.explain_clusters(np.array(["<i>", "b"])[np.arange(178) % 2], hurt)._repr_html_()
    assert not any(word in page for word in ("<script>", "<b>1", "<i>"))
    assert "&lt;i&gt;" in page


def test_no_rows_are_no_clusters() -> None:
    model = cluster.KMeans(2, n_init=1, random_state=0).fit(np.eye(4))
    for clustering, rows in ((model, np.zeros((0, 4))), ([], pd.DataFrame({"a": []}))):
        with pytest.raises(ValueError, match="X has no rows, by which clusters are told"):
            neon.explain_clusters(clustering, rows)


def test_what_has_no_clusters_is_refused() -> None:
    model = LinearRegression().fit(WINE, np.arange(178))
    with pytest.raises(ValueError, match="LinearRegression has no clusters"):
        neon.explain_clusters(model, WINE)
    with pytest.raises(ValueError, match="encoder= and gamma= go with labels"):
        neon.explain_clusters(KMEANS, WINE, encoder=StandardScaler())
    with pytest.raises(TypeError, match="encoder must be a transformer"):
        neon.explain_clusters(np.arange(178) % 2, WINE, encoder=np.log)
    with pytest.raises(ValueError, match="max_rows must be a whole number"):
        neon.explain_clusters(np.arange(178) % 2, WINE, max_rows=3)
    with pytest.raises(ValueError, match=r"several columns of X are called \['hue'\]"):
        neon.explain_clusters(np.arange(178) % 2, pd.concat([WINE, WINE[["hue"]]], axis=1))
    density = Pipeline([("scale", StandardScaler()), ("cluster", cluster.DBSCAN(eps=2.4))]).fit(WINE)
    with pytest.raises(ValueError, match="must be the rows that it was fitted on, 178 of them, got 10"):
        neon.explain_clusters(density, WINE.iloc[:10])


@pytest.mark.parametrize("max_rows", [2000, 100])
def test_rows_do_not_count_among_those_that_tell_their_own_cluster(max_rows: int) -> None:
    """Labels that were drawn at random are told by nothing, however stiff the distances are."""
    random = np.random.default_rng(3)
    found = neon.explain_clusters(
        random.integers(0, 2, 300), random.normal(size=(300, 8)), gamma=50.0, max_rows=max_rows
    )
    assert abs(found.agreement - 0.5) < 0.1
    assert found.agreement != 0.5


def test_clusters_of_one_row_are_told_by_no_other() -> None:
    found = neon.explain_clusters([0, 0, 0, 0, 1], np.array([[0.0], [0.1], [0.2], [0.3], [9.0]]))
    assert found.agreement == 0.8
