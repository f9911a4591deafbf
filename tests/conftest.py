"""What holds for the whole suite: threads, drawing without a screen, reproducible property tests."""

import os

import hypothesis
import pytest

hypothesis.settings.register_profile("neon", derandomize=True, deadline=None, database=None)


def pytest_configure(config: pytest.Config) -> None:
    """Settle the environment before numpy, torch or matplotlib is imported; subprocesses inherit it."""
    os.environ["MPLBACKEND"] = "Agg"
    if "PYTEST_XDIST_WORKER" in os.environ:  # one process a core: more threads each would only wait in line
        for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            os.environ[variable] = "1"
    hypothesis.settings.load_profile("neon")
