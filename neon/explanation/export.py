"""Explanations as other libraries take them: pandas, shap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neon.explanation.as_numbers import coded
from neon.explanation.fields import labels_of
from neon.explanation.rows_like_arrays import SparseRows

if TYPE_CHECKING:
    import pandas
    import shap

    from neon.explanation import Explanation

__all__ = ["interactions_frame", "pairs_of", "tidy_frame", "to_frame", "to_shap"]


def to_frame(explanation: Explanation) -> pandas.DataFrame:
    """See `Explanation.to_frame`."""
    import pandas as pd

    n_samples, names = len(explanation), _names(explanation)
    output = np.array(explanation.output_names, dtype=object)
    index = pd.RangeIndex(n_samples) if explanation.index is None else pd.Index(explanation.index)
    if index.nlevels == 1:
        index.name = "sample"
    values: np.ndarray | SparseRows
    if explanation.target is None:
        values, target = np.moveaxis(np.asarray(explanation.values), -1, 1), np.tile(output, n_samples)
        index = index.repeat(len(output))
        levels = [index.get_level_values(level) for level in range(index.nlevels)]
        index = pd.MultiIndex.from_arrays([*levels, target], names=[*index.names, "output"])
    else:
        values, target = explanation.values, output[explanation.target]
    others = {"base_value": explanation.base_values.ravel()}
    others |= {f"residual:{name}": part.ravel() for name, part in explanation.residuals.items()}
    others |= {"prediction": explanation.prediction.ravel(), "target": target}
    columns = [f"feature:{name}" if name in others else name for name in names]
    relevance: pd.DataFrame
    if isinstance(values, SparseRows):
        relevance = pd.DataFrame.sparse.from_spmatrix(values.matrix, index=index, columns=columns)
    else:
        relevance = pd.DataFrame(values.reshape(len(index), len(columns)), index=index, columns=columns)
    return pd.concat([relevance, pd.DataFrame(others, index=index)], axis=1)


def tidy_frame(explanation: Explanation) -> pandas.DataFrame:
    """See `Explanation.to_frame`, ``tidy=True``."""
    import pandas as pd

    if isinstance(explanation.values, SparseRows):
        return _tidy_entries(explanation, explanation.values)
    names, residuals = _names(explanation), explanation.residuals
    n_samples, n_lines = len(explanation), len(names) + len(residuals)
    output = np.array(explanation.output_names, dtype=object)
    n_each = 1 if explanation.target is not None else len(output)  # outputs of a sample
    parts = [part.reshape(n_samples, 1, n_each) for part in residuals.values()]
    relevance = np.concatenate([explanation.values.reshape(n_samples, len(names), n_each), *parts], axis=1)
    target = np.tile(output, n_samples) if explanation.target is None else output[explanation.target]
    lines = np.array([*names, *(f"residual:{name}" for name in residuals)], dtype=object)

    def beside(entries: Any, of_residuals: Any) -> np.ndarray:
        """An entry for every line, (n_samples * n_each * n_lines,)."""
        entries = np.asarray(entries).reshape(n_samples, len(names))
        added = np.full((n_samples, len(residuals)), of_residuals, dtype=np.result_type(entries, type(of_residuals)))
        return np.concatenate([entries, added], axis=1)[:, None].repeat(n_each, axis=1).ravel()

    columns = {
        "sample": pd.Index(labels_of(explanation), tupleize_cols=False).repeat(n_each * n_lines),
        "target": target.repeat(n_lines),
        "feature": np.tile(lines, n_samples * n_each),
        "value": beside(explanation.data, np.nan),
        "relevance": np.moveaxis(relevance, -1, 1).ravel(),
        "base_value": explanation.base_values.ravel().repeat(n_lines),
        "prediction": explanation.prediction.ravel().repeat(n_lines),
    }
    if explanation.imputed is not None:
        columns["imputed"] = beside(explanation.imputed, False)
    return pd.DataFrame(columns)


def _tidy_entries(explanation: Explanation, values: SparseRows) -> pandas.DataFrame:
    """A line for each entry that sparse relevance holds, and for each residual, in the order of the rows."""
    import pandas as pd

    n_samples, n_features = values.shape
    residuals, entries, data = explanation.residuals, values.matrix.tocoo(), explanation.data
    data = data.matrix if isinstance(data, SparseRows) else data
    each = np.arange(n_samples)
    row = np.concatenate([entries.row, *[each] * len(residuals)])
    line = np.concatenate([entries.col, *(np.full(n_samples, n_features + k) for k in range(len(residuals)))])
    order = np.lexsort((line, row))
    names = np.array([*explanation.feature_names, *(f"residual:{name}" for name in residuals)], dtype=object)
    value = np.asarray(data[entries.row, entries.col]).ravel() if len(entries.row) else np.zeros(0)
    value = np.concatenate([value, np.full(n_samples * len(residuals), np.nan)])
    relevance = np.concatenate([entries.data, *residuals.values()])
    row = row[order]
    return pd.DataFrame(
        {
            "sample": pd.Index(labels_of(explanation), tupleize_cols=False)[row],
            "target": np.array(explanation.output_names, dtype=object)[explanation.target][row],
            "feature": names[line[order]],
            "value": value[order],
            "relevance": relevance[order],
            "base_value": explanation.base_values[row],
            "prediction": explanation.prediction[row],
        }
    )


def _names(explanation: Explanation) -> Sequence[str]:
    """What features are called; those without a name by their position."""
    return explanation.feature_names or [",".join(map(str, at)) for at in np.ndindex(*explanation.feature_shape)]


def interactions_frame(explanation: Explanation) -> pandas.DataFrame:
    """See `Explanation.interactions_frame`."""
    import pandas as pd

    pairs, names = pairs_of(explanation), np.array(explanation.feature_names, dtype=object)
    output = np.array(explanation.output_names, dtype=object)
    n_samples, n_features, order = *pairs.shape[:2], pairs.ndim - 1 - (explanation.target is None)
    labels = labels_of(explanation)
    if explanation.target is None:
        pairs = np.moveaxis(pairs, -1, 1)
        labels, target = labels.repeat(len(output)), np.tile(output, n_samples)
    else:
        target = output[explanation.target]
    columns = {"sample": labels.repeat(n_features**order), "target": target.repeat(n_features**order)}
    for place, name in enumerate(("feature", "other feature", "third feature")[:order]):
        columns[name] = np.tile(names.repeat(n_features ** (order - 1 - place)), len(target) * n_features**place)
    return pd.DataFrame({**columns, "value": pairs.ravel()})


def pairs_of(explanation: Explanation) -> np.ndarray:
    """The interactions; raise where there are none."""
    if explanation.interactions is None:
        raise ValueError(
            "no interactions: ask for them by neon.explain(model, X, interactions=True), of tree ensembles; picking "
            "some of the features drops them"
        )
    return explanation.interactions


def to_shap(explanation: Explanation) -> shap.Explanation:
    """See `Explanation.to_shap`."""
    try:
        import shap
    except ImportError as error:
        raise ImportError("to_shap() needs the shap package: pip install shap") from error
    data, display = coded(np.asarray(explanation.data))
    base = sum(explanation.residuals.values(), start=explanation.base_values)
    return shap.Explanation(
        values=np.asarray(explanation.values, dtype=np.float64),
        base_values=base.astype(np.float64),
        data=data,
        display_data=display,
        feature_names=list(explanation.feature_names) or None,
        output_names=list(explanation.output_names) if explanation.target is None else None,
    )
