"""``Explainer(model)(X)``: from a fitted model and rows to an `Explanation`."""

from __future__ import annotations

import itertools
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from neon.converters import Encoding, Network, neuralize
from neon.converters.intake import check_finite, column_names, numeric, take
from neon.converters.registry import takes_data
from neon.errors import UnsupportedModelError
from neon.explanation import Explanation
from neon.lrp import LRP
from neon.lrp.composites import Composite
from neon.lrp.lrp import Recording
from neon.lrp.rules import Rule
from neon.lrp.targets import checked_index
from neon.nn.trees.second_order import second_order

__all__ = ["Explainer", "explain"]

_MEMORY = 128 * 2**20  # bytes of recorded values a chunk may hold
_CACHE = 2 * 2**20  # for fitted models: what stays in the processor's cache is not fetched twice ...
_SOME_ROWS = 256  # ... but a chunk has this many rows, where memory allows: each costs about a millisecond by itself
_FIRST_ROWS = 64  # of a torch module, whose size per row is not known before
_CHECKED_ROWS = 64  # of a subclass, whose equivalence is no matter of course
_SLOW = 2.0  # seconds of expected work from which a progress bar shows


class Explainer:
    """Explain the predictions of a fitted model by relevance of its input features.

    Parameters
    ----------
    model : estimator, Pipeline, Network or torch.nn.Module
        Fitted; it is never modified.
    output : str, optional
        Which function of the model to explain, where it has several ("decision_function", "outlierness", ...).
    composite : str, Rule or Composite, optional
        The LRP rules. Default: the network's own.
    reference : array-like (n_features,) or (n_rows, n_features), optional
        What "no evidence" looks like: a point or background rows. Default: ``network.reference``, which is what the
        steps of a pipeline take to the origin of the model's linear map or to its support vectors; where they have no
        inverse, the origin of what they read. Models with no use for one refuse it. A clustering without ``predict``
        (DBSCAN, ...): the rows that it was fitted on.
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
        output: str | None = None,
        composite: str | Rule | Composite | None = None,
        reference: Any = None,
        device: str | torch.device | None = None,
        dtype: torch.dtype | None = None,
        batch_size: int | None = None,
        progress: bool | None = None,
    ) -> None:
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        is_torch = isinstance(model, torch.nn.Module)
        if is_torch and output is not None:
            raise ValueError("output= chooses among a fitted model's functions; a torch module has one")
        data = None if is_torch or not takes_data(model) else reference
        network = model if is_torch else neuralize(model, output=output, reference=data)
        reference = None if data is not None else reference
        self._fitted = isinstance(network, Network)
        self.device, self.dtype = _placement(network, device, dtype, movable=not is_torch)
        self.network = network if is_torch else network.to(device=self.device, dtype=self.dtype)
        self.batch_size, self.progress = batch_size, progress
        takes_reference = self._fitted and network.takes_reference
        if reference is not None and not takes_reference:
            raise ValueError(
                "this model's explanation is not relative to a reference point; leave reference=None"
                + (f" ({network.explains})" if self._fitted else "")
            )
        if composite is None:
            kind = "composite" if reference is None else "reference_composite"
            composite = getattr(network, kind, "epsilon")
        self._lrp = LRP(network, composite, memory="high" if self._fitted else "normal")
        self._reference: Tensor | None = None
        if reference is None and any(rule.needs_reference for _, rule in self._lrp.composite.rules):
            raise ValueError(f"composite {self._lrp.composite.name!r} compares with reference rows: give reference=")
        if takes_reference and self._lrp.composite.takes_reference:
            self._reference = self._tensor(self._reference_rows(reference))
        elif reference is not None:
            raise ValueError(
                f"composite {self._lrp.composite.name!r} has no rule that is relative to a reference point; leave "
                "reference=None, or use composite='neon' (rules.Reference in a composite of your own)"
            )
        self._references: dict[int, Tensor] | None = None
        self._chunk_rows: int | None = None
        if self._fitted:
            # A fitted model's network runs the same operations on any rows: one row tells their size, and the
            # reference rows go through it once.
            one_row = self._tensor(np.zeros((1, network.intake.n_encoded)))
            probe = self._lrp.record(one_row, reference=self._reference)
            if reference is not None and not any(s.rule is not None and s.rule.takes_reference for s in probe.steps):
                raise ValueError(
                    f"composite {self._lrp.composite.name!r} has no rule for this model that is relative to reference "
                    f"rows; leave reference=None, or use composite={network.reference_composite!r}"
                )
            self._references = probe.references
            per_row = probe.tape.bytes_per_sample()
            self._chunk_rows = max(1, min(max(_CACHE // per_row, _SOME_ROWS), _MEMORY // per_row))

    def __repr__(self) -> str:
        name = type(getattr(self.network, "model", self.network)).__name__
        return f"Explainer({name}, composite={self._lrp.composite.name!r}, explains={self._explains!r})"

    def __call__(self, X: Any, target: Any = None, *, interactions: bool = False) -> Explanation:
        """Explain the rows of X.

        Parameters
        ----------
        X : array-like (n_samples, n_features), DataFrame, sparse matrix or Tensor
        target : optional
            None: the predicted class or cluster of each row, or the only output. A label, an output index (a label
            wins where both fit), or a sequence with one per row. "all": every output, on a last axis. A callable
            from the output tensor to the relevance it starts from.
        interactions : bool
            Whether to compute the interactions of features as well, of tree ensembles by the rules "shapley" and
            "interventional". Memory: n_features² numbers a row.

        Returns
        -------
        Explanation

        Raises
        ------
        ValueError
            If X does not fit the model, holds NaN or infinity, or the target is unknown; if there are no interactions
            of this model, rule or target.
        """
        if self._fitted:
            rows, names = self.network.intake.rows(X)
            numbers = self.network.intake.numbers(rows)
            if self.network.inherits:
                self._check_equivalence(take(rows, slice(0, _CHECKED_ROWS)))
        else:
            names = column_names(X)
            rows = X.detach() if isinstance(X, Tensor) else numeric(X)
            check_finite(rows.cpu().numpy() if isinstance(rows, Tensor) else rows)
            numbers = rows
        every = isinstance(target, str) and target == "all"
        if interactions and (not self._fitted or callable(target)):
            raise ValueError("interactions are of a fitted tree ensemble's outputs: give a label, an index or 'all'")
        index = None if target is None or every or callable(target) else self._indices(target, rows.shape[0])
        n_rows = rows.shape[0]
        found = _Collected(n_rows)
        size = self.batch_size or self._chunk_rows or _FIRST_ROWS
        if interactions and self.batch_size is None:
            # In use at a time: each output's square, and its copies while columns are added up.
            squares = 3 + (2 * len(self.network.output_names) if every else 0)
            size = max(1, min(size, _MEMORY // (8 * squares * self.network.intake.n_encoded**2)))
        start, bar, began = 0, None, time.perf_counter()
        try:
            while start < n_rows or not found.parts:
                stop = min(start + size, n_rows)
                chosen = target if index is None else index[start:stop]
                chunk = slice(start, stop)
                part, per_row = self._chunk(
                    self._tensor(numbers[chunk]), take(rows, chunk), chosen, every, interactions
                )
                found.add(start, part)
                if self.batch_size is None and self._chunk_rows is None:
                    size = max(1, _MEMORY // per_row)
                expected = (time.perf_counter() - began) * (n_rows / max(stop, 1) - 1)
                if bar is None and (self.progress or (self.progress is None and expected > _SLOW and start > 0)):
                    from tqdm.auto import tqdm

                    bar = tqdm(total=n_rows, unit="rows", desc="neon")
                if bar is not None:
                    bar.update(stop - bar.n)
                start = stop
        finally:
            if bar is not None:
                bar.close()
        return self._explanation(found, rows, numbers, names, every)

    def _check_equivalence(self, rows: Any) -> None:
        """A subclass may compute something else than the class that its converter was made for."""
        difference, allowed = self.network.verify(rows), 1e-6 if self.dtype == torch.float64 else 1e-3
        size = np.abs(self.network.own(rows)).max(initial=1.0)
        if not difference <= allowed * size:
            name = type(self.network.model).__name__
            raise UnsupportedModelError(
                f"the network is that of a class which {name}, or a part of it, inherits from, and differs from the "
                f"model by {difference:.3g}; register a converter for the class itself with neon.converters.register"
            )

    def _chunk(self, x: Tensor, rows: Any, target: Any, every: bool, interactions: bool) -> tuple[_Part, int]:
        """Explain a few rows; also the bytes of recorded values per row."""
        recording = self._lrp.record(x, reference=self._reference, references=self._references, names=False)
        output, n = recording.output, len(x)
        per_row = recording.tape.bytes_per_sample()
        if callable(target):
            start = target(output)
            walk = recording.propagate(lambda _: start, account=True)
            flat = start.flatten(1)
            total = flat.sum(1)
            zeros = torch.zeros(n)
            return _Part(walk.relevance[0], torch.zeros_like(total), total, walk.ledger.absorbed, zeros), per_row
        if output.ndim != 2:
            raise ValueError(f"the model's output has shape {tuple(output.shape)}; give a callable as target")
        if every:
            columns = [torch.full((n,), c, device=x.device) for c in range(output.shape[1])]
        else:
            columns = [
                self._predicted(rows, output)
                if target is None
                else checked_index(target, n, output.shape[1], output.device)
            ]
        pairs = [self._pairs(recording, column) for column in columns] if interactions else []
        walks = [recording.propagate(column, account=True) for column in columns]
        base = torch.zeros_like(output[:1]) if recording.base is None else recording.base
        names = list(dict.fromkeys(name for walk in walks for name in walk.ledger.absorbed))
        zero = torch.zeros(n, dtype=output.dtype, device=output.device)

        def stack(tensors: list[Tensor]) -> Tensor:
            return torch.stack(tensors, -1) if every else tensors[0]

        return _Part(
            stack([walk.relevance[0] for walk in walks]),
            stack([base.expand_as(output).gather(1, column[:, None])[:, 0] for column in columns]),
            stack([output.gather(1, column[:, None])[:, 0] for column in columns]),
            {name: stack([walk.ledger.absorbed.get(name, zero) for walk in walks]) for name in names},
            columns[0],
            output.shape[1],
            stack(pairs) if pairs else None,
        ), per_row

    def _pairs(self, recording: Recording, target: Tensor) -> Tensor:
        """Interactions of the caller's columns; 0 on the diagonal."""
        pairs, encoding = second_order(recording, target).cpu(), self.network.intake.encoding
        if encoding is None:
            return pairs
        square = pairs.numpy()
        for _ in range(2):  # both axes
            square = encoding.total(square, self.network.n_features_in)[0].swapaxes(1, 2)
        return torch.from_numpy(square).diagonal_scatter(
            torch.zeros(square.shape[:2], dtype=pairs.dtype), dim1=1, dim2=2
        )

    def _predicted(self, rows: Any, output: Tensor) -> Tensor:
        return self.network.predicted(rows, output) if self._fitted else output.argmax(1)

    def _explanation(
        self, found: _Collected, rows: Any, numbers: Any, names: Sequence[str] | None, every: bool
    ) -> Explanation:
        values, prediction = found.parts["values"], found.parts["prediction"]
        outside = np.unique(np.nonzero(~np.isfinite(prediction))[0])
        if len(outside) and getattr(self.network, "infinite", False):
            warnings.warn(
                f"{len(outside)} rows have an infinite {self._explains}: they lie outside the support of every kernel "
                "(log p = -inf) and their relevance is NaN. A gaussian kernel has no such rows.",
                stacklevel=3,
            )
        elif len(outside):
            held = numbers.data if sparse.issparse(numbers) else numbers
            if self._fitted and np.isnan(held).any():
                raise ValueError("X contains NaN, which one part of the model takes and another does not")
            raise ValueError(
                f"the network gives NaN or infinity for {len(outside)} rows, the first of them {outside[0]}: a step "
                "such as log or sqrt got a value outside its domain, or numbers grew too large"
            )
        outputs = ("target function",) if found.n_outputs is None else self._output_names(found.n_outputs)
        shape = values.shape[1:-1] if every else values.shape[1:]
        encoding = self.network.intake.encoding if self._fitted else None
        if names is None:
            flat = int(np.prod(shape)) if encoding is None else self.network.n_features_in
            names = getattr(self.network, "feature_names", None) or [f"feature {i}" for i in range(flat)]
        explanation = Explanation(
            values=values,
            base_values=found.parts["base"],
            prediction=prediction,
            residuals={name: amount for name, amount in found.residuals.items() if np.any(amount != 0)},
            data=_array(numbers),
            feature_names=tuple(names if encoding is None else encoding.names),
            output_names=outputs,
            target=None if every else found.parts["target"].astype(int),
            explains=self._explains,
            texts=self.network.intake.texts(rows) if self._fitted else None,
        )
        if not self._fitted:
            _check_sums(explanation)
        if encoding is not None:
            explanation = decoded(explanation, encoding, rows, names)
        if "interactions" in found.parts:
            squares = _with_main_effects(found.parts["interactions"], explanation.values)
            explanation = replace(explanation, interactions=squares)
        return explanation

    @property
    def _explains(self) -> str:
        return str(getattr(self.network, "explains", "output of the network"))

    def _output_names(self, n_outputs: int) -> tuple[str, ...]:
        if self._fitted:
            return tuple(self.network.output_names)
        return tuple(f"output {i}" for i in range(n_outputs))

    def _tensor(self, rows: Any) -> Tensor:
        rows = rows.toarray() if sparse.issparse(rows) else rows
        if isinstance(rows, Tensor):  # token ids stay integers
            return rows.to(device=self.device, dtype=self.dtype if rows.is_floating_point() else None)
        # torch wants memory that it could write to, in ascending order; it is only read.
        rows = rows if rows.flags.writeable and min(rows.strides, default=0) >= 0 else rows.copy()
        return torch.as_tensor(rows).to(device=self.device, dtype=self.dtype)

    def _reference_rows(self, reference: Any) -> np.ndarray:
        if reference is None:
            if self.network.reference is not None:
                return np.asarray(self.network.reference, dtype=np.float64)
            return np.zeros((1, self.network.intake.n_encoded))
        if hasattr(reference, "to_frame") and hasattr(reference, "index"):  # a Series: one row, with names
            reference = reference.to_frame().T
        if not hasattr(reference, "columns") and not sparse.issparse(reference):
            reference = np.atleast_2d(np.asarray(reference))
        rows = self.network.intake.numbers(self.network.intake.rows(reference)[0])
        if rows.shape[0] == 0:
            raise ValueError("reference has no rows")
        return np.asarray(rows.toarray() if sparse.issparse(rows) else rows)

    def _indices(self, target: Any, n_rows: int) -> np.ndarray:
        labels = np.asarray(target)
        if labels.ndim == 0:
            return np.full(n_rows, self._index(labels[()]))
        if labels.shape != (n_rows,):
            raise ValueError(f"target must be one label or one per row ({n_rows}), got shape {labels.shape}")
        table = {label: self._index(label) for label in dict.fromkeys(labels.tolist())}
        return np.array([table[label] for label in labels.tolist()], dtype=int).reshape(n_rows)

    def _index(self, label: Any) -> int:
        label = label.item() if isinstance(label, np.generic) else label
        classes = getattr(self.network, "classes", None)
        if classes is not None:
            found = np.flatnonzero(np.asarray(classes) == label)
            if len(found):
                return int(found[0])
            if np.asarray(classes).dtype.kind in "iufb" and not isinstance(label, str):
                raise ValueError(
                    f"unknown target {label!r}: no class label; choose from {np.asarray(classes).tolist()} or 'all'"
                )
        outputs = getattr(self.network, "output_names", None)
        if isinstance(label, str) and outputs is not None and label in outputs:
            return list(outputs).index(label)
        whole = isinstance(label, (int, np.integer)) and not isinstance(label, (bool, np.bool_))
        if whole and (outputs is None or 0 <= int(label) < len(outputs)):
            return int(label)
        known = "" if outputs is None else f"; choose from {list(outputs)}, an index, or 'all'"
        raise ValueError(f"unknown target {label!r}{known}")


