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
# # An explanation with every prediction
#
# A service answers one applicant at a time and has to say why. What it takes: an explainer that is made once, asked
# from many threads, carried into other processes, and written down for whoever audits it later.

# %%
# %matplotlib inline
import json
import pickle
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import neon
from neon.cli import main as command_line

# %% [markdown]
# ## Two models for the same applicants
#
# Numbers and a category, one row an application, named by its number.

# %%
rng = np.random.default_rng(0)
n = 2000
X = pd.DataFrame(
    {
        "income": rng.lognormal(10.3, 0.4, n).round(-1),
        "debt": rng.lognormal(8.5, 0.8, n).round(-1),
        "late payments": rng.poisson(0.8, n),
        "years of employment": rng.integers(0, 30, n),
        "housing": rng.choice(["own", "rent", "family"], n),
    },
    index=pd.Index([f"APP-{i:05d}" for i in range(n)], name="application"),
)
risk = 1.2 * X["late payments"] + 4 * X["debt"] / X["income"] - 0.05 * X["years of employment"] - 1.5
y = np.where(risk + rng.logistic(size=n) > 0, "default", "paid")
train, new = X[:1500], X[1500:]

columns = make_column_transformer((OneHotEncoder(), ["housing"]), remainder=StandardScaler())
linear = make_pipeline(columns, LogisticRegression()).fit(train, y[:1500])
encoded = make_column_transformer((OneHotEncoder(sparse_output=False), ["housing"]), remainder="passthrough")
trees = make_pipeline(encoded, HistGradientBoostingClassifier(max_iter=60, random_state=0)).fit(train, y[:1500])

# %% [markdown]
# ## Made once, asked one row at a time
#
# To make an explainer takes the longest: the model is rewritten, and what its network does to any row is recorded. On
# a machine where neon was never used before, loops are compiled as well; neon says so, and keeps them. Then a row
# costs about as much as a prediction by scikit-learn.

# %%
explainers = {name: neon.Explainer(model) for name, model in (("linear", linear), ("trees", trees))}
explainers["trees"]


# %%
def milliseconds(function, rows, n_calls=100):
    """The median of calls with one row each."""
    spent = []
    for i in range(n_calls):
        row = rows.iloc[[i]]
        began = time.perf_counter()
        function(row)
        spent.append(1000 * (time.perf_counter() - began))
    return np.median(spent)


for explainer in explainers.values():  # the model itself is asked for the first 64 rows, then once in 1,000
    explainer(new[:64])
models = {"linear": linear, "trees": trees}
cost = pd.DataFrame(
    {
        "predict_proba": {name: milliseconds(model.predict_proba, new) for name, model in models.items()},
        "explain": {name: milliseconds(explainer, new) for name, explainer in explainers.items()},
    }
)
ax = cost.plot.barh(figsize=(6, 2.2), xlabel="milliseconds for one row", color=["0.75", "C3"])
plt.show()

# %% [markdown]
# The answer for one application: the values add up to the prediction, and that the network computes what the model
# does is compared as calls come in. A call raises `UnsupportedModelError` where it does not, so that no wrong
# explanation leaves the service.

# A request that comes as JSON is a row of a table by `pd.DataFrame([record])`, one of a table's rows `new.iloc[[0]]`: a
# dict, or `new.iloc[0]`, has lost the types of the columns.

# %%
explanation = explainers["trees"](new[:1])
print(explanation)
print(f"prediction {explanation.prediction[0]:+.3f}, parts add up to within {explanation.conservation_error():.0e}")
explanation.plot.waterfall(0)
plt.show()


# %% [markdown]
# What a service returns is small:


# %%
def reasons(explanation, label, n=2):
    """The n features that spoke most for the prediction."""
    one = explanation[[label]]
    values = pd.Series(one.values[0], one.feature_names).sort_values(ascending=False)
    return {"application": label, "why": values[values > 0].head(n).round(3).to_dict()}


