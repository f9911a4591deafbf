"""``Explainer(model)(X)``: from a fitted model and rows to an `Explanation`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import torch
from torch import Tensor

from neon._version import bound_to_version
from neon.converters import Network, neuralize
from neon.converters.core.containers import take
from neon.explainer.audit import record
from neon.explainer.base import of_target, rows_in_words, start_in_words, words_of
from neon.explainer.checks import check_outputs, check_quadrature, check_rounding, check_sums
from neon.explainer.chunks import FIRST_ROWS, Chunk, Collected, Probe, rows_within
from neon.explainer.equivalence import COMPARED, Comparisons
from neon.explainer.frames import framed, without_rows
from neon.explainer.higher_order import checked_order, of_columns, with_interactions
from neon.explainer.labels import contrasted, in_words, output_indices, resolved
from neon.explainer.names import Names
from neon.explainer.other_names import advises
from neon.explainer.placement import as_tensor, placement
from neon.explainer.progress import progress_bar, silent_if_asked
from neon.explainer.recordings import chunk_of, of_contrast, of_trees
from neon.explainer.reference import reference_of, starts_from_origin, weighing
from neon.explainer.replays import Replays
from neon.explainer.rows import CallerRows, numbered
from neon.explainer.sparse_front import SparseFront
from neon.explanation import Explanation
from neon.explanation.rows_like_arrays import SparseRows
from neon.lrp import LRP
from neon.lrp.composites import Rules
from neon.lrp.paths.integral import Integral
from neon.lrp.recorded import Recording
from neon.lrp.recording.calls import Output, eager
from neon.lrp.targets import Contrast, rows_of

if TYPE_CHECKING:
    import pandas

__all__ = ["Explainer", "explain"]


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
    reference : array-like (n_features,) or (n_rows, n_features), or such rows and weights (n_rows,), optional
        What "no evidence" looks like: a point or background rows, such as `neon.summarize` chooses. The composites
        "shapley", "expected" and "banzhaf" draw absent features from them; by default, from what the model holds of
        the rows that it was fitted on, as ``explanation.explains`` says. Default: ``network.reference``, which is what
        the steps of a pipeline take to the origin of the model's linear map or to its support vectors; where they have
        no inverse, the origin of what they read. Models with no use for one refuse it.
    data : array-like (n_rows, n_features), optional
        The rows that a clustering without ``predict`` (DBSCAN, HDBSCAN, ...) was fitted on; other models take none.
    device : str, optional
        "cpu" (default for fitted models), "cuda", ... A torch module is explained where it is.
    dtype : torch.dtype, optional
        Default float64 for fitted models (float32: within 1e-5: docs/scale.md); a torch module is explained in its own.
    batch_size : int, optional
        Rows at a time. Default: as many as fit a memory budget, measured on the first rows.
    progress : bool, optional
        Show a progress bar. Default: when the work takes longer than about two seconds. False: nor say that loops are
        compiled, which takes some seconds once.
    feature_names : sequence of str, optional
        What the columns of X are called in explanations, one for each. Default: as in X or where the model was fitted.
    feature_units : mapping of str to str, optional
        By name of the feature, the unit of its values: ``{"spend": "€"}``.
    output_names : sequence of str, optional
        What the outputs are called, one for each; targets may be given by these names. Default: as the model does.
    unit : str, optional
        The unit of what is explained, such as "€": that of relevance and base values, too.

    Attributes
    ----------
    network : Network or torch.nn.Module
    """

    @advises
    @silent_if_asked
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
        feature_names: Sequence[str] | None = None,
        feature_units: Mapping[str, str] | None = None,
        output_names: Sequence[str] | None = None,
        unit: str = "",
    ) -> None:
        if batch_size is not None and not (isinstance(batch_size, int | np.integer) and batch_size >= 1):
            raise ValueError(f"batch_size must be a whole number of rows, at least 1, got {batch_size!r}")
        is_torch = isinstance(model, torch.nn.Module)
        if is_torch and data is not None:
            raise ValueError("data= are the rows that a clustering without predict was fitted on; leave data=None")
        network = model if is_torch else neuralize(model, output=cast(str | None, output), data=data)
        self.device, self.dtype = placement(network, device, dtype, movable=not is_torch)
        self.network = network if is_torch else network.to(device=self.device, dtype=self.dtype)
        self.batch_size, self.progress = batch_size, progress
        self._fitted = isinstance(network, Network)
        most = None
        if composite is None:
            kind = "composite" if reference is None else "reference_composite"
            composite = getattr(network, kind) if isinstance(network, Network) else "epsilon"
            most = network.most_starts if isinstance(network, Network) and composite == "expected" else None
        memory: Literal["high", "normal"] = "high" if self._fitted else "normal"
        self._names = Names.given(network, feature_names, output_names, unit, feature_units)
        self._lrp = LRP(network, weighing(composite, reference), output=output if is_torch else None, memory=memory)
        self._reference = reference_of(network, self._lrp.composite, reference, self._tensor, most=most)
        self._source = rows_in_words(network, reference, self._reference)
        self._comparisons = Comparisons(getattr(network, "model", None) if self._fitted else None)
        self._probe: Probe | None = None
        self._replays: Replays | None = None
        if isinstance(network, Network):
            assert not isinstance(self._reference, tuple)
            row = self._tensor(np.zeros((1, network.intake.n_encoded)))
            self._probe = Probe.of(self._lrp, row, self._reference, self._source)
            self._replays = Replays(self._lrp, self._reference, self._probe.references)
            if reference is not None and not self._probe.relative:
                raise ValueError(
                    f"composite {self._lrp.composite.name!r} has no rule for this model that is relative to reference "
                    f"rows; leave reference=None, or use composite={network.reference_composite!r}"
                )

    def __reduce__(self) -> tuple:
        """Pickle for this version alone; other threads may be adding to what is held."""
        return bound_to_version(self, {k: v for k, v in dict(self.__dict__).items() if k != "_sparse_front"})

    @property
    def composite(self) -> str:
        """The name of the rules in use."""
        return self._lrp.composite.name

    def __repr__(self) -> str:
        name = type(self.network.model if isinstance(self.network, Network) else self.network).__name__
        return f"Explainer({name}, composite={self.composite!r}, explains={self._explains!r})"

    @advises
    @silent_if_asked
    def __call__(self, X: Any, target: Any = None, *, interactions: bool | int = False) -> Explanation:
        """Explain the rows of X.

        The network of a fitted model is compared with the model's own function at the first 64 rows of each call of 64
        rows or more. Calls of fewer rows are compared until 64 of their kind (container, types) were, and from then on
        once in 1,000 rows: to ask a model takes longer than to explain a row. Safe in threads.

        Parameters
        ----------
        X : array-like (n_samples, n_features), DataFrame, sparse matrix or Tensor
        target : optional
            None: the predicted class or cluster of each row, or the only output; several targets, labels or transformed
            columns, which are no alternatives, have no default. A label, an output index (a label
            wins where both fit), or a list or array with one per row. "all": every output, on a last axis.
            A tuple of two, ``("Barolo", "Barbera")``, or ``neon.targets.Contrast("Barolo", "Barbera")``: the first
            against the second, which is the explanation of the one less that of the other; each may be one per row.
            ``neon.targets.LogOdds(a)``: the log-odds of a class. A callable from the output tensor to the relevance it
            starts from, which tells nothing of its value at the reference: base values are 0 then.
        interactions : bool or int
            True, or 2: the interactions of any two features as well, of tree ensembles by the rules "shapley" and
            "interventional", of kernel machines and quadratic forms by the former. 3: of any three, of tree ensembles.
            Memory: n_features² or n_features³ numbers a row.

        Returns
        -------
        Explanation
            Relevance is dense, 8 bytes for each feature of each row and output; of sparse rows with one output each
            it is sparse where it is 0 wherever these are. Chunks, and columns that encoders make, come on top.

        Raises
        ------
        ValueError
            If X does not fit the model, holds NaN or infinity, or the target is unknown; if there are no interactions
            of this model, rule or target.
        MemoryError
            If relevance would take more memory than the machine has; the message says how much.
        UnsupportedModelError
            If the model was fitted anew; if the network differs from it by more than rounding.
        """
        rows = CallerRows.read(self.network, X, self._comparisons, self._names)
        called = self._names.outputs
        target = resolved(target, self.network, len(rows), called)
        order = checked_order(interactions)
        if order and (not self._fitted or (callable(target) and not isinstance(target, Contrast))):
            raise ValueError("interactions are of a fitted tree ensemble's outputs: give a label, an index or 'all'")
        if target is not None and not callable(target) and not (isinstance(target, str) and target == "all"):
            target = output_indices(self.network, target, len(rows), called)
        found = (None if order else self._of_trees(rows, target)) or self._collected(rows, target, order)
        own = self.network.output_names if isinstance(self.network, Network) else None
        if isinstance(target, Contrast):
            outputs, found.parts["target"] = contrasted(target, called or own, len(rows))
        elif found.n_outputs is None:
            outputs = ("target function",)
        else:
            outputs = self._names.of_outputs(own or numbered("output", found.n_outputs))
        each = "logit of an output of the network" if found.logits else self._explains
        base = of_target(target, (self._probe or found).base_in_words)
        return self._explanation(found, rows, outputs, in_words(target, each, outputs), base)

    def explain_frame(
        self, frame: pandas.DataFrame, target: Any = None, *, columns: Sequence[str] = ()
    ) -> pandas.DataFrame:
        """Explain the rows of a table by a table with the same index, as engines that work on parts of tables take it.

        Its columns are the same for any rows: those of ``columns``, which are kept, ``target`` (of "all" outputs:
        ``output``, and a line for each), ``prediction``, ``base_value``, the relevance of each feature, and
        ``residual``, the sum of what no feature owns. The model reads those that it was fitted on, by name, or else all
        that are not kept. `meta` has no rows.

        Raises
        ------
        ValueError
            If there are no such columns, or other than the model reads; as for rows that are called with.
        """
        return framed(self, self.network, self._names, frame, target, columns)

    @property
    def meta(self) -> pandas.DataFrame:
        """What `explain_frame` gives, without rows and kept columns, where the model knows the names of its columns."""
        return without_rows(self.network, self._names)

    def audit(self, X: Any, target: Any = None) -> dict[str, Any]:
        """Explain the rows of X, ask the model itself for all of them, and write down what was found.

        The same model, rows and versions give the same record, but for its date.

        Parameters
        ----------
        X, target
            As for a call.

        Returns
        -------
        dict
            For ``json.dumps``. ``date`` (UTC); ``model``: its class and the SHA-256 of all that it holds; ``versions``;
            ``explains``, ``composite``, ``reference`` (None: none), ``base_in_words`` and ``unit``; ``n_samples``,
            ``feature_names``, ``output_names``; ``equivalence_error``: the largest difference between the network and
            the model (None: a torch module, explained as it is, or no rows); ``conservation_error``,
            ``largest_prediction``, ``total_relevance`` and ``total_residuals``: sums of magnitudes. What is not finite
            is None.
        """
        explanation = self(X, target)
        model = self.network.model if isinstance(self.network, Network) else self.network
        return record(
            model,
            explanation,
            composite=self._lrp.composite.name,
            reference=start_in_words(explanation.base_in_words, self._source),
            difference=self.network.verify(X) if isinstance(self.network, Network) and len(explanation) else None,
        )

    def _of_trees(self, rows: CallerRows, target: Any) -> Collected | None:
        """A few rows of trees that are the whole network, each row's own output."""
        trees = None if self._probe is None or self.batch_size is not None else self._probe.alone
        known = target is None or isinstance(target, np.ndarray | Contrast)
        if trees is None or not known or not trees.fits(rows.numbers):
            return None

        def outputs(target: Any) -> Chunk:
            return of_trees(trees, rows.numbers, target, partial(self.network.predicted, rows.given))

        found = Collected(len(rows))
        found.add(0, of_contrast(outputs, target) if isinstance(target, Contrast) else outputs(target))
        return found

    @eager()
    def _collected(self, rows: CallerRows, target: Any, order: int) -> Collected:
        """Explain chunk after chunk; target : None, "all", a callable, or output indices (n_rows,)."""
        every = isinstance(target, str)
        front = None if every or order or not isinstance(rows.read_data, SparseRows) else self._sparse_front
        size, fixed = self._chunk_size(every, order, front)
        found, start = Collected(len(rows), rows.read_data), 0
        with progress_bar(len(rows), self.progress) as reach:
            while start < len(rows) or not found.parts:
                stop = min(start + size, len(rows)) if front is None else front.stop(rows.read_data.matrix, start, size)
                here = slice(start, stop)
                given, compare = take(rows.given, here), rows.compared and start == 0 and stop <= COMPARED
                chosen = target[here] if isinstance(target, np.ndarray) else rows_of(target, here, len(rows))
                if front is None:
                    recording = self._recording(self._tensor(rows.numbers[here]), compare=compare)
                    found.add(start, self._chunk(recording, given, chosen, order))
                else:
                    entries = rows.read_data.matrix[here]
                    recording = front.record(entries, compare=compare)
                    found.add(start, front.chunk(entries, self._chunk(recording, given, chosen, order)))
                if self._probe is None:
                    found.base_in_words = words_of(recording, self._source)
                if not fixed:
                    size = rows_within(recording.tape.bytes_per_sample())
                reach(stop)
                start = stop
        return found

    def _recording(self, x: Tensor, *, compare: bool) -> Recording:
        if self._replays is None:  # a torch module may run other operations each time
            assert not isinstance(self._reference, Integral)
            return self._lrp.record(x, reference=self._reference, names=False)
        return self._replays.of(x, compare=compare)

    @functools.cached_property
    def _sparse_front(self) -> SparseFront | None:
        wide = isinstance(self.network, Network) and self.network.intake.wide
        return SparseFront.of(self.network, self._lrp, self._reference) if wide else None

    def _chunk_size(self, every: bool, order: int, front: SparseFront | None = None) -> tuple[int, bool]:
        """How many rows to explain at a time; and whether that stays so once the first ones are measured."""
        if self.batch_size is not None:
            return int(self.batch_size), True
        if self._probe is None:
            return FIRST_ROWS, False
        return self._probe.rows_for(self.network, every, order) if front is None else front.chunk_rows, True

    def _chunk(self, recording: Recording, given: Any, target: Any, order: int) -> Chunk:
        def predicted(output: Tensor) -> Tensor:
            return self.network.predicted(given, output) if self._fitted else output.argmax(1)

        together = partial(self._interactions, recording, order) if order else None
        return chunk_of(recording, target, predicted, together, fitted=self._fitted)

    def _interactions(self, recording: Recording, order: int, target: Tensor) -> Tensor:
        intake = self.network.intake
        n_features = intake.n_encoded if intake.encoding is None else self.network.n_features_in
        return of_columns(recording, target, order, intake.encoding, n_features)

    def _explanation(
        self, found: Collected, rows: CallerRows, outputs: tuple[str, ...], explains: str, base: str
    ) -> Explanation:
        check_outputs(self.network, rows.numbers, found.parts["prediction"], found.finite)
        together = found.parts.pop("interactions", None)
        found.close()
        explanation = Explanation(
            values=found.values,
            base_values=found.parts["base"],
            prediction=found.parts["prediction"],
            residuals={name: amount for name, amount in found.residuals.items() if np.any(amount != 0)},
            data=rows.data if rows.encoding is None else rows.read_data,
            feature_names=rows.names if rows.encoding is None else tuple(rows.encoding.names),
            output_names=outputs,
            target=found.parts.get("target"),
            explains=explains,
            texts=rows.texts,
            index=rows.index,
            base_in_words=base,
            unit=self._names.unit,
            feature_units=self._names.feature_units if rows.encoding is None else {},
        )
        if not self._fitted:
            check_sums(explanation)
        elif found.n_outputs is not None:
            check_rounding(explanation)
        check_quadrature(explanation)
        explanation = rows.decoded(explanation)
        return explanation if together is None else with_interactions(explanation, together)

    @property
    def _explains(self) -> str:
        if not isinstance(self.network, Network):
            return "output of the network"
        explains, words = self.network.explains, "" if self._probe is None else self._probe.words
        if not words and starts_from_origin(self.network, self._reference):
            words = "relative to the origin, for want of reference= rows, by which it would be more faithful"
        if self.network.logarithmic:
            explains += ', a sum in log space: exp of it is the predicted value, which output="predict" explains'
        return f"{explains}; {words}" if words else explains

    def _tensor(self, rows: Any) -> Tensor:
        return as_tensor(rows, self.device, self.dtype)


def explain(
    model: Any,
    X: Any,
    target: Any | Callable[[Tensor], Tensor] = None,
    *,
    interactions: bool | int = False,
    **options: Any,
) -> Explanation:
    """``Explainer(model, **options)(X, target, interactions=interactions)``."""
    return Explainer(model, **options)(X, target, interactions=interactions)
