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
# # Many genes, few patients
#
# In biology a table often has thousands of columns and a hundred rows: the activity of every gene, for a few patients.
# A classifier of such a table is explained as fast as any other. But with so many columns it is easy to fool oneself.
# Here we make a table of which we know the truth, so that we can see what an explanation finds, and what it misses.

# %%
# %matplotlib inline
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import neon

# %% [markdown]
# ## The data
#
# 120 patients with 2,000 genes. Genes work in pathways of 20: the genes of one pathway go up and down together. In
# tumours of type B, pathway 7 is more active and pathway 30 less active. All other pathways have nothing to do with the
# type.

# %%
rng = np.random.default_rng(0)
n_patients, n_pathways, size = 120, 100, 20
types = np.where(np.arange(n_patients) % 2 == 0, "A", "B")
activity = rng.normal(size=(n_patients, n_pathways))  # of every pathway in every patient
activity[types == "B", 7] += 1.5
activity[types == "B", 30] -= 1.5
X = 0.7 * np.repeat(activity, size, axis=1) + 0.7 * rng.normal(size=(n_patients, n_pathways * size))
genes = [f"P{pathway}-{gene}" for pathway in range(n_pathways) for gene in range(size)]
X = pd.DataFrame(X, columns=genes)
train, test = slice(0, 80), slice(80, None)
X.iloc[:3, :6].round(2)

# %% [markdown]
# ## The model
#
# A logistic regression with a ridge penalty. It keeps a small weight for every gene.

# %%
model = make_pipeline(StandardScaler(), LogisticRegression(C=1e-3)).fit(X[train], types[train])
scores = cross_val_score(model, X, types, cv=5)
print(f"right for {scores.mean():.0%} of the patients, in five folds")

# %% [markdown]
# ## Gene by gene
#
# We explain type B against the patients of the training data. `target="B"` matters: without it, each patient would be
# explained for his or her own type, and the signs would mean different things in different rows.

# %%
explainer = neon.Explainer(model, reference=X[train])
explanation = explainer(X[test], target="B")
print(f"{explanation.values.shape[1]} genes, sums exact to {explanation.conservation_error():.0e}")
explanation.plot.bar()
# %% [markdown]
# The strongest genes are of pathways 7 and 30. How many of the 40 true genes are among the 40 of largest mean
# |relevance|?

# %%
true = np.array([name.split("-")[0] in ("P7", "P30") for name in genes])
strength = np.abs(explanation.values).mean(0)
among = true[np.argsort(-strength)[:40]].sum()
share = strength[true].sum() / strength.sum()
print(f"{among} of 40 true genes are among the first 40; they hold {share:.0%} of all |relevance|")
assert among >= 30

# %% [markdown]
# Most of the true genes come first, and yet they hold only a small part of all relevance. The rest is spread over
# 1,960 genes that have nothing to do with the type. With 2,000 columns and 80 rows the model cannot know better, and
# an explanation shows what the model uses, not what is true.
#
# ## Pathway by pathway
#
# Which of twenty genes that go together has the relevance, the model decides by accident. Their sum is much more
# certain. `group` adds up, and the sums stay exact.

# %%
pathways = {f"pathway {number}": genes[number * size : (number + 1) * size] for number in range(n_pathways)}
by_pathway = explanation.group(pathways)
assert by_pathway.conservation_error() < 1e-9
by_pathway.plot.bar()
# %%
by_pathway.plot.waterfall(0)
# %% [markdown]
# And all patients at once: those with positive log-odds of type B on one side, the others on the other.

# %%
by_pathway.plot.heatmap()

# %% [markdown]
# ## Would other patients give the same answer?
#
# The most honest check with few rows: fit again on other patients, explain again, and compare what comes first.


# %%
def strengths(seed):
    """Mean |relevance| of every gene and of every pathway, of a model of 60 patients drawn at random."""
    rows = np.random.default_rng(seed).choice(n_patients, 60, replace=False)
    again = make_pipeline(StandardScaler(), LogisticRegression(C=1e-3)).fit(X.iloc[rows], types[rows])
    found = neon.explain(again, X[test], target="B", reference=X.iloc[rows])
    return np.abs(found.values).mean(0), np.abs(found.group(pathways).values).mean(0)


for seed in range(4):
    of_genes, of_pathways = strengths(seed)
    first = [genes[i] for i in np.argsort(-of_genes)[:3]]
    print(f"genes {', '.join(first)}; {', '.join(list(pathways)[i] for i in np.argsort(-of_pathways)[:2])}")

# %% [markdown]
# Pathway 7 comes first every time and pathway 30 second; the genes that come first change from model to model. So
# report pathways, or other groups that were named *before* looking, and say how stable they are.
#
# ## A warning: choosing genes first
#
# If the genes are chosen by their difference between the types on *all* patients, and the model is tested afterwards,
# the test has seen the answer. With labels that are pure chance:

# %%
chance = rng.permutation(types)
difference = np.abs(X[chance == "B"].mean() - X[chance == "A"].mean())
chosen = difference.nlargest(40).index
outside = cross_val_score(model, X[chosen], chance, cv=5).mean()
inside = cross_val_score(model, X, chance, cv=5).mean()
print(f"labels by chance: {inside:.0%} right with all genes, {outside:.0%} with genes that were chosen on all patients")

# %% [markdown]
# The explanation of such a model looks as convincing as any other. No explanation can repair a test that leaked: put
# the choice of genes into the pipeline, where neon explains it as well.
