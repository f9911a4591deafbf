"""A torch module without the direction of an artifact at one of its layers: the module itself stays as it is."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from neon.artifacts.direction import Direction, direction_of
from neon.errors import UnsupportedOperationError
from neon.explainer.placement import module_rows
from neon.extend import Call, Ledger, Message, Retention, Treatment, operation, treat
from neon.lrp.message import divide
from neon.lrp.rules import Rule

__all__ = ["DirectionProjection", "Pool", "Projected", "project_direction", "projected"]

Pool = Literal["mean", "max"]
_BATCH = 256


@operation
def project_direction(
    x: Tensor,
    vector: Tensor,
    origin: Tensor,
    threshold: float | None = None,
    pool: str | None = None,
    axis: int = 1,
    rows: Tensor | None = None,
) -> Tensor:
    """``x - v vᵀ (x - z)``, v of length 1: the component along v becomes that of z (P-ClArC, Anders et al. 2022).

    Parameters
    ----------
    x : (n_samples, ...)
    vector, origin : (n_features,)
        v and z: of all of a sample's numbers, or with ``pool`` of channels, at each of their places.
    threshold : float, optional
        Only samples whose ``v x`` (pooled over places) is larger.
    pool : "mean" or "max", optional
    axis : int
        Of channels, with ``pool``.
    rows : bool (n_samples,), optional
        Only these samples.
    """
    if rows is not None and len(rows) != len(x):
        raise UnsupportedOperationError(
            "which rows are corrected is known of the explained rows alone, those predicted to be of classes=; explain "
            "without reference rows and by no composite that integrates, such as 'shapley'"
        )
    last = x.flatten(1) if pool is None else x.movedim(axis, -1)
    component = (last - origin) @ vector  # (n_samples,) or (n_samples, *places)
    on = torch.ones(len(x), dtype=torch.bool, device=x.device) if rows is None else rows
    if threshold is not None:
        on = on & ((last if pool is None else _pooled(last, pool)) @ vector > threshold)
    component = component * on.reshape(-1, *[1] * (component.ndim - 1))
    left = last - component[..., None] * vector
    return left.reshape(x.shape) if pool is None else left.movedim(-1, axis)


def _pooled(x: Tensor, pool: str) -> Tensor:
    """Channels (n_samples, *places, n_channels) over all places, (n_samples, n_channels)."""
    flat = x.flatten(1, -2) if x.ndim > 2 else x[:, None]
    return flat.mean(1) if pool == "mean" else flat.amax(1)


class _ProjectDirection(Treatment):
    """``h' = h + a``, a sum of a unit and of its correction ``a = -v vᵀ (h - z)``, which is nobody's: ``correction``.

    Both share by what they have of the sign of h' (the rule γ → ∞ with a for the bias): a unit that is silent gets
    nothing, and no more arrives than there was. Where a = 0 relevance passes. Relative to reference rows the same of
    the differences from there.
    """

    retention = Retention(inputs=True, output=True)
    takes_reference = True

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> Message:
        own, left = call.moved(call.inputs[0]), call.moved(call.output)
        sign, correction = left.sign(), left - own
        ours, theirs = (own * sign).clamp(min=0), (correction * sign).clamp(min=0)
        share = torch.where(correction == 0, 1.0, divide(ours, ours + theirs))
        if ledger.enabled:
            of_none = ((correction != 0) & (left == 0)).to(share)
            ledger.absorb("correction", message.relevance * (divide(theirs, ours + theirs) + of_none))
        return Message.of_relevance(message.relevance * share, vanishes=message.vanishes)


treat(project_direction, by=_ProjectDirection())


class DirectionProjection(torch.nn.Module):
    """`project_direction` with a direction that was found."""

    vector: Tensor
    origin: Tensor

    def __init__(self, direction: Direction, like: Tensor, only_found: bool, pool: Pool | None, axis: int) -> None:
        super().__init__()
        self.register_buffer("vector", torch.as_tensor(direction.vector).to(like))
        self.register_buffer("origin", torch.as_tensor(direction.origin).to(like))
        self.threshold = direction.threshold if only_found else None
        self.found, self.false_alarms = direction.found, direction.false_alarms
        self.pool, self.axis = pool, axis

    def forward(self, x: Tensor, rows: Tensor | None = None) -> Tensor:
        found: Tensor = project_direction(x, self.vector, self.origin, self.threshold, self.pool, self.axis, rows)
        return found

    def extra_repr(self) -> str:
        where = "" if self.pool is None else f" of channels ({self.pool})"
        which = "all rows" if self.threshold is None else "rows in which it is found"
        return (
            f"{len(self.vector)} numbers{where}, {which}; finds {self.found:.0%}, false alarms {self.false_alarms:.0%}"
        )


# The modules that are being corrected in this thread, one inside the other, each with the rows that it corrects.
_CORRECTED: ContextVar[tuple[tuple[Projected, Tensor | None], ...]] = ContextVar("neon_corrected", default=())


class Projected(torch.nn.Module):
    """A copy of a module whose layer gives out activations without the direction of an artifact.

    Attributes
    ----------
    model : torch.nn.Module
        The copy, in evaluation mode; called by itself, it is not corrected.
    projection : DirectionProjection
    layer : str or None
        None: the input.
    corrected_classes : tuple of int or None
        Only rows that the uncorrected model predicts to be one of these.
    """

    def __init__(
        self, model: torch.nn.Module, layer: str | None, projection: DirectionProjection, classes: Sequence[int] | None
    ) -> None:
        super().__init__()
        self.model, self.layer, self.projection = model, layer, projection
        self.corrected_classes = None if classes is None else tuple(int(c) for c in classes)
        if layer is not None:
            model.get_submodule(layer).register_forward_hook(self._correct)
        self.eval()

    def forward(self, x: Tensor, *others: Any, **named: Any) -> Any:
        """What the model gives for x, and whatever else it takes (masks, lengths), without the artifact."""
        rows = None if self.corrected_classes is None else self._chosen(self.model(x, *others, **named))
        if self.layer is None:
            return self.model(self.projection(x, rows), *others, **named)
        with self._correcting(rows):
            return self.model(x, *others, **named)

    def _chosen(self, output: Any) -> Tensor:
        """Which rows are predicted to be of the classes, bool (n_rows,)."""
        assert self.corrected_classes is not None
        if not isinstance(output, Tensor) or output.ndim != 2 or not 0 <= max(self.corrected_classes) < output.shape[1]:
            got = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise ValueError(
                f"classes={self.corrected_classes} are columns of an output (n_rows, n_classes); the model gives {got}"
            )
        predicted = output.argmax(1)
        return (predicted[:, None] == torch.tensor(self.corrected_classes, device=predicted.device)).any(1)

    @contextmanager
    def _correcting(self, rows: Tensor | None) -> Iterator[None]:
        """Of this thread alone: the layer of the copy is corrected while this lasts."""
        token = _CORRECTED.set((*_CORRECTED.get(), (self, rows)))
        try:
            yield
        finally:
            _CORRECTED.reset(token)

    def _correct(self, module: torch.nn.Module, inputs: Any, output: Any) -> Any:
        for corrected, rows in _CORRECTED.get():
            if corrected is self:
                if isinstance(output, tuple):
                    return (self.projection(output[0], rows), *output[1:])
                return self.projection(output, rows)
        return output


def projected(
    model: torch.nn.Module,
    artifact_rows: Any,
    clean_rows: Any,
    *,
    layer: str | None,
    direction: Any,
    only_found: bool,
    classes: Sequence[int] | None,
    pool: Pool | None,
    axis: int,
) -> Projected:
    """`neon.project_out` of a torch module."""
    if classes is not None and (not np.size(classes) or np.ndim(classes) != 1 or np.min(classes) < 0):
        raise ValueError(f"classes must be a list of at least one index of an output, got {classes!r}")
    if pool not in (None, "mean", "max"):
        raise ValueError(f'pool must be None, "mean" or "max", got {pool!r}')
    model = copy.deepcopy(model).eval()
    if layer is not None and layer not in dict(model.named_modules()):
        known = [name for name, _ in model.named_modules() if name]
        raise ValueError(f"the model has no layer {layer!r}; its layers: {', '.join(known)}")
    artifact, clean = (_activations(model, layer, rows) for rows in (artifact_rows, clean_rows))
    if pool is None:
        found = direction_of(_numbers(artifact), _numbers(clean), direction)
    else:
        if artifact.ndim < 3:
            raise ValueError(f"pool= is of channels that have places, got activations of shape {tuple(artifact.shape)}")
        artifact, clean = artifact.movedim(axis, -1), clean.movedim(axis, -1)
        found = direction_of(_numbers(_pooled(artifact, pool)), _numbers(_pooled(clean, pool)), direction)
        found = replace(found, origin=_numbers(_pooled(clean, "mean")).mean(0))  # what a place is like, not the largest
    return Projected(model, layer, DirectionProjection(found, artifact, only_found, pool, axis), classes)


def _numbers(rows: Tensor) -> np.ndarray:
    found: np.ndarray = rows.flatten(1).double().cpu().numpy()
    return found


def _activations(model: torch.nn.Module, layer: str | None, rows: Any) -> Tensor:
    """What a layer gives out for rows, (n_rows, ...)."""
    rows = module_rows(model, rows) if not isinstance(rows, Tensor) else rows
    like = next(model.parameters(), torch.zeros(()))
    x = rows.to(like.device) if isinstance(rows, Tensor) else torch.tensor(rows, device=like.device)
    x = x.to(like.dtype) if x.is_floating_point() else x
    if x.ndim < 2 or not len(x):
        raise ValueError(f"expected rows that the model takes, at least one, (n_rows, ...), got shape {tuple(x.shape)}")
    if layer is None:
        return x.detach()
    found: list[Tensor] = []

    def keep(module: torch.nn.Module, inputs: Any, output: Any) -> None:
        found.append(output[0] if isinstance(output, tuple) else output)

    handle = model.get_submodule(layer).register_forward_hook(keep)
    try:
        with torch.no_grad():
            batches = [model(batch) for batch in x.split(_BATCH)]
    finally:
        handle.remove()
    if len(found) != len(batches) or not all(isinstance(part, Tensor) for part in found):
        raise ValueError(
            f"layer {layer!r} must run once and give out a tensor; it ran {len(found) / len(batches):g} times"
        )
    return torch.cat(found)
