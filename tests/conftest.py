"""What holds for the whole suite: threads, drawing without a screen, reproducible property tests, registries."""

import gc
import itertools
import os
import random
import sys
from collections.abc import Generator, Iterator

import hypothesis
import pytest

hypothesis.settings.register_profile(
    "neon",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],  # a busy machine is no fault of the test
)


def pytest_configure(config: pytest.Config) -> None:
    """Settle the environment before numpy, torch or matplotlib is imported; subprocesses inherit it."""
    os.environ["MPLBACKEND"] = "Agg"
    if "PYTEST_XDIST_WORKER" in os.environ:  # one process a core: more threads each would only wait in line
        for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            os.environ[variable] = "1"
    hypothesis.settings.load_profile("neon")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--shuffle", type=int, metavar="SEED", help="run modules, and the tests in each, in a random order"
    )
    parser.addoption("--fuzz-minutes", type=float, default=0.2, metavar="N", help="how long `-m fuzz` draws models")
    parser.addoption("--fuzz-seed", type=int, default=0, metavar="SEED", help="of the first of its rounds")


def pytest_report_header(config: pytest.Config) -> list[str]:
    seed = config.getoption("shuffle")
    return [] if seed is None else [f"shuffled: --shuffle={seed}"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The longest tests first: one that starts last would be waited for alone. Or as they are shuffled.

    Modules stay together: what a module fits once is not fitted again for each of its tests.
    """
    seed = config.getoption("shuffle")
    if seed is None:
        items.sort(key=lambda item: "test_tutorials" not in item.nodeid)
        return
    order = random.Random(seed)
    modules = [list(group) for _, group in itertools.groupby(items, lambda item: item.path)]
    order.shuffle(modules)
    for tests in modules:
        order.shuffle(tests)
    items[:] = itertools.chain.from_iterable(modules)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported and collected stays until the end: garbage is looked for among what tests make alone."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="module")
def one_pass() -> Iterator[None]:
    """Models are explained by their one-pass rule where none is named: for modules that test these rules."""
    from neon.converters.core import network

    trees = {name: default for name, default in network.DEFAULTS.items() if name.startswith("trees")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network, "DEFAULTS", trees)
        yield


@pytest.fixture(autouse=True)
def of_its_own(request: pytest.FixtureRequest) -> Iterator[None]:
    """Random numbers and figures are each test's own: no other test depends on which ones ran before."""
    import numpy as np  # after `pytest_configure`
    import torch

    from neon import _compilation

    shared = [value for value in vars(request.module).values() if isinstance(value, np.random.Generator)]
    before = [generator.bit_generator.state for generator in shared]

    torch.manual_seed(0)
    _compilation._LAST[0] = float("inf")  # loops are compiled where they are first used, in whatever test, unspoken of
    yield
    for generator, state in zip(shared, before, strict=True):
        generator.bit_generator.state = state
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture(autouse=True)
def registries() -> Iterator[None]:
    """What a test declares ends with it: no other test depends on which ones ran before."""
    from neon.converters.core import registry

    tables = (registry._REGISTRY, registry._DECLINED, registry.FUNCTIONS)
    before = [dict(table) for table in tables]
    yield
    for table, entries in zip(tables, before, strict=True):
        if table != entries:
            table.clear()
            table.update(entries)
