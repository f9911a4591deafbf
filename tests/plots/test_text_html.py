"""Text as HTML: every word in order, on its colour, escaped; quick for long texts."""

from __future__ import annotations

import html
import re

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import neon
from neon.explanation.text import BLUE, RED
from neon.plots import tokens_html

WORDS = ("The", "plot", "is", "not", "<script>alert('x')</script>", "good&bad")
RELEVANCE = np.array([0.1, -0.2, 0.0, 2.0, -1.0, np.nan])


def spans(written: str) -> list[tuple[str, str]]:
    """Colour and word of each coloured word, less the scale below the text."""
    text = written.split("relevance <span")[0]
    return [(color, html.unescape(word)) for color, word in re.findall(r"background:(#\w+)[^>]*>([^<]*)</span>", text)]


def test_words_stand_in_order_on_their_colours() -> None:
    written = tokens_html(WORDS, RELEVANCE, title="praise <b>")
    body = html.unescape(re.sub(r"<[^>]*>", "", written))
    assert body.startswith("praise <b>" + " ".join(WORDS))
    found = {word: color for color, word in spans(written)}
    assert set(found) == {"The", "plot", "not", WORDS[4]}
    assert found["not"].startswith(RED)
    assert found["plot"].startswith(BLUE)
    strengths = [int(found[word][-2:], 16) for word in ("The", "plot", WORDS[4], "not")]
    np.testing.assert_allclose(np.divide(strengths, strengths[-1]), [0.05, 0.1, 0.5, 1.0], atol=0.01)
    assert "<script" not in written
    assert "<b>" not in written
    assert "good&amp;bad" in written
    assert 'title="+2.00"' in written
    assert written._repr_html_() == written


def test_a_common_limit_makes_texts_comparable() -> None:
    one, other = tokens_html(WORDS, RELEVANCE, limit=4.0), tokens_html(WORDS, RELEVANCE)
    assert spans(one) != spans(other)
    assert spans(one) == spans(tokens_html(WORDS, 2 * RELEVANCE, limit=8.0))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"each of 6 tokens, got shape \(4,\)"):
        tokens_html(WORDS, RELEVANCE[:4])
    with pytest.raises(ValueError, match="no tokens"):
        tokens_html([], [])
    assert spans(tokens_html(["a"], [0.0])) == []


def test_a_notebook_shows_the_documents() -> None:
    docs = ["good plot", "bad <plot>", "good film", "bad film"]
    model = make_pipeline(CountVectorizer(), LogisticRegression()).fit(docs, ["praise", "blame", "praise", "blame"])
    given = neon.explain(model, docs)
    written = given.plot.text_html(1)
    assert spans(written)[0][1] == "bad"
    assert "plot" in written
    assert "row 1 · blame · prediction" in written
    shown = given._repr_html_()
    assert shown.count("line-height:1.8") == 3
    assert "and 1 more documents" in shown
    assert "<plot>" not in shown
    assert "line-height:1.8" not in neon.explain(model, docs, target="all")._repr_html_()
