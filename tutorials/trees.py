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
# # Why so many bicycles? Trees, exactly
#
# A tree is a network: split units, AND units for its leaves, a linear readout. neon explains forests and boosted trees
# by rules of the AND unit. The default rule gives Shapley values, the same as path-dependent TreeSHAP (Lundberg et al.
# 2020), and `shap` stands next to it below: in its values, and in milliseconds of this machine. These vary from run to
# run; take them as orders of magnitude.

# %%
# %matplotlib inline
import time
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import shap
from sklearn.compose import make_column_transformer
from sklearn.ensemble import IsolationForest, RandomForestRegressor
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from xgboost import XGBRegressor

import neon

warnings.simplefilter("error")  # nothing below needs a warning waved through


def timed(name, function, repeats=3):
    """The first run, in which a library may compile and build tables, and the best of those after it."""
    times = []
    for _ in range(1 + repeats):
        began = time.perf_counter()
        result = function()
        times.append(1000 * (time.perf_counter() - began))
    print(f"{name:<45} first {times[0]:>8.1f} ms, then {min(times[1:]):>8.1f} ms")
    return result


def disagreement(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


# %% [markdown]
# 2400 hours of a bicycle rental, simulated: commuters ride at rush hours of working days, others when it is warm,
# mostly at weekends; stations differ in whom they serve, and humidity decides nothing (`data/make_rentals.py`).

# %%
folder = next(path for path in (Path("data"), Path("../data")) if path.is_dir())
table = pd.read_csv(folder / "rentals.csv")
rentals = table.pop("rentals")
labels = ["weekday", "station", "weather"]
train, test, train_rentals, test_rentals = train_test_split(table, rentals, random_state=0)
train.head()

# %% [markdown]
# ## A pipeline with categorical columns
#
# The labels are made one-hot, then XGBoost takes over. The network is checked against the pipeline's own prediction;
# XGBoost adds up in float32, neon in float64.

# %%
encoder = make_column_transformer((OneHotEncoder(), labels), remainder="passthrough")
trees = {"n_estimators": 300, "max_depth": 6, "learning_rate": 0.1, "n_jobs": 2, "random_state": 0}
pipeline = make_pipeline(encoder, XGBRegressor(**trees)).fit(train, train_rentals)
network = neon.neuralize(pipeline)
print(f"R² on unseen hours: {pipeline.score(test, test_rentals):.3f}")
print(f"largest |network - model|: {network.verify(test):.1e}, of predictions up to {pipeline.predict(test).max():.0f}")
network

# %% [markdown]
# Which columns matter? The relevance of what an encoder made returns to the column it was made from: seven columns of
# days are one `weekday`.

# %%
explainer = neon.Explainer(pipeline)
explanation = timed("neon, 600 hours", lambda: explainer(test))
print(f"conservation error: {explanation.conservation_error():.1e}")
explanation.plot.bar()
# %%
explanation.plot.beeswarm()

# %% [markdown]
# Humidity decides nothing in the simulation, but it goes with the weather, and this model reads some of the weather
# from it: relevance says what the model does, not how the world works. The busiest of these hours:

# %%
busy = int(np.argmax(explanation.prediction))
explanation.plot.waterfall(busy)

# %% [markdown]
# ### Next to shap
#
# `shap.TreeExplainer` takes the trees, not the pipeline, and so explains one-hot columns; in neon these are
# `explanation.encoded`. For XGBoost models shap calls XGBoost's own code, which works in float32: the two agree to its
# rounding.

# %%
encoded = encoder.transform(test)
tree_shap = shap.TreeExplainer(pipeline[-1])
theirs = timed("shap, 600 hours", lambda: tree_shap.shap_values(encoded))
print(f"relative difference: {disagreement(explanation.encoded.values, theirs):.1e}")
assert disagreement(explanation.encoded.values, theirs) < 1e-5

# %% [markdown]
# On scikit-learn's forests shap runs its own code in float64, and the agreement is as far as that goes.

# %%
forest = make_pipeline(encoder, RandomForestRegressor(100, max_depth=8, random_state=0)).fit(train, train_rentals)
forest_explainer, forest_shap = neon.Explainer(forest), shap.TreeExplainer(forest[-1])
ours = timed("neon, a forest, 600 hours", lambda: forest_explainer(test))
theirs = timed("shap, a forest, 600 hours", lambda: forest_shap.shap_values(encoded), repeats=1)
print(f"relative difference: {disagreement(ours.encoded.values, theirs):.1e}")
assert disagreement(ours.encoded.values, theirs) < 1e-8

# %% [markdown]
# ## Native categories, or one-hot
#
# XGBoost also splits sets of categories itself. Such a model is explained as it is, columns and labels included. It is
# another model: it predicts better here, reads more from the weather itself, and less from the humidity.

# %%
categories = dict.fromkeys(labels, "category")
native = XGBRegressor(**trees, enable_categorical=True).fit(train.astype(categories), train_rentals)
native_rows = test.astype(categories)
by_category = neon.explain(native, native_rows)
print(f"R² on unseen hours: {native.score(native_rows, test_rentals):.3f}")
theirs = shap.TreeExplainer(native).shap_values(native_rows)
print(f"relative difference from shap: {disagreement(by_category.values, theirs):.1e}")
assert disagreement(by_category.values, theirs) < 1e-5

# %%
shares = pd.DataFrame(
    {
        name: pd.Series(np.abs(found.values).mean(0), found.feature_names)
        for name, found in {"native categories": by_category, "one-hot": explanation}.items()
    }
).sort_values("one-hot")
ax = shares.plot.barh(figsize=(6.4, 3.2), color=["0.7", "0.3"], width=0.75)
ax.set_xlabel("mean |relevance|, in rentals")
ax.spines[["top", "right"]].set_visible(False)

# %% [markdown]
# ## Three rules, three questions
#
# - `"path"`: how does the expectation move on the way down each tree? (Saabas; XGBoost's `approx_contribs`.) Cheap, but
#   what stands near the root gets less than what comes later.
# - `"shapley"`: averaged over all orders in which features may become known, relative to the data the trees saw.
# - `"interventional"`: relative to reference rows that you choose. Here: why so many *rather than on a working day's
#   night*?

# %%
nights = train[train.hour.isin([22, 23, 0, 1, 2, 3, 4]) & ~train.weekday.isin(["Sat", "Sun"])]
against_nights = neon.Explainer(pipeline, reference=nights)
rules = {
    "path": neon.explain(pipeline, test, composite="path"),
    "shapley": explanation,
    "interventional": timed(f"neon, {len(nights)} reference rows, 600 hours", lambda: against_nights(test)),
}
by_rule = pd.DataFrame({name: found[busy].to_frame().iloc[0, :-1] for name, found in rules.items()}).astype(float)
by_rule.round(2)

# %%
ax = by_rule.drop(["base_value", "prediction"])[::-1].plot.barh(figsize=(6.4, 4.2), width=0.75)
ax.set_xlabel("relevance, in rentals")
ax.spines[["top", "right"]].set_visible(False)

# %% [markdown]
# Against nights of working days it no longer counts that this is one; the hour counts more. The base value is what the
# rule is relative to: the mean of the training data, or of the nights. shap on the same rows:

# %%
masker = shap.maskers.Independent(encoder.transform(nights), max_samples=len(nights))
interventional = shap.TreeExplainer(pipeline[-1], masker, feature_perturbation="interventional")
some = slice(0, 100)
timed("neon, 100 hours", lambda: against_nights(test[some]))
theirs = timed("shap, 100 hours", lambda: interventional.shap_values(encoded[some]), repeats=1)
difference = disagreement(rules["interventional"].encoded.values[some], theirs)
print(f"relative difference: {difference:.1e}")
assert difference < 1e-6

# %% [markdown]
# ## Interactions
#
# Rush hours exist on working days only: `hour` and `weekday` act together. `interactions=True` splits the relevance of
# each feature into what it does by itself, on the diagonal, and its half of what it does with each other feature.

# %%
together = timed("neon, interactions, 600 hours", lambda: explainer(test, interactions=True))
assert np.allclose(together.interactions.sum(2), together.values)
few = slice(0, 25)
theirs = timed("shap, interactions, 25 hours", lambda: tree_shap.shap_interaction_values(encoded[few]), repeats=1)

# %%
columns = pd.get_dummies(pd.Series(network.intake.encoding.source)).to_numpy(dtype=float)  # encoded × the caller's
ours, theirs = together.interactions[few], np.einsum("ia,nij,jb->nab", columns, theirs, columns)
print(f"relative difference, columns added up: {disagreement(ours, theirs):.1e}")
assert disagreement(ours, theirs) < 1e-5

# %%
strength = np.abs(together.interactions).mean(0)
names = together.feature_names
fig, ax = plt.subplots(figsize=(5.6, 4.6), layout="constrained")
image = ax.imshow(strength, cmap="Reds", vmin=0, vmax=(strength * (1 - np.eye(len(names)))).max())
for i, j in np.ndindex(strength.shape):
    dark = strength[i, j] > 0.6 * image.norm.vmax
    ax.text(j, i, f"{strength[i, j]:.1f}", ha="center", va="center", color="white" if dark else "0.2", fontsize=8)
ax.set_xticks(range(len(names)), names, rotation=40, ha="right")
ax.set_yticks(range(len(names)), names)
fig.colorbar(image, label="mean |interaction|, in rentals", extend="max")
# %% [markdown]
# The strongest pairs are those of the simulation: hour and weekday, hour and station, hour and temperature. What the
# first of them looks like:

# %%
at_work = ~test.weekday.isin(["Sat", "Sun"])
pair = 2 * together.interactions[:, names.index("hour"), names.index("weekday")]
fig, ax = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
for name, rows, color in (("working days", at_work, "tab:red"), ("weekends", ~at_work, "tab:blue")):
    ax.scatter(test.hour[rows], pair[rows.to_numpy()], s=10, color=color, label=name)
ax.set_xlabel("hour")
ax.set_ylabel("interaction of hour and weekday")
ax.spines[["top", "right"]].set_visible(False)
ax.legend(frameon=False)
# %% [markdown]
# ## An anomaly
#
# An isolation forest calls rows anomalous that few random splits isolate. neon explains how many splits sooner than the
# threshold; positive is anomalous, and so it is for every feature. In 24 of these 600 rows one sensor of a pump was
# spoilt.

# %%
sensors = pd.read_csv(folder / "sensors.csv")
corrupted = sensors.pop("corrupted")
isolation = IsolationForest(random_state=0).fit(sensors)
isolation_explainer = neon.Explainer(isolation)
anomalies = timed("neon, 600 rows", lambda: isolation_explainer(sensors))
spoilt = np.flatnonzero(corrupted != "none")
blamed = sensors.columns[anomalies.values[spoilt].argmax(1)]
print(
    f"the spoilt sensor has the largest relevance in {np.mean(blamed == corrupted[spoilt]):.0%} of {len(spoilt)} rows"
)
worst = int(np.argmax(anomalies.prediction))
print(f"most anomalous: row {worst}, in which {corrupted[worst]} was spoilt")
anomalies.plot.waterfall(worst)

# %% [markdown]
# shap explains the mean depth, with the opposite sign, and compares rows in float64 where scikit-learn rounds them to
# float32: a row whose value lies next to a threshold goes another way there. Rounded beforehand, all rows agree.

# %%
isolation_shap = shap.TreeExplainer(isolation)
theirs = timed("shap, 600 rows", lambda: isolation_shap.shap_values(sensors), repeats=1)
apart = np.abs(anomalies.values + theirs).max(1)
print(f"{np.sum(apart > 1e-8)} of {len(sensors)} rows differ, by up to {apart.max():.2g} splits")
rounded = sensors.astype(np.float32).astype(float)
theirs = isolation_shap.shap_values(rounded)
print(f"relative difference of rounded rows: {disagreement(anomalies.values, -theirs):.1e}")
assert disagreement(anomalies.values, -theirs) < 1e-8
