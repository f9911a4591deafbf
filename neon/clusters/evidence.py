"""The evidence for clusters, and its relevance: for a row's own cluster, and against another one."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from neon.converters.core.containers import take
from neon.explainer import Explainer
from neon.explanation import Explanation
from neon.nn import Evidence

__all__ = ["ClusterEvidence"]

_ROWS = 1024  # at a time, where every cluster's evidence is asked for
_NAMING = ("feature_names", "feature_units", "output_names", "unit", "batch_size", "progress")


class ClusterEvidence:
    """What a clustering says of some rows.

    Parameters
    ----------
    model, data : as `Explainer` takes them
    rows : the rows, as the model takes them
    options : mapping
        For `Explainer`.

    Attributes
    ----------
    explainer : Explainer
        For a row's own cluster.
    classes : ndarray (n_outputs,)
        Labels.
    """

    def __init__(self, model: Any, data: Any, rows: Any, options: Mapping[str, Any]) -> None:
        self.explainer = Explainer(model, data=data, **options)
        network: Any = self.explainer.network
        if network.classes is None or len(network.classes) < 2:
            raise ValueError(
                f"{type(network.model).__name__} has no clusters, it is explained as {network.explains!r}; give labels "
                "from elsewhere: neon.explain_clusters(labels, X)"
            )
        self.classes = np.asarray(network.classes)
        self._rows = rows
        self._against = self.explainer
        if options.get("composite") is None:
            naming = {name: options[name] for name in _NAMING if name in options}
            self._against = Explainer(_decided(network), composite=network.one_pass, **naming)

    def for_all(self) -> np.ndarray:
        """Of every row for every cluster, (n_rows, n_outputs)."""
        network: Any = self.explainer.network
        parts = []
        with torch.no_grad():
            for start in range(0, self._rows.shape[0], _ROWS):
                here = network.encode(take(self._rows, slice(start, start + _ROWS)))
                parts.append(network(here).cpu().double().numpy())
        return np.concatenate(parts) if parts else np.zeros((0, len(self.classes)))

    def for_own(self, outputs: np.ndarray | None) -> Explanation:
        """Of every row for one cluster each, (n_rows,), or the one that is predicted."""
        return self.explainer(self._rows, None if outputs is None else self.classes[outputs])

    def against(self, places: np.ndarray, outputs: np.ndarray) -> Explanation:
        """Why rows (positions) are not in other clusters (n_places,): the evidence for these, with its sign turned.

        Where no composite was named, by the published one-pass rule, with the nearest cluster alone in the pool of
        competitors: it is relative to the middle between the two clusters, and knows of no third.
        """
        found = self._against(take(self._rows, places), self.classes[outputs])
        return replace(
            found,
            values=-found.values,
            base_values=-found.base_values,
            prediction=-found.prediction,
            residuals={name: -part for name, part in found.residuals.items()},
            explains=f"evidence against another cluster: {found.explains}",
            encoded=None,
        )


def _decided(network: Any) -> Any:
    """A copy of a network in which competitors are pooled so stiffly that the nearest one has all the weight."""
    network = copy.deepcopy(network)
    for module in network.modules():
        if isinstance(module, Evidence) and not module.soft:
            module.stiffness *= 1e9
    return network
