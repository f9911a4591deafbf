"""``Explainer(model)(X)``: from a fitted model and rows to an `Explanation`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal, cast

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from neon._version import bound_to_version
from neon.converters import Network, neuralize
from neon.converters.core.intake import column_names, take
from neon.explainer.checks import check_equivalence, check_outputs, check_quadrature, check_sources, check_sums
from neon.explainer.chunks import Chunk, Collected
from neon.explainer.encoded_columns import decoded, decoded_pairs
from neon.explainer.labels import in_words, output_indices, resolved
from neon.explainer.placement import as_data, as_tensor, module_rows, placement
from neon.explainer.progress import Progress
from neon.explainer.reference import integral_from, reference_rows
from neon.explanation import Explanation
from neon.explanation.fields import row_labels
from neon.lrp import LRP
from neon.lrp.composites import Rules
from neon.lrp.paths.integral import NODES, Integral
from neon.lrp.recorded import Recording
from neon.lrp.recording.calls import Output
from neon.lrp.targets import Contrast, LogOdds, checked_index, rows_of
from neon.nn.trees.second_order import second_order

__all__ = ["Explainer", "explain"]

_MEMORY = 128 * 2**20  # bytes of recorded values a chunk may hold
_CACHE = 4 * 2**20  # for fitted models: what stays in the processor's cache is not fetched twice ...
_SOME_ROWS = 256  # ... but a chunk has this many rows, where memory allows: each costs about a millisecond by itself
_FIRST_ROWS = 64  # of a torch module, whose size per row is not known before
_CHECKED_ROWS = 64  # that the model itself is asked for


class Explainer:
    """Explain the predictions of a fitted model by relevance of its input features.

    Parameters
    ----------
    model : estimator, Pipeline, Network or torch.nn.Module
        Fitted; it is never modified.
    output : str, optional
        Which function of the model to explain, where it has several ("decision_function", "outlierness", ...). Of a
        torch module that returns several tensors: which one, as `neon.LRP` takes it.
    composite : str, Rule, Composite or sequence of (selector, rule), optional
        The LRP rules. Default: the network's own.
    reference : array-like (n_features,) or (n_rows, n_features), optional
        What "no evidence" looks like: a point or background rows. Default: ``network.reference``, which is what the
        steps of a pipeline take to the origin of the model's linear map or to its support vectors; where they have no
        inverse, the origin of what they read. Models with no use for one refuse it.
    data : array-like (n_rows, n_features), optional
        The rows that a clustering without ``predict`` (DBSCAN, HDBSCAN, ...) was fitted on; other models take none.
    device : str, optional
        "cpu" (default for fitted models), "cuda", ... A torch module is explained where it is.
    dtype : torch.dtype, optional
        Default float64 for fitted models; a torch module is explained in its own.
    batch_size : int, optional
        Rows at a time. Default: as many as fit a memory budget, measured on the first rows.
    progress : bool, optional
        Show a progress bar. Default: when the work takes longer than about two seconds.

    Attributes
    ----------
    network : Network or torch.nn.Module
    """

    def __init__(
        self,
        model: Any,
        *,
        output: Output = None,
        composite: Rules | None = None,
        reference: Any = None,
        data: Any = None,
        device: str | torch.device | None = None,
        dtype: torch.dtype | None = None,
        batch_size: int | None = None,
        progress: bool | None = None,
    ) -> None:
        if batch_size is not None and not (isinstance(batch_size, int | np.integer) and batch_size >= 1):
            raise ValueError(f"batch_size must be a whole number of rows, at least 1, got {batch_size!r}")
        is_torch = isinstance(model, torch.nn.Module)
        if is_torch and data is not None:
            raise ValueError("data= are the rows that a clustering without predict was fitted on; leave data=None")
        network = model if is_torch else neuralize(model, output=cast(str | None, output), data=data)
        self._fitted = isinstance(network, Network)
        self.device, self.dtype = placement(network, device, dtype, movable=not is_torch)
        self.network = network if is_torch else network.to(device=self.device, dtype=self.dtype)
        self.batch_size, self.progress = batch_size, progress
        if composite is None:
            kind = "composite" if reference is None else "reference_composite"
            composite = getattr(network, kind, "epsilon")
        memory: Literal["high", "normal"] = "high" if self._fitted else "normal"
        self._lrp = LRP(network, composite, output=output if is_torch else None, memory=memory)
        self._reference: Tensor | Integral | None = None
        self._words = ""
        if self._lrp.composite.along:
            self._reference = integral_from(network, self._lrp.composite, reference, self._tensor)
        else:
            rows = reference_rows(network, self._lrp.composite, reference)
            self._reference = None if rows is None else self._tensor(rows)
        self._references: dict[int, Tensor] | None = None
        self._chunk_rows: int | None = None
        if self._fitted:
            # A fitted model's network runs the same operations on any rows: one row tells their size, and the
            # reference rows go through it once.
            one_row = self._tensor(np.zeros((1, network.intake.n_encoded)))
            probe = self._lrp.record(one_row, reference=self._reference)
            if probe.integral is not None:
                x, slot = probe.tape.inputs[0], probe.tape.output
                self._words = probe.integral.words(probe.steps, x, slot, probe.tape.values[x])
            elif reference is not None and not any(s.rule is not None and s.rule.takes_reference for s in probe.steps):
                raise ValueError(
                    f"composite {self._lrp.composite.name!r} has no rule for this model that is relative to reference "
                    f"rows; leave reference=None, or use composite={network.reference_composite!r}"
                )
            self._references = probe.references
            per_row = probe.tape.bytes_per_sample() * (1 if probe.integral is None else NODES)
            self._chunk_rows = max(1, min(max(_CACHE // per_row, _SOME_ROWS), _MEMORY // per_row))

    def __reduce__(self) -> tuple:
        """Pickle for this version alone."""
        return bound_to_version(self, self.__dict__)

    def __repr__(self) -> str:
        name = type(getattr(self.network, "model", self.network)).__name__
        return f"Explainer({name}, composite={self._lrp.composite.name!r}, explains={self._explains!r})"

    def __call__(self, X: Any, target: Any = None, *, interactions: bool = False) -> Explanation:
        """Explain the rows of X.

        Parameters
        ----------
        X : array-like (n_samples, n_features), DataFrame, sparse matrix or Tensor
        target : optional
            None: the predicted class or cluster of each row, or the only output; several targets, labels or transformed
            columns, which are no alternatives, have no default. A label, an output index (a label
            wins where both fit), or a sequence with one per row. "all": every output, on a last axis.
            ``neon.targets.Contrast(a, b)``: the difference of two outputs; ``neon.targets.LogOdds(a)``: the log-odds of
            a class. A callable from the output tensor to the relevance it starts from, which tells nothing of its
            value at the reference: base values are 0 then.
        interactions : bool
            Whether to compute the interactions of features as well, of tree ensembles by the rules "shapley" and
            "interventional". Memory: n_features² numbers a row.

        Returns
        -------
        Explanation
            Relevance is dense: 8 bytes for each feature of each row and output. Sparse rows stay sparse beside it and
            are read a chunk at a time, some 0.2 GB in all; columns that encoders make of them have relevance as well.

        Raises
        ------
        ValueError
            If X does not fit the model, holds NaN or infinity, or the target is unknown; if there are no interactions
            of this model, rule or target.
        """
        if self._fitted:
            given, names = self.network.intake.given(X)
            numbers = self.network.intake.read(given)
            some = slice(0, _CHECKED_ROWS)
            check_equivalence(self.network, take(given, some), take(numbers, some))
            if self.network.intake.encoding is not None:
                first = self.network.intake.rows(take(given, some))
                check_sources(self.network.intake.encoding, first, take(numbers, some))
        else:
            names = column_names(X)
            given = numbers = X.detach() if isinstance(X, Tensor) else module_rows(self.network, X)
        target = resolved(target, self.network, given.shape[0])
        every = isinstance(target, str) and target == "all"
        if interactions and (not self._fitted or callable(target)):
            raise ValueError("interactions are of a fitted tree ensemble's outputs: give a label, an index or 'all'")
        n_rows = given.shape[0]
        index = None if target is None or every or callable(target) else output_indices(self.network, target, n_rows)
        size = self.batch_size or self._chunk_rows or _FIRST_ROWS
        if interactions and self.batch_size is None:
            # In use at a time: each output's square, and its copies while columns are added up.
            squares = 3 + (2 * len(self.network.output_names) if every else 0)
            size = max(1, min(size, _MEMORY // (8 * squares * self.network.intake.n_encoded**2)))
        found, start = Collected(n_rows), 0
        with Progress(n_rows, self.progress) as progress:
            while start < n_rows or not found.parts:
                stop = min(start + size, n_rows)
                here = slice(start, stop)
                chosen = rows_of(target, here, n_rows) if index is None else index[here]
                chunk, per_row = self._chunk(self._tensor(numbers[here]), take(given, here), chosen, interactions)
                found.add(start, chunk)
                if self.batch_size is None and self._chunk_rows is None:
                    size = max(1, _MEMORY // per_row)
                progress.reach(stop)
                start = stop
        explains = in_words(target, self._explains, getattr(self.network, "output_names", None))
        return self._explanation(found, given, numbers, names, row_labels(X), explains)

    def _chunk(self, x: Tensor, given: Any, target: Any, interactions: bool) -> tuple[Chunk, int]:
        """Explain a few rows; also the bytes of recorded values per row.

        target : None, "all", a callable, or output indices (n_rows,)
        """
        recording = self._lrp.record(x, reference=self._reference, references=self._references, names=False)
        per_row, output = recording.tape.bytes_per_sample(), recording.explained
        if isinstance(target, Contrast | LogOdds):
            return _of_outputs(recording, target), per_row
        if callable(target):
            return _of_callable(recording, target), per_row
        single = output.ndim == 1  # one number a row, without an axis of outputs
        output = output[:, None] if single else output
        if output.ndim != 2:
            raise ValueError(f"the model's output has shape {tuple(output.shape)}; give a callable as target")
        every, (n, n_outputs) = isinstance(target, str), output.shape
        if every:
            columns = [torch.full((n,), c, device=x.device) for c in range(n_outputs)]
        elif target is not None:
            columns = [checked_index(target, n, n_outputs, output.device)]
        else:
            columns = [self.network.predicted(given, output) if self._fitted else output.argmax(1)]
        pairs = [self._pairs(recording, column) for column in columns] if interactions else []
        walks = [recording.propagate(None if single else column, account=True) for column in columns]
        base = torch.zeros_like(output[:1]) if recording.base is None else recording.base.reshape(1, -1)
        names = dict.fromkeys(name for walk in walks for name in walk.ledger.absorbed)
        zero = torch.zeros(n, dtype=output.dtype, device=output.device)

        def stack(tensors: list[Tensor]) -> Tensor:
            return torch.stack(tensors, -1) if every else tensors[0]

        return Chunk(
            values=stack([walk.relevance[0] for walk in walks]),
            base=stack(
                [
                    base.expand_as(output).gather(1, column[:, None])[:, 0] if walk.base is None else walk.base
                    for walk, column in zip(walks, columns, strict=True)
                ]
            ),
            prediction=stack([output.gather(1, column[:, None])[:, 0] for column in columns]),
            residuals={name: stack([walk.ledger.absorbed.get(name, zero) for walk in walks]) for name in names},
            target=None if every else columns[0],
            n_outputs=n_outputs,
            interactions=stack(pairs) if pairs else None,
            logits=output is not recording.output,
        ), per_row

    def _pairs(self, recording: Recording, target: Tensor) -> Tensor:
        """Interactions of the caller's columns, (n_rows, n_features, n_features)."""
        if recording.integral is None:
            pairs = second_order(recording, target).cpu()
        else:
            pairs = recording.interactions(target).cpu()
        encoding = self.network.intake.encoding
        if encoding is None:
            return pairs
        return torch.from_numpy(decoded_pairs(pairs.numpy(), encoding, self.network.n_features_in))

    def _explanation(
        self,
        found: Collected,
        given: Any,
        numbers: Any,
        names: Sequence[str] | None,
        index: np.ndarray | None,
        explains: str,
    ) -> Explanation:
        check_outputs(self.network, numbers, found.parts["prediction"], found.finite)
        pairs = found.parts.pop("interactions", None)
        found.close()
        if found.n_outputs is None:
            outputs: tuple[str, ...] = ("target function",)
        else:
            outputs = self.network.output_names if self._fitted else _numbered("output", found.n_outputs)
        encoding = self.network.intake.encoding if self._fitted else None
        if names is None:
            n_features = math.prod((numbers if encoding is None else given).shape[1:])
            names = getattr(self.network, "feature_names", None) or _numbered("feature", n_features)
        explanation = Explanation(
            values=found.parts["values"],
            base_values=found.parts["base"],
            prediction=found.parts["prediction"],
            residuals={name: amount for name, amount in found.residuals.items() if np.any(amount != 0)},
            data=as_data(numbers),
            feature_names=tuple(names if encoding is None else encoding.names),
            output_names=outputs,
            target=found.parts.get("target"),
            explains="logit of an output of the network" if found.logits else explains,
            texts=self.network.intake.texts(given) if self._fitted else None,
            index=index,
        )
        if not self._fitted:
            check_sums(explanation)
        check_quadrature(explanation)
        if encoding is not None:
            data = as_data(given if sparse.issparse(given) else self.network.intake.rows(given))
            explanation = decoded(explanation, encoding, data, names, self.network.intake.replaced(given))
        if pairs is not None:
            each = range(len(names))
            pairs[:, each, each] = 0.0
            pairs[:, each, each] = explanation.values - pairs.sum(axis=2)  # φ_ii = φ_i - Σ_{j≠i} φ_ij
            pairs.flags.writeable = False  # the explanation shares it then
            explanation = replace(explanation, interactions=pairs)
        return explanation

    @property
    def _explains(self) -> str:
        explains = str(getattr(self.network, "explains", "output of the network"))
        return f"{explains}; {self._words}" if self._words else explains

    def _tensor(self, rows: Any) -> Tensor:
        return as_tensor(rows, self.device, self.dtype)


