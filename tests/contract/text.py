"""Documents and dictionaries: one record a row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction import DictVectorizer, FeatureHasher
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest, chi2
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import MaxAbsScaler, StandardScaler
from sklearn.svm import LinearSVC

from tests.contract.case import Case

NOUNS, GOOD, BAD = ("film", "story", "ending"), ("bright", "good", "lively"), ("dull", "bland", "tired")


def reviews(n_samples: int = 60) -> tuple[pd.Series, np.ndarray]:
    """Short reviews, each with three words of praise or of complaint, and which of them there are more of."""
    random = np.random.default_rng(0)
    texts, labels = [], []
    for _ in range(n_samples):
        praise = random.integers(0, 4)
        words = [*random.choice(GOOD, praise), *random.choice(BAD, 3 - praise)]
        random.shuffle(words)
        nouns = random.choice(NOUNS, 3)
        texts.append("The " + ", and the ".join(f"{noun} was {word}" for noun, word in zip(nouns, words, strict=True)))
        labels.append("praise" if praise > 1 else "complaint")
    return pd.Series(texts, dtype=object), np.array(labels)


def cases() -> dict[str, Case]:
    texts, labels = reviews()
    table = pd.DataFrame({"review": texts, "stars": np.where(labels == "praise", 4.0, 2.0), "title": texts.str[:9]})
    counted = pd.Series([{"n": len(text), "first": text.split()[1]} for text in texts], dtype=object)
    y = labels == "praise"
    columns = make_column_transformer(
        (TfidfVectorizer(), "review"), (CountVectorizer(analyzer="char"), "title"), (StandardScaler(), ["stars"])
    )
    both = make_union(TfidfVectorizer(), CountVectorizer(analyzer="char_wb", ngram_range=(2, 3)))
    steps: dict[str, tuple[Any, ...]] = {
        "CountVectorizer": (CountVectorizer(stop_words=["the"]), LogisticRegression()),
        "CountVectorizer-tfidf": (CountVectorizer(ngram_range=(1, 2)), TfidfTransformer(), LinearSVC()),
        "TfidfVectorizer": (TfidfVectorizer(sublinear_tf=True), LogisticRegression()),
        "TfidfVectorizer-selected": (TfidfVectorizer(), SelectKBest(chi2, k=5), LogisticRegression()),
        "TfidfVectorizer-scaled": (TfidfVectorizer(norm=None), MaxAbsScaler(), SelectKBest(chi2, k=9), Ridge()),
        "HashingVectorizer": (HashingVectorizer(n_features=64), LogisticRegression()),
        "texts-union": (both, LogisticRegression()),
    }
    found = {
        name: Case(make_pipeline(*parts), texts, y if isinstance(parts[-1], Ridge) else labels, relu=True)
        for name, parts in steps.items()
    }
    found["TfidfVectorizer-kmeans"] = Case(
        make_pipeline(TfidfVectorizer(), TruncatedSVD(4, random_state=0), KMeans(3, n_init=1, random_state=0)),
        texts, relu=True,
    )  # fmt: skip
    found["DictVectorizer"] = Case(make_pipeline(DictVectorizer(), MaxAbsScaler(), Ridge()), counted, y, relu=True)
    found["FeatureHasher"] = Case(make_pipeline(FeatureHasher(16), Ridge()), counted, y, relu=True)
    found["texts-columns"] = Case(make_pipeline(columns, LogisticRegression()), table, labels, relu=True)
    return found
