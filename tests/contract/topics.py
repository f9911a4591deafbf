"""Topics of documents and of images, as counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.decomposition import LatentDirichletAllocation
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import SVC

from tests.contract.case import Case

SENTENCES = {
    "kitchen": (
        "Flour, butter and salt make the dough, and the dough makes the bread.",
        "Bread with butter and salt, and a soup with butter.",
        "Stir flour into the butter, then milk and salt: the soup is thick.",
        "The dough needs flour, salt and warm milk; bake the bread until brown.",
        "Serve the soup with fresh bread, butter and salt.",
        "Bake the dough with butter, flour and a little milk.",
        "Warm milk and flour thicken the soup; salt comes last.",
        "Knead butter, flour and milk to a dough, and bake bread.",
    ),
    "weather": (
        "Rain and wind reach the coast, and the wind brings snow.",
        "A cold night with snow and wind, then warm sun.",
        "Clouds and rain over the coast, sun over the hills.",
        "The storm brings wind, rain and snow to the hills.",
        "After the storm the sun melts the snow on the hills.",
        "Wind from the coast drives clouds and rain over the hills.",
        "Warm sun at noon, clouds at night, and rain by morning.",
        "Snow clouds and a storm: wind and rain all night on the coast.",
    ),
    "football": (
        "The striker scored a goal, and the goal won the match.",
        "The referee gave a penalty, and the striker scored the goal.",
        "Both teams played well; the match ended without a goal.",
        "The keeper saved the penalty, and the team won the match.",
        "A late goal by the striker, and the referee ended the match.",
        "The team lost the match by a penalty and a late goal.",
        "The keeper of the home team saved a goal and the match.",
        "The referee saw no penalty; the team and the keeper were glad.",
    ),
}


def documents() -> tuple[pd.Series, np.ndarray]:
    """Sentences, and what they are about."""
    labels, texts = zip(*((label, text) for label, texts in SENTENCES.items() for text in texts), strict=True)
    return pd.Series(texts, dtype=object), np.array(labels)


def cases() -> dict[str, Case]:
    texts, labels = documents()
    digits, number = (part[:100] for part in load_digits(return_X_y=True))

    def topics(n_components: int = 3, **options: Any) -> LatentDirichletAllocation:
        return LatentDirichletAllocation(n_components, random_state=0, **options)

    counts = CountVectorizer(stop_words="english")
    name = "LatentDirichletAllocation"
    return {
        name: Case(topics(6), digits),
        f"{name}-online": Case(topics(5, learning_method="online", doc_topic_prior=0.9), digits),
        f"{name}-short": Case(topics(5, max_doc_update_iter=3, topic_word_prior=0.01), digits),
        f"{name}-scaled": Case(make_pipeline(MinMaxScaler(), topics(4, mean_change_tol=1e-6)), digits),
        f"{name}-SVC": Case(make_pipeline(topics(8), SVC()), digits, number),
        f"{name}-texts": Case(make_pipeline(counts, topics()), texts),
        f"{name}-texts-LogisticRegression": Case(
            make_pipeline(counts, topics(max_iter=30), LogisticRegression(C=100)), texts, labels
        ),
    }
