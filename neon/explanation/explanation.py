"""What explaining returns: the relevance of every feature, and where the rest of the prediction went."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from neon._visible import visible
from neon.explanation import algebra, export, head
from neon.explanation.fields import as_labels, check_fields, frozen
from neon.explanation.html import table
from neon.explanation.picking import ByLabel, pick, row_position
from neon.explanation.rows_like_arrays import MixedRows, SparseRows
from neon.explanation.saving import load, save

if TYPE_CHECKING:
    import pandas
    import shap

    from neon.converters.core.intake import Texts
    from neon.explainer import Explainer
    from neon.plots._accessor import PlotAccessor


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
        Relevance, in units of the prediction. Deep networks: (n_samples, *input_shape[, n_outputs]). Of sparse rows it
        is sparse as well where it is 0 wherever these are, of one output each, and reads like an array.
    base_values : ndarray of shape (n_samples[, n_outputs])
        The explained function at the reference point.
    prediction : ndarray of shape (n_samples[, n_outputs])
        The explained scalar, as the model itself computes it.
    residuals : mapping of str to ndarray of shape (n_samples[, n_outputs])
        By name, what belongs to no feature ("bias", "log_prior", ...); may be empty.
    data : ndarray of shape (n_samples, n_features)
        The caller's own values: numbers, or objects where there are strings, dates or booleans beside them. What is
        sparse stays so, and reads like an array as mixed columns do: `np.asarray(explanation.data)` is one.
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
    interactions : ndarray of shape (n_samples, n_features, n_features[, n_features][, n_outputs]), optional
        Where asked for: ``φ_ij``, half the interaction of features i and j (Lundberg et al. 2020), with what a feature
        does by itself on the diagonal. Of three features: n-Shapley values of order 3 (Bordt and von Luxburg 2023);
        the effect of a set of features is shared by all places that name these and no others, six for three features
        and for two. Symmetric; the entries that begin with a feature add up to its relevance.
    index : array-like of shape (n_samples,), optional
        The caller's labels of the rows, as of a DataFrame. Rows that are picked keep theirs, or else their positions.
    base_in_words : str
        What `base_values` are: "mean prediction of 200 reference rows". Empty where nobody said.
    unit : str
        Of the prediction, and so of relevance: "€".
    feature_units : mapping of str to str
        By name of the feature, the unit that its `data` are in.

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

    values: np.ndarray | SparseRows
    base_values: np.ndarray
    prediction: np.ndarray
    residuals: Mapping[str, np.ndarray]
    data: np.ndarray | SparseRows | MixedRows
    feature_names: tuple[str, ...]
    output_names: tuple[str, ...]
    target: np.ndarray | None
    explains: str
    encoded: Explanation | None = None
    imputed: np.ndarray | None = None
    texts: Texts | None = None
    interactions: np.ndarray | None = None
    index: np.ndarray | None = None
    base_in_words: str = ""
    unit: str = ""
    feature_units: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Freeze every field, then check that they fit together."""

        def put(name: str, value: Any) -> None:
            object.__setattr__(self, name, value)

        for name in ("base_values", "prediction", *(() if isinstance(self.values, SparseRows) else ("values",))):
            put(name, frozen(getattr(self, name), as_float=True))
        residuals = {str(name): frozen(part, as_float=True) for name, part in self.residuals.items()}
        put("residuals", MappingProxyType(residuals))
        if not isinstance(self.data, SparseRows | MixedRows):
            put("data", frozen(self.data))
        for name in ("target", "imputed", "interactions"):
            if getattr(self, name) is not None:
                put(name, frozen(getattr(self, name), as_float=name == "interactions"))
        if self.index is not None:
            put("index", frozen(as_labels(self.index)))
        put("feature_names", tuple(str(name) for name in self.feature_names))
        put("output_names", tuple(str(name) for name in self.output_names))
        units = {str(name): str(unit) for name, unit in self.feature_units.items()}
        put("feature_units", MappingProxyType(units))
        check_fields(self)

    def __reduce__(self) -> tuple:
        """Pickle through the constructor: a mapping proxy has no pickle, arrays would come back writeable."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        plain = {"residuals": dict(self.residuals), "feature_units": dict(self.feature_units)}
        return type(self), tuple((values | plain).values())

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
        rows : int, str or another label, slice, mask, or sequence of int or of labels
            One row, too, is kept as a table. A whole number is a position, always, and counts from the end where it
            is negative; anything else is a label of `index`. Rows whose labels are numbers: ``explanation.loc[4711]``.
            A slice between labels holds both ends. A mask that is a Series is matched by its index.
        features : str, int, slice, mask or sequence of str or int
            Features that are left out are added up in the residual "other features".

        Raises
        ------
        IndexError
            If there is no row at such a position.
        KeyError
            If no row has such a label.
        ValueError
            If there is no such feature, or one is picked twice.
        """
        return pick(self, index)

    @property
    def loc(self) -> ByLabel:
        """Pick samples by label, numbers included: ``explanation.loc[4711]``, ``explanation.loc[[4711, 8], "hue"]``.

        Rows without labels are called by their position. A label of several rows picks them all.
        """
        return ByLabel(self)

    def select(self, output: str | int) -> Explanation:
        """Pick one output, by name or index, from an explanation of all outputs.

        Raises
        ------
        ValueError
            If there is no such output, or each sample has one output already.
        """
        return algebra.pick_output(self, output)

    @property
    def abs(self) -> Explanation:
        """Magnitudes: |values|, which add up to a prediction of their own, without base or residuals."""
        return algebra.magnitudes(self)

    def mean(self) -> Explanation:
        """Average over the samples: one row.

        All parts are averaged, and so the equation holds. `data` becomes the mean of the known numbers or dates
        of each feature, and "" for strings. Where the samples explain different outputs, their average explains a
        single one, named "several outputs".

        Raises
        ------
        ValueError
            If there are no samples.
        """
        return algebra.averaged(self)

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
        return algebra.grouped(self, groups)

    def text(self, row: Hashable = 0) -> tuple[tuple[str, ...], np.ndarray]:
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
        row = row_position(self, row)
        text = tokens.texts.of(row)
        return text.pieces, np.asarray(text.shares @ tokens.values[row])

    def conservation_error(self) -> float:
        """Return the largest |prediction − base − Σ values − Σ residuals|; equal infinities differ by 0."""
        total = algebra.totals(self)
        with np.errstate(invalid="ignore"):
            gap = np.where(self.prediction == total, 0.0, np.abs(self.prediction - total))
        return float(gap.max(initial=0.0))

    def to_frame(self, *, tidy: bool = False) -> pandas.DataFrame:
        """Write one row a sample: features' relevance, base_value, residual:<name>, prediction, target.

        Rows are called as in the caller's DataFrame, so that `X.join(frame.add_suffix(" relevance"))` puts both side by
        side; without labels (`index` is None), by their position.

        An explanation of all outputs has one row a sample and output, under an index (sample, output):
        `frame.xs("setosa", level="output")`. `target` is the output's name. A feature that is called as one
        of the other columns becomes "feature:<name>"; features without names are called by their position. Sparse
        relevance has sparse columns, and its tidy table lines for its entries alone: what is left out is 0.

        Parameters
        ----------
        tidy : bool
            One row a sample, output and feature instead, with the data beside the relevance. Columns: sample, target,
            feature, value, relevance, base_value, prediction; and imputed, where values were put in place of missing
            ones. Residuals have rows as well, as "residual:<name>": the relevance of a sample and its base value add up
            to its prediction.
        """
        return export.tidy_frame(self) if tidy else export.to_frame(self)

    def interactions_frame(self) -> pandas.DataFrame:
        """Write one row a sample, feature and other feature, with their interaction as its value.

        Columns: sample, target, feature, other feature, value. Both orders of a pair have a row, each with half of
        the interaction, and a feature beside itself has what it does alone: the values of a sample and feature add up
        to the feature's relevance. An explanation of all outputs has these rows for each, `target` being its name. Of
        interactions of three features there is one more column, "third feature".

        Raises
        ------
        ValueError
            If there are no interactions.
        """
        return export.interactions_frame(self)

    def to_shap(self) -> shap.Explanation:
        """Make a `shap.Explanation`, for the plots of the shap package.

        shap knows no residuals: they are added to its base values, so that there, too, base values and values
        add up to the prediction. Strings become numbers in `data`, dates and durations days (since 1970); both stay as
        they are in `display_data`. Rows may explain different classes (by default each its predicted one), of which
        shap's plots say nothing: for the same class in all rows, give it as the target, or pick rows by
        `explanation[explanation.target == 1]`.

        Raises
        ------
        ImportError
            If shap is not installed.
        """
        return export.to_shap(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything to one file, an uncompressed zip of Parquet and JSON, for `load` in another place.

        It holds the data of the explained rows. An old file of this name stays until all is written.

        Raises
        ------
        ImportError
            If pyarrow is not installed.
        TypeError
            If `data` or `index` have entries other than numbers, strings, booleans, dates, durations, None and tuples.
        """
        save(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Explanation:
        """Read what `save` wrote: all fields come back equal. Nothing in the file is run, whoever wrote it.

        Raises
        ------
        ImportError
            If pyarrow is not installed.
        ValueError
            If it is another file, incomplete, changed, or of another version of the format.
        """
        return load(path, cls)

    @property
    def plot(self) -> PlotAccessor:
        """Plots: .bar(), .beeswarm(), .waterfall(row), .heatmap(), .scatter(feature), .interactions(), .text(row)."""
        from neon.plots._accessor import PlotAccessor

        return PlotAccessor(self)

    def report(
        self,
        path: str | os.PathLike[str],
        *,
        title: str | None = None,
        explainer: Explainer | None = None,
        shape: tuple[int, int] | None = None,
        max_rows: int = 50_000,
    ) -> None:
        """Write one HTML file for people who know no Python: open it in a browser; it asks no network.

        It says what was explained and which checks that passed, shows what matters over all rows, and has a table of
        the rows to sort and to search; each row opens with its steps from the base value to the prediction and a
        sentence for its strong features. Documents are shown word by word, images as heatmaps. What is usual for a
        column is what is usual in the rows of the explanation. Text of columns, labels and documents is escaped, and
        the file is the same for the same explanation.

        Parameters
        ----------
        path : str or path
            The file to write.
        title : str, optional
            Default: what is explained.
        explainer : Explainer, optional
            What made the explanation: the report then names the model, and compares it with its network in all rows.
        shape : tuple of int, optional
            Height and width of images whose pixels are the features of a table, such as (8, 8).
        max_rows : int
            Rows that the table holds, the first ones; fewer where they are wide, or images. The overview is of all
            rows, and the report says what was left out.

        Raises
        ------
        ValueError
            If there are no rows, or `shape` does not fit the features.
        """
        from neon.report import write

        write(self, path, title=title, explainer=explainer, shape=shape, max_rows=max_rows)

    def __repr__(self) -> str:
        return visible(head.line(self))

    def __str__(self) -> str:
        return visible(head.lines(self))

    def _repr_html_(self) -> str:
        return table(self)
