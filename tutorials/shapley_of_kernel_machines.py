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
# # Shapley values of kernel machines, exactly
#
# A support vector machine with the rbf kernel is a sum of products, one factor for each feature. The Shapley values of
# such a sum are one integral, which neon computes exactly (`composite="shapley"`), where sampling methods such as
# KernelSHAP approximate it with thousands of evaluations. Beside it stands the rule that costs one pass
# (`composite="neon"`). Which of the two to take is a question that can be measured: below it is.

# %%
# %matplotlib inline
import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import neon

warnings.simplefilter("error")  # nothing below needs a warning waved through

# %% [markdown]
# ## A support vector machine
#
# Cell nuclei, malignant or benign. The reference rows say what "a feature is absent" means: its value is drawn from
# theirs.

# %%
data = load_breast_cancer(as_frame=True)
names = data.target_names[data.target]
X_train, X_test, y_train, y_test = train_test_split(data.data, names, random_state=0)
svm = make_pipeline(StandardScaler(), SVC()).fit(X_train, y_train)
print(f"accuracy on held-out rows: {svm.score(X_test, y_test):.3f}")

exact = neon.Explainer(svm, composite="shapley", reference=X_train)
explanation = exact(X_test, target="malignant")
print(explanation.explains)
print(f"largest error of adding up: {explanation.conservation_error():.1e}")

# %% [markdown]
# The base value is the decision function where every feature is drawn by itself from the training rows; the bars lead
# from it to the prediction of this row.

# %%
explanation.plot.waterfall(0)
# %%
explanation.plot.beeswarm()
# %% [markdown]
# ## By definition
#
# Shapley values have a definition: the mean of what a feature adds, over all orders of the features. With four features
# and one reference row it can be computed by asking the model itself for all sixteen subsets.

# %%
import itertools  # noqa: E402
import math  # noqa: E402

few = X_train.columns[:4]
small = make_pipeline(StandardScaler(), SVC()).fit(X_train[few], y_train)
row, absent = X_test[few].iloc[0], X_train[few].iloc[0]


def value(present):
    mixed = absent.where([not here for here in present], row).to_frame().T
    return small.decision_function(mixed)[0]


games = {present: value(present) for present in itertools.product((False, True), repeat=4)}
by_definition = np.zeros(4)
for i, present in itertools.product(range(4), games):
    if not present[i]:
        n = sum(present)
        with_i = tuple(here or k == i for k, here in enumerate(present))
        weight = math.factorial(n) * math.factorial(3 - n) / math.factorial(4)
        by_definition[i] += weight * (games[with_i] - games[present])

found = neon.Explainer(small, composite="shapley", reference=absent)(row.to_frame().T, target=small.classes_[1])
print("by definition:", by_definition.round(6))
print("neon:         ", found.values[0].round(6))
assert np.abs(found.values[0] - by_definition).max() < 1e-12

# %% [markdown]
# ## Which explanation is more faithful?
#
# Take the features away, the most relevant first, and watch the decision function: a faithful explanation makes it fall
# fast. Away means: replaced by the values of training rows, in the mean over twenty of them. The lower the curve, the
# better; a random order is the yardstick.

# %%
one_pass = neon.Explainer(svm, composite="neon", reference=X_train)(X_test, target="malignant")
rows = np.flatnonzero(svm.predict(X_test) == "malignant")[:30]
sign = 1.0 if svm.classes_[1] == "malignant" else -1.0
rng = np.random.default_rng(0)
refill = X_train.sample(20, random_state=0).to_numpy()


def flipping_curve(relevance):
    curves = []
    for i, r in zip(rows, relevance, strict=True):
        order, current = np.argsort(-r), np.tile(X_test.to_numpy()[i], (len(refill), 1))
        curve = []
        for step in range(len(order) + 1):
            if step:
                current[:, order[step - 1]] = refill[:, order[step - 1]]
            curve.append(current.copy())
        frame = pd.DataFrame(np.concatenate(curve), columns=X_test.columns)
        scores = sign * svm.decision_function(frame)
        curves.append(scores.reshape(len(curve), -1).mean(1))
    return np.mean(curves, axis=0)


