"""The benchmark of quality: data sets and models, what a record holds, and a page from records that are made up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import cases, pages, quality, records
from benchmarks.quality_page import figure, frontier, page, summary
from benchmarks.quality_results import GENERAL, OURS, REFILLS, Results

# The gain of each method: default_rows and KernelSHAP are the best, random the last.
GAINS = {name: 10.0 - place for place, name in enumerate(GENERAL)} | {"kernel_shap": 10.0, "random": 0.0}


def record(family: str, data: str, method: str, seed: int = 0, **other: Any) -> dict[str, Any]:
    noise = np.linspace(-1, 1, 6)
    rows = [GAINS[method] + 0.1 * x for x in noise]
    found = {"family": family, "data": data, "seed": seed, "method": method, "srg": dict.fromkeys(REFILLS, rows)}
    return found | {"conservation": [1e-3] * 6, "positivity": [0.5] * 6, "seconds": GAINS[method] + 1} | other


def made_up() -> list[dict[str, Any]]:
    found = [
        record(family, data, method, seed)
        for family in ("KMeans (4)", "SVC")
        for data in ("wine", "clusters", "election")
        for method in GENERAL
        for seed in (0, 1)
    ]
    reason = "ValueError: all subsets of at most 10 features can be asked for, got ({},)"
    return found + [
        {"family": "SVC", "data": data, "seed": 0, "method": "exact_shapley", "skipped": reason.format(d)}
        for data, d in (("wine", 13), ("clusters", 12))
    ]


def test_ranks_duels_and_shares_by_hand() -> None:
    results = Results(made_up())
    assert results.methods == [*OURS, "kernel_shap", "lime", "occlusion", "permutation_shap", "random"]
    assert results.gains["SVC", "wine"]["default"]["rows"].shape == (12,)
    ranks = results.ranks(results.blocks(GENERAL), GENERAL, REFILLS)
    assert ranks["default_rows"].mean == ranks["kernel_shap"].mean == 1.5
    assert ranks["default"].mean == 3
    assert ranks["random"].mean == 10
    assert [name for name in GENERAL if ranks[name].best] == ["default_rows", "kernel_shap"]
    assert results.duel("default_rows", "kernel_shap", REFILLS) == (0, 18, 0)
    assert results.duel("neon", "random", ["rows"]) == (6, 0, 0)
    assert results.duel("neon", "default", ["rows"], "SVC") == (0, 0, 3)
    assert results.share("default", list(results.gains)) == pytest.approx(9 / 10)
    assert results.seconds("expected", list(results.gains)) == 7
    shares = {"dear": 0.9, "cheap": 0.8, "dearer": 0.85}
    costs = {"cheap": 1.0, "dear": 2.0, "dearer": 3.0}

    class Priced(Results):
        def seconds(self, method: str, blocks: Any) -> float:
            return costs[method]

    assert frontier(Priced([]), shares, []) == ["cheap", "dear"]


def test_methods_that_are_missing_in_a_seed_are_left_out() -> None:
    found = [record("SVC", "wine", method, seed) for method in ("neon", "random") for seed in (0, 1)]
    results = Results([*found, record("SVC", "wine", "lime")])
    assert results.blocks(["neon", "lime"]) == []


def test_the_page_says_what_was_found(tmp_path: Path) -> None:
    text = page(made_up())
    assert "| default_rows | **1.50** (1.50, 1.50) |" in text
    assert "| SVC | none | default_rows 0/0/9, kernel_shap 0/0/9 |" in text  # what the default loses to
    assert "- exact_shapley, 2 pairs (SVC): ValueError: all subsets of at most 10 features" in text
    assert "2 model families on 3 data sets (wine, election, clusters): 6 pairs" in text
    assert "| default_rows | **1.50** (1.50, 1.50) | **1.50** (1.50, 1.50) | 11 | 0.001 |" in summary(made_up())
    figure(made_up(), tmp_path / "plane.svg")
    drawn = (tmp_path / "plane.svg").read_text()
    assert len(drawn) < 200_000
    assert "shapley" in drawn


def test_sections_are_replaced(tmp_path: Path) -> None:
    where = tmp_path / "page.md"
    where.write_text("# Title\n\nbefore\n\nafter\n")
    for text in ("first\n", "second\n"):
        pages.write_section(where, "<!-- a -->", text)
    pages.write_section(where, "<!-- b -->", "third\n")
    assert where.read_text().split() == (
        [
            "#",
            "Title",
            "before",
            "after",
            "<!--",
            "a",
            "-->",
            "second",
            "<!--",
            "end",
            "-->",
            "<!--",
            "b",
            "-->",
            "third",
            "<!--",
            "end",
            "-->",
        ]
    )


def test_readme_has_a_place_for_its_table() -> None:
    assert (quality.ROOT / "README.md").read_text().count(quality.BEGIN) == 1


def test_a_record_has_every_score() -> None:
    found = quality.measured("GaussianMixture (4)", "clusters", 0, ["neon", "random", "exact_shapley"], 5, 2)
    ours, null, exact = found
    assert "at most 10 features" in exact["skipped"]
    assert all(len(ours["srg"][refill]) == 5 for refill in REFILLS)
    assert max(ours["conservation"]) < 1e-9 < min(null["conservation"])
    assert max(ours["residual_share"]) < 1
    assert "residual_share" not in null
    assert np.mean(ours["auroc"]) > 0.8 > np.mean(null["auroc"])
    assert ours["seconds"] > null["seconds"] > 0
    assert len(ours["continuity"]) == 2
    json.dumps(found)


def test_what_was_measured_is_not_measured_again(tmp_path: Path) -> None:
    file = tmp_path / "build" / "found.jsonl"

    def measure(number: int) -> list[dict[str, int]]:
        return [{"number": number, "square": number**2}]

    records.gathered(measure, [(2,), (3,)], file, 1)
    records.gathered(measure, [(5,)], file, 1, seconds=-1)  # too late
    assert records.known(file, ["number"]) == {(n,): {"number": n, "square": n * n} for n in (2, 3)}
    assert records.known(file, ["number"], fresh=True) == {}


@pytest.mark.parametrize("name", list(cases.DATA))
def test_data_sets(name: str) -> None:
    try:
        part = cases.split(name, 6, seed=1)
    except cases.Missing as missing:
        pytest.skip(str(missing))
    assert part.explained.shape == (6, part.fitted.shape[1])
    assert np.isfinite(part.fitted).all()
    assert len(part.fitted) >= 100
    assert part.truth is None or (part.truth.shape == part.explained.shape and part.truth.any(1).all())
    for target in part.targets.values():
        assert target is None or len(target) == len(part.fitted)
    assert any(quality.applies(family, name) for family in cases.FAMILIES)


def test_other_seeds_are_other_rows_and_other_models() -> None:
    one, other = (cases.split("wine", 6, seed=seed) for seed in (0, 1))
    assert not np.array_equal(one.explained, other.explained)
    family = cases.FAMILIES["RandomForestClassifier"]
    assert family.fitted(one, 3).random_state == 3
