"""What explaining returns: the relevance of every feature, and where the rest of the prediction went."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from neon.plots._columns import coded, column_means

if TYPE_CHECKING:
    import pandas
    import shap

    from neon.converters.intake import Texts
    from neon.plots._accessor import PlotAccessor

OTHER_FEATURES = "other features"


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """Relevance of every feature for every sample, with the parts of the prediction that no feature owns.

    Nothing is lost silently: to rounding, for every sample (and output)::

        prediction = base_values + values.sum(over the features) + sum(residuals.values())

    An explanation is immutable: arrays are read-only (writeable ones are copied on the way in, read-only ones
    shared), and every method returns a new explanation, for which the equation holds again.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_features[, n_outputs])
        Relevance, in units of the prediction. Deep networks: (n_samples, *input_shape[, n_outputs]).
    base_values : ndarray of shape (n_samples[, n_outputs])
        The explained function at the reference point.
    prediction : ndarray of shape (n_samples[, n_outputs])
        The explained scalar, as the model itself computes it.
    residuals : mapping of str to ndarray of shape (n_samples[, n_outputs])
        By name, what belongs to no feature ("bias", "log_prior", ...); may be empty.
    data : ndarray of shape (n_samples, n_features)
        The caller's own values: numbers, or objects where there are strings.
    feature_names : sequence of str
        One for each feature; may be empty where a sample has several axes (images).
    output_names : sequence of str
        The names of all outputs of the model: class labels, clusters; one for a regressor.
    target : ndarray of int of shape (n_samples,), or None
        Which output is explained, an index into `output_names`. None: all are, along the last axis.
    explains : str
        What the prediction is, in words: "log-odds of a class".
    encoded : Explanation, optional
        The same for the columns that the model's own encoders made (one-hot, binned, tokens): the finer view.
    imputed : ndarray of bool of shape (n_samples, n_features), optional
        Which entries of `data` were missing and had a value put in by the model's imputer.
    texts : Texts, optional
        Where the features are tokens: the documents that they are in; see `text`.
    interactions : ndarray of shape (n_samples, n_features, n_features[, n_outputs]), optional
        Of tree ensembles, where asked for: ``φ_ij``, half the interaction of features i and j (Lundberg et al. 2020).
        Symmetric; each row adds up to the feature's relevance, with what it does by itself on the diagonal.

    Raises
    ------
    ValueError
        If shapes, names or targets do not fit together.

    Examples
    --------
    >>> explanation[3]                          # one sample, still a table (of one row)
    >>> explanation[explanation.target == 0]    # the samples of the first cluster
    >>> explanation[:, ["alcohol", "hue"]]      # the others add up in a residual, "other features"
    """

    values: np.ndarray
    base_values: np.ndarray
    prediction: np.ndarray
    residuals: Mapping[str, np.ndarray]
    data: np.ndarray
    feature_names: tuple[str, ...]
    output_names: tuple[str, ...]
    target: np.ndarray | None
    explains: str
    encoded: Explanation | None = None
    imputed: np.ndarray | None = None
    texts: Texts | None = None
    interactions: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Freeze every field, then check that they fit together."""

        def put(name: str, value: Any) -> None:
            object.__setattr__(self, name, value)

        for name in ("values", "base_values", "prediction"):
            put(name, _frozen(getattr(self, name), as_float=True))
        residuals = {str(name): _frozen(part, as_float=True) for name, part in self.residuals.items()}
        put("residuals", MappingProxyType(residuals))
        put("data", _frozen(self.data))
        put("feature_names", tuple(str(name) for name in self.feature_names))
        put("output_names", tuple(str(name) for name in self.output_names))
        if self.target is not None:
            put("target", _frozen(self.target))
        if self.imputed is not None:
            put("imputed", _frozen(self.imputed))
        if self.interactions is not None:
            put("interactions", _frozen(self.interactions, as_float=True))
        self._check()

    def _check(self) -> None:
        n_outputs, shape = len(self.output_names), self.values.shape
        if self.target is not None and len(shape) < 2:
            raise ValueError(f"values: expected shape (n_samples, n_features), got {shape}")
        if self.target is None and (len(shape) < 3 or shape[-1] != n_outputs):
            expected = f"(n_samples, n_features, {n_outputs} outputs)"
            raise ValueError(f"values: with target None, expected shape {expected}, got {shape}")
        n_samples = len(self.values)
        outputs = (n_outputs,) if self.target is None else ()
        parts = (
            ("base_values", self.base_values, (n_samples, *outputs)),
            ("prediction", self.prediction, (n_samples, *outputs)),
            *((f"residuals[{name!r}]", part, (n_samples, *outputs)) for name, part in self.residuals.items()),
            ("data", self.data, (n_samples, *self.feature_shape)),
        )
        if self.interactions is not None:
            square = (n_samples, *self.feature_shape, *self.feature_shape, *outputs)
            parts = (*parts, ("interactions", self.interactions, square))
        for name, array, wanted in parts:
            if array.shape != wanted:
                raise ValueError(f"{name}: expected shape {wanted}, got {array.shape}")
        unnamed = not self.feature_names and len(self.feature_shape) > 1
        n_features = int(np.prod(self.feature_shape))
        if not unnamed and len(self.feature_names) != n_features:
            raise ValueError(f"feature_names: expected {n_features} names, got {len(self.feature_names)}")
        if self.target is not None:
            _check_target(self.target, n_samples, n_outputs)

    def __reduce__(self) -> tuple:
        """Pickle through the constructor: a mapping proxy has no pickle, arrays would come back writeable."""
        return type(self), (
            *(self.values, self.base_values, self.prediction, dict(self.residuals), self.data),
            *(
                self.feature_names,
                self.output_names,
                self.target,
                self.explains,
                self.encoded,
                self.imputed,
                self.texts,
                self.interactions,
            ),
        )

    def __len__(self) -> int:
        return len(self.values)

    @property
    def feature_shape(self) -> tuple[int, ...]:
        """The shape of one sample: (n_features,), or of an image (channels, height, width)."""
        return self.values.shape[1:] if self.target is not None else self.values.shape[1:-1]

    def __getitem__(self, index: Any) -> Explanation:
        """Pick samples, and features: `explanation[rows]`, `explanation[rows, features]`.

        Parameters
        ----------
        rows : int, slice, mask or sequence of int
            An int keeps one row: an explanation is always a table.
        features : str, int, slice, mask or sequence of str or int
            Features that are left out are added up in the residual "other features".

        Raises
        ------
        IndexError
            If there is no such row.
        ValueError
            If there is no such feature, or one is picked twice.
        """
        rows, *features = index if isinstance(index, tuple) else (index,)
        if len(features) > 1:
            raise ValueError("expected explanation[rows, features]; an output is picked by explanation.select(output)")
        picked = self._rows(rows)
        return picked._features(features[0]) if features else picked

    def _rows(self, rows: Any) -> Explanation:
        if isinstance(rows, str):
            raise TypeError(f"rows are picked by position; did you mean explanation[:, {rows!r}]?")
        if not isinstance(rows, slice):
            rows = np.atleast_1d(np.asarray(rows))
            rows = rows if rows.size or rows.dtype == bool else rows.astype(int)
            if rows.ndim > 1:
                raise IndexError(f"rows: expected one axis, got shape {rows.shape}")
        target = None if self.target is None else self.target[rows]
        return replace(
            self,
            **self._each(lambda array: array[rows]),
            data=self.data[rows],
            target=target,
            encoded=None if self.encoded is None else self.encoded._rows(rows),
            imputed=None if self.imputed is None else self.imputed[rows],
            texts=None if self.texts is None else self.texts[rows],
        )

    def _features(self, features: Any) -> Explanation:
        keep = self._positions(features)
        if len(set(keep)) < len(keep):
            raise ValueError("a feature is picked twice; its relevance would count twice")
        drop = np.setdiff1d(np.arange(self.feature_shape[0]), keep)
        residuals = dict(self.residuals)
        if drop.size:
            residuals[OTHER_FEATURES] = self.values[:, drop].sum(axis=1) + residuals.get(OTHER_FEATURES, 0.0)
        names = tuple(self.feature_names[position] for position in keep)
        return replace(
            self,
            values=self.values[:, keep],
            data=self.data[:, keep],
            feature_names=names,
            residuals=residuals,
            encoded=None,
            imputed=None if self.imputed is None else self.imputed[:, keep],
            texts=None,
            # What is kept would no longer add up to its relevance.
            interactions=None if self.interactions is None or drop.size else self.interactions[:, keep][:, :, keep],
        )

    def select(self, output: str | int) -> Explanation:
        """Pick one output, by name or index, from an explanation of all outputs.

        Raises
        ------
        ValueError
            If there is no such output, or each sample has one output already.
        """
        if self.target is not None:
            raise ValueError("each sample explains one output already; rows are picked by explanation[mask]")
        names = self.output_names
        if isinstance(output, str):
            index = names.index(output) if output in names else None
        else:
            index = operator.index(output)
        if index is None or not -len(names) <= index < len(names):
            raise ValueError(f"no output {output!r}; expected an index below {len(names)} or one of {list(names)}")
        target = np.full(len(self), index % len(names))
        encoded = None if self.encoded is None else self.encoded.select(output)
        return replace(self, **self._each(lambda array: array[..., index]), target=target, encoded=encoded)

    @property
    def abs(self) -> Explanation:
        """Magnitudes: |values|, which add up to a prediction of their own, without base or residuals."""
        values = np.abs(self.values)
        total = values.sum(axis=self._feature_axes)
        return replace(
            self,
            values=values,
            base_values=np.zeros_like(total),
            prediction=total,
            residuals={},
            explains=f"summed magnitude of the relevance for: {self.explains}",
            encoded=None,
            interactions=None,
        )

    def mean(self) -> Explanation:
        """Average over the samples: one row.

        All parts are averaged, and so the equation holds. `data` becomes the mean of the known numbers of
        each feature, and "" for strings. Where the samples explain different outputs, their average explains
        a single one, named "several outputs".

        Raises
        ------
        ValueError
            If there are no samples.
        """
        if not len(self):
            raise ValueError("no samples to average")
        target, names = self.target, self.output_names
        if target is not None and (target != target[0]).any():
            target, names = np.zeros_like(target), ("several outputs",)
        parts = self._each(lambda array: array.mean(axis=0, keepdims=True, dtype=np.float64))
        target = None if target is None else target[:1]
        data = column_means(self.data)
        return replace(
            self, **parts, data=data, target=target, output_names=names, encoded=None, imputed=None, texts=None
        )

    def group(self, groups: Mapping[str, Iterable[str | int]]) -> Explanation:
        """Add up features that belong together; the others stay as they are.

        Parameters
        ----------
        groups : mapping of str to features
            Name of the group to the names or positions of its features. A group takes the place of its first
            feature; its `data` is "", unless it has one feature only.

        Raises
        ------
        ValueError
            If a feature is unknown or picked twice, or a group is empty or has the name of another feature.
        """
        group_of: dict[int, str] = {}
        for name, members in groups.items():
            positions = self._positions(members)
            if not len(positions):
                raise ValueError(f"group {name!r} is empty")
            for position in positions.tolist():
                if position in group_of:
                    feature, first = self.feature_names[position], group_of[position]
                    raise ValueError(f"feature {feature!r} is picked twice: by {first!r} and {name!r}")
                group_of[position] = str(name)
        columns: dict[int | str, list[int]] = {}  # by position of the feature, or name of the group
        for position in range(self.feature_shape[0]):
            columns.setdefault(group_of.get(position, position), []).append(position)
        names = [key if isinstance(key, str) else self.feature_names[key] for key in columns]
        clash = set(group_of.values()) & {self.feature_names[key] for key in columns if isinstance(key, int)}
        if clash:
            raise ValueError(f"group has the name of a feature outside it: {sorted(clash)}")
        added = list(columns.values())
        data = self.data[:, [positions[0] for positions in added]]
        merged = [column for column, positions in enumerate(added) if len(positions) > 1]
        if merged:
            data = data.astype(object)
            data[:, merged] = ""

        def total(array: np.ndarray, axis: int) -> np.ndarray:
            return np.stack([array.take(positions, axis).sum(axis=axis) for positions in added], axis=axis)

        return replace(
            self,
            values=total(self.values, 1),
            data=data,
            feature_names=tuple(names),
            encoded=None,
            imputed=None,
            texts=None,
            interactions=None if self.interactions is None else total(total(self.interactions, 1), 2),
        )

    def text(self, row: int = 0) -> tuple[tuple[str, ...], np.ndarray]:
        """A document word by word, and the relevance of each word, (n_pieces[, n_outputs]).

        A token's relevance is divided evenly among the places where it stands, that of several words or of a run of
        characters among the words that it covers. What the model does not read has none.

        Raises
        ------
        ValueError
            If the model read no text, or features were picked or grouped.
        """
        tokens = self if self.texts is not None or self.encoded is None else self.encoded
        if tokens.texts is None:
            raise ValueError("no text to show: the features are no tokens of documents, or were picked or grouped")
        text = tokens.texts.of(operator.index(row) % len(self))
        return text.pieces, np.asarray(text.shares @ tokens.values[row])

    def conservation_error(self) -> float:
        """Return the largest |prediction − base − Σ values − Σ residuals|; equal infinities differ by 0."""
        total = self.base_values + self.values.sum(axis=self._feature_axes, dtype=np.float64)
        with np.errstate(invalid="ignore"):
            total = total + sum(self.residuals.values())
            gap = np.where(self.prediction == total, 0.0, np.abs(self.prediction - total))
        return float(gap.max(initial=0.0))

    def to_frame(self) -> pandas.DataFrame:
        """Write one row a sample: features' relevance, base_value, residual:<name>, prediction, target.

        An explanation of all outputs has one row a sample and output, under an index (sample, output):
        `frame.xs("setosa", level="output")`. `target` is the output's name. A feature that is called as one
        of the other columns becomes "feature:<name>"; features without names are called by their position.
        """
        import pandas as pd

        names = self.feature_names or [",".join(map(str, index)) for index in np.ndindex(*self.feature_shape)]
        sample, output = range(len(self)), np.array(self.output_names, dtype=object)
        if self.target is None:
            index = pd.MultiIndex.from_product([sample, output], names=["sample", "output"])
            values, target = np.moveaxis(self.values, -1, 1), np.tile(output, len(self))
        else:
            index = pd.RangeIndex(len(self), name="sample")
            values, target = self.values, output[self.target]
        others = {"base_value": self.base_values.ravel()}
        others |= {f"residual:{name}": part.ravel() for name, part in self.residuals.items()}
        others |= {"prediction": self.prediction.ravel(), "target": target}
        columns = [f"feature:{name}" if name in others else name for name in names]
        values = values.reshape(len(index), len(columns))
        relevance = pd.DataFrame(values, index=index, columns=columns)
        return pd.concat([relevance, pd.DataFrame(others, index=index)], axis=1)

    def to_shap(self) -> shap.Explanation:
        """Make a `shap.Explanation`, for the plots of the shap package.

        shap knows no residuals: they are added to its base values, so that there, too, base values and values
        add up to the prediction. Strings become numbers in `data` and stay as they are in `display_data`.

        Raises
        ------
        ImportError
            If shap is not installed.
        """
        try:
            import shap
        except ImportError as error:
            raise ImportError("to_shap() needs the shap package: pip install shap") from error
        data, display = coded(self.data)
        base = sum(self.residuals.values(), start=self.base_values).astype(np.float64)
        return shap.Explanation(
            values=self.values.astype(np.float64),
            base_values=base,
            data=data,
            display_data=display,
            feature_names=list(self.feature_names) or None,
            output_names=list(self.output_names) if self.target is None else None,
        )

    @property
    def plot(self) -> PlotAccessor:
        """Plots: `.plot.bar()`, `.plot.beeswarm()`, `.plot.waterfall(row)`, `.plot.heatmap()`, `.plot.text(row)`."""
        from neon.plots._accessor import PlotAccessor

        return PlotAccessor(self)

    def __repr__(self) -> str:
        features = " × ".join(map(str, self.feature_shape))
        outputs = f", {len(self.output_names)} outputs" if self.target is None else ""
        residuals = f", residuals: {', '.join(self.residuals)}" if self.residuals else ""
        size = f"{len(self)} samples, {features} features{outputs}"
        return f"<Explanation of {self.explains}: {size}{residuals}>"

    def _repr_html_(self) -> str:
        from neon.plots._table import table

        return table(self)

    @property
    def _feature_axes(self) -> tuple[int, ...]:
        return tuple(range(1, 1 + len(self.feature_shape)))

    def _each(self, change: Callable[[np.ndarray], np.ndarray]) -> dict[str, Any]:
        """Change the parts of the equation alike: a linear change keeps it true."""
        return {
            "values": change(self.values),
            "base_values": change(self.base_values),
            "prediction": change(self.prediction),
            "residuals": {name: change(part) for name, part in self.residuals.items()},
            "interactions": None if self.interactions is None else change(self.interactions),
        }

    def _positions(self, features: Any) -> np.ndarray:
        """Find features by name, position, slice, mask or a sequence of names and positions."""
        if len(self.feature_shape) > 1:
            raise ValueError(f"features of shape {self.feature_shape} cannot be picked or grouped")
        everything = np.arange(self.feature_shape[0])
        if isinstance(features, slice):
            return everything[features]
        features = [features] if isinstance(features, str | int | np.integer) else list(features)
        if np.asarray(features).dtype == bool:
            return everything[np.asarray(features)]
        return np.array([self._position(feature) for feature in features], dtype=int)

    def _position(self, feature: str | int) -> int:
        names = self.feature_names
        if isinstance(feature, str):
            if names.count(feature) == 1:
                return names.index(feature)
            problem = "several features are" if feature in names else "no feature is"
            raise ValueError(f"{problem} called {feature!r}; expected one of {list(names)}, or a position")
        if not -len(names) <= operator.index(feature) < len(names):
            raise ValueError(f"no feature {feature}; expected a position below {len(names)}, or a name")
        return operator.index(feature) % len(names)


def _check_target(target: np.ndarray, n_samples: int, n_outputs: int) -> None:
    if target.dtype.kind not in "iu" or target.shape != (n_samples,):
        given = f"{target.dtype} of shape {target.shape}"
        raise ValueError(f"target: expected integers of shape ({n_samples},), got {given}")
    if target.size and not (target.min() >= 0 and target.max() < n_outputs):
        given = f"values from {target.min()} to {target.max()}"
        raise ValueError(f"target: expected indices into the {n_outputs} output_names, got {given}")


def _frozen(array: Any, *, as_float: bool = False) -> np.ndarray:
    """Make an array that nobody can write to; a copy, unless it is one already."""
    array = np.asarray(array)
    if as_float and array.dtype.kind != "f":
        array = array.astype(np.float64)
    if array.dtype.kind not in "biuf":
        array = array.astype(object, copy=False)
    owner = array
    while isinstance(owner.base, np.ndarray) and not owner.flags.writeable:
        owner = owner.base
    if owner.flags.writeable or owner.base is not None:
        array = array.copy()
        array.flags.writeable = False
    return array
