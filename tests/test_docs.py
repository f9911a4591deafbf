"""The site's parts fit together: pages are listed, links lead somewhere, every public module has its page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.test_surface import MODULES

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), *ROOT.glob("*.md"), ROOT / "benchmarks/README.md", ROOT / "data/README.md"])


def prose(page: Path) -> str:
    """A page without its code."""
    return re.sub(r"^```.*?^```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", prose(page))
    assert not [link for link in links if not (page.parent / link).exists()]


def test_every_page_is_listed() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8").splitlines()
    assert not [page.stem for page in DOCS.glob("*.md") if page.stem != "index" and page.stem not in index]


def test_every_public_module_has_a_page() -> None:
    pages = {page.stem: page.read_text(encoding="utf-8") for page in (DOCS / "api").glob("*.md")}
    for module in MODULES:
        assert f".. automodule:: {module}\n" in pages[module.rpartition(".")[2]]


@pytest.mark.parametrize("name", ["concepts"])
def test_code_runs(name: str) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", (DOCS / f"{name}.md").read_text(encoding="utf-8"), re.M | re.S)
    assert blocks
    exec(compile("\n".join(blocks), name, "exec"), {"__name__": name})


def test_llms_txt_names_pages_that_are_there() -> None:
    links = re.findall(r"\]\(([^)]+)\)", (DOCS / "root" / "llms.txt").read_text(encoding="utf-8"))
    sources = [re.sub(r"^_sources/|\.txt$", "", link).replace(".html", ".md") for link in links]
    assert len(sources) > 10
    assert not [source for source in sources if not (ROOT / source).is_file()]
