"""Baselines to compare relevance with, called like the engine: ``Gradient(model)(x, target)``.

All of them explain one scalar for each sample, ``f = Σ_k c_k z_k`` of the outputs ``z``, whose coefficients
``c_k = R_k / z_k`` are what `neon.LRP` starts from: 1 at a target's index; what a tensor or function states there,
and constant while a method moves the input (a `neon.targets.Contrast` is ``z_a - z_b``; the gradient of
`neon.targets.LogOdds` is that of the log-odds).

They are written out in plain torch: captum 0.9 computes the weights of integrated gradients and all of occlusion in
float32, and draws noise from the global generator.
"""

from __future__ import annotations

import abc
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neon.lrp.message import Ledger
from neon.lrp.recording.calls import in_training
from neon.lrp.start import Target, start

__all__ = ["Gradient", "GradientXInput", "IntegratedGradients", "Occlusion", "SmoothGrad"]

Tensors = tuple[Tensor, ...]


@dataclass(eq=False)
class _Baseline(abc.ABC):
    """One attribution method; the model is run, and nothing in it is changed.

    Parameters
    ----------
    model : torch.nn.Module or callable
        A network of any kind, also one that `neon.neuralize` made.
    """

    model: Callable[..., Any] = field(repr=False)

    def __call__(self, x: Tensor | Tensors, target: Target = None) -> Any:
        """Attribution of the inputs.

        Parameters
        ----------
        x : Tensor or tuple of Tensor
            The inputs, samples along axis 0.
        target : int, sequence of int, Tensor or callable, optional
            What is explained, as `neon.LRP` takes it.

        Returns
        -------
        Tensor or tuple of Tensor
            Shaped like ``x``.

        Raises
        ------
        ValueError
            If the target does not fit the output, or the inputs or the model have no gradient and the method needs it.
        """
        inputs = x if isinstance(x, tuple) else (x,)
        if not all(isinstance(x_, Tensor) for x_ in inputs):
            raise TypeError(f"x must be a tensor or a tuple of tensors, got {[type(x_).__name__ for x_ in inputs]}")
        if in_training(self.model):
            raise ValueError("the model is in training mode; call model.eval() before explaining it")
        with torch.inference_mode(False), torch.no_grad():
            attributions = self._attribute(tuple(x_.detach() for x_ in inputs), target)
        return attributions if isinstance(x, tuple) else attributions[0]

    @abc.abstractmethod
    def _attribute(self, inputs: Tensors, target: Target) -> Tensors:
        """Attribution of each input."""


@dataclass(eq=False)
class Gradient(_Baseline):
    """The gradient ``∂f/∂x_i`` (Simonyan et al. 2014, with its sign)."""

    def _attribute(self, inputs: Tensors, target: Target) -> Tensors:
        return gradient(self.model, inputs, lambda z: coefficients(z, target))


@dataclass(eq=False)
class GradientXInput(Gradient):
    """``x_i ∂f/∂x_i`` (Shrikumar et al. 2016): LRP-0 of a ReLU network."""

    def _attribute(self, inputs: Tensors, target: Target) -> Tensors:
        return tuple(x * slope for x, slope in zip(inputs, super()._attribute(inputs, target), strict=True))


@dataclass(eq=False, kw_only=True)
class _Repeated(_Baseline):
    """A method that runs the model many times; internal_batch_size : samples in one run, all by default."""

    internal_batch_size: int | None = None

    def __post_init__(self) -> None:
        if self.internal_batch_size is not None and self.internal_batch_size < 1:
            raise ValueError(f"internal_batch_size must be at least 1, got {self.internal_batch_size}")

    def _batches(self, n_samples: int) -> Iterator[slice]:
        size = self.internal_batch_size or max(n_samples, 1)
        return (slice(start, start + size) for start in range(0, max(n_samples, 1), size))

    def _output(self, inputs: Tensors) -> Tensor:
        """``z`` (n_samples, ...)."""
        return torch.cat([run(self.model, tuple(x[rows] for x in inputs)) for rows in self._batches(len(inputs[0]))])

    def _gradients(self, inputs: Tensors, target: Target, points: Iterable[tuple[Tensors, float]]) -> Tensors:
        """``Σ_p w_p ∂f/∂x`` at points p with weights w, the coefficients being those of the inputs."""
        _check_floating(inputs)
        c = coefficients(self._output(inputs), target)
        total = tuple(map(torch.zeros_like, inputs))
        for point, weight in points:
            slopes = self._gradient(point, c)
            total = tuple(torch.add(part, slope, alpha=weight) for part, slope in zip(total, slopes, strict=True))
        return total

    def _gradient(self, inputs: Tensors, c: Tensor) -> Tensors:
        """``∂ Σ_k c_k z_k / ∂x`` with constant c (n_samples, ...)."""
        batches = [gradient(self.model, tuple(x[rows] for x in inputs), c[rows]) for rows in self._batches(len(c))]
        return tuple(torch.cat(parts) for parts in zip(*batches, strict=True))


