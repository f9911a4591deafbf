"""Explanations for reports, made by hand: quick, and known in every number."""

from typing import Any

import numpy as np

from neon.explanation import Explanation

HOSTILE = (
    "</script><script>alert(1)</script>",
    '<img src=x onerror="alert(1)">',
    "quotes \" ' ` & &amp;",
    "\u202eright to left שלום",
    "__proto__",
    "日本語\u2028🎈\ud800",
)


def explanation(values: Any, **fields: Any) -> Explanation:
    """An explanation of one output with a base value of 0.5, that adds up."""
    values = np.asarray(values, dtype=np.float64)
    every = fields.get("target", 0) is None
    features = tuple(range(1, values.ndim - every))
    base = np.full(values.shape[:1] + values.shape[-1:] * every, 0.5)
    residuals = fields.pop("residuals", {})
    n_features = int(np.prod(values.shape[1 : 1 + len(features)]))
    given = {
        "values": values,
        "base_values": base,
        "prediction": base + values.sum(axis=features) + sum(residuals.values()),
        "residuals": residuals,
        "data": np.zeros(values.shape[: 1 + len(features)]),
        "feature_names": tuple(f"x{i}" for i in range(n_features)) if len(features) == 1 else (),
        "output_names": ("prediction",),
        "target": np.zeros(len(values), dtype=int),
        "explains": "predicted value",
        "base_in_words": "mean prediction of 200 reference rows",
    }
    return Explanation(**given | fields)


def loans(n_rows: int = 120) -> Explanation:
    """Log-odds of a default, from numbers, booleans, strings and dates, with labels and a residual."""
    rng = np.random.default_rng(0)
    late = rng.poisson(0.5, n_rows)
    late[3] = 7
    data = np.empty((n_rows, 5), dtype=object)
    data[:, 0] = late
    data[:, 1] = rng.normal(3000, 800, n_rows)
    data[5, 1] = np.nan
    data[:, 2] = rng.choice(["north", "south", "east"], n_rows)
    data[:, 3] = list(rng.random(n_rows) < 0.4)
    data[:, 4] = list(np.datetime64("2024-01-01") + rng.integers(0, 300, n_rows))
    values = rng.normal(0, 0.5, (n_rows, 5))
    values[:, 0] = late * 1.2 - 0.5
    imputed = np.zeros(data.shape, dtype=bool)
    imputed[5, 1] = True
    return explanation(
        values,
        data=data,
        imputed=imputed,
        residuals={"bias": rng.normal(0, 0.1, n_rows)},
        feature_names=("late payments", "income", "region", "owns a home", "since"),
        feature_units={"income": "€"},
        output_names=("paid", "default"),
        target=np.ones(n_rows, dtype=int),
        explains="log-odds of a class; Shapley values from the rows of the fit",
        index=[f"APP-{row:04d}" for row in range(n_rows)],
    )


def hostile() -> Explanation:
    """Names, labels and values that try to be code."""
    names = np.array(HOSTILE, dtype=object)
    values = np.random.default_rng(1).normal(size=(12, len(names)))
    return explanation(
        values,
        data=np.tile(names, (12, 1)),
        residuals={HOSTILE[0]: np.ones(12)},
        feature_names=HOSTILE,
        output_names=HOSTILE[:2],
        target=np.arange(12) % 2,
        index=[HOSTILE[row % len(HOSTILE)] + str(row) for row in range(12)],
        explains=HOSTILE[1],
        unit=HOSTILE[0],
        base_in_words=HOSTILE[1],
    )


def images() -> Explanation:
    """Colour images of 6 by 4 pixels, all of three outputs."""
    rng = np.random.default_rng(2)
    return explanation(
        rng.normal(size=(5, 3, 6, 4, 3)),
        data=rng.random((5, 3, 6, 4)),
        target=None,
        output_names=("cat", "dog", "owl"),
    )


def reviews() -> Explanation:
    """Documents, read by a fitted pipeline."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    import neon

    documents = ["a good phone, good battery", "awful phone", "good and cheap", "awful: awful battery <b>bold</b>"] * 6
    model = make_pipeline(CountVectorizer(), LogisticRegression()).fit(documents, ["praise", "complaint"] * 12)
    return neon.explain(model, documents, "complaint")
