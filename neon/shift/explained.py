"""``explain_shift(A, B)``: the Wasserstein distance of two sets of rows, and what it is made of."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from neon._visible import visible
from neon.explanation import Explanation
from neon.lrp import LRP
from neon.nn import Wasserstein
from neon.shift.plans import TransportPlan
from neon.shift.samples import Sample, reshuffled
from neon.shift.transport import Transport

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes

__all__ = ["Shift", "explain_shift"]


@dataclass(frozen=True, eq=False, repr=False)
class Shift:
    """Why two sets of rows differ: the Wasserstein distance, which features and rows add up to.

    Attributes
    ----------
    distance : float
        ``W``, in the units of the scaled features.
    relevance : ndarray (n_features,)
        Of each feature; adds up to the distance.
    rising : ndarray (n_features,)
        The part of it that comes from pairs in which the row of B has the larger value; the rest has the smaller one.
    mean_shift : ndarray (n_features,)
        Mean of B less mean of A, in the caller's units.
    of_a, of_b : Explanation
        Row by row: relevance of the features of each row of A, and of B. All rows of either add up to the distance.
    plan : TransportPlan
        Which row of A goes to which of B (positions in `of_a` and `of_b`), and how much of the mass.
    scale : ndarray (n_features,)
        What features were divided by.
    network : neon.nn.Wasserstein
        The distance as a network of the scaled displacements, ``neon.LRP(network, "zero")``.
    p_value : float or None
        The share of random divisions of all rows in which the distance is at least as large.
    explains : str
        What was compared, in words.
    """

    distance: float
    relevance: np.ndarray
    rising: np.ndarray
    mean_shift: np.ndarray
    of_a: Explanation
    of_b: Explanation
    plan: TransportPlan
    scale: np.ndarray
    network: Wasserstein
    p_value: float | None
    explains: str

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The columns of both sets."""
        return self.of_a.feature_names

    def to_frame(self) -> pandas.DataFrame:
        """One row a feature, most relevant first.

        Columns: relevance; share of the distance; direction, from -1 (all of it from values that are smaller in B) to 1
        (larger in B); mean_shift, mean of B less mean of A in the caller's units; scale.
        """
        import pandas as pd

        falling = self.relevance - self.rising
        of_all = np.where(self.relevance > 0, self.relevance, 1.0)
        columns = {
            "relevance": self.relevance,
            "share": self.relevance / (self.distance or 1.0),
            "direction": (self.rising - falling) / of_all,
            "mean_shift": self.mean_shift,
            "scale": self.scale,
        }
        frame = pd.DataFrame(columns, index=pd.Index(self.feature_names, name="feature"))
        return frame.sort_values("relevance", ascending=False, kind="stable")

    def plot(self, *, max_features: int = 10, ax: Axes | None = None) -> Axes:
        """Draw the relevance of each feature: red what is larger in B, blue what is smaller."""
        from neon.shift.drawing import bars

        return bars(self, max_features, ax)

    def __repr__(self) -> str:
        return visible(f"<Shift: {self.explains}>\n{self.to_frame().head(10).to_string(float_format='{:.3g}'.format)}")

    def _repr_html_(self) -> str:
        return self.to_frame().head(10).to_html(float_format="{:.3g}".format)


