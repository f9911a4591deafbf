"""Whether a model is still the one that was converted: networks hold a part of it and ask it for the rest."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator

from neon.errors import UnsupportedModelError

__all__ = ["AsConverted"]


class AsConverted:
    """What a fitted model, and the steps in it that are fitted in place, held when it was converted.

    Every ``fit`` of scikit-learn's kind gives an estimator new attributes, or with ``warm_start`` longer lists; other
    changes within one are seen where the network is compared with the model.

    Parameters
    ----------
    model : estimator, or None: nothing that could be fitted
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._held = [(part, name, value, _length(value)) for part in _parts(model) for name, value in _fitted(part)]

    def check(self) -> None:
        """Raise UnsupportedModelError if the model was fitted anew."""
        for place, (part, name, value, length) in enumerate(self._held):
            now = vars(part).get(name, value)
            if now is not value and _equal(now, value):
                self._held[place] = part, name, now, length  # the next call need not compare them
            elif now is not value or _length(now) != length:
                raise UnsupportedModelError(
                    f"{type(self._model).__name__} was fitted anew after its Explainer was made: {name} of "
                    f"{type(part).__name__} is another. Make a new Explainer of it"
                )


def _parts(model: Any, above: tuple[Any, ...] = ()) -> Iterator[Any]:
    """The model, what it holds as estimators, and as named ones: those of a list it makes anew in every fit.

    An estimator that fits clones of those that it was given does not ask these: they may be fitted to anything.
    """
    yield model
    given, held = _given(model), dict(getattr(model, "__dict__", {}))
    if "estimators_" in held:
        held.pop("estimator_", None)  # of which these are clones
    fitted = [value for name, value in held.items() if name not in given and name.endswith("_")]
    asked = {id(part) for value in fitted for part in (value if isinstance(value, list) else [value])}
    for name, value in held.items():
        named = [item for item in value if isinstance(item, tuple)] if isinstance(value, list) else []
        for part in [value, *(inner for item in named for inner in item)]:
            new = not isinstance(part, type) and all(part is not other for other in (*above, model))
            cloned = name in given and fitted and id(part) not in asked and not isinstance(part, FrozenEstimator)
            if new and not cloned and hasattr(part, "get_params"):
                yield from _parts(part, (*above, model))


def _given(part: Any) -> Any:
    """What a part was made with, by name; nothing where it does not say, or keeps it under other names."""
    try:
        return part.get_params(deep=False)
    except Exception:  # of classes of the caller's own
        return {}


def _fitted(part: Any) -> Iterator[tuple[str, Any]]:
    given = _given(part)
    for name, value in getattr(part, "__dict__", {}).items():
        # Private whole numbers are notes that a step makes while it is asked, as CountVectorizer's _stop_words_id;
        # private None is where it will put some.
        if name not in given and not (name.startswith("_") and isinstance(value, int | None)):
            yield name, value


def _length(value: Any) -> int | None:
    return len(value) if isinstance(value, list) else None


def _equal(now: Any, value: Any) -> bool:
    """Whether both hold the same numbers and words, as those of a step that two pipelines share and fit alike."""
    if now is value:
        return True
    if type(now) is not type(value):
        return False
    if isinstance(value, np.ndarray) and value.dtype == object:
        return now.shape == value.shape and _equal(now.ravel().tolist(), value.ravel().tolist())
    if isinstance(value, np.ndarray):
        return bool(now.dtype == value.dtype and now.shape == value.shape and now.tobytes() == value.tobytes())
    if isinstance(value, list | tuple):
        return len(now) == len(value) and all(map(_equal, now, value))
    if isinstance(value, dict):
        return now.keys() == value.keys() and all(_equal(now[key], value[key]) for key in value)
    if isinstance(value, str | bytes | bool | int | float | slice | np.generic | np.dtype):
        return repr(now) == repr(value)
    if hasattr(value, "get_params"):
        return _equal(vars(now), vars(value))
    try:
        return pickle.dumps(now) == pickle.dumps(value)
    except Exception:  # what cannot be pickled is another
        return False