@dataclass(eq=False, kw_only=True)
class SmoothGrad(_Repeated):
    """The mean gradient around x, at ``x + σ N(0, 1)`` (Smilkov et al. 2017).

    Parameters
    ----------
    n_samples : int
        Noisy copies of the input.
    noise_level : float
        ``σ / (max x - min x)``, the range being that of each sample.
    seed : int
        Of the noise, which is the same at every call; torch's global generator is left alone.
    """

    n_samples: int = 25
    noise_level: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_samples < 1 or self.noise_level < 0:
            raise ValueError(
                f"n_samples must be >= 1 and noise_level >= 0, got {self.n_samples} and {self.noise_level}"
            )

    def _attribute(self, inputs: Tensors, target: Target) -> Tensors:
        total = self._gradients(inputs, target, ((noisy, 1.0) for noisy in self._noisy(inputs)))
        return tuple(part / self.n_samples for part in total)

    def _noisy(self, inputs: Tensors) -> Iterator[Tensors]:
        generator = torch.Generator().manual_seed(self.seed)  # of the CPU, whatever the device: the same noise
        deviations = [self.noise_level * _range(x) for x in inputs]
        for _ in range(self.n_samples):
            noise = [torch.randn(x.shape, generator=generator, dtype=x.dtype).to(x.device) for x in inputs]
            yield tuple(x + sigma * n for x, sigma, n in zip(inputs, deviations, noise, strict=True))


@dataclass(eq=False, kw_only=True)
class IntegratedGradients(_Repeated):
    """``(x_i - b_i) ∫₀¹ ∂f/∂x_i (b + t (x - b)) dt`` (Sundararajan et al. 2017): its sum is ``f(x) - f(b)``.

    Parameters
    ----------
    baseline : float, Tensor or tuple of these
        b, broadcasting to the input; a tuple has one for each input.
    n_steps : int
        Points of the Gauss-Legendre quadrature.
    """

    baseline: Any = 0.0
    n_steps: int = 50

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_steps < 1:
            raise ValueError(f"n_steps must be >= 1, got {self.n_steps}")

    def _attribute(self, inputs: Tensors, target: Target) -> Tensors:
        pairs = [(b, x - b) for b, x in zip(_baselines(self.baseline, inputs), inputs, strict=True)]
        nodes, weights = np.polynomial.legendre.leggauss(self.n_steps)  # on [-1, 1]
        points = (tuple(b + t * d for b, d in pairs) for t in (nodes + 1) / 2)
        total = self._gradients(inputs, target, zip(points, weights / 2, strict=True))
        return tuple(d * part for (_, d), part in zip(pairs, total, strict=True))


