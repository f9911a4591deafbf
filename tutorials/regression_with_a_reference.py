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
# # Compared with whom? A regression and its reference
#
# A model predicts how a disease will go on. A patient asks: why is my number so high? The answer depends on whom we
# compare the patient with. This tutorial explains one prediction against three references, and shows what changes and
# what does not. The data come with scikit-learn: 442 patients, ten measurements, and the progression of diabetes one
# year later.

# %%
# %matplotlib inline
import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

import neon

# %% [markdown]
# ## The model
#
# A support vector regression behind a scaler. We give the columns names that say what they are.

# %%
names = ["age", "sex", "body mass index", "blood pressure", "cholesterol"]
names += ["LDL", "HDL", "cholesterol / HDL", "log triglycerides", "glucose"]
X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
X.columns = names
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
model = make_pipeline(StandardScaler(), SVR(C=100, gamma=0.02)).fit(X_train, y_train)
print(f"R² on patients that the model has not seen: {model.score(X_test, y_test):.2f}")
patient = X_test.iloc[[int(np.argmax(model.predict(X_test)))]]
patient

# %% [markdown]
# ## Compared with the usual patient
#
# `reference=X_train` says: an absent feature is drawn from the patients of the training data. For a support vector
# regression the relevance is then the exact Shapley value.

# %%
usual = neon.Explainer(model, reference=X_train)
explanation = usual(patient)
explanation.plot.waterfall(0)
# %% [markdown]
# Read it from the top. The base value is what the model says where nothing is known of the patient. Each red bar is a
# measurement that raises the prediction, each blue bar one that lowers it, and the length is in points of the
# progression. Together they lead to the prediction, with nothing left over:

# %%
print(explanation.base_in_words)
print(f"{explanation.base_values[0]:.1f} + {explanation.values.sum():.1f} = {explanation.prediction[0]:.1f}")
assert explanation.conservation_error() < 1e-9

# %% [markdown]
# ## Compared with patients like this one
#
# The same prediction, now compared with the patients of the same sex who are at most five years older or younger. The
# prediction stays the same; the base value and the bars change. Age and sex have little left to say, because the
# reference has them as well.

# %%
alike = (X_train["sex"] == patient["sex"].item()) & ((X_train["age"] - patient["age"].item()).abs() <= 5)
peers = X_train[alike]
print(f"{len(peers)} patients")
among_peers = neon.explain(model, patient, reference=peers)
among_peers.plot.waterfall(0)

# %% [markdown]
# ## Compared with one other patient
#
# "Why I, and not my neighbour?" A reference of one row answers that. A feature in which the two do not differ gets
# exactly 0.

# %%
neighbour = peers.iloc[[int(np.argmin(model.predict(peers)))]]
against_one = neon.explain(model, patient, reference=neighbour)
same = (patient.to_numpy() == neighbour.to_numpy())[0]
assert np.allclose(against_one.values[0, same], 0)
against_one.plot.waterfall(0)

# %% [markdown]
# ## Side by side
#
# Three answers to three questions. None of them is wrong. Before you show one, write down which question you answer.

# %%
answers = {"all patients": explanation, "patients alike": among_peers, "the neighbour": against_one}
table = pd.DataFrame({name: pd.Series(answer.values[0], names) for name, answer in answers.items()})
table.loc["base value"] = [answer.base_values[0] for answer in answers.values()]
table.loc["prediction"] = [answer.prediction[0] for answer in answers.values()]
table.round(1)

# %% [markdown]
# ## What if we give no reference?
#
# Then the model's own support vectors stand for the data. They are the patients that the model found hard to fit, and
# no fair sample. Here that makes little difference; in other models it does. A linear model or a multilayer perceptron
# holds no patients at all, and compares with a row of zeros. So give rows where you can.

# %%
without = neon.explain(model, patient)
print(without.base_in_words)
print(f"base value {without.base_values[0]:.1f}, with the training data {explanation.base_values[0]:.1f}")

# %% [markdown]
# ## All patients
#
# The same explainer for all rows of the test data. A dot is a patient.

# %%
everyone = usual(X_test)
everyone.plot.beeswarm()

# %% [markdown]
# And the shape of one effect: relevance against the body mass index. The line of dots is not quite straight: that the
# dots of one body mass index differ shows that other measurements change its effect.

# %%
everyone.plot.scatter("body mass index")

# %% [markdown]
# What all this does not say: that a lower body mass index would *cause* a slower progression. The model has learned
# from patients as they were, and nobody was treated here.
