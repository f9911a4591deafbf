"""Which converter rewrites which estimator; classes are named, not imported, so optional libraries stay optional."""

from __future__ import annotations

import copy
import dataclasses
import difflib
import itertools
from collections.abc import Callable
from typing import Any

from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from neon.converters.core.conversion import Conversion
from neon.errors import UnknownOutputError, UnsupportedModelError, no_relu_form

__all__ = [
    "bare", "check_several", "choose", "convert", "decline", "declined", "may_hold_nothing", "no_relu_form",
    "public_name", "register", "registered", "steps_run", "takes_data", "within",
]  # fmt: skip

Converter = Callable[..., Conversion]
_REGISTRY: dict[str, Converter] = {}
_DECLINED: dict[str, str] = {}
_HOLD_NOTHING = {
    "sklearn.pipeline.Pipeline",  # its steps are checked
    "imblearn.pipeline.Pipeline",
    "sklearn.pipeline.FeatureUnion",
    "sklearn.feature_extraction.FeatureHasher",  # which scikit-learn 1.6 takes for not fitted, as the next one
    "sklearn.feature_extraction.text.HashingVectorizer",
}


def register(*names: str | type, by: Converter) -> None:
    """Register ``by(model, output=..., form=...)`` for classes, given as types or public dotted names.

    A converter of models that hold others has an attribute ``nests = True`` and is given ``path=`` as well, to be
    handed on to `convert` as ``within(path, name)``. One with ``takes_data = True`` is given ``data=``: the rows that a
    model without ``predict`` was fitted on, or None. One with ``transforms = True`` knows ``output="transform"``, which
    it is asked for where the model is a step before the last. One with ``counts = True`` is given ``n_features=``: the
    columns that the model reads, where it does not say so itself, or None. One with ``holds_nothing = True`` is of
    transformers of one's own, which as steps need not show that they are fitted; where they do not have
    ``n_features_in_``, it reads it off a copy that has.
    """
    for name in names:
        _REGISTRY[name if isinstance(name, str) else public_name(name)] = by


def decline(*names: str, because: str) -> None:
    """State why classes, given as public dotted names, have no converter."""
    _DECLINED.update(dict.fromkeys(names, because))


def declined() -> dict[str, str]:
    """The public dotted names of estimators that cannot have a converter, and why not."""
    return dict(sorted(_DECLINED.items()))


def registered() -> list[str]:
    """The public dotted names of all estimators that have a converter."""
    return sorted(_REGISTRY)


def convert(
    model: Any,
    *,
    output: str | None = None,
    form: str = "fused",
    path: str = "",
    data: Any = None,
    step: bool = False,
    n_features: int | None = None,
) -> Conversion:
    """Rewrite a fitted model.

    Parameters
    ----------
    path : str
        Where in a pipeline the model stands, for error messages.
    data : array-like, optional
        Rows that the model was fitted on, for a model without ``predict``.
    step : bool
        Whether other models take what this one's ``transform`` gives.
    n_features : int, optional
        Columns that the model reads, as far as those around it know: it need not know itself.

    Raises
    ------
    UnsupportedModelError
        If no converter is registered for the model's class or one that it inherits from.
    sklearn.exceptions.NotFittedError
        If the model is not fitted.
    """
    if form not in ("fused", "layers", "relu"):
        raise ValueError(f'form must be "fused", "layers" or "relu", got {form!r}')
    for cls in type(model).__mro__:
        converter = _REGISTRY.get(public_name(cls))
        if converter is not None:
            own = True
            if getattr(converter, "holds_nothing", False) and not hasattr(model, "n_features_in_"):
                model, own = _counting(model, n_features if step else None, path), False
            elif hasattr(model, "fit") and public_name(cls) not in _HOLD_NOTHING and not _says_fitted(model):
                check_is_fitted(model)
            options: dict[str, Any] = {"path": path} if getattr(converter, "nests", False) else {}
            if getattr(converter, "counts", False):
                options["n_features"] = n_features
            if getattr(converter, "takes_data", False):
                options["data"] = data
            if step and getattr(converter, "transforms", False):
                output = "transform"
            try:
                conversion = converter(model, output=output, form=form, **options)
                if not own:
                    conversion = dataclasses.replace(conversion, n_features=n_features)
                return conversion if cls is type(model) else dataclasses.replace(conversion, inherits=True)
            except UnsupportedModelError as error:
                if not path or "at step '" in str(error):
                    raise
                raise UnsupportedModelError(f"{error} (at step {path!r})") from error
    if isinstance(model, type):
        raise TypeError(f"expected a fitted model, got the class {model.__name__}")
    if isinstance(model, str) or (callable(model) and not hasattr(model, "fit")):
        what = f"{model!r}" if isinstance(model, str) else f"the function {getattr(model, '__qualname__', model)}"
        raise TypeError(f"expected a fitted model, got {what}: pass the estimator itself, loaded, not a function of it")
    where = f" at step {path!r}" if path else ""
    name = public_name(type(model))
    if name in _DECLINED:
        raise UnsupportedModelError(f"{name}{where} has no converter: {_DECLINED[name]}")
    short = {full.rsplit(".", 1)[-1]: full for full in registered()}
    near = [short[match] for match in difflib.get_close_matches(name.rsplit(".", 1)[-1], short, 3, 0.4)]
    alternatives = f" Nearest supported: {', '.join(near)}." if near else ""
    simple = ""
    if hasattr(model, "transform"):
        simple = (
            ", or say with neon.extend.register_encoder or register_linear that it works column by column or linearly"
        )
    raise UnsupportedModelError(
        f"no converter for {name}{where}.{alternatives} Register one with "
        f"neon.extend.register({name!r}, by=converter){simple}"
    )


