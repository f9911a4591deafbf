"""Torch modules without the direction of an artifact, against the textbook form at the layer itself."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

import neon
from neon.artifacts.direction import direction_of

torch.manual_seed(0)
NET = torch.nn.Sequential(
    torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Flatten(),
    torch.nn.Linear(36, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3),
).double()  # fmt: skip
CLEAN = torch.rand(40, 1, 6, 6, dtype=torch.float64)
MARKED = torch.rand(30, 1, 6, 6, dtype=torch.float64)
MARKED[:, :, :2, :2] = 3.0
X = torch.cat([MARKED[:5], CLEAN[:5]])
with torch.no_grad():
    NET[6].bias -= NET(torch.cat([MARKED, CLEAN])).median(0).values  # so that several classes are predicted


def textbook(h: Tensor, artifact: Tensor, clean: Tensor, *, only_found: bool = False) -> Tensor:
    """``(I - v vᵀ) h + v vᵀ z``, by the whole matrix."""
    artifact, clean, rows = artifact.flatten(1), clean.flatten(1), h.flatten(1)
    z = clean.mean(0)
    v = torch.nn.functional.normalize(artifact.mean(0) - z, dim=0)
    left = rows @ (torch.eye(len(v), dtype=v.dtype) - torch.outer(v, v)) + torch.outer(v, v) @ z
    if only_found:
        near = (rows @ v - (artifact @ v).mean()).abs() < (rows @ v - (clean @ v).mean()).abs()
        left = torch.where(near[:, None], left, rows)
    return left.reshape(h.shape)


@pytest.mark.parametrize("only_found", [False, True])
@pytest.mark.parametrize("place", [0, 1, 3, 4, 6, 7])
def test_activations_are_the_textbooks(place: int, only_found: bool) -> None:
    """place : how many modules run before the correction; 0: the input."""
    head, tail = NET[:place], NET[place:]
    layer = None if place == 0 else str(place - 1)
    repaired = neon.project_out(NET, MARKED, CLEAN, layer=layer, only_found=only_found)
    with torch.no_grad():
        expected = tail(textbook(head(X), head(MARKED), head(CLEAN), only_found=only_found))
        torch.testing.assert_close(repaired(X), expected, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(repaired.model(X), NET(X))


@pytest.mark.parametrize("composite", ["epsilon", "epsilon_plus", "zero"])
def test_a_unit_has_the_relevance_of_what_is_left_of_it(composite: str) -> None:
    """Unit by unit, in loops: h' = h + a, both share by what they have of the sign of h'."""
    repaired = neon.project_out(NET, MARKED, CLEAN, layer="1")
    with torch.no_grad():
        h = NET[:2](X)
        left = textbook(h, NET[:2](MARKED), NET[:2](CLEAN))
    at_left = neon.LRP(NET[2:], composite)(left, 1)
    at_layer = torch.zeros_like(h)
    for unit in np.ndindex(h.shape):
        own, correction = float(h[unit]), float(left[unit] - h[unit])
        if left[unit] < 0:
            own, correction = -own, -correction
        own, correction = max(own, 0.0), max(correction, 0.0)
        at_layer[unit] = at_left[unit] * own / (own + correction) if own else 0.0
    expected = neon.LRP(NET[:2], composite)(X, at_layer)
    explanation = neon.explain(repaired, X, target=1, composite=composite)
    np.testing.assert_allclose(explanation.values, expected, rtol=1e-6, atol=1e-9)
    lost = (at_left - at_layer).flatten(1).sum(1)
    np.testing.assert_allclose(explanation.residuals["correction"], lost, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(explanation.prediction, repaired(X)[:, 1].detach(), rtol=1e-10)
    assert explanation.conservation_error() < 1e-9


def test_relative_to_reference_rows() -> None:
    repaired = neon.project_out(NET, MARKED, CLEAN, layer="1")
    explanation = neon.explain(repaired, X, target=1, composite=neon.rules.Reference(), reference=CLEAN[:4])
    assert explanation.conservation_error() < 1e-9
    assert "correction" in explanation.residuals


@pytest.mark.parametrize("composite", [neon.rules.Reference(), "shapley"])
def test_classes_are_predicted_of_the_explained_rows_alone(composite: Any) -> None:
    torch.manual_seed(1)  # of some weights the mark changes nothing on the way, and then nothing is refused
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2)).double()
    rows = torch.rand(20, 4, dtype=torch.float64)
    repaired = neon.project_out(model, rows + 1, rows, layer="1", classes=[0])
    with pytest.raises(neon.UnsupportedOperationError, match=r"the explained rows alone|explain without a reference"):
        neon.explain(repaired, rows[:5], target=0, composite=composite, reference=rows[5:9])
    reactive = neon.project_out(model, rows + 1, rows, layer="1", only_found=True)
    assert (
        neon.explain(reactive, rows[:5], target=0, composite=composite, reference=rows[5:9]).conservation_error() < 1e-9
    )


def test_other_arguments_are_handed_on() -> None:
    class Masked(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(4, 4)

        def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
            h = self.layer(x)
            return (h if mask is None else h * mask).sum(1, keepdim=True)

    model, rows, mask = Masked(), torch.rand(9, 4), torch.tensor([1.0, 0.0, 1.0, 0.0])
    repaired = neon.project_out(model, rows + 1, rows, layer="layer")
    expected = (repaired.projection(model.layer(rows)) * mask).sum(1, keepdim=True)
    torch.testing.assert_close(repaired(rows, mask=mask), expected)
    torch.testing.assert_close(repaired(rows, mask), expected)
    relevance = neon.LRP(repaired)(rows, given={"mask": mask})
    assert relevance.shape == rows.shape


def test_the_users_model_stays_as_it_is() -> None:
    model = copy.deepcopy(NET).train()
    before = copy.deepcopy(model.state_dict())
    repaired = neon.project_out(model, MARKED, CLEAN, layer="1")
    assert model.training
    assert not repaired.training
    assert not any(module._forward_hooks for module in model.modules())
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    assert not {id(p) for p in model.parameters()} & {id(p) for p in repaired.parameters()}


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_are_corrected_too(copied: Any) -> None:
    repaired = neon.project_out(NET, MARKED, CLEAN, layer="1")
    torch.testing.assert_close(copied(repaired)(X), repaired(X))
    again = neon.project_out(repaired, MARKED, CLEAN, layer="model.4")
    assert not torch.allclose(again(X), repaired(X))


def test_only_rows_of_the_classes_are_corrected() -> None:
    repaired = neon.project_out(NET, MARKED, CLEAN, layer="1")
    with torch.no_grad():
        before, after = NET(X), repaired(X)
        predicted = before.argmax(1)
        some = int(predicted[0])
        chosen = predicted == some
        assert 0 < chosen.sum() < len(X)
        reactive = neon.project_out(NET, MARKED, CLEAN, layer="1", classes=[some])
        torch.testing.assert_close(reactive(X), torch.where(chosen[:, None], after, before))
        at_input = neon.project_out(NET, MARKED, CLEAN, classes=[some])(X)
        expected = torch.where(chosen[:, None], neon.project_out(NET, MARKED, CLEAN)(X), before)
        torch.testing.assert_close(at_input, expected)
    explanation = neon.explain(reactive, X, target=some)
    np.testing.assert_allclose(explanation.prediction, reactive(X)[:, some].detach(), rtol=1e-10)
    with pytest.raises(ValueError, match=r"classes=\(7,\) .* gives \(10, 3\)"):
        neon.project_out(NET, MARKED, CLEAN, layer="1", classes=[7])(X)


def test_a_module_that_is_corrected_twice_keeps_rows_apart() -> None:
    """The inner correction is of all rows, the outer one of those that the inner module predicts to be of a class."""
    inner = neon.project_out(NET, MARKED, CLEAN, layer="1")
    with torch.no_grad():
        inner.model[6].bias -= inner(X).median(0).values  # so that several classes are predicted
        predicted = inner(X).argmax(1)
        chosen = predicted == predicted[0]
        assert 0 < chosen.sum() < len(X)
        outer = neon.project_out(inner, MARKED, CLEAN, layer="model.4", classes=[int(predicted[0])])
        everywhere = neon.project_out(inner, MARKED, CLEAN, layer="model.4")
        torch.testing.assert_close(outer(X), torch.where(chosen[:, None], everywhere(X), inner(X)))


def test_relevance_of_what_is_gone_is_the_corrections() -> None:
    """A unit of which nothing is left has relevance by a rule that does not ask what it is."""
    rows = torch.rand(9, 4, dtype=torch.float64)
    clean = rows * torch.tensor([0.0, 1.0, 1.0, 1.0])
    repaired = neon.project_out(torch.nn.Linear(4, 1, bias=False).double(), rows, clean, direction=np.eye(4)[0])
    explanation = neon.explain(repaired, rows, composite=neon.rules.Flat())
    np.testing.assert_allclose(explanation.residuals["correction"], explanation.prediction / 4, rtol=1e-6)  # stabilizer
    np.testing.assert_array_equal(explanation.values[:, 0], 0)
    assert explanation.conservation_error() < 1e-12


@pytest.mark.parametrize("pool", ["mean", "max"])
def test_channels_are_corrected_at_every_place(pool: Any) -> None:
    repaired = neon.project_out(NET, MARKED, CLEAN, layer="1", pool=pool)
    with torch.no_grad():
        artifact, clean, h = (NET[:2](rows) for rows in (MARKED, CLEAN, X))
        pooled = [part.flatten(2).mean(2) if pool == "mean" else part.amax((2, 3)) for part in (artifact, clean)]
        v = torch.nn.functional.normalize(pooled[0].mean(0) - pooled[1].mean(0), dim=0)
        component = torch.einsum("nchw,c->nhw", h, v) - clean.mean((0, 2, 3)) @ v
        expected = NET[2:](h - torch.einsum("nhw,c->nchw", component, v))
        torch.testing.assert_close(repaired(X), expected, rtol=1e-10, atol=1e-10)
        reactive = neon.project_out(NET, MARKED, CLEAN, layer="1", pool=pool, only_found=True)
        whole = (h.flatten(2).mean(2) if pool == "mean" else h.amax((2, 3))) @ v
        found = whole > (pooled[0].mean(0) + pooled[1].mean(0)) @ v / 2
        torch.testing.assert_close(reactive(X), torch.where(found[:, None], expected, NET(X)), rtol=1e-10, atol=1e-10)


class Tokens(torch.nn.Module):
    """Embeds words, runs a recurrent layer, whose output is a tuple, and averages."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(20, 6)
        self.recurrent = torch.nn.GRU(6, 5, batch_first=True)
        self.out = torch.nn.Linear(5, 2)

    def forward(self, ids: Tensor) -> Tensor:
        return self.out(self.recurrent(self.embedding(ids))[0].mean(1))


