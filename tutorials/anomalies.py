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
# # Which rows are unusual, and why?
#
# A pump has twelve sensors, and in some of 600 readings one of them was spoilt. A one-class SVM finds unusual readings;
# which sensor is to blame it does not say. The file knows the answers, so that they can be compared.

# %%
# %matplotlib inline
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.covariance import EllipticEnvelope
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

import neon

here = Path("data") if Path("data").exists() else Path("../data")
readings = pd.read_csv(here / "sensors.csv")
spoilt = readings.pop("corrupted")
model = make_pipeline(StandardScaler(), OneClassSVM(nu=0.05)).fit(readings)

# %% [markdown]
# ## A sentence for each row
#
# The model reads scaled columns; the sentences are in the units of the table.

# %%
found = neon.explain_anomalies(model, readings, n=10, feature_units={"speed": "rpm"})
print(found)

# %%
blamed = [found.columns.names[found.reasons(place)[0]] for place in range(len(found))]
pd.DataFrame({"blamed": blamed, "spoilt": spoilt.iloc[found.rows].to_numpy()}, index=found.labels)

# %% [markdown]
# ## Where the values stand
#
# Grey dots are all readings, diamonds the ten most unusual ones, red where the sensor makes them so.

# %%
_ = found.plot.strip()

# %% [markdown]
# One row in words. The temperatures of row 129 are low as well, but all of them are: a cold day, which the model knows.

# %%
_ = found.plot.strip(0)

# %% [markdown]
# Below is an ordinary explanation of the rows that were found, with all of its plots and tables.

# %%
_ = found.explanation.plot.waterfall(1)

# %% [markdown]
# ## A row does not explain itself
#
# The model was fitted on these rows, so that each unusual one may be a support vector, at distance 0 from itself. The
# narrower the kernel, the more a row's own point hides how far all others are: a narrow density finds no row of its own
# fit more unusual than the other lonely ones. neon leaves the row's own point out of the sharing and of the ranking,
# and says what it takes off: the residual `own_point`.

# %%
density = make_pipeline(StandardScaler(), KernelDensity(bandwidth=0.3)).fit(readings)
narrow = neon.explain_anomalies(density, readings, n=10)
narrow.to_frame()

# %%
_ = narrow.explanation.plot.waterfall(0)

# %% [markdown]
# `outlierness` is the model's own value: the same for all ten, log 600, as each counts itself alone among 600. It could
# not have ranked them. So many readings share that value:

# %%
np.count_nonzero(np.isclose(narrow.scores, np.log(600), atol=1e-3))

# %% [markdown]
# ## New rows, and other models
#
# Two new readings beside what is usual among the old ones. Any anomaly model will do.

# %%
new = readings.iloc[[0, 1]].assign(flow=[36.5, 95.0]).set_axis(["Monday", "Tuesday"])
envelope = EllipticEnvelope(random_state=0).fit(readings)
week = neon.explain_anomalies(envelope, new, among=readings)
print(week)
_ = week.plot.strip(0, max_features=4)
