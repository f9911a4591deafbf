"""Which converter rewrites which estimator; classes are named, not imported, so optional libraries stay optional."""

from __future__ import annotations

import copy
import dataclasses
import difflib
import inspect
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from neon.converters.core.ask import Ask
from neon.converters.core.conversion import Conversion
from neon.converters.core.declared import note
from neon.converters.core.encoded_columns import Transform
from neon.converters.core.standard_outputs import STANDARD, standard
from neon.errors import UnknownOutputError, UnsupportedModelError, no_relu_form

__all__ = [
    "FUNCTIONS", "bare", "check_several", "close", "convert", "converter", "declare_again", "decline", "declined",
    "innermost", "may_hold_nothing", "no_relu_form", "public_name", "register", "registered", "steps_run",
    "takes_data",
]  # fmt: skip

Converter = Callable[[Any, Ask], Conversion]
Declared = TypeVar("Declared", bound=Converter)


@dataclass(frozen=True)
class _Entry:
    """A converter, and what it says of itself (`register`)."""

    convert: Converter
    takes_data: bool = False
    transforms: bool = False
    holds_nothing: bool = False


_REGISTRY: dict[str, _Entry] = {}
_BUILT_IN: dict[str, _Entry] = {}  # those of neon itself
FUNCTIONS: dict[Callable[..., Any], Converter] = {}  # declared for use in a FunctionTransformer
_DECLINED: dict[str, str] = {}
_HOLD_NOTHING = {
    "sklearn.pipeline.Pipeline",  # its steps are checked
    "imblearn.pipeline.Pipeline",
    "sklearn.pipeline.FeatureUnion",
    "sklearn.feature_extraction.FeatureHasher",  # which scikit-learn 1.6 takes for not fitted, as the next one
    "sklearn.feature_extraction.text.HashingVectorizer",
}


def register(
    *names: str | type,
    by: Converter,
    takes_data: bool = False,
    transforms: bool = False,
    holds_nothing: bool = False,
) -> None:
    """Register the converter of some classes.

    Parameters
    ----------
    names : type or str
        Classes, or their public dotted names: those of a library that should not be imported before it is used.
    by : callable
        ``by(model, ask) -> Conversion`` for a fitted model of such a class; what is asked says `Ask`. Models inside the
        model are converted by ``convert(inner, ask.inside("attribute"))``.
    takes_data : bool
        Whether it reads ``ask.data``, the rows that a model without ``predict`` was fitted on.
    transforms : bool
        Whether it knows ``output="transform"``, which it is asked for where the model is a step before the last.
    holds_nothing : bool
        Whether a model of such a class, a transformer of one's own, may hold nothing after ``fit``: as a step it need
        not show that it is fitted, and where it does not have ``n_features_in_``, the converter gets a copy that has.

    Raises
    ------
    TypeError
        If ``by`` is not a function of a model and what is asked.
    """
    try:
        inspect.signature(by).bind(object(), Ask())
    except TypeError as error:
        name = getattr(by, "__name__", repr(by))
        raise TypeError(
            f"a converter is called as {name}(model, ask), which {name}{inspect.signature(by)} is not made for: {error}"
        ) from None
    entry = _Entry(by, takes_data, transforms, holds_nothing)
    _REGISTRY.update({name if isinstance(name, str) else public_name(name): entry for name in names})


def close() -> None:
    """State that neon has registered what it knows itself: what comes later, callers have declared."""
    _BUILT_IN.update(_REGISTRY)


def declare_again(target: Any, by: Any) -> bool:
    """Register what a pickle holds, unless this process has declared it itself; whether there is a declaration now.

    Parameters
    ----------
    target : str or function
        A class's public dotted name, or a function for use in a FunctionTransformer.
    by : what was registered, or None
    """
    if isinstance(target, str):
        if by is not None and _REGISTRY.get(target) is _BUILT_IN.get(target):
            _REGISTRY[target] = by
        return _REGISTRY.get(target) is not _BUILT_IN.get(target)
    if by is not None:
        FUNCTIONS.setdefault(target, by)
    return target in FUNCTIONS


def converter(*names: str | type, takes_data: bool = False, transforms: bool = False) -> Callable[[Declared], Declared]:
    """`register` as a decorator."""

    def declare(function: Declared) -> Declared:
        register(*names, by=function, takes_data=takes_data, transforms=transforms)
        return function

    return declare


def decline(*names: str, because: str) -> None:
    """State why classes, given as public dotted names, have no converter."""
    _DECLINED.update(dict.fromkeys(names, because))


def declined() -> dict[str, str]:
    """The public dotted names of estimators that cannot have a converter, and why not."""
    return dict(sorted(_DECLINED.items()))


def registered() -> list[str]:
    """The public dotted names of all estimators that have a converter."""
    return sorted(_REGISTRY)


