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
# # Customer segments, told in euros
#
# A clustering of customers gives numbers: segment 0, 1, 2, 3. A colleague from sales asks what the segments *are*. The
# clustering worked with standardized numbers and one-hot codes; the answer has to be in euros, years and shares.

# %%
# %matplotlib inline
from pathlib import Path

import pandas as pd
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import neon

# %% [markdown]
# 1,200 customers of a shop, made by `data/make_customers.py`. The last column names the segment that each one was drawn
# from. No clustering sees it: we keep it to check what neon says.

# %%
root = Path.cwd() if Path("data").is_dir() else Path.cwd().parent
customers = pd.read_csv(root / "data" / "customers.csv", index_col="customer")
truth = customers.pop("segment")
customers.head()

# %% [markdown]
# ## A pipeline, as it would be built anyway

# %%
numbers = ["age", "spend", "orders", "returns", "height", "shoe_size"]
categories = ["region", "channel", "newsletter"]
encode = make_column_transformer(
    (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
    (OneHotEncoder(sparse_output=False), categories),
)
model = make_pipeline(encode, KMeans(4, n_init=10, random_state=0)).fit(customers)

# %% [markdown]
# ## What the segments are
#
# One call. Each sentence names what sets a segment apart, and the one that it is closest to.

# %%
units = {"age": "years", "spend": "€", "returns": "%"}
found = neon.explain_clusters(model, customers, feature_units=units)
for segment in found:
    print(segment.sentence, end="\n\n")

# %% [markdown]
# The values are those of pandas: medians of the members, and of everybody else. Which columns are named, and in which
# order, is decided by relevance: how much each column contributes to a customer's being nearer to its own segment's
# center than to the next one's. `height` and `shoe_size` were the same in all segments, and no sentence has them.

# %%
inside = customers["spend"].groupby(found.explanation.target).median()
print(inside)
named = found.to_frame().groupby("cluster").head(3)
assert not named["feature"].isin(["height", "shoe_size"]).any()
named[["cluster", "feature", "relevance", "inside", "elsewhere", "direction"]]

# %% [markdown]
# All of it in one picture. A column of the matrix is a segment; red is what sets it apart, an arrow says in which
# direction it differs from the others.

# %%
found.plot.matrix()

# %% [markdown]
# One panel for each segment:

# %%
_ = found.plot.clusters()

# %% [markdown]
# ## Which segments could be confused?
#
# Every segment has a rival: the one that most of its members would be in otherwise. What separates the two is another
# question than what sets a segment apart from all others.

# %%
found.summary()[["size", "share", "rival", "rival_share"]]

# %%
smallest = min(found, key=lambda segment: segment.size)
found.plot.separation(smallest.label, smallest.rival)

# %% [markdown]
# Typical members are in their segment for the usual reasons, borderline ones could as well be the rival's. They come
# with the labels of the rows, so that one can look them up.

# %%
print("typical:", smallest.typical)
print("borderline:", smallest.borderline)
customers.loc[[*smallest.typical[:2], *smallest.borderline[:2]]]

# %% [markdown]
# Why is that customer in this segment? `found.explanation` has every row, for all plots of single rows.

# %%
row = customers.index.get_loc(smallest.borderline[0])
found.explanation.plot.waterfall(row)

# %% [markdown]
# ## Segments from elsewhere
#
# Often there is no model: the labels come from another tool, from a colleague, from a column of the data base. Labels
# and rows are enough, mixed columns and gaps included. A Series of labels is matched by its index; missing ones are
# counted. neon explains a function that stands for the labels, and says how many of them it gives by the other rows.

# %%
labels = truth.sample(frac=0.97, random_state=0)  # in another order, and not of all customers
given = neon.explain_clusters(labels, customers, feature_units=units)
print(given.explains)
print(f"\nown label: {given.agreement:.1%}\n")
print(given["returners"].sentence)

# %% [markdown]
# The same holds for clusterings that cannot be asked about new rows, such as HDBSCAN. Its noise is in no cluster.

# %%
density = make_pipeline(encode, HDBSCAN(min_cluster_size=60, copy=True)).fit(customers)
print(neon.explain_clusters(density, customers, feature_units=units))

# %% [markdown]
# New customers are explained by the same function; those here were seen, which is a check.

# %%
again = given.explainer(customers.head(3))
assert [again.output_names[target] for target in again.target] == [f"cluster {name}" for name in truth.head(3)]
again
