"""A tree ensemble as one operation of the tape."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from neon.lrp.message import Ledger, Message
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.paths.terms import Background, StraightTerms, Terms
from neon.lrp.recording.tape import Retention
from neon.lrp.rules import Rule
from neon.lrp.rules.tree import EngineName, Interventional, Shapley, TreeRule
from neon.nn.layer import Layer, operation
from neon.nn.trees import engine
from neon.nn.trees.ensemble import Trees
from neon.nn.trees.forest import Forest
from neon.nn.trees.forms import relu_layers, tree_layers
from neon.nn.trees.quadrature import Index
from neon.nn.trees.triples import triples

__all__ = ["TreeEnsemble", "TreeTerms", "tree_ensemble"]


@operation
def tree_ensemble(x: Tensor, forest: Forest) -> Tensor:
    """``f_k(x) = base_k + Σ_t value[leaf of t that x reaches]``.

    Parameters
    ----------
    x : (n_samples, n_features)
        NaN where a value is missing.

    Returns
    -------
    Tensor
        (n_samples, n_outputs)
    """
    if x.ndim != 2 or x.shape[1] != forest.trees.n_features:
        raise ValueError(f"x must have shape (n_samples, {forest.trees.n_features}), got {tuple(x.shape)}")
    return engine.evaluate(forest, engine.encode(forest, x), x.dtype)


class TreeEnsemble(Layer, of=tree_ensemble):
    """`tree_ensemble` of given trees."""

    forest: Forest

    def __init__(self, trees: Trees) -> None:
        super().__init__(Forest(trees))

    @property
    def trees(self) -> Trees:
        return self.forest.trees

    def extra_repr(self) -> str:
        trees = self.trees
        leaves = int((trees.left < 0).sum())
        return (
            f"{trees.n_trees} trees of depth ≤ {len(trees.levels()) - 1}, {leaves} leaves, "
            f"{trees.n_features} features, {trees.n_outputs} outputs"
        )

    def spelled_out(self, n_inputs: int) -> list[torch.nn.Module]:
        return list(tree_layers(self.trees))

    def relu(self, n_inputs: int) -> list[torch.nn.Module]:
        return list(relu_layers(self.trees))


class _TreeEnsemble(Treatment):
    """``Σ_k slope_k φ_k`` with φ from the rule, ``slope_k = R_k / f_k``, or ``R_k / (f_k - f_k(reference))``.

    φ adds up to f minus the rule's own base; what that holds more than the engine's reference is ``expectation``.
    """

    kind = "tree"
    retention = Retention(inputs=True, output=True)
    takes_reference = True

    def terms(self, call: Call, rule: Rule | None, x: Tensor, background: Background) -> Terms | None:
        engine_of = rule.engine if isinstance(rule, Shapley | Interventional) else "auto"
        # Of the rows on the tape the output is known.
        known = call.value(call.output) if x is call.tape.values.get(call.inputs[0]) else None
        return TreeTerms(call.output, x, background, self._forest(call), engine_of, known)

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> Message:
        assert isinstance(rule, TreeRule)
        forest = self._forest(call)
        x, f = call.value(call.inputs[0]), call.value(call.output)
        rows = None if call.references is None else call.references[call.inputs[0]]
        base = engine.base_of(forest, rule, rows, f.dtype).to(f)
        known = call.reference(call.output)
        slope = call.slope(message, ledger)
        if ledger.enabled:
            # The part of f that the rule's own base holds, unless the engine's reference counts it already.
            ledger.absorb("expectation", slope * (base if known is None else base - known))
        reference = engine.encode(forest, rows.to(x)) if rows is not None and rule.takes_reference else None
        phi = engine.relevance(forest, rule, engine.encode(forest, x), slope, reference)
        relevance, used = phi.t(), forest.paths.codes.used
        if len(used) < x.shape[1]:
            relevance = x.new_zeros(x.shape).index_copy_(1, torch.as_tensor(used, device=x.device), phi.t())
        return Message.of_relevance(relevance)

    def at_reference(self, call: Call, values: dict[int, Tensor], rule: Rule | None) -> tuple[Tensor, ...]:
        """What relevance by this rule is relative to, (1, n_outputs)."""
        rows = values[call.inputs[0]]
        rule = rule if isinstance(rule, TreeRule) else None
        return (engine.base_of(self._forest(call), rule, rows, rows.dtype).to(rows.device),)

    @staticmethod
    def _forest(call: Call) -> Forest:
        forest: Forest = call.operation.args[1]
        return forest


class TreeTerms(StraightTerms):
    """Ensembles of AND units: within an ensemble Shapley values, the rest of the network sees a straight line.

    Relative to the covers, or to the reference rows where the caller gave them.
    """

    joint = True
    holds = "the training rows that its trees counted"

    def __init__(
        self, slot: int, x: Tensor, background: Background, forest: Forest, engine_of: EngineName, end: Tensor | None
    ) -> None:
        self.forest, self.codes, self.n_features = forest, engine.encode(forest, x), x.shape[1]
        self.rule: TreeRule = (Interventional if background.given else Shapley)(engine=engine_of)
        self.references: tuple[Tensor | None, Tensor | None] = (None, None)
        rows, weights = background.rows, background.weights
        if background.given:
            held = background.memo((slot, "held"), lambda: weights > 0)
            rows, weights = rows[held], weights[held]
            self.references = background.memo((slot, "codes"), lambda: engine.encode(forest, rows.to(x))), weights
        base = partial(engine.base_of, forest, self.rule, rows, x.dtype, weights)
        start = background.memo((slot, "start"), lambda: base().to(x))
        self.apart = background.players is not None
        super().__init__(slot, start, engine.evaluate(forest, self.codes, x.dtype) if end is None else end)

    def integrated(self, slopes: Tensor) -> Tensor:
        return self._of_index(slopes, "shapley")

    def middle(self, slopes: Tensor) -> Tensor:
        return self._of_index(slopes, "banzhaf")

    def _of_index(self, slopes: Tensor, index: Index) -> Tensor:
        phi = engine.relevance(self.forest, self.rule, self.codes, slopes.contiguous(), *self.references, index).t()
        used = self.forest.paths.codes.used
        if len(used) == self.n_features:
            return phi
        places = torch.as_tensor(used, device=phi.device)
        return phi.new_zeros(len(phi), self.n_features).index_copy_(1, places, phi)

    @property
    def starts(self) -> tuple[Tensor, Tensor] | None:
        codes, weights = self.references
        if codes is None or weights is None:
            return None
        return engine.evaluate(self.forest, codes, self.end.dtype), weights

    def from_each(self, slopes: Tensor) -> Tensor:
        codes, weights = self.references
        assert weights is not None
        one = slopes.new_ones(1, 1)
        each = [  # the slopes are weights of the reference rows, other ones for every row
            engine.relevance(self.forest, self.rule, own, one, codes, weights * slope)
            for own, slope in zip(self.codes.split(1, 1), slopes, strict=True)
        ]
        return self.forest.placed(torch.cat(each, 1).t(), self.n_features)

    def pairs(self, slopes: Tensor) -> Tensor:
        pairs = engine.pairs(self.forest, self.codes, slopes.contiguous(), *self.references)
        return self.forest.placed(pairs.to(slopes), self.n_features)

    def triples(self, slopes: Tensor) -> Tensor:
        return self.forest.placed(
            triples(self.forest, self.codes, slopes.contiguous(), *self.references), self.n_features
        )


treat(tree_ensemble, by=_TreeEnsemble())