def convert(model: Any, ask: Ask | None = None) -> Conversion:
    """Rewrite a fitted model.

    Raises
    ------
    UnsupportedModelError
        If no converter is registered for the model's class or one that it inherits from.
    UnknownOutputError
        If the model has no such output.
    sklearn.exceptions.NotFittedError
        If the model is not fitted.
    """
    ask = Ask() if ask is None else ask
    cls = _known_class(model)
    if cls is None:
        raise _no_converter(model, ask.path)
    entry = _REGISTRY[public_name(cls)]
    if entry is not _BUILT_IN.get(public_name(cls)):
        note(public_name(cls), entry)
    counted = entry.holds_nothing and not hasattr(model, "n_features_in_")
    if counted:
        model = _counting(model, ask)
    elif hasattr(model, "fit") and public_name(cls) not in _HOLD_NOTHING and not _says_fitted(model):
        check_is_fitted(model)
    output = "transform" if ask.step and entry.transforms else ask.output
    try:
        conversion = _converted(entry, model, dataclasses.replace(ask, output=output, name=type(model).__name__))
    except UnsupportedModelError as error:
        if error.path or not ask.path:
            raise
        raise UnsupportedModelError(f"{error} (at step {ask.path!r})", path=ask.path) from error
    transforms = isinstance(conversion.own, Transform) or conversion.own == getattr(model, "transform", None)
    if transforms and output not in (None, "transform"):
        raise UnknownOutputError(f"output={output!r} is unknown for {type(model).__name__}; choose from ['transform']")
    if counted:
        conversion = dataclasses.replace(conversion, n_features=ask.n_features)
    return conversion if cls is type(model) else dataclasses.replace(conversion, inherits=True)


def _converted(entry: _Entry, model: Any, ask: Ask) -> Conversion:
    """By the converter; what it does not know by the name of a standard output, from what it knows."""
    try:
        return entry.convert(model, ask)
    except UnknownOutputError as error:
        if ask.output not in STANDARD:
            raise
        found = standard(
            model, ask.output, lambda output: entry.convert(model, dataclasses.replace(ask, output=output))
        )
        if found is None and hasattr(model, "classes_") and not hasattr(model, "predict_proba"):
            raise UnknownOutputError(f"{type(model).__name__} has no predict_proba: {error}") from error
        if found is None:
            raise
        return found


def _known_class(model: Any) -> type | None:
    """The model's class, or the first that it inherits from, that has a converter."""
    return next((cls for cls in type(model).__mro__ if public_name(cls) in _REGISTRY), None)


def _no_converter(model: Any, path: str) -> TypeError:
    """What to raise where no converter is registered."""
    if isinstance(model, type):
        return TypeError(f"expected a fitted model, got the class {model.__name__}")
    if isinstance(model, str) or (callable(model) and not hasattr(model, "fit")):
        what = f"{model!r}" if isinstance(model, str) else f"the function {getattr(model, '__qualname__', model)}"
        return TypeError(
            f"expected a fitted model, got {what}: pass the estimator itself, loaded, not a function of it"
        )
    where = f" at step {path!r}" if path else ""
    name = public_name(type(model))
    if name in _DECLINED:
        return UnsupportedModelError(f"{name}{where} has no converter: {_DECLINED[name]}", path=path)
    short = {full.rsplit(".", 1)[-1]: full for full in registered()}
    near = [short[match] for match in difflib.get_close_matches(name.rsplit(".", 1)[-1], short, 3, 0.4)]
    alternatives = f" Nearest supported: {', '.join(near)}." if near else ""
    simple = ""
    if hasattr(model, "transform"):
        simple = (
            ", or say with neon.extend.register_encoder or register_linear that it works column by column or linearly"
        )
    return UnsupportedModelError(
        f"no converter for {name}{where}.{alternatives} Register one with "
        f"neon.extend.register({name!r}, by=converter){simple}",
        path=path,
    )


def may_hold_nothing(model: Any) -> bool:
    """Whether a transformer need not hold anything after ``fit``, its number of columns neither."""
    return (cls := _known_class(model)) is not None and _REGISTRY[public_name(cls)].holds_nothing


def _counting(model: Any, ask: Ask) -> Any:
    """A transformer as a copy that knows how many columns it reads.

    As a step of a fitted model it was fitted too, though it may hold nothing that shows it.
    """
    if not ask.step or ask.n_features is None:
        where = f" at step {ask.path!r}" if ask.path else ""
        raise NotFittedError(
            f"{type(model).__name__}{where} is not fitted, or holds nothing after fit that tells how many columns it "
            "reads, nor do the models around it: set n_features_in_ in its fit"
        )
    model = copy.copy(model)
    model.n_features_in_ = ask.n_features
    return model


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


def innermost(model: Any) -> Any:
    """What a pipeline ends in, and a search or a frozen estimator holds; any other model itself."""
    while _reads_data(model):
        held = getattr(model, "best_estimator_", getattr(model, "estimator", None))
        held = model.steps[-1][1] if hasattr(model, "steps") else held
        if held is None:
            break
        model = held
    return model


def takes_data(model: Any) -> bool:
    """Whether a model, or the `innermost` one, is converted by means of the rows that it was fitted on."""
    return _reads_data(innermost(model))


def _reads_data(model: Any) -> bool:
    return (cls := _known_class(model)) is not None and _REGISTRY[public_name(cls)].takes_data


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


def public_name(cls: type) -> str:
    """``sklearn.cluster._kmeans.KMeans`` -> ``sklearn.cluster.KMeans``."""
    public = itertools.takewhile(lambda part: not part.startswith("_"), cls.__module__.split("."))
    return ".".join([*public, cls.__qualname__])
