"""What callers call features and outputs, and the units that these are in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from neon.converters import Network

__all__ = ["Names"]


@dataclass(frozen=True, eq=False)
class Names:
    """Names and units that the caller gave; None and empty where the rows and the model say.

    Attributes
    ----------
    features, outputs : tuple of str, optional
    unit : str
        Of what is explained.
    feature_units : mapping of str to str
        By name of the feature.
    """

    features: tuple[str, ...] | None
    outputs: tuple[str, ...] | None
    unit: str
    feature_units: Mapping[str, str]

    @classmethod
    def given(
        cls, network: Network | torch.nn.Module, feature_names: Any, output_names: Any, unit: Any, feature_units: Any
    ) -> Names:
        """Check what can be checked before there are rows.

        Raises
        ------
        TypeError
            If they are not of the kind that `neon.Explainer` says.
        ValueError
            If there are more or fewer output names than the model has outputs; if two names are the same.
        """
        features, outputs = _several("feature_names", feature_names), _several("output_names", output_names)
        if not isinstance(unit, str):
            raise TypeError(f'unit: expected a word such as "€", got {unit!r}; feature_units= are those of features')
        if feature_units is not None and not isinstance(feature_units, Mapping):
            raise TypeError(f'feature_units: expected a mapping such as {{"spend": "€"}}, got {feature_units!r}')
        if outputs is not None and isinstance(network, Network):
            _check_count("output_names", outputs, network.output_names)
        _check_apart("feature_names", features)
        _check_apart("output_names", outputs)
        return cls(features, outputs, unit, dict(feature_units or {}))

    def of_features(self, known: Sequence[str]) -> tuple[str, ...]:
        """The features' names, `known` being the rows' or the model's own."""
        if self.features is not None:
            _check_count("feature_names", self.features, known)
        return self.features or tuple(known)

    def of_outputs(self, known: Sequence[str]) -> tuple[str, ...]:
        """The outputs' names, `known` being the model's own."""
        if self.outputs is not None:
            _check_count("output_names", self.outputs, known)
        return self.outputs or tuple(known)


def _several(option: str, names: Any) -> tuple[str, ...] | None:
    if names is None:
        return None
    if isinstance(names, str | Mapping) or not hasattr(names, "__iter__"):
        raise TypeError(f"{option}: expected a sequence of names, got {names!r}")
    return tuple(str(name) for name in names)


def _check_apart(option: str, names: tuple[str, ...] | None) -> None:
    twice = [name for name, count in Counter(names or ()).items() if count > 1]
    if twice:
        raise ValueError(f"{option}: {twice[0]!r} stands there more than once; tables and targets tell by name")


def _check_count(option: str, names: Sequence[str], known: Sequence[str]) -> None:
    if len(names) != len(known):
        some = ", ".join(known[:3]) + (", ..." if len(known) > 3 else "")
        raise ValueError(f"{option}: expected {len(known)} names, those of {some or 'none'}; got {len(names)}")
