"""Optimal transport plans: which row of one set goes to which of the other, and how much of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.optimize import linear_sum_assignment, linprog

__all__ = ["SOLVERS", "TransportPlan", "plan_of"]

SOLVERS = ("assignment", "linprog", "emd", "sinkhorn")


class TransportPlan(NamedTuple):
    """Pairs of rows between which mass is moved.

    first, second : int (n_pairs,), the rows; mass : (n_pairs,), which adds up to 1.
    """

    first: np.ndarray
    second: np.ndarray
    mass: np.ndarray


def plan_of(
    cost: np.ndarray, a: np.ndarray, b: np.ndarray, solver: str | None = None, regularization: float | None = None
) -> TransportPlan:
    """The plan with the least ``Σ γ_kl cost_kl`` among those with the margins a and b.

    Parameters
    ----------
    cost : (n, m)
    a, b : (n,) and (m,)
        The mass of each row; either adds up to 1.
    solver, regularization
        As `neon.explain_shift` takes them.

    Raises
    ------
    ValueError
        If there is no such solver, or it does not fit the margins or the regularization.
    ImportError
        If the solver is POT's, which is not installed.
    RuntimeError
        If the solver finds no plan.
    """
    matched = len(a) == len(b) and np.ptp(a) == 0 and np.ptp(b) == 0
    solver = ("assignment" if matched else "linprog") if solver is None else solver
    if solver not in SOLVERS:
        raise ValueError(f"solver must be one of {list(SOLVERS)}, got {solver!r}")
    if (regularization is None) == (solver == "sinkhorn"):
        raise ValueError(
            'regularization= goes with solver="sinkhorn", which needs it: a share of the mean cost, such as 0.05; got '
            f"solver={solver!r}, regularization={regularization!r}"
        )
    if solver == "assignment":
        if not matched:
            raise ValueError(
                f'solver="assignment" takes as many rows of B as of A, all of the same weight; got {len(a)} and '
                f'{len(b)} rows. Leave solver=None, or use "linprog" or "emd"'
            )
        first, second = linear_sum_assignment(cost)
        return TransportPlan(first, second, np.full(len(a), 1 / len(a)))
    gamma = _linprog(cost, a, b) if solver == "linprog" else _pot(cost, a, b, regularization)
    first, second = np.nonzero(gamma > 1e-12 * gamma.max())  # less is rounding
    mass = gamma[first, second]
    return TransportPlan(first, second, mass / mass.sum())


def _linprog(cost: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The plan (n, m) as a linear programme, solved by HiGHS."""
    n, m = cost.shape
    rows = sparse.kron(sparse.eye(n), np.ones((1, m)))
    columns = sparse.kron(np.ones((1, n)), sparse.eye(m))
    # Either margin follows from the others; in units of the mean mass, numbers are of a size that the solver expects.
    scale = n + m
    found = linprog(
        cost.ravel(),
        A_eq=sparse.vstack([rows, columns]).tocsr()[:-1],
        b_eq=scale * np.concatenate([a, b])[:-1],
        method="highs",
    )
    if found.status != 0:
        raise RuntimeError(f"no transport plan was found: {found.message}")
    return np.asarray(found.x).reshape(n, m) / scale


def _pot(cost: np.ndarray, a: np.ndarray, b: np.ndarray, regularization: float | None) -> np.ndarray:
    """The plan (n, m) by POT: exact, or with entropy, in logarithms for small regularization."""
    try:
        import ot
    except ImportError as error:
        raise ImportError(
            'solver="emd" and "sinkhorn" are of POT, which is not installed: pip install "neon-xai[transport]"'
        ) from error
    if regularization is None:
        return np.asarray(ot.emd(a, b, cost, numItermax=10_000_000))
    if not regularization > 0:
        raise ValueError(f"regularization must be a positive share of the mean cost, got {regularization!r}")
    strength = regularization * max(cost.mean(), np.finfo(float).tiny)
    return np.asarray(ot.sinkhorn(a, b, cost, strength, method="sinkhorn_log", numItermax=10_000, stopThr=1e-9))
