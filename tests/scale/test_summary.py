"""What a stream of explanations has in common is what all of its rows have."""

import numpy as np
import pyarrow as pa

from neon.scale import StreamSummary


def table(values: np.ndarray, prediction: np.ndarray, start: int = 0) -> pa.Table:
    rows = np.arange(start, start + len(values))
    return pa.table({"row": rows, "prediction": prediction, "a": values, "residual": values})


def test_quantiles_from_the_smallest_to_the_largest() -> None:
    values = np.array([-1e300, -2.0, -1e-200, 0.0, 0.0, 1e-310, 3.0, 5.0, 1e9])
    summary = StreamSummary(("a",))
    for start in (0, 4):
        part = values[start : start + 4 if start == 0 else None]
        summary.add(table(part, part, start), ["a"])
    q = np.linspace(0, 1, 9)
    np.testing.assert_allclose(summary.quantiles(q).to_numpy()[0], np.quantile(values, q), rtol=0.011, atol=1e-300)


def test_rows_without_finite_relevance_are_counted_and_left_out() -> None:
    values = np.array([1.0, np.nan, -2.0, 4.0, np.inf])
    summary = StreamSummary(("a",))
    summary.add(table(values, np.array([0.0, 1.0, 2.0, np.inf, 4.0])), ["a"])
    assert (summary.n_rows, summary.not_finite) == (5, 3)
    assert (summary.total[0], summary.total_abs[0], summary.residuals) == (-1.0, 3.0, {"residual": 3.0})
    assert [row for _, row, _ in summary.top] == [2, 0]


def test_of_equal_predictions_the_first_rows_are_on_top() -> None:
    summary = StreamSummary(("a",), n_top=3)
    for start in (4, 0):
        summary.add(table(np.ones(4), np.full(4, 7.0), start), ["a"])
    assert [row for _, row, _ in summary.top] == [0, 1, 2]