@dataclass(eq=False, kw_only=True)
class Occlusion(_Repeated):
    """``f(x) - f(x with a window set to the baseline)``, of each feature the mean over its windows (Zeiler 2014).

    Parameters
    ----------
    window, stride : int or tuple of int
        Size and step of the window, for each axis but the samples'. An int is that of a row of features
        (n_samples, n_features), and in inputs with more axes that of all but the first, the channels, which are
        occluded together. The default is one feature, and steps as wide as the window.
    baseline : float, Tensor or tuple of these
        What takes the place of the window, broadcasting to the input; a tuple has one for each input. The inputs
        may be token ids: it is then the id of a mask.
    """

    window: int | tuple[int, ...] = 1
    stride: int | tuple[int, ...] | None = None
    baseline: Any = 0.0

    def _attribute(self, inputs: Tensors, target: Target) -> Tensors:
        output = self._output(inputs)
        c = coefficients(output, target)
        attributions = []
        for place, (x, b) in enumerate(zip(inputs, _baselines(self.baseline, inputs), strict=True)):
            total = torch.zeros_like(x, dtype=x.dtype if x.is_floating_point() else c.dtype)
            count = total.new_zeros(1, *x.shape[1:])
            for window in self._windows(x.shape[1:]):
                occluded = x.clone()
                occluded[window] = b[window]
                drop = c * (output - self._output((*inputs[:place], occluded, *inputs[place + 1 :])))
                total[window] += drop.unsqueeze(-1).flatten(1).sum(1).view(-1, *(1,) * (x.ndim - 1))
                count[window] += 1
            attributions.append(total / count)
        return tuple(attributions)

    def _windows(self, shape: torch.Size) -> Iterator[tuple[slice, ...]]:
        """The index of every position of the window; the last one along an axis may be cut off by the edge."""
        sizes = _sizes(self.window, shape, "window")
        steps = sizes if self.stride is None else _sizes(self.stride, shape, "stride")
        if any(step > size for step, size in zip(steps, sizes, strict=True)):
            raise ValueError(f"stride {steps} leaves gaps between windows of size {sizes}")
        starts = (range(0, max(n - w, 0) + s, s) for n, w, s in zip(shape, sizes, steps, strict=True))
        for corner in itertools.product(*starts):
            yield slice(None), *(slice(start, start + size) for start, size in zip(corner, sizes, strict=True))


def run(model: Callable[..., Any], inputs: Tensors) -> Tensor:
    """The output on copies of the inputs: a model may work in place."""
    output = model(*(x.clone() for x in inputs))
    if not isinstance(output, Tensor) or output.shape[:1] != inputs[0].shape[:1]:
        given = f"shape {tuple(output.shape)}" if isinstance(output, Tensor) else type(output).__name__
        raise ValueError(f"the model must return one tensor with {len(inputs[0])} samples along axis 0, got {given}")
    return output


def gradient(model: Callable[..., Any], inputs: Tensors, c: Tensor | Callable[[Tensor], Tensor]) -> Tensors:
    """``∂ Σ_k c_k z_k / ∂x`` of each input, with c, or ``c(z)``, held constant.

    Raises
    ------
    ValueError
        If an input is of whole numbers, or the output has no gradient.
    """
    _check_floating(inputs)
    with torch.enable_grad():
        leaves = tuple(x.clone().requires_grad_() for x in inputs)
        output = run(model, leaves)
        if not output.requires_grad:
            raise ValueError("the model's output has no gradient (steps of trees have none); use baselines.Occlusion")
        slopes = c if isinstance(c, Tensor) else c(output.detach())
        return torch.autograd.grad(output, leaves, slopes, allow_unused=True, materialize_grads=True)


def coefficients(output: Tensor, target: Target) -> Tensor:
    """``c_k = R_k / z_k``, like the output (n_samples, ...), of the relevance R that `neon.LRP` starts from."""
    ledger = Ledger(enabled=False)
    return start(output, target, ledger).slope_over(output, ledger).to(output)


def _check_floating(inputs: Tensors) -> None:
    for x in inputs:
        if not x.is_floating_point():
            raise ValueError(
                f"gradients need floating-point inputs, got {x.dtype}; explain embeddings instead of token ids, or use "
                "neon.LRP or baselines.Occlusion"
            )


def _baselines(baseline: Any, inputs: Tensors) -> Tensors:
    """The baseline of each input, shaped like it."""
    given = baseline if isinstance(baseline, tuple) else (baseline,) * len(inputs)
    if len(given) != len(inputs):
        raise ValueError(f"baseline must have one entry for each of {len(inputs)} inputs, got {len(given)}")
    return tuple(
        torch.as_tensor(b, dtype=x.dtype, device=x.device).expand_as(x) for b, x in zip(given, inputs, strict=True)
    )


def _range(x: Tensor) -> Tensor:
    """``max - min`` of each sample, (n_samples, 1, ...)."""
    flat = x.flatten(1)
    return (flat.amax(1) - flat.amin(1)).view(-1, *(1,) * (x.ndim - 1))


def _sizes(given: int | tuple[int, ...], shape: torch.Size, name: str) -> tuple[int, ...]:
    """One size for each axis of ``shape``; one number leaves out the channels."""
    sizes = given if isinstance(given, tuple) else (*shape[: len(shape) > 1], *(given,) * max(len(shape) - 1, 1))
    if len(sizes) != len(shape) or min(sizes) < 1:
        raise ValueError(f"{name} must be a positive int or one for each axis of {tuple(shape)}, got {given}")
    return sizes
