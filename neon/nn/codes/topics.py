"""Topics of a document: the shares that variational inference gives them, and the words that speak for each."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from neon.lrp.message import Ledger, Message
from neon.lrp.operations import Call, Held, Treatment, treat
from neon.lrp.recording.tape import Retention
from neon.lrp.rules import Rule
from neon.nn.layer import Layer, operation

__all__ = ["TopicShares", "topic_shares", "topic_weights"]

SIZE = 2**18  # topic weights of the words of documents that are inferred side by side


@operation
def topic_weights(x: Tensor, topics: Tensor, prior: float, n_steps: int, tolerance: float) -> Tensor:
    """``e_k = exp(E[log θ_k])`` of the last step of variational inference (Hoffman et al. 2010).

    From ``γ = 1`` on, ``e_k = exp(ψ(γ_k) - ψ(Σ_l γ_l))`` and ``γ_k = α + Σ_w n_w φ_wk`` take turns, with the claims
    ``φ_wk = e_k b_kw / Σ_l e_l b_lw`` of the topics on a word; a document's turns end once the mean change of its γ is
    below the tolerance.

    Parameters
    ----------
    x : (n_samples, n_words)
        Counts n ≥ 0.
    topics : (n_topics, n_words)
        The ``b_kw = exp(E[log β_kw])``.
    prior : float
        α.
    n_steps : int
        The largest number of steps, at least 1.
    tolerance : float

    Returns
    -------
    Tensor
        (n_samples, n_topics); NaN where a count is negative.
    """
    found = x.new_zeros(len(x), len(topics))
    for rows, counts, words in _documents(x, SIZE // len(topics)):
        found[rows] = _infer(counts, topics.T[words], prior, n_steps, tolerance)
    return found.masked_fill((x < 0).any(1, keepdim=True), torch.nan)


@operation
def topic_shares(x: Tensor, weights: Tensor, topics: Tensor, prior: float) -> Tensor:
    """``γ_k / Σ_l γ_l`` with ``γ_k = α + Σ_w n_w φ_wk``, the claims φ following from weights : (n_samples, n_topics).

    Returns
    -------
    Tensor
        (n_samples, n_topics)
    """
    claimed = x / (weights @ topics).add_(torch.finfo(x.dtype).eps)
    gamma = prior + weights * (claimed @ topics.T)
    return gamma / gamma.sum(1, keepdim=True)


class TopicShares(Layer, of=topic_weights):
    """The shares of fixed topics in documents: `topic_weights` and `topic_shares`."""

    no_relu = "topics share every word by iterated exponentials"
    option_names = ("prior", "n_steps", "tolerance")
    states: tuple[str, ...] = ("the topics' claims on each word", "the length of the document")
    topics: Tensor
    prior: float
    n_steps: int

    def forward(self, x: Tensor) -> Tensor:
        return topic_shares(x, super().forward(x), self.topics, self.prior)

    def extra_repr(self) -> str:
        return f"{self.topics.shape[1]} → {len(self.topics)}, at most {self.n_steps} steps"


def _documents(x: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Documents with about as many words each: their rows; counts and words (n_rows, n), the shorter ones padded by 0.

    size : how many counts come at a time, unless a document alone has more.
    """
    of, word = x.nonzero(as_tuple=True)
    count, lengths = x[of, word], of.bincount(minlength=len(x))
    starts, order = lengths.cumsum(0) - lengths, lengths.argsort()
    start = 0
    while start < len(order):
        fits = lengths[order[start:]] * torch.arange(1, len(order) - start + 1, device=x.device) <= size
        rows = order[start : start + max(1, int(fits.sum()))]
        start += len(rows)
        place = torch.arange(int(lengths[rows[-1]]), device=x.device)
        padding = place >= lengths[rows, None]
        entry = (starts[rows, None] + place).masked_fill_(padding, 0)
        yield rows, count[entry].masked_fill(padding, 0.0), word[entry].masked_fill_(padding, 0)


