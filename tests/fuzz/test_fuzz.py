"""Drawn models, rows and options: a right answer, or an error in words that a caller can act upon.

``pytest -m fuzz --fuzz-minutes 20 --fuzz-seed 7`` runs the machine for that long; the suite runs a few examples.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
import pickle
import tempfile
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from math import factorial
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from scipy import sparse
from sklearn.base import is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.metrics.pairwise import pairwise_kernels
from sklearn.svm import SVR

import neon
from neon.errors import UnsupportedModelError, UnsupportedOperationError
from neon.explainer.placement import as_array
from neon.nn import Linear
from neon.nn.shapley.nodes import LOG_TOLERANCE
from tests.fuzz.models import subjects
from tests.fuzz.tables import ORDINARY, rows_of

SAID = (ValueError, TypeError, NotFittedError, UnsupportedModelError, UnsupportedOperationError)
COMPOSITES = ["neon", "shapley", "expected", "banzhaf", "epsilon", "occlusion", "no such"]
OUTPUTS = ["decision_function", "probability", "log_odds", "outlierness", "predict", "no such"]


class Refused(Exception):
    """What was asked for cannot be, and the error said so."""


def said(error: Exception, *, ordinary: bool = False) -> Refused:
    """An error that a caller can act upon; anything else is a fault of neon."""
    words = str(error)
    if not isinstance(error, SAID) or len(words.split()) < 3 or (ordinary and "please report" in words):
        raise error
    return Refused(words)


def explained(
    explainer: neon.Explainer, rows: Any, target: Any = None, *, ordinary: bool = False, **options: Any
) -> Any:
    """An explanation that is finite and adds up, of rows and a model that nobody has written to."""
    before = copy.deepcopy(rows)
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            found = explainer(rows, target, **options)
    except Exception as error:
        raise said(error, ordinary=ordinary) from error
    assert unchanged(rows, before)
    infinite = getattr(explainer.network, "infinite", False)
    shown = np.isfinite(found.prediction) if infinite else np.full(np.shape(found.prediction), True)
    if any("are rounding" in str(warning.message) for warning in told):
        return found
    assert np.isfinite(found.prediction[shown]).all()
    if found.values.ndim == 2:
        values, size = found.values[shown], np.abs(found.values[shown]).sum(1)
    else:
        values, size = found.values.swapaxes(1, 2)[shown], np.abs(found.values.swapaxes(1, 2)[shown]).sum(-1)
    assert np.isfinite(values).all()
    total = found.base_values + found.values.sum(1) + sum(found.residuals.values())
    parts = size + sum(np.abs(part[shown]) for part in found.residuals.values())
    size = np.maximum(parts, np.abs(np.broadcast_to(found.base_values, shown.shape)[shown]))
    gap = np.abs(total - found.prediction)[shown]
    eps = torch.finfo(explainer.dtype).eps
    allowed = 2**12 * eps * np.maximum(size, np.abs(found.prediction[shown])) + 1e-300
    if (gap > allowed).any():
        allowed = allowed + 2**12 * rounding(explainer, before)
    if (gap > allowed).any() and not explainer.composite.startswith("neon"):
        allowed = allowed + np.exp(LOG_TOLERANCE) * size  # of Shapley values of kernels, which take no more nodes
    assert (gap <= allowed).all(), (gap.max(), np.max(allowed))
    return found


def rounding(explainer: neon.Explainer, rows: Any) -> float:
    """What rounding may do to an output: it moves where each number of a row does in its last place, and by a last
    place of the largest number that the network computes for the rows or reference rows, or adds up, whatever cancels.

    No algorithm has fewer errors; of those that a warning names nothing is compared at all.
    """
    network: Any = explainer.network
    dtype, numbers = explainer.dtype, as_array(network.intake.read(network.intake.given(rows)[0]))
    largest = 1.0  # labels, log-odds, distances in units of a bandwidth: nothing here is measured in smaller ones

    def keep(module: torch.nn.Module, given: Any, found: Any) -> None:
        nonlocal largest
        parts = [found]
        if isinstance(module, Linear):
            parts.append(given[0].abs() @ module.weight.abs().T)
        for part in filter(torch.is_tensor, parts):
            largest = max(largest, float(part.abs().nan_to_num(nan=0.0, posinf=0.0).max()) if part.numel() else 0.0)

    def outputs(numbers: np.ndarray) -> np.ndarray:
        x = torch.as_tensor(np.ascontiguousarray(numbers)).to(dtype)
        with torch.no_grad():
            return np.asarray(network(x), dtype=float)

    hooks = [module.register_forward_hook(keep) for module in network.layers.modules()]
    at = outputs(numbers)
    reference = getattr(explainer._reference, "rows", explainer._reference)
    if torch.is_tensor(reference):
        outputs(as_array(reference))
    for hook in hooks:
        hook.remove()
    eps = torch.finfo(dtype).eps
    # A last place may be lost in what the network adds to it: then half of the places move, and count in proportion.
    found = moved(outputs, numbers, at, eps) or moved(outputs, numbers, at, eps**0.5) * eps**0.5
    return max(found, eps * largest)


def moved(outputs: Any, numbers: np.ndarray, at: np.ndarray, step: float) -> float:
    """By how much outputs move at most where each number of a row does by a step, relatively, up or down."""
    random = np.random.default_rng(0)
    found = [outputs(numbers * (1 + step * random.choice([-1, 1], numbers.shape))) - at for _ in range(8)]
    return float(np.abs(np.nan_to_num(found, nan=0.0, posinf=0.0, neginf=0.0)).max(initial=0.0))


def unchanged(rows: Any, before: Any) -> bool:
    """Whether nobody has written to rows, of whatever kind."""
    if hasattr(rows, "equals"):
        return bool(rows.equals(before))
    if sparse.issparse(rows):
        return bool((rows != before).nnz == 0) or bool(np.isnan(rows.data).any())
    rows, before = np.asarray(rows), np.asarray(before)
    if rows.dtype == object:
        return bool(((rows == before) | ((rows != rows) & (before != before))).all())  # NaN is none of its equals
    return rows.tobytes() == before.tobytes()


class Explaining(RuleBasedStateMachine):
    """A model, an explainer of it, and what is asked of that."""

    @initialize(data=st.data())
    def fit(self, data: st.DataObject) -> None:
        self.name, self.model, self.table, self.y, options = data.draw(subjects())
        hypothesis.note(f"{self.name}: {self.model!r} on {type(self.table).__name__} {self.table[:3]!r}")
        self.options = {k: v for k, v in options.items() if k != "composite"}
        self.explainer = self.made({})

    def made(self, options: dict[str, Any]) -> neon.Explainer | None:
        """An explainer; by default there is one of whatever the one-pass rule explains."""
        try:
            return neon.Explainer(self.model, progress=False, **self.options, **options)
        except Exception as error:
            refused = said(error)
            if not options:
                try:
                    neon.Explainer(self.model, composite="neon", progress=False, **self.options)
                except SAID:
                    return None
                raise AssertionError(f"refused by default, not by 'neon': {refused}") from error
            return None

    def drawn(self, data: st.DataObject, *, faults: bool = True) -> tuple[str, Any]:
        kind, rows = rows_of(data.draw, self.table, faults=faults)
        hypothesis.note(f"{kind}: {rows!r}")
        return kind, rows

    def slack(self, rows: Any) -> Callable[[], float]:
        """By how much answers about the rows may differ where the same is computed in another order."""
        return lambda: 2**12 * rounding(self.explainer, rows)

    def target(self) -> Any:
        """None where the model has one answer, else all of them."""
        assert self.explainer is not None
        network: Any = self.explainer.network
        return None if network.classes is not None or len(network.output_names) == 1 else "all"

    @precondition(lambda self: self.explainer is not None)
    @rule(data=st.data())
    def any_rows(self, data: st.DataObject) -> None:
        """A right answer or words; what was explained by default is what the model predicts."""
        kind, rows = self.drawn(data)
        ordinary = kind in ORDINARY
        try:
            found = explained(self.explainer, rows, self.target(), ordinary=ordinary)
        except Refused as refused:
            if ordinary:
                with contextlib.suppress(Refused, *SAID):
                    explained(neon.Explainer(self.model, composite="neon", **self.options), rows, self.target())
                    raise AssertionError(f"refused by default, not by 'neon': {refused}") from refused
            return
        if not ordinary or not len(found) or sparse.issparse(rows):  # of which scalers take none
            return
        network: Any = self.explainer.network
        own = network.own(network.intake.given(rows)[0]).reshape(network.answers(network.encode(rows)).shape)
        predicts = "predict" in network.gives  # of Poisson regression what is explained is the logarithm of the mean
        if is_regressor(self.model) and found.prediction.ndim == 1 and not self.options and predicts:
            wanted, slack = np.ravel(self.model.predict(network.intake.given(rows)[0])), self.slack(rows)
            atol = 1e-6 * max(1.0, float(np.abs(own).max())) + slack()
            np.testing.assert_allclose(found.prediction, wanted, rtol=0, atol=atol)
        elif is_classifier(self.model) and hasattr(self.model, "predict") and found.target is not None:
            labels = self.model.predict(network.intake.given(rows)[0])
            top = np.sort(own, axis=-1)
            clear = top[:, -1] - top[:, -2] > 1e-6 * np.abs(top).max() if own.shape[-1] > 1 else np.full(len(own), True)
            if np.ndim(labels) == 1 and np.ndim(found.target) == 1:
                explained_as = np.asarray(network.classes)[found.target].astype(str)
                assert (explained_as == labels.astype(str))[clear].all()

    @precondition(lambda self: self.explainer is not None)
    @rule(data=st.data())
    def any_options(self, data: st.DataObject) -> None:
        """Options that go together or do not."""
        options: dict[str, Any] = {}
        if data.draw(st.booleans()):
            options["composite"] = data.draw(st.sampled_from(COMPOSITES))
        if data.draw(st.booleans()) and "output" not in self.options:
            options["output"] = data.draw(st.sampled_from(OUTPUTS))
        if data.draw(st.booleans()) and "reference" not in self.options:
            options["reference"] = self.drawn(data)[1]
        hypothesis.note(f"options {options!r}")
        explainer = self.made(options)
        if explainer is None:
            return
        _, rows = self.drawn(data)
        target = data.draw(st.sampled_from([None, "all", 0, -1, 99, "no such", 1.5, [0], (0, 1), ("a", "b"), np.nan]))
        order = data.draw(st.sampled_from([False, False, True, 3, "x"]))
        try:
            explained(explainer, rows, target, interactions=order)
        except Refused:
            return

    @precondition(lambda self: self.explainer is not None)
    @rule(data=st.data())
    def the_same_again(self, data: st.DataObject) -> None:
        """Rows in another order, in batches, alone, from a copy, from a file, in a frame."""
        _, rows = self.drawn(data, faults=False)
        try:
            found = explained(self.explainer, rows, self.target())
        except Refused:
            return
        again = pickle.loads(pickle.dumps(self.explainer))
        np.testing.assert_array_equal(explained(again, rows, self.target()).values, found.values)
        n, slack = len(found), self.slack(rows)
        order = np.random.default_rng(n).permutation(n)
        if not isinstance(rows, list):
            taken = rows.iloc[order] if hasattr(rows, "iloc") else rows[order]
            same_explanation(explained(self.explainer, taken, self.target()), found, order, slack)
            alone = rows.iloc[[0]] if hasattr(rows, "iloc") else rows[[0]]
            same_explanation(explained(self.explainer, alone, self.target()), found, np.array([0]), slack)
        small = self.made({"batch_size": 3})
        same_explanation(explained(small, rows, self.target()), found, np.arange(n), slack)
        with ThreadPoolExecutor(3) as pool:
            for other in pool.map(lambda _: self.explainer(rows, self.target()), range(3)):
                np.testing.assert_array_equal(other.values, found.values)
        if found.target is not None and found.values.ndim == 2:
            every = explained(self.explainer, rows, "all")
            each = np.arange(n)
            same_explanation(every, found, each, slack, lambda part: part[each, ..., found.target])
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "explanation.neon"
            found.save(path)
            np.testing.assert_array_equal(neon.Explanation.load(path).values, found.values)
        if isinstance(rows, pd.DataFrame):
            try:
                table = self.explainer.explain_frame(rows, self.target())
            except Exception as error:
                raise said(error) from error
            np.testing.assert_array_equal(table["prediction"].to_numpy().ravel(), np.ravel(found.prediction))
            assert all((str(found), repr(found), found._repr_html_()))

    @precondition(lambda self: self.explainer is not None)
    @rule(data=st.data())
    def single_precision(self, data: st.DataObject) -> None:
        """In float32 as well, what is explained adds up."""
        explainer = self.made({"dtype": torch.float32})
        assert explainer is not None
        with contextlib.suppress(Refused):
            explained(explainer, self.drawn(data, faults=False)[1], self.target())

    @precondition(lambda self: self.explainer is not None)
    @rule(data=st.data())
    def fitted_anew(self, data: st.DataObject) -> None:
        """An explainer is of the model that it was made of, or says that it cannot be."""
        model = copy.deepcopy(self.model)
        explainer = neon.Explainer(model, progress=False, **self.options)
        rows = self.drawn(data, faults=False)[1]
        try:
            found = explained(explainer, rows, self.target())
        except Refused:
            return
        half = np.arange(len(self.table)) % 2 == data.draw(st.integers(0, 1))
        table = self.table[half]
        try:
            model.fit(table, None if self.y is None else np.asarray(self.y)[half])
        except Exception:
            return  # the library's own: one class, too few rows
        with contextlib.suppress(Refused):
            np.testing.assert_array_equal(explained(explainer, rows, self.target()).values, found.values)
        with contextlib.suppress(*SAID):
            anew = neon.Explainer(model, progress=False, **self.options)
            anew(rows, "all" if self.target() == "all" else None)

    @rule(data=st.data())
    def all_subsets(self, data: st.DataObject) -> None:
        """Shapley values are the sum over all subsets of the model's own values, on tables of their own."""
        name, model, table, _, _ = data.draw(subjects(exact=True))
        joint = name not in ("svr", "square", "process")  # kernels are averaged feature by feature: one row is one row
        references = table[: data.draw(st.integers(1, 3)) if joint else 1]
        rows = table[-2:]
        hypothesis.note(f"{model!r} at {rows!r} from {references!r}")
        try:
            explainer = neon.Explainer(model, composite="shapley", reference=references, progress=False)
            found = explained(explainer, rows)
        except Refused:
            return
        except Exception as error:
            said(error)
            return
        wanted = brute_force(model, np.asarray(rows, float), np.asarray(references, float), table)
        slack = sum(np.abs(part).max() for part in found.residuals.values())
        slack += 2**12 * of_model(model, np.concatenate([rows, references]), table)
        scale = max(np.abs(wanted).max(), np.abs(found.prediction).max(), np.abs(found.base_values).max(), 1e-300)
        rounding = 1e-5 if name in ("xgboost",) else 1e-6
        np.testing.assert_allclose(found.values, wanted, rtol=0, atol=rounding * scale + slack)


