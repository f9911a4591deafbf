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
# # One prediction, four heatmaps
#
# Layer-wise relevance propagation (LRP) sends the output of a network back to the pixels, layer by layer. Each layer
# follows a rule, and the rules decide what the heatmap looks like. *Layer-Wise Relevance Propagation: An Overview*
# (Montavon et al., 2019) shows this for one picture of a castle and VGG-16: LRP-0 is noisy, LRP-ε sparse, LRP-γ dense
# but not selective, and a composite of them, one for each depth of the network, is best.
#
# Here we draw that figure for a small network of the same kind. Then we **measure** what it claims.

# %%
# %matplotlib inline
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from sklearn.datasets import load_digits, load_sample_images
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn import functional as F

import neon
from neon import composites, rules, targets

torch.manual_seed(0)
torch.set_num_threads(1)  # the layers are small: threads would mostly wait for each other
SIZE, DIGIT, SCRAP = 32, 16, 6  # pixels

# %% [markdown]
# ## Images of which we know what matters
#
# A handwritten digit lies somewhere on a photograph, among three scraps of other digits in the same colour. The scraps
# mean nothing. As we make the images, we know which pixels are digit, scrap and photograph. Testing takes other digits
# than training, and other halves of the two photographs.

# %%
photos = torch.tensor(np.stack(load_sample_images().images)).permute(0, 3, 1, 2) / 127.5 - 1  # values in -1..1
photos = F.avg_pool2d(photos, 2)  # (2, 3, 213, 320)
halves = {"train": photos[..., :150], "test": photos[..., 170:]}
pixels, numbers = load_digits(return_X_y=True)
labels = torch.tensor(numbers)
digits = torch.tensor(pixels, dtype=torch.float32).view(-1, 1, 8, 8) / 16
digits = F.interpolate(digits, size=DIGIT, mode="bicubic", align_corners=False).clamp(0, 1)[:, 0]
train_rows, test_rows = train_test_split(torch.arange(len(labels)), random_state=0)
digit_rows = {"train": train_rows, "test": test_rows}


# %%
def draw(n, high):
    return torch.randint(high, (n,))


def crop(part, n):
    """Pieces of the photographs, (n, 3, SIZE, SIZE)."""
    source = halves[part]
    places = zip(draw(n, 2), draw(n, source.shape[2] - SIZE), draw(n, source.shape[3] - SIZE), strict=True)
    return torch.stack([source[photo, :, i : i + SIZE, j : j + SIZE] for photo, i, j in places])


def paste(stamps, rows, columns):
    """Stamps (n, height, width) on empty sheets, (n, SIZE, SIZE)."""
    sheets = torch.zeros(len(stamps), SIZE, SIZE)
    for sheet, stamp, i, j in zip(sheets, stamps, rows, columns, strict=True):
        sheet[i : i + stamp.shape[0], j : j + stamp.shape[1]] = stamp
    return sheets


# %%
@dataclass
class Batch:
    images: Tensor  # (n, 3, SIZE, SIZE)
    labels: Tensor  # (n,)
    digit: Tensor  # (n, SIZE, SIZE), where the digit is
    scraps: Tensor  # (n, SIZE, SIZE), where the scraps are
    photo: Tensor  # (n, 3, SIZE, SIZE), the image before anything was written on it


def write(photo, ink):
    """Ink (n, SIZE, SIZE) in a random colour: bright where the photograph is dark, and the reverse."""
    behind = (photo.mean(1) * ink).sum((1, 2)) / ink.sum((1, 2))
    colour = torch.where(behind < 0, 1.0, -1.0)[:, None, None, None] * (0.3 + 0.7 * torch.rand(len(ink), 3, 1, 1))
    return torch.lerp(photo, colour.expand_as(photo), ink[:, None]).contiguous(memory_format=torch.channels_last)