explanation = explainers["trees"](new[:100], target="default")
print(json.dumps(reasons(explanation, explanation.index[explanation.prediction.argmax()]), indent=1))

# %% [markdown]
# ## Many threads, one explainer
#
# An explainer is safe in threads: it holds nothing of a call. The answers are the same numbers, in whatever order
# they come.

# %%
rows = [new.iloc[[i]] for i in range(120)]
one_by_one = np.concatenate([explainers["trees"](row).values for row in rows])
with ThreadPoolExecutor(8) as pool:
    in_threads = np.concatenate([e.values for e in pool.map(explainers["trees"], rows)])
print("same numbers from 8 threads:", np.array_equal(one_by_one, in_threads))

# %% [markdown]
# Where rows wait in a queue anyway, several in one call cost less than as many calls:

# %%
sizes = [1, 4, 16, 64, 250]
spent = {}
for name, explainer in explainers.items():
    spent[name] = []
    for size in sizes:
        began = time.perf_counter()
        for start in range(0, 500, size):
            explainer(new[start : start + size])
        spent[name].append(1000 * (time.perf_counter() - began) / 500)
pd.DataFrame(spent, sizes).plot(
    logx=True, logy=True, style="o-", figsize=(6, 3), xlabel="rows in a call", ylabel="milliseconds a row"
)
plt.show()

# %% [markdown]
# ## Into other processes
#
# A pickle of an explainer holds the model, and gives the same numbers. It is read by the version of neon that wrote
# it alone: keep the model itself, and make the explainer anew where a version changes. What was declared with
# `neon.extend` of estimators of one's own goes with the pickle.

# %%
folder = Path(tempfile.mkdtemp())
joblib.dump(explainers["trees"], folder / "explainer.joblib")
began = time.perf_counter()
again = joblib.load(folder / "explainer.joblib")
size = (folder / "explainer.joblib").stat().st_size
print(f"{size / 1e6:.1f} MB, read in {1000 * (time.perf_counter() - began):.0f} ms")
np.testing.assert_array_equal(again(new).values, explainers["trees"](new).values)
np.testing.assert_array_equal(
    pickle.loads(pickle.dumps(explainers["linear"]))(new).values, explainers["linear"](new).values
)

# %% [markdown]
# Worker processes load it once each, then answer. Rows go in, arrays come back:

# %%
parts = joblib.Parallel(n_jobs=2)(joblib.delayed(lambda rows: again(rows).values)(new[i::2]) for i in range(2))
np.testing.assert_array_equal(parts[0], explainers["trees"](new[0::2]).values)

# %% [markdown]
# A pickle runs whatever code it names. For models that come from elsewhere there is skops, whose files hold no code:
# the command line reads them as they are, and asks for every type that is not known to be harmless. The exit code is
# 0 where the network gives what the model gives, which a pipeline may wait for.

# %%
skops.io.dump(linear, folder / "model.skops")
new.to_csv(folder / "applications.csv")
code = command_line(
    [
        *("explain", str(folder / "model.skops"), str(folder / "applications.csv"), "--index", "application"),
        *("--target", "default", "-o", str(folder / "reasons.csv")),
    ]
)
print("exit code", code)
pd.read_csv(folder / "reasons.csv", index_col="application").head(3)

# %% [markdown]
# ## For the record
#
# `audit` asks the model itself for every row and writes down what was found: which model, by its hash, which
# versions, how far network and model are apart, and what the parts add up to.

# %%
record = explainers["linear"].audit(new, "default")
print(
    json.dumps({key: record[key] for key in ("model", "explains", "equivalence_error", "conservation_error")}, indent=1)
)

# %% [markdown]
# What speaks for a default, over all new applications, by either model. They agree on what matters, and a service
# that watches these shares from week to week sees it when the applicants, or the model, are no longer those of
# before.

# %%
for explainer in explainers.values():
    explainer(new, "default").plot.beeswarm()
    plt.show()