def _infer(counts: Tensor, b: Tensor, prior: float, n_steps: int, tolerance: float) -> Tensor:
    """`topic_weights` of documents; counts : (n_documents, n), b : (n_documents, n, n_topics) of their words."""
    b_transposed, eps = b.transpose(1, 2).contiguous(), torch.finfo(b.dtype).eps
    rows, gamma = torch.arange(len(b), device=b.device), counts.new_ones(len(b), b.shape[2])
    found = e = _expected(gamma)
    for _ in range(n_steps):
        previous, last = e, gamma
        claimed = counts / ((e[:, None] @ b_transposed)[:, 0] + eps)
        gamma = prior + e * (claimed[:, None] @ b)[:, 0]
        going = (gamma - last).abs().mean(1) >= tolerance
        e = torch.where(going[:, None], _expected(gamma), previous)  # of the others, the next step is the same again
        n_going = int(going.sum())
        if n_going == 0:
            break
        if n_going < 0.75 * len(rows):
            found = found.index_put((rows,), previous)
            state = (rows, counts, gamma, previous, e, b, b_transposed)
            rows, counts, gamma, previous, e, b, b_transposed = (part[going] for part in state)
    return found.index_put((rows,), previous)


def _expected(gamma: Tensor) -> Tensor:
    """``exp(E[log θ])`` of Dirichlet distributions, (n_documents, n_topics)."""
    psi = _digamma(torch.cat([gamma, gamma.sum(1, keepdim=True)], 1))
    return (psi[:, :-1] - psi[:, -1:]).exp()


def _digamma(x: Tensor) -> Tensor:
    """ψ(x) by ``ψ(x) = ψ(x + 1) - 1/x`` up to 6 and three terms of its series from there on (Bernardo 1976, AS 103).

    That is off by up to 2.5e-9, and scikit-learn's inference is by the same: shares would differ by as much and more.
    """
    steps = x + torch.arange(6, dtype=x.dtype, device=x.device).reshape(-1, *[1] * x.ndim)
    y = x + (6 - x).ceil().clamp_(min=0)
    square = y.reciprocal().square()
    series = square * (1 / 12 - square * (1 / 120 - square / 252))
    return y.log() - 0.5 / y - series - steps.reciprocal().masked_fill(steps >= 6, 0.0).sum(0)


class _TopicShares(Treatment):
    """LRP-0 through ``f_k = (α + Σ_w n_w φ_wk) / S``, claims φ and length S held fixed: ``R_w = n_w Σ_k c_k φ_wk / S``.

    The slopes are ``c_k = R_k / f_k``; the ``prior`` keeps ``Σ_k c_k α / S``. Relative to a reference point r the map
    is held fixed between r and x, ``R_w = (n_w - r_w) Σ_k c_k φ_wk / S``, and ``claims`` keeps ``Σ_k c_k`` times how
    far the map of x misses the shares of r.
    """

    retention = Retention(inputs=True, output=True)
    takes_reference = True

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> tuple[Message | None, ...]:
        x, e, topics, prior = call.bound()
        f_ref, x_ref = call.reference(call.output), call.reference(call.inputs[0])
        c = call.slope(message, ledger)
        mass = e @ topics
        whole = mass + torch.finfo(x.dtype).eps
        length = len(topics) * prior + torch.linalg.vecdot(x / whole, mass)
        c_length = c / length[:, None]
        slope = ((c_length * e) @ topics).div_(whole)
        kept = prior * c_length.sum(1)
        if ledger.enabled and f_ref is not None and x_ref is not None:
            ledger.absorb("claims", kept + (slope * x_ref).sum(1) - (c * f_ref).sum(1))
        elif ledger.enabled:
            ledger.absorb("prior", kept)
        return Message.of_slope(slope), None


treat(topic_weights, by=Held())  # who claims a word is no part of what the word brings
treat(topic_shares, by=_TopicShares())
