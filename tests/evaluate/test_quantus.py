"""The adapter gives Quantus what neon gives; where Quantus is installed, its metrics run on it."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.svm import SVC

import neon
from neon import evaluate

X, Y = load_iris(return_X_y=True)
MODEL = SVC().fit(X, Y + 1)  # labels that are indices of other classes
ROWS = X[::15].astype(np.float32)


def test_targets_are_indices() -> None:
    network = neon.neuralize(MODEL)
    found = evaluate.explain_func("shapley", X)(network, ROWS, targets=np.full(10, 2), device="cpu")
    ours = neon.Explainer(MODEL, composite="shapley", reference=X)(ROWS, 3)
    np.testing.assert_allclose(found, ours.values, rtol=1e-9, atol=1e-12)


@pytest.mark.filterwarnings("ignore")  # of Quantus' own
@pytest.mark.parametrize("name", ["Sparseness", "Complexity", "PixelFlipping", "MaxSensitivity", "Completeness"])
def test_metrics_run(name: str) -> None:
    quantus = pytest.importorskip("quantus", reason="Quantus is not installed")
    options = {
        "PixelFlipping": {"features_in_step": 1, "perturb_baseline": "mean"},
        "MaxSensitivity": {"nr_samples": 3},
    }
    network = neon.neuralize(MODEL).float()
    explain, targets = evaluate.explain_func(), np.zeros(10, dtype=int)
    given = {"model": network, "x_batch": ROWS, "y_batch": targets, "channel_first": True, "softmax": False}
    metric = getattr(quantus, name)(disable_warnings=True, **options.get(name, {}))
    found = np.asarray(metric(a_batch=None, explain_func=explain, **given), dtype=float)
    assert len(found) == 10
    assert np.isfinite(found).all()
    if name != "MaxSensitivity":
        attributions = explain(network, ROWS, targets)
        again = np.asarray(metric(a_batch=attributions, explain_func=explain, **given), dtype=float)
        np.testing.assert_allclose(found, again, rtol=1e-5)
