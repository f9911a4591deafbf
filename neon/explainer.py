"""``Explainer(model)(X)``: from a fitted model and rows to an `Explanation`."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from neon.converters import Network, neuralize
from neon.explanation import Explanation
from neon.lrp import LRP
from neon.lrp.composites import Composite
from neon.lrp.rules import Rule

__all__ = ["Explainer", "explain"]

_MEMORY = 128 * 2**20  # bytes of recorded values a chunk may hold
_FIRST_ROWS = 64
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
        What "no evidence" looks like: a point or background rows. Default: stated by ``network.reference``, else the
        origin of the model's linear map. Models with no use for one refuse it.
    device : str, optional
        "cpu" (default), "cuda", ...
    dtype : torch.dtype, optional
        Default float64 for fitted models, the module's own for torch modules.
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
        device = torch.device("cpu" if device is None else device)
        if device.type == "cuda" and not torch.cuda.is_available():
            raise ValueError(f"device={str(device)!r} was asked for, but torch finds no CUDA device; use device='cpu'")
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        is_torch = isinstance(model, torch.nn.Module)
        if is_torch and output is not None:
            raise ValueError("output= chooses among a fitted model's functions; a torch module has one")
        network = model if is_torch else neuralize(model, output=output)
        self._fitted = isinstance(network, Network)
        if dtype is None:
            own = next((p.dtype for p in network.parameters() if p.is_floating_point()), torch.float32)
            dtype = torch.float64 if self._fitted else own
        if not is_torch:
            network = network.to(device=device, dtype=dtype)
        self.network = network
        self.device, self.dtype, self.batch_size, self.progress = device, dtype, batch_size, progress
        takes_reference = self._fitted and network.takes_reference
        if reference is not None and not takes_reference:
            raise ValueError(
                "this model's explanation is not relative to a reference point; leave reference=None"
                + (f" ({network.explains})" if self._fitted else "")
            )
        if composite is None:
            composite = "neon" if reference is not None else getattr(network, "composite", "epsilon")
        self._lrp = LRP(network, composite)
        self._reference: Tensor | None = None
        if takes_reference and self._lrp.composite.name == "neon":
            self._reference = self._tensor(self._reference_rows(reference))

    def __call__(self, X: Any, target: Any = None) -> Explanation:
        """Explain the rows of X.

        Parameters
        ----------
        X : array-like (n_samples, n_features), DataFrame, sparse matrix or Tensor
        target : optional
            None: the predicted class or cluster of each row, or the only output. A label, an output index (a label
            wins where both fit), or a sequence with one per row. "all": every output, on a last axis. A callable
            from the output tensor to the relevance it starts from.

        Returns
        -------
        Explanation

        Raises
        ------
        ValueError
            If X does not fit the model, holds NaN or infinity, or the target is unknown.
        """
        rows, names = self._rows(X)
        every = isinstance(target, str) and target == "all"
        index = None if target is None or every or callable(target) else self._indices(target, rows.shape[0])
        parts: list[dict[str, Any]] = []
        start, size, bar, began = 0, self.batch_size or _FIRST_ROWS, None, time.perf_counter()
        n_rows = rows.shape[0]
        try:
            while start < n_rows or not parts:
                stop = min(start + size, n_rows)
                chosen = target if index is None else index[start:stop]
                part, per_row = self._chunk(self._tensor(rows[start:stop]), chosen, every)
                parts.append(part)
                start = stop
                if self.batch_size is None and len(parts) == 1:
                    size = max(1, int(_MEMORY / max(per_row, 1)))
                elapsed = time.perf_counter() - began
                expected = elapsed * (n_rows / max(stop, 1) - 1)
                if bar is None and (self.progress or (self.progress is None and expected > _SLOW and len(parts) > 1)):
                    from tqdm.auto import tqdm

                    bar = tqdm(total=n_rows, unit="rows", desc="neon")
                if bar is not None:
                    bar.update(stop - bar.n)
        finally:
            if bar is not None:
                bar.close()
        return self._join(parts, rows, names, every)

    def _chunk(self, x: Tensor, target: Any, every: bool) -> tuple[dict[str, Any], float]:
        recording = self._lrp.record(x, reference=self._reference, names=False)
        output = recording.output
        n = len(x)
        width = sum(spec[:1].numel() if spec.ndim else 1 for spec in recording.tape.specs.values())
        per_row = 3.0 * width * x.element_size()
        base = torch.zeros_like(output[:1]) if recording.base is None else recording.base
        if callable(target):
            start = target(output)
            walk = recording.propagate(lambda _: start, account=True)
            flat = start.flatten(1)
            return {
                "values": walk.relevance[0],
                "base": torch.zeros_like(flat[:, 0]),
                "prediction": flat.sum(1),
                "residuals": walk.ledger.absorbed,
                "target": torch.zeros(n),
                "custom": True,
            }, per_row
        if output.ndim != 2:
            raise ValueError(f"the model's output has shape {tuple(output.shape)}; give a callable as target")
        if every:
            columns = [torch.full((n,), c, device=x.device) for c in range(output.shape[1])]
        else:
            columns = [output.argmax(1) if target is None else torch.as_tensor(target, device=x.device)]
        walks = [recording.propagate(column, account=True) for column in columns]
        residual_names = list(dict.fromkeys(name for walk in walks for name in walk.ledger.absorbed))
        zero = torch.zeros(n, dtype=output.dtype, device=output.device)
        stack = (lambda tensors: torch.stack(tensors, -1)) if every else (lambda tensors: tensors[0])
        pick = [column[:, None] for column in columns]
        return {
            "values": stack([walk.relevance[0] for walk in walks]),
            "base": stack([base.expand_as(output).gather(1, p)[:, 0] for p in pick]),
            "prediction": stack([output.gather(1, p)[:, 0] for p in pick]),
            "residuals": {
                name: stack([walk.ledger.absorbed.get(name, zero) for walk in walks]) for name in residual_names
            },
            "target": None if every else columns[0],
            "n_outputs": output.shape[1],
        }, per_row

    def _join(self, parts: list[dict[str, Any]], rows: Any, names: Sequence[str] | None, every: bool) -> Explanation:
        def together(key: str) -> np.ndarray:
            return np.concatenate([np.asarray(part[key].detach().cpu().double()) for part in parts])

        prediction = together("prediction")
        residual_names = list(dict.fromkeys(name for part in parts for name in part["residuals"]))
        zero = [np.zeros(part["prediction"].shape) for part in parts]
        residuals = {
            name: np.concatenate(
                [
                    np.asarray(part["residuals"][name].cpu().double()) if name in part["residuals"] else blank
                    for part, blank in zip(parts, zero, strict=True)
                ]
            )
            for name in residual_names
        }
        residuals = {name: amount for name, amount in residuals.items() if np.any(amount != 0)}
        outside = len(np.unique(np.nonzero(~np.isfinite(prediction))[0]))
        if outside:
            warnings.warn(
                f"{outside} rows have an infinite {self._explains}: they lie outside the support of every kernel "
                "(log p = -inf) and their relevance is NaN. A gaussian kernel has no such rows.",
                stacklevel=3,
            )
        n_outputs = parts[0].get("n_outputs", 1)
        outputs = self._output_names(n_outputs)
        target = None if every else together("target").astype(int)
        if parts[0].get("custom"):
            outputs = ("target function",)
        values = together("values")
        shape = values.shape[1:-1] if every else values.shape[1:]
        if names is None:
            flat = int(np.prod(shape))
            names = getattr(self.network, "feature_names", None) or [f"feature {i}" for i in range(flat)]
        data = rows.toarray() if sparse.issparse(rows) else np.asarray(rows)
        return Explanation(
            values=values,
            base_values=together("base"),
            prediction=prediction,
            residuals=residuals,
            data=data,
            feature_names=tuple(names),
            output_names=outputs,
            target=target,
            explains=self._explains,
        )

    @property
    def _explains(self) -> str:
        return str(getattr(self.network, "explains", "output of the network"))

    def _output_names(self, n_outputs: int) -> tuple[str, ...]:
        if self._fitted:
            return tuple(self.network.output_names)
        return tuple(f"output {i}" for i in range(n_outputs))

    def _tensor(self, rows: Any) -> Tensor:
        rows = rows.toarray() if sparse.issparse(rows) else rows
        if isinstance(rows, Tensor):
            return rows.to(device=self.device, dtype=self.dtype)
        # torch wants memory that it could write to; it is only read.
        rows = rows if rows.flags.writeable else rows.copy()
        return torch.as_tensor(rows).to(device=self.device, dtype=self.dtype)

    def _reference_rows(self, reference: Any) -> np.ndarray:
        if reference is None:
            if self.network.reference is not None:
                return np.asarray(self.network.reference, dtype=np.float64)
            return np.zeros((1, self.network.n_features_in))
        if not hasattr(reference, "columns"):
            reference = np.atleast_2d(np.asarray(reference, dtype=np.float64))
        rows, _ = self._rows(reference)
        if rows.shape[0] == 0:
            raise ValueError("reference has no rows")
        return np.asarray(rows.toarray() if sparse.issparse(rows) else rows)

    def _rows(self, X: Any) -> tuple[Any, Sequence[str] | None]:
        """The rows as a float array (or CSR matrix) that fits the model, and the caller's column names."""
        names: list[str] | None = None
        if hasattr(X, "columns") and hasattr(X, "to_numpy"):
            names = [str(column) for column in X.columns]
            self._check_names(names)
            X = X.to_numpy()
        elif isinstance(X, Tensor):
            X = X.detach().cpu().numpy()
        if sparse.issparse(X):
            rows: Any = X.tocsr().astype(np.float64)
            held = rows.data
        else:
            try:
                rows = np.asarray(X, dtype=np.float64)
            except (TypeError, ValueError) as error:
                raise ValueError(f"X must be numeric; {error}. Encode strings inside the model's pipeline") from error
            held = rows
        if self._fitted:
            expected = self.network.n_features_in
            if rows.ndim != 2:
                raise ValueError(f"X must have shape (n_samples, {expected}), got {rows.shape}; one row is X[[0]]")
            if rows.shape[1] != expected:
                raise ValueError(f"X has {rows.shape[1]} features, but the model was fitted with {expected}")
        if not np.isfinite(held).all():
            what = "NaN" if np.isnan(held).any() else "infinity"
            raise ValueError(f"X contains {what}; this model takes finite values only: impute or drop such rows")
        return rows, names

    def _check_names(self, names: list[str]) -> None:
        fitted = getattr(self.network, "feature_names", None)
        if fitted is None or list(fitted) == names:
            return
        missing = [name for name in fitted if name not in names]
        unknown = [name for name in names if name not in fitted]
        if missing or unknown:
            raise ValueError(
                f"X's columns do not match those the model was fitted with; missing: {missing}, unknown: {unknown}"
            )
        raise ValueError(f"X's columns are in another order than at fit; use X[{list(fitted)}]")

    def _indices(self, target: Any, n_rows: int) -> np.ndarray:
        labels = np.asarray(target)
        if labels.ndim == 0:
            return np.full(n_rows, self._index(labels[()]))
        if labels.shape != (n_rows,):
            raise ValueError(f"target must be one label or one per row ({n_rows}), got shape {labels.shape}")
        table = {label: self._index(label) for label in dict.fromkeys(labels.tolist())}
        return np.array([table[label] for label in labels.tolist()], dtype=int).reshape(n_rows)

    def _index(self, label: Any) -> int:
        classes = getattr(self.network, "classes", None)
        if classes is not None:
            found = np.flatnonzero(np.asarray(classes) == label)
            if len(found):
                return int(found[0])
        outputs = getattr(self.network, "output_names", None)
        if isinstance(label, str) and outputs is not None and label in outputs:
            return list(outputs).index(label)
        whole = isinstance(label, (int, np.integer)) and not isinstance(label, (bool, np.bool_))
        if whole and (outputs is None or 0 <= int(label) < len(outputs)):
            return int(label)
        known = "" if outputs is None else f"; choose from {list(outputs)}, an index, or 'all'"
        raise ValueError(f"unknown target {label!r}{known}")


def explain(model: Any, X: Any, target: Any | Callable[[Tensor], Tensor] = None, **options: Any) -> Explanation:
    """``Explainer(model, **options)(X, target)``."""
    return Explainer(model, **options)(X, target)
