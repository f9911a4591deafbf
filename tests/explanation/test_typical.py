"""What is usual for a column, in words: against numpy's own statistics, and for every kind of column."""

import datetime

import numpy as np
import pandas as pd
import pytest

from neon.explanation.typical import Typical, percent

RNG = np.random.default_rng(0)
SPEED = RNG.normal(1739, 218, 4000)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, object])
def test_numbers_by_their_median_and_the_middle_of_the_rows(dtype: type) -> None:
    speed = Typical(SPEED.astype(dtype))
    median, (low, high) = np.median(SPEED), np.quantile(SPEED, [0.16, 0.84])
    assert speed.words() == f"usually {median:.0f} ± {(high - low) / 2:.0f}"
    assert abs((high - low) / 2 - 218) < 8, "of a normal distribution, the standard deviation"
    assert speed.beside(2721) == f"2721, {speed.words()}"
    np.testing.assert_allclose(speed.middle(), [low, median, high], rtol=1e-6)


def test_outliers_do_not_move_what_is_usual() -> None:
    moved = Typical(np.append(SPEED, [1e9] * 40)).middle()  # 1 % of the rows
    np.testing.assert_allclose(moved, Typical(SPEED).middle(), atol=0.1 * SPEED.std())
    assert Typical(np.append(SPEED, [np.inf, -np.inf])).words() == Typical(SPEED).words()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0] * 60 + [1] * 30 + [2] * 10, "typically 0–1"),  # counts
        ([0.0] * 93 + [1.0] * 4 + [7.0] * 3, "usually 0 (93 %)"),
        (list(-np.arange(100.0)), "usually −49.5 ± 34"),
        ([-3, -2, -2, -1, -1], "typically −3 to −1"),
        (list(np.exp(np.linspace(0, 8, 101))), "typically 3.6–829"),  # skewed
        ([0.0012, 0.0013, 0.0014, 0.0015], "usually 0.00135 ± 0.00010"),
        ([4_000_000, 5_000_000, 6_000_000], "usually 5,000,000 ± 1,000,000"),
        ([5, 5, 5], "always 5"),
        ([True] * 82 + [False] * 18, "usually yes (82 %)"),
        (["urban"] * 82 + ["rural"] * 18, "usually 'urban' (82 %)"),
        (["a"] * 40 + ["b"] * 35 + ["c"] * 25, "usually 'a' (40 %) or 'b' (35 %)"),
        (["a"] * 19 + ["b"] * 15 + [f"c{i}" for i in range(66)], "often 'a' (19 %) or 'b' (15 %)"),
        ([f"name {i}" for i in range(1200)], "one of 1,200 values"),
        ([0, 1, 1, 1], "usually 1 (75 %)"),
        ([None, np.nan, None, 3.5], "usually missing (75 %)"),
        ([None, None], "always missing"),
        ([], "no rows"),
        (["A"] * 300 + ["B"], "usually 'A' (>99 %)"),
    ],
)
def test_every_kind_of_column(values: list, words: str) -> None:
    assert Typical(values).words() == words
    assert Typical(np.array(values, dtype=object)).words() == words
    assert Typical(pd.Series(values, dtype=object)).words() == words


@pytest.mark.parametrize("make", [pd.Timestamp, np.datetime64, datetime.date.fromisoformat])
def test_dates_as_ranges(make: type) -> None:
    days = [make(f"2021-01-{day:02}") for day in range(1, 32)]
    column = Typical(pd.Series(days, dtype=object))
    assert column.words() == "typically 2021-01-05 to 2021-01-26"
    assert column.beside(make("2024-05-01")) == "2024-05-01, typically 2021-01-05 to 2021-01-26"
    assert column.against(slice(0, 5)) == "2021-01-03 against 2021-01-19 elsewhere"


