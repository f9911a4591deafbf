"""Dask and Ray give what one process gives."""

import gc
import os
import pickle
import signal
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import neon
from neon.scale import explain_dask, explain_ray

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(RNG.normal(size=(600, 3)), columns=["a", "b", "c"], index=np.arange(600) * 3).assign(
    kind=np.where(RNG.random(600) < 0.4, "round", "long"), id=[f"row {i}" for i in range(600)]
)
READ = ["a", "b", "c", "kind"]
Y = np.where(FRAME["a"] > 0, "yes", "no")


@pytest.fixture(scope="module")
def explainer() -> neon.Explainer:
    encoder = make_column_transformer((OneHotEncoder(), ["kind"]), remainder=StandardScaler())
    return neon.Explainer(make_pipeline(encoder, LogisticRegression()).fit(FRAME[READ], Y), progress=False)


@pytest.mark.parametrize("target", [None, "yes", "all"])
def test_frames(explainer: neon.Explainer, target: Any) -> None:
    found = explainer.explain_frame(FRAME, target, columns=["id", "a"])
    expected = explainer(FRAME[READ], target)
    size = 2 if target == "all" else 1
    assert list(found.index) == list(FRAME.index.repeat(size))
    assert list(found["id"]) == list(FRAME["id"].repeat(size))
    np.testing.assert_array_equal(found["data:a"], FRAME["a"].repeat(size))
    values = expected.values if target != "all" else np.moveaxis(expected.values, -1, 1).reshape(1200, 4)
    np.testing.assert_array_equal(found[READ], values)
    total = found["base_value"] + found[READ].sum(axis=1) + found["residual"]
    np.testing.assert_allclose(total, found["prediction"], rtol=1e-12)
    empty = explainer.explain_frame(FRAME.head(0), target, columns=["id", "a"])
    assert list(empty.columns) == list(found.columns)
    assert list(empty.dtypes[2:]) == list(found.dtypes[2:])
    halves = [explainer.explain_frame(part, target, columns=["id", "a"]) for part in (FRAME[:200], FRAME[200:])]
    pd.testing.assert_frame_equal(pd.concat(halves), found, rtol=1e-12)
    if target != "all":
        assert list(explainer.meta.columns) == [name for name in found.columns if name not in ("id", "data:a")]


def test_names_come_from_the_model_or_the_frame() -> None:
    model = KMeans(3, n_init=1, random_state=0).fit(FRAME[["a", "b"]].to_numpy())
    explainer = neon.Explainer(model, progress=False)
    assert {"a", "b", "residual"} <= {*explainer.explain_frame(FRAME[["b", "a", "id"]], columns=["id"]).columns}
    with pytest.raises(ValueError, match=r"the model reads 2 columns, and there are 4.*fit the model on a DataFrame"):
        explainer.explain_frame(FRAME, columns=["id"])
    with pytest.raises(TypeError, match=r"explain_frame takes a pandas DataFrame, got ndarray"):
        explainer.explain_frame(FRAME.to_numpy())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"explain_frame\(frame.head\(0\)\)"):
        _ = explainer.meta


