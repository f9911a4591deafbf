"""Explanations by engines that work on parts of tables, on many processes or machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from neon.explainer import Explainer

if TYPE_CHECKING:
    import pandas

__all__ = ["explain_dask", "explain_ray"]


def explain_dask(frame: Any, explainer: Any, *, target: Any = None, columns: Sequence[str] = ()) -> Any:
    """Explain a dask DataFrame, partition by partition, when it is computed.

    Parameters
    ----------
    frame : dask.dataframe.DataFrame
    explainer : Explainer, estimator, Pipeline or Network
        It is sent to each process once, with the network.
    target, columns
        As for `Explainer.explain_frame`.

    Returns
    -------
    dask.dataframe.DataFrame
        With the partitions of ``frame`` and the columns of `Explainer.explain_frame`.
    """
    from dask import delayed

    explainer = _explainer(explainer)
    meta = explainer.explain_frame(frame._meta, target, columns=columns)
    held = delayed(explainer)  # as data, which a process keeps: dask sends functions with each of their parts
    return frame.map_partitions(_explained, held, target, columns=tuple(columns), meta=meta)


def explain_ray(
    dataset: Any,
    explainer: Any,
    *,
    target: Any = None,
    columns: Sequence[str] = (),
    concurrency: int | tuple[int, int] = 1,
    **options: Any,
) -> Any:
    """Explain a Ray dataset, batch by batch, by actors that hold the explainer.

    Parameters
    ----------
    dataset : ray.data.Dataset
    explainer : Explainer, estimator, Pipeline or Network
        For a GPU: an Explainer with ``device="cuda"``, and ``num_gpus=1`` among the options.
    target, columns
        As for `Explainer.explain_frame`.
    concurrency : int or (int, int)
        How many actors, or the fewest and the most.
    **options
        For ``Dataset.map_batches``: ``batch_size=``, ``num_gpus=``, ...; ``compute=`` in place of ``concurrency``.

    Returns
    -------
    ray.data.Dataset
        With the columns of `Explainer.explain_frame`.
    """
    given = {"explainer": _explainer(explainer), "target": target, "columns": tuple(columns)}
    if "compute" not in options:
        from ray.data import ActorPoolStrategy

        least, most = concurrency if isinstance(concurrency, tuple) else (concurrency, concurrency)
        options["compute"] = ActorPoolStrategy(min_size=least, max_size=most)
    return dataset.map_batches(_Actor, batch_format="pandas", fn_constructor_kwargs=given, **options)


def _explained(part: pandas.DataFrame, explainer: Explainer, target: Any, columns: Sequence[str]) -> pandas.DataFrame:
    return explainer.explain_frame(part, target, columns=columns)


class _Actor:
    """What lives in a process of Ray."""

    def __init__(self, explainer: Explainer, target: Any, columns: Sequence[str]) -> None:
        self.explainer, self.target, self.columns = explainer, target, columns

    def __call__(self, frame: pandas.DataFrame) -> pandas.DataFrame:
        return self.explainer.explain_frame(frame, self.target, columns=self.columns)


def _explainer(given: Any) -> Explainer:
    return given if isinstance(given, Explainer) else Explainer(given, progress=False)
