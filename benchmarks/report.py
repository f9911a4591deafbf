"""How large reports are, and how long they take: to write, to open, to sort, to search, to open a row.

``python -m benchmarks.report --write`` measures in a headless Chromium (by playwright, of the extra "test") and writes
the table of docs/report.md.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page, sync_playwright

from benchmarks.pages import table as markdown
from benchmarks.pages import write_section
from neon.explanation import Explanation

PAGE = Path(__file__).parents[1] / "docs" / "report.md"
BEGIN = "<!-- report: made by python -m benchmarks.report --write -->"


def table(n_rows: int, n_features: int, n_outputs: int = 1) -> Explanation:
    """Random relevance of random numbers, of which every fifth column is text."""
    rng = np.random.default_rng(0)
    every = n_outputs > 1
    values = rng.normal(size=(n_rows, n_features, n_outputs) if every else (n_rows, n_features))
    base = np.zeros((n_rows, n_outputs) if every else n_rows)
    data: Any = rng.normal(100, 20, (n_rows, n_features))
    if n_features <= 100:
        data = data.astype(object)
        for column in range(0, n_features, 5):
            data[:, column] = rng.choice(["north", "south", "east", "west"], n_rows)
    return Explanation(
        values=values,
        base_values=base,
        prediction=base + values.sum(axis=1),
        residuals={},
        data=data,
        feature_names=tuple(f"feature {i}" for i in range(n_features)),
        output_names=tuple(f"class {i}" for i in range(n_outputs)),
        target=None if every else np.zeros(n_rows, dtype=int),
        explains="log-odds of a class",
        index=[f"row-{i:06d}" for i in range(n_rows)],
    )


def images(n_rows: int, size: int) -> Explanation:
    """Random relevance of random colour images."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(n_rows, 3, size, size)).astype(np.float32)
    return Explanation(
        values=values,
        base_values=np.zeros(n_rows),
        prediction=values.sum(axis=(1, 2, 3), dtype=np.float64),
        residuals={},
        data=rng.random((n_rows, 3, size, size), dtype=np.float32),
        feature_names=(),
        output_names=("class",),
        target=np.zeros(n_rows, dtype=int),
        explains="logit of an output of the network",
    )


CASES: dict[str, Callable[[], Explanation]] = {
    "1,000 rows, 20 features": lambda: table(1_000, 20),
    "50,000 rows, 20 features": lambda: table(50_000, 20),
    "50,000 rows, 100 features": lambda: table(50_000, 100),
    "50,000 rows, 20 features, 25 outputs": lambda: table(50_000, 20, 25),
    "200 rows, 20,000 features": lambda: table(200, 20_000),
    "100 colour images, 224 × 224": lambda: images(100, 224),
}


CLICK = """selector => {
    const start = performance.now();
    document.querySelector(selector).click();
    document.body.offsetHeight;  // laid out as well
    return (performance.now() - start) / 1000;
}"""
SEARCH = """async query => {
    const [search, status] = ["search", "status"].map((id) => document.getElementById(id));
    const start = performance.now();
    const changed = new Promise((done) => new MutationObserver(done).observe(status, { childList: true }));
    search.value = query;
    search.dispatchEvent(new Event("input"));
    await changed;
    return (performance.now() - start) / 1000;
}"""


def measured(explanation: Explanation, page: Page, path: Path) -> list[str]:
    """Rows on the page; MB; CPU seconds to write; seconds to open, sort, open a row, search (from the last letter)."""
    start = time.process_time()
    explanation.report(path)
    write = time.process_time() - start
    start = time.perf_counter()
    page.goto(path.as_uri())
    page.wait_for_selector("#table .opener")
    seconds = [time.perf_counter() - start]
    seconds.append(page.evaluate(CLICK, '#table [data-key="prediction"]'))
    seconds.append(page.evaluate(CLICK, "#table .opener"))
    rows = page.locator("#status").inner_text().split(" of ")[1].split(" rows")[0]
    seconds.append(page.evaluate(SEARCH, "south"))
    size = f"{path.stat().st_size / 1e6:.1f}"
    return [rows, size, f"{write:.2f}", *(f"{each:.2f}" for each in seconds)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the table into docs/report.md")
    options = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("no chromium: apt-get install chromium")
    lines = []
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for name, make in CASES.items():
            page = browser.new_page()
            lines.append([name, *measured(make(), page, Path(folder) / "report.html")])
            page.close()
            print(*lines[-1], flush=True)
        browser.close()
    header = [
        "explanation",
        "rows in the table",
        "MB",
        "write, CPU s",
        "open, s",
        "sort, s",
        "open a row, s",
        "search, s",
    ]
    if options.write:
        write_section(PAGE, BEGIN, "\n".join(markdown(header, lines)) + "\n")


if __name__ == "__main__":
    main()
