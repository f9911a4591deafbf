"""Reports in a headless Chromium: what a reader clicks, types and hears; one browser for the module."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neon.explanation import Explanation
from neon.explanation.text import number
from neon.explanation.typical import Typical
from tests.report import pages

sync_api = pytest.importorskip("playwright.sync_api", reason="reports are tested by playwright, of the extra 'test'")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium (see CONTRIBUTING.md)")

FLAGS = [
    "--no-sandbox",  # which containers do not allow
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SCRIPTS = Path(__file__).resolve().parents[2] / "neon" / "report" / "page"

PATIENCE = 300_000  # ms, of a busy machine
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=PATIENCE)
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """Write a report and open it; at the end, nothing went wrong in any and nothing was asked of the network."""
    contexts, noise = [], []

    def opening(explanation: Explanation, *, options: Any = None, **settings: Any) -> Any:
        path = tmp_path / f"{len(contexts)}.html"
        explanation.report(path, **(options or {}))
        contexts.append(browser.new_context(**settings))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda message: noise.append(message.text))
        page.on("pageerror", lambda error: noise.append(str(error)))
        page.on("dialog", lambda dialog: (noise.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: noise.append(request.url) if request.url != path.as_uri() else None)
        page.goto(path.as_uri())
        return page

    yield opening
    for context in contexts:
        context.close()
    assert not noise


def labels(page: Any) -> list[str]:
    """What the rows on this page of the table are called."""
    return page.locator("#table .opener").all_inner_texts()


def is_focused(page: Any, selector: str) -> bool:
    return page.evaluate("selector => document.activeElement === document.querySelector(selector)", selector)


def test_numbers_are_written_as_in_python(browser: Any) -> None:
    page = browser.new_page()
    script = (SCRIPTS / "format.js").read_text()
    numbers = [0.0, -0.0, 1.0, -1.5, 999.9, 1234.5, 123456.7, 1e6, 4.56e-7, -1e-3, 0.0123, 12.3456, -1e12, 1e300]
    assert page.evaluate(f"values => {{ {script}; return values.map((value) => number(value)) }}", numbers) == [
        number(value) for value in numbers
    ]
    rng = np.random.default_rng(0)
    for values in (
        rng.normal(1739, 218, 50),
        rng.poisson(0.4, 50) * 1.0,
        rng.normal(0, 1e-4, 50),
        rng.normal(0, 3e6, 50),
    ):
        typical = Typical(values, unit="km/h")
        column = {"decimals": typical.decimals, "unit": "km/h", "usual": typical.words()}
        found = page.evaluate(
            f"([column, values]) => {{ {script}; return values.map((value) => beside(column, value)) }}",
            [column, values.tolist()],
        )
        assert found == [typical.beside(value) for value in values]
    page.close()


def test_effects_in_words(browser: Any) -> None:
    page = browser.new_page()
    script = (SCRIPTS / "format.js").read_text()
    cases = [
        ((np.log(40), "odds", ""), "raises the odds ×40"),
        ((-np.log(2), "odds", ""), "lowers the odds ÷2.0"),
        ((0.001, "odds", ""), "hardly changes the odds"),
        ((20.0, "odds", ""), "raises the odds more than ×1,000,000"),
        ((-0.125, "share", ""), "takes away 12.5 percentage points"),
        ((12.25, "amount", "€"), "adds 12.2 €"),
        ((0.0, "amount", "€"), "does not matter here"),
    ]
    for given, words in cases:
        assert page.evaluate(f"given => {{ {script}; return effect(...given) }}", list(given)) == words
    page.close()


def test_sorting(opened: Open) -> None:
    e = pages.loans()
    page = opened(e)
    assert labels(page) == list(e.index[:25])
    heading = page.get_by_role("columnheader", name="Prediction")
    heading.get_by_role("button").click()
    assert labels(page) == list(e.index[np.argsort(-e.prediction, kind="stable")][:25])
    assert heading.get_attribute("aria-sort") == "descending"
    assert is_focused(page, '#table [data-key="prediction"]')  # and goes on with the keyboard
    page.keyboard.press("Enter")
    assert labels(page) == list(e.index[np.argsort(e.prediction, kind="stable")][:25])
    page.get_by_role("columnheader", name="late payments").get_by_role("button").click()
    assert labels(page)[0] == "APP-0003"
    page.get_by_role("button", name="Next").click()
    assert page.locator("#status").inner_text() == "120 of 120 rows, page 2 of 5"


def test_search(opened: Open) -> None:
    e = pages.loans()
    page = opened(e)
    late, region, since = (e.data[:, column] for column in (0, 2, 4))
    for query, count in (
        ("app-0003", 1),
        ("  SOUTH ", (region == "south").sum()),
        (
            "7",
            sum("7" in str(day) or "7" in label for day, label in zip(since, e.index, strict=True)) + (late == 7).sum(),
        ),
        ("2024-03", sum(str(day).startswith("2024-03") for day in since)),
        ("no such thing", 0),
    ):
        page.get_by_label("Search").fill(query)
        expect = sync_api.expect(page.locator("#status"))
        expect.to_have_text(re.compile(f"^{count} of 120 rows"), timeout=PATIENCE)


def test_a_row_opens_by_click_and_by_keyboard(opened: Open) -> None:
    e = pages.loans()
    page = opened(e)
    page.locator("#table tr.row").nth(3).locator("td").nth(1).click()
    detail = page.locator("#detail")
    assert "late payments 7, typically 0–1: raises the odds ×2,697" in detail.inner_text()
    steps = detail.locator(".waterfall tbody tr")
    assert steps.first.inner_text().split("\t")[-1].strip() == "0.500"
    assert "mean prediction of 200 reference rows" in steps.first.inner_text()
    assert number(e.prediction[3]) in steps.last.inner_text()
    assert number(e.residuals["bias"][3], signed=True) in detail.inner_text()
    for value in e.values[3]:
        assert number(np.float32(value), signed=True) in detail.inner_text()
    assert is_focused(page, "#row-3")
    page.keyboard.press("Enter")
    assert detail.count() == 0
    page.keyboard.down("ArrowDown")  # held down, it goes on
    assert is_focused(page, "#row-4")
    page.keyboard.down("ArrowDown")
    assert is_focused(page, "#row-5")
    page.keyboard.up("ArrowDown")
    assert is_focused(page, "#row-5")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    assert "missing, filled in by the model, usually" in detail.inner_text() or "income" in detail.inner_text()
    assert page.locator("#row-5").get_attribute("aria-expanded") == "true"


def test_residuals_that_cancel_are_one_step(opened: Open) -> None:
    residuals = {"log_prior": np.array([7.0, 1.0]), "log_det": np.array([-6.5, 0.5])}
    page = opened(pages.explanation(np.ones((2, 2)), residuals=residuals))
    page.locator("#row-0").click()
    assert page.locator(".waterfall .number").all_inner_texts() == ["0.500", "+1.00", "+1.00", "+0.500", "3.00"]
    assert "log_prior, log_det (net)" in page.locator(".waterfall").inner_text()
    page.locator("#row-1").click()
    steps = ["0.500", "+1.00", "+1.00", "+1.00", "+0.500", "4.00"]
    assert page.locator(".waterfall .number").all_inner_texts() == steps


def test_the_keyboard_reaches_everything_and_shows_where_it_is(opened: Open) -> None:
    page = opened(pages.loans(), viewport={"width": 900, "height": 700})
    reached = []
    for _ in range(16):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.dataset.key || ''"))
        style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert style == "solid" or page.evaluate("document.activeElement.matches('.skip')")
    assert {"theme", "search", "row", "prediction", "row-0"} <= set(reached)


def test_text_of_others_is_inert(opened: Open) -> None:
    e = pages.hostile()
    page = opened(e, options={"title": pages.HOSTILE[0]})
    assert page.title() == pages.HOSTILE[0]
    for row in (0, 1):
        page.locator(f"#row-{row}").click()
        text = page.locator("body").inner_text()
        assert pages.HOSTILE[0] in text
        assert pages.HOSTILE[1] in text
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 1  # the data are gone once they are read
    assert page.locator("th", has_text="__proto__").count() > 0


def test_dark_and_light(opened: Open) -> None:
    def ground(page: Any) -> str:
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    page = opened(pages.loans(), color_scheme="dark")
    dark = ground(page)
    page.get_by_role("button", name="Light").click()
    light = ground(page)
    assert (dark, light) == ("rgb(21, 23, 28)", "rgb(255, 255, 255)")
    assert ground(opened(pages.loans(), color_scheme="light")) == light


def test_several_outputs(opened: Open) -> None:
    rng = np.random.default_rng(4)
    names = tuple(f"class {i}" for i in range(25))
    target = np.arange(60) % 25
    own = opened(pages.explanation(rng.normal(size=(60, 3)), target=target, output_names=names))
    own.locator("#output").select_option("class 3")
    assert own.locator("#status").inner_text() == "3 of 60 rows, page 1 of 1"
    own.get_by_text("All 25 outputs beside each other").click()
    assert own.locator(".matrix tbody tr").count() == 25
    e = pages.explanation(rng.normal(size=(10, 3, 2)), target=None, output_names=("cat", "dog"))
    page = opened(e)
    for output, name in enumerate(e.output_names):
        page.locator("#output").select_option(name)
        assert page.locator("#table .row td.number").first.inner_text() == number(e.prediction[0, output])


def test_images_and_documents(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    page = opened(pages.images())
    page.locator("#row-1").click()
    assert page.get_by_role("img", name="Relevance of row 1").count() == 1
    pixel = "canvas => Array.from(canvas.getContext('2d').getImageData(0, 0, 1, 1).data)"
    e = pages.images()
    red, _, blue, _ = page.get_by_role("img", name="Relevance of row 1").evaluate(pixel)
    assert (red > blue) == (e.values[1, :, 0, 0, 0].sum() > 0)
    page = opened(pages.reviews())
    assert page.locator("#table .snippet").nth(1).inner_text() == "a good phone, good battery"
    page.locator("#row-3").click()
    assert page.locator(".document").inner_text().startswith("awful: awful battery")
    words = page.locator(".document span")
    assert words.all_inner_texts() == list(pages.reviews().text(3)[0])
    assert words.first.evaluate("word => word.style.backgroundColor") != ""
    monkeypatch.setattr("neon.report.documents.MOST_WORDS", 10)
    page = opened(pages.reviews())
    page.locator("#row-3").click()
    assert "The text of this row was left out" in page.locator("#detail").inner_text()


def test_maps_of_all_images(opened: Open) -> None:
    """The mean over every image, whatever the table leaves out; red or blue as its sign says."""
    e = pages.images()
    page = opened(e, options={"max_rows": 2}, color_scheme="light")
    pixels = "canvas => Array.from(canvas.getContext('2d').getImageData(0, 0, 4, 6).data)"
    for output, name in enumerate(e.output_names):
        page.locator("#overview-output").select_option(f"{name} (5 rows)")
        relevance = e.values[..., output].sum(axis=1)
        for which, mean in (
            ("Mean |relevance|", np.abs(relevance).mean(axis=0)),
            ("Mean relevance", relevance.mean(0)),
        ):
            canvas = page.get_by_role("img", name=f"{which} of each pixel", exact=True)
            colors = np.array(canvas.evaluate(pixels)).reshape(6, 4, 4)[..., :3]
            pale = colors.min(axis=2)  # the less of it, the more relevance
            assert pale.argmin() == np.abs(mean).argmax()
            np.testing.assert_array_equal(np.argsort(pale.ravel())[-1], np.abs(mean).argmin())
            if which == "Mean relevance":
                clear = np.abs(mean) > 0.05 * np.abs(mean).max()
                np.testing.assert_array_equal((colors[..., 0] > colors[..., 2])[clear], (mean > 0)[clear])
            caption = page.locator("figure", has=canvas).locator("figcaption").inner_text()
            assert caption.endswith(f"up to {number(np.abs(mean).max())}")


@pytest.mark.parametrize("make", [pages.loans, pages.reviews, pages.images, pages.hostile])
def test_nothing_bars_people(opened: Open, make: Callable[[], Explanation]) -> None:
    """axe-core: names, roles, contrast, the order of headings and the like; light, then dark."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = opened(make(), color_scheme="light")
    page.locator("#row-1").click()
    for theme, options in (("light", {}), ("dark", {"runOnly": ["color-contrast"]})):
        found = axe.run(page, options=options).response
        assert len(found["passes"]) > (20 if theme == "light" else 0)
        wrong = [
            (rule["id"], rule["impact"], [node["html"][:200] for node in rule["nodes"]]) for rule in found["violations"]
        ]
        assert not wrong, theme
        page.locator("#theme").click()


def test_fifty_thousand_rows(opened: Open) -> None:
    values = np.random.default_rng(5).normal(size=(50_000, 6))
    page = opened(pages.explanation(values, data=values))
    assert page.locator("#status").inner_text() == "50,000 of 50,000 rows, page 1 of 2000"
    page.get_by_role("columnheader", name="Prediction").get_by_role("button").click()
    best = np.argsort(-(0.5 + values.sum(axis=1)).astype(np.float32), kind="stable")
    assert labels(page) == [str(row) for row in best[:25]]


@pytest.mark.parametrize("width", [400, 700])
def test_pages_do_not_scroll_sideways(opened: Open, width: int) -> None:
    page = opened(pages.loans(), viewport={"width": width, "height": 800})
    page.locator("#row-0").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("#detail .waterfall").bounding_box()["width"] <= width