def _of_callable(recording: Recording, target: Callable[[Tensor], Tensor]) -> Chunk:
    """Explain what a callable makes of the output."""
    start = target(recording.output)
    walk = recording.propagate(target, account=True)
    total = start.reshape(len(start), -1).sum(1)
    return Chunk(
        values=walk.relevance[0],
        base=torch.zeros_like(total),
        prediction=total,
        residuals=walk.ledger.absorbed,
        target=torch.zeros(len(total), dtype=torch.int64),
    )


def _of_outputs(recording: Recording, target: Contrast | LogOdds) -> Chunk:
    """Explain a weighted sum of the outputs, as their explanations add up; the entropy of log-odds stands apart."""
    output = recording.explained.double()
    weights, walk = target.weights(output), recording.propagate(target, account=True)
    residuals = dict(walk.ledger.absorbed)
    prediction = (weights * output).flatten(1).sum(1)
    base = torch.zeros_like(prediction) if recording.base is None else (weights * recording.base).flatten(1).sum(1)
    base = base if walk.base is None else walk.base
    if isinstance(target, Contrast):
        zeros = torch.zeros(len(output), dtype=torch.int64)
        return Chunk(walk.relevance[0], base, prediction, residuals, zeros)
    entropy = target.entropy(output)
    residuals["entropy"] = residuals.get("entropy", 0.0) - entropy
    index = checked_index(target.index, len(output), output.shape[1], output.device)
    return Chunk(walk.relevance[0], base, prediction - entropy, residuals, index, output.shape[1])


def _numbered(word: str, count: int) -> tuple[str, ...]:
    return tuple(f"{word} {i}" for i in range(count))


def explain(
    model: Any,
    X: Any,
    target: Any | Callable[[Tensor], Tensor] = None,
    *,
    interactions: bool = False,
    **options: Any,
) -> Explanation:
    """``Explainer(model, **options)(X, target, interactions=interactions)``."""
    return Explainer(model, **options)(X, target, interactions=interactions)
