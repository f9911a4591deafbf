"""What callers who know other packages are told of an argument that is called otherwise here, or has no use."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar

__all__ = ["advises"]

P = ParamSpec("P")
T = TypeVar("T")

_ROWS = "background rows are neon.Explainer(model, reference=X)"
_MADE = "it is given where the explainer is made: neon.Explainer(model, ...)"
_AT_CALL = "it is given with the rows: explainer(X, target=...)"
_EXACT = "nothing is sampled here: leave it out"
_ADVICE = {
    **dict.fromkeys(
        (
            "background", "background_data", "baseline", "baselines", "masker", "reference_data", "training_data",
            "X_train",
        ),
        _ROWS,
    ),
    **dict.fromkeys(("reference", "output", "composite", "feature_names", "batch_size", "progress"), _MADE),
    **dict.fromkeys(("target", "labels", "y"), _AT_CALL),
    **dict.fromkeys(("n_samples", "nsamples", "num_samples", "max_evals", "npermutations", "n_steps", "seed"), _EXACT),
    **dict.fromkeys(("algorithm", "feature_perturbation", "method", "rule", "rules"), "the method is composite="),
    **dict.fromkeys(("link", "model_output"), "which function of the model is explained, output= says"),
    "check_additivity": "sums are always checked: leave it out",
    "silent": "for no bar and no word, progress=False",
    "verbose": "for a bar, progress=True",
}  # fmt: skip


def advises(method: Callable[P, T]) -> Callable[P, T]:
    """A decorator: arguments that the method does not have are answered with those that it has.

    Raises
    ------
    TypeError
        As Python does for such an argument, with advice.
    """
    parameters = inspect.signature(method).parameters
    known = list(parameters)
    positional = [word for word, parameter in parameters.items() if parameter.kind is parameter.POSITIONAL_OR_KEYWORD]
    name = method.__qualname__.removesuffix(".__init__").removesuffix(".__call__")

    @functools.wraps(method)
    def advising(*args: P.args, **kwargs: P.kwargs) -> T:
        for given in kwargs:
            if given not in known:
                raise TypeError(f"{name}() has no argument {given}=; {_advice(given, known)}")
        if len(args) > len(positional):
            raise TypeError(f"{name}() takes {' and '.join(positional[1:])} by position and nothing else; {_ROWS}")
        return method(*args, **kwargs)

    return advising


def _advice(given: str, known: list[str]) -> str:
    near = difflib.get_close_matches(given, known, 1, 0.6)
    return _ADVICE.get(given) or (
        f"did you mean {near[0]}=?" if near else f"it has {', '.join(f'{n}=' for n in known[2:])}"
    )
