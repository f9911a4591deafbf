"""Documents: relevance of tokens, and where in the text it stands."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.compose import make_column_transformer
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest, chi2
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

import neon
from neon.converters.core.encoded_columns import Text
from tests.contract.text import reviews

pytestmark = pytest.mark.usefixtures("one_pass")

DOCUMENTS = [
    "A good film, and good fun!",
    "Dull: the  film is dull…",
    "bright, lively; not dull",
    "Crème brûlée is good",
]
LABELS = np.array([1, 0, 1, 0])


def texts_of(model: Any, documents: Any) -> list[Text]:
    encoder = neon.neuralize(model).intake.encoder
    assert encoder is not None
    assert encoder.texts is not None
    found = encoder.texts(documents)
    assert isinstance(found, list)
    return found


def test_relevance_of_tokens_is_coefficient_times_value() -> None:
    texts, labels = reviews()
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, labels)
    explanation = neon.explain(model, texts, "praise")
    values = model[0].transform(texts).toarray()
    np.testing.assert_allclose(explanation.values, values * model[-1].coef_, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(explanation.data, values)
    assert list(explanation.feature_names) == list(model[0].get_feature_names_out())
    np.testing.assert_allclose(explanation.prediction, model.decision_function(texts), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "container",
    [
        list,
        tuple,
        np.array,
        lambda x: np.array(x, dtype=object),
        pd.Series,
        pl.Series,
        lambda x: pd.DataFrame({"t": x}),
    ],
    ids=["list", "tuple", "strings", "objects", "pandas", "polars", "frame"],
)
def test_documents_in_any_container(container: Any) -> None:
    model = make_pipeline(CountVectorizer(), LogisticRegression()).fit(DOCUMENTS, LABELS)
    expected = neon.explain(model, DOCUMENTS)
    np.testing.assert_array_equal(neon.explain(model, container(DOCUMENTS)).values, expected.values)
    assert neon.explain(model, container(DOCUMENTS[:0])).values.shape == (0, expected.values.shape[1])


def test_what_is_no_list_of_documents() -> None:
    model = make_pipeline(CountVectorizer(), LogisticRegression()).fit(DOCUMENTS, LABELS)
    with pytest.raises(ValueError, match="expected a list of documents or records, got a single str"):
        neon.explain(model, "good film")
    with pytest.raises(ValueError, match=r"got shape \(2, 3\)"):
        neon.explain(model, np.full((2, 3), "good"))


def test_a_document_in_pieces() -> None:
    model = make_pipeline(CountVectorizer(stop_words=["and"]), LogisticRegression()).fit(DOCUMENTS, LABELS)
    text = texts_of(model, DOCUMENTS[:1])[0]
    assert text.pieces == ("A", "good", "film", ",", "and", "good", "fun", "!")
    explanation = neon.explain(model, DOCUMENTS)
    relevance = text.shares @ explanation.values[0]
    of = dict(zip(explanation.feature_names, explanation.values[0], strict=True))
    expected = [0, of["good"] / 2, of["film"], 0, 0, of["good"] / 2, of["fun"], 0]
    np.testing.assert_allclose(relevance, expected, rtol=0, atol=1e-14)


VECTORIZERS = {
    "words": CountVectorizer(),
    "pairs of words": TfidfVectorizer(ngram_range=(1, 2)),
    "without stop words": CountVectorizer(ngram_range=(2, 3), stop_words=["the", "is", "and"]),
    "accents": CountVectorizer(strip_accents="unicode", ngram_range=(1, 2)),
    "one group": CountVectorizer(token_pattern=r"\b(\w)\w+\b"),
    "tokenizer": CountVectorizer(tokenizer=str.split, token_pattern=None, lowercase=False),
    "analyzer": CountVectorizer(analyzer=lambda text: text.lower().split("d")),
    "characters": CountVectorizer(analyzer="char", ngram_range=(1, 3)),
    "characters in words": TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5)),
    "hashes": HashingVectorizer(n_features=32, ngram_range=(1, 2)),
    "rare": CountVectorizer(max_features=4),
}


@pytest.mark.parametrize("name", VECTORIZERS)
def test_pieces_share_out_the_relevance_of_every_token(name: str) -> None:
    documents = [*DOCUMENTS, "", "  good  "]
    model = make_pipeline(VECTORIZERS[name], Ridge()).fit(DOCUMENTS, LABELS)
    explanation = neon.explain(model, documents)
    counts = model[0].transform(documents).toarray()
    for text, row, values, count in zip(
        texts_of(model, documents), explanation.values, explanation.values, counts, strict=True
    ):
        owned = np.asarray(text.shares.sum(0)).ravel()
        assert set(np.flatnonzero(count)) <= set(np.flatnonzero(owned))  # a hash may cancel, and a count be 0
        np.testing.assert_allclose(owned[owned > 0], 1.0, rtol=1e-12)
        np.testing.assert_allclose((text.shares @ values).sum(), row.sum(), rtol=0, atol=1e-12)


def test_nothing_of_the_documents_is_kept() -> None:
    """What was read does not travel in the explainer's pickle."""
    explainer = neon.Explainer(make_pipeline(HashingVectorizer(n_features=32), Ridge()).fit(DOCUMENTS, LABELS))
    before = len(pickle.dumps(explainer))
    explainer([" ".join(f"word{i}" for i in range(500))]).text(0)
    assert len(pickle.dumps(explainer)) == before


def test_words_of_a_pair_share_it() -> None:
    model = make_pipeline(CountVectorizer(ngram_range=(2, 2)), Ridge()).fit(DOCUMENTS, LABELS)
    text = texts_of(model, ["the good film"])[0]
    known = model[0].vocabulary_
    assert "good film" in known
    assert "the good" not in known
    shares = dict(zip(text.pieces, text.shares[:, [known["good film"]]].toarray().ravel(), strict=True))
    assert shares == {"the": 0.0, "good": 0.5, "film": 0.5}


