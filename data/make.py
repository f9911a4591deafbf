"""Write the data sets of this folder: ``python data/make.py``. The same bytes come out every time."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.utils import check_random_state

SENSORS = (
    *("inlet_temperature", "outlet_temperature", "bearing_temperature", "oil_temperature"),
    *("inlet_pressure", "outlet_pressure", "flow", "speed"),
    *("current", "power", "vibration", "noise_level"),
)


def main(folder: Path) -> None:
    """Write all files into an existing folder."""
    wine = load_wine()
    new = np.arange(len(wine.data)) % 6 == 5  # every sixth wine: all three cultivars are among them
    names = wine.feature_names
    _write(folder / "wine.csv", names, wine.data[~new].tolist())
    _write(folder / "wine_new.csv", names, wine.data[new].tolist())

    cancer = load_breast_cancer()
    diagnosis = cancer.target_names[cancer.target]
    rows = [[*row, str(label)] for row, label in zip(cancer.data.tolist(), diagnosis, strict=True)]
    _write(folder / "breast_cancer.csv", [*cancer.feature_names, "diagnosis"], rows)

    readings, corrupted = sensors()
    rows = [[*row, label] for row, label in zip(np.round(readings, 3).tolist(), corrupted, strict=True)]
    _write(folder / "sensors.csv", [*SENSORS, "corrupted"], rows)


def sensors(n_rows: int = 600, n_corrupted_each: int = 2) -> tuple[np.ndarray, list[str]]:
    """Simulate a pump's twelve sensors, which follow its load and the weather, and spoil one sensor in some rows.

    Returns
    -------
    tuple
        Readings (n_rows, 12); and by row the name of the corrupted sensor, or "none".
    """
    random = check_random_state(0)  # the legacy generator: its stream is the same in every version of numpy
    load, weather = random.uniform(0.4, 1.0, n_rows), random.normal(15.0, 5.0, n_rows)
    speed = 900 + 1200 * load
    flow = 50 * load
    current = 4 + 20 * load**2
    readings = np.stack(
        [
            weather,
            weather + 12 * load,
            35 + 0.4 * weather + 30 * load,
            30 + 0.5 * weather + 20 * load,
            3.0 - 0.8 * load**2,
            4 + 6 * load**2,
            flow,
            speed,
            current,
            0.38 * current,
            0.5 + 2 * load,
            60 + 15 * load,
        ],
        axis=1,
    )
    scale = readings.std(axis=0)
    readings += 0.1 * scale * random.normal(size=readings.shape)
    n_sensors = len(SENSORS)
    rows = random.choice(n_rows, n_corrupted_each * n_sensors, replace=False)
    columns = np.arange(len(rows)) % n_sensors
    sign = random.choice([-1.0, 1.0], len(rows))
    readings[rows, columns] += sign * random.uniform(3.0, 6.0, len(rows)) * scale[columns]
    corrupted = ["none"] * n_rows
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        corrupted[row] = SENSORS[column]
    return readings, corrupted


def _write(path: Path, names: Sequence[str], rows: Iterable[Sequence[float | str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write the data sets.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder (default: this one)")
    main(parser.parse_args().out)
