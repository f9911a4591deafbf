"""Explanations as other libraries take them: pandas, shap."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neon.plots._columns import coded

if TYPE_CHECKING:
    import pandas
    import shap

    from neon.explanation import Explanation

__all__ = ["to_frame", "to_shap"]


def to_frame(explanation: Explanation) -> pandas.DataFrame:
    """See `Explanation.to_frame`."""
    import pandas as pd

    shape, n_samples = explanation.feature_shape, len(explanation)
    names = explanation.feature_names or [",".join(map(str, index)) for index in np.ndindex(*shape)]
    output = np.array(explanation.output_names, dtype=object)
    if explanation.target is None:
        index = pd.MultiIndex.from_product([range(n_samples), output], names=["sample", "output"])
        values, target = np.moveaxis(explanation.values, -1, 1), np.tile(output, n_samples)
    else:
        index = pd.RangeIndex(n_samples, name="sample")
        values, target = explanation.values, output[explanation.target]
    others = {"base_value": explanation.base_values.ravel()}
    others |= {f"residual:{name}": part.ravel() for name, part in explanation.residuals.items()}
    others |= {"prediction": explanation.prediction.ravel(), "target": target}
    columns = [f"feature:{name}" if name in others else name for name in names]
    relevance = pd.DataFrame(values.reshape(len(index), len(columns)), index=index, columns=columns)
    return pd.concat([relevance, pd.DataFrame(others, index=index)], axis=1)


def to_shap(explanation: Explanation) -> shap.Explanation:
    """See `Explanation.to_shap`."""
    try:
        import shap
    except ImportError as error:
        raise ImportError("to_shap() needs the shap package: pip install shap") from error
    data, display = coded(explanation.data)
    base = sum(explanation.residuals.values(), start=explanation.base_values)
    return shap.Explanation(
        values=explanation.values.astype(np.float64),
        base_values=base.astype(np.float64),
        data=data,
        display_data=display,
        feature_names=list(explanation.feature_names) or None,
        output_names=list(explanation.output_names) if explanation.target is None else None,
    )
