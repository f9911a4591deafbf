"""Every command line of README.md and docs/ runs as it stands, in a folder with the files that it names."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pandas as pd
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from neon.cli import main

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "data/README.md"]
COMMAND = r"neon (?:demo|explain|show)\b"


def commands_of(page: Path) -> list[str]:
    """In blocks of bash, and in code within a line, which may go on in the next one."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```bash\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = re.findall(rf"(?:^|/|&& )({COMMAND}[^\n&]*)", "\n".join(blocks).replace("\\\n", " "), re.MULTILINE)
    within = re.findall(rf"`({COMMAND}[^`]*)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    # a word alone names a command, and "..." leaves something out
    whole = [" ".join(command.split()) for command in [*lines, *within] if "…" not in command and "..." not in command]
    return [command for command in whole if len(command.split()) > 2 or command == "neon demo"]


COMMANDS = sorted({command for page in PAGES for command in commands_of(page)})


def test_there_are_some() -> None:
    assert {command.split()[1] for command in COMMANDS} == {"demo", "explain", "show"}
    assert len(COMMANDS) >= 4


@pytest.mark.parametrize("command", COMMANDS)
def test_it_runs(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    X = pd.read_csv(ROOT / "data/wine.csv")
    y = pd.Series((X["alcohol"] > 13).map({True: "default", False: "paid"}))
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    if "sensors.csv" in command:
        table = pd.read_csv(ROOT / "data/sensors.csv")
        good = table[table["corrupted"] == "none"].drop(columns="corrupted")
        model = make_pipeline(StandardScaler(), OneClassSVM(nu=0.05)).fit(good)
    skops.io.dump(model, "model.skops")
    X.to_csv("data.csv", index=False)
    Path("customers").mkdir()
    X.assign(customer_id=range(len(X))).to_parquet("customers/2024.parquet")
    shutil.copytree(ROOT / "data", "data", ignore=shutil.ignore_patterns("*.py"))
    _, *arguments = shlex.split(command)
    try:
        code = main(arguments)
    except SystemExit as stop:
        code = int(stop.code or 0)
    assert code == 0
    for option in ("-o", "--out", "--plot", "--report"):
        if option in arguments:
            assert Path(arguments[arguments.index(option) + 1]).exists()