def explain_shift(
    A: Any,
    B: Any,
    *,
    p: float = 2.0,
    q: float = 2.0,
    beta: float | None = None,
    scale: Literal["std"] | np.ndarray | None = "std",
    weights_a: Any = None,
    weights_b: Any = None,
    solver: str | None = None,
    regularization: float | None = None,
    max_rows: int = 1000,
    n_permutations: int = 0,
    seed: int = 0,
) -> Shift:
    """Explain why two sets of rows differ: drift since training, two hospitals, before and after.

    The Wasserstein distance ``W = (min_γ Σ_kl γ_kl z_kl^p)^(1/p)``, ``z_kl = ‖y_l - x_k‖_q``, is the least effort of
    moving the rows x of A to the rows y of B. Its relevance by LRP (Naumann, Kauffmann and Montavon 2025, Wasserstein
    Distances Made Explainable): a pair of rows has ``R_kl = γ_kl z_kl^p / Σ γ z^p · W``, feature i of it the share
    ``|δ_i|^β / Σ |δ_i|^β``. The plan γ is taken as given.

    Rows differ within a set as well, and so every feature has some relevance even where nothing has shifted; look at
    features beside each other, at `Shift.rising` and at the p-value.

    Parameters
    ----------
    A, B : array-like (n_rows, n_features) or DataFrame
        Numbers, the same columns in both. Two DataFrames are matched by the names of their columns.
    p : float
        The power of distances, at least 1: the larger, the more a few far moves count.
    q : float
        The norm of a displacement, at least 1; infinity: its largest difference.
    beta : float, optional
        By which power of its differences a pair's relevance is shared. Default: ``min(p + 2, q)``.
    scale : "std", array-like (n_features,) or None
        What each feature is divided by. "std": its standard deviation within the sets, ``√((σ_A² + σ_B²) / 2)``, which
        a shift of the mean does not change; where that is 0, its standard deviation in both sets together. None:
        nothing, for features in one unit.
    weights_a, weights_b : array-like (n_rows,), optional
        How much each row counts; default: all the same.
    solver : str, optional
        "assignment" (the default for as many rows of equal weight in both) and "linprog" (the default else) are exact,
        by SciPy; "emd" is exact and "sinkhorn" smooths the plan by its entropy, both by POT
        (``pip install "neon-xai[transport]"``). Several plans may be optimal: then solvers may choose different ones.
    regularization : float, optional
        Of "sinkhorn": the weight of the entropy, as a share of the mean cost. The distance is then that of a plan that
        is not optimal, and larger.
    max_rows : int
        Of a larger set so many rows are drawn at random, with a warning; cost grows with n_A n_B and faster.
    n_permutations : int
        Random divisions of all rows, each solved anew, for `Shift.p_value`; default: no test.
    seed : int

    Returns
    -------
    Shift

    Raises
    ------
    ValueError
        If the sets do not have the same columns of finite numbers, or an option does not fit.

    Warns
    -----
    UserWarning
        If rows were drawn.

    Examples
    --------
    >>> shift = neon.explain_shift(X_train, X_today)
    >>> shift                     # the features, most relevant first
    >>> shift.plot()
    >>> shift.of_b.plot.heatmap() # row by row
    """
    Wasserstein([1.0], p, q, beta)  # refuses powers that make no distance, before anything is computed
    for option, value, least in (("max_rows", max_rows, 1), ("n_permutations", n_permutations, 0)):
        if not isinstance(value, int | np.integer) or value < least:
            raise ValueError(f"{option} must be a whole number, at least {least}; got {value!r}")
    rng = np.random.default_rng(seed)
    a = Sample.read(A, weights_a, "A")
    b = Sample.read(B, weights_b, "B").matched(a)
    drawn = [
        f"{max_rows:,} of {len(sample):,} rows of {name} drawn at random (seed={seed})"
        for name, sample in (("A", a), ("B", b))
        if len(sample) > max_rows
    ]
    if drawn:
        warnings.warn(f"explain_shift compares {' and '.join(drawn)}; max_rows= takes more", stacklevel=2)
    a, b = a.drawn(max_rows, rng), b.drawn(max_rows, rng)
    move = Transport(p, q, scale, solver, regularization)
    plan, divided, distance = move(a, b)
    network = Wasserstein(plan.mass, p, q, beta)
    displacements = (b.rows[plan.second] - a.rows[plan.first]) / divided
    relevance = LRP(network, "zero")(torch.from_numpy(displacements)[None])[0].numpy()
    p_value = None
    if n_permutations:
        random = np.array([move(*reshuffled(a, b, rng)).distance for _ in range(n_permutations)])
        # A division that is the given one up to rounding is as far.
        p_value = float(1 + np.count_nonzero(random >= distance * (1 - 1e-9))) / (1 + n_permutations)
    words = f"Wasserstein distance {distance:.4g} of {len(a):,} rows of A and {len(b):,} of B"
    explains = "; ".join([words, f"p={p:g}, q={q:g}, beta={network.norm.beta:g}", *drawn])
    return Shift(
        distance=distance,
        relevance=relevance.sum(0),
        rising=np.where(displacements > 0, relevance, 0.0).sum(0),
        mean_shift=b.mean() - a.mean(),
        of_a=_by_row(a, plan.first, relevance, "A"),
        of_b=_by_row(b, plan.second, relevance, "B"),
        plan=plan,
        scale=divided,
        network=network,
        p_value=p_value,
        explains=explains,
    )


def _by_row(sample: Sample, rows: np.ndarray, relevance: np.ndarray, called: str) -> Explanation:
    """Relevance of each row of one set, in the pairs that it is in; rows : (n_pairs,), relevance : (n_pairs, n)."""
    values = np.zeros_like(sample.rows)
    np.add.at(values, rows, relevance)
    return Explanation(
        values=values,
        base_values=np.zeros(len(values)),
        prediction=values.sum(1),
        residuals={},
        data=sample.rows,
        feature_names=sample.names or tuple(f"feature {i}" for i in range(values.shape[1])),
        output_names=(f"rows of {called}",),
        target=np.zeros(len(values), dtype=int),
        explains="a row's part of the Wasserstein distance",
        index=sample.index,
        base_in_words="zero: the distance is shared out in full",
    )
