"""Data as numbers: objects that numpy turns into floats by itself come out as one by one."""

import numpy as np
import pytest

from neon.explanation.as_numbers import _number, as_numbers


@pytest.mark.parametrize(
    "values",
    [
        [1, 2.5, True, None, np.float64(3), np.nan, np.int64(7), np.bool_(False)],
        [1, "2", None],  # a string stays none, even where it holds digits
        [np.datetime64("2024-01-02"), 3.0, np.timedelta64(36, "h")],
        [],
    ],
    ids=["plain", "strings", "dates", "nothing"],
)
def test_objects(values: list) -> None:
    data = np.empty(len(values), dtype=object)
    data[:] = values
    assert np.array_equal(as_numbers(data), np.array([_number(value) for value in values]), equal_nan=True)