def of_model(model: Any, rows: np.ndarray, table: Any) -> float:
    """By how much rounding moves the model's own predictions: as for the network in `rounding`."""

    def outputs(rows: np.ndarray) -> np.ndarray:
        return np.asarray(
            model.predict(pd.DataFrame(rows, columns=table.columns) if hasattr(table, "columns") else rows)
        )

    eps, terms, rows = float(np.finfo(float).eps), 0.0, np.asarray(rows, dtype=float)
    estimator = model[-1] if hasattr(model, "steps") else model
    if isinstance(estimator, SVR):  # a sum of kernels, of which much may cancel
        kernel = {"gamma": estimator._gamma, "degree": estimator.degree, "coef0": estimator.coef0}
        vectors = np.abs(estimator.support_vectors_)
        K = pairwise_kernels(vectors, np.abs(rows), metric=estimator.kernel, filter_params=True, **kernel)
        terms = float((np.abs(estimator.dual_coef_) @ K).max(initial=0.0))
    return max(moved(outputs, rows, outputs(rows), eps), eps * terms)


def brute_force(model: Any, rows: np.ndarray, references: np.ndarray, table: Any) -> np.ndarray:
    """``Σ_S |S|! (n - |S| - 1)! / n! (v(S ∪ i) - v(S))``, v the mean over the references."""
    n = rows.shape[1]

    def value(row: np.ndarray, present: tuple[int, ...]) -> float:
        mixed = references.copy()
        mixed[:, list(present)] = row[list(present)]
        mixed = pd.DataFrame(mixed, columns=table.columns) if hasattr(table, "columns") else mixed
        return float(np.mean(model.predict(mixed), dtype=float))

    found = np.zeros(rows.shape)
    for r, row in enumerate(rows):
        for size in range(n):
            weight = factorial(size) * factorial(n - size - 1) / factorial(n)
            for i in range(n):
                for present in itertools.combinations([j for j in range(n) if j != i], size):
                    found[r, i] += weight * (value(row, (*present, i)) - value(row, present))
    return found


