"""Models that end in a sigmoid or softmax are explained at their logits, however the end is written."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import neon
from neon import composites, rules, targets
from neon.lrp import LRP

Function = Callable[[Tensor], Tensor]


def body(n_outputs: int) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, n_outputs)).double()


def rows() -> Tensor:
    return torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("composite", ["zero", "epsilon", "epsilon_plus", "attn_lrp"])
@pytest.mark.parametrize(
    ("end", "n_outputs"),
    [
        (torch.sigmoid, 1),
        (nn.Sigmoid(), 3),
        (lambda z: F.sigmoid(z).squeeze(1), 1),
        (lambda z: z.sigmoid().view(-1, 1), 1),
        (lambda z: z.flatten().sigmoid(), 1),
        (F.logsigmoid, 1),
        (nn.Softmax(dim=1), 3),
        (nn.LogSoftmax(dim=1), 3),
        (lambda z: torch.exp(z - z.amax(1, True)) / torch.exp(z - z.amax(1, True)).sum(1, True), 3),
    ],
)
def test_the_logit_is_explained(end: Function, n_outputs: int, composite: str) -> None:
    model, x = body(n_outputs), rows()
    target = None if n_outputs == 1 else 1
    expected = LRP(model, composite)(x, target)
    torch.testing.assert_close(LRP(lambda x: end(model(x)), composite)(x, target), expected)
    recording = LRP(lambda x: end(model(x)), composite).record(x)
    walk = recording.propagate(target, account=True)
    explained = recording.explained.reshape(len(x), -1)[:, target or 0]
    torch.testing.assert_close(explained, model(x)[:, target or 0])
    total = walk.relevance[0].sum(1) + sum(walk.ledger.absorbed.values(), torch.zeros(()))
    torch.testing.assert_close(total, explained)


def test_signs_and_sizes_do_not_depend_on_where_the_logit_lies() -> None:
    """Near z = 0 and below it as well, shares have the signs of the contributions ``w x``, and their size."""
    weight = torch.tensor([[1.0, -2.0, 0.5, 1.0]], dtype=torch.float64)
    x = torch.tensor([[1, 1, 1, 0.2], [1, 1, 1, 0.499], [1, 1, 1, 0.5], [1, 0.2, 1, 1]], dtype=torch.float64)
    relevance = LRP(lambda x: F.linear(x, weight).sigmoid(), "zero")(x)
    torch.testing.assert_close(relevance, weight * x)
    twin = LRP(lambda x: torch.cat([F.linear(x, weight), 0 * F.linear(x, weight)], 1).softmax(1)[:, :1], "zero")(x)
    torch.testing.assert_close(twin, relevance)


@pytest.mark.parametrize("target", [targets.Contrast(0, 2), targets.LogOdds(1)])
@pytest.mark.parametrize("end", [nn.Sigmoid(), nn.Softmax(dim=1), nn.LogSoftmax(dim=1), nn.LogSigmoid()])
def test_contrasts_and_log_odds_are_of_the_logits(end: nn.Module, target: targets.Contrast | targets.LogOdds) -> None:
    model, x = body(3), rows()
    ended = nn.Sequential(model, end)
    torch.testing.assert_close(LRP(ended)(x, target), LRP(model)(x, target))
    expected, found = (neon.explain(m, x, target) for m in (model, ended))
    torch.testing.assert_close(torch.tensor(found.values), torch.tensor(expected.values))
    torch.testing.assert_close(torch.tensor(found.prediction), torch.tensor(expected.prediction))
    assert found.conservation_error() <= 1e-9


def test_log_odds_of_probabilities_relative_to_a_reference_are_refused() -> None:
    model, x = nn.Sequential(body(3), nn.Sigmoid()), rows()
    recording = LRP(model, rules.Reference()).record(x, reference=x[:1])
    with pytest.raises(ValueError, match="LogOdds is of logits"):
        recording.propagate(targets.LogOdds(1))


def test_a_callable_explains_the_probability_itself() -> None:
    model, x = nn.Sequential(body(3), nn.Softmax(dim=1)), rows()
    walk = LRP(model, composites.zero()).record(x).propagate(lambda p: p * torch.eye(3)[1], account=True)
    found = walk.relevance[0].sum(1) + sum(walk.ledger.absorbed.values())
    torch.testing.assert_close(found, model(x)[:, 1])


def test_relevance_at_the_head_is_that_of_its_logits() -> None:
    model, x = nn.Sequential(body(1), nn.Sigmoid()), rows()
    _, at = LRP(model)(x, at=["1", "0.2"])
    torch.testing.assert_close(at["1"], at["0.2"])


@pytest.mark.parametrize("target", [None, 1, "all"])
@pytest.mark.parametrize("end", [nn.Sigmoid(), nn.Softmax(dim=1)])
def test_explainer(end: nn.Module, target: int | str | None) -> None:
    model, x = body(3), rows()
    expected, found = (neon.explain(m, x, target) for m in (model, nn.Sequential(model, end)))
    torch.testing.assert_close(torch.tensor(found.values), torch.tensor(expected.values))
    torch.testing.assert_close(torch.tensor(found.prediction), torch.tensor(expected.prediction))
    assert found.explains == "logit of an output of the network"
