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
# # Credit scoring: why was this application refused?
#
# An application for a loan is refused, and somebody has to say why. This tutorial explains a scorecard made of trees:
# in log-odds and in probabilities, for one applicant and for all, one decision against another, and beside the shap
# package.
#
# The data are made here, by a rule that we know: no applicant is real.

# %%
# %matplotlib inline
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import shap
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

import neon

random = np.random.default_rng(0)
n = 1500
applicants = pd.DataFrame(
    {
        "income": random.lognormal(10.3, 0.4, n).round(-2),
        "loan": random.lognormal(8.8, 0.7, n).round(-2),
        "late payments": random.poisson(0.6, n),
        "years employed": (4 * random.gamma(2.0, 3.0, n)).round() / 4,
        "age": random.integers(19, 75, n),
    },
    index=[f"APP-{i}" for i in range(n)],
)
risk = (
    -0.8
    + 1.1 * applicants["late payments"]
    + 1.5 * np.log(applicants["loan"] / 6600)
    - 2.0 * np.log(applicants["income"] / 30_000)
    - 0.12 * applicants["years employed"]
)
decision = np.select(
    [risk + random.logistic(size=n) > 0.8, risk + random.logistic(size=n) > -0.4], ["refuse", "review"], "grant"
)
train, test, y_train, y_test = train_test_split(applicants, decision, random_state=0)
pd.Series(decision).value_counts()

# %%
model = GradientBoostingClassifier(n_estimators=60, max_depth=3, random_state=0).fit(train, y_train)
print(f"accuracy on new applications: {model.score(test, y_test):.2f}")

# %% [markdown]
# ## One applicant
#
# `output="log_odds"` is the same name for every classifier, whatever its library calls its scores: the logarithm of
# `P / (1 - P)`, of the probability that `predict_proba` gives. Relevance is relative to reference rows: here 20
# applicants of the training set, chosen by `neon.summarize`.

# %%
reference, _ = neon.summarize(train, 20)
odds = neon.Explainer(model, output="log_odds", reference=reference)
refused = test[model.predict(test) == "refuse"]
worst = refused.iloc[[0]]
explanation = odds(worst, "refuse")
explanation.plot.waterfall(0)
# %%
print(explanation.explains)
print(
    f"P(refuse) = {1 / (1 + np.exp(-explanation.prediction[0])):.3f}, the model: {model.predict_proba(worst)[0, 1]:.3f}"
)
np.testing.assert_allclose(explanation.prediction, np.log(1 / (1 / model.predict_proba(worst)[:, 1] - 1)))

# %% [markdown]
# The same in probabilities: the bars are percentage points then, and add up to the model's own probability.

# %%
probability = neon.Explainer(model, output="probability", reference=reference)
found = probability(worst, "refuse")
found.plot.waterfall(0)
# %%
np.testing.assert_allclose(found.prediction, model.predict_proba(worst)[:, 1])

# %% [markdown]
# Which to take? Log-odds add up in the way in which such models add up evidence; a probability close to 0 or 1 hardly
# moves, whatever the evidence. Probabilities are what a decision is made by, and what people understand.
#
# ## Why refused rather than reviewed?
#
# A tuple of two labels is a contrast. What both decisions have in common drops out: its explanation is the difference
# of the two explanations, base value and all.

# %%
contrast = probability(refused, ("refuse", "review"))
both = [probability(refused, label) for label in ("refuse", "review")]
np.testing.assert_allclose(contrast.values, both[0].values - both[1].values, atol=1e-12)
print(contrast.output_names, contrast.explains, sep="\n")
contrast.plot.waterfall(0)

# %% [markdown]
# ## All applicants
#
# Over many rows, name one class: by default every row is explained for its own.

# %%
everyone = odds(test, "refuse")
everyone.plot.beeswarm()
# %%
everyone.plot.scatter("late payments")

# %% [markdown]
# ## Beside shap
#
# The trees' raw scores, one for each class, are what shap's `TreeExplainer` explains: neon's
# `output="decision_function"`, by the rule "interventional", from the same rows. Both compute the same Shapley
# values; neon goes on to log-odds, probabilities and contrasts, and to this model of three classes, which
# `TreeExplainer` does not take.

# %%


two = np.where(y_train == "refuse", "refuse", "other")
binary = GradientBoostingClassifier(n_estimators=60, max_depth=3, random_state=0).fit(train, two)
theirs = shap.TreeExplainer(binary, reference, feature_perturbation="interventional").shap_values(test)
ours = neon.explain(binary, test, "refuse", composite="interventional", reference=reference)
print(f"largest difference from shap: {np.abs(ours.values - theirs).max():.1e}")
np.testing.assert_allclose(ours.values, theirs, rtol=0, atol=1e-6)
shap.plots.bar(ours.to_shap(), show=False)
plt.show()

# %% [markdown]
# ## A scorecard by a pipeline
#
# Logarithms, a scaler and a logistic regression: what the transformers make goes back to the applicant's own columns.
# Each output of a `FunctionTransformer` is told from the column that it is made from; a ratio of two columns could
# not be, and the error would say how to explain from the ratio itself.


# %%
def logarithms(X):
    return np.log(X)


columns = make_column_transformer(
    (FunctionTransformer(logarithms), ["income", "loan"]),
    (OneHotEncoder(handle_unknown="ignore", max_categories=4), ["late payments"]),
    remainder="passthrough",
)
scorecard = make_pipeline(columns, StandardScaler(), LogisticRegression()).fit(train, two)
card = neon.explain(scorecard, worst, "refuse", output="log_odds", reference=reference)
print(f"P(refuse) by the scorecard: {scorecard.predict_proba(worst)[0, 1]:.3f}")
card.plot.waterfall(0)