@pytest.mark.parametrize("options", [{}, {"pool": "mean", "axis": -1}])
@pytest.mark.parametrize("layer", ["embedding", "recurrent"])
def test_tokens_and_tuples(layer: str, options: dict[str, Any]) -> None:
    model = Tokens().eval()
    rng = np.random.default_rng(0)
    clean, marked = rng.integers(1, 20, size=(2, 30, 7))
    marked[:, 3] = 0
    repaired = neon.project_out(model, marked, clean, layer=layer, **options)
    ids = torch.tensor(marked[:4])
    moved = (repaired(ids) - model(torch.tensor(clean))[:4]).abs().mean()
    assert not torch.allclose(repaired(ids), model(ids))
    assert moved.isfinite()
    size = (6 if layer == "embedding" else 5) * (1 if options else 7)
    assert len(repaired.projection.vector) == size
    assert f"{size} numbers" in repr(repaired)
    assert neon.explain(repaired, ids, target=1).conservation_error() < 1e-4


@pytest.mark.parametrize("kind", [pd.DataFrame, np.asarray, np.ndarray.tolist, torch.tensor])
def test_rows_of_all_kinds(kind: Any) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
    rows = np.random.default_rng(0).normal(size=(20, 4))
    rows.flags.writeable = kind is not np.asarray
    expected = neon.project_out(model, torch.tensor(rows[:8] + 1), torch.tensor(rows), layer="1")
    found = neon.project_out(model, kind(rows[:8] + 1), kind(rows), layer="1")
    torch.testing.assert_close(found.projection.vector, expected.projection.vector)
    assert found.projection.vector.dtype == torch.float32