# %%
def make(part, n):
    """A random batch of n images."""
    rows, photo = digit_rows[part], crop(part, n)
    chosen = rows[draw(n, len(rows))]
    digit = paste(digits[chosen], *draw(2 * n, SIZE - DIGIT).view(2, n))
    scraps = torch.zeros_like(digit)
    for i, j in ((0, 5), (5, 0), (9, 5)):
        others = digits[rows[draw(n, len(rows))], i : i + SCRAP, j : j + SCRAP]
        scraps = torch.maximum(scraps, paste(others, *draw(2 * n, SIZE - SCRAP).view(2, n)))
    scraps[F.max_pool2d(digit[:, None], 3, 1, 1)[:, 0] > 0.2] = 0  # scraps do not touch the digit
    images = write(photo, torch.maximum(digit, scraps))
    return Batch(images, labels[chosen], digit > 0.3, scraps > 0.3, photo)


# %%
def show(image, ax):
    ax.imshow(((image.permute(1, 2, 0) + 1) / 2).numpy())
    ax.set_axis_off()


_, axes = plt.subplots(1, 8, figsize=(9, 1.3), layout="constrained")
for image, ax in zip(make("test", 8).images, axes, strict=True):
    show(image, ax)


# %% [markdown]
# ## A small VGG
#
# Three blocks of convolutions, each followed by pooling; two dense layers on top.


# %%
def block(number, inputs, outputs):
    layers = {}
    for letter, channels in (("a", inputs), ("b", outputs)):
        name = f"{number}{letter}"
        layers[f"conv{name}"] = nn.Conv2d(channels, outputs, 3, padding=1, bias=False)
        layers[f"norm{name}"] = nn.BatchNorm2d(outputs)
        layers[f"relu{name}"] = nn.ReLU()
    return layers | {f"pool{number}": nn.MaxPool2d(2)}


layers = block(1, 3, 12) | block(2, 12, 24) | block(3, 24, 48)
layers |= {"flatten": nn.Flatten(), "dense1": nn.Linear(48 * 16, 128), "relu4": nn.ReLU(), "dense2": nn.Linear(128, 10)}
cnn = nn.Sequential()
for name, layer in layers.items():
    cnn.add_module(name, layer)
cnn = cnn.to(memory_format=torch.channels_last)

