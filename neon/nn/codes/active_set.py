"""Codes in a dictionary: least squares on the few atoms that are in use."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from neon.lrp.message import Ledger, Message
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.recording.tape import Retention
from neon.lrp.rules import Rule
from neon.nn.layer import Layer, operation

__all__ = ["ActiveSet", "active_set"]

Chooser = Callable[[np.ndarray], np.ndarray]


@operation
def active_set(x: Tensor, dictionary: Tensor, chooser: Chooser, ridge: float = 0.0, penalty: float = 0.0) -> Tensor:
    """``w_S = (D_S D_Sᵀ + ρ I)⁻¹ (D_S x - λ s)``, and 0 outside the set S of atoms in use, with signs s.

    On S, what minimizes ``½ ‖x - Dᵀ w‖² + λ ‖w‖₁ + ½ ρ ‖w‖²``: non-negative or sparse coding, orthogonal matching
    pursuit. As long as S stays the same, w is linear in x.

    Parameters
    ----------
    x : (n_samples, n_features)
    dictionary : (n_atoms, n_features)
        D.
    chooser : callable
        ndarray (n_samples, n_features) -> ndarray (n_samples, n_atoms), of which the signs count: 0 for no use.
    ridge, penalty : float
        ρ and λ.

    Returns
    -------
    Tensor
        (n_samples, n_atoms)
    """
    signs = x.new_zeros(len(x), len(dictionary))
    if len(x):
        signs = torch.as_tensor(np.sign(chooser(x.detach().cpu().double().numpy()))).to(x)
    return _solve(dictionary, ridge, x @ dictionary.T - penalty * signs, signs != 0)


class ActiveSet(Layer, of=active_set):
    """`active_set` of a fixed dictionary."""

    no_relu = "codes are linear on every set of atoms in use, and these are too many"
    option_names = ("ridge", "penalty")
    states: tuple[str, ...] = ("the components in use",)
    dictionary: Tensor
    penalty: float

    def extra_repr(self) -> str:
        return f"{self.dictionary.shape[1]} → {len(self.dictionary)}, penalty={self.penalty:.4g}"


SIZE = 2**22  # entries of the systems that are solved at a time


def _solve(dictionary: Tensor, ridge: float, right: Tensor, active: Tensor) -> Tensor:
    """``(D_S D_Sᵀ + ρ I) w_S = right_S`` for each row's S; right, active, w : (n_samples, n_atoms)."""
    largest = int(active.sum(1).max()) if len(active) else 0
    gram = dictionary @ dictionary.T
    gram.diagonal().add_(ridge)
    found = torch.zeros_like(right)
    for rows in torch.arange(len(right), device=right.device).split(max(1, SIZE // max(1, largest) ** 2)):
        atoms = active[rows].to(torch.uint8).argsort(dim=1, descending=True, stable=True)[:, :largest]
        used = active[rows].gather(1, atoms)
        systems = gram[atoms[:, :, None], atoms[:, None, :]] * (used[:, :, None] & used[:, None, :])
        systems = systems + torch.diag_embed((~used).to(gram))
        w = torch.linalg.solve(systems, right[rows].gather(1, atoms) * used)
        found[rows] = torch.zeros_like(right[rows]).scatter_(1, atoms, w * used)
    return found


class _ActiveSet(Treatment):
    """LRP-0 through the linear map on S: ``R_i = x_i Σ_k c_k A_ki`` with slopes ``c_k = R_k / w_k``.

    ``penalty`` keeps what the shrinkage λ takes from the codes. Relative to a reference point r the map is held fixed
    between r and x: ``R_i = (x_i - r_i) Σ_k c_k A_ki``, and ``active_set`` keeps ``Σ_k c_k`` times how far the map of x
    misses the code of r.
    """

    retention = Retention(inputs=True, output=True)
    takes_reference = True

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> Message:
        _, dictionary, _, ridge, penalty = call.bound()
        w, w_ref, x_ref = call.value(call.output), call.reference(call.output), call.reference(call.inputs[0])
        signs = w.sign()
        c = call.slope(message, ledger)
        inner = _solve(dictionary, ridge, c * (w != 0), w != 0)
        slope = inner @ dictionary
        lost = -penalty * inner * signs
        if ledger.enabled and w_ref is not None and x_ref is not None:
            ledger.absorb("active_set", lost.sum(1) + (slope * x_ref).sum(1) - (c * w_ref).sum(1))
        elif ledger.enabled and penalty:
            ledger.absorb("penalty", lost)
        return Message.of_slope(slope)


treat(active_set, by=_ActiveSet())
