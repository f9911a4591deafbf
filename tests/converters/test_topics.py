"""Latent Dirichlet allocation: topic shares, and the words and pixels that they are made of."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import LatentDirichletAllocation
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline

import neon
from neon.errors import UnknownOutputError
from tests.contract.topics import documents

pytestmark = pytest.mark.usefixtures("one_pass")

DIGITS, NUMBERS = (part[:150] for part in load_digits(return_X_y=True))


def fitted(X: Any = DIGITS, n_components: int = 8, **options: Any) -> LatentDirichletAllocation:
    return LatentDirichletAllocation(n_components, random_state=0, max_iter=5, **options).fit(X)


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def claims(model: LatentDirichletAllocation, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """φ (n_samples, n_words, n_topics) that takes counts to γ, from the model's own steps; and γ.

    The model stops a step earlier at γ', and γ follows from it.
    """
    eps, found, gammas = np.finfo(float).eps, [], []
    for row in rows:
        for n_steps in range(1, model.max_doc_update_iter + 1):
            before, after = (steps(model, row, n) for n in (n_steps - 1, n_steps))
            if np.abs(after - before).mean() < model.mean_change_tol:
                break
        e = np.exp(model_expectation(before))
        part = e[:, None] * model.exp_dirichlet_component_
        found.append((part / ((e @ model.exp_dirichlet_component_) + eps)).T)
        gammas.append(after)
    return np.array(found), np.array(gammas)


def steps(model: LatentDirichletAllocation, row: np.ndarray, n: int) -> np.ndarray:
    """γ after n of the model's own steps."""
    stopped = pickle.loads(pickle.dumps(model)).set_params(max_doc_update_iter=n, mean_change_tol=0.0)
    return stopped.transform(row[None], normalize=False)[0]


def model_expectation(gamma: np.ndarray) -> np.ndarray:
    from sklearn.decomposition._online_lda_fast import _dirichlet_expectation_2d

    return np.asarray(_dirichlet_expectation_2d(gamma[None]))[0]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"n_components": 1},
        {"n_components": 20, "mean_change_tol": 1e-8, "max_doc_update_iter": 400},
        {"mean_change_tol": 0.0, "max_doc_update_iter": 7},
        {"doc_topic_prior": 1.0, "topic_word_prior": 0.5},
        {"doc_topic_prior": 1e-3},
        {"learning_method": "online"},
    ],
    ids=str,
)
def test_shares_are_those_of_transform(options: dict[str, Any]) -> None:
    model = fitted(**options)
    rows = np.vstack([DIGITS[:100], 0 * DIGITS[:1], 0.3 * DIGITS[:5], 50 * DIGITS[:5]])
    found = neon.Explainer(model)(rows, "all")
    assert relative(found.prediction, model.transform(rows)) < 1e-12
    assert found.conservation_error() < 1e-12
    assert set(found.residuals) == {"prior"}


def test_relevance_is_what_the_topic_claims_of_each_word() -> None:
    model, rows = fitted(), DIGITS[:12]
    found = neon.Explainer(model)(rows, "all")
    phi, gamma = claims(model, rows)
    length = gamma.sum(1)[:, None, None]
    assert relative(found.values, rows[:, :, None] * phi / length) < 1e-9
    assert relative(found.residuals["prior"], model.doc_topic_prior_ / length[:, 0] * np.ones((1, 8))) < 1e-12
    # topics share out every word, and their shares add up to one
    assert relative(found.values.sum(2), rows / length[:, 0]) < 1e-12
    np.testing.assert_allclose(found.prediction.sum(1), 1.0, rtol=1e-12)


def test_relative_to_reference_rows() -> None:
    """The claims are those in the explained document; ``claims`` keeps what they miss of the reference's shares."""
    model = fitted()
    ridge = Ridge().fit(model.transform(DIGITS), NUMBERS)
    rows, reference = DIGITS[:10], DIGITS[100:108]
    found = neon.Explainer(make_pipeline(model, ridge), reference=reference)(rows)
    phi, gamma = claims(model, rows)
    slopes = (phi @ ridge.coef_) / gamma.sum(1)[:, None]
    assert relative(found.values, (rows - reference.mean(0)) * slopes) < 1e-9
    base = ridge.predict(model.transform(reference)).mean()
    missed = slopes @ reference.mean(0) + model.doc_topic_prior_ * ridge.coef_.sum() / gamma.sum(1)
    assert relative(found.residuals["claims"], missed - (base - ridge.intercept_)) < 1e-9
    np.testing.assert_allclose(found.base_values, base, rtol=1e-12)
    assert found.conservation_error() < 1e-11