# %%
optimizer = torch.optim.Adam(cnn.parameters())
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2e-3, total_steps=1100)
for _ in range(1100):
    batch = make("train", 32)
    loss = F.cross_entropy(cnn(batch.images), batch.labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
cnn = cnn.eval().requires_grad_(False)
test = make("test", 1000)
print(f"accuracy on new digits and new photographs: {(cnn(test.images).argmax(1) == test.labels).float().mean():.3f}")

# %% [markdown]
# ## Four explanations
#
# The same rule in every layer gives LRP-0, LRP-ε and LRP-γ. What is a *large* ε depends on how large the layer's
# pre-activations are, so that the overview sets ε to a quarter of their size, layer by layer; γ is 0.25. The tiny ε
# that a preset such as `"epsilon"` takes only avoids a division by zero: its heatmap is practically that of LRP-0.
# (Where a size for each sample will do, `rules.Epsilon(0.25, relative=True)` and the preset `"lrp_overview"` spare
# measuring it.)

# %%
size, x = {}, make("train", 256).images
for name, layer in cnn.named_children():
    x = layer(x)
    size[name.replace("norm", "conv")] = x.square().mean().sqrt().item()  # root mean square behind normalization


def epsilons(*names):
    return [(composites.named(name), rules.Epsilon(0.25 * size[name])) for name in names]


weighted = [name for name in size if name.startswith(("conv", "dense"))]
print({name: round(size[name], 2) for name in weighted})

# %% [markdown]
# A composite is a list of (which layers, which rule); the first match wins. From the top to the bottom of the network:
# LRP-0, LRP-ε, LRP-γ, and for the pixels the rule z^B, which knows that they lie between -1 and 1.

# %%
composite = composites.Composite(
    [
        (composites.first(), rules.ZBox(-1.0, 1.0)),
        *epsilons("conv3a", "conv3b"),
        (composites.kind("convolution"), rules.Gamma(0.25)),
        (composites.anything(), rules.Zero()),
    ],
    name="LRP overview",
)
methods = {
    "LRP-0": composites.zero(),
    "LRP-ε": composites.Composite([*epsilons(*weighted), (composites.anything(), rules.Epsilon())]),
    "LRP-γ": rules.Gamma(0.25),
    "composite": composite,
}

# %% [markdown]
# We explain the logit of the predicted class, written beside each image. Relevance of the three colour channels is
# added up. Red speaks for the class, blue against it.

# %%
batch = make("test", 100)
logits = cnn(batch.images)
predicted = logits.argmax(1)


def explain(method, images, target):
    """Relevance of the pixels, (n, SIZE, SIZE)."""
    return neon.LRP(cnn, method)(images, target).sum(1)


maps = {name: explain(method, batch.images, predicted) for name, method in methods.items()}
_, axes = plt.subplots(6, 5, figsize=(7.6, 8.6), layout="constrained")
for row, panels in enumerate(axes):
    show(batch.images[row], panels[0])
    panels[0].text(-2, SIZE / 2, str(predicted[row].item()), fontsize=13, ha="right", va="center")
    for ax, (name, relevance) in zip(panels[1:], maps.items(), strict=True):
        limit = relevance[row].abs().quantile(0.995).item()  # a few extreme pixels would make all others pale
        neon.plots.heatmap(relevance[row], limit=limit, colorbar=False, ax=ax)
        ax.set_title(name if row == 0 else "", fontsize=10)

# %% [markdown]
# In a network of convolutions, ReLU and max-pooling, LRP-0 is the gradient times the input. (What differs here is
# rounding in single precision, where ReLUs switch; in double precision it is 1e-13.)

# %%
inputs = batch.images.clone().requires_grad_()
cnn(inputs).gather(1, predicted[:, None]).sum().backward()
difference = (inputs.grad * inputs).sum(1).detach() - maps["LRP-0"]
print(f"|gradient × input - LRP-0| / |LRP-0| = {difference.norm() / maps['LRP-0'].norm():.1e}")

# %% [markdown]
# ## Which rule ran where?
#
# `plan` answers, and says what became of the relevance, summed over the batch. Read it from the bottom, where the
# output is, to the top. Batch normalization is not in the list: it is merged into the convolutions. What a layer
# *absorbs* is the share of its bias and of ε.

# %%
plan = neon.LRP(cnn, composite).plan(batch.images, predicted)
plan

# %%
received, absorbed = maps["composite"].sum().item(), plan.to_frame()["absorbed"].sum()
print(f"pixels {received:.3f} + absorbed {absorbed:.3f} = {received + absorbed:.3f}")
print(f"logits {logits.max(1).values.sum():.3f}")

# %% [markdown]
# ## What the figure claims, measured
#
# Six views of 100 heatmaps, beside a heatmap of random numbers:
#
# - **roughness** — differences between neighbouring pixels, relative to all relevance (total variation);
# - **instability** — how much of the heatmap changes with a little noise in the image, too little for the eye;
# - **half** — the share of pixels that carries half of all relevance: small is sparse;
# - **coverage** — over how much of the digit its positive relevance is spread: small is sparse;
# - **on digit, on scraps** — where the relevance is. The scraps should have none;
# - **negative**, and **sum** — the share of relevance that is negative, and what reaches the pixels of the logit.


# %%
def share(part, whole):
    return (part.flatten(1).sum(1) / whole.flatten(1).sum(1)).mean().item()


def half(relevance):
    ordered = relevance.abs().flatten(1).sort(1, descending=True).values.cumsum(1)
    return (ordered < ordered[:, -1:] / 2).float().mean().item()


def coverage(relevance, mask):
    """Effective number of pixels, (Σ R)² / Σ R², of those in the mask."""
    positive = (relevance.clamp(min=0) * mask).flatten(1)
    return (positive.sum(1) ** 2 / positive.square().sum(1) / mask.flatten(1).sum(1)).mean().item()


# %%
def measures(relevance, again):
    magnitude = relevance.abs()
    steps = [F.pad(relevance.diff(dim=1).abs(), (0, 0, 0, 1)), F.pad(relevance.diff(dim=2).abs(), (0, 1))]
    return {
        "roughness": share(steps[0] + steps[1], magnitude),
        "instability": ((again - relevance).norm(dim=(1, 2)) / relevance.norm(dim=(1, 2))).median().item(),
        "half": half(relevance),
        "coverage": coverage(relevance, batch.digit),
        "on digit": share(magnitude * batch.digit, magnitude),
        "on scraps": share(magnitude * batch.scraps, magnitude),
        "negative": share(relevance.clamp(max=0).abs(), magnitude),
        "sum": (relevance.sum((1, 2)) / logits.max(1).values).mean().item(),
    }


# %%
noisy = batch.images + 0.02 * torch.randn_like(batch.images)
again = {name: explain(method, noisy, predicted) for name, method in methods.items()}
maps["random"], again["random"] = torch.randn(2, *batch.digit.shape)
table = pd.DataFrame({name: measures(relevance, again[name]) for name, relevance in maps.items()}).T
table.loc["random", "sum"] = np.nan  # random numbers explain no logit
table.round(3)

# %% [markdown]
# **Fidelity by pixel flipping**: take pixels away, most relevant first, and see how fast the logit falls. To take a
# pixel away is to put back the photograph behind it. The faster the fall, the better the heatmap knows what the
# network looks at.


# %%
def flip(relevance, steps=24, at_most=0.15):
    """Logits of the predicted class, (steps + 1, n), after each share of pixels."""
    order = relevance.flatten(1).argsort(1, descending=True)
    curves = []
    for pixels in np.linspace(0, at_most * order.shape[1], steps + 1).astype(int):
        gone = torch.zeros(order.shape).scatter_(1, order[:, :pixels], 1.0).view(-1, 1, SIZE, SIZE)
        images = torch.lerp(batch.images, batch.photo, gone)
        curves.append(cnn(images).gather(1, predicted[:, None])[:, 0])
    return torch.stack(curves).numpy()


curves = {name: flip(relevance) for name, relevance in maps.items()}
_, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
for name, curve in curves.items():
    look = {"color": "0.6", "linestyle": "--"} if name == "random" else {}
    ax.plot(np.linspace(0, 15, len(curve)), curve.mean(1), label=name, **look)
ax.set(xlabel="pixels taken away, %", ylabel="mean logit of the predicted class")
ax.spines[["top", "right"]].set_visible(False)
_ = ax.legend(frameon=False)
# %%
areas = pd.DataFrame({name: curve.mean(0) for name, curve in curves.items()})
behind = areas.sub(areas["composite"], axis=0)
flipping = pd.DataFrame({"area": areas.mean(), "behind composite": behind.mean(), "± (2 s.e.)": 2 * behind.sem()})
flipping.round(2)

# %% [markdown]
# What holds of the figure's claims on this network?
#
# - *LRP-0 is noisy*: **yes**. It is nearly as rough as random numbers, half of it is negative, a little noise in the
#   image changes half of it, and it finds the pixels that matter worse than the others do.
# - *LRP-ε removes noise and is sparse*: **in part**. It moves relevance to the digit and is more stable, but its
#   pixels alternate in sign as much as before. It covers little of the digit, as LRP-0 does; over the whole image it
#   is not the sparsest, which is LRP-γ.
# - *LRP-γ is dense*: **yes**, on the digit, and mostly positive.
# - *LRP-γ picks up what is unrelated*: **no**. It puts the least relevance on the scraps, and pixel flipping sees no
#   clear difference to the composite. Scraps are easy to ignore: all rules give them less than the share of pixels
#   that they cover, which is what random numbers give them.
# - *The composite is both faithful and easy to read*: **yes**. It is the smoothest, most stable, most positive, and
#   most on the digit. It is not clearly more faithful than LRP-γ.
# - *Relevance is conserved*: not up to the pixels. Biases keep more than half of the logit; the plan says which.
#
# One network is one sample. In nine trainings with other seeds and widths LRP-0 was always last in pixel flipping and
# LRP-ε next to last in seven; the order of the others changed. All else that is said above held in each.

# %% [markdown]
# ## What is explained: a logit, or the odds?
#
# A logit alone says little: add the same number to all ten, and no probability changes. What decides is how a class
# compares with the others. `neon.targets.LogOdds` explains η = log P/(1 - P), `neon.targets.Contrast` the difference
# of two logits. Propagation then starts from several logits, with both signs. Their sum is η, and the entropy of the
# rivals' probabilities, which belongs to no logit:

# %%
start = targets.LogOdds(predicted)(logits)  # relevance of the ten logits
odds = torch.logit(logits.double().softmax(1).gather(1, predicted[:, None])[:, 0])
rivals = logits.scatter(1, predicted[:, None], -torch.inf)
entropy = torch.distributions.Categorical(logits=rivals).entropy()
print(f"mean log-odds {odds.mean():.3f} + entropy {entropy.mean():.3f} = {(odds + entropy).mean():.3f}")
print(f"mean relevance at the logits: {start.sum(1).mean():.3f}")

# %% [markdown]
# It matters most where two answers compete. So we write two digits into one image, keep the images in which they are
# the network's first two choices, and ask for the digit on the left.


# %%
def make_pairs(n):
    """Images, labels (n, 2), masks (n, 2, SIZE, SIZE) of a left and a right digit."""
    chosen = test_rows[draw(2 * n, len(test_rows))].view(n, 2)
    left = paste(digits[chosen[:, 0]], draw(n, SIZE - DIGIT), [0] * n)
    right = paste(digits[chosen[:, 1]], draw(n, SIZE - DIGIT), [SIZE - DIGIT] * n)
    images, asked = write(crop("test", n), left + right), labels[chosen]
    first_two = cnn(images).topk(2).indices.sort(1).values
    keep = (first_two == asked.sort(1).values).all(1)
    return images[keep], asked[keep], torch.stack([left, right], 1)[keep] > 0.3


pairs, asked, both = make_pairs(400)
left, right = asked.T
questions = {
    "logit": (left, right),
    "log-odds": (targets.LogOdds(left), targets.LogOdds(right)),
    "contrast": (targets.Contrast(left, right), targets.Contrast(right, left)),
}
answers = {name: [explain(composite, pairs, target) for target in two] for name, two in questions.items()}

# %%
_, axes = plt.subplots(4, 4, figsize=(6.4, 6), layout="constrained")
for row, panels in enumerate(axes):
    show(pairs[row], panels[0])
    panels[0].text(-2, SIZE / 2, str(left[row].item()), fontsize=13, ha="right", va="center")
    for ax, (name, (relevance, _)) in zip(panels[1:], answers.items(), strict=True):
        limit = relevance[row].abs().quantile(0.995).item()
        neon.plots.heatmap(relevance[row], limit=limit, colorbar=False, ax=ax)
        ax.set_title(name if row == 0 else "", fontsize=10)


# %%
def compare(relevance, swapped):
    magnitude, positive = relevance.abs(), relevance.clamp(min=0)
    return {
        "positive, on its digit": share(positive * both[:, 0], magnitude),
        "positive, on the other": share(positive * both[:, 1], magnitude),
        "negative, on the other": share((positive - relevance) * both[:, 1], magnitude),
        "similarity": F.cosine_similarity(relevance.flatten(1), swapped.flatten(1)).mean().item(),
    }


print(f"{len(pairs)} images")
pd.DataFrame({name: compare(*two) for name, two in answers.items()}).T.round(3)

# %% [markdown]
# The logit of the left digit takes some positive relevance from the digit on the right, perhaps from strokes that the
# two have in common. The log-odds turn most of it negative: the other digit speaks against this one. *Similarity*
# compares with the explanation of the right digit: of the logits the two are nearly unrelated, of the log-odds nearly
# each other's negative. With two strong candidates the log-odds are the contrast of the two, almost; with more, they
# weigh the rivals by themselves. The price is that less of the relevance lies on the digit asked for.
#
# So before comparing heatmaps, say what is explained, and measure what you wish to claim.
