"""The tutorials run from the first cell to the last, as notebooks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import jupytext
import nbclient
import pytest

TUTORIALS = {path.stem: path for path in sorted((Path(__file__).parent.parent / "tutorials").glob("*.py"))}

# What takes long in them, and what is put in its place, so that every cell runs; as they are written, they run nightly.
SHORTER: dict[str, dict[str, str]] = {
    "deployment": {"sizes = [1, 4, 16, 64, 250]": "sizes = [64, 250]", "n_calls=100": "n_calls=10"},
    "lrp_overview": {"1100": "250"},
    "text_token_by_token": {"epochs=25": "epochs=5"},
    "trees": {'"n_estimators": 300': '"n_estimators": 40', "repeats=3": "repeats=1"},
}


# The notebook machinery's own deprecations are ignored; the cells run in another process.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", TUTORIALS)
def test_tutorial(name: str) -> None:
    run(name, SHORTER.get(name, {}))


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SHORTER)
def test_the_whole_tutorial(name: str) -> None:
    run(name, {})


def run(name: str, instead: Mapping[str, str]) -> None:
    notebook = jupytext.read(TUTORIALS[name])
    assert notebook.metadata["kernelspec"]["language"] == "python"  # the site colours its code
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for long, short in instead.items():
        assert any(long in cell.source for cell in code), long
        for cell in code:
            cell.source = cell.source.replace(long, short)
    nbclient.NotebookClient(notebook, timeout=None, startup_timeout=600, kernel_name="python3").execute()
    images = [output for cell in code for output in cell.outputs if "image/png" in output.get("data", {})]
    assert len(images) >= 4
