"""The site's parts fit together: pages are listed, links lead somewhere, every public module has its page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

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


def models() -> dict[str, Any]:
    """What the examples of the pages speak of, all of it small."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(54, 4))
    y = np.where(X[:, 0] * X[:, 1] > 0, "yes", "no")
    documents = ["a good film", "a bad film", "good and bad", "bad"] * 3
    cnn = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 10))
    text = torch.nn.Sequential(torch.nn.Embedding(9, 8), torch.nn.Flatten(), torch.nn.Linear(40, 2))
    return {
        "X": X[40:],
        "X_train": X[:40],
        "X_test": X[40:],
        "y_train": y[:40],
        "model": LogisticRegression().fit(X[:40], y[:40]),
        "documents": documents,
        "text_pipeline": make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(
            documents, ["+", "-", "?", "-"] * 3
        ),
        "cnn": cnn.eval(),
        "images": torch.rand(2, 3, 8, 8) * 2 - 1,
        "transformer": text.eval(),
        "token_ids": torch.tensor([[1, 2, 3, 4, 5]]),
    }


@pytest.mark.filterwarnings("ignore:The set_:PendingDeprecationWarning")  # where shap is imported
@pytest.mark.parametrize("name", ["choosing", "concepts", "deep_networks", "fitted_models", "sharing"])
def test_code_runs(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", (DOCS / f"{name}.md").read_text(encoding="utf-8"), re.M | re.S)
    assert blocks
    exec(compile("\n".join(blocks), name, "exec"), models())
    plt.close("all")


def test_llms_txt_names_pages_that_are_there() -> None:
    links = re.findall(r"\]\(([^)]+)\)", (DOCS / "root" / "llms.txt").read_text(encoding="utf-8"))
    sources = [re.sub(r"^_sources/|\.txt$", "", link).replace(".html", ".md") for link in links]
    assert len(sources) > 10
    assert not [source for source in sources if not (ROOT / source).is_file()]
