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
# # Which words decide? An LSTM and a transformer, token by token
#
# Two networks learn to tell praise from complaint. LRP then sends each verdict back through attention, gates and
# embeddings to the words. The reviews are made from templates (`data/make_reviews.py`), so we know which words decide
# and can count how often an explanation finds them.

# %%
# %matplotlib inline
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from torch import nn

import neon
from neon import plots

torch.manual_seed(0)
pd.set_option("display.max_colwidth", None, "display.precision", 2)

# %% [markdown]
# ## The reviews
#
# 1,500 short reviews of films and products. Some are plain, in some a word is turned round ("not good"), in some one
# half outweighs the other ("a bland start, **but** a brilliant ending"). `decides` holds the places of the words that
# the label follows from, `against` those of words that speak for the other side.

# %%
folder = next(path for path in (Path("data"), Path("../data")) if path.is_dir())
reviews = pd.read_csv(folder / "reviews.csv", keep_default_na=False)
reviews.head(6)

# %% [markdown]
# A token is a word. Number 0 is the blank, which fills up short reviews.

# %%
texts = [review.split() for review in reviews["review"]]
bare = [[word.strip(".,").lower() for word in text] for text in texts]
vocabulary = {word: number for number, word in enumerate(sorted({word for text in bare for word in text}), start=1)}
shifts = 6  # blanks to spare: while it learns, a model sees reviews begin a little later or earlier
length = max(map(len, texts)) + shifts


def encode(words):
    """Numbers of the words, (length,), with blanks at the end."""
    numbers = [vocabulary[word.strip(".,").lower()] for word in words]
    return torch.tensor(numbers + [0] * (length - len(words)))


def marked(column):
    """Which words a column names, (n_reviews, length)."""
    found = torch.zeros(len(reviews), length, dtype=torch.bool)
    for row, places in enumerate(reviews[column].str.split()):
        found[row, [int(place) for place in places]] = True
    return found


ids = torch.stack([encode(text) for text in texts])
labels = torch.tensor((reviews["label"] == "positive").to_numpy(dtype=int))
decides, against = marked("decides"), marked("against")
negators = torch.isin(ids, torch.tensor([vocabulary[word] for word in ("not", "never", "hardly", "isn't")]))
form = np.where(against.any(1), "contrast", np.where(negators.any(1), "negated", "plain"))
n_train = 1200
test = slice(n_train, None)
used = np.where(np.arange(len(ids)) < n_train, "to train", "to test")
pd.crosstab(form, used, rownames=["form"], colnames=["reviews"])

# %% [markdown]
# ## Two readers
#
# Both embed the words and average what they have read over them. In between, one is a bidirectional LSTM, the other a
# transformer of two layers behind a convolution over neighbouring words (1,200 reviews are few to learn word order
# from). `read` starts at the embeddings only so that we can take a gradient there, to compare with; neon needs no such
# split, no hooks and no wrapped layers.


# %%
class Reader(nn.Module):
    def forward(self, ids):
        return self.read(self.embedding(ids), ids == 0)

    def average(self, states, blank):
        return states.masked_fill(blank[..., None], 0.0).sum(1) / (~blank).sum(1, keepdim=True)


class Lstm(Reader):
    def __init__(self, width=32):
        super().__init__()
        self.embedding = nn.Embedding(len(vocabulary) + 1, width, padding_idx=0)
        self.lstm = nn.LSTM(width, width, batch_first=True, bidirectional=True)
        self.out = nn.Linear(2 * width, 2)

    def read(self, embedded, blank):
        states, _ = self.lstm(embedded)
        return self.out(self.average(states, blank))


class Transformer(Reader):
    def __init__(self, width=32):
        super().__init__()
        self.embedding = nn.Embedding(len(vocabulary) + 1, width, padding_idx=0)
        self.position = nn.Parameter(0.3 * torch.randn(length, width))
        self.neighbours = nn.Conv1d(width, width, kernel_size=3, padding=1)
        layer = nn.TransformerEncoderLayer(width, nhead=4, dim_feedforward=64, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, num_layers=2, enable_nested_tensor=False)
        self.out = nn.Linear(width, 2)

    def read(self, embedded, blank):
        near = self.neighbours(embedded.transpose(1, 2)).relu().transpose(1, 2)
        states = self.encoder(embedded + near + self.position, src_key_padding_mask=blank)
        return self.out(self.average(states, blank))


