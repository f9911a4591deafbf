"""Relevance as features: a transformer for scikit-learn's pipelines, searches and unions."""

from __future__ import annotations

from typing import Any

import numpy as np
import sklearn
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, MetaEstimatorMixin, OneToOneFeatureMixin, TransformerMixin, clone
from sklearn.utils import Tags, get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted, validate_data

from neon.converters.core.registry import takes_data
from neon.explainer.explainer import Explainer
from neon.explanation.rows_like_arrays import SparseRows
from neon.lrp.composites import Rules

__all__ = ["RelevanceTransformer"]


class RelevanceTransformer(OneToOneFeatureMixin, MetaEstimatorMixin, TransformerMixin, BaseEstimator):
    """Fit an estimator; transform rows to the relevance of their features.

    What follows in a pipeline sees each row as the estimator does: clusters of relevance are groups of rows that are
    predicted for the same reasons. Column j of the output is the relevance of column j of the input, by its name.

    Parameters
    ----------
    estimator : estimator
        A clone of it is fitted; the rows of ``fit`` are the ``data=`` of clusterings without ``predict``. One that is
        fitted already stays as it is inside `sklearn.frozen.FrozenEstimator`.
    target : optional
        As for a call of `neon.Explainer`, but one for all rows. None: the predicted class or cluster of each row, or
        the only output. What speaks for one class speaks against another: for rows to compare, name one.
    composite, output, reference : optional
        As for `neon.Explainer`.

    Attributes
    ----------
    estimator_ : estimator
        Fitted.
    explainer_ : Explainer
        Of ``estimator_``.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        Where X has names.

    Examples
    --------
    >>> from sklearn.cluster import KMeans
    >>> from sklearn.pipeline import make_pipeline
    >>> relevance = RelevanceTransformer(classifier, target="good")  # doctest: +SKIP
    >>> make_pipeline(relevance, KMeans(3)).fit(X, y)  # doctest: +SKIP
    """

    def __init__(
        self,
        estimator: Any,
        *,
        target: Any = None,
        composite: Rules | None = None,
        output: str | None = None,
        reference: Any = None,
    ) -> None:
        self.estimator = estimator
        self.target = target
        self.composite = composite
        self.output = output
        self.reference = reference

    def fit(self, X: Any, y: Any = None, **params: Any) -> RelevanceTransformer:
        """Fit a clone of the estimator, and prepare its explanation.

        Parameters
        ----------
        X : array-like (n_samples, n_features), DataFrame or sparse matrix
        y : optional
            As the estimator takes it.
        **params
            For the ``fit`` of the estimator; where metadata routing is enabled, what it requests.

        Raises
        ------
        UnsupportedModelError
            If the fitted estimator cannot be explained.
        ValueError
            If ``target`` has more than one output for each row; as `neon.Explainer` of its options.
        """
        if isinstance(self.target, str) and self.target == "all":
            raise ValueError(
                'target="all" gives each row relevance for every output; a transformer gives one number for each '
                "feature: name one output, or put one transformer for each into a FeatureUnion"
            )
        _check_table(X)
        validate_data(self, X, skip_check_array=True)
        if sklearn.get_config()["enable_metadata_routing"]:
            params = process_routing(self, "fit", **params).estimator.fit
        self.estimator_ = clone(self.estimator).fit(X, y, **params)
        self.explainer_ = Explainer(
            self.estimator_,
            output=self.output,
            composite=self.composite,
            reference=self.reference,
            data=X if takes_data(self.estimator_) else None,
        )
        return self

    def transform(self, X: Any) -> np.ndarray | csr_matrix:
        """Relevance of the features of each row, (n_samples, n_features), of the explained function's unit.

        Of sparse rows it is a sparse matrix where it is 0 wherever these are.
        """
        check_is_fitted(self)
        _check_table(X)
        validate_data(self, X, reset=False, skip_check_array=True)
        values = self.explainer_(X, self.target).values
        return values.matrix.copy() if isinstance(values, SparseRows) else values

    def get_metadata_routing(self) -> MetadataRouter:
        """What ``fit`` is given goes to the ``fit`` of the estimator."""
        mapping = MethodMapping().add(caller="fit", callee="fit")
        return MetadataRouter(owner=type(self).__name__).add(estimator=self.estimator, method_mapping=mapping)

    def __sklearn_tags__(self) -> Tags:
        tags, inner = super().__sklearn_tags__(), get_tags(self.estimator)
        tags.input_tags, tags.target_tags = inner.input_tags, inner.target_tags
        tags.non_deterministic = inner.non_deterministic
        return tags


def _check_table(X: Any) -> None:
    shape = X.shape if hasattr(X, "shape") else np.asarray(X).shape
    if len(shape) != 2:
        raise ValueError(
            f"X must have shape (n_samples, n_features), got {shape}. Reshape your data: a single row is "
            "np.reshape(X, (1, -1)). Texts have no columns: put their vectorizer in front, make_pipeline(vectorizer, "
            "RelevanceTransformer(estimator))"
        )
