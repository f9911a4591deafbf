# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # An estimator that neon does not know
#
# neon refuses what it has no converter for; it never explains something else instead. Here we teach it three things: a
# transformer that works column by column, one that is linear, and a regressor with a network of its own.

# %%
# %matplotlib inline
import numpy as np
import torch
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin
from sklearn.cluster import KMeans
from sklearn.datasets import load_diabetes
from sklearn.ensemble import StackingRegressor
from sklearn.linear_model import Ridge
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import neon
from neon import nn
from neon.extend import Conversion, register, register_encoder, register_linear

patients, progression = load_diabetes(as_frame=True, return_X_y=True)
X, X_test, y, y_test = train_test_split(patients, progression, random_state=0)

# %% [markdown]
# ## A transformer of single columns
#
# `Winsorizer` cuts every column at its own quantiles. Each of its output columns is made from one input column: that is
# all neon must know. scikit-learn runs the transformer, and relevance goes back to the column it came from.


# %%
class Winsorizer(TransformerMixin, BaseEstimator):
    """Cut every column at its own quantiles."""

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        self.low_, self.high_ = np.quantile(X, [0.05, 0.95], axis=0)
        return self

    def transform(self, X):
        return np.clip(X, self.low_, self.high_)


model = make_pipeline(StandardScaler(), Winsorizer(), Ridge()).fit(X, y)
try:
    neon.explain(model, X_test)
except neon.UnsupportedModelError as error:
    print(error)

# %%
register_encoder(Winsorizer)
neon.explain(model, X_test).plot.beeswarm()

# %% [markdown]
# Where an output column is made from another place, `source=` says which; where it depends on something else as well
# that is to be held fixed, `states=` says so, and so will every explanation.
#
# ## A linear transformer
#
# The blood serum measurements `s1` ... `s6` go together. We replace them by their differences. The function is linear,
# and neon reads its matrix off by itself. It would notice if we were wrong.


# %%
def contrasts(X):
    return np.hstack([X[:, :4], np.diff(X[:, 4:], axis=1), X[:, -1:]])


register_linear(contrasts)
model = make_pipeline(StandardScaler(), FunctionTransformer(contrasts), Ridge()).fit(X, y)
explanation = neon.explain(model, X_test)
print(f"largest |network - model|: {neon.neuralize(model).verify(X_test):.1e}")
explanation.plot.waterfall(0)


# %%
def squares(X):
    return X**2


register_linear(squares)
try:
    neon.neuralize(make_pipeline(StandardScaler(), FunctionTransformer(squares), Ridge()).fit(X, y))
except ValueError as error:
    print(error)

# %% [markdown]
# ## A model
#
# A radial basis function network (Moody and Darken, 1989): k-means finds centers, and a linear model reads how near
# they are. scikit-learn has none, so somebody in our team wrote it.


# %%
class RBFNetwork(RegressorMixin, BaseEstimator):
    """A linear model of how near a row is to the centers of a clustering."""

    def __init__(self, n_centers=20, gamma=0.03, alpha=0.1):
        self.n_centers = n_centers
        self.gamma = gamma
        self.alpha = alpha

    def fit(self, X, y):
        self.n_features_in_ = X.shape[1]
        self.centers_ = KMeans(self.n_centers, n_init=1, random_state=0).fit(X).cluster_centers_
        self.linear_ = Ridge(self.alpha).fit(rbf_kernel(X, self.centers_, gamma=self.gamma), y)
        return self

    def predict(self, X):
        return self.linear_.predict(rbf_kernel(X, self.centers_, gamma=self.gamma))


# %% [markdown]
# It *is* a network: squared distances to the centers, an exponential, a linear map. A converter says so with layers of
# `neon.nn`, or with any torch modules. Relevance needs no thought: the layers know their rules.
#
# - `body`, layers, in double precision, from rows to outputs;
# - `explains`, the explained number in words, and the names of the outputs;
# - `own`, the same function by the model's own methods: what `verify` compares with;
# - `answers`, the layers behind these to what `predict` or `predict_proba` gives, here none: what a stacking around the
#   model asks for;
# - `reference`, rows that stand for "nothing special".
#
# What is asked of the converter besides the model stands in `ask`: `ask.output`, for a model with several functions to
# explain (`ask.choose("predict", "distance")` checks it), and `ask.data`, the rows that a clustering was fitted on.


# %%
def convert_rbf_network(model, ask):
    """``f = Σ_j w_j exp(-γ ‖x - u_j‖²) + b``."""
    layers = torch.nn.Sequential(
        nn.SquaredDistance(model.centers_),
        nn.Affine(-model.gamma),
        nn.Elementwise(torch.exp),
        nn.Linear(model.linear_.coef_[None], [model.linear_.intercept_]),
    )
    return Conversion(
        layers,
        "predicted value",
        ("prediction",),
        own=lambda X: model.predict(X)[:, None],
        answers={"predict": ()},
        reference=model.centers_,
        takes_reference=True,
    )


register(RBFNetwork, by=convert_rbf_network)

# %% [markdown]
# An estimator of a library that should not be imported before it is used is named instead:
# `register("package.module.RBFNetwork", by=convert_rbf_network)`.

# %%
model = make_pipeline(StandardScaler(), RBFNetwork()).fit(X, y)
print(f"R² {model.score(X_test, y_test):.2f}, Ridge {Ridge().fit(X, y).score(X_test, y_test):.2f}")
network = neon.neuralize(model)
print(f"largest |network - model|: {network.verify(X_test):.1e}")
network
# %%
explanation = neon.explain(model, X_test)
print(f"conservation error: {explanation.conservation_error():.1e}")
explanation.plot.beeswarm()

# %% [markdown]
# Once it is registered, it may stand anywhere: behind encoders, in a grid search, in a stacking.

# %%
members = [("rbf", make_pipeline(StandardScaler(), RBFNetwork())), ("linear", Ridge())]
stacking = StackingRegressor(members, Ridge()).fit(X, y)
print(f"largest |network - model|: {neon.neuralize(stacking).verify(X_test):.1e}")
neon.explain(stacking, X_test).plot.bar()

# %% [markdown]
# ## What if the converter is wrong?
#
# `verify` says so. Run it in your own tests, on rows that the model was not fitted on.


# %%
def convert_wrongly(model, ask):
    conversion = convert_rbf_network(model, ask)
    conversion.body[1] = nn.Affine(-2 * model.gamma)  # a factor that somebody remembered from another definition
    return conversion


register(RBFNetwork, by=convert_wrongly)
print(f"largest |network - model|: {neon.neuralize(model).verify(X_test):.1f}")
assert neon.neuralize(model).verify(X_test) > 1
register(RBFNetwork, by=convert_rbf_network)