curves = {
    "shapley": flipping_curve(explanation.values[rows]),
    "neon, one pass": flipping_curve(one_pass.values[rows]),
    "random": flipping_curve(rng.normal(size=(len(rows), X_test.shape[1]))),
}
for name, curve in curves.items():
    plt.plot(curve, label=f"{name}: area {curve.mean():.2f}")
plt.xlabel("features taken away")
plt.ylabel("decision function")
plt.legend()
plt.title("Most relevant first: lower is more faithful")
# %%
assert curves["shapley"].mean() < curves["random"].mean()

# %% [markdown]
# ## What it costs

# %%
published = neon.Explainer(svm, composite="neon", reference=X_train)
for name, explainer in {"shapley": exact, "neon, one pass": published}.items():
    explainer(X_test, target="malignant")  # the first run compiles
    began = time.perf_counter()
    explainer(X_test, target="malignant")
    print(f"{name:<16} {1000 * (time.perf_counter() - began) / len(X_test):.3f} ms a row")

# %% [markdown]
# Take `"shapley"` where the order of the features matters and a millisecond a row is no price; `"neon"` for millions of
# rows. For a minimum over several classes `explains` says that the closest rival is held as it is at the row.
#
# ## Interactions
#
# Two features may matter together. `interactions=True` splits each Shapley value exactly into a part of its own and a
# part with each other feature; the rows of the matrix add up to the values.

# %%
pairs = exact(X_test.iloc[rows], target="malignant", interactions=True)
print(f"rows add up to the values: {np.abs(pairs.interactions.sum(2) - pairs.values).max():.1e}")
pairs.plot.interactions()
# %% [markdown]
# ## A Gaussian process
#
# The mean of a Gaussian process is a sum of products, too. Progression of diabetes after a year, from ten measures.

# %%
X, y = load_diabetes(return_X_y=True, as_frame=True)
kernel = 1.0 * RBF(np.ones(10)) + WhiteKernel(0.5)
process = make_pipeline(StandardScaler(), GaussianProcessRegressor(kernel, normalize_y=True, random_state=0))
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # length scales of features that do not matter run to their bounds
    process.fit(X[:300], y[:300])
process_explanation = neon.Explainer(process, composite="shapley", reference=X[:300])(X[300:])
print(process_explanation.explains)
print(f"largest error of adding up: {process_explanation.conservation_error():.1e}")
process_explanation.plot.bar()
# %% [markdown]
# `composite="expected"` starts from each reference row by itself: absent features are then drawn together, as they
# occur, and the base value is the mean prediction of these rows.

# %%
expected = neon.Explainer(process, composite="expected", reference=X[:300:10])(X[300:])
print(f"base value {expected.base_values[0]:.2f}, mean prediction {process.predict(X[:300:10]).mean():.2f}")
apart = np.linalg.norm(expected.values - process_explanation.values) / np.linalg.norm(process_explanation.values)
print(f"drawn together or each by itself: {apart:.0%} apart")

# %% [markdown]
# ## Where is the process unsure, and why?
#
# `output="variance"` explains the predicted variance, noise included. It is a constant minus a sum over pairs of
# training points, and a product of two rbf units is an rbf unit again: its Shapley values are exact, too. (Of kernels
# that are no such products, and of `output="std"`, the square root, they are Aumann-Shapley values.) A feature with
# positive relevance makes the prediction less certain than it is where that feature is drawn from the reference rows.

# %%
unsure = neon.Explainer(process, output="variance", composite="shapley", reference=X[:300])(X[300:])
print(unsure.explains)
deviation = process.predict(X[300:], return_std=True)[1]
print(f"largest difference to the model's own variance: {np.abs(unsure.prediction / deviation**2 - 1).max():.1e}")
assert "Shapley values (exact)" in unsure.explains
unsure.plot.waterfall(int(unsure.prediction.argmax()))