@dataclass(frozen=True, eq=False)
class _Part:
    """What explaining a chunk of rows found; ``n_outputs`` is None where a callable chose the target."""

    values: Tensor
    base: Tensor
    prediction: Tensor
    residuals: Mapping[str, Tensor]
    target: Tensor
    n_outputs: int | None = None
    interactions: Tensor | None = None


class _Collected:
    """Parts written into arrays that are allocated once; fresh memory costs more than the arithmetic."""

    def __init__(self, n_rows: int) -> None:
        self.n_rows = n_rows
        self.parts: dict[str, np.ndarray] = {}
        self.residuals: dict[str, np.ndarray] = {}
        self.n_outputs: int | None = None

    def add(self, start: int, part: _Part) -> None:
        for name in ("values", "base", "prediction", "target"):
            self._write(self.parts, name, start, getattr(part, name))
        if part.interactions is not None:
            self._write(self.parts, "interactions", start, part.interactions)
        for name, amount in part.residuals.items():
            self._write(self.residuals, name, start, amount)
        self.n_outputs = part.n_outputs

    def _write(self, arrays: dict[str, np.ndarray], name: str, start: int, tensor: Tensor) -> None:
        if name not in arrays:
            arrays[name] = np.zeros((self.n_rows, *tensor.shape[1:]))
        torch.from_numpy(arrays[name][start : start + len(tensor)]).copy_(tensor)