def fit(model, ids, labels, epochs=25, rate=3e-3, blanked=0.05):
    """Train; one word in twenty is blanked, so that blanks in a text are nothing new when we delete words below."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=epochs * len(ids) // 50)
    for _ in range(epochs):
        for rows in torch.randperm(len(ids)).split(50):
            batch = ids[rows] * (torch.rand(len(rows), length) > blanked)
            batch = batch.roll(int(torch.randint(shifts + 1, ())), dims=1)
            loss = nn.functional.cross_entropy(model(batch), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model.eval().requires_grad_(False)


torch.manual_seed(0)
models = {"LSTM": Lstm(), "transformer": Transformer()}
for model in models.values():
    fit(model, ids[:n_train], labels[:n_train])

# %%
correct = {name: model(ids[test]).argmax(1) == labels[test] for name, model in models.items()}
accuracy = pd.DataFrame({name: pd.Series(hits.numpy()).groupby(form[test]).mean() for name, hits in correct.items()})
accuracy.loc["all"] = [hits.double().mean().item() for hits in correct.values()]
accuracy

# %% [markdown]
# ## One review
#
# `neon.LRP` takes the token ids themselves; whole numbers get the relevance of their embedding. The target is a
# contrast: why praise (output 1) rather than complaint (output 0). For two classes that is the log-odds. Red speaks for
# praise, blue for complaint.

# %%
praise = neon.targets.Contrast(1, 0)
text = "The script is not convincing, but I really loved the ending. We watched the movie on a Tuesday evening."
review = text.split()
relevance = neon.LRP(models["LSTM"], "epsilon")(encode(review)[None], praise)[0]
axes = plots.tokens(review, relevance[: len(review)])


# %% [markdown]
# The same review, read by both models and explained in five ways. AttnLRP (Achtibat et al. 2024) halves relevance
# between attention weights and values; CP-LRP (Ali et al. 2022) takes the weights as constants. Gradient × input at the
# embeddings is the simple baseline.


# %%
def gradient_times_input(model):
    def explain(ids, target):
        with torch.enable_grad():
            embedded = model.embedding(ids).requires_grad_()
            output = model.read(embedded, ids == 0)
            (output[:, target.index] - output[:, target.against]).sum().backward()
        return (embedded * embedded.grad).sum(-1).detach()

    return explain


methods = {
    ("LSTM", "LRP-ε"): neon.LRP(models["LSTM"], "epsilon"),
    ("LSTM", "gradient × input"): gradient_times_input(models["LSTM"]),
    ("transformer", "AttnLRP"): neon.LRP(models["transformer"], "attn_lrp"),
    ("transformer", "CP-LRP"): neon.LRP(models["transformer"], "cp_lrp"),
    ("transformer", "gradient × input"): gradient_times_input(models["transformer"]),
}


def draw(texts, explainers, columns):
    """Texts of two lines below each other, in as many columns; each with a title and how it is explained."""
    rows = len(texts) // columns
    figure = plt.figure(figsize=(7.5, 0.9 * rows))
    page = {"left": 0.0, "right": 1.0, "top": 0.95, "bottom": 0.0, "hspace": 0.5, "wspace": 0.04}
    boxes = figure.subplots(rows, columns, squeeze=False, gridspec_kw=page).T.flat
    for axes, text, (title, explain) in zip(boxes, texts, explainers, strict=True):
        plots.tokens(text, explain(encode(text)[None], praise)[0, : len(text)], ax=axes)
        axes.set_title(title, loc="left", fontsize=9, color="0.4", pad=2)


draw([review] * 5, [(" · ".join(key), explain) for key, explain in methods.items()], columns=1)
# %% [markdown]
# Each picture has a scale of its own. All five set "loved" against "convincing", and all take the "but" for part of the
# verdict. The rest differs, and some of it falls on words that mean nothing: relevance shows what *these* models use,
# not what a reader would.
#
# ## Negation
#
# A sentence, the same turned round, and both once more with the opposite word.

# %%
ways = {"LSTM": "LRP-ε", "transformer": "AttnLRP"}
said = [f"The plot is {words}. We sat in the second row.".split() for words in ("good", "not good", "bad", "not bad")]


def log_odds(model, ids):
    return model(ids) @ torch.tensor([-1.0, 1.0])


titles = [
    (f"{name}, log-odds of praise {log_odds(models[name], encode(text)[None]).item():+.1f}", methods[name, how])
    for name, how in ways.items()
    for text in said
]
draw(said * 2, titles, columns=2)

# %% [markdown]
# "Good" speaks against praise after "not", and "bad" for it: a list of words with fixed weights could not do this. And
# we learn something about the data. Without a negation the relevance is on "is" more than on "good" or "bad": such mild
# words are negated half of the time in these reviews, so they say little alone. What tells is the word before them, and
# a plain "is" is evidence as much as a "not". Our column `decides` does not know that; the measures below count it as a
# miss.
#
# ## How much of the relevance is on the words that decide?
#
# We take the test reviews that a model gets right and the relevance towards their own label. Four measures, each 1 at
# best: the share of |relevance| on deciding words; how often the strongest word is one of them; how often conceded
# words (the bland start) have the other sign; and, within a review, the correlation of relevance with what blanking
# each single word does to the log-odds. The last one asks the model, not the author of the reviews.

# %%
towards = 2.0 * labels[test, None] - 1.0  # the sign of the label, (n_test, 1)
words = ids[test] > 0
relevance = {key: towards * explain(ids[test], praise) for key, explain in methods.items()}
effect = {}  # of blanking one word on the log-odds of the label, (n_test, length)
for name, model in models.items():
    without = [log_odds(model, ids[test].index_fill(1, torch.tensor([place]), 0)) for place in range(length)]
    effect[name] = towards * (log_odds(model, ids[test])[:, None] - torch.stack(without, 1))


def correlation(a, b, among):
    """Of the rows of a and b, over the places among which it is taken."""
    count = among.sum(1, keepdim=True)
    a, b = ((v - (v * among).sum(1, keepdim=True) / count) * among for v in (a, b))
    return (a * b).sum(1) / (a.square().sum(1) * b.square().sum(1)).sqrt()


def measures(key):
    right = correct[key[0]]
    r, on, off = relevance[key][right], decides[test][right], against[test][right]
    found = {
        "share on deciding": (r.abs() * on).sum(1) / r.abs().sum(1),
        "strongest decides": on.gather(1, r.argmax(1, keepdim=True)).double(),
        "conceded opposed": (r[off] < 0).double(),
        "effect of blanking": correlation(r, effect[key[0]][right], words[right]),
    }
    return {name: value.mean().item() for name, value in found.items()}


expected = (decides[test].sum(1) / words.sum(1)).mean().item()
print(f"deciding words are {expected:.0%} of the words")
pd.DataFrame({key: measures(key) for key in methods}).T

# %% [markdown]
# All methods find the deciding words, far above their part of the text. LRP leaves less relevance on neutral words than
# gradient × input, and follows the effect of blanking about as well or better. Gradient × input names the deciding word
# first about as often and more often gives conceded words the other sign: in networks as small and smooth as these it
# is a strong baseline. And whether a conceded word "speaks against" is our reading: a model may as well take it,
# together with the "but", as a sign that the other half counts.
#
# What do words of each role get, on average?

# %%
turning = torch.isin(ids[test], torch.tensor([vocabulary["but"], vocabulary["although"]]))
mild = torch.isin(ids[test], ids[negators.roll(1, dims=1)])  # words that are also found behind a negator
is_form = {name: torch.tensor(form[test] == name)[:, None] for name in ("plain", "negated")}
roles = {
    "strong word": decides[test] & is_form["plain"] & ~mild,
    "mild word": decides[test] & is_form["plain"] & mild,
    '"is" before it': (ids[test] == vocabulary["is"]) & (decides[test] & is_form["plain"] & mild).roll(-1, dims=1),
    "negator": negators[test] & is_form["negated"],
    "negated word": decides[test] & ~negators[test] & is_form["negated"],
    "but, although": turning,
    "conceded": against[test],
    "any other": words & ~decides[test] & ~against[test],
}
figure, panels = plt.subplots(1, 2, figsize=(7.5, 4.0), sharey=True, layout="constrained")
for axes, name in zip(panels, models, strict=True):
    by_role = {
        how: [r[roles[role]].mean().item() for role in roles] for (owner, how), r in relevance.items() if owner == name
    }
    for line, (how, means) in enumerate(by_role.items()):
        height = 0.8 / len(by_role)
        color = "0.75" if "gradient" in how else f"C{line}"
        axes.barh(
            np.arange(len(roles)) + height * (line - (len(by_role) - 1) / 2), means, height, label=how, color=color
        )
    axes.axvline(0, color="0.4", linewidth=0.8)
    axes.set(title=name, xlabel="mean relevance for the label")
    axes.legend(frameon=False, fontsize=8)
panels[0].set_yticks(range(len(roles)), roles)
panels[0].invert_yaxis()

# %% [markdown]
# Strong words ("terrible", "loved") decide alone, mild ones together with the "is" before them, as we saw. The word
# that is negated counts *for* the label that its negation makes, together with the negator; conceded words count
# against it; "but" and "although" get little for what they turn. Compare lengths within one method only: relevance of
# LRP adds up to log-odds (see below), gradient × input to nothing in particular, and it shrinks where a network
# saturates.

# %% [markdown]
# ## Deleting words
#
# If relevance is right about the model, blanking the most relevant words first should bring the log-odds down fast.

# %%
blanks = range(9)
random = torch.Generator().manual_seed(0)


def deletion(model, priority):
    """Mean log-odds of the label after blanking the k words with the highest priority, by k."""
    order = priority.masked_fill(~words, -torch.inf).argsort(1, descending=True)
    changed = [ids[test].scatter(1, order[:, :k], 0) for k in blanks]
    return [(towards[:, 0] * log_odds(model, ids)).mean().item() for ids in changed]


figure, panels = plt.subplots(1, 2, figsize=(7.5, 3.2), sharey=True, layout="constrained")
for axes, (name, model) in zip(panels, models.items(), strict=True):
    at_random = [deletion(model, torch.rand(words.shape, generator=random)) for _ in range(5)]
    axes.plot(blanks, np.mean(at_random, axis=0), color="0.4", linestyle=":", label="random order")
    for line, ((_, how), r) in enumerate((key, r) for key, r in relevance.items() if key[0] == name):
        look = {"color": "0.65", "linestyle": "--"} if "gradient" in how else {"color": f"C{line}"}
        axes.plot(blanks, deletion(model, r), label=how, **look)
    axes.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    axes.set(title=name, xlabel="words deleted", ylabel="log-odds of the label" if name == "LSTM" else "", ylim=(-4, 7))
    axes.legend(frameon=False, fontsize=8)

# %% [markdown]
# One or two words carry the verdict, and every method names them first; below 0 the model has changed its mind. For the
# LSTM the orders are equally good. For the transformer LRP's is ahead from the third word on.
#
# ## Nothing is lost silently
#
# The log-odds are the relevance of the words and of what no word owns, by name: biases (of layers, and the position
# vectors, which are no words), the part that AttnLRP's softmax rule does not hand on, and the stabilizer of the
# denominators. Gradient × input has no such account.


# %%
def account(name, how):
    walk = methods[name, how].record(ids[test]).propagate(praise, account=True)
    parts = {"words": walk.relevance[0].sum(1)} | walk.ledger.absorbed
    output = log_odds(models[name], ids[test])
    lost = (output - sum(parts.values())).abs().max().item()
    shown = {part: amount.abs().mean().item() for part, amount in parts.items()}
    return shown | {"log-odds": output.abs().mean().item(), "largest error": lost}


table = pd.DataFrame({key: account(*key) for key in methods if "LRP" in key[1]}).T
assert (table["largest error"] < 1e-3).all()  # single precision
table = table.fillna(0.0)
table.loc[:, (table != 0).any()]

# %% [markdown]
# Mean magnitudes; the largest error is that of the sum, over all test reviews, in single precision. AttnLRP's softmax
# keeps about as much as all words get, with either sign: read its relevance as an order of words rather than as shares
# of the log-odds. The plan says where it happens: every operation, its rule, and what it absorbed. Here are the five
# that absorb most of the transformer's relevance for one review.

# %%
plan = methods["transformer", "AttnLRP"].plan(encode(review)[None], praise)
steps = plan.to_frame()
steps.loc[steps["absorbed"].abs().nlargest(5).index, ["operation", "module", "rule", "relevance_out", "absorbed"]]