def may_hold_nothing(model: Any) -> bool:
    """Whether a transformer need not hold anything after ``fit``, its number of columns neither."""
    return bool(getattr(_converter_of(model), "holds_nothing", False))


def _counting(model: Any, n_features: int | None, path: str) -> Any:
    """A transformer as a copy that knows how many columns it reads.

    As a step of a fitted model it was fitted too, though it may hold nothing that shows it.
    """
    if n_features is None:
        where = f" at step {path!r}" if path else ""
        raise NotFittedError(
            f"{type(model).__name__}{where} is not fitted, or holds nothing after fit that tells how many columns it "
            "reads, nor do the models around it: set n_features_in_ in its fit"
        )
    model = copy.copy(model)
    model.n_features_in_ = n_features
    return model


def _converter_of(model: Any) -> Converter | None:
    found = (_REGISTRY[name] for name in map(public_name, type(model).__mro__) if name in _REGISTRY)
    return next(found, None)


def steps_run(pipeline: Any) -> list[tuple[str, Any]]:
    """The steps that ``predict`` runs: without "passthrough", and imbalanced-learn's samplers, which serve ``fit``."""
    return [
        (name, step)
        for name, step in pipeline.steps
        if step is not None and step != "passthrough" and not hasattr(step, "fit_resample")
    ]


def bare(model: Any) -> Any:
    """The model itself, of a pipeline that runs nothing else."""
    while hasattr(model, "steps") and len(steps_run(model)) == 1:
        ((_, model),) = steps_run(model)
    return model


def takes_data(model: Any) -> bool:
    """Whether a model, or the last step of a pipeline, is converted by means of the rows that it was fitted on."""
    while hasattr(model, "steps"):
        model = model.steps[-1][1]
    return bool(getattr(_converter_of(model), "takes_data", False))


def choose(output: str | None, choices: tuple[str, ...], model: Any) -> str:
    """The asked output, or the first choice.

    Raises
    ------
    UnknownOutputError
        If the model has no such output.
    """
    if output is None:
        return choices[0]
    if output not in choices:
        raise UnknownOutputError(
            f"output={output!r} is unknown for {type(model).__name__}; choose from {list(choices)}"
        )
    return output


def _says_fitted(model: Any) -> bool:
    """Whether a model says so itself, as CatBoost's do: the sum of several has none of scikit-learn's signs of it."""
    says = getattr(model, "is_fitted", None)
    return callable(says) and says() is True


def check_several(model: Any) -> None:
    """Refuse a classifier that has seen one class alone: it has no score that tells this class from another.

    Raises
    ------
    UnsupportedModelError
        Whose words name the class.
    """
    if len(model.classes_) == 1:
        raise UnsupportedModelError(
            f"{type(model).__name__} was fitted on one class alone, {str(model.classes_[0])!r}, and predicts it for "
            "every row: there is no other class to tell it from, and nothing to explain"
        )


def within(path: str, name: str) -> str:
    """Where a part of a nested model stands."""
    return f"{path}/{name}" if path else name


def public_name(cls: type) -> str:
    """``sklearn.cluster._kmeans.KMeans`` -> ``sklearn.cluster.KMeans``."""
    public = itertools.takewhile(lambda part: not part.startswith("_"), cls.__module__.split("."))
    return ".".join([*public, cls.__qualname__])
