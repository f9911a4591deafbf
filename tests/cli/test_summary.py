"""What is printed of an explanation: sizes and signs, apart for each target, and what is left unsaid."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

import neon
from neon.cli.summary import lines

X = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 12)), columns=[f"x{i}" for i in range(12)])
Y = np.digitize(X["x3"] + X["x5"], [-1, 0, 1, 2])


def numbers(line: str) -> list[float]:
    """Those in a feature's line, after its name."""
    return [float(word) for word in line.replace("█", "").split()[1:]]


@pytest.mark.parametrize("target", [None, "all", 2])
def test_sizes_and_signed_means(target: int | str | None) -> None:
    explanation = neon.explain(LogisticRegression().fit(X, Y), X, target, reference=X)
    printed = list(lines(explanation))
    features = [line for line in printed if re.match(r"  x\d+ ", line)]
    strongest = np.abs(explanation.values).mean(axis=(0, *range(2, explanation.values.ndim)))
    assert [line.split()[0] for line in features] == [f"x{i}" for i in np.argsort(-strongest)[:8]]
    heads = printed[3].split() if target != 2 else ["2"]
    assert len(heads) == (1 if target == 2 else 3)
    for line in features:
        i = int(line.split()[0][1:])
        if target == "all":
            means = [explanation.values[:, i, explanation.output_names.index(head)].mean() for head in heads]
        else:
            called = np.array(explanation.output_names)[explanation.target]
            means = [explanation.values[called == head, i].mean() for head in heads]
        np.testing.assert_allclose(numbers(line), [strongest[i], *means], rtol=1e-2, atol=1e-12)
    left = 1 - np.sort(strongest)[-8:].sum() / strongest.sum()
    assert f"  and 4 more features, {left:.0%} of all relevance by size" in printed
    assert any("(the 3 most frequent of 5 targets" in line for line in printed) == (target != 2)


def test_targets_by_how_many_rows_have_them() -> None:
    explanation = neon.explain(LogisticRegression().fit(X, Y), X)
    counts = pd.Series(explanation.target).value_counts()
    assert counts.iloc[2] > counts.iloc[3]
    first, *others = lines(explanation)
    assert others[2].split() == [explanation.output_names[k] for k in counts.index[:3]]
    assert first.startswith("target: each row's predicted output (")
    assert [int(n) for n in re.findall(r"\d+ (\d+)", first)] == sorted(counts, reverse=True)


def test_a_regression_and_no_rows() -> None:
    explanation = neon.explain(LinearRegression().fit(X, X["x0"] * 1e-3), X)
    printed = "\n".join(lines(explanation))
    assert "with its sign: + raises it, - lowers it" in printed
    assert len(list(lines(explanation[:0]))) == 1
