"""The recipe for Spark in docs/scale.md, as it stands there. Wants pyspark and Java, which no extra of neon brings."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import neon

# pyspark warns of pandas 3, of its own resources and of how it calls others.
pytestmark = pytest.mark.filterwarnings("ignore")
DOCS = Path(__file__).parents[2] / "docs/scale.md"


@pytest.fixture
def spark(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    sql = pytest.importorskip("pyspark.sql")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    settings = {"spark.ui.enabled": "false", "spark.sql.execution.arrow.maxRecordsPerBatch": "100"}
    session = sql.SparkSession.builder.master("local[2]").config(map=settings).getOrCreate()
    yield session
    session.stop()


def test_the_recipe(spark: Any) -> None:
    X, y = load_breast_cancer(as_frame=True, return_X_y=True)
    explainer = neon.Explainer(make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y), progress=False)
    (recipe,) = re.findall(r"```python\n(schema = spark\..*?)```", DOCS.read_text(), re.DOTALL)
    names: dict[str, Any] = {"spark": spark, "explainer": explainer, "rows": spark.createDataFrame(X)}
    exec(recipe, names)
    found = names["explained"].toPandas()
    expected = explainer.explain_frame(X)
    assert list(found.columns) == list(expected.columns)
    numbers = expected.select_dtypes("number").columns
    np.testing.assert_allclose(found[numbers], expected[numbers], rtol=1e-12, atol=1e-12)
    pd.testing.assert_series_equal(found["target"], expected["target"], check_index=False, check_dtype=False)