def test_tokens_behind_a_selection_a_scaling_and_a_decomposition() -> None:
    texts, labels = reviews()
    selected = make_pipeline(TfidfVectorizer(), SelectKBest(chi2, k=4), LogisticRegression()).fit(texts, labels)
    explanation = neon.explain(selected, texts)
    assert list(explanation.feature_names) == list(selected[:-1].get_feature_names_out())
    text = texts_of(selected, texts[:1])[0]
    np.testing.assert_allclose((text.shares @ explanation.values[0]).sum(), explanation.values[0].sum(), atol=1e-12)
    latent = make_pipeline(TfidfVectorizer(), TruncatedSVD(3, random_state=0), LogisticRegression()).fit(texts, labels)
    assert list(neon.explain(latent, texts).feature_names) == list(latent[0].get_feature_names_out())


def test_text_beside_numbers_in_a_table() -> None:
    texts, labels = reviews()
    table = pd.DataFrame({"stars": np.where(labels == "praise", 4.0, 2.0), "review": texts, "note": texts.str[:9]})
    columns = make_column_transformer(
        (StandardScaler(), ["stars"]), (TfidfVectorizer(), "review"), (CountVectorizer(), "note")
    )
    model = make_pipeline(columns, LogisticRegression()).fit(table, labels)
    explanation = neon.explain(model, table, "praise")
    parts = columns.transform(table)
    parts = (parts.toarray() if hasattr(parts, "toarray") else parts) * model[-1].coef_
    n_words = len(columns.named_transformers_["tfidfvectorizer"].vocabulary_)
    expected = [parts[:, 0], parts[:, 1 : 1 + n_words].sum(1), parts[:, 1 + n_words :].sum(1)]
    np.testing.assert_allclose(explanation.values, np.stack(expected, axis=1), rtol=0, atol=1e-12)
    assert explanation.feature_names == ("stars", "review", "note")
    assert explanation.encoded is not None
    text = texts_of(model, table[:1])[0]
    relevance = text.shares @ explanation.encoded.values[0]
    np.testing.assert_allclose(relevance.sum(), explanation.values[0, 1:].sum(), rtol=0, atol=1e-12)
    assert text.pieces[:3] == ("The", "ending", "was") or text.pieces[0] == "The"


def test_two_vectorizers_of_the_same_words_share_the_pieces() -> None:
    both = make_union(CountVectorizer(), TfidfVectorizer(ngram_range=(2, 2)), CountVectorizer(analyzer="char"))
    model = make_pipeline(both, Ridge()).fit(DOCUMENTS, LABELS)
    explanation = neon.explain(model, DOCUMENTS)
    text = texts_of(model, DOCUMENTS[:1])[0]
    assert text.pieces[:8] == ("A", "good", "film", ",", "and", "good", "fun", "!")
    np.testing.assert_allclose((text.shares @ explanation.values[0]).sum(), explanation.values[0].sum(), atol=1e-12)


def test_documents_deep_inside() -> None:
    inner = Pipeline([("both", make_union(make_union(CountVectorizer()), make_pipeline(TfidfVectorizer())))])
    model = make_pipeline(inner, Ridge()).fit(DOCUMENTS, LABELS)
    assert neon.neuralize(model).verify(DOCUMENTS) <= 1e-12
    assert neon.explain(model, DOCUMENTS).conservation_error() <= 1e-12


def test_dictionaries() -> None:
    rows = [{"n": 3.0, "first": "good"}, {"n": 1.0, "first": "dull"}, {"n": 2.0}, {"first": "good"}]
    model = make_pipeline(DictVectorizer(), Ridge()).fit(rows, LABELS)
    explanation = neon.explain(model, rows)
    assert explanation.feature_names == ("first=dull", "first=good", "n")
    np.testing.assert_allclose(
        explanation.values, model[0].transform(rows).toarray() * model[-1].coef_, rtol=0, atol=1e-12
    )


def test_a_reference_document() -> None:
    model = make_pipeline(CountVectorizer(), Ridge()).fit(DOCUMENTS, LABELS)
    explanation = neon.Explainer(model, reference=["good film"])(DOCUMENTS)
    np.testing.assert_allclose(explanation.base_values, np.repeat(model.predict(["good film"]), 4), rtol=1e-12)


def test_text_of_an_explanation() -> None:
    texts, labels = reviews()
    table = pd.DataFrame({"stars": np.where(labels == "praise", 4.0, 2.0), "review": texts})
    columns = make_column_transformer((StandardScaler(), ["stars"]), (TfidfVectorizer(), "review"))
    explanation = neon.explain(make_pipeline(columns, LogisticRegression()).fit(table, labels), table)
    pieces, relevance = explanation[5:8].text(1)
    assert " ".join(pieces).replace(" ,", ",") == texts[6]
    np.testing.assert_allclose(relevance.sum(), explanation.values[6, 1], rtol=0, atol=1e-12)
    alone = neon.explain(make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, labels), texts, "all")
    both = pickle.loads(pickle.dumps(alone)).text(-1)[1]
    np.testing.assert_array_equal(both[:, 1], alone.select("praise").text(59)[1])
    assert len(alone.select("praise").plot.text(3).texts) == len(alone.text(3)[0]) + 1  # below the title
    with pytest.raises(ValueError, match="select an output first"):
        alone.plot.text(3)
    with pytest.raises(ValueError, match="no text to show"):
        alone.group({"praise": ["good", "bright"]}).text()
    with pytest.raises(ValueError, match="no text to show"):
        neon.explain(Ridge().fit(table[["stars"]], labels == "praise"), table[["stars"]]).text()