def _placement(
    network: torch.nn.Module, device: str | torch.device | None, dtype: torch.dtype | None, *, movable: bool
) -> tuple[torch.device, torch.dtype]:
    """Where to compute and in what precision; the caller's own module stays where and what it is."""
    weights = [w for w in itertools.chain(network.parameters(), network.buffers()) if w.is_floating_point()]
    own_device = weights[0].device if weights else torch.device("cpu")
    own_dtype = weights[0].dtype if weights else torch.float64 if movable else torch.float32
    if dtype is not None and dtype not in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        raise ValueError(f"dtype must be a floating torch dtype such as torch.float32, got {dtype!r}")
    if movable and dtype in (torch.float16, torch.bfloat16):
        raise ValueError(f"dtype={dtype}: fitted models are explained in torch.float32 or torch.float64")
    try:
        asked = own_device if device is None else torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"device={device!r} is unknown to torch; use 'cpu' or 'cuda'") from error
    if asked.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device={str(device)!r} was asked for, but torch finds no CUDA device; use device='cpu'")
    if not movable and weights and (asked.type != own_device.type or dtype not in (None, own_dtype)):
        raise ValueError(
            f"the module is on {own_device} in {own_dtype}; to explain it on {asked} in {dtype or own_dtype} move a "
            "copy of it there yourself: module.to(device, dtype)"
        )
    return asked, dtype or own_dtype


