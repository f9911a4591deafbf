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
# # What do the clusters of a map mean?
#
# A map of the data (t-SNE, UMAP, Isomap) shows groups, and a clustering draws lines around them. Then somebody asks
# what the groups *are*. The axes of the map mean nothing, and most such clusterings cannot even be asked about a new
# row. neon answers in the features of the data, and says how far the answer is to be trusted.

# %%
# %matplotlib inline
import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import DBSCAN, HDBSCAN, KMeans
from sklearn.datasets import load_digits, load_wine
from sklearn.manifold import TSNE, Isomap
from sklearn.metrics import adjusted_rand_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import neon

# %% [markdown]
# ## Labels from anywhere
#
# A thousand handwritten digits, 64 pixels. t-SNE lays them out in two dimensions, DBSCAN finds the islands.

# %%
images, digit = load_digits(return_X_y=True)
images, digit = images[:1000] / 16, digit[:1000]
names = [f"row {i // 8} column {i % 8}" for i in range(64)]
places = TSNE(random_state=0).fit_transform(images)
labels = DBSCAN(eps=3, min_samples=8).fit_predict(places)
figure, ax = plt.subplots(figsize=(6, 5))
ax.scatter(*places.T, c=np.where(labels < 0, np.nan, labels), s=8, cmap="tab20", plotnonfinite=False)
for label in range(labels.max() + 1):
    ax.text(*places[labels == label].mean(0), str(label), weight="bold", ha="center")
_ = ax.axis("off")

# %% [markdown]
# `explain_clusters` takes the labels and the rows that bear them, pixels here and not places on the map. A cluster's
# evidence is how much closer its rows are than those of the nearest other one. How many of the labels does that
# function reproduce? The explanation says it, because an explanation of another clustering would be worth nothing.

# %%
found = neon.explain_clusters(labels, images, encoder="passthrough")  # pixels are in one unit already
explanation = found.explanation
print(explanation.explains)
print(f"conservation error: {explanation.conservation_error():.1e}")

# %% [markdown]
# For every large cluster the mean image, and the mean relevance of each pixel: the darker, the more it sets the
# cluster's rows apart from those of its nearest rival. What counts is where the two *differ*: of the 9, the open side.

# %%
clusters = [label for label in range(labels.max() + 1) if (labels == label).sum() >= 40]
figure, axes = plt.subplots(2, len(clusters), figsize=(1.1 * len(clusters), 2.8), squeeze=False)
for label, (above, below) in zip(clusters, axes.T, strict=True):
    rows = labels == label
    above.imshow(images[rows].mean(0).reshape(8, 8), cmap="gray_r")
    above.set_title(f"{label}: {rows.sum()} rows\nmostly {np.bincount(digit[rows]).argmax()}", fontsize=8)
    relevance = explanation[rows].values.mean(0).reshape(8, 8)
    below.imshow(relevance, cmap="RdBu_r", vmin=-np.abs(relevance).max(), vmax=np.abs(relevance).max())
    above.axis("off")
    below.axis("off")

# %% [markdown]
# Are these the pixels that matter? Take the most relevant pixels of a row away, by putting the mean of all rows in
# their place, and see how many rows stay in their cluster; then the same with pixels drawn at random.


# %%
def staying(order: np.ndarray, n_pixels: int) -> float:
    """The share of rows that keep their cluster without the first pixels of an order."""
    changed = images.copy()
    np.put_along_axis(changed, order[:, :n_pixels], np.take(images.mean(0), order[:, :n_pixels]), axis=1)
    return float(np.mean(found.explainer(changed).target == explanation.target))


by_relevance = np.argsort(-explanation.values, axis=1)
by_chance = np.argsort(np.random.default_rng(0).random(images.shape), axis=1)
steps = (0, 2, 4, 8, 12, 16)
figure, ax = plt.subplots(figsize=(5, 3))
for name, order in {"most relevant first": by_relevance, "at random": by_chance}.items():
    ax.plot(steps, [staying(order, step) for step in steps], marker="o", label=name)
ax.set(xlabel="pixels taken away", ylabel="rows that keep their cluster", ylim=(0, 1.02))
_ = ax.legend(frameon=False)

# %% [markdown]
# ## A clustering without `predict`
#
# HDBSCAN, OPTICS, DBSCAN, agglomerative and spectral clustering give labels and no function. neon explains the same
# evidence for their labels; `data=` are the rows that they were fitted on. Noise is explained by the cluster that
# it is nearest to.

# %%
wine = load_wine(as_frame=True)
density = make_pipeline(StandardScaler(), HDBSCAN(min_cluster_size=12, copy=True)).fit(wine.data)
explainer = neon.Explainer(density, data=wine.data)
print(explainer.network.explains)
print(f"reproduces {explainer.network.agreement:.0%} of the labels")
explainer(wine.data).plot.bar(by="target")

# %% [markdown]
# ## A map that is a function
#
# Isomap and locally linear embedding place new rows as well, so that a pipeline through them is explained exactly: no
# surrogate, but which rows are neighbours is held fixed.

# %%
mapped = make_pipeline(StandardScaler(), Isomap(n_neighbors=12), KMeans(3, n_init=10, random_state=0)).fit(wine.data)
network = neon.neuralize(mapped)
print(network.explains)
print(f"largest |network - model|: {network.verify(wine.data):.1e}")
found = neon.explain(mapped, wine.data)
assert (found.target == mapped.predict(wine.data)).all()
print(f"agreement with the cultivars (adjusted Rand): {adjusted_rand_score(wine.target, found.target):.2f}")
found.plot.bar(by="target")
