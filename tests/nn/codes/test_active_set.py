"""Codes on their active set, against a solution row by row."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import neon
from neon.nn.codes.active_set import ActiveSet

D = np.eye(4, 5) + 0.03 * np.random.default_rng(0).normal(size=(4, 5))
X = np.random.default_rng(1).normal(size=(12, 5))


def largest(x: np.ndarray) -> np.ndarray:
    """Use three atoms of some rows, none of others."""
    products = x @ D.T
    kept = np.abs(products) >= np.sort(np.abs(products), axis=1)[:, [-3]]
    return np.where(kept & (np.abs(products) > 0.2) & (x[:, :1] < 1), products, 0.0)


def slow(x: np.ndarray, ridge: float, penalty: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Code, relevance of the sum of codes, and what the penalty keeps; one row."""
    signs = np.sign(largest(x[None])[0])
    used = np.flatnonzero(signs)
    inverse = np.linalg.inv(D[used] @ D[used].T + ridge * np.eye(len(used)))
    code = np.zeros(4)
    code[used] = inverse @ (D[used] @ x - penalty * signs[used])
    assert (np.sign(code) == signs).all()  # as at a minimum
    return code, x * (inverse @ D[used]).sum(0), -penalty * (inverse @ signs[used]).sum(keepdims=True)


def test_against_the_slow_form() -> None:
    rows = X.copy()
    rows[3] = 0.0
    for ridge, penalty in ((0.0, 0.0), (0.2, 0.0), (0.1, 0.05)):
        network = ActiveSet(D, largest, ridge=ridge, penalty=penalty)
        x = torch.as_tensor(rows)
        codes, relevance, kept = (np.stack(part) for part in zip(*(slow(r, ridge, penalty) for r in rows), strict=True))
        np.testing.assert_allclose(network(x).numpy(), codes, atol=1e-12)
        recording = neon.LRP(network, "neon").record(x)
        walk = recording.propagate(lambda output: output, account=True)
        np.testing.assert_allclose(walk.relevance[0].numpy(), relevance, atol=1e-12)
        found = walk.ledger.absorbed.get("penalty", torch.zeros(12)).numpy()
        np.testing.assert_allclose(found, kept[:, 0], atol=1e-12)
        np.testing.assert_allclose(relevance.sum(1) + kept[:, 0], codes.sum(1), atol=1e-12)


def test_no_rows_and_large_systems_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    network = ActiveSet(D, largest)
    assert network(torch.zeros(0, 5, dtype=torch.float64)).shape == (0, 4)
    whole = network(torch.as_tensor(X))
    monkeypatch.setattr("neon.nn.codes.active_set.SIZE", 20)
    torch.testing.assert_close(network(torch.as_tensor(X)), whole, rtol=0, atol=1e-14)