def same_explanation(
    found: Any, whole: Any, order: np.ndarray, slack: Callable[[], float], take: Any = lambda part: part
) -> None:
    size = max(float(np.abs(np.where(np.isfinite(part), part, 0.0)).max()) for part in (whole.values, whole.prediction))
    for part in ("values", "prediction"):
        one, other = take(getattr(found, part)), getattr(whole, part)[order]
        if not np.allclose(one, other, rtol=0, atol=1e-7 * size):
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-7 * size + slack())


def run(seed: int, examples: int, steps: int) -> None:
    hypothesis.seed(seed)(Explaining)
    options = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, derandomize=False, database=None,
        suppress_health_check=list(HealthCheck), report_multiple_bugs=False, phases=[Phase.generate, Phase.shrink],
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run_state_machine_as_test(Explaining, settings=options)


def test_a_few_draws() -> None:
    run(seed=0, examples=3, steps=3)


@pytest.mark.fuzz
def test_fuzz(request: pytest.FixtureRequest) -> None:
    minutes, seed = request.config.getoption("fuzz_minutes"), request.config.getoption("fuzz_seed")
    end, rounds = time.monotonic() + 60 * minutes, 0
    while time.monotonic() < end:
        run(seed + rounds, examples=20, steps=8)
        rounds += 1
    print(f"{rounds} rounds of 20 models from seed {seed}")