def test_explainers_ship_small(explainer: neon.Explainer) -> None:
    explainer(FRAME[READ])
    assert len(pickle.dumps(explainer)) < 20_000 + 5 * len(pickle.dumps(explainer.network.model))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    import dask
    import distributed

    patience = {f"distributed.comm.timeouts.{kind}": "600s" for kind in ("connect", "tcp")}  # of a busy machine
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0", "silence_logs": 50}
    with dask.config.set(patience):
        found = distributed.LocalCluster(**options)
        client = distributed.Client(found)
        yield client
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about sockets that are left open, here and not in a later test
            client.close()
            found.close()
            gc.collect()


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_dask(explainer: neon.Explainer, cluster: Any) -> None:
    import dask.dataframe as dd

    cluster.wait_for_workers(2)  # one may have died in the other test, and be started anew
    lazy = explain_dask(dd.from_pandas(FRAME, npartitions=5), explainer, columns=["id"])
    expected = explainer.explain_frame(FRAME, columns=["id"])
    found = lazy.compute()
    assert list(lazy.columns) == list(expected.columns)
    assert list(found["id"]) == list(FRAME["id"])
    np.testing.assert_allclose(found[READ], expected[READ], rtol=1e-12, atol=1e-15)
    assert {len(part) for part in cluster.who_has().values()} <= {0, 1}
    assert len({*cluster.run(os.getpid).values()}) == 2


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_dask_sends_the_explainer_to_a_process_once(cluster: Any, tmp_path: Path) -> None:
    import dask.dataframe as dd

    class Counted(neon.Explainer):
        def __setstate__(self, state: dict[str, Any]) -> None:
            self.__dict__.update(state)
            (tmp_path / f"{os.getpid()}-{uuid.uuid4()}").touch()

    counted = Counted(KMeans(2, n_init=1, random_state=0).fit(FRAME[["a", "b"]]), progress=False)
    found = explain_dask(dd.from_pandas(FRAME[["a", "b"]], npartitions=12), counted).compute()
    assert len(found) == len(FRAME)
    read = [int(file.name.split("-")[0]) for file in tmp_path.iterdir()]
    workers = {*cluster.run(os.getpid).values()}
    assert {*read} & workers
    assert all(read.count(worker) <= 1 for worker in workers)


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_a_worker_that_dies_loses_nothing(explainer: neon.Explainer, cluster: Any, tmp_path: Path) -> None:
    import dask.dataframe as dd

    died = tmp_path / "died"

    def once(part: pd.DataFrame) -> pd.DataFrame:
        if part.index[0] == 0 and not died.exists():
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return explainer.explain_frame(part, columns=["id"])

    frame = dd.from_pandas(FRAME, npartitions=6)
    meta = explainer.explain_frame(FRAME.head(0), columns=["id"])
    found = frame.map_partitions(once, meta=meta).compute()
    assert died.exists()
    assert list(found["id"]) == list(FRAME["id"])
    np.testing.assert_allclose(found[READ], explainer(FRAME[READ]).values, rtol=1e-12, atol=1e-15)


class Batches:
    """A `ray.data.Dataset` of which every batch is computed in this process."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame

    def map_batches(
        self, actor: Any, *, batch_size: int, batch_format: str, fn_constructor_kwargs: Any, compute: Any
    ) -> pd.DataFrame:
        assert batch_format == "pandas"
        self.actors = compute.min_size, compute.max_size
        call = pickle.loads(pickle.dumps(actor(**fn_constructor_kwargs)))
        parts = (self.frame[start : start + batch_size] for start in range(0, len(self.frame), batch_size))
        return pd.concat([call(part) for part in parts])


@pytest.mark.parametrize(
    ("options", "actors"), [({}, (1, 1)), ({"concurrency": 3}, (3, 3)), ({"concurrency": (1, 4)}, (1, 4))]
)
def test_batches_of_ray(options: dict[str, Any], actors: tuple[int, int], explainer: neon.Explainer) -> None:
    batches = Batches(FRAME)
    found = explain_ray(batches, explainer, target="yes", columns=["id"], batch_size=250, **options)
    pd.testing.assert_frame_equal(found, explainer.explain_frame(FRAME, "yes", columns=["id"]), rtol=1e-12)
    assert batches.actors == actors


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_missing_values_under_dask(explainer: neon.Explainer, cluster: Any) -> None:
    """They stop what is computed, with the words of the process that met them; other parts can be computed."""
    import dask.dataframe as dd

    holes = FRAME.copy()
    holes.iloc[450:460, 0] = np.nan
    lazy = explain_dask(dd.from_pandas(holes, npartitions=3), explainer, columns=["id"])
    with pytest.raises(ValueError, match="X contains NaN in 10 rows, the first of them row 50; "):
        lazy.compute()
    assert list(lazy.partitions[:2].compute()["id"]) == list(FRAME["id"][:400])


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore")
def test_ray(explainer: neon.Explainer) -> None:
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        data = ray.data.from_pandas(FRAME.reset_index(drop=True))
        found = explain_ray(data, explainer, columns=["id"], batch_size=250).to_pandas()
    finally:
        ray.shutdown()
    parts = (FRAME[start : start + 250] for start in (0, 250, 500))
    expected = pd.concat([explainer.explain_frame(part, columns=["id"]) for part in parts])
    found = found.set_index("id").loc[expected["id"]]
    np.testing.assert_array_equal(found[READ].to_numpy(np.float64), expected[READ])
    assert list(found["target"]) == list(expected["target"])
