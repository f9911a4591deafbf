"""The page: one file that asks nobody for anything. Text of others is escaped here, and set as text by the scripts."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from html import escape
from importlib.resources import files
from typing import Any

from neon.report.facts import Check, Facts

__all__ = ["page"]

SCRIPTS = ("format", "data", "draw", "overview", "detail", "table", "start")


def page(title: str, facts: Facts, payload: dict[str, Any]) -> str:
    """Write HTML. Only this style and this script run: their hashes stand in the page's content security policy."""
    style = _file("style.css")
    script = '"use strict";\n{\n' + "\n".join(_file(f"{name}.js") for name in SCRIPTS) + "}\n"
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<style>{style}</style>
</head>
<body>
<a class="skip" href="#rows">Skip to the rows</a>
<header>
<h1 dir="auto">{escape(title)}</h1>
<button type="button" id="theme">Dark</button>
</header>
<main>
<section aria-labelledby="explained-title">
<h2 id="explained-title">What was explained</h2>
<dl>{_pairs(facts.explained)}</dl>
</section>
<section aria-labelledby="checks-title">
<h2 id="checks-title">Checks</h2>
<ul class="checks">{"".join(map(_check, facts.checks))}</ul>
{_residuals(facts.residuals)}
</section>
<noscript><p class="note">The overview and the table of rows need JavaScript, which is switched off here.</p></noscript>
<section id="overview" aria-labelledby="overview-title" hidden>
<h2 id="overview-title">What matters over all rows</h2>
<div id="overview-body"></div>
</section>
<section id="rows" aria-labelledby="rows-title" tabindex="-1" hidden>
<h2 id="rows-title">Rows</h2>
{f'<p class="note">{escape(facts.left_out)}</p>' if facts.left_out else ""}
<div id="rows-body"></div>
</section>
</main>
<script type="application/json" id="data">{_json(payload)}</script>
<script>{script}</script>
</body>
</html>
"""


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    return "".join(f'<div><dt>{escape(name)}</dt><dd dir="auto">{escape(text)}</dd></div>' for name, text in pairs)


def _check(check: Check) -> str:
    look, sign, word = {
        True: ("passed", "✓", "Passed"),
        False: ("failed", "✗", "Failed"),
        None: ("open", "–", "Not checked"),
    }[check.passed]
    return (
        f'<li class="{look}"><span class="sign" aria-hidden="true">{sign}</span>'
        f"<span><strong>{word}.</strong> <bdi>{escape(check.text)}</bdi></span></li>"
    )


def _residuals(found: list[tuple[str, str, str]]) -> str:
    if not found:
        return "<p>Every part of each prediction belongs to the base value or to a feature.</p>"
    rows = "".join(
        f'<tr><th scope="row"><bdi>{escape(name)}</bdi></th><td>{escape(words)}</td>'
        f'<td class="number">{escape(mean)}</td></tr>'
        for name, words, mean in found
    )
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Residuals"><table class="plain">'
        "<caption>Parts of the prediction that no feature owns</caption>"
        '<thead><tr><th scope="col">Residual</th><th scope="col">What it holds</th>'
        f'<th scope="col" class="number">Mean size</th></tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _json(payload: dict[str, Any]) -> str:
    """JSON that no text can end: without "<", ">" and "&", in ASCII."""
    text = json.dumps(payload, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _file(name: str) -> str:
    return files("neon.report").joinpath("page", name).read_text(encoding="utf-8")