def _check_sums(explanation: Explanation) -> None:
    """A torch module may pack its samples in ways that leave no telling which one a residual belongs to."""
    size = np.abs(explanation.values).sum(tuple(range(1, 1 + len(explanation.feature_shape)))) + np.abs(
        explanation.prediction
    )
    if explanation.conservation_error() > 1e-3 * float(size.max(initial=0.0)):
        warnings.warn(
            "relevance and residuals of single samples do not add up to their predictions: the module mixes its "
            "samples (time-first sequences, packed batches, batch statistics). Explain one at a time: batch_size=1",
            RuntimeWarning,
            stacklevel=4,
        )


def decoded(explanation: Explanation, encoding: Encoding, rows: Any, names: Sequence[str]) -> Explanation:
    """An explanation of encoded columns as one of the caller's, which keeps it as ``encoded``."""
    values, unowned = encoding.total(explanation.values, len(names))
    residuals = dict(explanation.residuals)
    if np.any(unowned != 0):
        residuals["constant"] = unowned + residuals.get("constant", 0.0)
    return replace(
        explanation,
        values=values,
        residuals=residuals,
        data=_array(rows),
        feature_names=tuple(names),
        encoded=explanation,
        texts=None,
        imputed=None if encoding.replaced is None else encoding.replaced(rows),
    )


def _with_main_effects(pairs: np.ndarray, values: np.ndarray) -> np.ndarray:
    """``φ_ii = φ_i - Σ_{j≠i} φ_ij`` on the diagonal, in place, which is 0 before."""
    each = range(pairs.shape[1])
    pairs[:, each, each] = values - pairs.sum(axis=2)
    pairs.flags.writeable = False  # an explanation shares it then
    return pairs


def _array(rows: Any) -> np.ndarray:
    if isinstance(rows, Tensor):
        return rows.cpu().float().numpy() if rows.dtype == torch.bfloat16 else rows.cpu().numpy()
    return np.asarray(rows.toarray() if sparse.issparse(rows) else rows)


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
