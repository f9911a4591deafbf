"""Settings of the documentation site; CONTRIBUTING.md has the command that builds it.

Its sources are the pages where they stand in the repository, so that links work there as well, and the tutorials, which
are notebooks. Nothing is fetched from a network, neither while it is built nor by who reads it.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx

import neon

project = "neon"
copyright = "The neon developers, BSD-3-Clause"  # Sphinx's name for it
version = release = neon.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
]
root_doc = "docs/index"
include_patterns = [
    "docs/**.md",
    "tutorials/*.py",
    "benchmarks/README.md",
    "data/README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "README.md",
]
exclude_patterns = [".*", "build", "dist", "neon", "tests", "venv"]
default_role = "py:obj"  # `Explainer` in a docstring is a link where there is such a page
suppress_warnings = ["ref.python"]  # `labels` is none where several classes have it

myst_enable_extensions = ["dollarmath", "html_image"]
myst_heading_anchors = 3
nb_custom_formats = {".py": ["jupytext.reads", {"fmt": "py:percent"}]}
nb_execution_mode = "cache"  # a tutorial is run anew when its code changed
nb_execution_cache_path = "build/tutorials"
nb_execution_timeout = -1
nb_execution_raise_on_error = True

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # types stand in the docstrings, in words
autosummary_generate = False
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
maximum_signature_line_length = 100

html_theme = "furo"
html_title = f"neon {release}"
html_math_renderer = "mathml"
html_extra_path = ["root"]  # index.html, which leads to the first page, and llms.txt
html_static_path = ["static"]
html_css_files = ["neon.css"]


def inline_math(page: Any, node: nodes.math) -> None:
    """A formula in a line, as MathML: browsers draw it by themselves."""
    page.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def display_math(page: Any, node: nodes.math_block) -> None:
    """A formula that stands by itself."""
    page.body.append(f'<div class="math">{tex2mathml(node.astext(), as_block=True)}</div>')
    raise nodes.SkipNode


def as_written(app: Sphinx, what: str, name: str, of: object, options: object, lines: list[str]) -> None:
    """What docstrings mean where reStructuredText reads something else: ``|x|``, ``*args``, names with a line each."""
    for number, line in enumerate(lines):
        words = re.split(r"(`[^`]*`)", line)  # what stands between backticks stays
        words[::2] = [re.sub(r"\||(?<![\w\\])\*(?=\*?\w)(?!\*?[^*]*\w\*)", r"\\\g<0>", text) for text in words[::2]]
        lines[number] = re.sub(r"^([A-Za-z]\w*(?:, \w+)*) : ", r"*   **\1**: ", "".join(words))


def setup(app: Sphinx) -> None:
    app.add_html_math_renderer("mathml", (inline_math, None), (display_math, None))
    app.connect("autodoc-process-docstring", as_written, priority=501)  # behind napoleon
