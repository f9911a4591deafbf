"""Products of one factor for each feature: kernels ``exp(-γ Σ_i |x_i - u_ji|^p)``, p = 1 or 2.

An absent feature brings its mean factor: ``v_ji(t) = b_ji + t (a_ji - b_ji)`` with ``a_ji = exp(-γ |x_i - u_ji|^p)``
and b its mean over the reference rows. A sum ``Σ_j α_j Π_i a_ji`` then has the Shapley values
``φ_i = Σ_j α_j (a_ji - b_ji) ∫₀¹ Π_{k≠i} v_jk(t) dt`` of features drawn from their marginals (the games of Mohammadi et
al. 2025, "PKeX-Shapley", who expand them in elementary symmetric polynomials). The integrand is a polynomial of degree
d - 1, so that d/2 nodes of Gauss and Legendre are exact; `neon.nn.shapley.nodes` says how many are enough.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType

import torch
from torch import Tensor

from neon._compilation import has_numba
from neon.lrp.paths.mean_slopes import legendre
from neon.lrp.paths.terms import Background, Terms
from neon.nn.shapley import vectorized
from neon.nn.shapley.vectorized import Kernel
from neon.nn.trees.threads import in_threads, row_blocks

__all__ = ["ProductTerms", "SoftTerms"]


class _Factors(Terms):
    """Units that are functions of ``Π_i v_ji(t)``.

    Parameters
    ----------
    slot : int
    x : Tensor (n_samples, n_features)
    centers : Tensor (n_units, n_features)
    rate : float
        γ.
    power : int
        p: 2 for squared distances, 1 for Manhattan distances.
    end : Tensor (n_samples, n_units)
        The units of x, as the network computes them.
    """

    def __init__(
        self, slot: int, x: Tensor, background: Background, centers: Tensor, rate: float, power: int, end: Tensor
    ) -> None:
        self.slot, self.x, self.rate, self.end = slot, x, rate, end
        self.kernel, self.mean = Kernel(centers, rate, power, background.players), background.mean
        self.absent = background.memo(
            ("factors", slot, rate, power),
            lambda: _loops(x).mean_factors(self.kernel, background.rows, background.weights),
        )
        self.log_start = background.memo(("log start", slot, rate, power), lambda: self.absent.log().sum(1))

    def _rows(self, compute: Callable[..., Tensor], *parts: Tensor, dim: int = 0) -> Tensor:
        """``compute(kernel, absent, x, *parts)`` in blocks of rows, in threads; ``dim`` is the axis of rows."""

        def work(block: slice) -> Tensor:
            return compute(self.kernel, self.absent, self.x[block], *(part[block] for part in parts))

        blocks = row_blocks(len(self.x), 1) or [slice(0, 0)]
        found = in_threads([functools.partial(work, block) for block in blocks], len(blocks))
        return found[0] if len(found) == 1 else torch.cat(found, dim)

    def _log_units(self, t: Tensor) -> Tensor:
        """The logarithms of ``Π_i v_ji(t)``; at t = 0 every row's are the same, at t = 1 they are not asked for."""
        found = self.x.new_empty(len(t), len(self.x), len(self.absent))
        found[t == 0] = self.log_start
        inner = (t > 0) & (t < 1)
        if bool(inner.any()):
            found[inner] = self._rows(lambda *given: _loops(self.x).log_units(*given, t[inner]), dim=1)
        return found

    def _log_shares(self, slopes: Tensor, t: Tensor) -> Tensor:
        loops = _loops(self.x)
        shares = self._rows(
            lambda k, b, x, part: loops.shares(k, b, x, part.transpose(0, 1), t), slopes.transpose(0, 1)
        )
        return self._to_columns(shares)

    def _to_columns(self, found: Tensor) -> Tensor:
        """From features, on all axes but the first, to the columns that each has."""
        players = self.kernel.players
        if players is None:
            return found
        portions = self._portions(players)
        for axis in range(1, found.ndim):
            shape = [len(found), *(len(players) if a == axis else 1 for a in range(1, found.ndim))]
            found = found.index_select(axis, players) * portions.view(shape)
        return found

    def _portions(self, players: Tensor) -> Tensor:
        """Columns share what their feature has by how far each is from the reference mean, (n_samples, n_columns)."""
        moved = (self.x - self.mean).abs()
        total = moved.new_zeros(len(moved), self.kernel.n_features).index_add_(1, players, moved)[:, players]
        sizes = torch.bincount(players)[players]
        return torch.where(total > 0, moved / total, 1 / sizes)

    def _ending(self, units: Tensor, t: Tensor) -> Tensor:
        """At t = 1 the units are the network's own, digit for digit."""
        units[t == 1] = self.end
        return units


class ProductTerms(_Factors):
    """``p_j = Π_i a_ji``."""

    def units(self, t: Tensor) -> Tensor:
        return self._ending(self._log_units(t).exp_(), t)

    def shares(self, slopes: Tensor, t: Tensor) -> Tensor:
        return self._log_shares(slopes * self.units(t), t)

    def integrated(self, slopes: Tensor) -> Tensor:
        return self._to_columns(self._rows(_loops(self.x).shapley, slopes))

    def pairs(self, slopes: Tensor) -> Tensor:
        return self._to_columns(self._rows(vectorized.interactions, slopes))


class SoftTerms(_Factors):
    """``u_j = -(1/γ) log Π_i v_ji``: distances that an exponential follows, such as those in a log-sum-exp."""

    def units(self, t: Tensor) -> Tensor:
        return self._ending(self._log_units(t).div_(-self.rate), t)

    def shares(self, slopes: Tensor, t: Tensor) -> Tensor:
        return self._log_shares(slopes / -self.rate, t)

    def integrated(self, slopes: Tensor) -> Tensor:
        t, weights = (torch.as_tensor(part).to(slopes) for part in legendre(16))
        return self.shares(weights[:, None, None] * slopes, t)


def _loops(x: Tensor) -> ModuleType:
    """Compiled loops where there is numba, on the CPU."""
    if x.device.type != "cpu" or not has_numba():
        return vectorized
    from neon.nn.shapley import compiled

    return compiled
