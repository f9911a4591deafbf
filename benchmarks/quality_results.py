"""What the records of `benchmarks.quality` say: ranks, duels, shares and costs, over models and data sets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from benchmarks.cases import DATA, FAMILIES
from benchmarks.records import Record
from neon import evaluate

__all__ = ["GENERAL", "GRADIENT", "JUDGED", "OURS", "REFILLS", "TREES", "Block", "Rank", "Results"]

REFILLS = ("rows", "conditional", "mean")
OURS = ("default_rows", "default", "neon", "shapley", "expected")
JUDGED = OURS[:3]  # what one gets who gives rows, who gives nothing, and the published one-pass rule
GENERAL = (*OURS, "occlusion", "lime", "kernel_shap", "permutation_shap", "random")
GRADIENT = ("gradient_x_input", "sensitivity", "smoothgrad", "integrated_gradients", "expected_gradients")
TREES = ("tree_shap_path", "tree_shap_interventional")

Block = tuple[str, str]
"""A family and a data set."""


@dataclass(frozen=True)
class Rank:
    """A mean rank with its interval; best : whether it is the best one, or not worse than it by the interval."""

    mean: float
    low: float
    high: float
    best: bool

    def __str__(self) -> str:
        mark = "**" if self.best else ""
        return f"{mark}{self.mean:.2f}{mark} ({self.low:.2f}, {self.high:.2f})"


class Results:
    """Scores by family and data set.

    gains : {(family, data): {method: {refill: (n_rows,)}}}, rows of all seeds; a method that is missing in a seed is
    left out of the pair. skipped : {(method, reason): pairs}.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        ordered = sorted(records, key=lambda r: (order(FAMILIES, r["family"]), order(DATA, r["data"]), r["seed"]))
        found: dict[Block, dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
        skipped: dict[tuple[str, str], set[Block]] = defaultdict(set)
        for record in ordered:
            block = record["family"], record["data"]
            if "skipped" in record:
                skipped[record["method"], record["skipped"]].add(block)
            else:
                found[block][record["method"]].append(record)
        self.records: dict[Block, dict[str, list[Record]]] = {}
        for block, by_method in found.items():
            most = max(map(len, by_method.values()))
            self.records[block] = {method: r for method, r in by_method.items() if len(r) == most}
        self.gains = {
            block: {
                method: {refill: np.concatenate([r["srg"][refill] for r in some]) for refill in REFILLS}
                for method, some in by_method.items()
            }
            for block, by_method in self.records.items()
        }
        self.skipped = dict(sorted(skipped.items()))
        self.families = list(dict.fromkeys(family for family, _ in self.gains))
        known = {method for by_method in self.gains.values() for method in by_method}
        self.methods = [method for method in (*OURS, *sorted(known - {*OURS, "random"}), "random") if method in known]
        self.n_seeds = max((record["seed"] for record in ordered), default=-1) + 1

    def blocks(self, methods: Sequence[str]) -> list[Block]:
        """Pairs that all of these methods were measured on."""
        return [block for block, found in self.gains.items() if all(method in found for method in methods)]

    def groups(self) -> dict[str, list[str]]:
        """Methods that are ranked together, on the models that all of them apply to.

        Of the general ones those that were measured on nine tenths of the pairs at least.
        """
        general = [method for method in GENERAL if len(self.blocks([method])) >= 0.9 * len(self.gains)]
        more = {
            "Every model": (),
            "Models with a gradient": GRADIENT,
            "Trees": TREES,
            "At most 10 features": ("exact_shapley",),
        }
        return {name: [*general, *(m for m in some if m in self.methods)] for name, some in more.items()}

    def ranks(
        self, blocks: Sequence[Block], methods: Sequence[str], refills: Sequence[str], n_resamples: int = 4000
    ) -> dict[str, Rank]:
        """Mean ranks of mean SRG over pairs and refills, 1 the largest; data sets are drawn again for the interval."""
        sets = sorted({data for _, data in blocks})
        sums, counts = np.zeros((len(sets), len(methods))), np.zeros(len(sets))
        for block in blocks:
            for refill in refills:
                gains = [self.gains[block][method][refill].mean() for method in methods]
                sums[sets.index(block[1])] += rankdata(-np.array(gains))
                counts[sets.index(block[1])] += 1
        drawn = np.random.default_rng(0).multinomial(len(sets), np.full(len(sets), 1 / len(sets)), n_resamples)
        resampled = drawn @ sums / (drawn @ counts)[:, None]
        mean = sums.sum(0) / counts.sum()
        low, high = np.percentile(resampled, [2.5, 97.5], axis=0)
        behind = np.percentile(resampled - resampled[:, [mean.argmin()]], 2.5, axis=0)
        return {
            method: Rank(*map(float, (mean[m], low[m], high[m])), best=bool(behind[m] <= 0))
            for m, method in enumerate(methods)
        }

    def duel(self, mine: str, theirs: str, refills: Sequence[str], family: str | None = None) -> tuple[int, int, int]:
        """Wins, ties and losses over the pairs that both were measured on."""
        counts = [0, 0, 0]
        for block in self.blocks([mine, theirs]) if mine != theirs else []:
            if family not in (None, block[0]):
                continue
            for refill in refills:
                both = self.gains[block]
                _, low, high = evaluate.mean_interval(both[mine][refill] - both[theirs][refill])
                counts[0 if low > 0 else 2 if high < 0 else 1] += 1
        return counts[0], counts[1], counts[2]

    def share(self, method: str, blocks: Sequence[Block]) -> float:
        """The share of the best method's SRG, mean over pairs and refills where the best is above 0 by its interval."""
        shares = []
        for block in blocks:
            for refill in REFILLS:
                means = {name: rows[refill].mean() for name, rows in self.gains[block].items()}
                best = max(means, key=lambda name: means[name])
                if method in means and evaluate.mean_interval(self.gains[block][best][refill])[1] > 0:
                    shares.append(means[method] / means[best])
        return float(np.mean(shares)) if shares else np.nan

    def scores(self, method: str, name: str, blocks: Iterable[Block]) -> np.ndarray:
        """All rows' numbers of a score."""
        some = [r for block in blocks for r in self.records[block].get(method, ())]
        return np.array([number for record in some for number in record.get(name, ())], dtype=float)

    def median(self, method: str, name: str) -> float:
        """Of a score over all rows, NaN if there are none."""
        numbers = self.scores(method, name, self.gains)
        return float(np.nanmedian(numbers)) if np.isfinite(numbers).any() else np.nan

    def seconds(self, method: str, blocks: Iterable[Block]) -> float:
        """For 1,000 rows, the median over pairs."""
        found = [r["seconds"] for block in blocks for r in self.records[block].get(method, ()) if "seconds" in r]
        return float(np.median(found)) if found else np.nan

    def cost(self, method: str, blocks: Iterable[Block]) -> str:
        seconds = self.seconds(method, blocks)
        return "-" if np.isnan(seconds) else f"{seconds:,.0f}" if seconds >= 10 else f"{seconds:.2g}"


def order(names: Iterable[str], name: str) -> int:
    """The place of a name; names that are not there come last."""
    known = list(names)
    return known.index(name) if name in known else len(known)
