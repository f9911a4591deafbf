"""What a converter is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from neon.errors import UnknownOutputError, UnsupportedModelError

__all__ = ["Ask", "within"]


@dataclass(frozen=True)
class Ask:
    """What is asked of a converter, besides the fitted model.

    Attributes
    ----------
    output : str, optional
        Which function of the model. Default: the first one that the converter has.
    path : str
        Where the model stands inside other models, for error messages.
    data : array-like, optional
        Rows that the model was fitted on, for a model without ``predict``.
    step : bool
        Whether other models take what this one's ``transform`` gives.
    n_features : int, optional
        Columns that the model reads, as far as the models around it know: it need not know itself.
    name : str
        The class of the model, for error messages.
    """

    output: str | None = None
    path: str = ""
    data: Any = None
    step: bool = False
    n_features: int | None = None
    name: str = ""

    def choose(self, *choices: str) -> str:
        """The asked output, or the first choice.

        Raises
        ------
        UnknownOutputError
            If the model has no such output.
        """
        if self.output is None:
            return choices[0]
        if self.output not in choices:
            raise UnknownOutputError(f"output={self.output!r} is unknown for {self.name}; choose from {list(choices)}")
        return self.output

    def as_last(self) -> Ask:
        """The same, of a converter that has what the model predicts, and not what its ``transform`` gives.

        Raises
        ------
        UnsupportedModelError
            If other models take what it gives.
        """
        if self.step:
            raise UnsupportedModelError(
                f"{self.name} stands before another estimator: what it predicts has a converter, what its transform "
                "gives has none. Let a stacking estimator read its members, or explain it by itself"
            )
        return self

    def inside(self, name: str, output: str | None = None, **changes: Any) -> Ask:
        """What is asked of an estimator inside the model; where it stands, for error messages.

        Parameters
        ----------
        name : str
            Of the step or attribute that holds the estimator.
        **changes
            Other attributes.
        """
        return Ask(output, within(self.path, name), **changes)


def within(path: str, name: str) -> str:
    """Where a part of a nested model stands."""
    return f"{path}/{name}" if path else name
