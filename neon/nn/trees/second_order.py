"""Interactions in a recorded network: of trees that read its input, below linear maps only."""

from __future__ import annotations

import torch
from torch import Tensor

from neon.lrp.message import Ledger, Message
from neon.lrp.propagate import BackwardStep, propagate
from neon.lrp.recorded import Recording
from neon.lrp.rules.tree import Interventional, Shapley
from neon.lrp.targets import one_hot
from neon.nn.trees import engine
from neon.nn.trees.forest import Forest
from neon.nn.trees.operation import tree_ensemble
from neon.nn.trees.triples import triples

__all__ = ["second_order"]

_LINEAR = ("add", "cat", "linear", "mul")


@torch.no_grad()
def second_order(recording: Recording, target: Tensor, order: int = 2) -> Tensor:
    """``φ_ij`` for i ≠ j as in `interactions`, of one output per row; 0 on the diagonal. Or of three features.

    Parameters
    ----------
    recording : Recording
        Of the rows (n_samples, n_features).
    target : Tensor of int (n_samples,)
    order : int
        2; or 3: a sixth of the interaction of three features, as in `triples`.

    Returns
    -------
    Tensor
        (n_samples, n_features, n_features[, n_features])

    Raises
    ------
    ValueError
        If the model is no sum of trees, or their rule has no second order.
    """
    _check(recording)
    x = recording.tape.inputs[0]
    rows, output = recording.tape.values[x], recording.output
    arrived: list[tuple[BackwardStep, Tensor]] = []

    def observe(step: BackwardStep, above: tuple[Message | None, ...], below: tuple[Message | None, ...]) -> None:
        if step.call.operation.function is tree_ensemble:
            assert above[0] is not None
            assert above[0].slope is not None  # linear maps hand slopes on
            arrived.append((step, above[0].slope))

    start = Message.of_slope(one_hot(target, output), output)
    propagate(recording.steps, [x], recording.tape.output, start, ledger=Ledger(enabled=False), observe=observe)
    found = rows.new_zeros(len(rows), *[rows.shape[1]] * order)
    for step, slope in arrived:
        forest = step.call.operation.args[1]
        assert isinstance(forest, Forest)
        reference = None
        if isinstance(step.rule, Interventional):
            assert step.call.references is not None
            reference = engine.encode(forest, step.call.references[x].to(rows))
        if len(forest.paths.codes.used) and len(rows):
            of_order = engine.pairs if order == 2 else triples
            part = of_order(forest, engine.encode(forest, rows), slope, reference, None)
            found += forest.placed(part, rows.shape[1])
    return found


def _check(recording: Recording) -> None:
    """Refuse what has no exact second order, in words."""
    steps, inputs = recording.steps, tuple(recording.tape.inputs)
    trees = [step for step in steps if step.call.operation.function is tree_ensemble]
    if not trees:
        raise ValueError("interactions are of tree ensembles, and this model has no trees; leave interactions=False")
    for step in trees:
        if not isinstance(step.rule, (Shapley, Interventional)):
            raise ValueError(
                "interactions follow from composite='shapley' or, with reference=, 'interventional'; "
                f"{recording.composite!r} has no second order"
            )
        if step.call.operation.inputs != inputs:
            raise ValueError(
                "interactions are of the columns that trees read, but a step before the trees mixes columns or is no "
                "encoder of single ones; leave interactions=False, or explain the trees by themselves"
            )
    for step in steps:
        name = step.call.operation.name
        if step not in trees and (name not in _LINEAR or step.kind == "product"):
            raise ValueError(
                f"interactions are of sums of trees, but this model's output is no linear map of them ({name}); leave "
                "interactions=False"
            )
