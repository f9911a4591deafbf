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
# # Why is this wine in that cluster? Why is this tumour malignant?
#
# A k-means clustering and a support vector machine are no neural networks. neon rewrites them as equivalent ones and
# sends each answer back to the measurements that it rests on. The data come with scikit-learn.

# %%
# %matplotlib inline
import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import neon

# %% [markdown]
# ## A clustering
#
# 178 Italian wines, 13 measurements, three clusters.

# %%
wine = load_wine(as_frame=True).data
clustering = make_pipeline(StandardScaler(), KMeans(3, n_init=10, random_state=0)).fit(wine)
network = neon.neuralize(clustering)
network

# %% [markdown]
# The network computes the evidence for each cluster: how much closer it is than the nearest other one. It is positive
# exactly for the cluster that k-means assigns. Is the network the model? And what does the evidence rest on?

# %%
print(f"largest |network - model|: {network.verify(wine):.1e}")
explanation = neon.explain(clustering, wine)
assert (explanation.target == clustering.predict(wine)).all()
explanation.plot.bar(by="target")
# %% [markdown]
# One wine: nothing is lost between the features and the evidence.

# %%
explanation.plot.waterfall(0)
# %%
print(f"conservation error: {explanation.conservation_error():.1e}")

# %% [markdown]
# ## A classifier
#
# 569 tumours, 30 measurements of cell nuclei. The decision function of the SVM is explained relative to what it is on
# average where each feature is drawn from the support vectors (`explanation.base_values`).

# %%
cancer = load_breast_cancer(as_frame=True)
train, test, labels, truth = train_test_split(cancer.data, cancer.target, random_state=0)
classifier = make_pipeline(StandardScaler(), SVC()).fit(train, labels)
print(f"accuracy: {classifier.score(test, truth):.3f}")
benign = neon.explain(classifier, test, target=1)
benign.plot.beeswarm()
# %%
most_certain = int(np.argmin(benign.prediction))
benign.plot.waterfall(most_certain)
# %% [markdown]
# Measured against a typical benign tumour instead, a reference that you choose:

# %%
reference = train[labels == 1].mean().to_frame().T
against_benign = neon.explain(classifier, test, target=1, reference=reference)
against_benign.plot.waterfall(most_certain)
