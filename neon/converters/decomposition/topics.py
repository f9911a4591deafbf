"""Topics of documents: latent Dirichlet allocation."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from neon.converters.core import Ask, Conversion, converter, transformer
from neon.nn import TopicShares

__all__ = ["convert_topics"]


@converter("sklearn.decomposition.LatentDirichletAllocation")
def convert_topics(model: Any, ask: Ask) -> Conversion:
    """LatentDirichletAllocation: the share of each topic, by the same iteration for each document as the model's.

    What is explained are the words of the last step: ``γ_k = α + Σ_w n_w φ_wk`` is linear in the counts n.
    """
    ask.choose("transform")
    if not model.max_doc_update_iter:
        raise ValueError("with max_doc_update_iter=0 all topics have the same share: there is nothing to explain")
    shares = TopicShares(
        model.exp_dirichlet_component_,
        prior=float(model.doc_topic_prior_),
        n_steps=int(model.max_doc_update_iter),
        tolerance=float(model.mean_change_tol),
    )
    return transformer(
        _in_double_precision(model),
        [shares],
        "topic share, with the topics' claims on each word and the length of the document held fixed",
        len(shares.topics),
        "topic",
        stated=TopicShares.states,
    )


def _in_double_precision(model: Any) -> Any:
    """A model fitted on float32 rounds new rows to float32 too, and its iteration may then end a step apart."""
    if model.components_.dtype == np.float64:
        return model
    model = copy.copy(model)
    model.components_ = model.components_.astype(np.float64)
    model.exp_dirichlet_component_ = model.exp_dirichlet_component_.astype(np.float64)
    return model