def test_words_of_a_classified_document() -> None:
    """Log-odds that a document is about football: what the topics claim of its words, weighted by the coefficients."""
    texts, labels = documents()
    lda = LatentDirichletAllocation(3, random_state=0, max_iter=30)
    model = make_pipeline(CountVectorizer(stop_words="english"), lda, LogisticRegression(C=100))
    model.fit(texts, labels == "football")
    assert model.score(texts, labels == "football") == 1.0
    found = neon.Explainer(model)(texts, True)
    counts = model[0].transform(texts).toarray().astype(float)
    phi, gamma = claims(lda, counts)
    assert relative(found.values, counts * (phi @ model[-1].coef_[0]) / gamma.sum(1)[:, None]) < 1e-9
    assert relative(found.prediction, model.decision_function(texts)) < 1e-11
    assert found.conservation_error() < 1e-11

    pieces, relevance = found.text(16)  # "The striker scored a goal, and the goal won the match."
    words = dict(zip(found.feature_names, found.values[16], strict=True))
    for place, word in enumerate(pieces):
        expected = words[word] / pieces.count(word) if word in words else 0.0
        np.testing.assert_allclose(relevance[place], expected, rtol=1e-12)
    assert pieces.count("goal") == 2
    assert min(words[word] for word in ("striker", "goal", "match")) > 0


def test_three_subjects() -> None:
    """Words that the documents on a subject share speak for it."""
    texts, labels = documents()
    lda = LatentDirichletAllocation(3, random_state=0, max_iter=30)
    model = make_pipeline(CountVectorizer(stop_words="english"), lda, LogisticRegression(C=100)).fit(texts, labels)
    assert model.score(texts, labels) == 1.0
    found = neon.Explainer(model)(texts)
    assert found.conservation_error() < 1e-11
    names = np.array(found.feature_names)
    for subject, word in (("kitchen", "butter"), ("weather", "rain"), ("football", "goal")):
        total = found.values[labels == subject].sum(0)
        assert word in names[np.argsort(-total)[:5]]


def test_a_model_of_float32_computes_in_float64() -> None:
    model = fitted(DIGITS.astype(np.float32))
    assert model.components_.dtype == np.float32
    network = neon.neuralize(model)
    assert network.verify(DIGITS) < 1e-12
    with torch.no_grad():
        shares = network(network.encode(DIGITS)).numpy()
    assert relative(model.transform(DIGITS), shares) < 1e-3
    assert model.components_.dtype == model.exp_dirichlet_component_.dtype == np.float32


def test_an_exact_digamma_would_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """Why the network has the series of scikit-learn: with torch.digamma shares are up to 1e-8 apart."""
    model = fitted(doc_topic_prior=1e-3)
    network = neon.neuralize(model)
    assert network.verify(DIGITS) < 1e-12
    monkeypatch.setattr("neon.nn.codes.topics._digamma", torch.digamma)
    assert 1e-10 < network.verify(DIGITS) < 1e-6


def test_what_it_says() -> None:
    model = fitted()
    network = neon.neuralize(model)
    assert network.explains == (
        "topic share, with the topics' claims on each word and the length of the document held fixed"
    )
    assert network.output_names == tuple(f"topic {k}" for k in range(8))
    with pytest.raises(ValueError, match="no exact ReLU form"):
        neon.neuralize(model, form="relu")
    with pytest.raises(UnknownOutputError, match="transform"):
        neon.neuralize(model, output="score")
    with pytest.raises(ValueError, match="nothing to explain"):
        neon.neuralize(model.set_params(max_doc_update_iter=0))


def test_negative_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="outside its domain"):
        neon.Explainer(fitted())(DIGITS[:5] - 1.0, 0)
