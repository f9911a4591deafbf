"""Topic shares and their relevance against loops over documents, steps, words and topics."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from neon import nn
from neon.lrp import LRP
from neon.nn.codes import topics
from tests.nn.textbook import close, draw

N_DOCUMENTS, N_WORDS, N_TOPICS = 12, 9, 4
PRIOR, N_STEPS, TOLERANCE = 0.3, 20, 1e-4
EPS = np.finfo(float).eps


def counts(seed: int = 0) -> Tensor:
    """Documents of 0 to 40 words; of words that no document has, a column of zeros."""
    random = np.random.default_rng(seed)
    rows = random.poisson(random.gamma(0.3, 4.0, (N_DOCUMENTS, N_WORDS)))
    rows[2], rows[:, 4] = 0, 0
    return torch.as_tensor(rows, dtype=torch.float64)


B = torch.as_tensor(np.random.default_rng(1).gamma(0.3, 1.0, (N_TOPICS, N_WORDS)) + 1e-3)


def psi(x: float) -> float:
    """The digamma function of AS 103."""
    value = 0.0
    while x < 6:
        value -= 1 / x
        x += 1
    return value + math.log(x) - 1 / (2 * x) - 1 / (12 * x**2) + 1 / (120 * x**4) - 1 / (252 * x**6)


def inferred(n: list[float]) -> tuple[list[float], list[list[float]], int]:
    """γ, the claims φ_wk of its last step, and how many steps there were."""
    gamma, n_steps, change = [1.0] * N_TOPICS, 0, math.inf
    while n_steps < N_STEPS and change >= TOLERANCE:
        e = [math.exp(psi(g) - psi(sum(gamma))) for g in gamma]
        claims = []
        for w in range(N_WORDS):
            whole = sum(e[k] * float(B[k, w]) for k in range(N_TOPICS)) + EPS
            claims.append([e[k] * float(B[k, w]) / whole for k in range(N_TOPICS)])
        last, gamma = gamma, [PRIOR + sum(n[w] * claims[w][k] for w in range(N_WORDS)) for k in range(N_TOPICS)]
        change = sum(abs(a - b) for a, b in zip(gamma, last, strict=True)) / N_TOPICS
        n_steps += 1
    return gamma, claims, n_steps


def slopes(n: list[float], c: list[float]) -> tuple[list[float], float]:
    """What a word more brings to ``Σ_k c_k f_k``, claims and length held fixed; and what the prior brings."""
    gamma, claims, _ = inferred(n)
    length = sum(gamma)
    of_words = [sum(c[k] * claims[w][k] for k in range(N_TOPICS)) / length for w in range(N_WORDS)]
    return of_words, PRIOR * sum(c) / length


def layer() -> nn.TopicShares:
    return nn.TopicShares(B, prior=PRIOR, n_steps=N_STEPS, tolerance=TOLERANCE)


def expected_shares(x: Tensor) -> Tensor:
    found = torch.tensor([inferred(row)[0] for row in x.tolist()], dtype=torch.float64)
    return found / found.sum(1, keepdim=True)


def test_shares() -> None:
    x = counts()
    assert len({inferred(row)[2] for row in x.tolist()}) > 5  # documents end after different numbers of steps
    assert max(inferred(row)[2] for row in x.tolist()) == N_STEPS  # and some are stopped
    found = layer()(x)
    close(found, expected_shares(x), 1e-12)
    close(found[2], torch.full((N_TOPICS,), 1 / N_TOPICS, dtype=torch.float64), 1e-12)


def test_relevance_of_words_is_what_a_topic_claims_of_them() -> None:
    x, start = counts(), draw(N_DOCUMENTS, N_TOPICS)
    found = LRP(layer(), "neon").record(x).propagate(start, account=True)
    f = expected_shares(x)
    expected, kept = torch.zeros_like(x), torch.zeros(N_DOCUMENTS, dtype=torch.float64)
    for n, row in enumerate(x.tolist()):
        of_words, kept[n] = slopes(row, (start[n] / f[n]).tolist())
        expected[n] = x[n] * torch.tensor(of_words, dtype=torch.float64)
    close(found.relevance[0], expected)
    close(found.ledger.absorbed["prior"], kept)
    close(found.relevance[0].sum(1) + found.ledger.absorbed["prior"], start.sum(1))


def test_slopes_go_through_counts_of_zero() -> None:
    """Between linear layers: two inputs that cancel each other to a count of 0 both have relevance."""
    before, after = np.vstack([np.eye(N_WORDS), -np.eye(N_WORDS)]).T, np.random.default_rng(2).normal(size=(1, 4))
    y = draw(N_DOCUMENTS, N_WORDS).abs() + 0.5
    x = torch.cat([counts() + y, y], 1)
    network = torch.nn.Sequential(nn.Linear(before), layer(), nn.Linear(after))
    found = LRP(network, "neon").record(x).propagate(lambda output: output, account=True)
    expected = torch.zeros_like(x)
    for n, row in enumerate((x @ torch.as_tensor(before).T).tolist()):
        of_words, _ = slopes(row, after[0].tolist())
        expected[n] = x[n] * (torch.tensor(of_words, dtype=torch.float64) @ torch.as_tensor(before))
    close(found.relevance[0], expected)
    assert (found.relevance[0].abs().min(0).values > 0).all()


def test_documents_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    x, whole = counts(), layer()(counts())
    for size in (1, 40, 200):
        monkeypatch.setattr(topics, "SIZE", size)
        close(layer()(x), whole, 1e-14)
    assert layer()(x[:0]).shape == (0, N_TOPICS)
    close(layer()(x[2:3]), whole[2:3], 1e-14)  # no word at all


def test_digamma() -> None:
    x = torch.cat([torch.linspace(1e-3, 20, 4001, dtype=torch.float64), torch.arange(1, 9, dtype=torch.float64)])
    found = topics._digamma(x)
    close(found, torch.tensor([psi(v) for v in x.tolist()], dtype=torch.float64), 1e-14)
    assert 1e-9 < (found - torch.digamma(x)).abs().max() < 2.6e-9


def test_gradient() -> None:
    assert torch.autograd.gradcheck(layer(), (counts()[[0, 1, 5]] + 0.5).requires_grad_())


def test_negative_counts_have_no_shares() -> None:
    x = counts()
    x[1, 3] = -1.0
    found = layer()(x)
    assert found[1].isnan().all()
    assert not found[[0, 2, 3]].isnan().any()


def test_what_is_held_fixed_keeps_its_relevance() -> None:
    x = counts()
    recording = LRP(lambda x: nn.topic_weights(x, B, PRIOR, N_STEPS, TOLERANCE), "neon").record(x)
    walk = recording.propagate(1, account=True)
    assert not walk.relevance[0].any()
    close(walk.ledger.absorbed["held"], recording.output[:, 1])