def test_threads_do_not_see_each_other() -> None:
    repaired = [neon.project_out(NET, MARKED, CLEAN, layer=layer, classes=[0, 1, 2]) for layer in ("1", "4")]
    expected = [model(X).detach() for model in repaired]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda i: repaired[i % 2](X).detach(), range(40)))
    assert all(torch.equal(answer, expected[i % 2]) for i, answer in enumerate(found))


def test_difference_of_means_is_the_pattern() -> None:
    """Cov(h, t) / Var(t) for t = 1 with the artifact and 0 without points the same way."""
    rng = np.random.default_rng(0)
    artifact, clean = rng.normal(size=(20, 5)) + 1, rng.normal(size=(50, 5))
    h, t = np.concatenate([artifact, clean]), np.repeat([1.0, 0.0], [20, 50])
    pattern = (h - h.mean(0)).T @ (t - t.mean())
    found = direction_of(artifact, clean)
    np.testing.assert_allclose(found.vector, pattern / np.linalg.norm(pattern), rtol=1e-10)
    assert found.found > 0.8 > 0.2 > found.false_alarms
    opposite = direction_of(artifact, clean, -found.vector)
    np.testing.assert_allclose(opposite.vector, found.vector)
    svm = direction_of(artifact, clean, "svm")
    assert svm.vector @ found.vector > 0.5
    units = np.array([1.0, 100.0, 0.01, 5.0, 1.0])
    in_units = direction_of(artifact * units, clean * units, "svm").vector * units  # weights are per unit
    np.testing.assert_allclose(in_units / np.linalg.norm(in_units), svm.vector, rtol=1e-6)


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        ((MARKED, CLEAN), {"layer": "9"}, "no layer '9'; its layers: 0, 1, 2"),
        ((MARKED, CLEAN), {"layer": "1", "direction": "lda"}, "direction must be"),
        ((MARKED, CLEAN), {"layer": "1", "direction": np.ones(3)}, r"finite numbers of shape \(144,\)"),
        ((MARKED, MARKED), {"layer": "1"}, "the same on average"),
        ((MARKED[:0], CLEAN), {"layer": "1"}, "at least one"),
        ((MARKED * np.nan, CLEAN), {"layer": "1"}, "NaN or infinity"),
        ((MARKED, CLEAN), {"layer": "1", "pool": "sum"}, "pool must be"),
        ((MARKED, CLEAN), {"layer": "4", "pool": "mean"}, "channels that have places"),
        ((MARKED, CLEAN), {"layer": "1", "classes": []}, "at least one index"),
        ((MARKED, CLEAN), {"layer": "1", "classes": 1}, "a list of at least one index"),
    ],
)
def test_what_does_not_fit_is_refused(given: tuple[Tensor, Tensor], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        neon.project_out(NET, *given, **options)


def test_a_layer_that_runs_twice_is_refused() -> None:
    class Twice(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(self.layer(x))

    with pytest.raises(ValueError, match="it ran 2 times"):
        neon.project_out(Twice(), torch.rand(5, 4), torch.rand(5, 4), layer="layer")
