"""Soft and hard maxima against their definitions, and log-sum-exp as torch writes it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from neon import nn
from neon.errors import UnsupportedOperationError
from neon.lrp import LRP
from tests.nn.textbook import close, draw

PRECISIONS = [(torch.float64, 1e-9), (torch.float32, 1e-5)]


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("stiffness", [0.5, 1.0, 4.0])
def test_soft_maximum(stiffness: float, dtype: torch.dtype, tolerance: float) -> None:
    """Take-most ``R_k = p_k o`` where ``o ≤ 0``; gated ``R_k = p_k h_k`` elsewhere."""
    h, log_a = (2 * draw(30, 5) - 1 - 1.6 / stiffness).to(dtype), draw(5, dtype=dtype)
    recording = LRP(nn.SoftMaximum(log_a, stiffness).to(dtype), "neon").record(h)
    walk = recording.propagate(account=True)
    take_most = 0
    expected, o = np.zeros((30, 5)), np.zeros((30, 1))
    entropy, log_weight = np.zeros(30), np.zeros(30)
    for n in range(30):
        a = [math.exp(float(w)) * math.exp(stiffness * float(v)) for w, v in zip(log_a, h[n], strict=True)]
        o[n] = math.log(sum(a)) / stiffness
        take_most += int(o[n, 0] <= 0)
        for k in range(5):
            p = a[k] / sum(a)
            expected[n, k] = p * (o[n, 0] if o[n, 0] <= 0 else float(h[n, k]))
            if o[n, 0] > 0:
                entropy[n] -= p * math.log(p) / stiffness
                log_weight[n] += p * float(log_a[k]) / stiffness
    assert 0 < take_most < 30
    close(recording.output, torch.as_tensor(o), tolerance)
    close(walk.relevance[0], torch.as_tensor(expected), tolerance)
    close(walk.ledger.absorbed["entropy"], torch.as_tensor(entropy), tolerance)
    close(walk.ledger.absorbed["log_weight"], torch.as_tensor(log_weight), tolerance)


@pytest.mark.parametrize("n_rows", [0, 1, 4])
@pytest.mark.parametrize("stiffness", [0.7, math.inf])
def test_pooled_maximum(stiffness: float, n_rows: int) -> None:
    h, start = draw(20, 6) - 0.8, draw(20, 2, seed=1)
    rows = draw(n_rows, 6, seed=2) if n_rows else None
    recording = LRP(nn.PooledMaximum(2, stiffness), "neon").record(h, reference=rows)
    output = torch.stack([h[:, :3].max(1).values, h[:, 3:].max(1).values], 1)
    close(recording.output, output)
    walk = recording.propagate(start, account=True)
    expected, lost = np.zeros((20, 6)), np.zeros(20)
    for n in range(20):
        for g in range(2):
            units = h[n, 3 * g : 3 * g + 3].numpy()
            weights = np.exp(stiffness * (units - units.max())) if stiffness < math.inf else units == units.max()
            p, e = weights / weights.sum(), units.max()
            if rows is not None:
                e -= float(rows[:, 3 * g : 3 * g + 3].max(1).values.mean())
                units = units - rows[:, 3 * g : 3 * g + 3].mean(0).numpy()
            most = rows is None and e <= 0
            shares = p * (e if most else units) / e
            expected[n, 3 * g : 3 * g + 3] = float(start[n, g]) * shares
            lost[n] += float(start[n, g]) * (1 - shares.sum())
    close(walk.relevance[0], torch.as_tensor(expected))
    assert np.abs(walk.ledger.absorbed["pooling"].numpy() - lost).max() <= 1e-9 * np.abs(start.numpy()).sum(1).max()


@pytest.mark.parametrize("groups", [1, 3])
def test_a_maximum_is_a_stiff_soft_maximum(groups: int) -> None:
    h = draw(20, 4 * groups)
    pooled = nn.PooledMaximum(groups, math.inf)
    soft = nn.SoftMaximum(torch.zeros(4), 1e4)
    for g in range(groups):
        part = h[:, 4 * g : 4 * g + 4]
        torch.testing.assert_close(soft(part)[:, 0], pooled(h)[:, g], rtol=0, atol=2e-4)
    assert repr(pooled).startswith(f"PooledMaximum(max over {groups} groups")


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("keepdim", [False, True])
def test_logsumexp(keepdim: bool, dtype: torch.dtype, tolerance: float) -> None:
    """Gated: ``R_k = s p_k x_k``; the entropy of p stays behind."""
    x, start = draw(6, 4, 3, dtype=dtype), draw(6, 3, seed=1, dtype=dtype)
    target = start[:, None] if keepdim else start
    recording = LRP(lambda x: torch.logsumexp(x, 1, keepdim=keepdim), "neon").record(x)
    walk = recording.propagate(target, account=True)
    expected, entropy = np.zeros(x.shape), np.zeros(6)
    for n in range(6):
        for c in range(3):
            exponentials = [math.exp(float(v)) for v in x[n, :, c]]
            s = float(start[n, c]) / math.log(sum(exponentials))
            for k in range(4):
                p = exponentials[k] / sum(exponentials)
                expected[n, k, c] = s * p * float(x[n, k, c])
                entropy[n] -= s * p * math.log(p)
    close(walk.relevance[0], torch.as_tensor(expected), tolerance)
    close(walk.ledger.absorbed["entropy"], torch.as_tensor(entropy), 10 * tolerance)
    close(walk.relevance[0].flatten(1).sum(1) + walk.ledger.absorbed["entropy"], start.sum(1), 10 * tolerance)


@pytest.mark.parametrize("n_rows", [1, 5])
def test_logsumexp_relative_to_reference_rows(n_rows: int) -> None:
    x, rows = draw(6, 4), draw(n_rows, 4, seed=1)
    recording = LRP(lambda x: x.logsumexp((1,)), "neon").record(x, reference=rows)
    walk = recording.propagate(torch.ones(6, dtype=x.dtype), account=True)
    difference = x.exp().sum(1).log() - rows.exp().sum(1).log().mean()
    gated = torch.softmax(x, 1) * (x - rows.mean(0)) / difference[:, None]
    close(walk.relevance[0], gated)
    close(walk.ledger.absorbed["entropy"], 1 - gated.sum(1))


def test_logsumexp_of_two_axes_and_of_masked_terms() -> None:
    x = draw(5, 4, 3)
    mask = torch.zeros(4, 3)
    mask[1, 2] = -math.inf
    walk = LRP(lambda x: torch.logsumexp(x + mask, (2, 1))[:, None], "neon").record(x).propagate(account=True)
    flat = (x + mask).flatten(1)
    expected = torch.softmax(flat, 1) * torch.where(flat == -math.inf, 0.0, flat)
    close(walk.relevance[0].flatten(1), expected)
    close(walk.relevance[0].flatten(1).sum(1) + walk.ledger.absorbed["entropy"], flat.exp().sum(1).log())


def test_relevance_of_a_logsumexp_that_is_zero_is_accounted_for() -> None:
    x = torch.zeros(2, 1, dtype=torch.float64)
    walk = LRP(lambda x: torch.logsumexp(x, 1), "neon").record(x).propagate(torch.ones(2).double(), account=True)
    torch.testing.assert_close(walk.relevance[0].sum(1) + sum(walk.ledger.absorbed.values()), torch.ones(2).double())


def test_logsumexp_over_the_samples_is_refused() -> None:
    with pytest.raises(UnsupportedOperationError, match="axis 0"):
        LRP(lambda x: torch.logsumexp(x, -2), "neon")(draw(3, 2), torch.ones(2).double())