def test_dates_of_a_frame_and_durations() -> None:
    dates = Typical(pd.date_range("2021-01-01", periods=31).to_series())
    assert dates.words() == "typically 2021-01-05 to 2021-01-26"
    waits = Typical(pd.to_timedelta(np.arange(100.0) * 6, unit="h"))
    assert waits.words() == "usually 12.4 ± 8.4 days"
    assert waits.shown(np.timedelta64(36, "h")) == "1.5 days"


def test_units_stand_behind_numbers() -> None:
    spend = Typical([400.0, 410.0, 420.0, 110.0, 120.0, 130.0], unit="€")
    assert spend.against([0, 1, 2]) == "410 € against 120 € elsewhere"
    assert spend.against(np.arange(6) < 3, slice(3, 5), where="in B") == "410 € against 115 € in B"
    assert spend.beside(2721.0).startswith("2721 €, ")
    assert Typical(["a", "b"], unit="€").shown("a") == "'a'"


def test_a_value_beside_what_is_usual() -> None:
    place = Typical(["urban"] * 82 + ["rural"] * 18)
    assert place.beside("rural") == "'rural' (18 %), usually 'urban' (82 %)"
    assert place.beside("urban") == "'urban', as in 82 % of rows"
    assert place.beside("moon") == "'moon' (0 %), usually 'urban' (82 %)"
    assert place.beside(None) == "missing, usually 'urban' (82 %)"
    even = Typical(["north"] * 34 + ["south"] * 34 + ["east"] * 32)
    assert even.words() == "usually 'north' (34 %) or 'south' (34 %)"
    assert even.beside("south") == "'south', as in 34 % of rows"
    assert even.beside("east") == "'east' (32 %), usually 'north' (34 %) or 'south' (34 %)"
    late = Typical([0] * 60 + [1] * 30 + [2] * 10)
    assert late.beside(3) == "3, typically 0–1"
    assert late.beside(np.nan) == "missing, typically 0–1"
    assert late.beside(0.02) == "0.020, typically 0–1", "never rounded to a value that it is not"
    assert Typical([True] * 9 + [False]).beside(False) == "no (10 %), usually yes (90 %)"


def test_groups_compared() -> None:
    rows = np.arange(100) < 50
    shares = Typical(np.where(np.arange(100) % 50 < np.where(rows, 41, 15), "urban", "rural"))
    assert shares.against(rows) == "82 % 'urban' against 30 % elsewhere"
    assert shares.told_apart(rows, ~rows) == ("urban", 0.82, 0.3)
    assert Typical(np.where(rows, 1, np.arange(100) % 2)).against(rows) == "100 % at 1 against 50 % elsewhere"
    counts = Typical(np.array([0] * 40 + [5] * 10 + [0] * 48 + [1, 2]))
    assert counts.against(rows) == "0–5 against 0 (96 %) elsewhere"
    missing = Typical([None] * 50 + [1.0, 2.0] * 25)
    assert missing.against(rows) == "100 % missing against 0 % elsewhere"
    assert Typical([]).against(slice(None)).startswith("100 % missing")


def test_equal_middles_are_told_apart_by_their_means() -> None:
    counts = Typical(np.array([0] * 45 + [9, 8, 7, 6, 5] + [0] * 49 + [1]))
    assert counts.against(slice(0, 50)) == "0 (90 %) against 0 (98 %) elsewhere"
    same = Typical(np.array([0] * 45 + [9, 8, 7, 6, 5] + [0] * 45 + [1, 1, 1, 1, 1]))
    assert same.against(slice(0, 50)) == "on average 0.70 against 0.10 elsewhere"


def test_shares_are_never_rounded_to_all_or_nothing() -> None:
    assert [percent(x) for x in (0, 0.001, 0.5, 0.999, 1)] == ["0 %", "<1 %", "50 %", ">99 %", "100 %"]


def test_one_column_is_expected() -> None:
    with pytest.raises(ValueError, match="one column"):
        Typical(np.zeros((3, 2)))
