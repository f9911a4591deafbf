"""Simulate a bicycle rental, hour by hour, with a known mechanism: ``python data/make_rentals.py``.

``rentals = weather · wind · (commute + leisure + 4)``, times an even factor of 0.9 to 1.1, rounded. Commuters ride on
working days only, leisure grows with the temperature, and each station has its share in both: see the tables below.
Humidity goes with the weather and decides nothing. Arithmetic is exact: the same bytes come out every time.
"""

from __future__ import annotations

import argparse
import csv
from fractions import Fraction
from pathlib import Path

from numpy.random import RandomState
from sklearn.utils import check_random_state

N_ROWS = 2400
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
# Percent of the demand: commuters', and of those who ride for pleasure.
STATIONS = {"centre": (120, 90), "harbour": (60, 130), "park": (30, 180), "university": (150, 40)}
WEATHER = {"clear": 100, "cloudy": 90, "rain": 50, "snow": 30}
HUMIDITY = {"clear": 50, "cloudy": 65, "rain": 85, "snow": 80}
# By month, in degrees Celsius.
TEMPERATURE = (1, 2, 6, 11, 16, 20, 22, 21, 17, 12, 6, 2)
# By hour of the day; no commute at weekends, and a third of the leisure on working days.
COMMUTE = {6: 25, 7: 80, 8: 140, 9: 60, 15: 30, 16: 80, 17: 150, 18: 100, 19: 40}
LEISURE = {9: 20, 10: 45, 11: 70, 12: 85, 13: 95, 14: 100, 15: 100, 16: 90, 17: 75, 18: 55, 19: 35, 20: 25, 21: 15}


def row(random: RandomState) -> tuple[int | str, ...]:
    """One hour at one station."""
    month, hour = int(random.randint(1, 13)), int(random.randint(24))
    weekday, station = WEEKDAYS[random.randint(7)], tuple(STATIONS)[random.randint(4)]
    by_night = -4 if hour < 8 or hour > 21 else 2 if 12 <= hour <= 18 else 0
    temperature = TEMPERATURE[month - 1] + by_night + int(random.randint(-3, 4, size=3).sum())
    sky = ("clear", "clear", "clear", "cloudy", "cloudy", "wet")[random.randint(6)]
    weather = ("snow" if temperature <= 1 else "rain") if sky == "wet" else sky
    humidity = HUMIDITY[weather] + int(random.randint(-12, 13))
    wind = int(random.randint(0, 16, size=3).sum())
    works, warmth = weekday not in ("Sat", "Sun"), Fraction(min(max(temperature, 0), 20), 20)
    to_work, for_fun = STATIONS[station]
    demand = (
        COMMUTE.get(hour, 0) * to_work * works + LEISURE.get(hour, 0) * for_fun * warmth / (3 if works else 1) + 400
    )
    factor = WEATHER[weather] * (75 if wind > 30 else 100) * int(random.randint(90, 111))
    rentals = int(demand * factor / 10**8 + Fraction(1, 2))
    return month, weekday, hour, station, weather, temperature, humidity, wind, rentals


def main(folder: Path) -> None:
    """Write ``rentals.csv`` into an existing folder."""
    random = check_random_state(0)  # the legacy generator: its stream is the same in every version of numpy
    with (folder / "rentals.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        names = ("month", "weekday", "hour", "station", "weather", "temperature", "humidity", "wind", "rentals")
        writer.writerow(names)
        writer.writerows(row(random) for _ in range(N_ROWS))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Simulate the rentals.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder (default: this one)")
    main(parser.parse_args().out)
