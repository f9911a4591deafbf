"""The tutorials run from the first cell to the last, as notebooks."""

from __future__ import annotations

from pathlib import Path

import jupytext
import nbclient
import pytest

TUTORIALS = sorted((Path(__file__).parent.parent / "tutorials").glob("*.py"))


@pytest.mark.filterwarnings("ignore")  # the notebook machinery's own deprecations; the cells run in another process
@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_tutorial(path: Path) -> None:
    notebook = jupytext.read(path)
    assert notebook.metadata["kernelspec"]["language"] == "python"  # the site colours its code
    nbclient.NotebookClient(notebook, timeout=None, kernel_name="python3").execute()
    images = [
        output
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]
    assert len(images) >= 4
